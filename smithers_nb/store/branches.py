"""Branches of an execution: its family, what a fork changed, and what the parent did after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..records import Reuse
from .line import of_line, once
from .reader import Reader

COLUMNS = {
    "name": "TEXT",
    "execution_id": "TEXT",
    "parent_id": "TEXT",
    "forked_at_frame": "INTEGER",
    "changed": "JSON TEXT",
    "status": "TEXT",
    "reason": "TEXT",
    "last_frame": "INTEGER",
    "created_at": "TIME TEXT",
}
"""The columns of a family, with their types as in ``schema.sql``."""

SHARED_VALUES = "shared_values"
"""The kind of the event that names the volatile values which a branch took over from its parent."""

_FAMILY = """
WITH RECURSIVE up (id, parent) AS (
  SELECT execution_id, iif(kind = 'branch', parent_id, NULL) FROM executions WHERE execution_id = ?
  UNION ALL SELECT execution_id, iif(kind = 'branch', parent_id, NULL)
  FROM up JOIN executions ON execution_id = up.parent
), family (id) AS (
  SELECT id FROM up WHERE parent IS NULL
  UNION ALL SELECT execution_id FROM family JOIN executions ON parent_id = family.id AND kind = 'branch'
)
SELECT one.name, one.execution_id, iif(one.kind = 'branch', one.parent_id, NULL), one.forked_at_frame, one.status,
  one.reason, one.created_at, one.code_hash, one.props, one.reuse, parent.code_hash, parent.props
FROM family JOIN executions one ON one.execution_id = family.id
LEFT JOIN executions parent ON parent.execution_id = one.parent_id AND one.kind = 'branch'
ORDER BY one.created_at, one.rowid
"""


def family(reader: Reader, execution_id: str) -> list[tuple[Any, ...]]:  # Any: the values of a table
    """Return the root of an execution's family and all of its branches, oldest first: rows of ``COLUMNS``."""
    found: list[tuple[Any, ...]] = []
    for row in reader.query(_FAMILY, (execution_id,)).rows:
        name, id, parent_id, at, status, reason, created_at, *changes = row
        code, props, reuse, old_code, old_props = changes
        changed: dict[str, object] = {}
        if parent_id is not None:
            changed = {
                "state": _edited(reader, id),
                "code": code if code != old_code else None,
                "props": _differing(props, old_props),
                "models": [name for name, replaced_by in Reuse.of(reuse).models.items() if replaced_by == id],
            }
        told = json.dumps({what: value for what, value in changed.items() if value})
        at_frame = at if parent_id is not None else None
        found.append((name, id, parent_id, at_frame, told, status, reason, reader.last_frame(id), created_at))
    return found


@dataclass(frozen=True, slots=True)
class OtherExecution:
    """An execution of a file that can be compared with a given one."""

    execution_id: str
    name: str
    status: str
    kind: str
    created_at: str
    family: bool
    """True if both come from the same execution."""


def others(reader: Reader, execution_id: str) -> list[OtherExecution]:
    """Return the other executions of the file, newest first, but for those that nodes ran."""
    sql = (
        "SELECT execution_id, name, status, kind, created_at, iif(kind = 'branch', parent_id, NULL) FROM executions"
        " WHERE kind <> 'child' OR execution_id = ? ORDER BY created_at DESC, rowid DESC"
    )
    rows = reader.query(sql, (execution_id,)).rows
    parents = {row[0]: row[5] for row in rows}

    def root(id: str) -> str:
        while parents.get(id) is not None:
            id = parents[id]
        return id

    mine = root(execution_id)
    return [
        OtherExecution(id, name, status, kind, created_at=created_at, family=root(id) == mine)
        for id, name, status, kind, created_at, _ in rows
        if id != execution_id
    ]


def _edited(reader: Reader, execution_id: str) -> list[str]:
    """Return the keys of the state that a fork changed."""
    sql = "SELECT key FROM transitions WHERE execution_id = ? AND \"trigger\" = 'fork' ORDER BY seq"
    return [key for (key,) in reader.query(sql, (execution_id,)).rows]


