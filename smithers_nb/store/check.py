"""Checks of a file: the rules that the store keeps, each read back from the rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import StoreDamagedError
from ..identity import loop_of
from .connection import migrations, now
from .lease import is_dead
from .line import of_line
from .prune import oldest_frame
from .reader import Reader

MOST = 5
"""The most problems of one kind that are listed for an execution; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    kind: str
    """integrity, foreign key, schema, frames, intervals, plan, orphan or state."""
    execution_id: str | None
    message: str
    """The problem, and the way to mend it."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of ``check``."""

    path: str
    executions: int
    frames: int
    problems: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True if there are no problems."""
        return not self.problems

    def __repr__(self) -> str:
        outcome = "ok"
        if self.problems:
            outcome = f"{len(self.problems)} problems"
        lines = [f"<Check of {self.path}: {outcome}; {self.executions:,} executions, {self.frames:,} frames"]
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)]) + ">"


def check(reader: Reader) -> Report:
    """Check the whole file; nothing is changed.

    Raises:
        StoreError: if there is no such file, or it can't be opened.
    """
    damaged = list(_damaged(reader))
    if damaged:
        # Answers of a damaged file would only mislead.
        return Report(reader.name, 0, 0, tuple(damaged))
    ids = [id for (id,) in reader.query("SELECT execution_id FROM executions ORDER BY created_at, rowid").rows]
    frames = reader.query("SELECT count(*) FROM frames").rows[0][0]
    found = list(_foreign_keys(reader))
    for id in ids:
        for look in _LOOKS:
            found += _shortened(list(look(reader, id)))
    return Report(reader.name, len(ids), frames, tuple(found))


def _shortened(found: list[Finding]) -> list[Finding]:
    if len(found) <= MOST:
        return found
    last = found[MOST - 1]
    more = Finding(last.kind, last.execution_id, f"… and {len(found) - MOST + 1:,} more of this kind.")
    return [*found[: MOST - 1], more]


def _damaged(reader: Reader) -> Iterator[Finding]:
    recover = (
        "Restore a copy, or save what can be read with the sqlite3 shell: "
        f"sqlite3 {reader.name} .recover | sqlite3 recovered.db"
    )
    try:
        for (line,) in reader.query("PRAGMA integrity_check").rows[:MOST]:
            if line != "ok":
                yield Finding("integrity", None, f"SQLite says: {' '.join(line.split())}. {recover}")
    except StoreDamagedError as error:
        yield Finding("integrity", None, f"{error} {recover}")
        return
    latest = migrations()[-1][0]
    tables = {name for (name,) in reader.query("SELECT name FROM sqlite_master WHERE type = 'table'").rows}
    if "schema_migrations" not in tables:
        yield Finding("schema", None, "the file holds no execution of smithers_nb. Name a file that does.")
        return
    version = reader.query("SELECT max(version) FROM schema_migrations").rows[0][0]
    if version != latest:
        remedy = "upgrade smithers_nb"
        if version < latest:
            remedy = "opening an Execution in it brings it up to date"
        yield Finding("schema", None, f"the file has schema version {version}, this release {latest}; {remedy}.")


def _foreign_keys(reader: Reader) -> Iterator[Finding]:
    broken: dict[tuple[str, str], int] = defaultdict(int)
    for table, _, parent, _ in reader.query("PRAGMA foreign_key_check").rows:
        broken[table, parent] += 1
    for (table, parent), count in broken.items():
        yield Finding(
            "foreign key",
            None,
            f"{count} rows of {table} belong to no row of {parent}: something other than smithers_nb has removed it. "
            f"Restore a copy, or delete those rows of {table}.",
        )


# ---- frames and intervals --------------------------------------------------------------------------------------


def _frames(reader: Reader, id: str) -> Iterator[Finding]:
    """Check that the frames are numbered without a hole."""
    numbers = [n for (n,) in reader.query("SELECT frame FROM frames WHERE execution_id = ? ORDER BY frame", (id,)).rows]
    first = max(reader.execution(id).forked_at_frame or 0, oldest_frame(reader, id) - 1)
    for before, after in pairwise([first, *numbers]):
        if after != before + 1:
            missing = f"frames {before + 1} to {after - 1} are"
            if after == before + 2:
                missing = f"frame {before + 1} is"
            yield Finding(
                "frames",
                id,
                f"{missing} missing in execution {id}: their rows were removed by hand, or by a fault. The other "
                "tables still hold what they read and wrote; restore a copy to have them back.",
            )


_OWNERS = {"nodes": "node_id", "state": "key", "reads": "component || ' ' || key"}


def _intervals(reader: Reader, id: str) -> Iterator[Finding]:
    """Check that the versions of one thing follow one another, and that none reaches beyond the last frame."""
    last = reader.last_frame(id)
    for table, name in _OWNERS.items():
        rows = reader.query(
            f"SELECT {name} AS name, from_frame, to_frame, lead(from_frame) OVER (PARTITION BY {name} ORDER BY"
            f" from_frame) AS following FROM {table} WHERE execution_id = ? ORDER BY name, from_frame",
            (id,),
        ).rows
        # A write of frame n is read from n + 1 on: the newest state belongs to a frame that has not begun.
        latest = last
        if table == "state":
            latest = last + 1
        for who, since, until, following in rows:
            wrong = None
            if until is not None and until < since:
                wrong = f"ends at {until}, before it begins"
            elif following is not None and (until is None or following < until):
                end = f"holds until {until}"
                if until is None:
                    end = "is open"
                wrong = f"{end}, although the next one begins with {following}"
            elif since > latest or (until is not None and until > latest):
                wrong = f"reaches beyond frame {last}, the last one"
            if wrong:
                yield Finding(
                    "intervals",
                    id,
                    f"the version of {who!r} in {table} of execution {id} that begins with frame {since} {wrong}: "
                    "frames read back from there would be wrong. Restore a copy of the file.",
                )


def _plan(reader: Reader, id: str) -> Iterator[Finding]:
    """Check that the counts of each frame match its node versions, and that each plan is one tree."""
    counted = reader.query("SELECT frame, mounted, unmounted FROM frames WHERE execution_id = ?", (id,)).rows
    versions: dict[str, list[tuple[str, str, int, int | None]]] = defaultdict(list)
    for node, kind, path, since, until in reader.query(
        "SELECT node_id, type, path, from_frame, to_frame FROM nodes WHERE execution_id = ? ORDER BY from_frame", (id,)
    ).rows:
        versions[node].append((kind, loop_of(path), since, until))
    mounted: dict[int, int] = defaultdict(int)
    unmounted: dict[int, int] = defaultdict(int)
    for rows in versions.values():
        for before, after in pairwise([None, *rows, None]):
            if before and after and before[3] == after[2] and before[:2] == after[:2]:
                continue
            if after:
                mounted[after[2]] += 1
            if before and before[3] is not None:
                unmounted[before[3]] += 1
    oldest = oldest_frame(reader, id)
    for frame, came, went in counted:
        if (mounted[frame], unmounted[frame]) != (came, went) and (frame > oldest or oldest == 1):
            yield Finding(
                "plan",
                id,
                f"frame {frame} of execution {id} mounted {came} nodes and unmounted {went}, but by the versions in "
                f"nodes it was {mounted[frame]} and {unmounted[frame]}: a version was lost or made up. Restore a copy.",
            )
    lost = reader.query(
        "SELECT node_id, parent_id FROM nodes WHERE execution_id = ?1 AND to_frame IS NULL AND parent_id IS NOT NULL"
        " AND parent_id NOT IN (SELECT node_id FROM nodes WHERE execution_id = ?1 AND to_frame IS NULL)",
        (id,),
    ).rows
    for node, parent in lost:
        yield Finding(
            "plan",
            id,
            f"node {node} of execution {id} is open, but its parent {parent} has ended: it is in no frame. Restore a "
            "copy of the file.",
        )


# ---- orphans ---------------------------------------------------------------------------------------------------


def _orphans(reader: Reader, id: str) -> Iterator[Finding]:
    """Check that everything in progress has a living owner."""
    execution = reader.execution(id)
    owner = execution.owner
    # An expired lease counts as no owner even if its process still lives: any other may claim the execution now.
    if owner is None or (execution.lease_expires_at or "") <= now() or is_dead(owner):
        owner = None
    again = f"Execution.resume(app, store=…, id={id!r}) deals with it"
    values = {"id": id, "owner": owner}
    for sql, message in _ORPHANS:
        for found in reader.query(sql, values).rows:
            yield Finding("orphan", id, f"{message.format(*found)} {again}.")


_ENDED = "(SELECT task_id FROM tasks WHERE execution_id = :id AND ended_at IS NOT NULL)"
_RUNNING = "(SELECT task_id FROM tasks WHERE execution_id = :id AND status = 'running')"
_ORPHANS = (
    (
        "SELECT task_id, coalesce(lease_owner, 'no process') FROM tasks WHERE execution_id = :id AND status = 'running'"
        " AND (:owner IS NULL OR lease_owner IS NOT :owner)",
        "task {} is marked as running, but {}, which has its lease, no longer runs the execution.",
    ),
    (
        "SELECT task_id FROM tasks WHERE execution_id = :id AND ended_at IS NOT NULL"
        " AND status IN ('running', 'blocked')",
        "task {} has ended, but is still marked as running or blocked.",
    ),
    (
        "SELECT count(*), task_id FROM model_calls WHERE execution_id = :id AND response IS NULL AND error IS NULL"
        f" AND (:owner IS NULL OR task_id NOT IN {_RUNNING}) GROUP BY task_id",
        "{} model calls of task {} have neither a response nor an error, and no process waits for them.",
    ),
    (
        "SELECT tool, task_id FROM tool_calls WHERE execution_id = :id AND status = 'running'"
        f" AND (:owner IS NULL OR task_id NOT IN {_RUNNING})",
        "tool {} of task {} was called and has no end: whether it did its work is not known.",
    ),
    (
        f"SELECT approval_id FROM approvals WHERE execution_id = :id AND status = 'waiting' AND task_id IN {_ENDED}",
        "approval {} waits for an answer, but its task has ended.",
    ),
)


# ---- state -----------------------------------------------------------------------------------------------------

Version = tuple[int, int | None, str]
"""First frame, end frame, and value as JSON."""


def _state(reader: Reader, id: str) -> Iterator[Finding]:
    """Check that the applied writes, applied again, give the values that are there."""
    # State and transitions are written by the same transaction: where they disagree, something else has changed one.
    oldest = oldest_frame(reader, id)
    replayed = _replayed(reader, id)
    there: dict[str, list[Version]] = defaultdict(list)
    sql = "SELECT key, from_frame, to_frame, value FROM state WHERE execution_id = ? ORDER BY key, from_frame"
    for key, since, until, value in reader.query(sql, (id,)).rows:
        there[key].append((since, until, value))
    for key in sorted(there.keys() | replayed.keys()):
        expected, found = _merged(replayed.get(key, []), oldest), _merged(there.get(key, []), oldest)
        if expected == found:
            continue
        # Values change only where a version begins or ends: one of these frames is the first that differs.
        edges = sorted({edge for version in (*expected, *found) for edge in version[:2] if edge is not None})
        frame = next(edge for edge in edges if _value_at(expected, edge) != _value_at(found, edge))
        says, is_there = (_shown(_value_at(versions, frame)) for versions in (expected, found))
        yield Finding(
            "state",
            id,
            f"state key {key!r} of execution {id} is {is_there} from frame {frame} on, but its transitions make it "
            f"{says}: one of the two was changed by hand or lost. Restore a copy, or write the key again.",
        )


def _replayed(reader: Reader, id: str) -> dict[str, list[Version]]:
    """Return the versions of each key that its transitions make; in a branch, after those of its fork."""
    # Along the line, and not the parent's values at the fork: the parent may have written to the same frame since, in
    # place of the values that the branch has copied.
    where, given = of_line(reader.line(id), "transitions")
    rows = reader.query(
        f"SELECT execution_id = :id, key, frame, new FROM transitions WHERE {where} AND scope = 'state'"
        " AND status IN ('applied', 'noop', 'overridden', 'edited') ORDER BY 1, frame, seq",
        {**given, "id": id},
    ).rows
    before = {
        key: _merged(versions, 1) for key, versions in _applied({}, (write for own, *write in rows if not own)).items()
    }
    # A fork copies what holds then.
    held = {key: versions[-1:] for key, versions in before.items() if versions and versions[-1][1] is None}
    return _applied(held, (write for own, *write in rows if own))


def _applied(held: Mapping[str, list[Version]], writes: Iterable[list[Any]]) -> dict[str, list[Version]]:
    """Return the versions of each key after writes, each (key, frame, new value as JSON), to those that it has."""
    found: dict[str, list[Version]] = defaultdict(list, held)
    for key, frame, new in writes:
        versions = found[key]
        if versions and versions[-1][1] is None:
            since, _, value = versions.pop()
            versions.append((since, frame + 1, value))
        if new is not None:
            versions.append((frame + 1, None, new))
    return found


def _merged(versions: Iterable[Version], oldest: int) -> list[Version]:
    """Return the versions from a frame on, without empty ones; equal neighbours are one."""
    # Transitions keep what one FLUSH wrote over within the frame, and a write of the same value; state keeps neither.
    merged: list[Version] = []
    for since, until, value in versions:
        since = max(since, oldest)
        if until is not None and until <= since:
            continue
        if merged and merged[-1][1] == since and merged[-1][2] == value:
            since = merged.pop()[0]
        merged.append((since, until, value))
    return merged


def _value_at(versions: list[Version], frame: int) -> str | None:
    return next(
        (value for since, until, value in versions if since <= frame and (until is None or until > frame)), None
    )


def _shown(value: str | None) -> str:
    if value is None:
        return "missing"
    if len(value) <= 60:
        return value
    return f"{value[:59]}…"


_LOOKS: tuple[Callable[[Reader, str], Iterable[Finding]], ...] = (_frames, _intervals, _plan, _orphans, _state)
