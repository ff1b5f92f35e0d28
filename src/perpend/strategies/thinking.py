"""Traces that think side by side, live: grown a step at a time, asked on the way, and cut when a rule says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from perpend.core import Certificate, Finish, Result, Run, Sample, StopReason
from perpend.strategies.depth import DepthRule, S, Seen, Standing


async def think_in_step(
    run: Run, n: int, every: int, cue: str | None, rule: DepthRule[S], certify: Callable[[S], Certificate]
) -> Result:
    """Let traces think side by side, `every` tokens a step, until the rule is content or nothing is left to run.

    Raises ConfigError where the engine cannot continue a text.
    """
    traces = _LiveTraces(run, n, every, cue)
    standing = rule.begin(1, n)
    step = 0
    chosen = None
    while running := traces.running(standing):
        if standing.content[0]:
            return run.result(chosen, StopReason.ACCEPTED, certify(standing))
        step += 1
        whole = await traces.advance(running)
        standing = rule.decide(standing, traces.seen(step, standing))
        chosen = traces.elected(int(standing.leader[0]))
        if chosen is not None:
            run.submit(chosen, confidence=step)
        if not whole:  # the budget has ended
            break
    return run.result(chosen)


class _LiveTraces:
    """Traces as they grow; where one has been asked, it is seen with the answer that it gave."""

    def __init__(self, run: Run, n: int, every: int, cue: str | None) -> None:
        self._run, self._every, self._cue = run, every, cue
        self._traces: list[Sample | None] = [None] * n
        self._answered: list[Sample | None] = [None] * n
        self._codes: dict[str, int] = {}

    def running(self, standing: Standing) -> list[int]:
        """Those that go on."""
        started = range(min(int(standing.started[0]), len(self._traces)))
        return [i for i in started if not standing.cut[0, i] and not self._ended(i)]

    async def advance(self, which: list[int]) -> bool:
        """Let these grow by a step, and ask those that are not at their end; False where the budget has ended."""
        grown = await asyncio.gather(*(self._run.grow(self._every, self._traces[i]) for i in which))
        for i, trace in zip(which, grown, strict=True):
            if trace is not None:
                self._traces[i] = self._answered[i] = trace
        asked = [i for i, trace in zip(which, grown, strict=True) if trace is not None and not self._ended(i)]
        probes = await asyncio.gather(*(self._probe(i, trace) for i in asked if (trace := self._traces[i])))
        return None not in grown and all(probes)

    def seen(self, step: int, standing: Standing) -> Seen:
        """As a rule sees it."""
        which = range(len(self._traces))
        running = self.running(standing)
        return Seen(
            step=step,
            answers=np.array([[self._code(i) for i in which]]),
            ended=np.array([[self._ended(i) for i in which]]),
            running=np.array([[i in running for i in which]]),
        )

    def elected(self, leader: int) -> Sample | None:
        """The first trace with that answer."""
        return next((self._answered[i] for i in range(len(self._traces)) if 0 <= leader == self._code(i)), None)

    def _ended(self, i: int) -> bool:
        trace = self._traces[i]
        if trace is None:
            return False
        return trace.finish is not Finish.LENGTH or trace.usage.completion >= self._run.prompt.max_tokens

    async def _probe(self, i: int, trace: Sample) -> bool:
        probe = await self._run.probe(trace, self._cue)
        if probe is not None:
            self._answered[i] = replace(trace, answer=probe.answer, key=probe.key)
        return probe is not None

    def _code(self, i: int) -> int:
        answered = self._answered[i]
        if answered is None or answered.key is None:
            return -1
        return self._codes.setdefault(answered.key, len(self._codes))
