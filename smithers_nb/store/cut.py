"""A database cut out of a file: one execution with its line and its children, masked; nothing else of the file.

Its schema is that of this release. Rows are masked one by one on their way, so that nothing of the rest is ever in the
new file, not even in its free pages.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import StoreError, did_you_mean
from ..identity import child_id
from . import connection
from .masks import HIDDEN, Masks, Redaction, emptied, texts_in
from .prune import PRUNED, forget, refuse_missing
from .reader import Reader
from .requests import Assembled, compact, decoded
from .writer import add_event

Row = dict[str, Any]  # Any: SQLite's values

_PAUSED = "the rest is not in this file: it ends with frame {frame}"

_KEPT = {
    # A value that frame n + 1 reads is the outcome of frame n.
    "frames": "frame <= :frame",
    "nodes": "from_frame <= :frame",
    "reads": "from_frame <= :frame",
    "loops": "from_frame <= :frame",
    "state": "from_frame <= :frame + 1",
    "transitions": "(frame, seq) <= (:frame, :last_write)",
    "handlers": "frame <= :frame",
    "effects": "frame <= :frame",
    "predictions": "frame <= :frame",
    "artifacts": "frame <= :frame",
    "events": "(frame < :frame OR (frame = :frame AND created_at <= :left_at))",
    "tasks": "mounted_at_frame <= :frame",
    "model_calls": "task_id IN (SELECT value FROM json_each(:settled))",
    "tool_calls": "task_id IN (SELECT value FROM json_each(:settled))",
    "stream_events": "task_id IN (SELECT value FROM json_each(:settled))",
    "approvals": "task_id IN (SELECT value FROM json_each(:settled))",
}
"""Rows of an execution that is cut after a frame, by table."""
_ENDS = {"nodes": 0, "reads": 0, "loops": 0, "artifacts": 0, "state": 1}
"""Tables of intervals, with the number of frames by which one may end after the cut; a later end is left open."""
TABLES = (
    "executions", "frames", "nodes", "state", "reads", "transitions", "handlers", "effects", "tasks", "model_calls",
    "tool_calls", "stream_events", "loops", "approvals", "artifacts", "events", "breakpoints", "predictions",
    "exercise_checks",
)  # fmt: skip
"""The tables that have rows of executions, parents before their children."""
WITHOUT_ROWID = frozenset({"frames", "nodes", "reads", "loops"})
"""Tables whose rows have no order in which they were written."""
PRIVATE = frozenset({"owner", "lease_expires_at", "owned_since", "lease_owner"})
"""Columns about the process that ran it, which no other file needs."""
_NAMES = frozenset(
    {
        *("execution_id", "id", "key", "node_id", "task_id", "approval_id", "artifact_id", "breakpoint_id", "path"),
        *("component", "item", "parent_id", "tool_call_id", "caller", "origin_id", "reused_from"),
    }
)
"""Columns of texts by which rows are found, here and in other tables."""
_REMOVED: dict[str, Any] = {  # Any: SQLite's values
    "executions.result": None,
    "executions.props": None,
    "executions.reason": HIDDEN,
    "nodes.props": "{}",
    "nodes.text": HIDDEN,
    "nodes.source": HIDDEN,
    "handlers.error": HIDDEN,
    "handlers.source": HIDDEN,
    "effects.error": HIDDEN,
    "tasks.error": HIDDEN,
    "tasks.reason": HIDDEN,
    "model_calls.parameters": None,
    "model_calls.error": HIDDEN,
    "tool_calls.error": HIDDEN,
    "approvals.prompt": HIDDEN,
    "approvals.comment": HIDDEN,
    "artifacts.title": HIDDEN,
    "exercise_checks.cell": HIDDEN,
}
"""Columns that can be removed, and what stands in their place."""
_EMPTIED = frozenset(
    {
        *(
            "effects.deps",
            "tool_calls.input",
            "tool_calls.output",
            "stream_events.payload",
            "approvals.payload",
            "approvals.options",
            "approvals.args",
        ),
        *(
            "approvals.result",
            "artifacts.content",
            "events.payload",
            "breakpoints.value",
            "predictions.said",
            "predictions.was",
            "exercise_checks.held",
        ),
    }
)
"""Columns of JSON, of which each text is removed."""
_VALUES = {"state.value": "type", "transitions.old": None, "transitions.new": None, "tasks.result": "result_type"}
"""Columns of stored values, with the column that has the type."""
COLUMNS = frozenset({*_REMOVED, *_EMPTIED, *_VALUES, "model_calls.request", "model_calls.response", "blobs.bytes"})
"""All columns that can be removed."""


@dataclass(frozen=True, slots=True)
class CutPart:
    """An execution that is cut out, whole or up to a frame."""

    execution_id: str
    until: int | None = None
    """The last frame; None for all."""
    last_write: int = sys.maxsize
    left_at: str = "9"
    """The time up to which events of the last frame are in it; "9" is later than each."""


@dataclass(slots=True)
class Cut:
    """A database that was cut out."""

    rows: Counter[str] = field(default_factory=Counter)
    """The number of rows by table."""
    executions: list[str] = field(default_factory=list)
    """The names of the executions: the line, oldest first, then the children."""
    first: int = 0
    last: int = 0
    """The number of its last frame; 0 if there are none."""
    keys: list[str] = field(default_factory=list)
    """The keys of the state."""
    files: list[str] = field(default_factory=list)
    """The files that it wrote: their names are in it, not their contents."""
    masked: int = 0
    redacted: int = 0
    bytes: int = 0
    """The size of the database."""


def redaction_of(reader: Reader, execution_id: str, wanted: Iterable[str | re.Pattern[str]]) -> Redaction:
    """Return things to remove as a redaction: keys of the state, columns as ``model_calls.request``, and patterns.

    Raises:
        ValueError: for a text that is neither a key nor a column, or a pattern that matches the empty text.
    """
    keys: list[str] = []
    columns: list[str] = []
    patterns: list[re.Pattern[str]] = []
    known = _keys(reader)
    for one in wanted:
        if isinstance(one, re.Pattern):
            if one.match(""):
                raise ValueError(
                    f"redact has the pattern {one.pattern!r}, which matches nothing at all, everywhere. Let it match "
                    "at least one character."
                )
            patterns.append(one)
        elif one in COLUMNS:
            columns.append(one)
        elif one in known:
            keys.append(one)
        else:
            near = did_you_mean(one, [*known, *COLUMNS])
            raise ValueError(
                f"redact names {one!r}, which is neither a key of the state nor a column that can be removed.{near} "
                "Nothing was written. A pattern, re.compile(…), removes what it matches from all texts."
            )
    return Redaction(frozenset(keys), frozenset(columns), tuple(patterns), tuple(_texts_of(reader, keys)))


def _keys(reader: Reader) -> list[str]:
    rows = reader.query("SELECT key FROM state UNION SELECT key FROM transitions ORDER BY 1").rows
    return [str(key) for (key,) in rows]


def _texts_of(reader: Reader, keys: Sequence[str]) -> Iterator[str]:
    """Yield the texts that keys have held."""
    rows = reader.query(
        "SELECT value FROM state WHERE key IN (SELECT value FROM json_each(?1))"
        " UNION SELECT new FROM transitions WHERE key IN (SELECT value FROM json_each(?1)) AND new IS NOT NULL",
        (json.dumps(list(keys)),),
    ).rows
    for (text,) in rows:
        yield from texts_in(json.loads(text))


def cut(reader: Reader, execution_id: str, target: str, *, frames: tuple[int, int] | None, redaction: Redaction) -> Cut:
    """Write the database of an execution to ``target``, which must not exist, and return its contents.

    ``frames`` are the first and the last frame; without it, all are.

    Raises:
        StoreError: if one of them is not there.
    """
    with of_now(reader) as current:
        return _cut(current, execution_id, target, frames=frames, redaction=redaction)


@contextmanager
def of_now(reader: Reader) -> Iterator[Reader]:
    """Read a file with this release's schema: one of an older release is copied and brought up to it.

    Raises:
        SchemaVersionError: if a newer release wrote the file.
    """
    with reader.moment() as source:
        version = connection.refuse_newer(source, reader.name)
    if version in (0, connection.migrations()[-1][0]):
        yield reader
        return
    with tempfile.TemporaryDirectory(prefix="smithers-") as folder:
        path = os.path.join(folder, "current.db")
        with reader.moment() as source, closing(connection.bare(path)) as db:
            source.backup(db)
            connection.migrate(db, reader.name)
            # The time of this copy is none of the file's, and would make each export of it another one.
            db.execute(
                "UPDATE schema_migrations SET applied_at = (SELECT max(applied_at) FROM schema_migrations"
                " WHERE version <= ?1) WHERE version > ?1",
                (version,),
            )
        yield Reader(path)


def _cut(
    reader: Reader, execution_id: str, target: str, *, frames: tuple[int, int] | None, redaction: Redaction
) -> Cut:
    first, until = frames or (1, None)
    if frames is not None:
        _refuse_frames(reader, execution_id, frames)
    masks = Masks(redaction)
    with (
        reader.moment() as source,
        closing(connection.bare(target)) as db,
    ):
        db.execute(f"PRAGMA page_size = {connection.PAGE_BYTES}")
        connection.migrate(db, target)
        db.execute("BEGIN IMMEDIATE")
        _keep_ledger(source, db)
        line = _line(source, reader, execution_id, until)
        found = _Cutting(source, db, masks).copied(line, _with_children(source, line, first))
        if first > 1:
            _begin_at(db, line, first)
        db.execute("COMMIT")
        # Frames that were left out are free pages now, with what stood in them.
        db.execute("VACUUM")
        _count(db, execution_id, found)
    found.first = max(found.first, first if found.last else 0)
    found.masked, found.redacted, found.bytes = masks.masked, masks.redacted, os.path.getsize(target)
    return found


def _keep_ledger(source: sqlite3.Connection, db: sqlite3.Connection) -> None:
    """Give a new file the times at which the source was migrated: the same run makes the same file."""
    db.execute("DELETE FROM schema_migrations")
    db.executemany("INSERT INTO schema_migrations VALUES (?, ?, ?)", source.execute("SELECT * FROM schema_migrations"))


# ---- which executions ------------------------------------------------------------------------------------------


def _refuse_frames(reader: Reader, execution_id: str, frames: tuple[int, int]) -> None:
    for frame in frames:
        refuse_missing(reader, execution_id, frame)
    owner = reader.owner(execution_id, frames[1])
    if owner != execution_id:
        raise StoreError(
            f"frames {frames[0]} to {frames[1]} are not of {execution_id} itself: it is a branch, and shares them with "
            f"{reader.execution(owner).name} ({owner}). Export that one, or some of the branch's own frames, too."
        )


def _line(db: sqlite3.Connection, reader: Reader, execution_id: str, until: int | None) -> list[CutPart]:
    """Return the parts of a line, oldest first."""
    last = db.execute("SELECT max(frame) FROM frames WHERE execution_id = ?", (execution_id,)).fetchone()[0] or 0
    if until is not None and until >= last:
        until = None
    return [
        *(
            CutPart(one.execution_id, one.last, one.last_write, one.left_at or "9")
            for one in reader.line(execution_id)[:-1]
        ),
        CutPart(execution_id, until),
    ]


def _with_children(db: sqlite3.Connection, line: Sequence[CutPart], first: int) -> list[CutPart]:
    """Return parts with their children, those of tasks that were settled from a frame on, parents before them."""
    found = list(line)
    for part in found:  # Grows meanwhile: children have children.
        since = first if part in line else 0
        found += [CutPart(id) for id in _children(db, part, since)]
    return found


def _children(db: sqlite3.Connection, part: CutPart, since: int) -> list[str]:
    children = db.execute(
        "SELECT execution_id FROM executions WHERE parent_id = ? AND kind = 'child' ORDER BY created_at, rowid",
        (part.execution_id,),
    ).fetchall()
    tasks = db.execute(
        "SELECT task_id, settled_at_frame FROM tasks WHERE execution_id = ?", (part.execution_id,)
    ).fetchall()
    settled = {child_id(part.execution_id, task): frame for task, frame in tasks}
    until = sys.maxsize if part.until is None else part.until

    def is_there(id: str) -> bool:
        frame = settled.get(id)
        if frame is None:
            return part.until is None
        return since <= int(frame) <= until

    return [id for (id,) in children if is_there(id)]


def _settled(db: sqlite3.Connection, part: CutPart) -> list[str]:
    """Return the tasks that were settled where a part ends."""
    sql = "SELECT task_id FROM tasks WHERE execution_id = ? AND settled_at_frame <= ? ORDER BY rowid"
    return [task for (task,) in db.execute(sql, (part.execution_id, part.until))]


# ---- rows ------------------------------------------------------------------------------------------------------


class _Cutting:
    """Copies the rows of executions from one database to another."""

    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection, masks: Masks) -> None:
        self._source, self._target, self._masks = source, target, masks
        self._requests = Assembled()
        self._tip = ""
        """The execution at the end of the line, whose tasks may be unsettled."""

    def copied(self, line: Sequence[CutPart], parts: Sequence[CutPart]) -> Cut:
        """Copy the rows of parts, those of a line among them; return their number."""
        found = Cut()
        self._tip = line[-1].execution_id
        ids = [part.execution_id for part in parts]
        self._copy_blobs(parts, found)
        for table in TABLES:
            kinds = {row[1]: row[2] for row in self._target.execute(f"PRAGMA table_xinfo({table})") if row[6] == 0}
            for part in parts:
                rows = self._rows(table, part, kinds)
                if table == "executions":
                    rows = (self._execution(row, part, ids) for row in rows)
                if table == "stream_events":
                    rows = self._whole_streams(rows)
                self._insert(table, kinds, (self._clean(table, row, kinds) for row in rows), found)
        return found

    def _insert(self, table: str, kinds: dict[str, str], rows: Iterable[Row], found: Cut) -> None:
        names = ", ".join(f'"{name}"' for name in kinds)
        sql = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(kinds))})"
        for row in rows:
            self._target.execute(sql, [row[name] for name in kinds])
            found.rows[table] += 1
            if table == "executions":
                found.executions.append(row["name"])

    def _rows(self, table: str, part: CutPart, kinds: dict[str, str]) -> Iterator[Row]:
        """Yield the rows of a part in one table, in the order in which they were written."""
        names = ", ".join(f'"{name}"' for name in kinds)
        where, given = "execution_id = :id", self._given(part)
        if part.until is not None and table in _KEPT:
            where += f" AND {_KEPT[table]}"
        order = "1" if table in WITHOUT_ROWID else "rowid"
        for values in self._source.execute(f"SELECT {names} FROM {table} WHERE {where} ORDER BY {order}", given):
            row = dict(zip(kinds, values, strict=True))
            if part.until is None:
                yield row
            elif (ended := self._as_of(table, row, part.until)) is not None:
                yield ended

    def _given(self, part: CutPart) -> dict[str, object]:
        given: dict[str, object] = {"id": part.execution_id}
        if part.until is not None:
            given |= {"frame": part.until, "last_write": part.last_write, "left_at": part.left_at}
            given["settled"] = json.dumps(_settled(self._source, part))
        return given

    def _as_of(self, table: str, row: Row, frame: int) -> Row | None:
        """Return a row as it was after a frame; None for one that is not in the line."""
        if table in _ENDS and row["to_frame"] is not None and row["to_frame"] > frame + _ENDS[table]:
            return row | {"to_frame": None}
        if table != "tasks" or (row["settled_at_frame"] is not None and row["settled_at_frame"] <= frame):
            return row
        if row["execution_id"] != self._tip:
            return None  # In the branch it has begun again.
        again = dict.fromkeys(_OF_RUN) | {"status": "pending", "attempt": 0, "leg": 0, "ledger_offset": 0}
        return row | again

    def _execution(self, row: Row, part: CutPart, ids: Sequence[str]) -> Row:
        row = row | dict.fromkeys(PRIVATE & row.keys())
        if row["parent_id"] not in ids:
            row["parent_id"] = None
        if part.until is not None:
            row |= {"status": "paused", "reason": _PAUSED.format(frame=part.until), "result": None, "result_type": None}
        return row

    # ---- masks -------------------------------------------------------------------------------------------------

    def _clean(self, table: str, row: Row, kinds: dict[str, str]) -> Row:
        """Return a row without what must not leave the file."""
        if table == "model_calls":
            row = self._request(row)
        named = row["key"] if table in ("state", "transitions") else ""
        row = self._removed(table, row, named)
        masks = self._masks
        for name, value in row.items():
            if name in PRIVATE:
                row[name] = None
            elif not isinstance(value, str) or kinds[name] == "TIME TEXT":
                continue
            elif name in _NAMES:
                row[name] = masks.name(value)
            elif table == "executions" and name == "props":
                row[name] = self._props(value)
            elif kinds[name] == "JSON TEXT":
                row[name] = masks.json(value, named)
            else:
                row[name] = masks.text(value)
        return row

    def _props(self, text: str) -> str:
        """Return the props of an execution masked: each has its value beside the name of its type."""
        props = json.loads(text)
        clean = {name: one | {"value": self._masks.behind(name, one["value"])} for name, one in props.items()}
        return text if clean == props else compact(clean)

    def _removed(self, table: str, row: Row, key: str) -> Row:
        """Return a row without the columns, and the values of the keys, that a person asked to have removed."""
        wanted = self._masks.redaction
        row = dict(row)
        for name in list(row):
            column = f"{table}.{name}"
            of_key = key in wanted.keys and column in _VALUES
            if row[name] is None or not (column in wanted.columns or of_key):
                continue
            self._masks.redacted += 1
            if column in _VALUES:
                # Whole, and as a text: a date, say, with its text removed could not be read.
                row[name] = compact(HIDDEN)
                if (kind := _VALUES[column]) is not None:
                    row[kind] = "str"
            elif column in _EMPTIED:
                row[name] = compact(emptied(json.loads(row[name])))
            elif column in _REMOVED:
                row[name] = _REMOVED[column]
        if "executions.result" in wanted.columns and table == "executions":
            row["result_type"] = None
        return row

    def _request(self, row: Row) -> Row:
        """Return a request without the messages, or the answers, that a person asked to have removed.

        What a request adds to the one before it has no meaning then: each is written whole.
        """
        columns = self._masks.redaction.columns
        if not columns & {"model_calls.request", "model_calls.response"}:
            return row
        made = self._requests.read(decoded({name: row[name] for name in _OF_REQUEST}))
        messages, history = made.messages, made.history
        row = row | {"base_id": None, "parameters": compact(made.parameters)}
        self._masks.redacted += 1
        if "model_calls.request" in columns:
            return row | {"request": "[]", "history": None}
        row |= {name: row[name] and compact(_unanswered(json.loads(row[name]))) for name in ("response", "accepted")}
        row |= {"request": compact([*map(_unanswered, messages)]), "partial": None}
        return row | {"history": None if history is None else compact([*map(_unanswered, history)])}

    def _whole_streams(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield streamed pieces, masked as the text that those of a request make together."""
        streams: dict[tuple[Any, ...], list[Row]] = {}
        found = list(rows)
        for row in found:
            if isinstance(json.loads(row["payload"]), str):
                stream = tuple(row[name] for name in ("task_id", "turn", "attempt", "kind"))
                streams.setdefault(stream, []).append(row)
        for pieces in streams.values():
            texts = [json.loads(row["payload"]) for row in pieces]
            for row, was, text in zip(pieces, texts, self._masks.pieces(texts), strict=True):
                if text != was:
                    row["payload"] = compact(text)
        yield from found

    def _copy_blobs(self, parts: Sequence[CutPart], found: Cut) -> None:
        """Copy the bytes that the messages of parts name: first, because a masked one has a different hash."""
        for part in parts:
            for hash in dict.fromkeys(self._blobs_of(part)):
                row = self._source.execute("SELECT bytes, created_at FROM blobs WHERE hash = ?", (hash,)).fetchone()
                if row is None:
                    continue
                data = b"" if "blobs.bytes" in self._masks.redaction.columns else row[0]
                new, data = self._masks.blob(hash, data)
                count = self._target.execute(
                    "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)", (new, data, row[1])
                ).rowcount
                found.rows["blobs"] += count
                use = (self._masks.name(part.execution_id), new)
                self._target.execute("INSERT OR IGNORE INTO blob_uses VALUES (?, ?)", use)

    def _blobs_of(self, part: CutPart) -> Iterator[str]:
        if part.until is None:
            sql = "SELECT hash FROM blob_uses WHERE execution_id = ? ORDER BY hash"
            yield from (hash for (hash,) in self._source.execute(sql, (part.execution_id,)))
            return
        for row in self._rows("model_calls", part, dict.fromkeys(("request", "history", "response"), "")):
            yield from _named_blobs(row.values())


