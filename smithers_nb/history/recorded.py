"""A source over the file alone: no engine runs, and none is needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import StoreError
from ..identity import component_of, prefixes_of
from ..nodes.diff import Changes
from ..nodes.schedule import RUNNABLE, Schedule, schedule
from ..nodes.tree import EMPTY, Tree
from ..records import (
    PROBLEMS,
    Breakpoint,
    CallRecord,
    EventRecord,
    Excerpt,
    FrameRecord,
    FrameTotals,
    Hit,
    LoopState,
    Phase,
    Question,
    QuestionRecord,
    RateWindow,
    ReaderRecord,
    TaskRecord,
    ValueRecord,
    WriteRecord,
)
from ..records.excerpt import kind_of
from ..records.frame import OVER
from ..records.publication import Publication, TaskProgress
from ..store import breakpoints
from ..store.moments import WHOLE, Moments
from ..store.reader import Reader
from ..values import Stored, readable
from .cache import Cache
from .cursor import PHASES, Cursor, queued_in
from .moment import Moment, unflushed_call, unflushed_write
from .source import Head, last_phase

MOST_PROBLEMS = 1000
"""The number of problems of a frame that are read to tell those that FLUSH found."""
Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Task:
    """The standing of a task, as ``schedule`` takes it."""

    status: str
    settled: bool
    task_id: str


class RecordedSource:
    """An execution in its file. Safe on any thread."""

    publication: Publication | None = None
    told: dict[Any, Any] | None = None
    """The facts in words, by the fact, where the records no longer change: answers share most of them."""
    gone: dict[tuple[str, int], str] | None = None
    """The names of nodes that have left the plan, by id and last frame, where the records no longer change."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id
        self.file = Moments(reader, execution_id)
        self.cache = Cache()

    # ---- the execution -----------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The execution as a whole."""
        found, last = self.reader.execution(self.execution_id), self.reader.last_frame(self.execution_id)
        return Head(
            execution_id=found.execution_id,
            name=found.name,
            status=found.status,
            reason=found.reason,
            over=found.status in OVER,
            recorded=last,
            frame=last,
        )

    def together(self) -> AbstractContextManager[None]:
        """Read everything that is asked for meanwhile, on this thread, over one connection."""
        return self.reader.together()

    def once(self, cursor: Cursor, what: str, read: Callable[[], Answer]) -> Answer:
        """Return an answer at a cursor, which may be kept for the panes of the same cursor."""
        return read()

    def totals(self) -> tuple[int, float | None]:
        """Return the tokens, and the cost in USD, of all tasks; None where no price is known."""
        return self.reader.totals(self.execution_id)

    def windows(self) -> list[RateWindow]:
        """Return the window of each model that may be asked only at times."""
        return self.reader.rate_windows()

    # ---- frames ------------------------------------------------------------------------------------------------

    def cursor(self, at: int | None = None, phase: str | None = None, base: int | None = None) -> Cursor:
        """Return the cursor at a recorded frame and phase, or after the last phase of the last frame without ``at``.

        Raises:
            StoreError: if there is no such frame.
        """
        if at is None:
            at = self.reader.last_frame(self.execution_id)
            if not at:
                return Cursor(0, None, live=False, tree=EMPTY, dry=True)
            phase = phase or Phase.FLUSH
        found = self.frame(at)
        if found is None:
            raise StoreError(f"there is no frame {at}. It has {_frames(self.head.recorded)}.")
        # A frame is first seen at rest, where its writes wait: after FLUSH they would be gone from view.
        wanted = Phase(phase or Phase.EFFECTS)
        done = min(wanted, last_phase(found), key=PHASES.index)
        if done is Phase.SNAPSHOT:
            return Cursor(at, done, live=False, tree=self.tree(at - 1), base=at - 1)
        tree = self.tree(at)
        if done is Phase.RENDER and base is None:
            # RECONCILE finds the differences: before it there are none to show, unless someone asks to compare.
            return Cursor(at, done, live=False, tree=tree, base=at - 1)
        if base == 0:
            return Cursor(at, done, live=False, tree=tree)
        against = at - 1 if base is None else base
        before, changes = self.compared_with(against, tree)
        return Cursor(at, done, live=False, tree=tree, before=before, changes=changes, base=against)

    def frame(self, number: int) -> FrameRecord | None:
        """Return a frame; None if there is none of this number."""
        return self.file.frame(number)

    def tree(self, frame: int) -> Tree:
        """Return the plan of a frame; that of frame 0 is empty."""
        if frame < 1:
            return EMPTY
        return self.cache.tree(frame, lambda: self.reader.tree(self.file.owner(frame), frame)[0])

    def compared_with(self, frame: int, tree: Tree) -> tuple[Tree, Changes]:
        """Return the plan of another frame, and the difference from it to a plan."""
        before = self.tree(frame)
        return before, self.cache.difference(before, tree)

    def frame_totals(self, since: int) -> list[FrameTotals]:
        """Return the totals of every frame from ``since`` on."""
        return self.file.totals(since)

    def events_by_frame(self, since: int) -> dict[str, list[tuple[int, int]]]:
        """Return by kind (frame, count) of problems, hits and output from a frame on."""
        return self.file.events_by_frame(since)

    # ---- nodes -------------------------------------------------------------------------------------------------

    def standing(self, cursor: Cursor) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return by node id the status of each runnable, phase and loop, and the id of each runnable's newest task."""
        if not cursor.reached(Phase.COMMIT):
            # A node has no standing in a frame before COMMIT has put it into the plan.
            return self.standing_of(cursor.frame - 1, self.tree(cursor.frame - 1), file=self.file.up_to(cursor.frame))
        return self.standing_of(cursor.frame, cursor.tree, begun=cursor.reached(Phase.EXECUTE))

    def stood(self, cursor: Cursor) -> Mapping[str, str]:
        """Return by node id the status of the nodes that a cursor is compared with."""
        if cursor.base < 1 or cursor.phase is None:
            return {}
        last = self.reader.last_frame(self.execution_id)
        # The tasks of the newest frame may still end.
        keep = cursor.base < last
        return self.cache.standing(cursor.base, keep, lambda: self.standing_in(cursor.base, self.tree(cursor.base)))

    def standing_of(
        self, frame: int, tree: Tree, *, begun: bool = True, file: Moments | None = None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the standing of the nodes of a frame's plan, and the id of each runnable's newest task.

        That is before the next frame began, or, if its EXECUTE had not ``begun``, when the frame itself began;
        ``file`` has the tasks, where they are not those of the frame's owner.
        """
        if file is None:
            file = self.file.up_to(frame)
        # Tasks start and end in EXECUTE and later; until then they stand as the frame before left them.
        until = file.ended(frame if begun else frame - 1)
        asking = _asking(file, until)
        tasks: dict[str, _Task] = {}
        # A long run has thousands of tasks whose nodes have left.
        for task in file.newest_tasks(frame, [id for id, node in tree.index.items() if node.type in RUNNABLE]):
            settled = task.settled_at_frame is not None and task.settled_at_frame < frame
            tasks[task.node_id] = _Task(task.status_at(until, asking), settled, task.task_id)
        stood = schedule(tree, tasks)
        if stood.loops:
            _end_loops(tree, stood, self.reader.loops(file.execution_id))
        return stood.status, {id: task.task_id for id, task in tasks.items()}

    def standing_in(self, frame: int, tree: Tree) -> Mapping[str, str]:
        """Return by node id the status of the nodes of a recorded frame, before the next one began."""
        # A branch begins what its parent had not settled: the first frame after the fork found it so.
        return self.standing_of(frame, tree, file=self.file.up_to(frame + 1))[0]

    def mounted_at(self, node_id: str, frame: int) -> int:
        """Return the frame in which a node of a frame was mounted."""
        return self.reader.mounted_at(self.execution_id, node_id, frame)

    def component(self, cursor: Cursor, path: str) -> tuple[str | None, list[tuple[str, str]]]:
        """Return the name of the component that rendered the node at a path, and the (scope, key) that it reads."""
        for prefix in prefixes_of(path):
            name = component_of(prefix)
            # Elements are written small: the nearest capital name is the component.
            if name[:1].isupper():
                return name, [("state", key) for key in self.file.read_by(prefix, cursor.newest(Phase.RENDER))]
        return None, []

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, cursor: Cursor) -> list[WriteRecord]:
        """Return the writes of the frame in the order in which they apply, as far as its phases have queued them."""
        known = self.file.writes(cursor.frame)
        if cursor.phase is Phase.FLUSH:
            return known
        committed: dict[tuple[str, str], Excerpt | None] = {}
        for write in known:
            # Later writes of a key replace what FLUSH has just applied; the first one has the committed value.
            committed.setdefault((write.scope, write.key), write.old)
        late = self._failed_in_flush(cursor.frame)
        return [
            unflushed_write(write, committed[write.scope, write.key], fails=write.node_id in late)
            for write in known
            if cursor.reached(queued_in(write.origin))
        ]

    def _failed_in_flush(self, frame: int) -> set[str | None]:
        """Return the nodes of whose transactions an update raised, which only FLUSH found out."""
        found = self.file.events("problem", frame, MOST_PROBLEMS, since=frame)
        return {event.node_id for event in found if json.loads(event.payload)["phase"] == Phase.FLUSH}

    def editable(self, cursor: Cursor) -> bool:
        """Return whether the writes can still be edited."""
        return False

    def state(self, cursor: Cursor, most: int) -> tuple[int, list[ValueRecord]]:
        """Return the number of values, and the first of them: those that the frame read; after FLUSH, its outcome."""
        return self.file.state(cursor.values_frame, most)

    def volatile(self, key: str) -> ValueRecord | None:
        """Return a volatile value, live; None where there is none."""
        return None

    def texts(self) -> dict[str, str | None]:
        """Return the newest state, by key, as JSON."""
        last = self.reader.last_frame(self.execution_id)
        return {key: stored.text for key, (stored, _) in self.reader.state(self.execution_id, last + 1).items()}

    def readers(
        self, cursor: Cursor, wanted: Iterable[tuple[str, str]], most: int
    ) -> dict[tuple[str, str], list[ReaderRecord]]:
        """Return by (scope, key) the components that read it, at most ``most`` each."""
        # Reads of volatile values are not recorded: they mean nothing to another process.
        recorded = self.file.readers([key for scope, key in wanted if scope == "state"], cursor.newest(Phase.RENDER))
        shown = {key: paths[:most] for key, paths in recorded.items()}
        first = _first_nodes(cursor.tree, {path for paths in shown.values() for path in paths})
        return {
            ("state", key): [ReaderRecord(component_of(path), path, first.get(path)) for path in paths]
            for key, paths in shown.items()
        }

    # ---- calls and tasks ---------------------------------------------------------------------------------------

    def calls(self, cursor: Cursor, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to the cursor, newest frame first."""
        found = self.file.handlers(cursor.newest(Phase.EXECUTE), most)
        if cursor.phase is Phase.FLUSH or all(one.call.status != "raised" for one in found):
            return found
        late = self._failed_in_flush(cursor.frame)
        return [unflushed_call(one, cursor.frame, late) for one in found]

    def fired(self, cursor: Cursor) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event the number of calls up to the cursor, and the status of the last one."""
        found = self.file.fired(cursor.newest(Phase.EXECUTE))
        if not cursor.reached(Phase.EXECUTE) or cursor.phase is Phase.FLUSH:
            return found
        for node_id in self._failed_in_flush(cursor.frame):
            for event in ("on_finished", "on_error", "on_progress"):
                count, _ = found.get((str(node_id), event), (0, ""))
                if count:
                    found[str(node_id), event] = (count, "ok")
        return found

    def raised(self, cursor: Cursor) -> set[tuple[str, str]]:
        """Return (task id, event) of the handlers whose last call up to the cursor raised."""
        # Most executions have no error, and the calls of all their frames need not be gone through.
        if not self.errors():
            return set()
        found = self.file.raised(cursor.newest(Phase.EXECUTE))
        if cursor.phase is Phase.FLUSH or all(call.frame != cursor.frame for call in found.values()):
            return set(found)
        late = self._failed_in_flush(cursor.frame)
        return {place for place, call in found.items() if call.frame != cursor.frame or call.node_id not in late}

    def tasks(self, cursor: Cursor, most: int) -> list[TaskRecord]:
        """Return the newest tasks up to the cursor, newest first, as they stood there; without results."""
        moment = self._moment(cursor)
        file = self.file.up_to(cursor.frame)
        return [moment.task(task) for task in file.tasks(cursor.newest(Phase.COMMIT), most)]

    def task(self, cursor: Cursor, task_id: str) -> TaskRecord | None:
        """Return a task as it stood at the cursor, without its result; None if there is none of this id."""
        task = self.file.up_to(cursor.frame).task(task_id)
        if task is None:
            return None
        return self._moment(cursor).task(task)

    def progress(self, cursor: Cursor, node_id: str, task_id: str) -> TaskProgress | None:
        """Return the live progress of a task; None where the cursor is recorded, or the task is not the newest."""
        return None

    def questions(self) -> list[Question]:
        """Return the questions that wait for people."""
        return self.reader.questions(self.execution_id)

    def asked(self, cursor: Cursor, task_id: str) -> list[QuestionRecord]:
        """Return the questions of a task up to the cursor, oldest first, as they stood there."""
        return self._moment(cursor).questions(task_id, self.file.up_to(cursor.frame).asked(task_id))

    def _moment(self, cursor: Cursor) -> Moment:
        until = self._until(cursor)
        return Moment(cursor, until, _asking(self.file.up_to(cursor.frame), until))

    def _until(self, cursor: Cursor) -> str | None:
        """Return the time up to which a cursor shows tasks: that at which the frame gave way to the next one, None for
        the newest frame; before EXECUTE, in which tasks start and end, that at which the frame began.
        """
        return self.file.up_to(cursor.frame).ended(cursor.newest(Phase.EXECUTE))

    # ---- events ------------------------------------------------------------------------------------------------

    def output(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of printed pieces up to the frame, and the newest ones at the cursor, oldest first."""
        found = self.file.events("output", cursor.frame, most)[::-1]
        known = [event for event in found if cursor.has_seen(event)]
        return self.file.count("output", cursor.frame) - (len(found) - len(known)), known

    def problems(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of problems up to the frame, and the newest of them: errors first, each newest first."""
        until = cursor.frame
        if cursor.live:
            # A frame that could not be made has the number of the one that is made in its place, after this one.
            until += 1
        found = [event for kind in PROBLEMS for event in self.file.events(kind, until, most)]
        known = [event for event in found if cursor.has_seen(event)]
        return sum(self.file.count(kind, until) for kind in PROBLEMS) - (len(found) - len(known)), known

    def errors(self) -> int:
        """Return the number of errors in all frames so far, without hints."""
        return self.file.count("problem", sys.maxsize)

    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Return the breakpoints, oldest first."""
        return tuple(breakpoints.load(self.reader, self.execution_id))

    def hits(self, until: int, most: int) -> list[tuple[Hit, str]]:
        """Return the newest hits up to a frame, newest first, each with its time in ISO 8601."""
        return breakpoints.hits(self.reader, self.file.line, until, most)

    # ---- everything else ---------------------------------------------------------------------------------------

    def whole(self, place: Sequence[object]) -> Stored | None:
        """Return the whole text of an ``Excerpt.place``; None if it is gone."""
        match list(place):
            case ["prop", int() as frame, str() as id, str() as name]:
                node = self.cursor(frame or None).tree.index.get(id)
                if node is not None and name in node.props:
                    return readable(node.props[name])
            case ["prompt" | "text", int() as frame, str() as id]:
                node = self.cursor(frame or None).tree.index.get(id)
                if node is not None:
                    return Stored(node.legible, "text")
            case ["message", str() as task, int() as call, int() as part]:
                found_parts = [one.parts for one in self.file.exchanges(task) if one.call.id == call]
                if found_parts and 0 <= part < len(found_parts[0]):
                    return Stored(found_parts[0][part].text, "text")
            # The page sends these names back, and they become SQL: only those of the table are taken.
            case [str() as table, str() as column, *at] if (table, column) in WHOLE:
                found = self.file.whole(table, column, at)
                if found is None:
                    return None
                if table == "events":
                    return Stored(json.loads(found[0])["text"], "text")
                return Stored(found[0], found[1] or kind_of(found[0]))
        return None


def _asking(file: Moments, until: str | None) -> Collection[str]:
    """Return the ids of the tasks that waited for a person at a time; none for now, which their status tells."""
    if until is None:
        return ()
    return file.asking(until)


def _end_loops(tree: Tree, stood: Schedule, recorded: Mapping[str, LoopState]) -> None:
    """Give the loops that have ended their recorded status."""
    for (_, id), state in stood.loops.items():
        # A loop that has ended does not continue when its condition changes its mind.
        ended = recorded.get(id)
        if ended is None or ended.status == "running":
            continue
        if ended.iteration == state.iteration - 1 and ended.iteration == tree.index[id].props["iteration"]:
            stood.status[id] = ended.status


def _frames(last: int) -> str:
    if not last:
        return "none yet"
    return f"the frames 1 to {last}"


def _first_nodes(tree: Tree, components: set[str]) -> dict[str, str]:
    """Return the id of the first node that each of these components rendered."""
    found: dict[str, str] = {}
    for node in tree.walk():
        if len(found) == len(components):
            break
        for prefix in prefixes_of(node.path):
            if prefix in components:
                found.setdefault(prefix, node.id)
    return found
