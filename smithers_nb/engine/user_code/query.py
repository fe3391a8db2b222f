"""``ctx.db``: the store, to be queried."""

from __future__ import annotations

from typing import Any

from ...store.reader import Parameters, Reader, ReadOnlyError
from .host import Host
from .purity import RenderScope
from .scope import Owner, refuse_while_rendering, scope_of
from .sealed import Sealed


class QueryApi(Sealed):
    """``ctx.db``. It reads committed data: a frame is in the file after COMMIT, its writes after FLUSH."""

    __slots__ = ("_ctx", "_host")
    _name = "ctx.db"

    def __init__(self, ctx: Owner, host: Host) -> None:
        self._ctx = ctx
        self._host = host

    def query(self, sql: str, params: Parameters = ()) -> list[dict[str, Any]]:  # Any: SQLite's values
        """Return the rows of a query, each as a dict. The connection is read-only.

        A component that asks is called in every frame: the keys that an answer depends on are not known.

        Raises:
            StoreError: if the SQL is wrong, or writes.
            RenderWriteError: if it writes, while rendering.
        """
        if isinstance(scope := scope_of(self._ctx), RenderScope):
            scope.untracked = True
        # A reader of its own, not the engine's connection: user code may ask from any thread, and can't write.
        try:
            found = Reader(self._host.path).query(sql, params)
        except ReadOnlyError:
            refuse_while_rendering(f"ctx.db was to write ({sql.strip():.60})")
            raise
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
