"""Runs a command for as long as another process lives: `python watcher.py PARENT_PID GRACE_SECONDS COMMAND …`.

It leads the process group that the command, and all that this starts, are in. When the command ends, when the parent
is gone (`kill -9` too), or when it is told to stop (SIGTERM), the whole group is ended: asked first, killed after the
grace. It imports nothing of perpend, so that it is there at once and takes little memory.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

POLL_SECONDS = 0.1


def main() -> None:
    """Watch until there is a reason to end the group, and end it, this process included."""
    parent, grace, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    child = subprocess.Popen(command)
    while child.poll() is None and not told and os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.killpg(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + grace
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
