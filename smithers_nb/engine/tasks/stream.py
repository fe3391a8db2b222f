"""Streamed pieces on their way into the store: written in batches and in order, with the newest text in memory.

Agents that stream together give hundreds of pieces a second. A transaction for each would keep the file busy.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from time import time

from ...errors import ExecutionOwnedError, NotStorableError, StoreError
from ...records import Piece
from ...store import calls
from ...store.owned import OwnedDatabase
from ..observe import Observers

logger = logging.getLogger(__name__)

BATCH_S = 0.1
BATCH = 256
"""Pieces are written when the first has waited for ``BATCH_S`` seconds, or when ``BATCH`` of them wait."""
TAIL = 2048
"""Length of an agent's newest text that is kept in memory, in characters."""

# Made once: ``json.dumps`` makes an encoder for each piece, which takes longer than the piece.
_encoded = json.JSONEncoder(ensure_ascii=False, default=str).encode


class Tail:
    """The newest text of an agent: of its turns one after the other, and of each turn its last attempt."""

    def __init__(self) -> None:
        self.text = ""
        self._before = ""
        """The text of the turns before."""
        self._turn = self._attempt = 0

    def add(self, turn: int, attempt: int, payload: object) -> None:
        """Add a piece; one that is no text shows only that an attempt has begun."""
        if turn != self._turn:
            self._before = self.text
        elif attempt != self._attempt:
            # The attempt before was cut off, here or with its worker, and its answer is given from the beginning.
            self.text = self._before
        self._turn, self._attempt = turn, attempt
        if isinstance(payload, str):
            self.text = (self.text + payload)[-TAIL:]


class Stream:
    """The pieces of all agents of an execution."""

    def __init__(self, execution_id: str, database: OwnedDatabase, observers: Observers) -> None:
        self._execution_id = execution_id
        self._database = database
        self._observers = observers
        self._waiting: list[Piece] = []
        self._writing: asyncio.Task[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.tails: dict[str, Tail] = defaultdict(Tail)
        """The newest text of each agent, by task id, until its task is dealt with."""

    def add(self, task_id: str, turn: int, attempt: int, *, kind: str, payload: object) -> None:
        """Keep a piece, a text or an object; on the engine's loop."""
        self._waiting.append((task_id, turn, attempt, kind, _encoded(payload), time()))
        self.tails[task_id].add(turn, attempt, payload)
        if len(self._waiting) >= BATCH:
            self._write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_S, self._timed)

    def tell(self, pieces: list[Piece]) -> None:
        """Show the newest text of pieces that are recorded already."""
        for task_id, turn, attempt, _kind, payload, _at in pieces:
            self.tails[task_id].add(turn, attempt, json.loads(payload))
        self._observers.notify()

    def tail(self, task_id: str) -> str:
        """Return the newest text of an agent; from any thread."""
        found = self.tails.get(task_id)
        return found.text if found is not None else ""

    async def written(self) -> None:
        """Wait until all pieces that have come are in the store, or until the file refuses them."""
        while self._waiting or self._writing:
            self._write()
            # Shielded: a task that is cancelled here must not take away the batch, in which others have pieces, too.
            if self._writing and not await asyncio.shield(self._writing):
                return

    def _timed(self) -> None:
        self._timer = None
        self._observers.notify()
        self._write()

    def _write(self) -> None:
        """Start to write a batch, unless one is being written."""
        # One at a time keeps the order. What comes meanwhile makes a larger batch, so a slow file is asked less often.
        if self._writing is None and self._waiting:
            pieces, self._waiting = self._waiting, []
            self._writing = asyncio.get_running_loop().create_task(self._written(pieces))
            self._writing.add_done_callback(self._next)

    def _next(self, writing: asyncio.Task[bool]) -> None:
        # After a refusal the timer decides: to try again at once would ask a locked file without a pause.
        if len(self._waiting) >= BATCH and not writing.cancelled() and writing.result():
            self._write()

    async def _written(self, pieces: list[Piece]) -> bool:
        """Write pieces; return False if they have to go with the next batch."""
        try:
            await self._database.transaction(calls.add_pieces, self._execution_id, pieces)
            return True
        except (ExecutionOwnedError, NotStorableError) as error:
            # Neither gets better with time: another process writes this execution now, or a piece is no text.
            logger.warning("%d streamed pieces could not be stored: %s", len(pieces), error)
            return True
        except StoreError as error:
            logger.warning("%d streamed pieces could not be stored yet: %s", len(pieces), error)
            self._waiting[:0] = pieces
            return False
        finally:
            self._writing = None
