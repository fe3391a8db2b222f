"""A recording as a replay follows it: frames, ends of tasks, and the writes and answers of people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from ..errors import StoreError
from ..records import ModelCall, Question, TaskRecord
from ..values import Stored, encode
from .prune import refuse_pruned
from .reader import BELOW, Reader
from .writer import HANDLED_AGAIN

RETRIED = re.compile(r"r\d+$")
HANDLED = re.compile(r"h\d+$")
"""The end of the id of a task that a person asked for."""


@dataclass(frozen=True, slots=True)
class OutsideWrite:
    """A write that no handler, effect or component made, or one that a person changed."""

    id: str
    frame: int
    late: bool
    """True if it was applied after the writes of the frame."""
    scope: str
    key: str
    op: str
    status: str
    new: Stored | None
    origin: str
    """``operator`` or ``task``."""
    task_id: str | None
    """The task that wrote it, also if a person has changed it since."""
    node_id: str | None
    tool_call_id: str | None
    pending: bool
    """True if a handler, an effect or a component wrote it, and a person changed or dropped it."""


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A frame that a replay does again."""

    status: str
    """``done``; ``open`` if it was abandoned before its FLUSH."""
    began_at: float
    """The clock of its SNAPSHOT, in seconds since the epoch."""


class Recorded:
    """The recording of one execution.

    Raises:
        StoreError: if it is a branch, or its first frames were pruned.
    """

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id
        self.execution = reader.execution(execution_id)
        if self.execution.kind == "branch":
            raise StoreError(
                f"execution {self.execution.name} ({execution_id}) is a branch, and a replay begins at frame 1: the "
                f"frames up to {self.execution.forked_at_frame} are those of execution {self.execution.parent_id}. "
                "Replay that one, or run a branch like this one: fork(frame, …) of it."
            )
        refuse_pruned(reader, execution_id, 1)
        frames = self._all("SELECT frame, status, created_at FROM frames WHERE execution_id = ? ORDER BY frame")
        if frames and frames[0][0] != 1:
            raise StoreError(
                f"execution {execution_id} begins with frame {frames[0][0]}: it can't be run again from 1."
            )
        self.frames: dict[int, RecordedFrame] = {
            frame: RecordedFrame(status, _seconds(began)) for frame, status, began in frames
        }
        """The frames by their numbers, in order."""
        self._open = [(frame, found.began_at) for frame, found in self.frames.items() if found.status != "done"]
        self.tasks = reader.tasks(execution_id)
        self.writes: dict[int, list[OutsideWrite]] = {}
        """The writes of each frame."""
        for write in self._writes():
            self.writes.setdefault(write.frame, []).append(write)
        self.retries: dict[int, list[str]] = {}
        """The nodes that a person ran again, by frame."""
        self.handled: dict[int, list[str]] = {}
        """The nodes whose handler a person had called again, by frame."""
        for task in self.tasks:
            if HANDLED.search(task.task_id) and (task.reason or "").startswith(HANDLED_AGAIN):
                self.handled.setdefault(task.mounted_at_frame, []).append(task.node_id)
            elif RETRIED.search(task.task_id):
                self.retries.setdefault(task.mounted_at_frame, []).append(task.node_id)

    @property
    def last(self) -> int:
        """Number of the last frame; 0 if there is none."""
        return max(self.frames, default=0)

    def rested(self, frame: int) -> bool:
        """Return whether a frame without a FLUSH has started tasks, and so came to its rest."""
        began, *following = (found.began_at for number, found in self.frames.items() if number >= frame)
        ended = min(following, default=inf)
        return any(task.started_at is not None and began < _seconds(task.started_at) < ended for task in self.tasks)

    def planned_with(self, task: TaskRecord) -> float:
        """Return the first frame without a FLUSH that began after a task had ended; infinity if there is none."""
        if task.ended_at is None:
            return inf
        ended_at = _seconds(task.ended_at)
        return next((frame for frame, began_at in self._open if began_at > ended_at), inf)

    def first_state(self) -> dict[str, Stored]:
        """Return the state that the execution was made with."""
        rows = self._all(
            "SELECT key, new FROM transitions WHERE execution_id = ? AND frame = 0 AND origin = 'init' ORDER BY seq"
        )
        return {key: stored_as(self.reader, self.execution_id, key, frame=0, text=new) for key, new in rows}

    def props(self, task: TaskRecord) -> dict[str, Any]:  # Any: JSON
        """Return the props with which a task's node was mounted."""
        rows = self.reader.query(
            "SELECT props FROM nodes WHERE execution_id = ? AND node_id = ? AND from_frame <= ?"
            " ORDER BY from_frame DESC LIMIT 1",
            (self.execution_id, task.node_id, task.mounted_at_frame),
        ).rows
        if not rows:
            return {}
        found: dict[str, Any] = json.loads(rows[0][0])
        return found

    def question(self, task_id: str) -> Question | None:
        """Return the question that a task asked; None if it asked none."""
        return next(iter(self.reader.questions(self.execution_id, approval_id=task_id)), None)

    def swaps(self) -> list[int]:
        """Return the frames after which the app was swapped."""
        rows = self._all("SELECT frame FROM events WHERE execution_id = ? AND kind = 'swap' ORDER BY id")
        return [frame for (frame,) in rows]

    def _all(self, sql: str) -> list[tuple[Any, ...]]:  # Any: SQLite's values
        return self.reader.query(sql, (self.execution_id,)).rows

    def _writes(self) -> list[OutsideWrite]:
        rows = self._all(
            "SELECT id, frame, seq, scope, key, op, status, new, origin, origin_id, node_id, handler, tool_call_id"
            " FROM transitions WHERE execution_id = ? ORDER BY frame, seq"
        )
        firm = {frame: seq for _, frame, seq, *_, handler, _ in reversed(rows) if handler is not None}
        """The place of the first write of a handler or effect, by frame."""
        # Where there is none, the order does not say. Had the FLUSH of the last frame applied a write, another frame
        # would have followed.
        firm = {0: 0, self.last: 0} | firm
        found = []
        for id, frame, seq, scope, key, op, status, new, origin, *author in rows:
            origin_id, node_id, handler, tool_call_id = author
            # A write that a person changed keeps what made it, with a person as its origin: a handler, an effect, or a
            # component, whose first values have no node.
            frames_own = handler is not None or (origin_id is not None and node_id is None)
            pending = origin == "operator" and frames_own
            reported = handler == "on_progress"
            if (frame == 0 and origin == "init") or not (pending or reported or origin in ("operator", "task")):
                continue
            value = task_id = None
            if new is not None and op != "delete":
                value = stored_as(self.reader, self.execution_id, key, frame=frame, text=new)
            if origin == "task" or (origin == "operator" and not pending):
                task_id = origin_id
            found.append(
                OutsideWrite(
                    id=id,
                    frame=frame,
                    late=not (pending or reported) and seq > firm.get(frame, seq),
                    scope=scope,
                    key=key,
                    op=op,
                    status=status,
                    new=value,
                    origin=origin,
                    task_id=task_id,
                    node_id=node_id,
                    tool_call_id=tool_call_id,
                    pending=pending,
                )
            )
        return found


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def replay_of(reader: Reader, execution_id: str) -> str | None:
    """Return the id of the newest replay of an execution; None if there is none."""
    rows = reader.query(
        "SELECT execution_id FROM executions WHERE kind = 'replay' AND parent_id = ? ORDER BY rowid DESC LIMIT 1",
        (execution_id,),
    ).rows
    return next((str(id) for (id,) in rows), None)


def requests_of(reader: Reader, execution_id: str) -> Iterator[tuple[str, int, ModelCall]]:
    """Yield the requests of an execution and of its children, each with its node and the frame that mounted it."""
    # Not its replays and branches: theirs are answered from these.
    for (id,) in reader.query(f"{BELOW} SELECT id FROM below", {"id": execution_id}).rows:
        for task in reader.tasks(id):
            for call in reader.model_calls(id, task.task_id):
                yield task.node_id, task.mounted_at_frame, call


def stored_as(reader: Reader, execution_id: str, key: str, *, frame: int, text: str) -> Stored:
    """Return a value that a frame wrote, with its type."""
    # Transitions have no type. The state has it, unless a later write of the same frame replaced this one.
    rows = reader.query(
        "SELECT type FROM state WHERE execution_id = ? AND key = ? AND from_frame <= ? AND value = ?"
        " ORDER BY from_frame DESC LIMIT 1",
        (execution_id, key, frame + 1, text),
    ).rows
    if rows:
        return Stored(text, rows[0][0])
    return Stored(text, encode(json.loads(text)).type)
