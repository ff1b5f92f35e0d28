"""One process at a time works on a folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from perpend.core import StoreError

LOCK = ".lock"


class FolderLock:
    """Held while a study writes to its folder; the kernel frees it however the process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
            os.close(self._handle)
            raise StoreError(
                f"{folder} is in use by another perpend (process {holder or 'unknown'}).",
                "Wait for it to end, or choose another --out.",
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let others in."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
