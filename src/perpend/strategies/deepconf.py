"""DeepConf: keep the traces that the model was sure of, and cut the others as soon as it is not."""

# ruff: noqa: ARG002 (the signatures are the protocol's)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from perpend.core import (
    SAMPLED,
    Certificate,
    ConfigError,
    Draw,
    Finish,
    Floats,
    Ints,
    Orders,
    Outcomes,
    Pool,
    PoolField,
    Pools,
    Problem,
    Result,
    Run,
    Sample,
    Spend,
    StopReason,
)
from perpend.strategies.depth import refuse_no_step
from perpend.strategies.fixed import draw, fixed_outcomes, refuse_no_samples
from perpend.strategies.stopping import credit_of, in_order, monte_carlo_error
from perpend.strategies.votes import codes

TOP = 20
"""Of the most likely tokens, whose log-probabilities are averaged."""
WORST = 0.1
"""The share of groups that `bottom` averages."""


@dataclass(frozen=True)
class DeepConf:
    """A vote weighted by confidence, among the traces with the most of it (DeepConf, arXiv 2508.15260).

    A token's confidence is minus the mean log-probability of the 20 most likely tokens in its place; a group's, the
    mean over `window` tokens in a row (a shorter trace is one group); a trace's, by `measure`, its lowest group, the
    mean of its lowest tenth of groups (bottom), or its last group (tail).

    Offline: n traces in full, of which the `keep` most confident vote. Online: `warm` traces in full; the bar is the
    quantile of their lowest groups that leaves `keep` of them above it; then one trace after another, cut where a full
    group falls below the bar, until the leader holds `consensus` of the weight. Traces that were cut and warm-ups below
    the bar do not vote. Chosen here: the kept number is rounded up, a live trace is looked at every `every` tokens and
    cut there, and the next one starts when it has ended; the authors start them all.

    Attributes:
        n: traces at most; the authors go to 512.
        mode: see above.
        keep: the share that votes; the authors take .1 and .9.
        measure: offline; online it is the lowest group.
        warm, consensus, window, every: see above, the last two in tokens.
    """

    name: ClassVar[str] = "deepconf"
    oracle: ClassVar[bool] = False
    draws: ClassVar[tuple[Draw, ...]] = (SAMPLED,)
    needs: ClassVar[frozenset[PoolField]] = frozenset({PoolField.ANSWERS, PoolField.TOKENS, PoolField.CONFIDENCES})
    verifier: ClassVar[None] = None

    n: int = 64
    mode: Literal["online", "offline"] = "online"
    keep: float = 0.1
    measure: Literal["lowest", "bottom", "tail"] = "lowest"
    warm: int = 16
    consensus: float = 0.95
    window: int = 2048
    every: int = 256

    def __post_init__(self) -> None:
        refuse_no_samples(min(self.n, self.warm))
        refuse_no_step(min(self.window, self.every))
        if self.mode not in ("online", "offline") or self.measure not in ("lowest", "bottom", "tail"):
            raise ConfigError(
                f"deepconf has no mode {self.mode!r} with measure {self.measure!r}.",
                "Take mode=online or offline, and measure=lowest, bottom or tail.",
            )
        if not (0 < self.keep <= 1 and 0 < self.consensus <= 1):
            raise ConfigError(f"{self.keep} and {self.consensus} are no shares.", "Give keep and consensus in (0, 1].")

    async def __call__(self, problem: Problem, run: Run) -> Result:
        """Vote among confident traces. Raises EngineError where the engine gives no 20 most likely tokens."""
        prompt = replace(run.prompt, logprobs=TOP)
        if self.mode == "offline":
            traces = await draw(run, self.n, prompt)
            weights = self._kept(np.array([[self._confidence(trace) for trace in traces]]))[0]
            return run.result(_heaviest(traces, weights))
        traces = await draw(run, min(self.n, self.warm), prompt)
        bar = self._bar(np.array([[self._confidence(trace) for trace in traces]]))[0] if traces else 0.0
        sure = [self._confidence(trace) for trace in traces]
        weights = np.where(np.array(sure) >= bar, sure, 0.0)
        while self.warm <= len(traces) < self.n and run.stop_reason is StopReason.COMPLETE:
            if (share := _leading_share(codes(traces), weights)) >= self.consensus:
                return run.result(_heaviest(traces, weights), StopReason.ACCEPTED, self._certificate(share))
            trace, cut = await self._one_more(run, bar)
            if trace is None:
                break
            traces.append(trace)
            weights = np.append(weights, 0.0 if cut else self._confidence(trace))
            if (leader := _heaviest(traces, weights)) is not None:
                run.submit(leader, confidence=len(traces))
        return run.result(_heaviest(traces, weights))

    def offline(self, pools: Pools, orders: Orders) -> Outcomes:
        """The same over every order of a pool whose samples came with the most likely tokens."""
        pool, order = pools.only, orders.of(SAMPLED)
        if self.mode == "online":
            return self._online(pool, order[..., : self.n])
        sure = self._each(pool)
        chosen = [self._elected(pool, sure, order[..., : last + 1]) for last in range(order.shape[2])]
        correct = credit_of(pool, np.stack(chosen))
        return fixed_outcomes(pool, correct.mean(axis=1, dtype=np.float64).T, monte_carlo_error(correct))

    def _elected(self, pool: Pool, sure: Floats, order: Ints) -> Ints:
        """[permutation, problem]: the key that the kept of these traces elect."""
        keys = in_order(np.where(pool.mask, pool.keys, -1), order)
        confidences = in_order(sure, order)
        return _winners(keys, self._kept(confidences.reshape(-1, keys.shape[2])).reshape(keys.shape))

    def _online(self, pool: Pool, order: Ints) -> Outcomes:
        sure, lows = self._each(pool), self._lows(pool)
        keys, confidence = in_order(np.where(pool.mask, pool.keys, -1), order), in_order(sure, order)
        tokens, exists = in_order(np.where(pool.mask, pool.completion_tokens, 0), order), in_order(pool.mask, order)
        seconds, device = in_order(pool.seconds, order), in_order(pool.device_seconds, order)
        width = order.shape[2]
        warm = min(self.warm, width)
        weights = np.zeros(keys.shape)
        given, running = tokens.copy(), exists.copy()
        stopped = np.zeros((width, *order.shape[:2]), bool)
        leader = np.empty((width, *order.shape[:2]), np.int64)
        for last in range(width):
            if last < warm:  # all of them are warm-ups
                so_far = confidence[..., : last + 1]
                bar = self._bar(so_far.reshape(-1, last + 1)).reshape(order.shape[:2])
                weights[..., : last + 1] = np.where(so_far >= bar[..., None], np.nan_to_num(so_far), 0.0)
            else:
                done = _leading_shares(keys[..., :last], weights[..., :last]) >= self.consensus
                stopped[last] = stopped[last - 1] | (done & exists[..., last])
                running[..., last] &= ~stopped[last]
                low = lows[np.arange(len(keys[0])), order[..., last]]
                below = low < bar[..., None]
                step = np.where(below.any(axis=-1), below.argmax(axis=-1) + 1, tokens[..., last])
                given[..., last] = np.minimum(tokens[..., last], step * self.every)
                votes = running[..., last] & ~below.any(axis=-1)
                weights[..., last] = np.where(votes, confidence[..., last], 0.0)
            leader[last] = _winners(keys[..., : last + 1], weights[..., : last + 1])
        whole = given == tokens
        share = given / np.maximum(tokens, 1)
        time = np.where(running, seconds * share, 0.0)
        latency = np.maximum.accumulate(time[..., :warm], axis=-1)
        latency = np.concatenate([latency, latency[..., -1:] + np.cumsum(time[..., warm:], axis=-1)], axis=-1)

        def spent(values: Floats) -> Floats:
            return np.cumsum(np.where(running, values, 0.0).mean(axis=0), axis=-1)[None]

        samples = spent(np.ones(keys.shape))
        prompt = pool.prompt_tokens[None, :, None]
        correct = credit_of(pool, leader)
        spend = Spend(
            prompt=samples * prompt,
            cached=np.maximum(samples - 1, 0) * prompt,
            completion=spent(np.where(whole, given, 0)),
            discarded=spent(np.where(whole, 0, given)),
            verifier=np.zeros(samples.shape),
            device_seconds=spent(device * share),
        )
        return Outcomes(
            correct=correct.mean(axis=1, dtype=np.float64).T[None],
            samples=samples,
            spend={pool.engine: spend},
            latency_seconds=latency.mean(axis=0)[None],
            monte_carlo=monte_carlo_error(correct),
            stopped=stopped.mean(axis=1).T[None],
        )

    async def _one_more(self, run: Run, bar: float) -> tuple[Sample | None, bool]:
        """A trace that grows until it ends or falls below the bar, and whether it did; None where the budget ends."""
        prompt, trace = replace(run.prompt, logprobs=TOP), None
        while True:
            trace = await run.grow(self.every, trace, prompt)
            if trace is None:
                return None, True
            sure = token_confidences(trace)
            if len(sure) >= self.window and groups(sure, self.window).min() < bar:
                return trace, True
            if trace.finish is not Finish.LENGTH or trace.usage.completion >= run.prompt.max_tokens:
                return trace, False

    def _confidence(self, trace: Sample) -> float:
        return self._of(token_confidences(trace))

    def _of(self, sure: Floats) -> float:
        """A trace's confidence from its tokens'; NaN for one that said nothing."""
        if not len(sure):
            return float("nan")
        if self.measure == "tail" and self.mode == "offline":
            return float(sure[-self.window :].mean())
        each = np.sort(groups(sure, self.window))
        if self.measure == "bottom" and self.mode == "offline":
            return float(each[: max(1, round(WORST * len(each)))].mean())
        return float(each[0])

    def _each(self, pool: Pool) -> Floats:
        """[problem, sample]: each trace's confidence, NaN where there is none."""
        assert pool.confidences is not None
        found = np.full(pool.keys.shape, np.nan)
        for problem, row in enumerate(pool.confidences):
            found[problem, : len(row)] = [self._of(np.asarray(sure)) for sure in row]
        return found

    def _lows(self, pool: Pool) -> Floats:
        """[problem, sample, step]: the lowest full group within the first `every` · (step + 1) tokens, ∞ before one."""
        assert pool.confidences is not None
        steps = -(-int(pool.completion_tokens.max(initial=1)) // self.every)
        found = np.full((*pool.keys.shape, steps), np.inf)
        for problem, row in enumerate(pool.confidences):
            for sample, sure in enumerate(row):
                if len(sure) >= self.window:
                    lowest = np.minimum.accumulate(groups(np.asarray(sure), self.window))
                    there = np.minimum((np.arange(steps) + 1) * self.every, len(sure)) - self.window
                    found[problem, sample] = np.where(there >= 0, lowest[np.maximum(there, 0)], np.inf)
        return found

    def _bar(self, confidences: Floats) -> Floats:
        """[row, warm-up] → what `keep` of each row's are at or above; −∞ where there are none."""
        known = ~np.isnan(confidences).all(axis=1)
        bar = np.full(len(confidences), -np.inf)
        bar[known] = np.nanquantile(confidences[known], 1 - self.keep, axis=1)
        return bar

    def _kept(self, confidences: Floats) -> Floats:
        """[row, trace] → the confidences of the `keep` most confident, 0 for the others; the first of equal ones."""
        rank = np.argsort(np.argsort(np.nan_to_num(-confidences, nan=np.inf), axis=1, kind="stable"), axis=1)
        there = (~np.isnan(confidences)).sum(axis=1, keepdims=True)
        return np.where(rank < np.ceil(self.keep * there - ROUNDING), np.nan_to_num(confidences), 0.0)

    def _certificate(self, share: float) -> Certificate:
        return Certificate(
            rule=f"deepconf, {self.consensus:g} of the weight",
            evidence=f"the leader holds {share:.3f} of it",
            confidence=share,
            limits="heuristic: how sure a model is of its words says little of whether they are right",
        )


ROUNDING = 1e-9


def has_likeliest(trace: Sample) -> bool:
    """Whether it came with the most likely tokens in the place of each of its own."""
    tokens = trace.tokens or ()
    return len(tokens) >= trace.usage.completion and all(token.top for token in tokens)


def token_confidences(trace: Sample) -> Floats:
    """How sure the model was of each token. Raises ConfigError where it came without the most likely ones."""
    if not has_likeliest(trace):
        raise ConfigError(
            f"Sample {trace.index} of problem {trace.problem} was stored without its most likely tokens.",
            "Draw into a new folder, with logprobs=20.",
        )
    return np.array([-np.mean([likely.logprob for likely in token.top[:TOP]]) for token in trace.tokens or ()])


def groups(sure: Floats, window: int) -> Floats:
    """The mean confidence of every `window` tokens in a row; of all, where there are fewer."""
    if len(sure) <= window:
        return np.array([sure.mean()])
    total = np.concatenate([[0.0], np.cumsum(sure)])
    return np.asarray((total[window:] - total[:-window]) / window)


def _totals(keys: Ints, weights: Floats) -> Floats:
    """[..., trace]: the whole weight of each trace's answer, 0 where it has none."""
    rows = keys.reshape(-1, keys.shape[-1])
    answers = int(rows.max(initial=-1)) + 2  # the last takes those without one
    cell = np.arange(len(rows))[:, None] * answers + np.where(rows < 0, answers - 1, rows)
    total = np.bincount(cell.ravel(), weights.reshape(-1).astype(np.float64), len(rows) * answers)
    return np.asarray(np.where(rows < 0, 0.0, total[cell]).reshape(keys.shape))


def _winners(keys: Ints, weights: Floats) -> Ints:
    """[...]: the answer with the most weight, the first seen of equal ones; −1 where nothing weighs."""
    total = np.where(weights > 0, _totals(keys, weights), 0.0)
    best = total.argmax(axis=-1)[..., None]
    found = np.take_along_axis(keys, best, axis=-1)[..., 0]
    return np.asarray(np.where(np.take_along_axis(total, best, axis=-1)[..., 0] > 0, found, -1))


def _leading_shares(keys: Ints, weights: Floats) -> Floats:
    """[...]: of the weight of all that have an answer, the leader's share; 0 where nothing weighs."""
    voting = np.where(keys >= 0, weights, 0.0).sum(axis=-1)
    top = np.where(weights > 0, _totals(keys, weights), 0.0).max(axis=-1)
    return np.asarray(np.where(voting > 0, top / np.where(voting > 0, voting, 1.0), 0.0))


def _leading_share(keys: Ints, weights: Floats) -> float:
    return float(_leading_shares(keys[None], weights[None])[0])


def _heaviest(traces: Sequence[Sample], weights: Floats) -> Sample | None:
    """The first that votes of those with the winning answer, None where nothing weighs."""
    if not traces:
        return None
    keys = codes(traces)
    winner = int(_winners(keys[None], np.asarray(weights)[None])[0])
    return None if winner < 0 else traces[int(np.argmax(keys == winner))]
