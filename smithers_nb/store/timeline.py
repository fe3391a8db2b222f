"""The timeline of an execution: the tables of the store as one sequence of events, in order."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from ..errors import message_of
from ..records import Stretch
from ..records.frame import OVER_OR_STOPPED
from .names import NodeNames
from .reader import Reader

COLUMNS = {
    "execution_id": "TEXT",
    "frame": "INTEGER",
    "phase": "TEXT",
    "at": "TIME TEXT",
    "what": "TEXT",
    "status": "TEXT",
    "node_id": "TEXT",
    "task_id": "TEXT",
    "key": "TEXT",
    "id": "TEXT",
    "cause_id": "TEXT",
    "text": "TEXT",
}
"""The columns of a timeline, with their types as in ``schema.sql``."""

SHOWN = 60
"""The most characters of a value that are shown."""
MESSAGE = 300
"""The most characters of an error's message that are shown."""


class Row(NamedTuple):
    """Something that happened."""

    execution_id: str
    frame: int
    phase: str | None
    at: str | None
    """None where only the order is known."""
    what: str
    status: str | None
    node_id: str | None
    task_id: str | None
    key: str | None
    id: str
    """The id in its own table; ``frame 3`` for a frame."""
    cause_id: str | None
    """The ``id`` of an earlier row: the last one of that id is what caused this."""
    text: str


Position = tuple[int, int]
"""A frame, and a step of it."""


class _Request(NamedTuple):
    """A request to a model, with the names of its columns."""

    id: int
    task_id: str
    turn: int
    attempt: int
    model: str
    status: str
    agent: str | None
    caller: str | None
    input_tokens: int | None
    output_tokens: int | None
    error: str | None
    started_at: str | None
    ms: float | None


class _ToolCall(NamedTuple):
    """A call of a tool, with the names of its columns."""

    id: int
    task_id: str
    attempt: int
    tool_call_id: str
    tool: str
    input: str
    status: str
    error: str | None
    started_at: str | None
    agent: str | None
    caller: str | None


_MODEL_CALLS = "FROM model_calls WHERE execution_id = ? ORDER BY id"
_TOOL_CALLS = "FROM tool_calls WHERE execution_id = ? ORDER BY id"


class Placed(NamedTuple):
    """A row with its sort key."""

    position: Position
    at: str
    row: Row


BEGUN, RECONCILE, EXECUTE, HANDLERS, EFFECTS, RESTING, FLUSH, AFTER = range(8)
"""The steps of a frame. RESTING: between EFFECTS and FLUSH; AFTER: until the next frame."""


def timeline(reader: Reader, execution_id: str | None) -> list[Row]:
    """Return what happened in an execution, along its line, or in all of a file: these in the order of time."""
    if execution_id is not None:
        return [row for part in reader.line(execution_id) for row in _own_rows(reader, part)]
    ids = [id for (id,) in reader.query("SELECT execution_id FROM executions ORDER BY created_at, rowid").rows]
    timed: list[tuple[str, Row]] = []
    for id in ids:
        rows = _own_rows(reader, reader.line(id)[-1])
        # A row without a time of its own stays with the row before it.
        timed += zip(accumulate((row.at or "" for row in rows), max), rows, strict=True)
    return [row for _, row in sorted(timed, key=lambda one: one[0])]


def _own_rows(reader: Reader, part: Stretch) -> list[Row]:
    """Return the rows of one execution that belong to a part of a line; not those of what was copied by a fork."""
    rows = [placed.row for placed in _Story(reader, part.execution_id).placed()]
    at_fork = part.first - 1
    late = _late(reader, part)
    return [
        row
        for row in rows
        if (part.first <= row.frame <= part.last or (row.frame == at_fork and row.what in _OWN)) and row.id not in late
    ]


def _late(reader: Reader, part: Stretch) -> set[str]:
    """Return the ids of the writes that were added to the last frame of a part after the fork."""
    rows = reader.query(
        "SELECT id FROM transitions WHERE execution_id = ? AND frame = ? AND seq > ?",
        (part.execution_id, part.last, part.last_write),
    ).rows
    return {id for (id,) in rows}


_OWN = ("execution", "write", "artifact", "event")
"""What a fork does not copy."""


