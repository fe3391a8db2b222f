"""Recorded answers that a branch can use again, and calls that it is to repeat: those of its line's family, each once
along a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..identity import child_id
from ..records import (
    REPEAT_REFUSED,
    Answer,
    Question,
    ReusedAnswer,
    TaskCall,
    TaskMade,
    TaskWrite,
    ToolCall,
    ToolMade,
)
from ..values import Stored
from .line import once
from .reader import Reader
from .recorded import stored_as
from .writer import HANDLED_AGAIN

_REQUESTS = (
    "SELECT m.id, coalesce(m.reused_id, m.id), m.execution_id, m.task_id, t.node_id,"
    # The last answer to an agent that failed led to its failure, unless a limit ended it.
    " t.status IN ('failed', 'abandoned') AND coalesce(t.reason, '') NOT LIKE 'limit: %' AND m.id = (SELECT"
    " max(id) FROM model_calls l WHERE l.execution_id = m.execution_id AND l.task_id = m.task_id AND l.agent IS NULL)"
    " FROM model_calls m JOIN tasks t USING (execution_id, task_id) WHERE m.same = ? AND m.status = 'ok'"
    " AND m.response IS NOT NULL"
)
_QUESTIONS = (
    "SELECT execution_id, coalesce(reused_from, execution_id || '/' || approval_id), task_id, choice, comment, args,"
    " result, reused_from IS NOT NULL FROM approvals WHERE node_id = ? AND kind = ? AND prompt = ? AND payload = ?"
    f" AND options = ? AND status = 'answered' AND {once('approvals')} ORDER BY answered_at, rowid"
)
_FAMILY = (
    "WITH RECURSIVE family (execution_id) AS (SELECT :root UNION ALL SELECT e.execution_id FROM family f"
    " JOIN executions e ON e.parent_id = f.execution_id AND e.kind IN ('branch', 'child'))"
)
# A task's id begins with its node's: so the index of the primary key finds the few tasks of one node.
_TASKS = (
    f"{_FAMILY} SELECT execution_id, task_id, coalesce(reused_from, execution_id || '/' || task_id),"
    " reused_from IS NOT NULL, status, reason, args_hash, code_hash, result, result_type FROM family CROSS JOIN tasks"
    " USING (execution_id) WHERE task_id >= :node || '@' AND task_id < :node || 'A' AND node_id = :node"
    f" AND started_at IS NOT NULL AND {once('tasks')} ORDER BY mounted_at_frame, tasks.rowid"
)
_NEVER_MADE = ("waiting", "denied", "invalid", "unknown", "skipped")
_TOOLS = (
    f"{_FAMILY} SELECT execution_id, task_id, coalesce(reused_id, id), reused_id IS NOT NULL, id, task_id, input"
    " FROM family CROSS JOIN tool_calls USING (execution_id) WHERE tool = :tool"
    f" AND status NOT IN {_NEVER_MADE} ORDER BY id"
)
_NAMES = (
    f"{_FAMILY} SELECT node_id FROM family CROSS JOIN nodes USING (execution_id) WHERE type = 'task'"
    " UNION SELECT tool FROM family CROSS JOIN tool_calls USING (execution_id) ORDER BY 1"
)


def repeatable_names(reader: Reader, execution_id: str) -> list[str]:
    """Return the ids of the tasks' nodes of an execution's family, and the names of the tools that it called."""
    root = reader.line(execution_id)[0].execution_id
    return [name for (name,) in reader.query(_NAMES, {"root": root}).rows]


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of an execution in its family."""

    owner: str
    """The execution itself; for a child, the one that is no child and has it."""
    task_id: str | None
    """The task of the owner that runs the child; None for the owner itself, and for a child whose task is gone."""


