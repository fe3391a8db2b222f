"""A recorded execution that no longer changes: what its panes ask of one cursor is read once for all of them."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..history.cursor import NONE, Cursor
from ..history.recorded import RecordedSource
from ..history.source import Head
from ..nodes.diff import Changes
from ..nodes.tree import Tree
from ..records import Breakpoint, CallRecord, LastNode, Phase, TaskRecord
from ..store.moments import Moments
from ..store.reader import Parameters, Reader, Rows

Answer = TypeVar("Answer")
CURSORS = 16
"""The number of cursors whose answers are kept: a question about one looks at others."""
KEPT = 2_000
"""The number of answers of the file that are kept."""
MANY = 100_000
"""The most tasks that are compared from cursor to cursor."""


class StillReader(Reader):
    """Reads a file that no longer changes: what neighbouring cursors and panes ask alike is read once."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._read: dict[tuple[object, ...], Rows] = {}

    def query(self, sql: str, parameters: Parameters = (), most_s: float | None = None) -> Rows:
        """Return what a query gives, as ``Reader.query`` does."""
        told = tuple(parameters.items()) if isinstance(parameters, Mapping) else tuple(parameters)
        asked = (sql, *told)
        rows = self._read.get(asked)
        if rows is None:
            if len(self._read) > KEPT:
                self._read.clear()
            rows = self._read[asked] = super().query(sql, parameters, most_s)
        return rows


class StillMoments(Moments):
    """Records that no longer change."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        super().__init__(reader, execution_id)
        self._spans: dict[str, list[tuple[int, int | None, LastNode]]] = {}
        """The versions of the nodes that were asked for."""
        self._calls: list[CallRecord] | None = None
        """All handler calls, newest frame first."""

    def handlers(self, until: int, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to a frame, newest frame first."""
        if self._calls is None:
            self._calls = super().handlers(sys.maxsize, sys.maxsize)
        newest = bisect_left(self._calls, -until, key=lambda one: -one.call.frame)
        return self._calls[newest : newest + most]

    def last_nodes(self, node_ids: Iterable[str], frame: int) -> list[LastNode]:
        """Return each of these nodes as it was in the last frame up to one that had it; not those that never were."""
        wanted = set(node_ids)
        if missing := wanted - self._spans.keys():
            self._spans |= {id: [] for id in missing} | self.node_spans(missing)
        found = []
        for id in sorted(wanted):
            spans = self._spans[id]
            at = bisect_right(spans, frame, key=lambda span: span[0]) - 1
            if at >= 0:
                _, until, node = spans[at]
                # It may have stood in frames after this one, too.
                there = until is None or until - 1 > frame
                found.append(replace(node, frame=frame) if there else node)
        return found