class _Story:
    """The rows of one execution."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.id = execution_id
        self._reader = reader
        self._execution = reader.execution(execution_id)
        # Read whole, with one query a table: nearly every row names a node, or is placed by the end of a task.
        self._frames = self._all("SELECT frame, reason, status, created_at FROM frames WHERE execution_id = ?")
        self._nodes = self._all(
            "SELECT node_id, type, parent_id, key, props, text, events, from_frame, to_frame, position FROM nodes"
            " WHERE execution_id = ? ORDER BY node_id, from_frame"
        )
        self._tasks = self._all(
            "SELECT task_id, node_id, mounted_at_frame, status, reason, attempt, started_at, ended_at,"
            " settled_at_frame, error, input_tokens + output_tokens, cost_usd FROM tasks WHERE execution_id = ?"
            " ORDER BY mounted_at_frame, rowid"
        )
        self._task_rows_by_id = {row[0]: row for row in self._tasks}
        self._names = NodeNames(reader, execution_id)
        self._parents = {row[0]: (row[2], row[9]) for row in self._nodes}
        self._read = {key for (key,) in self._all("SELECT DISTINCT key FROM reads WHERE execution_id = ?")}
        self._requests = [_Request(*row) for row in self._all(f"SELECT {', '.join(_Request._fields)} {_MODEL_CALLS}")]
        self._tool_calls = [
            _ToolCall(*row) for row in self._all(f"SELECT {', '.join(_ToolCall._fields)} {_TOOL_CALLS}")
        ]
        self._causes: dict[str, str] = {}
        """The id of the row that made a call, by the id of its own."""
        self._last_calls: dict[str, str] = {}
        """The last call of the agent of a task."""
        self._waited_s: dict[int, float] = {}
        """The seconds between an attempt and the one before it, by the id of the request."""
        self._follow_calls()
        self._numbers: list[int] = [row[0] for row in self._frames]
        # The clock may have been put back; the frames' order is what holds.
        self._began = list(accumulate((row[3] for row in self._frames), max))
        self._before_flush = self._ended_at_rest()

    def placed(self) -> list[Placed]:
        """Return all rows in order."""
        # Sorting keeps the order of equal rows: within a step, that of the tables.
        nodes = sorted(self._node_rows(), key=lambda one: (_CHANGES.index(one.row.what), self._order(one.row.node_id)))
        placed = [*self._first(), *self._frame_rows(), *nodes, *self._task_rows(), *self._call_rows()]
        placed += [*self._handler_rows(), *self._effect_rows(), *self._write_rows(), *self._other_rows()]
        return [*sorted(placed, key=lambda one: one[:2]), *self._last()]

    def _all(self, sql: str) -> list[tuple[Any, ...]]:  # Any: SQLite's values
        return self._reader.query(sql, (self.id,)).rows

    def _row(
        self,
        position: Position,
        what: str,
        id: str,
        text: str,
        *,
        phase: str | None = None,
        at: str | None = None,
        status: str | None = None,
        node: str | None = None,
        task: str | None = None,
        key: str | None = None,
        cause: str | None = None,
        sorted_at: str = "",
    ) -> Placed:
        row = Row(
            execution_id=self.id,
            frame=position[0],
            phase=phase,
            at=at,
            what=what,
            status=status,
            node_id=node,
            task_id=task,
            key=key,
            id=id,
            cause_id=cause,
            text=text,
        )
        return Placed(position, at or sorted_at, row)

    def _name(self, node_id: str | None, frame: int) -> str:
        """Return the name of a node for people as it was in a frame: ``claude #notes``."""
        return self._names.of(node_id, frame)

    def _order(self, node_id: str | None) -> tuple[int, ...]:
        """Return a sort key for document order, by the last positions of the nodes."""
        places: list[int] = []
        while node_id in self._parents:
            node_id, place = self._parents[node_id]
            places.append(place)
        return tuple(reversed(places))

    # ---- the positions of rows with a time -----------------------------------------------------------------------

    def _frame_at(self, at: str) -> int:
        """Return the last frame that began before a time; 0 if there is none."""
        begun = bisect_right(self._began, at)
        if begun == 0:
            return 0
        return self._numbers[begun - 1]

    def _ended_at_rest(self) -> dict[int, str]:
        """Return by frame the latest end of a task before the frame's FLUSH."""
        # The file has no time of a FLUSH. But the next frame names its causes in the order in which they came: a task
        # that is named before the first write of the FLUSH had ended by then.
        found: dict[int, str] = {}
        ends = {(node, status): ended for _, node, _, status, _, _, _, ended, *_ in self._tasks if ended}
        for (frame, *_), (_, reason, *_) in pairwise(self._frames):
            early: list[str] = []
            for cause in json.loads(reason):
                if cause.startswith(("state ", "state: ", "vol ", "vol: ")) or cause.endswith(" settled"):
                    found[frame] = max(early, default="")
                    break
                node, _, status = cause.rpartition(" ")
                if (node, status) in ends:
                    early.append(ends[node, status])
        return found

    def _timed(self, at: str, least: int = 0) -> Position:
        """Return the position of something that no phase did."""
        frame = max(self._frame_at(at), least)
        if at <= self._before_flush.get(frame, ""):
            return frame, RESTING
        return frame, AFTER

    # ---- frames and nodes --------------------------------------------------------------------------------------

    def _first(self) -> Iterator[Placed]:
        found = self._execution
        text = f"execution {found.name} of {found.app} was made"
        if found.kind == "branch":
            text += f", forked from execution {found.parent_id} after frame {found.forked_at_frame}"
        elif found.kind == "replay":
            text += f", a replay of execution {found.parent_id}"
        elif found.kind == "child":
            text += f", a child of execution {found.parent_id}"
        yield self._row(
            (found.forked_at_frame or 0, BEGUN), "execution", self.id, text, at=found.created_at, status="ready"
        )

    def _last(self) -> Iterator[Placed]:
        found = self._execution
        if found.status in OVER_OR_STOPPED:
            last = max(self._numbers, default=0)
            reason = self._names.in_text(found.reason, last)
            text = f"execution {found.name} {found.status}: {reason}".removesuffix(": ")
            yield self._row((last, AFTER), "execution", self.id, text, status=found.status)

    def _frame_rows(self) -> Iterator[Placed]:
        writes = {
            (frame, scope, key): id
            for id, frame, scope, key in self._all(
                "SELECT id, frame, scope, key FROM transitions WHERE execution_id = ?"
                " AND status IN ('applied', 'edited') ORDER BY frame, seq"
            )
        }
        # A reason names a node or a task: the newest task of the node that was mounted before the frame.
        newest: dict[str, str] = {}
        tasks = iter([*self._tasks, (None, None, float("inf"))])
        task = next(tasks)
        for frame, reason, status, at in self._frames:
            while task[2] < frame:
                newest[task[1]] = newest[task[0]] = task[0]
                task = next(tasks)
            causes = json.loads(reason)
            found = (self._cause(cause, frame, writes, newest) for cause in sorted(causes, key=self._weight))
            id = f"frame {frame}"
            told = self._names.in_texts(causes, frame - 1)
            text = f"{id} began, because of: {', '.join(told) or 'nothing that is recorded'}"
            if status == "open" and frame != self._numbers[-1]:
                text += ", and was given up before its FLUSH"
            cause = next(filter(None, found), None)
            yield self._row((frame, BEGUN), "frame", id, text, at=at, status=status, cause=cause)

    def _weight(self, reason: str) -> int:
        """Return a sort key for a frame's reasons: changes of the plan first, then those that only call handlers."""
        scope, _, key = reason.partition(" ")
        if scope == "loop":
            return 0
        if scope in ("state", "vol"):
            if key in self._read:
                return 1
            return 3
        if reason.endswith(" settled"):
            return 2
        return 4

    def _cause(
        self, reason: str, frame: int, writes: dict[tuple[int, str, str], str], newest: dict[str, str]
    ) -> str | None:
        """Return the id of the row that a frame's reason names; None if there is none."""
        if reason == "start":
            return self.id
        if reason.startswith("loop "):  # COMMIT of the frame before has found that the loop continues.
            return f"frame {frame - 1}"
        if reason.endswith(" was abandoned"):
            return reason.removesuffix(" was abandoned")
        scope, _, key = reason.partition(" ")
        return writes.get((frame - 1, scope, key)) or newest.get(reason.rpartition(" ")[0])

    def _node_rows(self) -> Iterator[Placed]:
        """Yield the nodes that were mounted, unmounted or changed; texts only where they changed."""
        # Texts are mounted and unmounted with the node around them. Of a pruned history the versions that still held
        # in the oldest frame are left: they were mounted earlier, in a frame that has no row any more.
        oldest = min(self._numbers, default=0)
        for before, after in pairwise([None, *self._nodes, None]):
            if before and after and before[0] == after[0] and before[8] == after[7]:
                changed = [name for name, place in _CONTENT if before[place] != after[place]]
                if changed and after[7] >= oldest:
                    yield self._change(after, after[7], "updated", f"has other {' and '.join(changed)}")
                continue
            if before and before[8] is not None and before[8] >= oldest and before[1] != "text":
                yield self._change(before, before[8], "unmounted", "left the plan")
            if after and after[7] >= oldest and after[1] != "text":
                yield self._change(after, after[7], "mounted", "came into the plan")

    def _change(self, row: tuple[Any, ...], frame: int, what: str, text: str) -> Placed:
        id, kind = row[:2]
        # As it was before, where it left the plan.
        name = self._name(id, row[7])
        text = f"{name} {text}"
        if kind == "text":
            text = f"{name} is now {_cut(row[5])}"
        position, row_id = (frame, RECONCILE), f"{id} {what} {frame}"
        return self._row(position, what, row_id, text, phase="RECONCILE", node=id, cause=f"frame {frame}")

    # ---- tasks -------------------------------------------------------------------------------------------------

    def _task_rows(self) -> Iterator[Placed]:
        for id, node, mounted, status, reason, attempt, started, ended, settled, error, tokens, cost in self._tasks:
            name = self._name(node, mounted)
            common: dict[str, Any] = {"node": node, "task": id}
            if started is not None:
                frame = max(self._frame_at(started), mounted)
                yield self._row(
                    (frame, EXECUTE), "task started", id, f"{name} started", at=started, status="running",
                    phase="EXECUTE", cause=f"frame {frame}", **common,
                )  # fmt: skip
            if ended is not None:
                text = f"{name} {status}"
                if attempt > 1:
                    text += f" at attempt {attempt}"
                text += _spent(tokens, cost)
                if error and status != "succeeded":
                    text += f": {_message(error)}"
                position = self._timed(ended, mounted)
                cause = self._last_calls.get(id, id)
                yield self._row(position, "task ended", id, text, at=ended, status=status, cause=cause, **common)
            elif status == "abandoned":
                text = f"{name} was given up: {reason}"
                position = (settled or mounted, FLUSH)
                yield self._row(position, "task ended", id, text, status=status, cause=id, **common)

    def _call_rows(self) -> Iterator[Placed]:
        """Yield the calls of models and tools."""
        for one in self._requests:
            did = f"asked {one.model}, turn {one.turn}"
            if one.agent:
                did = f"ran {one.agent}, which asked {one.model}, request {one.attempt}"
            elif one.attempt > 1:
                did += f", attempt {one.attempt}"
                if waited_s := self._waited_s.get(one.id, 0.0):
                    did += f" after {waited_s:.1f} s"
            outcome = f"{one.input_tokens or 0} tokens in, {one.output_tokens or 0} out"
            if one.status != "ok":
                outcome = f"{one.status}: {_message(one.error)}".removesuffix(": ")
            yield self._call(
                "model call", one.id, one.task_id, f"{did}: {outcome}", at=one.started_at, status=one.status
            )
        for two in self._tool_calls:
            outcome = two.status
            if two.error:
                outcome = _message(two.error)
            did = f"called {two.tool}({_cut(two.input)})"
            if two.agent:
                did = f"ran {two.agent}, which {did}"
            if two.attempt > 1:
                did += f", attempt {two.attempt}"
            status = "raised" if two.error else "ok"
            yield self._call("tool call", two.id, two.task_id, f"{did}: {outcome}", at=two.started_at, status=status)

    def _call(self, what: str, number: int, task: str, did: str, *, at: str | None, status: str) -> Placed:
        _, node, mounted, _, _, _, started, ended, *_ = self._task_rows_by_id[task]
        # Releases before 0002 recorded no time of a call: it stays with the end of its task.
        when = at or ended or started or ""
        id = f"{what} {number}"
        return self._row(
            self._timed(when, mounted),
            what,
            id,
            f"{self._name(node, mounted)} {did}",
            at=at,
            status=status,
            node=node,
            task=task,
            cause=self._causes[id],
            # A character less: it sorts just before the end of the task, whose time it may have.
            sorted_at=when[:-1],
        )

    def _follow_calls(self) -> None:
        """Find the cause of each call: an answer makes tools run, and their results make the next request; the end of
        an agent comes from its last call.
        """
        calls: list[tuple[str, int, _Request | _ToolCall]] = [
            *((one.started_at or "", one.id, one) for one in self._requests),
            *((one.started_at or "", one.id, one) for one in self._tool_calls),
        ]
        answered: dict[tuple[str, str | None, str | None], str] = {}
        made: dict[tuple[str, str | None, str | None], str] = {}
        """The last call of an agent, of the node's or of one that a tool runs."""
        tools: dict[tuple[str, str], str] = {}
        failed: dict[tuple[str, int, str | None], float] = {}
        for _, _, one in sorted(calls, key=lambda call: call[:2]):
            task, agent = one.task_id, (one.task_id, one.agent, one.caller)
            caller = tools.get((task, one.caller or ""), self._last_calls.get(task, task))
            # The end of the task, and the next request of the node's agent, come from calls of that one only.
            if isinstance(one, _ToolCall):
                id = f"tool call {one.id}"
                self._causes[id] = answered.get(agent, caller)
                tools[task, one.tool_call_id] = made[agent] = id
                if one.agent is None:
                    self._last_calls[task] = id
                continue
            id = f"model call {one.id}"
            self._causes[id] = made.get(agent, caller)
            started = _seconds(one.started_at)
            before = failed.get((task, one.turn, one.caller))
            if before and started:
                self._waited_s[one.id] = max(0.0, started - before)
            failed[task, one.turn, one.caller] = started + (one.ms or 0.0) / 1000
            answered[agent] = made[agent] = id
            if one.agent is None:
                self._last_calls[task] = id

    # ---- handlers, effects, writes -----------------------------------------------------------------------------

    def _handler_rows(self) -> Iterator[Placed]:
        for id, frame, node, task, event, status, error in self._all(
            "SELECT id, frame, node_id, task_id, event, status, error FROM handlers WHERE execution_id = ?"
            " ORDER BY frame, rowid"
        ):
            what = {
                "ok": "was called",
                "raised": f"raised {_message(error)}",
                "stale": "was not called: its node had left the plan",
            }[status]
            position, sorted_at = (frame, HANDLERS), ""
            if status == "stale":
                # Its task ended after the frame, and "~" sorts after every time: the end of the task comes first.
                position, sorted_at = (frame, AFTER), "~"
            yield self._row(
                position, "handler", id, f"{event} of {self._name(node, frame)} {what}", phase="EXECUTE", status=status,
                node=node, task=task, cause=task, sorted_at=sorted_at,
            )  # fmt: skip

    def _effect_rows(self) -> Iterator[Placed]:
        for id, frame, node, kind, status, error in self._all(
            "SELECT id, frame, node_id, kind, status, error FROM effects WHERE execution_id = ? ORDER BY frame, rowid"
        ):
            text = f"{self._name(node, frame)} {_EFFECTS[kind]}"
            if error:
                text += f" and raised {_message(error)}"
            yield self._row(
                (frame, EFFECTS), "effect", id, text, phase="EFFECTS", status=status, node=node, cause=f"frame {frame}"
            )

    def _write_rows(self) -> Iterator[Placed]:
        for row in self._all(
            'SELECT id, frame, scope, key, op, substr(old, 1, 200), substr(new, 1, 200), status, "trigger", origin,'
            " origin_id, node_id, handler FROM transitions WHERE execution_id = ? ORDER BY frame, seq"
        ):
            id, frame, scope, key, op, old, new, status, trigger, origin, origin_id, node, handler = row
            author = self._name(node, frame)
            who = {
                "handler": f"{handler} of {author}",
                "effect": f"{handler} of {author}",
                "task": author,
                "operator": "an operator",
            }.get(origin, trigger)
            name = key
            if scope != "state":
                name = f"vol {key}"
            text = f"{who} wrote {name} = {_cut(new)}"
            if op == "delete":
                text = f"{who} deleted {name}"
            if old is not None and status not in ("noop", "rolled_back"):
                text += f", which was {_cut(old)}"
            cause = origin_id
            if origin == "init":
                # A first value comes from a component that the frame rendered; before frame 1, from Execution(state=…).
                cause = self.id
                if frame:
                    cause = f"frame {frame}"
            yield self._row(
                (frame, FLUSH),
                "write",
                id,
                text + _OUTCOMES.get(status, ""),
                phase="FLUSH",
                status=status,
                node=node,
                task=origin_id if origin == "task" else None,
                key=key,
                cause=cause,
            )

    # ---- the rest ----------------------------------------------------------------------------------------------

    def _other_rows(self) -> Iterator[Placed]:
        for id, task, node, prompt, asked, choice, comment, answered in self._all(
            "SELECT approval_id, task_id, node_id, prompt, asked_at, choice, comment, answered_at FROM approvals"
            " WHERE execution_id = ? ORDER BY asked_at"
        ):
            common: dict[str, Any] = {"node": node, "task": task, "cause": task}
            position = (self._frame_at(asked), EXECUTE)
            name = self._name(node, position[0])
            text = f"{name} asked: {_cut(prompt)}"
            yield self._row(position, "approval", id, text, at=asked, phase="EXECUTE", status="waiting", **common)
            if answered is not None:
                text = f"a person answered {name} with {choice}"
                if comment:
                    text += f", saying: {_cut(comment)}"
                position = self._timed(answered)
                yield self._row(position, "approval", id, text, at=answered, status="answered", **common)
        for id, kind, title, node, frame, at in self._all(
            "SELECT artifact_id, kind, title, node_id, frame, updated_at FROM artifacts WHERE execution_id = ?"
            " ORDER BY updated_at"
        ):
            who = "an operator"
            if node:
                who = self._name(node, frame)
            text = f"{who} showed {kind} {title or id}"
            yield self._row((frame, FLUSH), "artifact", id, text, phase="FLUSH", at=at, node=node)
        for number, frame, kind, node, payload, at in self._all(
            "SELECT id, frame, kind, node_id, substr(payload, 1, 200), created_at FROM events WHERE execution_id = ?"
            " ORDER BY id"
        ):
            text = kind
            if node:
                text += f" by {self._name(node, frame)}"
            text += f": {_cut(self._names.in_text(payload, frame))}"
            yield self._row((frame, FLUSH), "event", f"event {number}", text, at=at, node=node)


