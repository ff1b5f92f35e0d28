"""The embedded engine against its bounds and against llama.cpp: `python benchmarks/engine.py`, four quiet minutes.

Contenders run in processes of their own and take turns; each figure is the median of the rounds, and only ratios
within one run mean anything. A run beside which other processes took over a tenth of the CPU is done again while there
is time, since llama.cpp's threads, which spin at barriers, suffer most from company; what remains of it is reported
as `foreign_cpu`. The last line is a JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from perpend.core import Completion, Delta, Prompt, Request
from perpend.engines.embedded import EmbeddedEngine, find_weights
from perpend.engines.embedded.weights import resolve

ROUNDS, POOL_ROUNDS = 3, 2
DISTURBED = 0.1
RETRY_SECONDS = 20.0
DECODE_TOKENS = 32
POOL_PROBLEMS, POOL_SAMPLES, POOL_TOKENS = 16, 16, 32
STORY = "Once upon a time there was a small village by the sea, where"
TOGETHER = "n = 16 a request"
FORMATS = ("Q4_0", "Q4_1", "Q8_0")

Job = dict[str, Any]


def pool_prompts() -> list[str]:
    """Few-shot prompts of 265 tokens that begin alike (the shared part is 240)."""
    shots = "".join(
        f"Question: Ann has {a} apples and buys {b} more. How many has she?\nAnswer: {a} + {b} = {a + b}.\n\n"
        for a, b in ((3, 4), (15, 6), (12, 9), (7, 7), (20, 31), (2, 8), (11, 5))
    )
    return [f"{shots}Question: Tom has {10 + i} pens and gives {i} away. How many has he?\nAnswer:" for i in range(16)]


def decode_job(samples: int, round: int) -> Job:
    return {"prompts": [STORY], "n": samples, "tokens": DECODE_TOKENS, "seed": 1000 * round}


def pool_job(round: int) -> Job:
    fresh = [f"Set {round}.\n{prompt}" for prompt in pool_prompts()]  # nothing of it is in anyone's cache
    return {"prompts": fresh, "n": POOL_SAMPLES, "tokens": POOL_TOKENS, "seed": 1000 * round}


# --- ours -----------------------------------------------------------------------------------------------------------


async def sample(engine: EmbeddedEngine, text: str, tokens: int, seed: int) -> Completion:
    prompt = Prompt(text=text, max_tokens=tokens, temperature=0.8)
    async for item in engine.generate(Request("bench", "p", 0, prompt, seed=seed)):
        if isinstance(item, Completion):
            return item
    raise AssertionError("no completion")


async def ours(engine: EmbeddedEngine, job: Job) -> float:
    """Tokens a second."""
    began = time.perf_counter()
    seeds = [(prompt, job["seed"] + i) for prompt in job["prompts"] for i in range(job["n"])]
    done = await asyncio.gather(*(sample(engine, prompt, job["tokens"], seed) for prompt, seed in seeds))
    return sum(c.usage.completion for c in done) / (time.perf_counter() - began)


async def first_token_seconds(engine: EmbeddedEngine, text: str) -> float:
    began = time.perf_counter()
    generation = engine.generate(Request("b", "p", 0, Prompt(text=text, max_tokens=2, temperature=0.0), seed=1))
    first = None
    async for item in generation:
        if first is None and isinstance(item, Delta):
            first = time.perf_counter() - began
    assert first is not None
    return first


async def prefix_seconds(engine: EmbeddedEngine, round: int) -> tuple[float, float]:
    """Time to the first token after 1,200 tokens: new ones, and the same again."""
    text = f"Round {round}:" + " and then" * 598
    return await first_token_seconds(engine, text), await first_token_seconds(engine, text)


async def loop_lag_ms(engine: EmbeddedEngine) -> float:
    """How late, at the 99th percentile, the caller's event loop wakes from a sleep while 64 samples run."""
    batch = asyncio.ensure_future(ours(engine, decode_job(64, 99)))
    lags = []
    while not batch.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append((time.perf_counter() - began - 0.001) * 1e3)
    await batch
    return statistics.quantiles(lags, n=100)[98]


# --- contenders in child processes: a job a line in, its tokens a second out ----------------------------------------


class Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def run(self, job: Job) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        while not (line := await self._process.stdout.readline()).startswith(b"RESULT "):
            if not line:
                raise RuntimeError("a contender died")
        return float(line.split()[1])


@asynccontextmanager
async def child(kind: str, path: Path) -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--child", kind, str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        one = Child(process)
        await one.run({"prompts": ["Hello"], "n": 2, "tokens": 2, "seed": 0})
        yield one
    finally:
        process.kill()
        await process.wait()


