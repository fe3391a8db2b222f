"""Where a cursor stands: live, or at a recorded frame and phase. Every pane is read from one of these."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from ..engine.schedule import RUNNABLE, schedule
from ..errors import StoreError
from ..execution import Execution
from ..nodes.diff import Changes, diff
from ..nodes.tree import EMPTY, Tree
from ..records import Phase
from ..store.moments import Moments, Row

TREES = 16
"""How many recorded trees are kept: dragging goes back and forth between neighbours."""


NONE = Changes()
"""Nothing is marked."""


@dataclass(frozen=True)
class Moment:
    """A frame at a phase, with what it is compared with."""

    frame: int
    phase: Phase | None
    """The last phase that is done; None before the first frame."""
    live: bool
    tree: Tree
    before: Tree = EMPTY
    changes: Changes = NONE
    base: int = 0
    """The frame that it is compared with; 0 for none."""
    dry: bool = False
    row: Row | None = None
    """Of a recorded one, what the file says of it."""

    def since(self, phase: Phase) -> bool:
        """Whether a phase of this frame is done."""
        return self.phase is not None and list(Phase).index(self.phase) >= list(Phase).index(phase)


@dataclass(slots=True)
class _Task:
    """How a task stood."""

    status: str
    settled: bool
    task_id: str


class Records:
    """Reads moments of one execution. Safe on any thread."""

    def __init__(self, ex: Execution, dry: Tree) -> None:
        self.ex = ex
        self.dry = dry
        """The tree as it was rendered before the first frame."""
        self.store = Moments(ex.store.reader, ex.execution_id)
        self._trees: OrderedDict[int, Tree] = OrderedDict()
        self._last = (EMPTY, EMPTY, NONE)
        """The two plans that were compared last, with what is different."""
        self._stood_last: tuple[int, dict[str, str]] = (0, {})
        """A frame, and how its nodes stood."""
        self._lock = threading.Lock()

    def moment(self, at: int | None = None, phase: str | None = None, base: int | None = None) -> Moment:
        """Return where a cursor stands.

        Raises:
            StoreError: if there is no such frame.
        """
        return self._live(base) if at is None else self._recorded(at, phase, base)

    def tree(self, frame: int) -> Tree:
        """Return a recorded plan; that of frame 0 is empty."""
        if frame < 1:
            return EMPTY
        with self._lock:
            if frame in self._trees:
                self._trees.move_to_end(frame)
                return self._trees[frame]
        tree, _ = self.ex.store.reader.tree(self.ex.execution_id, frame)
        with self._lock:
            self._trees[frame] = tree
            if len(self._trees) > TREES:
                self._trees.popitem(last=False)
        return tree

    def _live(self, base: int | None) -> Moment:
        ex, draft = self.ex, self.ex.draft
        if draft is not None and draft.phase is not None:
            number, phase, tree = draft.number, draft.phase, draft.tree
            before, changes, against = draft.before, draft.changes, number - 1
        elif ex.recorded:
            number = ex.recorded
            phase, tree = last_phase(self.store.frame(number)), self.tree(number)
            before, changes, against = EMPTY, NONE, 0
        else:
            return Moment(0, None, True, ex.swapped or self.dry, dry=True)
        if (swapped := ex.swapped) is not None:
            return Moment(number, phase, True, swapped, tree, self._compared(tree, swapped), number, dry=True)
        if base is not None:
            against = min(base, ex.recorded)
            before, changes = self._against(against, tree) if against > 0 else (EMPTY, NONE)
        return Moment(number, phase, True, tree, before, changes, against)

    def _recorded(self, at: int, phase: str | None, base: int | None) -> Moment:
        row = self.store.frame(at)
        if row is None:
            last = self.ex.recorded
            raise StoreError(f"there is no frame {at}. It has {f'the frames 1 to {last}' if last else 'none yet'}.")
        last_done = last_phase(row)
        wanted = Phase(phase) if phase else Phase.EFFECTS
        done = min(wanted, last_done, key=list(Phase).index)
        if done is Phase.SNAPSHOT:
            return Moment(at, done, False, self.tree(at - 1), base=at - 1, row=row)
        tree = self.tree(at)
        against = at - 1 if base is None else base
        if done is Phase.RENDER and base is None:
            return Moment(at, done, False, tree, base=at - 1, row=row)
        before, changes = self._against(against, tree) if base != 0 else (EMPTY, NONE)
        return Moment(at, done, False, tree, before, changes, against, row=row)

    def _against(self, frame: int, tree: Tree) -> tuple[Tree, Changes]:
        """Return another frame's plan and what is different."""
        before = self.tree(frame)
        return before, self._compared(before, tree)

    def _compared(self, before: Tree, tree: Tree) -> Changes:
        """Return what is different; it is asked for again and again for the same two."""
        with self._lock:
            one, other, changes = self._last
            if one is before and other is tree:
                return changes
        changes = diff(before, tree)
        with self._lock:
            self._last = (before, tree, changes)
        return changes

    # ---- how the nodes stand -----------------------------------------------------------------------------------

    def status(self, moment: Moment) -> tuple[dict[str, str], dict[str, str]]:
        """Return by node id how runnables and phases stand, and the id of each runnable's newest task."""
        if moment.live:
            tasks = {id: entry.task_id for id, entry in list(self.ex.live.tasks.items())}
            return self.ex.tasks, tasks
        return self._stood(moment.frame, moment.tree)

    def stood(self, moment: Moment) -> Mapping[str, str]:
        """Return how the nodes of the plan that a moment is compared with stood."""
        frame = moment.base
        if frame < 1 or moment.phase is None:
            return {}
        draft = self.ex.draft
        if draft is not None and draft.stood is not None and frame == draft.number - 1:
            return draft.stood
        with self._lock:
            known, standing = self._stood_last
        if known != frame:
            standing = self._stood(frame, moment.before)[0]
            if frame < self.ex.recorded:  # Of the newest one, tasks may still end.
                with self._lock:
                    self._stood_last = (frame, standing)
        return standing

    def stood_at(self, frame: int, tree: Tree) -> dict[str, str]:
        """Return by node id how runnables, phases and loops stood in a recorded frame."""
        return self._stood(frame, tree)[0]

    def _stood(self, frame: int, tree: Tree) -> tuple[dict[str, str], dict[str, str]]:
        until = self.store.ended(frame)
        rows = self.store.newest_tasks(frame)
        tasks = {
            id: _Task(status_at(row, until), _settled(row, frame), row["task_id"])
            for id, row in rows.items()
            if (node := tree.index.get(id)) is not None and node.type in RUNNABLE
        }
        standing = dict(schedule(tree, tasks).status)
        for node in tree.walk():
            if node.type in ("while", "ralph") and node.props.get("iteration"):
                # How far it had come is not recorded, but that it had begun.
                standing[node.id] = {"pending": "running"}.get(known := standing.get(node.id, "running"), known)
        return standing, {id: task.task_id for id, task in tasks.items()}


def last_phase(row: Row | None) -> Phase:
    """Return the last phase that a frame's row tells of: FLUSH writes the times of the three after COMMIT."""
    return Phase.COMMIT if row is None or row["flush_ms"] is None else Phase.FLUSH


def status_at(row: Row, until: str | None) -> str:
    """Return how a task stood at a time; None is now."""
    if until is None:
        return str(row["status"])
    if row["started_at"] is None or row["started_at"] >= until:
        return "pending" if row["ended_at"] is None or row["ended_at"] >= until else str(row["status"])
    return str(row["status"]) if row["ended_at"] is not None and row["ended_at"] < until else "running"


def _settled(row: Row, frame: int) -> bool:
    return row["settled_at_frame"] is not None and row["settled_at_frame"] < frame
