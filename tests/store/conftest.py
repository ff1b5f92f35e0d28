from collections.abc import Iterator
from pathlib import Path

import pytest

from perpend.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store with a run begun."""
    opened = Store(tmp_path)
    opened.begin_run("perpend study", {"python": "3"}, {"cores": "2"})
    opened.describe_engines(['{"name": "small"}'])
    yield opened
    opened.close()