_EFFECTS = {"run": "ran", "cleanup": "cleaned up"}
_CHANGES = ("unmounted", "mounted", "updated")
_CONTENT = (("type", 1), ("key", 3), ("props", 4), ("text", 5), ("handlers", 6))

_OUTCOMES = {
    "noop": ", which it was already",
    "overridden": "; a later write of the same frame replaced it",
    "rolled_back": "; it was rolled back, because its author raised",
    "edited": "; an operator had edited it",
    "dropped": "; an operator dropped it",
}


def _spent(tokens: int | None, cost_usd: float | None) -> str:
    spent = []
    if tokens is not None:
        spent.append(f"{tokens:,} tokens")
    if cost_usd is not None:
        spent.append(f"{cost_usd:.4f} USD")
    if not spent:
        return ""
    return f" ({', '.join(spent)})"


def _cut(text: object) -> str:
    # On one line: the timeline is read as a table.
    shown = " ".join(str(text).split())
    if len(shown) <= SHOWN:
        return shown
    return f"{shown[: SHOWN - 1]}…"


def _message(error: str | None) -> str:
    """Return the message of an error, or the last line of its traceback, on one line."""
    shown = " ".join(message_of(error or "").split())
    if len(shown) <= MESSAGE:
        return shown
    return f"{shown[: MESSAGE - 1]}…"


def _seconds(time: str | None) -> float:
    if not time:
        return 0.0
    return datetime.fromisoformat(time).timestamp()
