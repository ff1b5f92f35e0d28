"""A stand-in for vLLM, not vLLM: it takes `serve` with its flags and answers as the fault server does, without a model.

    python -m tests.engines.vllm.stand_in serve MODEL --host 127.0.0.1 --port P --served-model-name NAME

Like vLLM it has another process compute for it, listens only when it is ready, wants the key in `VLLM_API_KEY`, and
tells its version. The model `broken` ends before it listens, `slow` never listens, `stubborn` does not end when asked
to, and neither does what computes for it. A request to end itself ends any.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

from tests.engines.openai.fault_server import Config, FaultServer, _send

VERSION = "0.33.0+cpu"


class StandIn(FaultServer):
    """The fault server, with what vLLM has besides the protocol."""

    async def _route(self, method: str, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/health":
            return _send(writer, 200, {})
        if path == "/version":
            return _send(writer, 200, {"version": VERSION})
        if "end yourself" in str(body):
            print("RuntimeError: engine core died", flush=True)
            os._exit(1)
        return await super()._route(method, path, body, writer)


async def serve(model: str, name: str, port: int) -> None:
    if model == "broken":
        print(f"ValueError: no model {model}, said with the key {os.environ['VLLM_API_KEY']}", file=sys.stderr)
        sys.exit(1)
    if model == "slow":
        print("Loading weights: 1 %", flush=True)
        await asyncio.sleep(3600)
    listening = await StandIn(Config(model=name, key=os.environ["VLLM_API_KEY"])).serve(port)
    await listening.serve_forever()


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        print(VERSION)
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host", choices=["127.0.0.1"], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--uvicorn-log-level")
    parser.add_argument("--max-model-len", type=int)
    asked = parser.parse_args()
    if asked.model == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which the other process inherits
    subprocess.Popen(["sleep", "3600"])
    asyncio.run(serve(asked.model, asked.served_model_name, asked.port))


if __name__ == "__main__":
    main()
