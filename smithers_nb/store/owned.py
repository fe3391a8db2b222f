"""The writing connection of one execution: nothing is written once another process has taken over."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from . import writer
from .connection import Database
from .lease import Lease

P = ParamSpec("P")
T = TypeVar("T")


class OwnedDatabase:
    """Transactions that begin with a check of the execution's owner.

    A process that was asleep for longer than its lease wakes up without knowing that it is no longer the owner: the
    check and the write are in one transaction, and so it finds out before it changes a row.
    """

    def __init__(self, database: Database, execution_id: str, lease: Lease) -> None:
        self.shared = database
        """The connection, for other executions than this one."""
        self.path = database.path
        self._execution_id = execution_id
        self._lease = lease

    async def transaction(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(connection, …)`` in one transaction, as ``Database.transaction`` does.

        Raises:
            ExecutionOwnedError: if another process has the execution; nothing is written.
        """

        def owned(db: sqlite3.Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
            writer.check_owner(db, self._execution_id, self._lease)
            return work(db, *args, **kwargs)

        # Tests and tracers tell transactions apart by the name of their function.
        owned.__name__ = getattr(work, "__name__", owned.__name__)
        return await self.shared.transaction(owned, *args, **kwargs)

    async def release(self) -> None:
        """Give the execution back, if it is still ours."""
        await self.shared.transaction(writer.release_lease, self._execution_id, self._lease)
