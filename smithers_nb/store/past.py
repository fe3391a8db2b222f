"""The recorded frames of an execution, read once as intervals, and walked in order: what each one adds to the last."""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from ..identity import NodeId, Path, loop_of
from ..nodes.tree import Tree, TreeNode
from ..records import LoopState
from ..values import Stored
from .line import of_line
from .moments import Moments
from .prune import refuse_missing
from .reader import Reader
from .writer import as_json

V = TypeVar("V")


class TaskStanding(NamedTuple):
    """A recorded task, as the schedule needs it."""

    status: str
    settled: bool


class PastNode(NamedTuple):
    """A version of a node, as it is stored."""

    id: str
    path: str
    type: str
    key: str | None
    explicit_id: bool
    parent_id: str | None
    position: int
    props: str
    """A JSON object."""
    events: str
    """A JSON list."""
    text: str | None
    source: str | None

    @property
    def loop(self) -> str:
        """Path of the innermost loop iteration that it stands in."""
        return loop_of(self.path)

    def same_content(self, node: TreeNode) -> bool:
        """Return True if a rendered node would be stored so; places are not compared."""
        return (
            self.key == node.key
            and self.text == node.text
            and self.events == (json.dumps(node.events) if node.events else "[]")
            and self.props == (as_json(node.props) if node.props else "{}")
        )


@dataclass(frozen=True, slots=True)
class PastTask:
    """A task that has ended, or that had begun."""

    task_id: str
    node_id: str
    mounted_at_frame: int
    status: str
    started_at: str | None
    ended: bool
    settled_at_frame: int | None
    cost_usd: float | None


@dataclass(slots=True)
class PastFrame:
    """A recorded frame, with what has changed since the one before."""

    number: int
    began_at: float
    """The clock of its SNAPSHOT, in seconds since the epoch."""
    state: dict[str, tuple[Stored, int] | None] = field(default_factory=dict)
    """The values that it read first, with the frame since which they hold; None for a key that is gone."""
    nodes: dict[str, PastNode | None] = field(default_factory=dict)
    """The versions of its plan; None for a node that is gone."""
    loops: dict[str, tuple[str, LoopState] | None] = field(default_factory=dict)
    """The progress of loops that it saw, with the iteration around the loop."""
    mounted: list[PastTask] = field(default_factory=list)
    """The tasks that were mounted in the frame before."""
    settled: list[PastTask] = field(default_factory=list)
    """The tasks that were settled in the frame before."""
    started: list[PastTask] = field(default_factory=list)
    """The tasks that started in this frame."""


class PastFrames:
    """All frames that are recorded of an execution and its line."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self._reader, self._execution_id = reader, execution_id
        with reader.together():
            began = self._rows("frames", "frame, created_at", "frame")
            self._began = [at for _, at in began]
            self.frames = {
                frame: PastFrame(frame, datetime.fromisoformat(created_at).timestamp()) for frame, created_at in began
            }
            """The frames by their numbers, in order."""
            self._numbers = list(self.frames)
            if began:
                self._read()

    def _read(self) -> None:
        state = [
            (since, until, key, (Stored(value, kind), since))
            for since, until, key, value, kind in self._intervals("state", "from_frame, to_frame, key, value, type")
        ]
        columns = "from_frame, to_frame, node_id, path, type, key, explicit_id, parent_id, position, props, events"
        nodes = []
        for since, until, *fields in self._intervals("nodes", f"{columns}, text, source"):
            version = PastNode._make(fields)
            nodes.append((since, until, version.id, version))
        for frame in self.frames.values():
            frame.state, frame.nodes, frame.loops = {}, {}, {}
        self._spread(state, "state")
        self._spread(nodes, "nodes")
        around = {(version.id, since): version.loop for since, _, _, version in nodes}
        last: dict[str, str] = {}
        loops = []
        for since, until, id, iteration, status in self._rows(
            "loops", "from_frame, to_frame, node_id, iteration, status", "from_frame"
        ):
            last[id] = around.get((id, since), last.get(id, ""))
            if status != "unmounted":
                # Kept at COMMIT: the next frame is the first that sees it.
                after = until and until + 1
                loops.append((since + 1, after, id, (last[id], LoopState(iteration, status))))
        self._spread(loops, "loops")
        self._read_tasks()

    def _read_tasks(self) -> None:
        columns = (
            "task_id, node_id, mounted_at_frame, status, started_at, ended_at IS NOT NULL, settled_at_frame, cost_usd"
        )
        for row in self._rows("tasks", columns, "mounted_at_frame, rowid"):
            task = PastTask(*row)
            self._at(task.mounted_at_frame + 1, "mounted", task)
            if task.settled_at_frame is not None:
                self._at(task.settled_at_frame + 1, "settled", task)
            started = task.mounted_at_frame
            if task.started_at is not None:
                place = bisect_right(self._began, task.started_at) - 1
                started = max(started, self._numbers[max(place, 0)])
            self._at(started, "started", task)

    def _intervals(self, table: str, columns: str) -> Iterator[tuple[Any, ...]]:  # Any: SQLite's
        """Yield the versions, each with the part of its interval in which the line has its execution's frames."""
        for part in self._reader.line(self._execution_id):
            sql = f"SELECT {columns} FROM {table} WHERE execution_id = ? AND from_frame <= ? ORDER BY from_frame"
            for since, until, *fields in self._reader.query(sql, (part.execution_id, part.last)).rows:
                if until is None or until > part.last:
                    # The last part has no end.
                    until = None if part.last == sys.maxsize else part.last + 1
                if until is None or until > part.first:
                    yield max(since, part.first), until, *fields

    def _rows(self, table: str, columns: str, order: str = "from_frame") -> list[tuple[Any, ...]]:  # Any: SQLite's
        where, given = of_line(self._reader.line(self._execution_id), table)
        return self._reader.query(f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}", given).rows

    def _at(self, frame: int, name: str, task: PastTask) -> None:
        if frame in self.frames:
            getattr(self.frames[frame], name).append(task)

    def _spread(self, intervals: Iterable[tuple[int, int | None, str, V]], name: str) -> None:
        """Put what begins and ends into its frame: the first recorded one from there on."""
        ends = []
        for since, until, key, value in intervals:
            frame = self._next(since)
            if frame is not None and (until is None or until > frame.number):
                getattr(frame, name)[key] = value
            if until is not None:
                ends.append((until, key))
        for until, key in ends:
            frame = self._next(until)
            if frame is not None:
                getattr(frame, name).setdefault(key, None)

    def _next(self, number: int) -> PastFrame | None:
        if number in self.frames:
            return self.frames[number]
        place = bisect_right(self._numbers, number)
        if place == len(self._numbers):
            return None
        return self.frames[self._numbers[place]]


