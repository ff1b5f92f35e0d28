"""Draws the pool: block after block in visit order, several at once, every sample stored before anyone sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from perpend.core import Budget, Draw, Listener, Run, Sample, Scope, StopReason, World
from perpend.store import Store
from perpend.study.admission import Admission
from perpend.study.plan import Block, Plan, PlannedTask


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


@dataclass
class Drawing:
    """The state of drawing one study's pool.

    Args:
        plan: what to draw.
        store: where it goes.
        scope: the job's budget.
        worlds: one a task, since verifiers are resolved for tasks.
        listener: told about progress.
    """

    plan: Plan
    store: Store
    scope: Scope
    worlds: dict[str, World]
    listener: StudyListener

    async def run(self) -> StopReason:
        """Draw until all blocks are complete or the budget ends; says which. Raises EngineError, VerifierError."""
        plans = {task.task.name: self.plan.digest(task) for task in self.plan.tasks}
        complete = {key for digest in set(plans.values()) for key in self.store.complete_blocks(digest)}
        blocks = list(self.plan.blocks())
        waiting = [block for block in blocks if (block.task.task.name, block.problem.id) not in complete]
        self._done, self._total = len(blocks) - len(waiting), len(blocks)
        self._announce(waiting)
        admission = Admission(self.scope)
        flying: set[asyncio.Task[None]] = set()
        try:
            while waiting or flying:
                while waiting and len(flying) < self._at_once(waiting[0].task) and admission.may_begin():
                    admission.begun()
                    flying.add(asyncio.create_task(self._block(waiting.pop(0), admission, plans)))
                if not flying:
                    return admission.shortage() or StopReason.COMPLETE
                done, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
        return StopReason.COMPLETE

    async def _block(self, block: Block, admission: Admission, plans: dict[str, str]) -> None:
        began = time.monotonic()
        scope = Scope(Budget.parse(self.plan.spec.per_problem or ""), parent=self.scope)
        drawn = await asyncio.gather(
            *(
                self._draw(block, engine, draw, scope)
                for engine, draws in self.plan.draws(block.task).items()
                for draw in draws
            )
        )
        admission.finished(scope.spent, time.monotonic() - began)
        reason = next((reason for reason in drawn if reason is not StopReason.COMPLETE), StopReason.COMPLETE)
        if reason is StopReason.COMPLETE or scope.ended:  # what hit its own cap is complete: it counts with what it had
            task = block.task.task.name
            self.store.complete_block(task, block.problem.id, plans[task], reason.value)
            self._done += 1
            self.listener.block(self._done, self._total)

    async def _draw(self, block: Block, engine: str, draw: Draw, scope: Scope) -> StopReason:
        """One draw of one problem on one engine, with all scores."""
        task = block.task
        world = self.worlds[task.task.name]
        run = Run(world, task.task, block.problem, task.prompt(block.problem, draw), scope, engine)
        n = self.plan.size(draw)
        try:
            samples = [sample async for sample in run.sample(n, at_once=n)]
        finally:
            await run.close()
        await self._score(task, run, samples)
        return run.stop_reason

    async def _score(self, task: PlannedTask, run: Run, samples: Sequence[Sample]) -> None:
        if samples:
            await asyncio.gather(*(run.score(samples, name) for name in task.verifiers))

    def _at_once(self, task: PlannedTask) -> int:
        """Blocks in flight: as many as fill the connections, one at least."""
        per_block = sum(self.plan.size(draw) for draws in self.plan.draws(task).values() for draw in draws)
        return max(1, -(-self.plan.spec.max_connections // max(per_block, 1)))

    def _announce(self, waiting: Sequence[Block]) -> None:
        planned = sum(
            self.plan.size(draw) * len(task.problems)
            for task in self.plan.tasks
            for draws in self.plan.draws(task).values()
            for draw in draws
        )
        left = sum(
            self.plan.size(draw)
            for block in waiting
            for draws in self.plan.draws(block.task).values()
            for draw in draws
        )
        self.listener.planned(planned, planned - left, self._total)
        self.listener.block(self._done, self._total)


def task_worlds(plan: Plan, world: World) -> dict[str, World]:
    """The study's world, once a task, with that task's verifiers."""
    return {task.task.name: replace(world, verifiers=task.verifiers) for task in plan.tasks}
