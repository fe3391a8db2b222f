"""Rate windows: whoever wants to ask a provider takes a turn, from the file, so that all processes share them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

from ...agents.retry import IN_PLACE_S
from ...agents.runner import RetryLater
from ...store import calls
from ...store.owned import OwnedDatabase
from ...threads import after_fork

FIRST = 2
"""So many requests may be under way at a provider that we know nothing of; twice as many with each second."""


class Gate:
    """Lets only so many ask at a time, first come first served: what a provider takes is not known at first."""

    def __init__(self) -> None:
        self._since = time()
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        """More may ask with each second."""

    @property
    def most(self) -> int:
        return FIRST << min(10, int(time() - self._since))

    async def enter(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self._busy -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._busy < self.most:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                self._busy += 1
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._a_second_later)

    def _a_second_later(self) -> None:
        self._timer = None
        self._let_in()


_gates: dict[tuple[str, str], Gate] = {}
"""By file and window."""
after_fork(_gates.clear)


@asynccontextmanager
async def turn(database: OwnedDatabase, name: str) -> AsyncIterator[None]:
    """Wait until the provider may be asked; ask it inside.

    Raises:
        RetryLater: if it is closed for longer than is worth waiting here.
    """
    gate = _gates.setdefault((database.path, name), Gate())
    await gate.enter()
    try:
        await _wait(database, name)
        yield
    finally:
        gate.leave()


async def _wait(database: OwnedDatabase, name: str) -> None:
    while True:
        given = await database.transaction(calls.take_turn, name, time(), IN_PLACE_S)
        if given.closed_until:
            raise RetryLater("rate_limit", given.closed_until, f"{name} is closed: it refused a request")
        if given.at <= time():
            return
        await asyncio.sleep(given.at - time())
        if await database.transaction(calls.turn_holds, name, given):
            return
