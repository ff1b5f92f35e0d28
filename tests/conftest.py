"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real tasks and generations that stay outside the repository (some carry no licence)."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no sampled generations at {SHARED_DATA}")
    return SHARED_DATA