def bare_loop(path: str) -> Callable[[Job], int]:
    """The pipeline with nothing around it: one request a prompt, `num_return_sequences` samples of one seed."""
    import numpy as np
    import openvino as ov  # type: ignore[import-untyped]
    import openvino_genai as genai

    config = genai.SchedulerConfig()
    config.cache_size, config.max_num_batched_tokens, config.max_num_seqs = 2, 4096, 256
    config.enable_prefix_caching = True
    pipeline = genai.ContinuousBatchingPipeline(path, config, "CPU", {})
    tokenizer = pipeline.get_tokenizer()

    def run(job: Job) -> int:
        handles = []
        alone = len(job["prompts"]) == 1  # decode only: separate requests, as ours are
        for i, prompt in enumerate(p for p in job["prompts"] for _ in range(job["n"] if alone else 1)):
            asked = genai.GenerationConfig()
            asked.max_new_tokens, asked.do_sample, asked.temperature, asked.logprobs = job["tokens"], True, 0.8, 1
            asked.rng_seed, asked.num_return_sequences = job["seed"] + i, 1 if alone else job["n"]
            ids = tokenizer.encode([prompt], add_special_tokens=False).input_ids.data
            handles.append(pipeline.add_request(i, ov.Tensor(np.array(ids)), asked))
        while pipeline.has_non_finished_requests():
            pipeline.step()
        return sum(len(output.generated_ids) for handle in handles for output in handle.read_all())

    return run


def llama_server(path: str) -> Callable[[Job], int]:
    """llama.cpp's server with 64 slots over HTTP; a job says with `together` to ask for all of a prompt's samples at
    once (`n_cmpl`), else 64 clients ask for one each."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_parallel, params.n_ctx, params.port = 64, 64 * 512, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = len(os.sched_getaffinity(0))
    server = xllamacpp.Server(params)
    clients = ThreadPoolExecutor(64)

    def ask(body: Job) -> int:
        request = urllib.request.Request(
            f"{server.listening_address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as reply:
            answers = json.load(reply)
        return sum(answer["tokens_predicted"] for answer in (answers if isinstance(answers, list) else [answers]))

    def run(job: Job) -> int:
        together = job["n"] if job.get("together") else 1
        bodies = [
            {"prompt": p, "n_predict": job["tokens"], "temperature": 0.8, "seed": job["seed"] + i, "n_cmpl": together}
            for p in job["prompts"]
            for i in range(0, job["n"], together)
        ]
        return sum(clients.map(ask, bodies))

    return run


def serve(kind: str, path: str) -> None:
    """A contender's process."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run = bare_loop(path) if kind == "bare" else llama_server(path)
    for line in sys.stdin:
        job = json.loads(line)
        began = time.perf_counter()
        tokens = run(job)
        print("RESULT", tokens / (time.perf_counter() - began), file=out, flush=True)
    os._exit(0)