def _differing(props: str | None, old: str | None) -> list[str]:
    """Return the names of the props that differ; those that could not be stored are not known."""
    if props is None or old is None:
        return []
    now, before = json.loads(props), json.loads(old)
    return sorted(name for name in {*now, *before} if now.get(name) != before.get(name))


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that an execution wrote, as it was written last."""

    path: str
    frame: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a parent did outside of its state after a branch had left it, by what did it."""

    parent: str
    """The name of the parent."""
    frame: int
    tasks: list[str]
    """The nodes whose tasks ran, but for agents."""
    tools: list[tuple[str, int]]
    """The tools that agents called, with the number of calls."""
    kept: dict[str, str]
    """By the name of those tasks and tools that their nodes say not to repeat: ``recorded`` or ``refuse``."""
    handlers: list[str]
    """The handlers that were called, as ``on_finished of notes``."""
    effects: list[str]
    """The nodes whose effects or cleanups ran."""
    files: list[str]
    """The paths that were written."""
    earlier: list[WrittenFile]
    """The files that the line wrote up to the fork: they may be other ones now."""
    shared: list[str]
    """The volatile keys whose values are the parent's own objects."""
    replaced: list[str]
    """The nodes that the branch began with, if its first frame has none of them."""

    @property
    def repeatable(self) -> Iterator[tuple[str, str]]:
        """Yield what the parent did, in words, with the names of what the branch may do again."""
        tools = [(name, count) for name, count in self.tools if name not in self.kept]
        calls = [name if count == 1 else f"{name} ({count} times)" for name, count in tools]
        for did, names in (
            ("ran tasks", [name for name in self.tasks if name not in self.kept]),
            ("called tools", calls),
            ("called handlers", self.handlers),
            ("ran effects", self.effects),
            ("wrote files", self.files),
        ):
            if names:
                yield did, ", ".join(names)


def aftermath(reader: Reader, execution_id: str) -> Aftermath | None:
    """Return what the parent of a branch did after the fork; None for an execution that is no branch."""
    found = reader.execution(execution_id)
    if found.kind != "branch" or found.parent_id is None:
        return None
    parent, frame = reader.execution(found.parent_id), found.forked_at_frame or 0
    values = {"id": parent.execution_id, "frame": frame}

    def names(sql: str) -> list[str]:
        return [name for (name,) in reader.query(sql, values).rows]

    reuse = Reuse.of(found.reuse)

    line = reader.line(execution_id)[:-1]
    where, parameters = of_line(line, "events", until=frame)
    written = reader.query(
        "SELECT payload ->> '$.path', frame, payload ->> '$.sha256', max(id) FROM events"
        f" WHERE {where} AND frame <= :frame AND kind = 'file_written' GROUP BY 1 ORDER BY 1",
        {**parameters, "frame": frame},
    ).rows
    # A task that had not been settled begins again in the branch, whenever it began in the parent.
    unsettled = (
        "FROM tasks WHERE tasks.execution_id = :id AND started_at IS NOT NULL"
        " AND (settled_at_frame IS NULL OR settled_at_frame > :frame)"
    )
    agents = "SELECT node_id FROM nodes WHERE nodes.execution_id = :id AND type = 'claude'"
    return Aftermath(
        parent=parent.name,
        frame=frame,
        tasks=names(f"SELECT DISTINCT node_id {unsettled} AND node_id NOT IN ({agents}) ORDER BY 1"),
        tools=[
            (tool, count)
            for tool, count in reader.query(
                "SELECT tool, count(*) FROM tool_calls WHERE execution_id = :id"
                f" AND task_id IN (SELECT task_id {unsettled})"
                " AND status NOT IN ('waiting', 'denied', 'invalid', 'unknown', 'skipped') GROUP BY tool ORDER BY tool",
                values,
            ).rows
        ],
        handlers=names(
            "SELECT DISTINCT event || ' of ' || node_id FROM handlers WHERE execution_id = :id AND frame > :frame"
            " AND status != 'stale' ORDER BY node_id, event"
        ),
        kept={name: repeat for name, repeat in _kept(reader, parent.execution_id) if not reuse.allows(name)},
        effects=names("SELECT DISTINCT node_id FROM effects WHERE execution_id = :id AND frame > :frame ORDER BY 1"),
        files=names(
            "SELECT DISTINCT payload ->> '$.path' FROM events WHERE execution_id = :id AND kind = 'file_written'"
            f" AND (frame > :frame OR node_id IN (SELECT node_id {unsettled})) ORDER BY 1"
        ),
        earlier=[WrittenFile(path, at, sha256) for path, at, sha256, _ in written],
        shared=_shared(reader, execution_id),
        replaced=_replaced(reader, execution_id, frame),
    )


