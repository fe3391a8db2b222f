"""``export``: an execution as lines of JSON, for other programs."""

from __future__ import annotations

import heapq
import json
import os
import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import UnknownExecutionError
from ..records import Stretch
from .line import of_line
from .reader import Reader
from .requests import Assembled
from .whole_file import written_whole

FORMAT = 1
"""The version of the format, in the first line."""

_OF_TASK = "(SELECT mounted_at_frame FROM tasks t WHERE t.execution_id = {0}.execution_id AND t.task_id = {0}.task_id)"
_TABLES = (
    # (table, its frame, its order within a frame): in a frame the tables follow each other as here.
    ("frames", "frame", "frame"),
    ("nodes", "from_frame", "position, node_id"),
    ("reads", "from_frame", "component, key"),
    ("tasks", "mounted_at_frame", "rowid"),
    ("model_calls", _OF_TASK.format("model_calls"), "id"),
    ("tool_calls", _OF_TASK.format("tool_calls"), "id"),
    ("stream_events", _OF_TASK.format("stream_events"), "id"),
    ("approvals", _OF_TASK.format("approvals"), "asked_at, approval_id"),
    ("handlers", "frame", "rowid"),
    ("effects", "frame", "rowid"),
    ("transitions", "frame", "seq"),
    ("state", "from_frame", "key"),
    ("artifacts", "frame", "created_at, artifact_id"),
    ("events", "frame", "id"),
)


def export(reader: Reader, execution_id: str, path: str | os.PathLike[str]) -> Path:
    """Write an execution to a file: one JSON object a line; the first names the format and the execution.

    A branch is written along its line: the first line has the executions that it shares frames with, too.

    Raises:
        ValueError: if the file's name does not end in ``.ndjson``.
        StoreError: if it can't be written.
    """
    target = Path(path)
    if target.suffix != ".ndjson":
        raise ValueError(
            "export writes run.html, a page that is a store, or run.ndjson, lines of JSON: name a file that ends so, "
            f"not {target.name!r}."
        )
    head = {"format": "smithers_nb", "version": FORMAT, "execution": _execution(reader, execution_id)}
    line = reader.line(execution_id)
    if len(line) > 1:
        head["line"] = [
            {"execution": _execution(reader, part.execution_id), "first_frame": part.first, "last_frame": part.last}
            for part in line[:-1]
        ]
    with written_whole(target) as file:
        file.write(_line(head))
        # All tables in one read transaction: an execution that is running may write meanwhile.
        with reader.moment() as db:
            for _, _, row in heapq.merge(*(_rows(db, n, line) for n in range(len(_TABLES)))):
                file.write(_line(row))
            for row in _blobs(db, line):
                file.write(_line(row))
    return target


def _execution(reader: Reader, execution_id: str) -> dict[str, Any]:  # Any: SQLite's values
    """Return the row of an execution, with the names of its columns."""
    found = reader.query("SELECT * FROM executions WHERE execution_id = ?", (execution_id,))
    if not found.rows:
        raise UnknownExecutionError(f"{reader.name} has no execution {execution_id!r}.")
    return dict(zip(found.columns, found.rows[0], strict=True))


def _rows(
    db: sqlite3.Connection, place: int, line: Sequence[Stretch]
) -> Iterator[tuple[int, tuple[int, int], dict[str, Any]]]:
    """Yield (frame, order, row) of one table along a line, a few rows at a time in memory."""
    table, frame, order = _TABLES[place]
    kinds = {row[1]: row[2] for row in db.execute(f"PRAGMA table_info({table})")}
    # Of a branch, each row names the execution whose it is.
    columns = [name for name in kinds if name != "execution_id" or len(line) > 1]
    names = ", ".join(f'{table}."{name}"' for name in columns)
    where, parameters = of_line(line, table)
    found = db.execute(f"SELECT {frame}, {names} FROM {table} WHERE {where} ORDER BY 1, {order}", parameters)
    requests = Assembled()
    for number, (at, *values) in enumerate(found):
        row = dict(zip(columns, values, strict=True))
        for name, value in row.items():
            if kinds[name] == "JSON TEXT" and value is not None:
                row[name] = json.loads(value)
        if table == "model_calls":
            made = requests.read(row)
            row |= {"request": made.messages, "history": made.history, "parameters": made.parameters}
            del row["base_id"]
        yield at or 0, (place, number), {"table": table, **row}


def _blobs(db: sqlite3.Connection, line: Sequence[Stretch]) -> Iterator[dict[str, Any]]:
    """Yield the bytes that messages of a line name by their hash, as base64."""
    found = db.execute(
        "SELECT hash, bytes, created_at FROM blobs WHERE hash IN (SELECT hash FROM blob_uses"
        " WHERE execution_id IN (SELECT value FROM json_each(?))) ORDER BY hash",
        (json.dumps([part.execution_id for part in line]),),
    )
    for hash, data, created_at in found:
        yield {"table": "blobs", "hash": hash, "bytes": b64encode(data).decode(), "created_at": created_at}


def _line(row: dict[str, Any]) -> bytes:
    # In ASCII: some readers take U+2028 for the end of a line.
    return f"{json.dumps(row)}\n".encode()