def requantise(source: Path, kind: str, folder: Path) -> Path:
    """The model with its Q4_1 matrices in another format (their values are those of Q4_1, rounded again)."""
    import gguf

    wanted = gguf.GGMLQuantizationType[kind]
    reader, target = gguf.GGUFReader(source), folder / f"{kind}.gguf"
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        data, type_ = tensor.data, tensor.tensor_type
        if type_ == gguf.GGMLQuantizationType.Q4_1:
            data, type_ = gguf.quants.quantize(gguf.quants.dequantize(data, type_), wanted), wanted
        writer.add_tensor(tensor.name, data, raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


# --- a machine that others use too -----------------------------------------------------------------------------------


class Referee:
    """Has runs done again that other processes disturbed, within limits."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids
        self._until = time.monotonic() + RETRY_SECONDS
        self.shares: list[float] = []

    async def fair(self, run: Callable[[], Awaitable[float]]) -> float:
        """The result of the least disturbed of up to three runs."""
        results: list[tuple[float, float]] = []
        while not results or (results[-1][0] > DISTURBED and len(results) < 3 and time.monotonic() < self._until):
            await self._quiet()
            busy, began = self._foreign(), time.perf_counter()
            result = await run()
            results.append(((self._foreign() - busy) / (time.perf_counter() - began) / (os.cpu_count() or 1), result))
        share, result = min(results)
        self.shares.append(share)
        return result

    async def _quiet(self) -> None:
        for _ in range(6):
            busy = self._foreign()
            await asyncio.sleep(0.5)
            if self._foreign() - busy < 0.5 * DISTURBED * (os.cpu_count() or 1) or time.monotonic() > self._until:
                return

    def _foreign(self) -> float:
        """CPU seconds so far that none of ours took."""
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        busy = sum(fields) - fields[3] - fields[4]  # all but idle and waiting for a disk
        own = 0
        for pid in self._pids():
            try:
                own += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
            except OSError:
                continue
        return (busy - own) / os.sysconf("SC_CLK_TCK")


# --- the comparison -------------------------------------------------------------------------------------------------


async def interleaved(
    referee: Referee, contenders: dict[str, Callable[[int], Awaitable[float]]], rounds: int
) -> dict[str, float]:
    """The median of each contender over rounds in which all take turns."""
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    for round in range(rounds):
        for name, run in contenders.items():
            seen[name].append(await referee.fair(lambda run=run, round=round: run(round)))  # type: ignore[misc]
    return {name: statistics.median(values) for name, values in seen.items()}


async def fastest_format(paths: dict[str, Path]) -> tuple[str, dict[str, float]]:
    rates = {}
    for kind, path in paths.items():
        async with child("llama", path) as server:
            referee = Referee(lambda server=server: [os.getpid(), server.pid])  # type: ignore[misc]
            rates[kind] = await referee.fair(lambda server=server: server.run(decode_job(64, 1)))  # type: ignore[misc]
    return max(rates, key=lambda kind: rates[kind]), rates


async def fastest_mode(llama: Child) -> tuple[str, dict[str, float]]:
    """How llama.cpp's server answers a pool fastest: a request a sample, or one a problem."""
    quarter = pool_job(100)
    quarter["prompts"] = quarter["prompts"][:4]
    again = {**quarter, "prompts": [f"And {prompt}" for prompt in quarter["prompts"]], "together": True}
    modes = {"64 clients": await llama.run(quarter), TOGETHER: await llama.run(again)}
    return max(modes, key=lambda mode: modes[mode]), modes


def show(title: str, rates: dict[str, float], unit: str = "tokens/s") -> None:
    print(f"\n{title}")
    for name, rate in rates.items():
        print(f"  {name:<58}{rate:>9.1f} {unit}", flush=True)


async def compare(folder: Path) -> dict[str, Any]:
    source, loaded = resolve(None), find_weights(None).path  # our reader takes a copy in Q8_0
    best, formats = await fastest_format(
        {kind: source if kind == "Q4_1" else requantise(source, kind, folder) for kind in FORMATS}
    )
    show("llama.cpp server, 64 samples, by format (the best one is compared)", formats)
    exact, free = EmbeddedEngine(), EmbeddedEngine(reproducible=False)
    await exact.start()
    await free.start()
    llama_path = source if best == "Q4_1" else folder / f"{best}.gguf"
    async with child("bare", loaded) as bare, child("llama", llama_path) as llama:
        try:
            pids = [os.getpid(), bare.pid, llama.pid]
            referee = Referee(lambda: [*pids, exact.worker_pid or 0, free.worker_pid or 0])
            figures = await measure(referee, exact, free, bare, llama)
            return {"llamacpp_format": best, **figures, "foreign_cpu": round(statistics.mean(referee.shares), 3)}
        finally:
            await exact.close()
            await free.close()


async def measure(
    referee: Referee, exact: EmbeddedEngine, free: EmbeddedEngine, bare: Child, llama: Child
) -> dict[str, Any]:
    decode = {}
    for samples in (1, 16, 64):
        runs: dict[str, Callable[[int], Awaitable[float]]] = {
            "ours": lambda r, n=samples: ours(exact, decode_job(n, r)),  # type: ignore[misc]
            "ours, reproducible=False": lambda r, n=samples: ours(free, decode_job(n, r)),  # type: ignore[misc]
            "bare pipeline": lambda r, n=samples: bare.run(decode_job(n, r)),  # type: ignore[misc]
            "llama.cpp server": lambda r, n=samples: llama.run(decode_job(n, r)),  # type: ignore[misc]
        }
        decode[samples] = await interleaved(referee, runs, ROUNDS)
        show(f"Decoding, {samples} at a time (ours: reproducible=True unless said otherwise)", decode[samples])
    mode, modes = await fastest_mode(llama)
    show("llama.cpp server, a quarter of the pool, by mode (the best one is compared)", modes)
    pool = await interleaved(
        referee,
        {
            "ours": lambda r: ours(exact, pool_job(r)),
            "bare pipeline, num_return_sequences=16": lambda r: bare.run(pool_job(r)),
            "llama.cpp server": lambda r: llama.run({**pool_job(r), "together": mode == TOGETHER}),
        },
        POOL_ROUNDS,
    )
    show("Pool of 16 problems x 16 samples, 265-token prompts", pool)
    prefixes = [await prefix_seconds(exact, round) for round in range(ROUNDS)]
    cold, warm = (statistics.median(times) for times in zip(*prefixes, strict=True))
    show("First token after a prefix of 1,200 tokens", {"new": cold * 1e3, "sent again": warm * 1e3}, "ms")
    lag = await loop_lag_ms(exact)
    show("Lag of the caller's event loop while 64 samples run", {"99th percentile": lag}, "ms")

    def ratio(samples: int, other: str, own: str = "ours") -> float:
        return round(decode[samples][own] / decode[samples][other], 3)

    return {
        "exact_replay": exact.caps.exact_replay,
        "bare_ratio_64": ratio(64, "bare pipeline"),
        "bare_ratio_64_not_reproducible": ratio(64, "bare pipeline", "ours, reproducible=False"),
        "bare_ratio_1": ratio(1, "bare pipeline"),
        "llamacpp_ratio_1": ratio(1, "llama.cpp server"),
        "llamacpp_ratio_16": ratio(16, "llama.cpp server"),
        "llamacpp_ratio_64": ratio(64, "llama.cpp server"),
        "pool_bound_ratio": round(pool["ours"] / pool["bare pipeline, num_return_sequences=16"], 3),
        "pool_llamacpp_ratio": round(pool["ours"] / pool["llama.cpp server"], 3),
        "pool_llamacpp_mode": mode,
        "prefix_ratio": round(warm / cold, 4),
        "loop_lag_ms": round(lag, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        serve(*arguments.child)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(compare(Path(folder)))))


if __name__ == "__main__":
    main()
