"""What others drew: samples that nobody paid for, probes along them, and pools that are only counted."""

from dataclasses import replace

from perpend.core import Probe, SampleKey, pool_key
from perpend.store import Origin, Store
from tests.store.samples import SOURCE, sample

PROBES = {500: Probe("7", "7"), 1000: Probe(None, None, tokens=9)}
ORIGIN = Origin("a.jsonl", "0" * 64, {"key": "gold"}, "final", True, ("rm",), 3, 1)


def test_recorded_samples_come_back_with_their_probes_and_cost_nothing(store: Store) -> None:
    recorded = replace(sample(0), probes=PROBES)
    store.add_recorded([SOURCE], [recorded])
    assert [replace(each, probes=PROBES) for each in store.samples(tokens=True)] == [recorded]
    assert store.probes() == store.probes(SOURCE.task) == {SampleKey(recorded.pool, 0): PROBES}
    assert store.probes("another") == {}
    assert store.ledger() == {}


def test_counts_are_kept_by_pool(store: Store) -> None:
    store.add_counts([(SOURCE, 10_000, 27)])
    assert store.counts() == {pool_key(SOURCE): (10_000, 27)}
    assert [each.source for each in store.pools()] == [SOURCE]


def test_the_origin_is_the_newest(store: Store) -> None:
    assert store.origin() is None
    store.keep_origin(ORIGIN)
    store.keep_origin(replace(ORIGIN, samples=4))
    assert store.origin() == replace(ORIGIN, samples=4)
