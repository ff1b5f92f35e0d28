"""The trace store: every sample, score and charge of a study, in one SQLite file that only grows."""

from perpend.store.lock import FolderLock
from perpend.store.origin import Origin
from perpend.store.parquet import export_samples
from perpend.store.rows import printable
from perpend.store.store import Bought, Ledger, RunRecord, Store, StoredPool, Waiting

__all__ = [
    "Bought",
    "FolderLock",
    "Ledger",
    "Origin",
    "RunRecord",
    "Store",
    "StoredPool",
    "Waiting",
    "export_samples",
    "printable",
]
