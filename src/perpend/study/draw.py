"""Draws the pool: block after block in visit order, several at once, every sample stored before anyone sees it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from perpend.core import Budget, Draw, Listener, Run, Sample, Scope, StopReason, World, pool_key
from perpend.store import Store
from perpend.study.admission import Admission, ProblemHistory
from perpend.study.complete import complete_problems
from perpend.study.meter import Meter
from perpend.study.plan import Block, Plan, PlannedTask

T = TypeVar("T")


class StudyListener(Listener, Protocol):
    """A listener that is also told how a study gets on."""

    def phase(self, text: str) -> None:
        """What happens now."""
        ...

    def planned(self, samples: int, stored: int, problems: int) -> None:
        """How many samples the study draws, how many of them are in the store, and of how many problems."""
        ...

    def block(self, done: int, total: int) -> None:
        """A problem is complete."""
        ...

    def metered(self, meter: Meter) -> None:
        """Where to read what is being spent, from now on."""
        ...


@dataclass
class Drawing:
    """The state of drawing one study's pool.

    Args:
        plan: what to draw.
        store: where it goes.
        scope: the job's budget.
        worlds: one a task, since verifiers are resolved for tasks.
        listener: told about progress.
        history: what each problem has cost in earlier runs, by task and problem.
    """

    plan: Plan
    store: Store
    scope: Scope
    worlds: dict[str, World]
    listener: StudyListener
    history: Mapping[tuple[str, str], ProblemHistory] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._per_problem = Budget.parse(self.plan.spec.per_problem or "")
        self._digests = {task.task.name: self.plan.digest(task) for task in self.plan.tasks}
        self._stored = Counter(self.store.sample_counts())
        self._stopped: StopReason | None = None
        self._done = self._total = 0

    async def run(self) -> StopReason:
        """Draw until all blocks are complete or the budget ends; says which. Raises EngineError, VerifierError."""
        waiting = deque(self._incomplete())
        self._announce(waiting)
        admission = Admission(self.scope, self._per_problem)
        admission.learn(self.history.values())
        flying: set[asyncio.Task[None]] = set()
        try:
            while waiting or flying:
                while waiting and len(flying) < self._at_once(waiting[0].task):
                    lacking = self._lacking(waiting[0])
                    if not admission.may_begin(lacking):
                        break
                    admission.begun(lacking)
                    flying.add(asyncio.create_task(self._block(waiting.popleft(), lacking, admission)))
                if not flying:
                    return self._stopped or admission.shortage(lacking) or StopReason.COMPLETE
                done, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                failures = [error for task in done if (error := task.exception())]  # all are looked at, or asyncio logs
                if failures:
                    raise failures[0]
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
        return self._stopped or StopReason.COMPLETE

    def _incomplete(self) -> list[Block]:
        blocks = list(self.plan.blocks())
        engines = next(iter(self.worlds.values())).engines
        fingerprints = {name: engine.fingerprint for name, engine in engines.items()}
        complete = {
            (task.task.name, problem)
            for task in self.plan.tasks
            for problem in complete_problems(self.plan, task, fingerprints, self.store)
        }
        waiting = [block for block in blocks if block.name not in complete]
        self._done, self._total = len(blocks) - len(waiting), len(blocks)
        return waiting

    async def _block(self, block: Block, lacking: int, admission: Admission) -> None:
        began, before = time.monotonic(), self.history.get(block.name, ProblemHistory())
        scope = Scope(self._per_problem, parent=self.scope, spent=before.spent, elapsed=before.seconds)
        drawn = await self._draw_all(block, scope)
        admission.finished(lacking, scope.spent - before.spent, time.monotonic() - began)
        reason = next((reason for reason in drawn if reason is not StopReason.COMPLETE), StopReason.COMPLETE)
        ended = scope.ended or reason is StopReason.SAMPLES  # by its own cap, or where a recording ends
        if reason is not StopReason.COMPLETE and (self.scope.ended or not ended):  # else it counts with what it had
            self._stopped = reason
            return
        self.store.complete_block(*block.name, self._digests[block.task.task.name], reason.value)
        self._done += 1
        self.listener.block(self._done, self._total)

    async def _draw_all(self, block: Block, scope: Scope) -> list[StopReason]:
        """All draws side by side; under a cap of each problem in turn, so that no order of strategies starves one."""
        wanted = [(engine, draw) for engine, draws in self.plan.draws(block.task).items() for draw in draws]
        if self._per_problem != Budget():
            small_first = sorted(wanted, key=lambda each: (self.plan.size(each[1]), each[0]))
            return [await self._draw(block, engine, draw, scope) for engine, draw in small_first]
        return await _together(self._draw(block, engine, draw, scope) for engine, draw in wanted)

    async def _draw(self, block: Block, engine: str, draw: Draw, scope: Scope) -> StopReason:
        """One draw of one problem on one engine, with all scores."""
        task = block.task
        world = self.worlds[task.task.name]
        run = Run(world, task.task, block.problem, task.prompt(block.problem, draw), scope, engine)
        n = self.plan.size(draw)
        at_once = min(n, self.plan.spec.max_connections)
        try:
            samples = [sample async for sample in run.sample(n, at_once=at_once, together=True)]
        finally:
            await run.close()
        await self._score(task, run, samples)
        return run.stop_reason

    async def _score(self, task: PlannedTask, run: Run, samples: Sequence[Sample]) -> None:
        if samples:
            await _together(run.score(samples, name) for name in task.verifiers)

    def _lacking(self, block: Block) -> int:
        """Samples of a block that are not in the store."""
        engines = self.worlds[block.task.task.name].engines
        return sum(
            max(0, self.plan.size(draw) - self._stored[pool_key(block.source(draw, name, engine.fingerprint))])
            for name, engine in engines.items()
            for draw in self.plan.draws(block.task)[name]
        )

    def _at_once(self, task: PlannedTask) -> int:
        """Blocks in flight: as many as fill the connections, one at least."""
        return max(1, -(-self.plan.spec.max_connections // max(self.plan.block_size(task), 1)))

    def _announce(self, waiting: Sequence[Block]) -> None:
        planned = sum(self.plan.block_size(task) * len(task.problems) for task in self.plan.tasks)
        left = sum(self.plan.block_size(block.task) for block in waiting)
        world = next(iter(self.worlds.values()))
        priced = world.engines.keys() <= world.prices.keys()
        self.listener.metered(Meter.of(self.scope, world.engines.values(), priced=priced))
        self.listener.planned(planned, planned - left, self._total)
        self.listener.block(self._done, self._total)


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All side by side; where one fails the others are ended before its error is raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def task_worlds(plan: Plan, world: World) -> dict[str, World]:
    """The study's world, once a task, with that task's verifiers."""
    return {task.task.name: replace(world, verifiers=task.verifiers) for task in plan.tasks}
