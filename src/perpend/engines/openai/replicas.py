"""Several servers of one model: who answers next.

The first sample of a problem goes to the least busy replica, the others follow it, since the prompt is in that one's
cache. One that cannot be reached, or fails several times in a row, rests for a while; then one call tries it again.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from perpend.core import Request
from perpend.engines.openai.leash import Leash
from perpend.engines.openai.limiter import FIRST, Limiter

FAILURES_IN_A_ROW = 6
FIRST_REST, LONGEST_REST = 0.5, 60.0
PROBLEMS_REMEMBERED = 10_000


@dataclass
class Replica:
    """One server.

    Attributes:
        url: of its API.
        limiter: how many calls it gets.
        waiting: calls that wait for their turn; those that were refused or lost before go first.
        failed: calls in a row that were lost.
        rests: in a row.
        rests_until: on the monotonic clock.
    """

    url: str
    limiter: Limiter
    waiting: deque[asyncio.Future[bool]] = field(default_factory=deque)
    failed: int = 0
    rests: int = 0
    rests_until: float = 0.0

    @property
    def busy(self) -> float:
        """Calls here for each that it may have."""
        return (self.limiter.in_flight + len(self.waiting)) / self.limiter.limit

    def resting(self) -> float:
        """Seconds that it still rests."""
        return max(0.0, self.rests_until - time.monotonic()) if self.rests_until else 0.0

    def works(self) -> None:
        """A call came back."""
        self.failed, self.rests, self.rests_until = 0, 0, 0.0

    def fails(self, unreachable: bool) -> None:
        """A call was lost, or there was no connection; those that wait choose again if it rests now."""
        self.failed += 1
        if self.resting() or not (unreachable or self.failed >= FAILURES_IN_A_ROW):
            return
        self.rests_until = time.monotonic() + min(FIRST_REST * 2.0**self.rests, LONGEST_REST)
        self.rests += 1
        self.limiter.restart()
        self._tell(False, len(self.waiting))

    def let_in(self) -> None:
        """Let those enter for whom there is room."""
        self._tell(True, self.limiter.limit - self.limiter.in_flight)

    def _tell(self, enter: bool, count: int) -> None:
        while self.waiting and count > 0:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(enter)
                count -= 1
                self.limiter.in_flight += enter  # the place is taken now, not when the waiter wakes


class Turn:
    """A call's place at a replica, from its turn until it leaves."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.level = replica.limiter.enter()

    def leave(self) -> None:
        """Make room."""
        self.replica.limiter.leave()
        self.replica.let_in()


class Replicas:
    """All servers of the model.

    Args:
        urls: where they are.
        most, first: calls in flight at each, at most and to begin with.
    """

    def __init__(self, urls: Sequence[str], most: int, first: int = FIRST) -> None:
        self._all = [Replica(url, Limiter(most, first)) for url in urls]
        self._homes: OrderedDict[str, Replica] = OrderedDict()

    async def turn(self, request: Request, leash: Leash, again: bool) -> Turn:
        """Wait for a place. A call that goes out again is served first. Raises Cut."""
        while True:
            replica = self._choose(request)
            if pause := replica.resting():
                await leash.sleep(pause)
            elif replica.limiter.free and not replica.waiting:
                return Turn(replica)
            elif await self._queue(replica, leash, again):
                replica.limiter.leave()  # the place that was kept
                return Turn(replica)

    async def _queue(self, replica: Replica, leash: Leash, first: bool) -> bool:
        """Whether its turn has come; otherwise it has to choose again."""
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        (replica.waiting.appendleft if first else replica.waiting.append)(place)
        try:
            return await leash.told(place)
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None and place.result():
                replica.limiter.leave()
                replica.let_in()
            raise
        finally:
            place.cancel()

    def _choose(self, request: Request) -> Replica:
        """Its problem's replica; another where that one rests, or has lost this call."""
        if len(self._all) == 1:
            return self._all[0]
        home = self._homes.get(request.problem_id)
        if home is not None and request.attempt == 0 and not home.resting():
            return home
        others = [r for r in self._all if r is not home or request.attempt % 2 == 0] or self._all
        chosen = min(others, key=lambda r: (r.resting(), r.busy))
        if request.attempt == 0:
            self._remember(request.problem_id, chosen)
        return chosen

    def _remember(self, problem: str, replica: Replica) -> None:
        self._homes[problem] = replica
        self._homes.move_to_end(problem)
        if len(self._homes) > PROBLEMS_REMEMBERED:
            self._homes.popitem(last=False)