def _kept(reader: Reader, execution_id: str) -> Iterator[tuple[str, str]]:
    """Yield the tasks and tools of an execution that are not to be repeated, as their nodes said last."""
    rows = reader.query(
        "SELECT node_id, type, props ->> '$.repeat', max(from_frame) FROM nodes WHERE execution_id = ?"
        " AND type IN ('task', 'claude', 'agent') GROUP BY node_id",
        (execution_id,),
    ).rows
    for node_id, kind, repeat, _ in rows:
        if not repeat:
            continue
        if kind == "task":
            yield node_id, repeat
            continue
        sql = "SELECT DISTINCT tool FROM tool_calls JOIN tasks USING (execution_id, task_id) WHERE execution_id = ?"
        for (tool,) in reader.query(f"{sql} AND node_id = ?", (execution_id, node_id)).rows:
            how = next((how for pattern, how in json.loads(repeat).items() if fnmatchcase(tool, pattern)), "run")
            if how != "run":
                yield tool, how


@dataclass(frozen=True, slots=True)
class Taken:
    """What a branch and its children took from the file."""

    answers: int
    """The answers of models."""
    saved_usd: float | None
    """Their cost when they were asked for; None where a price is not known."""
    tools: int
    decisions: int
    """The answers of people."""
    tasks: list[str]
    """The nodes whose tasks took a recorded result."""


def taken(reader: Reader, execution_id: str) -> Taken:
    """Return what a branch took from the file so far."""
    whose = (
        "WITH RECURSIVE own (execution_id) AS (SELECT ? UNION ALL SELECT e.execution_id FROM own o JOIN executions e"
        " ON e.parent_id = o.execution_id AND e.kind = 'child')"
    )
    own = "execution_id IN (SELECT execution_id FROM own)"
    ((answers, unpriced, saved_usd, tools, decisions),) = reader.query(
        f"{whose} SELECT count(*), count(*) - count(saved_usd), total(saved_usd),"
        f" (SELECT count(*) FROM tool_calls WHERE {own} AND reused_id IS NOT NULL),"
        f" (SELECT count(*) FROM approvals WHERE {own} AND reused_from IS NOT NULL AND {once('approvals')})"
        f" FROM model_calls WHERE {own} AND reused_id IS NOT NULL",
        (execution_id,),
    ).rows
    tasks = reader.query(
        f"{whose} SELECT DISTINCT node_id FROM tasks WHERE {own} AND reused_from IS NOT NULL AND {once('tasks')}"
        " ORDER BY 1",
        (execution_id,),
    ).rows
    return Taken(
        answers=answers,
        saved_usd=None if unpriced else saved_usd,
        tools=tools,
        decisions=decisions,
        tasks=[node_id for (node_id,) in tasks],
    )


def _replaced(reader: Reader, execution_id: str, frame: int) -> list[str]:
    """Return the nodes of the frame of a fork, by path; none if the first frame of the branch has one of them."""
    if reader.last_frame(execution_id) <= frame:
        return []
    rows = reader.query(
        "SELECT node_id, EXISTS (SELECT 1 FROM nodes now WHERE now.execution_id = :id AND now.node_id = nodes.node_id"
        " AND now.from_frame <= :first AND (now.to_frame IS NULL OR now.to_frame > :first)) FROM nodes"
        " WHERE execution_id = :id AND from_frame < :first AND type != 'text' ORDER BY path",
        {"id": execution_id, "first": frame + 1},
    ).rows
    if any(stays for _, stays in rows):
        return []
    return [node_id for node_id, _ in rows]


def _shared(reader: Reader, execution_id: str) -> list[str]:
    sql = "SELECT payload FROM events WHERE execution_id = ? AND kind = ?"
    rows = reader.query(sql, (execution_id, SHARED_VALUES)).rows
    return [key for (payload,) in rows for key in json.loads(payload)["keys"]]
