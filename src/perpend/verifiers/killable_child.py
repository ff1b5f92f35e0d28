"""The other end of `killable`: run by path with a file that defines `handle`, so it imports nothing of perpend."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(file: str, megabytes: int, parent: int) -> None:
    """Say that we are ready, then answer one line with one line until the input ends."""
    _die_with(parent)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for a reply
    handle = runpy.run_path(file)["handle"]
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(handle(json.loads(line))), file=replies, flush=True)


def _die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent's thread ends; elsewhere the end of our input does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
