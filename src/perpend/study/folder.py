"""A study's folder: held by one process at a time, and not left behind by a study that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perpend.core import ConfigError, StoreError
from perpend.store import FolderLock, Store
from perpend.store.lock import LOCK
from perpend.store.store import FILE


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a study's folder, made where it is missing.

    Where nothing was there, nothing stays of a study that was refused before it had bought anything, nor of a look at
    what it would cost of which no forecast is kept. Raises StoreError.
    """
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        new = not any(folder.iterdir())
        lock = FolderLock(folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.", "Choose another --out.") from None
    with lock:
        try:
            yield
        except ConfigError:
            if new and not _holds(folder, forecasts=False):
                _remove(folder, missing)
            raise
        if new and not _holds(folder, forecasts=True):
            _remove(folder, missing)


def _holds(folder: Path, *, forecasts: bool) -> bool:
    """Whether anything was bought for its study; with `forecasts`, also whether one was kept."""
    if not (folder / FILE).exists():
        return False
    with Store(folder) as store:
        return bool(store.ledger()) or (forecasts and store.forecast() is not None)


def _remove(folder: Path, missing: list[Path]) -> None:
    """Take away the store and the lock, and the folders that were missing, unless somebody has used them since."""
    for name in (FILE, LOCK):
        (folder / name).unlink(missing_ok=True)
    for each in missing:
        if any(each.iterdir()):
            break
        each.rmdir()
