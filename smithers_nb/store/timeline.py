"""The course of an execution, one row an event, in order: the tables of the store as one story."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from .prune import OVER
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


class Placed(NamedTuple):
    """A row with its place in the frame."""

    frame: int
    step: int
    at: str
    row: Row


BEGUN, RECONCILE, EXECUTE, HANDLERS, EFFECTS, RESTING, FLUSH, AFTER = range(8)
"""The steps of a frame in which rows have their place. RESTING: between EFFECTS and FLUSH; AFTER: until the next."""


def timeline(reader: Reader, execution_id: str | None) -> list[Row]:
    """Return what happened in an execution, or in all of a file: these in the order of time."""
    if execution_id is not None:
        return [placed.row for placed in _Story(reader, execution_id).told()]
    ids = [id for (id,) in reader.query("SELECT execution_id FROM executions ORDER BY created_at, rowid").rows]
    timed: list[tuple[str, Row]] = []
    for id in ids:
        rows = [placed.row for placed in _Story(reader, id).told()]
        # What has no time of its own goes with what came before it.
        timed += zip(accumulate((row.at or "" for row in rows), max), rows, strict=True)
    return [row for _, row in sorted(timed, key=lambda one: one[0])]


def why(rows: list[Row], key: str, frame: int | None) -> list[Row]:
    """Return what made the value of a key that a frame reads (the newest without one), back to its root."""
    place = len(rows)
    chain: list[Row] = []
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        made = row.what == "write" and row.key == key and row.status in ("applied", "edited")
        if made and (frame is None or row.frame < frame):
            chain.append(row)
            break
    while chain and (cause := chain[-1].cause_id) is not None:
        place = next((before for before in range(place - 1, -1, -1) if rows[before].id == cause), -1)
        if place < 0:
            break
        chain.append(rows[place])
    return chain


class _Story:
    """The rows of one execution."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.id = execution_id
        self._reader = reader
        self._execution = reader.execution(execution_id)
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
        self._types = {row[0]: row[1] for row in self._nodes}
        self._parents = {row[0]: (row[2], row[9]) for row in self._nodes}
        self._read = {key for (key,) in self._all("SELECT DISTINCT key FROM reads WHERE execution_id = ?")}
        self._numbers = [row[0] for row in self._frames]
        # The clock may have been put back; the frames' order is what holds.
        self._began = list(accumulate((row[3] for row in self._frames), max))
        self._before_flush = self._ended_at_rest()

    def told(self) -> list[Placed]:
        """Return all rows in order."""
        # Sorting keeps the order of what is equal: within a step, that of the tables.
        nodes = sorted(self._node_rows(), key=lambda one: (_CHANGES.index(one.row.what), self._order(one.row.node_id)))
        placed = [*self._first(), *self._frame_rows(), *nodes, *self._task_rows(), *self._call_rows()]
        placed += [*self._handler_rows(), *self._effect_rows(), *self._write_rows(), *self._other_rows()]
        return [*sorted(placed, key=lambda one: one[:3]), *self._last()]

    def _all(self, sql: str) -> list[tuple[Any, ...]]:  # Any: SQLite's values
        return self._reader.query(sql, (self.id,)).rows

    def _row(
        self,
        frame: int,
        step: int,
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
        row = Row(self.id, frame, phase, at, what, status, node, task, key, id, cause, text)
        return Placed(frame, step, at or sorted_at, row)

    def _name(self, node_id: str | None) -> str:
        """Return a node as people call it: ``claude#notes``."""
        return f"{self._types[node_id]}#{node_id}" if node_id in self._types else str(node_id)

    def _order(self, node_id: str | None) -> tuple[int, ...]:
        """Return a sort key: document order, by where the nodes stood last."""
        places: list[int] = []
        while node_id in self._parents:
            node_id, place = self._parents[node_id]
            places.append(place)
        return tuple(reversed(places))

    # ---- where things with a time have their place -------------------------------------------------------------

    def _frame_at(self, at: str) -> int:
        """Return the frame that was the last one to begin before a time."""
        place = bisect_right(self._began, at) - 1
        return self._numbers[place] if place >= 0 else 0

    def _ended_at_rest(self) -> dict[int, str]:
        """Return, by frame, until when tasks ended before its FLUSH: the next frame names its causes in order."""
        found: dict[int, str] = {}
        ends = {(node, status): ended for _, node, _, status, _, _, _, ended, *_ in self._tasks if ended}
        for (frame, *_), (_, reason, *_) in pairwise(self._frames):
            early: list[str] = []
            for cause in json.loads(reason):
                if cause.startswith(("state ", "state: ", "vol ", "vol: ")) or cause.endswith(" settled"):
                    found[frame] = max(early, default="")
                    break
                node, _, status = cause.rpartition(" ")
                early += [ends[node, status]] if (node, status) in ends else []
        return found

    def _timed(self, at: str, least: int = 0) -> tuple[int, int]:
        """Return the place of something that happened while no phase did it: frame and step."""
        frame = max(self._frame_at(at), least)
        return frame, RESTING if at <= self._before_flush.get(frame, "") else AFTER

    # ---- frames and nodes --------------------------------------------------------------------------------------

    def _first(self) -> Iterator[Placed]:
        found = self._execution
        of = f", a child of execution {found.parent_id}" if found.parent_id else ""
        if found.forked_at_frame is not None:
            of = f", forked from execution {found.parent_id} after frame {found.forked_at_frame}"
        text = f"execution {found.name} of {found.app} was made{of}"
        yield self._row(0, BEGUN, "execution", self.id, text, at=found.created_at, status="ready")

    def _last(self) -> Iterator[Placed]:
        found = self._execution
        if found.status in OVER:
            last = self._numbers[-1] if self._numbers else 0
            text = f"execution {found.name} {found.status}: {found.reason}".removesuffix(": ")
            yield self._row(last, AFTER, "execution", self.id, text, status=found.status)

    def _frame_rows(self) -> Iterator[Placed]:
        writes = {
            (frame, scope, key): id
            for id, frame, scope, key in self._all(
                "SELECT id, frame, scope, key FROM transitions WHERE execution_id = ?"
                " AND status IN ('applied', 'edited') ORDER BY frame, seq"
            )
        }
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
            given_up = ", and was given up before its FLUSH" if status == "open" and frame != self._numbers[-1] else ""
            yield self._row(
                frame,
                BEGUN,
                "frame",
                id,
                f"{id} began, because of: {', '.join(causes) or 'nothing that is recorded'}{given_up}",
                at=at,
                status=status,
                cause=next(filter(None, found), None),
            )

    def _weight(self, reason: str) -> int:
        """Return which of a frame's reasons to name first: what changes the plan, before what only calls handlers."""
        scope, _, key = reason.partition(" ")
        if scope == "loop":
            return 0
        if scope in ("state", "vol"):
            return 1 if key in self._read else 3
        return 2 if reason.endswith(" settled") else 4

    def _cause(
        self, reason: str, frame: int, writes: dict[tuple[int, str, str], str], newest: dict[str, str]
    ) -> str | None:
        """Return the id of the row that a frame's reason speaks of; None if there is none."""
        if reason == "start":
            return self.id
        if reason.startswith("loop "):  # COMMIT of the frame before has found that it goes on.
            return f"frame {frame - 1}"
        if reason.endswith(" was abandoned"):
            return reason.removesuffix(" was abandoned")
        scope, _, key = reason.partition(" ")
        return writes.get((frame - 1, scope, key)) or newest.get(reason.rpartition(" ")[0])

    def _node_rows(self) -> Iterator[Placed]:
        """Nodes that came, went or changed; of texts only what changed: they come and go with what they stand in."""
        oldest = self._numbers[0] if self._numbers else 0
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
        id, kind, parent = row[:3]
        said = f"the text of {self._name(parent)} is now {_cut(row[5])}" if kind == "text" else None
        return self._row(
            frame,
            RECONCILE,
            what,
            f"{id} {what} {frame}",
            said or f"{self._name(id)} {text}",
            phase="RECONCILE",
            node=id,
            cause=f"frame {frame}",
        )

    # ---- tasks -------------------------------------------------------------------------------------------------

    def _task_rows(self) -> Iterator[Placed]:
        for id, node, mounted, status, reason, attempt, started, ended, settled, error, tokens, cost in self._tasks:
            name = self._name(node)
            common: dict[str, Any] = {"node": node, "task": id}
            if started is not None:
                text = f"{name} started"
                frame = max(self._frame_at(started), mounted)
                yield self._row(
                    frame, EXECUTE, "task started", id, text, at=started, status="running", phase="EXECUTE",
                    cause=f"frame {frame}", **common,
                )  # fmt: skip
            if ended is not None:
                spent = [f"{tokens:,} tokens"] if tokens is not None else []
                spent += [f"{cost:.4f} USD"] if cost is not None else []
                text = f"{name} {status}"
                text += f" at attempt {attempt}" if attempt > 1 else ""
                text += f" ({', '.join(spent)})" if spent else ""
                text += f": {_last_line(error)}" if error and status != "succeeded" else ""
                frame, step = self._timed(ended, mounted)
                yield self._row(frame, step, "task ended", id, text, at=ended, status=status, cause=id, **common)
            elif status == "abandoned":
                text = f"{name} was given up: {reason}"
                yield self._row(settled or mounted, FLUSH, "task ended", id, text, status=status, cause=id, **common)

    def _call_rows(self) -> Iterator[Placed]:
        """Calls of models and tools. Where a call's own time is not known it goes with its task's end."""
        times = {row[0]: (row[2], row[6], row[7]) for row in self._tasks}
        nodes = {row[0]: row[1] for row in self._tasks}

        def place(task: str, at: str | None) -> tuple[int, int, str]:
            mounted, started, ended = times[task]
            when = at or ended or started or ""
            return (*self._timed(when, mounted), when)

        for number, task, turn, model, tokens_in, tokens_out, error, at in self._all(
            "SELECT id, task_id, turn, model, input_tokens, output_tokens, error, started_at FROM model_calls"
            " WHERE execution_id = ? ORDER BY id"
        ):
            frame, step, when = place(task, at)
            outcome = f"failed: {_last_line(error)}" if error else f"{tokens_in or 0} tokens in, {tokens_out or 0} out"
            text = f"{self._name(nodes[task])} asked {model}, turn {turn}: {outcome}"
            yield self._call(
                frame, step, "model call", f"model call {number}", text, at, when, error, nodes[task], task
            )
        for number, task, tool, given, status, error, at in self._all(
            "SELECT id, task_id, tool, substr(input, 1, 200), status, error, started_at FROM tool_calls"
            " WHERE execution_id = ? ORDER BY id"
        ):
            frame, step, when = place(task, at)
            text = f"{self._name(nodes[task])} called {tool}({_cut(given)}): {_last_line(error) if error else status}"
            yield self._call(frame, step, "tool call", f"tool call {number}", text, at, when, error, nodes[task], task)

    def _call(
        self,
        frame: int,
        step: int,
        what: str,
        id: str,
        text: str,
        at: str | None,
        when: str,
        error: str | None,
        node: str,
        task: str,
    ) -> Placed:
        # A character less: it sorts just before the end of the task, whose time it may have.
        return self._row(
            frame, step, what, id, text, at=at, status="raised" if error else "ok", node=node, task=task, cause=task,
            sorted_at=when[:-1],
        )  # fmt: skip

    # ---- handlers, effects, writes -----------------------------------------------------------------------------

    def _handler_rows(self) -> Iterator[Placed]:
        for id, frame, node, task, event, status, error in self._all(
            "SELECT id, frame, node_id, task_id, event, status, error FROM handlers WHERE execution_id = ?"
            " ORDER BY frame, rowid"
        ):
            what = {
                "ok": "was called",
                "raised": f"raised {_last_line(error)}",
                "stale": "was not called: its node had left the plan",
            }[status]
            step = AFTER if status == "stale" else HANDLERS
            yield self._row(
                frame, step, "handler", id, f"{event} of {self._name(node)} {what}", phase="EXECUTE", status=status,
                node=node, task=task, cause=task, sorted_at="~" if status == "stale" else "",
            )  # fmt: skip

    def _effect_rows(self) -> Iterator[Placed]:
        for id, frame, node, kind, status, error in self._all(
            "SELECT id, frame, node_id, kind, status, error FROM effects WHERE execution_id = ? ORDER BY frame, rowid"
        ):
            what = "ran" if kind == "run" else "cleaned up"
            text = f"{self._name(node)} {what}" + (f" and raised {_last_line(error)}" if error else "")
            yield self._row(
                frame, EFFECTS, "effect", id, text, phase="EFFECTS", status=status, node=node, cause=f"frame {frame}"
            )

    def _write_rows(self) -> Iterator[Placed]:
        for row in self._all(
            'SELECT id, frame, scope, key, op, substr(old, 1, 200), substr(new, 1, 200), status, "trigger", origin,'
            " origin_id, node_id, handler FROM transitions WHERE execution_id = ? ORDER BY frame, seq"
        ):
            id, frame, scope, key, op, old, new, status, trigger, origin, origin_id, node, handler = row
            who = {
                "handler": f"{handler} of {self._name(node)}",
                "effect": f"{handler} of {self._name(node)}",
                "task": f"{self._name(node)}",
                "operator": "an operator",
            }.get(origin, trigger)
            name = key if scope == "state" else f"vol {key}"
            done = f"deleted {name}" if op == "delete" else f"wrote {name} = {_cut(new)}"
            was = f", which was {_cut(old)}" if old is not None and status not in ("noop", "rolled_back") else ""
            root = self.id if origin == "init" and frame == 0 else f"frame {frame}" if origin == "init" else None
            yield self._row(
                frame,
                FLUSH,
                "write",
                id,
                f"{who} {done}{was}{_OUTCOMES.get(status, '')}",
                phase="FLUSH",
                status=status,
                node=node,
                task=origin_id if origin == "task" else None,
                key=key,
                cause=root or origin_id,
            )

    # ---- the rest ----------------------------------------------------------------------------------------------

    def _other_rows(self) -> Iterator[Placed]:
        for id, task, node, prompt, asked, choice, comment, answered in self._all(
            "SELECT approval_id, task_id, node_id, prompt, asked_at, choice, comment, answered_at FROM approvals"
            " WHERE execution_id = ? ORDER BY asked_at"
        ):
            common: dict[str, Any] = {"node": node, "task": task, "cause": task}
            frame = self._frame_at(asked)
            text = f"{self._name(node)} asked: {_cut(prompt)}"
            yield self._row(frame, EXECUTE, "approval", id, text, at=asked, phase="EXECUTE", status="waiting", **common)
            if answered is not None:
                said = f", saying: {_cut(comment)}" if comment else ""
                text = f"a person answered {self._name(node)} with {choice}{said}"
                frame, step = self._timed(answered)
                yield self._row(frame, step, "approval", id, text, at=answered, status="answered", **common)
        for id, kind, title, node, frame, at in self._all(
            "SELECT artifact_id, kind, title, node_id, frame, updated_at FROM artifacts WHERE execution_id = ?"
            " ORDER BY updated_at"
        ):
            text = f"{self._name(node) if node else 'an operator'} showed {kind} {title or id}"
            yield self._row(frame, FLUSH, "artifact", id, text, phase="FLUSH", at=at, node=node)
        for number, frame, kind, node, payload, at in self._all(
            "SELECT id, frame, kind, node_id, substr(payload, 1, 200), created_at FROM events WHERE execution_id = ?"
            " ORDER BY id"
        ):
            text = f"{kind}{f' by {self._name(node)}' if node else ''}: {_cut(payload)}"
            yield self._row(frame, FLUSH, "event", f"event {number}", text, at=at, node=node)


_CHANGES = ("unmounted", "mounted", "updated")
_CONTENT = (("type", 1), ("key", 3), ("props", 4), ("text", 5), ("handlers", 6))

_OUTCOMES = {
    "noop": ", which it was already",
    "overridden": "; a later write of the same frame replaced it",
    "rolled_back": "; it was rolled back, because who wrote it raised",
    "edited": "; an operator had edited it",
    "dropped": "; an operator dropped it",
}


def _cut(text: object) -> str:
    shown = " ".join(str(text).split())
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"


def _last_line(error: str | None) -> str:
    return _cut((error or "").strip().rpartition("\n")[2])