class Family:
    """The family of a branch, as the branch sees it: its line, all branches of that, and their children."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.execution_id = execution_id
        self._reader = reader
        line = reader.line(execution_id)
        self._root = line[0].execution_id
        self._last = {one.execution_id: one.last for one in line}
        """The last frame of each execution of the line that belongs to it."""
        self._rank = {one.execution_id: rank for rank, one in enumerate(reversed(line))}
        self._places: dict[str, _Place | None] = {}
        self._settled: dict[tuple[str, str], int | None] = {}

    def answers(self, same: str, node_id: str) -> list[int]:
        """Return the ids of the recorded answers to a request that the line has not had yet, the next one first."""
        had: set[int] = set()
        found: list[tuple[int, bool, int, int]] = []
        for id, original, execution_id, task_id, node, failed in self._reader.query(_REQUESTS, (same,)).rows:
            place = self._place(execution_id)
            if place is None:
                continue
            if self._is_on_line(execution_id, task_id):
                had.add(original)
            elif not failed and (original == id or place.owner in self._rank):
                found.append((self._nearness(place), node != node_id, id, original))
        return [original for original in dict.fromkeys(one[-1] for one in sorted(found)) if original not in had]

    def answer(self, id: int) -> ReusedAnswer:
        """Return a recorded answer."""
        return self._reader.recorded_answer(id)

    def tool_call(self, reused_id: int, tool_call_id: str) -> ToolCall | None:
        """Return the recorded call of a tool that an answer asked for, if the model was told its result."""
        # IS, and not =: agent and caller are NULL in the rows of the node's own agent.
        rows = self._reader.query(
            "SELECT c.execution_id, c.task_id, c.id FROM model_calls m JOIN tool_calls c USING (execution_id, task_id,"
            " turn) WHERE m.id = ? AND c.tool_call_id = ? AND c.agent IS m.agent AND c.caller IS m.caller"
            " AND c.status IN ('ok', 'retry', 'failed')"
            " ORDER BY c.id DESC LIMIT 1",
            (reused_id, tool_call_id),
        ).rows
        for execution_id, task_id, id in rows:
            return next(one for one in self._reader.tool_calls(execution_id, task_id) if one.id == id)
        return None

    def decisions(self, question: Question, options: str) -> list[Answer]:
        """Return the answers of people to a question that the line has not had yet, the next one first; ``options`` are
        those of the question, as its column has them.
        """
        asked = (question.node_id, question.kind, question.prompt, question.payload.text, options)
        had: set[str] = set()
        found: dict[str, tuple[int, Answer]] = {}
        for execution_id, original, task_id, *given, copied in self._reader.query(_QUESTIONS, asked).rows:
            place = self._place(execution_id)
            if place is None:
                continue
            if self._is_on_line(execution_id, task_id):
                had.add(original)
            elif not copied or place.owner in self._rank:
                choice, comment, args, result = given
                answer = Answer(choice, comment, args=args, result=result, reused_from=original)
                nearer = found.get(original, (len(self._rank) + 1, answer))
                found[original] = min(nearer, (self._nearness(place), answer), key=lambda one: one[0])
        ordered = sorted(found.values(), key=lambda one: one[0])
        return [answer for _, answer in ordered if answer.reused_from not in had]

    def tasks(self, node_id: str, call: TaskCall) -> list[TaskMade]:
        """Return the tasks of a node with the same arguments that are not of the line, the next one first."""
        rows = self._reader.query(_TASKS, {"root": self._root, "node": node_id}).rows
        found = []
        for execution_id, original, (status, reason, args_hash, code_hash, *result) in self._off_line(rows):
            made = TaskCall(args_hash, code_hash)
            # One that was refused, or handled again, called nothing.
            if reason == REPEAT_REFUSED or (reason or "").startswith(HANDLED_AGAIN) or not call.same_args(made):
                continue
            name = self._reader.execution(execution_id).name
            stored = None if result[0] is None else Stored(*result)
            found.append(TaskMade(original, name, status, call=made, result=stored))
        return found

    def tools(self, tool: str, given: str) -> list[ToolMade]:
        """Return the calls of a tool with the same arguments that are not of the line, the next one first."""
        rows = self._reader.query(_TOOLS, {"root": self._root, "tool": tool}).rows
        args = json.loads(given)
        found = []
        for execution_id, _, (id, task_id, text) in self._off_line(rows):
            if json.loads(text) == args:
                call = next(one for one in self._reader.tool_calls(execution_id, task_id) if one.id == id)
                node_id = call.task_id.rpartition("@")[0]
                found.append(ToolMade(self._reader.execution(execution_id).name, node_id, call))
        return found

    def _off_line(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, Any, list[Any]]]:
        """Yield the rows of calls that the line has not had, the nearest on the line first, each original once."""
        had: set[Any] = set()
        found: list[tuple[int, int, str, Any, list[Any]]] = []
        for number, (execution_id, task_id, original, copied, *more) in enumerate(rows):
            place = self._place(execution_id)
            if place is None:
                continue
            if self._is_on_line(execution_id, task_id):
                had.add(original)
            elif not copied or place.owner in self._rank:
                found.append((self._nearness(place), number, execution_id, original, more))
        for _, _, execution_id, original, more in sorted(found, key=lambda one: one[:2]):
            if original not in had:
                had.add(original)
                yield execution_id, original, more

    def writes(self, task: TaskMade) -> list[TaskWrite]:
        """Return the writes to the state that a task made by itself, in order."""
        execution_id, _, task_id = task.id.partition("/")
        rows = self._reader.query(
            "SELECT key, op, new, frame FROM transitions WHERE execution_id = ? AND origin = 'task' AND origin_id = ?"
            " AND scope = 'state' AND status IN ('applied', 'overridden', 'noop') ORDER BY frame, seq",
            (execution_id, task_id),
        ).rows
        found = []
        for key, op, new, frame in rows:
            value = None if new is None else stored_as(self._reader, execution_id, key, frame=frame, text=new)
            found.append(TaskWrite(key, op, value))
        return found

    def _nearness(self, place: _Place) -> int:
        """Return 0 for the branch itself, 1 for its parent …; more than all of these for what is not on the line."""
        return self._rank.get(place.owner, len(self._rank))

    def _is_on_line(self, execution_id: str, task_id: str) -> bool:
        """Return whether a task belongs to the line: it is the branch's own, or was settled before the line left."""
        place = self._place(execution_id)
        if place is None or place.owner not in self._last:
            return False
        if place.owner == self.execution_id:
            return True
        if execution_id != place.owner:
            if place.task_id is None:
                return False
            task_id = place.task_id
        settled = self._settled_at(place.owner, task_id)
        return settled is not None and settled <= self._last[place.owner]

    def _settled_at(self, execution_id: str, task_id: str) -> int | None:
        name = execution_id, task_id
        if self._settled.get(name) is None:
            rows = self._reader.query(
                "SELECT settled_at_frame FROM tasks WHERE execution_id = ? AND task_id = ?", name
            ).rows
            self._settled[name] = next((frame for (frame,) in rows), None)
        return self._settled[name]

    def _place(self, execution_id: str) -> _Place | None:
        """Return the place of an execution; None if it is not of this family."""
        if execution_id not in self._places:
            self._places[execution_id] = self._found(execution_id)
        return self._places[execution_id]

    def _found(self, execution_id: str) -> _Place | None:
        if execution_id == self._root:
            return _Place(execution_id, None)
        rows = self._reader.query("SELECT kind, parent_id FROM executions WHERE execution_id = ?", (execution_id,)).rows
        if not rows:
            return None
        kind, parent_id = rows[0]
        above = self._place(parent_id) if kind in ("child", "branch") else None
        if above is None:
            return None
        if kind == "branch":
            return _Place(execution_id, None)
        return self._child(above, parent_id, execution_id)

    def _child(self, above: _Place, parent_id: str, execution_id: str) -> _Place:
        if above.owner != parent_id:
            return above
        rows: list[tuple[Any, ...]] = self._reader.query(
            "SELECT task_id FROM tasks WHERE execution_id = ?", (parent_id,)
        ).rows
        task_id = next((id for (id,) in rows if child_id(parent_id, id) == execution_id), None)
        return _Place(parent_id, task_id)
