"""Rate windows: every request to a provider takes a turn first.

Turns are taken from the file, because the limit of a provider holds for a key, and all processes of a file share it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

from ...agents.retry import IN_PLACE_S
from ...agents.runner import RetryLater
from ...store import calls
from ...store.connection import Database
from ...store.owned import OwnedDatabase
from ...threads import after_fork

FIRST = 2
"""Number of requests that may run together at first; it doubles each second."""


class Gate:
    """Limits how many requests run together, first come, first served.

    The limit of a provider is not known at first. A slow start meets it with few refusals, where a hundred requests at
    once would be refused together, and each of them would have to wait.
    """

    def __init__(self) -> None:
        self._since = time()
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        """Wakes the waiting ones when the number of requests grows."""

    @property
    def most(self) -> int:
        # The shift is limited, because a gate lives as long as its process.
        return FIRST << min(10, int(time() - self._since))

    async def enter(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            # The place may have been given just before: then it has to be passed to the next one.
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self._busy -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._busy < self.most:
            place = self._waiting.popleft()
            if not place.done():  # A cancelled one stays in the queue until here.
                place.set_result(None)
                self._busy += 1
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._a_second_later)

    def _a_second_later(self) -> None:
        self._timer = None
        self._let_in()


_gates: dict[tuple[str, str], Gate] = {}
"""The gates of this process, by file and window."""
after_fork(_gates.clear)


@asynccontextmanager
async def turn(database: OwnedDatabase | Database, name: str) -> AsyncIterator[None]:
    """Wait until the provider may be asked. The request is made inside.

    Raises:
        RetryLater: if the window is closed for longer than ``IN_PLACE_S``.
    """
    gate = _gates.setdefault((database.path, name), Gate())
    await gate.enter()
    try:
        await _wait(database, name)
        yield
    finally:
        gate.leave()


async def _wait(database: OwnedDatabase | Database, name: str) -> None:
    while True:
        given = await database.transaction(calls.take_turn, name, time(), IN_PLACE_S)
        if given.closed_until:
            raise RetryLater("rate_limit", given.closed_until, f"{name} is closed: it refused a request")
        if given.at <= time():
            return
        # The turn lies ahead. Meanwhile a refusal may close the window, so it is looked at again after the wait.
        await asyncio.sleep(given.at - time())
        if await database.transaction(calls.turn_holds, name, given):
            return
