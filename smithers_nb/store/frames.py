"""The store as DataFrames: the same names and columns as the tables. The only module that imports pandas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..nodes import xml
from .reader import Parameters, Reader

if TYPE_CHECKING:
    import pandas as pd

TABLES = (
    "executions",
    "frames",
    "nodes",
    "state",
    "reads",
    "transitions",
    "handlers",
    "effects",
    "tasks",
    "model_calls",
    "tool_calls",
    "stream_events",
    "loops",
    "approvals",
    "artifacts",
    "events",
    "breakpoints",
)
ORDER = {
    "executions": "created_at",
    "frames": "frame",
    "nodes": "from_frame, path",
    "state": "key, from_frame",
    "reads": "component, key, from_frame",
    "transitions": "frame, seq",
    "handlers": "frame, rowid",
    "effects": "frame, rowid",
    "tasks": "mounted_at_frame, rowid",
    "model_calls": "id",
    "tool_calls": "id",
    "stream_events": "id",
    "loops": "node_id",
    "approvals": "asked_at",
    "artifacts": "created_at, rowid",
    "events": "id",
    "breakpoints": "created_at, rowid",
}


class DataFrames:
    """``ex.df`` and ``store.df``: an attribute per table, read anew each time.

    Each is a DataFrame with the table's columns. Integers are nullable ``Int64``, times ``datetime64[ns, UTC]``,
    JSON columns are decoded; an empty table has the same columns and dtypes.
    """

    def __init__(self, reader: Reader, execution_id: str | None = None) -> None:
        self._reader = reader
        self._execution_id = execution_id

    @property
    def executions(self) -> pd.DataFrame:
        """One row per execution: execution_id, name, status, reason, app, seed, owner, created_at …"""
        return self._table("executions")

    @property
    def frames(self) -> pd.DataFrame:
        """One row per frame: frame, reason, status, mounted, unmounted, updated, moved, handlers, writes, … _ms."""
        return self._table("frames")

    @property
    def nodes(self) -> pd.DataFrame:
        """One row per version of a node: node_id, path, type, props, text, from_frame, to_frame (exclusive) …"""
        return self._table("nodes")

    @property
    def state(self) -> pd.DataFrame:
        """One row per version of a value: key, value, type, from_frame, to_frame (exclusive)."""
        return self._table("state")

    @property
    def reads(self) -> pd.DataFrame:
        """One row per key that a component read: component, key, from_frame, to_frame (exclusive)."""
        return self._table("reads")

    @property
    def transitions(self) -> pd.DataFrame:
        """One row per write that FLUSH resolved: frame, seq, key, op, old, new, status, trigger, origin, node_id …"""
        return self._table("transitions")

    @property
    def handlers(self) -> pd.DataFrame:
        """One row per handler call: frame, node_id, task_id, event, status, writes, ms, error, source."""
        return self._table("handlers")

    @property
    def effects(self) -> pd.DataFrame:
        """One row per effect run or cleanup: frame, node_id, kind, status, deps, writes, ms, error."""
        return self._table("effects")

    @property
    def tasks(self) -> pd.DataFrame:
        """One row per task: task_id, node_id, status, attempt, started_at, ended_at, result, error, cost_usd …"""
        return self._table("tasks")

    @property
    def model_calls(self) -> pd.DataFrame:
        """One row per request to a model: task_id, turn, model, request, response, tokens, cost_usd, ms, error."""
        return self._table("model_calls")

    @property
    def tool_calls(self) -> pd.DataFrame:
        """One row per tool call: task_id, turn, attempt, tool, input, output, status, started_at, ms, error."""
        return self._table("tool_calls")

    @property
    def stream_events(self) -> pd.DataFrame:
        """One row per streamed piece: task_id, turn, kind (token, thinking, tool_start, tool_end), payload …"""
        return self._table("stream_events")

    @property
    def artifacts(self) -> pd.DataFrame:
        """One row per thing to show: artifact_id, kind, title, content, node_id, frame, created_at, updated_at."""
        return self._table("artifacts")

    @property
    def events(self) -> pd.DataFrame:
        """One row per event that is no write and no call: frame, kind, node_id, payload, created_at."""
        return self._table("events")

    @property
    def loops(self) -> pd.DataFrame:
        """One row per loop: node_id, iteration, status (running, done, max_reached, unmounted)."""
        return self._table("loops")

    @property
    def approvals(self) -> pd.DataFrame:
        """One row per question to a person: node_id, prompt, options, status, choice, comment, asked_at …"""
        return self._table("approvals")

    @property
    def breakpoints(self) -> pd.DataFrame:
        """One row per breakpoint: kind, target, event, value, condition, once, enabled, log_only, after, hits."""
        return self._table("breakpoints")

    def state_at(self, frame: int) -> pd.DataFrame:
        """Return what frame ``frame`` read, one row per key: key, value, type, from_frame."""
        import pandas as pd

        rows = self._reader.state(self._one(), frame)
        found = pd.DataFrame(
            [(key, stored.text, stored.type, since) for key, (stored, since) in rows.items()],
            columns=["key", "value", "type", "from_frame"],
            dtype="object",
        )
        return _typed(found, {"key": "TEXT", "value": "JSON TEXT", "type": "TEXT", "from_frame": "INTEGER"})

    def tree_at(self, frame: int) -> pd.DataFrame:
        """Return the plan of a frame, one row per node in document order: depth, type, node_id, path, key, text,
        attributes.

        ``attributes`` holds the attributes as they appear in the XML, as a dict.
        """
        import pandas as pd

        tree, _ = self._reader.tree(self._one(), frame)
        rows = []
        depth: dict[str | None, int] = {None: -1}
        for node in tree.walk():
            depth[node.id] = depth[node.parent_id] + 1
            rows.append(
                (depth[node.id], node.type, node.id, node.path, node.key, node.text, dict(xml.attributes(node)))
            )
        found = pd.DataFrame(rows, columns=["depth", "type", "node_id", "path", "key", "text", "attributes"])
        return found.astype({"depth": "Int64"})

    def __dir__(self) -> list[str]:
        return [*TABLES, "state_at", "tree_at"]

    def __repr__(self) -> str:
        return f"<DataFrames of {self._reader.path}: {', '.join(TABLES)}>"

    def _one(self) -> str:
        if self._execution_id is None:
            raise AttributeError("state_at and tree_at belong to one execution: store.open(name).df, or ex.df")
        return self._execution_id

    def _table(self, name: str) -> pd.DataFrame:
        where = "" if self._execution_id is None else " WHERE execution_id = ?"
        given = () if self._execution_id is None else (self._execution_id,)
        kinds = self._reader.kinds(name)
        columns = ", ".join(f'"{column}"' for column in kinds)
        return frame_of(self._reader, f"SELECT {columns} FROM {name}{where} ORDER BY {ORDER[name]}", given, kinds)


def frame_of(reader: Reader, sql: str, parameters: Parameters, kinds: dict[str, str] | None = None) -> pd.DataFrame:
    """Return the result of a query as a DataFrame; with ``kinds``, with the columns' dtypes."""
    import pandas as pd

    found = reader.query(sql, parameters)
    # Without a dtype pandas would guess one from the values, and another where there are none.
    frame = pd.DataFrame(found.rows, columns=found.columns, dtype=None if kinds is None else "object")
    return frame if kinds is None else _typed(frame, kinds)


def _typed(frame: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    for column, kind in kinds.items():
        values = frame[column]
        if kind == "INTEGER":
            frame[column] = values.astype("Int64")
        elif kind == "REAL":
            frame[column] = values.astype("float64")
        elif kind == "TIME TEXT":
            frame[column] = pd.to_datetime(values, utc=True, format="ISO8601").astype("datetime64[ns, UTC]")
        elif kind == "JSON TEXT":
            frame[column] = pd.Series([_decoded(value) for value in values], index=frame.index, dtype="object")
    return frame


def _decoded(text: str | None) -> Any:  # Any: it is what the user stored
    return None if text is None else json.loads(text)
