"""Merging: the executions of a second file are added to this one, with all of their rows, and with their sweeps.

Executions that belong together (branches, replays and children with their origin) are added in one transaction:
rows of one name rows of another by numbers, which are different ones here.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import StoreError
from ..records.frame import OVER
from .connection import now
from .cut import PRIVATE, TABLES, WITHOUT_ROWID, of_now
from .lease import is_dead
from .reader import Reader
from .upkeep import writing

NUMBERED = {"model_calls": ("base_id", "reused_id"), "tool_calls": ("reused_id",), "stream_events": (), "events": ()}
"""Tables whose rows have a number of their file, and the columns with the numbers of other rows."""
_BRANCH_END = "status, reason, seconds, scores, score_error, scorer, ended_at"


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of ``merge``."""

    path: str
    """The file that they came from."""
    executions: tuple[str, ...]
    """Ids of the executions that were added, parents before those that came from them."""
    there: tuple[str, ...]
    """Ids of those that this file had already, with the same rows."""
    skipped: dict[str, str]
    """The reason why an execution was left out, by its id."""

    def __repr__(self) -> str:
        head = f"<Merged {self.path}: {len(self.executions):,} executions added"
        if self.there:
            head += f", {len(self.there):,} were there"
        lines = [head, *(f"  left out: {id}, for {why}" for id, why in self.skipped.items())]
        return "\n".join(lines) + ">"


def merge(reader: Reader, path: str) -> Merged:
    """Add the executions of a second file, ``reader``, to a file; see ``Store.merge``."""
    with of_now(reader) as current, writing(path) as db:
        if os.path.samefile(reader.path, path):
            raise StoreError(f"{path} can't be merged into itself. Name another file.")
        db.execute("ATTACH ? AS source", (current.uri,))
        # All that is refused is refused before anything is changed.
        _refuse_sweeps(db, path, reader.name)
        skipped, families = _open_ones(db), _families(db)
        wanted = [family for family in families if not skipped.keys() & set(family)]
        known = _known(db)
        there = [id for family in wanted for id in family if id in known]
        _refuse_others(db, there, path, reader.name)
        added = []
        for family in wanted:
            if known.issuperset(family):
                continue
            with transaction(db):
                # Another process may have added them meanwhile: that of the same sweep, from the same file.
                known = _known(db)
                new = [id for id in family if id not in known]
                add(db, new, [id for id in family if id in known])
            added += new
        with transaction(db):
            _add_sweeps(db)
    there = [id for family in wanted for id in family if id not in added]
    return Merged(reader.name, tuple(added), tuple(there), skipped)


def add(db: sqlite3.Connection, ids: list[str], there: Iterable[str] = ()) -> None:
    """Add the rows of executions of the attached ``source``, within a transaction; rows of theirs may name rows of
    those that are ``there`` already.
    """
    db.execute("PRAGMA defer_foreign_keys = ON")  # A child may come before its parent.
    db.execute("CREATE TEMP TABLE IF NOT EXISTS numbers (name TEXT, old INTEGER, new INTEGER, PRIMARY KEY (name, old))")
    db.execute("DELETE FROM temp.numbers")
    for table in NUMBERED:
        _number(db, table, ids, there)
    # In this order a row comes after those that it belongs to.
    for table in TABLES:
        _add(db, table, ids)
    new = (json.dumps(ids),)
    uses = "FROM source.blob_uses WHERE execution_id IN (SELECT value FROM json_each(?))"
    db.execute(
        f"INSERT OR IGNORE INTO main.blobs SELECT * FROM source.blobs WHERE hash IN (SELECT hash {uses})",
        new,
    )
    db.execute(f"INSERT OR IGNORE INTO main.blob_uses SELECT * {uses}", new)


def _number(db: sqlite3.Connection, table: str, ids: list[str], there: Iterable[str]) -> None:
    """Note the numbers that rows of a table have in this file."""
    [(offset,)] = db.execute(f"SELECT coalesce(max(id), 0) FROM main.{table}")
    db.execute(
        f"INSERT INTO temp.numbers SELECT '{table}', id, id + ? FROM source.{table}"
        " WHERE execution_id IN (SELECT value FROM json_each(?))",
        (offset, json.dumps(ids)),
    )
    # Rows of an execution that is in both files are the same, in the same order.
    place = "SELECT id, row_number() OVER (ORDER BY id) AS place FROM {0}.{1} WHERE execution_id = ?1"
    old, new = (place.format(schema, table) for schema in ("source", "main"))
    for id in there:
        db.execute(
            f"INSERT INTO temp.numbers SELECT '{table}', s.id, m.id FROM ({old}) s JOIN ({new}) m USING (place)", (id,)
        )


