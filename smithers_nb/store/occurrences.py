"""The search for a text in everything that is recorded of an execution, along its line and in its children.

SQLite looks for the text: only rows that hold it, or its beginning, are read.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple

from ..records import Holding, Occurrence
from .line import of_line
from .reader import BELOW, Reader
from .writer import as_json

SHORTEST = 8
"""The shortest text that is looked for inside of others: a shorter one is found everywhere by chance."""
CUT_CHARS = 24
"""The fewest characters of a text's beginning that are taken for it, without a sign of a cut behind them."""
CUT_SIGNS = ("…", "...")
MOST = 500
"""The most rows that are read of one column."""


class Sought(NamedTuple):
    """A value that is looked for."""

    text: str
    """The text itself; of another value its JSON."""
    json: str
    """The value as JSON, as columns have it."""

    @property
    def inside(self) -> bool:
        """True if it is looked for inside of texts, too: a short one would be found everywhere by chance."""
        return len(self.text) >= SHORTEST and self.json.startswith('"')

    @classmethod
    def of(cls, value: object) -> Sought:
        """Return a value, to be looked for."""
        if isinstance(value, str):
            return cls(value, as_json(value))
        return cls(as_json(value), as_json(value))


class _Column(NamedTuple):
    """A column in which a text may be."""

    where: str
    table: str
    column: str
    row: str
    frame: str = "frame"
    """A column with the number of a frame, or with a time."""
    node: str = "node_id"
    key: str = "NULL"
    is_json: bool = True
    condition: str = "true"
    origin: str = "NULL"
    groups: str = ""
    """The columns of which rows with the same values count once, as of the first frame."""


_NODE_OF_TASK = (
    "(SELECT node_id FROM tasks WHERE tasks.execution_id = {table}.execution_id AND tasks.task_id = {table}.task_id)"
)
_OF_CALL, _OF_MODEL = (_NODE_OF_TASK.format(table=table) for table in ("tool_calls", "model_calls"))
_FRAME = "min(from_frame)"
COLUMNS = (
    # The text of a node stands in a node of its own, below it.
    _Column(
        "prompt", "nodes", "text", "node_id", frame=_FRAME, node="parent_id", is_json=False, groups="node_id, text"
    ),
    _Column("prop", "nodes", "props", "node_id", frame=_FRAME, groups="node_id, props"),
    _Column(
        *("write", "transitions", "new", "id"),
        key="key",
        condition="scope = 'state' AND status IN ('applied', 'overridden', 'edited')",
        origin="origin",
    ),
    _Column("result", "tasks", "result", "task_id", frame="coalesce(settled_at_frame, mounted_at_frame)"),
    _Column("argument", "tool_calls", "input", "id", frame="started_at", node=_OF_CALL, key="tool"),
    _Column("output", "tool_calls", "output", "id", frame="started_at", node=_OF_CALL, key="tool"),
    _Column("request", "model_calls", "request", "id", frame="started_at", node=_OF_MODEL, key="model"),
    _Column("answer", "model_calls", "response", "id", frame="started_at", node=_OF_MODEL, key="model"),
    _Column("question", "approvals", "prompt", "approval_id", frame="asked_at", is_json=False),
    _Column("comment", "approvals", "comment", "approval_id", frame="coalesce(answered_at, asked_at)", is_json=False),
    _Column("artifact", "artifacts", "content", "artifact_id", key="coalesce(title, artifact_id)"),
    # Of a file its hash is recorded, not its content: it is found where it holds exactly the text.
    _Column(
        *("file", "events", "payload", "id"),
        key="json_extract(payload, '$.path')",
        condition="kind = 'file_written'",
    ),
    _Column("event", "events", "payload", "id", key="kind", condition="kind != 'file_written'"),
)
"""All columns that hold what people, models and code have said."""


def occurrences(reader: Reader, execution_id: str, sought: Sought) -> list[Occurrence]:
    """Return the places that hold a value, by frame; of one column at most the first 500 rows."""
    search = _Search(reader, execution_id, sought)
    with reader.together():
        found = [one for column in COLUMNS for one in search.of(column)]
    order = {column.where: place for place, column in enumerate(COLUMNS)}
    return sorted(found, key=lambda one: (one.frame, order[one.where]))


