"""A source over the file alone: no engine runs, and none is needed."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ..artifacts import Artifact
from ..errors import StoreError
from ..identity import prefixes_of
from ..nodes.diff import Changes, diff
from ..nodes.schedule import RUNNABLE, schedule
from ..nodes.tree import EMPTY, Tree
from ..records import (
    PROBLEMS,
    Author,
    Breakpoint,
    CallRecord,
    EventRecord,
    Excerpt,
    FrameRecord,
    FrameTotals,
    HandlerCall,
    Hit,
    ModelCallRecord,
    NodeVersion,
    Phase,
    Question,
    QuestionRecord,
    RateWindow,
    ReaderRecord,
    SearchHit,
    TaskFrames,
    TaskRecord,
    ToolCallRecord,
    ValueRecord,
    ValueVersion,
    WriteRecord,
)
from ..records.excerpt import kind_of
from ..records.publication import Publication, TaskProgress
from ..store import breakpoints
from ..store.moments import WHOLE, Moments
from ..store.reader import Reader
from ..values import Stored, readable
from .cursor import NONE, PHASES, Cursor
from .source import Head, last_phase

TREES = 16
"""The number of recorded plans that are kept: dragging goes back and forth between neighbours."""
MOST_PROBLEMS = 1000
"""The number of problems of a frame that are read to tell those that FLUSH found."""
ENDED = frozenset({"succeeded", "failed", "cancelled", "abandoned"})
OVER = frozenset({"finished", "failed", "stalled", "terminated"})
QUEUED_BY = {"handler": Phase.EXECUTE, "init": Phase.RENDER, "effect": Phase.EFFECTS}
"""The phase that queues the writes of an origin; those of people and tasks arrive in between."""


@dataclass(slots=True)
class _Task:
    """The standing of a task, as ``schedule`` takes it."""

    status: str
    settled: bool
    task_id: str


class RecordedSource:
    """An execution in its file. Safe on any thread."""

    publication: Publication | None = None

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id
        self.moments = Moments(reader, execution_id)
        self.cache = Cache()

    # ---- the execution -----------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The execution as a whole."""
        found, last = self.reader.execution(self.execution_id), self.reader.last_frame(self.execution_id)
        return Head(found.execution_id, found.name, found.status, found.reason, found.status in OVER, last, last)

    def together(self) -> AbstractContextManager[None]:
        """Read everything that is asked for meanwhile, on this thread, over one connection."""
        return self.reader.together()

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
                return Cursor(0, None, False, EMPTY, dry=True)
            phase = phase or Phase.FLUSH
        found = self.frame(at)
        if found is None:
            last = self.head.recorded
            raise StoreError(f"there is no frame {at}. It has {f'the frames 1 to {last}' if last else 'none yet'}.")
        wanted = Phase(phase) if phase else Phase.EFFECTS
        done = min(wanted, last_phase(found), key=PHASES.index)
        if done is Phase.SNAPSHOT:
            return Cursor(at, done, False, self.tree(at - 1), base=at - 1)
        tree = self.tree(at)
        if done is Phase.RENDER and base is None:
            return Cursor(at, done, False, tree, base=at - 1)
        against = at - 1 if base is None else base
        before, changes = self.compared_with(against, tree) if base != 0 else (EMPTY, NONE)
        return Cursor(at, done, False, tree, before, changes, against)

    def frame(self, number: int) -> FrameRecord | None:
        """Return a frame; None if there is none of this number."""
        return self.moments.frame(number)

    def tree(self, frame: int) -> Tree:
        """Return the plan of a frame; that of frame 0 is empty."""
        if frame < 1:
            return EMPTY
        return self.cache.tree(frame, lambda: self.reader.tree(self.execution_id, frame)[0])

    def compared_with(self, frame: int, tree: Tree) -> tuple[Tree, Changes]:
        """Return the plan of another frame, and the difference from it to a plan."""
        before = self.tree(frame)
        return before, self.cache.difference(before, tree)

    def frame_totals(self, since: int) -> list[FrameTotals]:
        """Return the totals of every frame from ``since`` on."""
        return self.moments.totals(since)

    def events_by_frame(self, since: int) -> dict[str, list[tuple[int, int]]]:
        """Return by kind (frame, count) of problems, hits and output from a frame on."""
        return self.moments.events_by_frame(since)

    def tasks_by_frame(self, since: int) -> list[tuple[int, int]]:
        """Return (frame, number of tasks that were mounted) from a frame on."""
        return self.moments.tasks_by_frame(since)

    def keys_by_frame(self, since: int, most: int) -> list[tuple[int, list[str]]]:
        """Return (frame, the first keys that it wrote) from a frame on."""
        return self.moments.keys_by_frame(since, most)

    # ---- nodes -------------------------------------------------------------------------------------------------

    def standing(self, cursor: Cursor) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return by node id the status of each runnable, phase and loop, and the id of each runnable's newest task."""
        if not cursor.reached(Phase.COMMIT):
            # A node has no standing in a frame before COMMIT has put it into the plan.
            return self.standing_of(cursor.frame - 1, self.tree(cursor.frame - 1))
        return self.standing_of(cursor.frame, cursor.tree, begun=cursor.reached(Phase.EXECUTE))

    def stood(self, cursor: Cursor) -> Mapping[str, str]:
        """Return by node id the status of the nodes that a cursor is compared with."""
        if cursor.base < 1 or cursor.phase is None:
            return {}
        last = self.reader.last_frame(self.execution_id)
        # The tasks of the newest frame may still end.
        keep = cursor.base < last
        return self.cache.standing(cursor.base, keep, lambda: self.standing_in(cursor.base, self.tree(cursor.base)))

    def standing_of(self, frame: int, tree: Tree, begun: bool = True) -> tuple[dict[str, str], dict[str, str]]:
        """Return the standing of the nodes of a frame's plan, and the id of each runnable's newest task.

        That is before the next frame began, or, if its EXECUTE had not ``begun``, when the frame itself began.
        """
        until = self.moments.ended(frame if begun else frame - 1)
        asking = self.moments.asking(until) if until else set()
        tasks = {
            task.node_id: _Task(task.status_at(until, asking), _settled_before(task, frame), task.task_id)
            for task in self.moments.newest_tasks(frame)
            if (node := tree.index.get(task.node_id)) is not None and node.type in RUNNABLE
        }
        stood = schedule(tree, tasks)
        ended = (
            {id: (count, status) for id, count, status in self.loops() if status != "running"} if stood.loops else {}
        )
        for (_, id), state in stood.loops.items():
            # A loop that has ended does not go on when its condition changes its mind.
            count, status = ended.get(id, (0, ""))
            if count == state.iteration - 1 and count == tree.index[id].props["iteration"]:
                stood.status[id] = status
        return stood.status, {id: task.task_id for id, task in tasks.items()}

    def loops(self) -> list[tuple[str, int, str]]:
        """Return (node id, iteration, status) of every loop in the plan, as it stands now."""
        return self.reader.loops(self.execution_id)

    def standing_in(self, frame: int, tree: Tree) -> Mapping[str, str]:
        """Return by node id the status of the nodes of a recorded frame, before the next one began."""
        return self.standing_of(frame, tree)[0]

    def mounted_at(self, node_id: str, frame: int) -> int:
        """Return the frame in which a node of a frame was mounted."""
        return self.reader.mounted_at(self.execution_id, node_id, frame)

    def node_versions(self, node_id: str) -> list[NodeVersion]:
        """Return the versions of a node, oldest first."""
        return self.moments.node_versions(node_id)

    def component(self, cursor: Cursor, path: str) -> tuple[str | None, list[tuple[str, str]]]:
        """Return the name of the component that rendered the node at a path, and the (scope, key) that it reads."""
        for prefix in prefixes_of(path):
            name = _component_name(prefix)
            if name[:1].isupper():
                return name, [("state", key) for key in self.moments.read_by(prefix, rendered_frame(cursor))]
        return None, []

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, cursor: Cursor) -> list[WriteRecord]:
        """Return the writes of the frame in the order in which they apply, as far as its phases have queued them."""
        known = self.moments.writes(cursor.frame)
        if cursor.phase is Phase.FLUSH:
            return known
        committed: dict[tuple[str, str], Excerpt | None] = {}
        for write in known:
            committed.setdefault((write.scope, write.key), write.old)
        late = self._failed_in_flush(cursor.frame)
        return [
            _before_flush(write, committed[write.scope, write.key], write.node_id in late)
            for write in known
            if _is_queued(write, cursor)
        ]

    def _failed_in_flush(self, frame: int) -> set[str | None]:
        """Return the nodes of whose transactions an update raised, which only FLUSH found out."""
        found = self.moments.events("problem", frame, MOST_PROBLEMS, since=frame)
        return {event.node_id for event in found if json.loads(event.payload)["phase"] == Phase.FLUSH}

    def editable(self, cursor: Cursor) -> bool:
        """Return whether the writes can still be edited."""
        return False

    def write_before(self, key: str, frame: int, seq: int) -> WriteRecord | None:
        """Return the last write that changed a key before (frame, seq)."""
        return self.moments.write_before(key, frame, seq)

    def written(self, key: str) -> list[WriteRecord]:
        """Return every recorded write of a key, in order."""
        return self.moments.written(key)

    def replaced(self, since: int, until: int) -> list[tuple[int, str, str | None]]:
        """Return (frame, key, old value as JSON) of the writes applied to the state in some frames, newest first."""
        return self.moments.replaced(since, until)

    def state(self, cursor: Cursor, most: int) -> tuple[int, list[ValueRecord]]:
        """Return the number of values, and the first of them: those that the frame read; after FLUSH, its outcome."""
        return self.moments.state(values_frame(cursor), most)

    def volatile(self, key: str) -> ValueRecord | None:
        """Return a volatile value, live; None where there is none."""
        return None

    def texts(self) -> dict[str, str | None]:
        """Return the newest state, by key, as JSON."""
        last = self.reader.last_frame(self.execution_id)
        return {key: stored.text for key, (stored, _) in self.reader.state(self.execution_id, last + 1).items()}

    def versions(self, keys: Sequence[str], frame: int, most: int) -> dict[str, list[ValueVersion]]:
        """Return by key the newest versions up to a frame, newest first."""
        return self.moments.versions(keys, frame, most) if keys else {}

    def authors(self, keys: Sequence[str], frames: Iterable[int]) -> dict[tuple[str, int], Author]:
        """Return by key and frame the author of the last change of the key in that frame."""
        return self.moments.authors(keys, frames) if keys else {}

    def readers(
        self, cursor: Cursor, wanted: Iterable[tuple[str, str]], most: int
    ) -> dict[tuple[str, str], list[ReaderRecord]]:
        """Return by (scope, key) the components that read it, at most ``most`` each."""
        recorded = self.moments.readers([key for scope, key in wanted if scope == "state"], rendered_frame(cursor))
        shown = {key: paths[:most] for key, paths in recorded.items()}
        first = _first_nodes(cursor.tree, {path for paths in shown.values() for path in paths})
        return {
            ("state", key): [ReaderRecord(_component_name(path), path, first.get(path)) for path in paths]
            for key, paths in shown.items()
        }

    # ---- calls and tasks ---------------------------------------------------------------------------------------

    def calls(self, cursor: Cursor, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to the cursor, newest frame first."""
        found = self.moments.handlers(_called_until(cursor), most)
        if not cursor.reached(Phase.EXECUTE) or cursor.phase is Phase.FLUSH:
            return found
        late = self._failed_in_flush(cursor.frame) if any(one.call.status == "raised" for one in found) else set()
        return [_before_failing(one) if _fails(one.call, cursor.frame, late) else one for one in found]

    def fired(self, cursor: Cursor) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event the number of calls up to the cursor, and the status of the last one."""
        found = self.moments.fired(_called_until(cursor))
        if cursor.reached(Phase.EXECUTE) and cursor.phase is not Phase.FLUSH:
            for node_id in self._failed_in_flush(cursor.frame):
                for event in ("on_finished", "on_error", "on_progress"):
                    count, _ = found.get((str(node_id), event), (0, ""))
                    if count:
                        found[str(node_id), event] = (count, "ok")
        return found

    def called(self, node_id: str | None, event: str | None) -> list[tuple[int, str, str, str]]:
        """Return (frame, node id, event, status) of the recorded handler calls, oldest first."""
        return self.moments.called(node_id, event)

    def tasks(self, cursor: Cursor, most: int) -> list[TaskRecord]:
        """Return the newest tasks up to the cursor, newest first, as they stood there; without results."""
        until = self._until(cursor)
        last = cursor.frame if cursor.reached(Phase.COMMIT) else cursor.frame - 1
        asking = self.moments.asking(until) if until else set()
        return [_as_of(task, _At(cursor, until, asking)) for task in self.moments.tasks(last, most)]

    def task(self, cursor: Cursor, task_id: str) -> TaskRecord | None:
        """Return a task as it stood at the cursor, without its result; None if there is none of this id."""
        task = self.moments.task(task_id)
        until = self._until(cursor)
        asking = self.moments.asking(until) if until else set()
        return None if task is None else _as_of(task, _At(cursor, until, asking))

    def times(self, task_ids: Sequence[str]) -> dict[str, tuple[str | None, str | None, str | None]]:
        """Return by task id the start, the next attempt, both in ISO 8601, and the reason of its status."""
        return {id: (started, retry, why) for id, started, retry, why in self.moments.times(task_ids)}

    def result(self, task_id: str) -> Excerpt | None:
        """Return the result of a task; None if it has none."""
        return self.moments.result(task_id)

    def progress(self, cursor: Cursor, node_id: str, task_id: str) -> TaskProgress | None:
        """Return the live progress of a task; None where the cursor is recorded, or the task is not the newest."""
        return None

    def tasks_of(self, node_id: str) -> list[TaskFrames]:
        """Return the tasks of a node with the frames in which they began and were settled, oldest first."""
        return self.moments.tasks_of(node_id)

    def turns(self, most: int) -> list[int]:
        """Return the newest frames, oldest first, in which the standing of a node may have changed."""
        return self.moments.turns(most)

    def questions(self) -> list[Question]:
        """Return the questions that wait for people."""
        return self.reader.questions(self.execution_id)

    def asked(self, cursor: Cursor, task_id: str) -> list[QuestionRecord]:
        """Return the questions of a task up to the cursor, oldest first, as they stood there."""
        until = self._until(cursor)
        waits = until is not None and task_id in self.moments.asking(until)
        known = [one for one in self.moments.asked(task_id) if until is None or one.asked_at <= until]
        return [_unanswered(one) if waits and not _answered_before(one, until) else one for one in known]

    def tool_calls(self, task_id: str) -> list[ToolCallRecord]:
        """Return the tool calls of a task, oldest first."""
        return self.moments.tool_calls(task_id)

    def model_calls(self, task_id: str) -> list[ModelCallRecord]:
        """Return the requests of a task to its model, oldest first."""
        return self.moments.model_calls(task_id)

    def _until(self, cursor: Cursor) -> str | None:
        """Return the time up to which a cursor shows tasks: that at which the frame gave way to the next one, None for
        the newest frame; before EXECUTE, in which tasks start and end, that at which the frame began.
        """
        return self.moments.ended(cursor.frame if cursor.reached(Phase.EXECUTE) else cursor.frame - 1)

    # ---- events ------------------------------------------------------------------------------------------------

    def output(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of printed pieces up to the frame, and the newest ones at the cursor, oldest first."""
        found = self.moments.events("output", cursor.frame, most)[::-1]
        known = [event for event in found if has_happened(event, cursor)]
        return self.count("output", cursor.frame) - (len(found) - len(known)), known

    def problems(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of problems up to the frame, and the newest of them: errors first, each newest first."""
        # A frame that could not be made has the number of the one that is made in its place, after this one.
        until = cursor.frame + 1 if cursor.live else cursor.frame
        found = [event for kind in PROBLEMS for event in self.moments.events(kind, until, most)]
        known = [event for event in found if has_happened(event, cursor)]
        return sum(self.count(kind, until) for kind in PROBLEMS) - (len(found) - len(known)), known

    def count(self, kind: str, until: int, since: int = 0) -> int:
        """Return the number of recorded events of a kind from frame ``since`` up to one."""
        return self.moments.count(kind, until, since)

    def events(self, kind: str, until: int, most: int) -> list[EventRecord]:
        """Return the newest recorded events of a kind up to a frame, newest first."""
        return self.moments.events(kind, until, most)

    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Return the breakpoints, oldest first."""
        return tuple(breakpoints.load(self.reader, self.execution_id))

    def hits(self, until: int, most: int) -> list[tuple[Hit, str]]:
        """Return the newest hits up to a frame, newest first, each with its time in ISO 8601."""
        return breakpoints.hits(self.reader, self.execution_id, until, most)

    # ---- everything else ---------------------------------------------------------------------------------------

    def whole(self, place: Sequence[object]) -> Stored | None:
        """Return the whole text of an ``Excerpt.place``; None if it is gone."""
        match list(place):
            case ["prop", int() as frame, str() as id, str() as name]:
                node = self.cursor(frame or None).tree.index.get(id)
                return None if node is None or name not in node.props else readable(node.props[name])
            case ["prompt" | "text", int() as frame, str() as id]:
                node = self.cursor(frame or None).tree.index.get(id)
                return None if node is None else Stored(node.content, "text")
            case [str() as table, str() as column, *at] if (table, column) in WHOLE:
                found = self.moments.whole(table, column, at)
                if found is None:
                    return None
                if table == "events":
                    return Stored(json.loads(found[0])["text"], "text")
                return Stored(found[0], found[1] or kind_of(found[0]))
        return None

    def search(self, text: str, most: int) -> list[SearchHit]:
        """Return the nodes, keys, handlers, tasks and output whose name holds a text."""
        return self.moments.search(text, most)

    def artifacts(self) -> list[Artifact]:
        """Return the artifacts, oldest first."""
        return self.reader.artifacts(self.execution_id)


class Cache:
    """Plans, differences and standings that were read last. Safe on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trees: OrderedDict[int, Tree] = OrderedDict()
        self._difference = (EMPTY, EMPTY, NONE)
        """The two plans that were compared last, with their difference."""
        self._standing: tuple[int, Mapping[str, str]] = (0, {})
        """A frame, and the standing of its nodes."""

    def tree(self, frame: int, read: Callable[[], Tree]) -> Tree:
        """Return the plan of a frame."""
        with self._lock:
            if frame in self._trees:
                self._trees.move_to_end(frame)
                return self._trees[frame]
        tree = read()
        with self._lock:
            self._trees[frame] = tree
            if len(self._trees) > TREES:
                self._trees.popitem(last=False)
        return tree

    def difference(self, before: Tree, after: Tree) -> Changes:
        """Return the difference of two plans; the same two are asked for again and again."""
        with self._lock:
            one, other, changes = self._difference
            if one is before and other is after:
                return changes
        changes = diff(before, after)
        with self._lock:
            self._difference = (before, after, changes)
        return changes

    def standing(self, frame: int, keep: bool, read: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """Return the standing of the nodes of a frame."""
        with self._lock:
            known, standing = self._standing
        if known != frame:
            standing = read()
            if keep:
                with self._lock:
                    self._standing = (frame, standing)
        return standing


def values_frame(cursor: Cursor) -> int:
    """Return the frame whose state a cursor shows: after FLUSH, that which the next frame reads."""
    return cursor.frame + 1 if cursor.phase is Phase.FLUSH else cursor.frame


def rendered_frame(cursor: Cursor) -> int:
    """Return the frame whose plan a cursor shows: until RENDER that before."""
    return cursor.frame if cursor.reached(Phase.RENDER) else cursor.frame - 1


def has_happened(event: EventRecord, cursor: Cursor) -> bool:
    """Return whether something was printed, or went wrong, before the cursor."""
    phase = json.loads(event.payload)["phase"]
    return event.frame != cursor.frame or phase is None or cursor.reached(Phase(phase))


def _is_queued(write: WriteRecord, cursor: Cursor) -> bool:
    """Return whether a recorded write was queued at the cursor."""
    phase = QUEUED_BY.get(write.origin)
    return cursor.phase is Phase.FLUSH if phase is None else cursor.reached(phase)


def _before_flush(write: WriteRecord, committed: Excerpt | None, fails: bool) -> WriteRecord:
    """Return a recorded write as it was while it waited for FLUSH.

    ``committed`` is the value of its key then; ``fails`` says that FLUSH was to find out that it can't be applied.
    """
    decided = write.status in ("edited", "dropped") or (write.status == "rolled_back" and not fails)
    new = write.new if write.op != "update" or decided else None
    return replace(write, status=write.status if decided else "queued", old=committed, new=new)


def _fails(call: HandlerCall, frame: int, late: Collection[str | None]) -> bool:
    return call.frame == frame and call.status == "raised" and call.node_id in late


def _before_failing(found: CallRecord) -> CallRecord:
    """Return a handler call as it was before FLUSH found out that one of its updates raises."""
    return replace(found, call=replace(found.call, status="ok", error=None))


def _called_until(cursor: Cursor) -> int:
    return cursor.frame if cursor.reached(Phase.EXECUTE) else cursor.frame - 1


def _settled_before(task: TaskRecord, frame: int) -> bool:
    return task.settled_at_frame is not None and task.settled_at_frame < frame


@dataclass(frozen=True, slots=True)
class _At:
    """The moment at which tasks are seen."""

    cursor: Cursor
    until: str | None
    """The time, in ISO 8601; None is now."""
    asking: set[str]
    """The ids of the tasks that waited for a person."""

    @property
    def settled(self) -> int:
        """The last frame that has settled tasks: FLUSH does it."""
        done = self.cursor.live or self.cursor.phase is Phase.FLUSH
        return self.cursor.frame if done else self.cursor.frame - 1


def _as_of(task: TaskRecord, at: _At) -> TaskRecord:
    """Return a task as it stood at a moment, without later records."""
    status = task.status_at(at.until, at.asking)
    if status in ENDED:
        # A task whose node is gone is settled by its end.
        last = at.settled if task.node_id in at.cursor.tree.index else at.cursor.frame
        settled = task.settled_at_frame if task.settled_at_frame and task.settled_at_frame <= last else None
        return replace(task, status=status, next_retry_at=None, settled_at_frame=settled)
    begun = replace(
        task,
        status=status,
        started_at=None if status == "pending" else task.started_at,
        ended_at=None,
        settled_at_frame=None,
        # That of an earlier attempt; once it has ended, it is that of its end.
        error=task.error if status == "running" and task.ended_at is None else None,
        input_tokens=None,
        output_tokens=None,
        requests=None,
        cost_usd=None,
    )
    if at.until is None:
        return begun
    tried = status != "pending"
    return replace(
        begun,
        reason="approval" if status == "blocked" else None,
        next_retry_at=None,
        attempt=task.attempt if tried else 0,
        tools=task.tools if tried else 0,
    )


def _answered_before(question: QuestionRecord, until: str | None) -> bool:
    return until is not None and question.answered_at is not None and question.answered_at < until


def _unanswered(question: QuestionRecord) -> QuestionRecord:
    return replace(question, status="waiting", choice=None, comment=None, answered_at=None)


def _component_name(path: str) -> str:
    """Return the name in the last segment of a path: ``Report`` of ``/Report[0]``."""
    return path.rpartition("/")[2].partition("[")[0]


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