class StillSource(RecordedSource):
    """An execution in a file that nothing writes to, looked at cursor by cursor. For one thread."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        super().__init__(reader, execution_id)
        self.file = StillMoments(reader, execution_id)
        self.told: dict[Any, Any] = {}  # Any: facts, and the book
        self.gone = {}
        self._head: Head | None = None
        self._points: tuple[Breakpoint, ...] | None = None
        self._tasks: dict[str, list[TaskRecord]] = {}
        """The tasks as the file has them, by execution of the line."""
        self._cursors: dict[tuple[object, ...], Cursor] = {}
        """The cursors that were asked for last, by frame, phase and base, oldest first."""
        self._known: dict[int, dict[str, Any]] = {}  # Any: the answers of the methods below, by name and arguments
        """The answers at each of these cursors, by its identity."""

    @property
    def head(self) -> Head:
        """The execution as a whole."""
        if self._head is None:
            self._head = super().head
        return self._head

    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Return the breakpoints, oldest first."""
        if self._points is None:
            self._points = super().breakpoints()
        return self._points

    def cursor(self, at: int | None = None, phase: str | None = None, base: int | None = None) -> Cursor:
        """Return a cursor; the same one for all panes that are asked in turn."""
        place = (at, phase, base)
        found = self._cursors.get(place)
        if found is None:
            if len(self._cursors) >= CURSORS:
                oldest = self._cursors.pop(next(iter(self._cursors)))
                del self._known[id(oldest)]
            found = self._cursors[place] = super().cursor(at, phase, base)
            self._known[id(found)] = {}
        return found

    def standing(self, cursor: Cursor) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return by node id the status of each runnable, phase and loop, and the id of each runnable's newest task."""
        return self.once(cursor, "standing", lambda: RecordedSource.standing(self, cursor))

    def stood(self, cursor: Cursor) -> Mapping[str, str]:
        """Return by node id the status of the nodes that a cursor is compared with."""
        return self.once(cursor, "stood", lambda: RecordedSource.stood(self, cursor))

    def fired(self, cursor: Cursor) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event the number of calls up to the cursor, and the status of the last one."""
        return self.once(cursor, "fired", lambda: RecordedSource.fired(self, cursor))

    def calls(self, cursor: Cursor, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to the cursor, newest frame first."""
        return self.once(cursor, f"calls {most}", lambda: RecordedSource.calls(self, cursor, most))

    def tasks(self, cursor: Cursor, most: int) -> list[TaskRecord]:
        """Return the newest tasks up to the cursor, newest first, as they stood there; without results."""
        return self.once(cursor, "tasks", lambda: self._tasks_at(cursor))[:most]

    def _tasks_at(self, cursor: Cursor) -> list[TaskRecord]:
        file = self.file.up_to(cursor.frame)
        known = self._tasks.get(file.execution_id)
        if known is None:
            known = self._tasks[file.execution_id] = file.tasks(sys.maxsize, MANY)
        moment, newest = self._moment(cursor), cursor.newest(Phase.COMMIT)
        return [moment.task(task) for task in known if task.mounted_at_frame <= newest]

    def task(self, cursor: Cursor, task_id: str) -> TaskRecord | None:
        """Return a task as it stood at the cursor, without its result; None if there is none of this id."""
        known = self.once(cursor, "by id", lambda: {task.task_id: task for task in self.tasks(cursor, MANY)})
        return known.get(task_id) or super().task(cursor, task_id)

    def once(self, cursor: Cursor, what: str, read: Callable[[], Answer]) -> Answer:
        """Return an answer at a cursor, read once for all panes."""
        known = self._known.get(id(cursor))
        if known is None:
            return read()
        if what not in known:
            known[what] = read()
        found: Answer = known[what]
        return found


