"""Starts the engine, says its server's process group, and waits to be killed.

python -m tests.engines.vllm.hold MODEL GRACE_SECONDS
"""

from __future__ import annotations

import asyncio
import sys

from perpend.engines.vllm import VllmEngine, server


async def main(model: str, grace: float) -> None:
    server.GRACE_SECONDS = grace
    engine = VllmEngine(model)
    await engine.start()
    print(engine.server_pid, flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