_OF_REQUEST = ("id", "base_id", "request", "history", "parameters", "response")
_OF_RUN = (
    "reason", "next_retry_at", "started_at", "ended_at", "settled_at_frame", "result", "result_type", "error",
    "input_tokens", "output_tokens", "requests", "cost_usd", "args_hash", "code_hash", "reused_from",
    "worker",
)  # fmt: skip
"""Columns of a task that its run fills in."""


def _unanswered(message: Any) -> Any:  # Any: JSON
    """Return a message without its words, if it is an answer of a model."""
    if message.get("kind") != "response":
        return message
    return message | {"parts": [{"content": HIDDEN, "part_kind": "text"}]}


# ---- after the copy --------------------------------------------------------------------------------------------


def _begin_at(db: sqlite3.Connection, line: Sequence[CutPart], first: int) -> None:
    """Remove the history before a frame, as ``prune`` does, and the bytes that only its messages named."""
    for part in line:
        if part.until is not None and part.until < first and part is not line[-1]:
            _leave_out(db, part.execution_id, part.until)
            continue
        forget(db, part.execution_id, first)
        # The write that made a value which the first frame read stays; the value before it belongs to no frame.
        sql = "UPDATE transitions SET old = NULL WHERE execution_id = ? AND frame < ?"
        db.execute(sql, (part.execution_id, first))
    named: set[str] = set()
    for texts in db.execute("SELECT request, history, response FROM model_calls"):
        named.update(_named_blobs(texts))
    for table in ("blob_uses", "blobs"):
        sql = f"DELETE FROM {table} WHERE hash NOT IN (SELECT value FROM json_each(?))"
        db.execute(sql, (json.dumps(sorted(named)),))