class _Search:
    def __init__(self, reader: Reader, execution_id: str, sought: Sought) -> None:
        self._reader = reader
        self._sought = sought
        self._line = reader.line(execution_id)
        below = reader.query(f"{BELOW} SELECT id FROM below WHERE id != :id", {"id": execution_id}).rows
        self._children = json.dumps([id for (id,) in below])
        self._frames: dict[str, tuple[list[str], list[int]]] = {}
        self._names: dict[tuple[str, str], str] = {}

    def of(self, column: _Column) -> Iterator[Occurrence]:
        """Yield the rows of a column that hold the value."""
        text = self._sought.text
        equal, within, start = text, text, text[:SHORTEST]
        if column.is_json:
            # Escaping is done character by character: the beginning of the text is that of its JSON.
            equal, within, start = self._sought.json, as_json(text)[1:-1], as_json(start)[1:-1]
        where, parameters = of_line(self._line, column.table)
        group = f"GROUP BY execution_id, {column.groups}" if column.groups else ""
        name = column.column
        rows = self._reader.query(
            f"SELECT execution_id, {column.row}, {column.frame}, {column.node}, {column.key}, {column.origin},"
            f" {name} = :equal OR ({column.where == 'file'} AND instr({name}, :hash) > 0), instr({name}, :within) > 0,"
            f" substr({name}, instr({name}, :start), :length), {name if column.where == 'prop' else 'NULL'}"
            f" FROM {column.table} WHERE ({where} OR execution_id IN (SELECT value FROM json_each(:children)))"
            f" AND {column.condition} AND {self._holds(column)} {group} ORDER BY {column.frame} LIMIT :most",
            {
                **parameters,
                "equal": equal,
                "within": within,
                "start": start,
                "hash": sha256(text.encode()).hexdigest(),
                "length": len(within) + len(CUT_SIGNS[-1]),
                "children": self._children,
                "most": MOST,
            },
        ).rows
        # The index finds the rows of an execution; the rest is a scan, which instr makes at the speed of memory.
        for owner, row, frame, node, key, origin, *holds, props in rows:
            held = self._held(within, *holds, is_json=column.is_json)
            if held is None:
                continue
            found = Occurrence(
                where=column.where,
                table=column.table,
                row_id=str(row),
                execution_id=owner,
                frame=self._frame(owner, frame),
                node_id=node,
                node=self._name(owner, node),
                key=key,
                holding=held[0],
                characters=held[1],
                origin=origin,
            )
            if props is None:
                yield found
            else:
                yield from _props(found, props, self._sought)

    def _holds(self, column: _Column) -> str:
        """Return the condition for a row to be looked at."""
        if column.where == "file":
            return f"instr({column.column}, :hash) > 0"
        if self._sought.inside:
            return f"instr({column.column}, :start) > 0"
        if column.where == "prop":
            return "EXISTS (SELECT 1 FROM json_each(props) WHERE json_quote(value) = :equal)"
        return f"{column.column} = :equal"

    def _held(
        self, within: str, equal: int, contains: int, piece: str | None, *, is_json: bool
    ) -> tuple[Holding, int] | None:
        if equal or not self._sought.inside:
            return "equal", len(self._sought.text)
        if contains:
            return "contains", len(self._sought.text)
        piece = piece or ""
        length = _common(within, piece)
        characters = length
        if is_json:
            characters = _unescaped(within[:length])
        if characters >= CUT_CHARS or (characters >= SHORTEST and piece[length:].startswith(CUT_SIGNS)):
            return "cut", characters
        return None

    def _frame(self, execution_id: str, at: int | str | None) -> int:
        """Return the frame that a time is in."""
        if at is None or isinstance(at, int):
            return at or 0
        # Once for all hits of an execution: frames have no index by time.
        if execution_id not in self._frames:
            rows = self._reader.query(
                "SELECT created_at, frame FROM frames WHERE execution_id = ? ORDER BY frame", (execution_id,)
            ).rows
            self._frames[execution_id] = [time for time, _ in rows], [frame for _, frame in rows]
        times, frames = self._frames[execution_id]
        place = bisect_right(times, at) - 1
        return frames[place] if place >= 0 else 0

    def _name(self, execution_id: str, node_id: str | None) -> str | None:
        """Return the name of a node: its id, or its type with its key where the id was made from its path."""
        if node_id is None:
            return None
        if (execution_id, node_id) not in self._names:
            rows = self._reader.query(
                "SELECT type, explicit_id, coalesce(key, json_extract(props, '$.name')) FROM nodes"
                " WHERE execution_id = ? AND node_id = ? LIMIT 1",
                (execution_id, node_id),
            ).rows
            name = node_id
            if rows and not rows[0][1]:
                name = rows[0][0] if rows[0][2] is None else f"{rows[0][0]} {rows[0][2]}"
            self._names[execution_id, node_id] = name
        return self._names[execution_id, node_id]


def _common(one: str, other: str) -> int:
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def _unescaped(text: str) -> int:
    """Return the number of characters of JSON text that may end within an escape."""
    # An escape has at most six characters: \\u and four digits.
    for end in range(len(text), max(len(text) - 6, 0), -1):
        try:
            return len(json.loads(f'"{text[:end]}"'))
        except ValueError:
            continue
    return 0


def _props(found: Occurrence, props: str, sought: Sought) -> Iterator[Occurrence]:
    """Yield an occurrence for each prop that holds the value."""
    for name, value in json.loads(props).items():
        if as_json(value) == sought.json:
            yield replace(found, key=name, holding="equal")
        elif sought.inside and _holds(value, sought.text):
            yield replace(found, key=name, holding="contains")
        elif found.holding == "cut" and _holds(value, sought.text[: found.characters]):
            yield replace(found, key=name)


def _holds(value: Any, text: str) -> bool:
    match value:
        case str():
            return text in value
        case list():
            return any(_holds(one, text) for one in value)
        case dict():
            return any(_holds(one, text) for one in value.values())
    return False