def past_frame(reader: Reader, execution_id: str, number: int, tree: Tree) -> tuple[PastFrame, dict[str, TaskStanding]]:
    """Return one recorded frame with all that it read, and by node id the tasks of its plan, as they stood in it.

    It costs the size of the state and of the plan, never that of the history.

    Raises:
        StoreError: if there is no such frame.
    """
    refuse_missing(reader, execution_id, number)
    owner = reader.owner(execution_id, number)
    with reader.together():
        file = Moments(reader, execution_id).up_to(number)
        [(created_at,)] = reader.query(
            "SELECT created_at FROM frames WHERE execution_id = ? AND frame = ?", (owner, number)
        ).rows
        frame = PastFrame(number, datetime.fromisoformat(created_at).timestamp())
        frame.state.update(reader.state(owner, number))
        # Kept at COMMIT: the frame itself saw what the one before had left.
        loops = reader.query(
            "SELECT node_id, iteration, status FROM loops WHERE execution_id = ? AND from_frame < ?2"
            " AND (to_frame IS NULL OR to_frame >= ?2) AND status != 'unmounted'",
            (owner, number),
        ).rows
        for id, iteration, status in loops:
            if id in tree.index:
                frame.loops[id] = tree.index[id].loop, LoopState(iteration, status)
        until = file.ended(number)
        asking = file.asking(until) if until is not None else ()
        tasks = {}
        for task in file.newest_tasks(number):
            settled = task.settled_at_frame is not None and task.settled_at_frame < number
            tasks[task.node_id] = TaskStanding(task.status_at(until, asking), settled)
    return frame, tasks


def plan_of(versions: dict[str, PastNode]) -> Tree:
    """Return the plan that these nodes make."""
    below: dict[str | None, list[PastNode]] = {}
    for version in sorted(versions.values(), key=lambda one: one.position):
        below.setdefault(version.parent_id, []).append(version)
    return Tree(tuple(_nodes(below, None)))


def _nodes(below: dict[str | None, list[PastNode]], parent: str | None) -> Iterator[TreeNode]:
    for one in below.get(parent, ()):
        yield TreeNode(
            id=NodeId(one.id),
            path=Path(one.path),
            type=one.type,
            key=one.key,
            explicit_id=bool(one.explicit_id),
            props=json.loads(one.props),
            text=one.text,
            events=tuple(json.loads(one.events)),
            source=one.source,
            parent_id=None if one.parent_id is None else NodeId(one.parent_id),
            position=one.position,
            children=tuple(_nodes(below, one.id)),
            loop=one.loop,
        )