def _leave_out(db: sqlite3.Connection, execution_id: str, last: int) -> None:
    """Remove all of an ancestor but its row, which the branch names, and the event that says so."""
    for table in TABLES[:0:-1]:
        db.execute(f"DELETE FROM {table} WHERE execution_id = ?", (execution_id,))
    add_event(
        db, execution_id, frame=last, kind=PRUNED, node_id=None, payload=compact({"oldest": last + 1, "rows": {}})
    )


def _named_blobs(texts: Iterable[str | None]) -> Iterator[str]:
    """Yield the hashes of the bytes that messages name."""
    for text in filter(None, texts):
        yield from (named[1] for named in re.finditer(r'"blob(?:64)?:([0-9a-f]{64})"', text))


def _count(db: sqlite3.Connection, execution_id: str, found: Cut) -> None:
    """Count the rows of the database, and list its keys and files."""
    for table in (*TABLES, "blobs"):
        found.rows[table] = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    found.first, found.last = db.execute(
        "SELECT coalesce(min(frame), 0), coalesce(max(frame), 0) FROM frames JOIN executions USING (execution_id)"
        " WHERE kind <> 'child' OR execution_id = ?",
        (execution_id,),
    ).fetchone()
    found.keys = [key for (key,) in db.execute("SELECT DISTINCT key FROM state ORDER BY 1")]
    written = "SELECT DISTINCT payload ->> '$.path' FROM events WHERE kind = 'file_written' ORDER BY 1"
    found.files = [path for (path,) in db.execute(written)]
