"""DeepConf: confidence of tokens, groups and traces; live and over every order of tiny pools."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perpend.core import (
    SAMPLED,
    Caps,
    ConfigError,
    EngineError,
    Finish,
    Likely,
    Pools,
    Sample,
    StopReason,
    Token,
    Usage,
)
from perpend.strategies import STRATEGIES
from perpend.strategies.deepconf import DeepConf, groups, token_confidences
from tests.core.worlds import Say, Scripted, make_run, make_world
from tests.strategies.tiny import RIGHT, all_orders, orders_of
from tests.strategies.traced import Trace, live, traced_pool, traced_rows

TRACES, PROBLEMS = 4, 3
ORDERS = all_orders(TRACES, PROBLEMS)
SMALL = DeepConf(window=3, every=2, warm=2, keep=0.5, consensus=0.9)


@pytest.mark.parametrize(
    "strategy",
    [
        SMALL,
        replace(SMALL, warm=1, consensus=0.7),
        *(replace(SMALL, mode="offline", measure=measure) for measure in ("lowest", "bottom", "tail")),
    ],
)
async def test_what_it_is_evaluated_to_is_what_it_does(strategy: DeepConf):
    rows = traced_rows(5, PROBLEMS)
    pool = traced_pool(rows)
    outcomes = strategy.offline(Pools({SAMPLED: pool}), orders_of(ORDERS))
    spend = outcomes.spend["replay"]
    cut, stopped = 0, 0
    for i, k in np.ndindex(PROBLEMS, TRACES):
        results = [await live(replace(strategy, n=k + 1), rows[i], order) for order in ORDERS[:, i]]
        right = np.mean([result.answer == RIGHT for result in results])
        assert outcomes.correct[:, i, k].mean() == pytest.approx(right)
        tokens = np.mean([result.charge.total.usage.tokens for result in results])
        assert spend.tokens[:, i, k].mean() == pytest.approx(tokens)
        assert outcomes.samples[:, i, k].mean() == pytest.approx(np.mean([len(r.candidates) for r in results]))
        early = np.mean([result.stop_reason is StopReason.ACCEPTED for result in results])
        assert outcomes.stopped is None or outcomes.stopped[0, i, k] == pytest.approx(early)
        stopped += early > 0
        cut += any(s.finish is Finish.LENGTH for result in results for s in result.candidates)
    assert (stopped and cut) or strategy.mode == "offline"


def test_a_group_is_a_mean_over_a_window_and_a_short_trace_is_one():
    np.testing.assert_allclose(groups(np.array([1.0, 2.0, 4.0, 5.0]), 2), [1.5, 3.0, 4.5])
    np.testing.assert_allclose(groups(np.array([1.0, 2.0]), 3), [1.5])


def test_confidence_is_minus_the_mean_of_the_twenty_most_likely():
    top = tuple(Likely(str(i), -float(i)) for i in range(21))  # a server that adds the sampled token
    sample = Sample("0", "p", 0, "e", "", None, None, Finish.STOP, Usage(completion=1), tokens=(Token(0, -20.0, top),))
    assert token_confidences(sample).tolist() == [9.5]
    with pytest.raises(ConfigError, match="most likely"):
        token_confidences(replace(sample, tokens=(Token(0, -1.0),)))


async def test_the_unsure_are_not_heard_and_cut():
    sure, unsure = Trace("1", 6, (), (5.0,) * 6), Trace("2", 6, (), (5.0, 5.0, 3.0, 3.0, 3.0, 3.0))
    strategy = DeepConf(n=3, window=2, every=2, warm=2, keep=0.5, consensus=1)
    result = await live(strategy, [sure, unsure, unsure], range(3))
    assert (result.answer, result.stop_reason) == ("1", StopReason.ACCEPTED)
    assert len(result.candidates) == 2  # the one above the bar holds all the weight
    assert (await live(replace(strategy, keep=1.0), [sure, unsure, unsure], range(3))).answer == "2"  # 3 + 3 against 5
    other = Trace("3", 6, (), (4.5,) * 6)
    cut = await live(replace(strategy, keep=1.0), [sure, other, unsure], range(3))
    assert (cut.answer, [s.usage.completion for s in cut.candidates]) == ("1", [6, 6, 4])


async def test_an_engine_without_the_most_likely_tokens_is_refused_by_name():
    engine = Scripted([Say("1")], caps=Caps(seeds=True, continuation=True, logprobs=1))
    with pytest.raises(EngineError, match="20 most likely tokens"):
        await STRATEGIES.build("deepconf(n=1)")(None, make_run(make_world(engine)))  # type: ignore[arg-type]
