"""The process that computes: `python -m perpend.engines.embedded.worker PARENT_PID`, frames on stdin and stdout.

The pipeline's `step()` holds the GIL for its whole length (a tenth of a second and more), so it must not share a
process with anyone's event loop; and a crash in native code ends this process and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys

import msgspec

from perpend.engines.embedded.admission import BLOCK_TOKENS
from perpend.engines.embedded.native import first_line
from perpend.engines.embedded.protocol import (
    Admitted,
    AnyToWorker,
    Cancel,
    Load,
    Probed,
    Ready,
    Score,
    Submit,
    Unusable,
    frame,
    worker_frames,
)

PR_SET_PDEATHSIG = 1
READ_BYTES = 1 << 16


class Pipe:
    """Messages over the two file descriptors that this process was given as stdin and stdout."""

    def __init__(self) -> None:
        # Native code prints to stdout when it likes: the protocol moves to another number, stdout becomes stderr.
        self._in, self._out = os.dup(0), os.dup(1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(2, 1)
        self._frames = worker_frames()

    def send(self, message: msgspec.Struct) -> None:
        """Write a message; blocks while the engine does not read."""
        data = memoryview(frame(message))
        while data:
            data = data[os.write(self._out, data) :]

    def receive(self, wait: bool) -> list[AnyToWorker]:
        """Messages that are there; with `wait`, at least one. Ends the process when the engine has hung up."""
        messages: list[AnyToWorker] = []
        while select.select([self._in], [], [], None if wait and not messages else 0)[0]:
            data = os.read(self._in, READ_BYTES)
            if not data:
                os._exit(0)
            messages += self._frames.feed(data)
        return messages


class Worker:
    """A batch and a scorer, fed from a pipe."""

    def __init__(self, pipe: Pipe, load: Load) -> None:
        # Imported here, so that a library that is missing or does not load can be reported.
        from perpend.engines.embedded.batch import Batch
        from perpend.engines.embedded.marks import Marks
        from perpend.engines.embedded.pipeline import Pipeline
        from perpend.engines.embedded.probe import find_rows
        from perpend.engines.embedded.scorer import Scorer

        pipeline = Pipeline(load.path, load.context, load.max_seqs, load.cache_gb)
        blocks = pipeline.count_blocks()
        marks = Marks(load.vocabulary)
        rows, probed = load.rows, Probed()
        if load.reproducible and rows is None:
            rows, probed = find_rows(pipeline, marks) if load.vocabulary else (0, probed)
        self._pipe = pipe
        context = pipeline.tokens.longest(load.context)
        self._batch = Batch(pipeline, context, load.max_seqs, blocks, rows or 0, marks if rows else None)
        self._scorer = Scorer(load)
        cache = blocks * BLOCK_TOKENS, pipeline.cache_bytes()
        pipe.send(Ready(rows, context, pipeline.tokens.has_template, *cache, probed))

    def run(self) -> None:
        """Serve until the engine hangs up."""
        while True:
            scores = []
            for message in self._pipe.receive(wait=not self._batch.busy):
                match message:
                    case Submit():
                        self._batch.submit(message)
                    case Cancel():
                        self._batch.cancel(message.id)
                    case Score():
                        scores.append(message)
            for scored in self._scorer.score(scores) if scores else ():
                self._pipe.send(scored)
            self._step()

    def _step(self) -> None:
        admitted = self._batch.admit()
        if admitted:
            self._pipe.send(Admitted(admitted))  # before the step: should it crash, these are the ones it ran
        progress = self._batch.step()
        if progress.pieces or progress.done:
            self._pipe.send(progress)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the engine's process ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(0)


def main() -> None:
    """Load what the engine asks for, and serve it."""
    die_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the engine decides what it means
    pipe = Pipe()
    load = pipe.receive(wait=True)[0]
    assert isinstance(load, Load)
    try:
        worker = Worker(pipe, load)
    except (RuntimeError, ImportError, LookupError, OSError, ValueError) as error:
        pipe.send(Unusable(first_line(error)))
        return
    worker.run()


if __name__ == "__main__":
    main()