def _add(db: sqlite3.Connection, table: str, ids: list[str]) -> None:
    columns = _columns(db, table)
    taken = {name: f'"{name}"' for name in columns}
    if table == "executions":
        # The process that had it has nothing to do with this file.
        taken |= dict.fromkeys(PRIVATE & taken.keys(), "NULL")
    if table in NUMBERED:
        for name in ("id", *NUMBERED[table]):
            # A row that is not in this file gets a number that no row has.
            there = f"(SELECT new FROM temp.numbers WHERE name = '{table}' AND old = s.{name})"
            taken[name] = f"coalesce({there}, -s.{name})"
    names = ", ".join(f'"{name}"' for name in columns)
    order = "1" if table in WITHOUT_ROWID else "rowid"
    for id in ids:
        db.execute(
            f"INSERT INTO main.{table} ({names}) SELECT {', '.join(taken.values())} FROM source.{table} s"
            f" WHERE execution_id = ? ORDER BY {order}",
            (id,),
        )


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of a table that are not generated."""
    return [row[1] for row in db.execute(f"PRAGMA main.table_xinfo({table})") if row[6] == 0]


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Keep all changes of a block, or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


# ---- what is added, and what is not ----------------------------------------------------------------------------


def _known(db: sqlite3.Connection) -> set[str]:
    sql = "SELECT execution_id FROM source.executions JOIN main.executions USING (execution_id)"
    return {id for (id,) in db.execute(sql)}


def _families(db: sqlite3.Connection) -> list[list[str]]:
    """Return the executions of the source by origin, the oldest families first, parents before others."""
    rows = db.execute("SELECT execution_id, parent_id FROM source.executions ORDER BY created_at, rowid").fetchall()
    parents: dict[str, str | None] = dict(rows)
    found: dict[str, list[str]] = {}
    for id in parents:
        first = id
        while (parent := parents.get(first)) is not None and parent in parents:
            first = parent
        found.setdefault(first, []).append(id)
    return list(found.values())


def _open_ones(db: sqlite3.Connection) -> dict[str, str]:
    """Return the executions that a process has and that are not over, with the reason to leave them out."""
    rows = db.execute(
        "SELECT execution_id, name, status, owner FROM source.executions WHERE owner IS NOT NULL"
        " AND lease_expires_at > ?",
        (now(),),
    )
    return {
        id: f"{name!r} is {status}, and {owner} has it: close it there, or wait for its end"
        for id, name, status, owner in rows
        if status not in OVER and not is_dead(owner)
    }


def _refuse_others(db: sqlite3.Connection, ids: list[str], path: str, source: str) -> None:
    """Refuse executions of which the two files have different rows.

    Raises:
        StoreError: naming them.
    """
    look: Callable[[str, str], list[Counter[tuple[object, ...]]]] = lambda schema, id: [  # noqa: E731
        Counter(db.execute(_compared(db, schema, table), (id,))) for table in TABLES
    ]
    others = []
    for id in ids:
        here, there = look("main", id), look("source", id)
        if different := [table for table, one, other in zip(TABLES, here, there, strict=True) if one != other]:
            others.append(f"{id} ({', '.join(different)})")
    if others:
        raise StoreError(
            f"{source} can't be merged into {path}, and nothing was changed: both have {', '.join(others)}, with "
            "different rows. It was continued in one of the two after a copy, or it is the same branch of a sweep that "
            "ran in each. Keep them in files of their own, or prune one of the two first."
        )


def _compared(db: sqlite3.Connection, schema: str, table: str) -> str:
    columns = {name: f'"{name}"' for name in _columns(db, table) if name not in PRIVATE}
    for name in NUMBERED.get(table, ()):
        columns[name] = f"{name} IS NULL"
    if table in NUMBERED:
        columns["id"] = "row_number() OVER (ORDER BY id)"
    return f"SELECT {', '.join(columns.values())} FROM {schema}.{table} WHERE execution_id = ?"


# ---- sweeps ----------------------------------------------------------------------------------------------------


def _refuse_sweeps(db: sqlite3.Connection, path: str, source: str) -> None:
    """Refuse sweeps that have the name of others.

    Raises:
        StoreError: naming them.
    """
    rows = db.execute(
        "SELECT name FROM source.sweeps s JOIN main.sweeps m USING (name) WHERE s.definition != m.definition"
        " OR s.parent_id IS NOT m.parent_id OR s.frame IS NOT m.frame"
    ).fetchall()
    if rows:
        names = ", ".join(repr(name) for (name,) in rows)
        raise StoreError(
            f"{source} can't be merged into {path}, and nothing was changed: both have a sweep {names}, and they are "
            "of different calls. Keep them in files of their own, or run one again under another name=."
        )


def _add_sweeps(db: sqlite3.Connection) -> None:
    """Add the sweeps, and to those that are here the ends of branches that have none."""
    db.execute("INSERT INTO main.sweeps SELECT * FROM source.sweeps WHERE name NOT IN (SELECT name FROM main.sweeps)")
    db.execute(
        "INSERT INTO main.sweep_branches SELECT * FROM source.sweep_branches s WHERE NOT EXISTS"
        " (SELECT 1 FROM main.sweep_branches m WHERE m.sweep = s.sweep AND m.branch = s.branch)"
    )
    db.execute(
        f"UPDATE main.sweep_branches AS m SET ({_BRANCH_END}) = (SELECT {_BRANCH_END} FROM source.sweep_branches s"
        " WHERE s.sweep = m.sweep AND s.branch = m.branch) WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM"
        " source.sweep_branches s WHERE s.sweep = m.sweep AND s.branch = m.branch AND s.ended_at IS NOT NULL)"
    )