class CursorChanges:
    """The differences of a cursor from the one before, as far as panes depend on them: only these are asked again.

    Everything that a pane of a node or a task depends on is compared, which takes a hundredth of the time of making it.
    """

    def __init__(self, source: StillSource) -> None:
        self._source = source
        self._tree: Tree | None = None
        self._marked: set[str] = set()
        self._standing: Mapping[str, str] = {}
        self._newest: Mapping[str, str] = {}
        self._tasks: dict[str, TaskRecord] = {}
        self._fired: dict[tuple[str, str], tuple[int, str]] = {}
        self._values: dict[str, int] = {}
        self._reads: list[tuple[str, str]] = []
        self._owner = ""
        self.nodes: set[str] = set()
        """The nodes whose pane may be different."""
        self.altered: set[str] = set()
        """The nodes that look different themselves: their names may be in those of the nodes below."""
        self.tasks: set[str] = set()
        """The tasks whose pane may be different."""
        self.written: set[str] = set()
        """The keys that have another value than at the cursor before."""
        self.plan = self.calls = self.values = self.listed = True
        """True if the panes of the plan as XML, of handlers, of the state and of all tasks may be."""
        self._shown: tuple[int, Changes] = (0, NONE)
        """The last frame, with the marks of its plan."""

    def move(self, cursor: Cursor, keys: Mapping[str, set[str]]) -> None:
        """Compare a cursor with the last one; ``keys`` has by node the keys whose values its pane shows."""
        source = self._source
        marks = cursor.changes
        marked = {*marks.mounted, *marks.unmounted, *marks.updated, *marks.moved}
        content = self._content(cursor)
        standing, newest = source.standing(cursor)
        stood = {id for id in {*standing, *self._standing} if standing.get(id) != self._standing.get(id)}
        stood |= {id for id in {*newest, *self._newest} if newest.get(id) != self._newest.get(id)}
        fired = source.fired(cursor)
        called = {place[0] for place in {*fired, *self._fired} if fired.get(place) != self._fired.get(place)}
        tasks = {task.task_id: task for task in source.tasks(cursor, MANY)}
        changed = [id for id, task in tasks.items() if _differ(self._tasks.get(id), task)]
        gone = len(tasks) != len(self._tasks) or bool(changed)
        _, state = source.state(cursor, MANY)
        values = {value.key: value.since for value in state}
        written = {key for key in {*values, *self._values} if values.get(key) != self._values.get(key)}
        self.written = written
        flagged = any(value.changed for value in state)
        table = source.file.reads_at(cursor.newest(Phase.RENDER))
        # A branch has tasks of its own from its first frame on, under the names of its parent's.
        owner = source.file.owner(max(1, cursor.frame))
        fresh = owner != self._owner
        # A mark is gone at the next cursor, which changes the pane as its coming did.
        self.nodes = marked | self._marked | content | stood | called
        self.nodes |= {tasks[id].node_id for id in changed}
        if written:
            self.nodes |= {id for id, shown in keys.items() if not written.isdisjoint(shown)}
        if table != self._reads or fresh:
            self.nodes |= set(cursor.tree.index) | marked
        about = content | marked | self._marked
        self.tasks = {id for id, task in tasks.items() if fresh or task.node_id in about} | {*changed}
        self.tasks |= source.file.questioned()
        self.plan = cursor.tree is not self._tree or (cursor.frame, marks) != self._shown
        other = cursor.tree is not self._tree and bool(content)
        # FLUSH finds out that a handler's update fails, and the next frame begins from its outcome.
        self.calls = bool(called or stood or other or fresh) or cursor.phase in (Phase.FLUSH, Phase.SNAPSHOT)
        self.listed = gone or other or fresh
        self.values = bool(written) or flagged or self._flagged or other or fresh or table != self._reads
        self._flagged = flagged
        self._shown = (cursor.frame, marks)
        self._tree, self._marked, self._standing, self._newest = cursor.tree, marked, standing, newest
        self._tasks, self._fired, self._values, self._reads, self._owner = tasks, fired, values, table, owner

    _flagged = False

    def _content(self, cursor: Cursor) -> set[str]:
        """Return the nodes that look different from those of the last plan, with all that stand above them."""
        self.altered = set()
        if cursor.tree is self._tree:
            return set()
        last = {} if self._tree is None else self._tree.index
        index = cursor.tree.index
        found = {id for id in last if id not in index}
        for id, node in index.items():
            was = last.get(id)
            if was is None or not node.same_content(was) or _place(node) != _place(was):
                found.add(id)
        self.altered = set(found)
        # The prompt of a node is the text below it: what changes there changes all above.
        for id in list(found):
            for tree in (index, last):
                at = tree.get(id)
                while at is not None and at.parent_id is not None and at.parent_id not in found:
                    found.add(at.parent_id)
                    at = tree.get(at.parent_id)
        return found


def _differ(one: TaskRecord | None, other: TaskRecord) -> bool:
    # Most are the same object, and comparing two takes twenty times as long.
    return one is not other and one != other


def _place(node: Any) -> tuple[object, ...]:  # Any: a TreeNode
    return node.type, node.path, node.source, node.loop, node.parent_id, node.position, node.explicit_id
