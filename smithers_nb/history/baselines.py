"""Baselines: the plans that a cursor's plan is compared with, where they are not of its own execution."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from ..errors import SmithersError
from ..nodes.tree import EMPTY, Tree
from ..records import Phase
from ..store.facts import facts_by_turn
from ..store.prune import oldest_frame, refuse_pruned
from .aligned import Aligned
from .cache import Cache
from .compare import Comparison, compare
from .cursor import NONE, Cursor
from .recorded import RecordedSource

Found = TypeVar("Found")


class EditedFrame(Protocol):
    """A recorded frame as edited code renders it."""

    @property
    def frame(self) -> int: ...
    @property
    def same(self) -> bool: ...
    @property
    def pending(self) -> bool: ...


class Edited(Protocol):
    """The recorded frames of an execution as edited code renders them: a ``Rerender``, whose floor is above."""

    @property
    def text(self) -> str: ...
    @property
    def first(self) -> int | None: ...
    @property
    def frames(self) -> Sequence[EditedFrame]: ...

    def tree(self, frame: int) -> Tree:
        """Return the plan that the edited code renders of a recorded frame."""


EDITED = "edited code"


def laid_over(cursor: Cursor, edited: Edited | None, cache: Cache) -> tuple[Cursor, str]:
    """Return a cursor whose plan is that of the edited code, compared with the recorded one; and its name in words."""
    newest = edited.frames[-1].frame if edited is not None and edited.frames else 0
    if cursor.dry or cursor.phase is None or edited is None:
        return cursor, EDITED
    frame = cursor.frame - 1 if cursor.phase is Phase.SNAPSHOT else cursor.frame
    unmarked = replace(cursor, before=EMPTY, changes=NONE, base=0)
    if not 1 <= frame <= newest:
        return unmarked, f"{EDITED}, which was given frames 1 to {newest}"
    # One goes along the frames with this: code that raises in some of them must not stand in the way.
    try:
        tree = edited.tree(frame)
    except SmithersError as error:
        why, _, _ = str(error).partition("\n")
        return unmarked, f"{EDITED}, which can't render this frame: {why}"
    changes = cache.difference(cursor.tree, tree)
    return replace(cursor, tree=tree, before=cursor.tree, changes=changes, base=frame, edited=True), EDITED


class Baselines:
    """The other executions of a file, compared with one. Results are kept until either has a new frame.

    Safe on any thread: two may read the same, and either result is right.
    """

    def __init__(self, recorded: RecordedSource) -> None:
        self._recorded = recorded
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[object, object]] = {}
        self._others: dict[str, RecordedSource] = {}

    def source(self, other: str) -> RecordedSource:
        """Return the source of another execution, by its id or name.

        Raises:
            UnknownExecutionError: naming those that there are.
        """
        reader = self._recorded.reader
        id = reader.execution_id(other)
        with self._lock:
            if id not in self._others:
                # One baseline is looked at: those before it are of no use.
                self._others = {id: RecordedSource(reader, id)}
                self._kept = {key: kept for key, kept in self._kept.items() if key[1] in (id, "")}
            return self._others[id]

    def aligned(self, other: RecordedSource) -> Aligned:
        """Return the frames of another execution by those of this one."""

        def align() -> Aligned:
            return self._aligned(self._recorded, other)

        return self._while_same("aligned", other, align)

    def reverse(self, other: RecordedSource) -> Aligned:
        """Return the frames of this execution by those of the other."""

        def align() -> Aligned:
            return self._aligned(other, self._recorded)

        return self._while_same("reverse", other, align)

    def comparison(self, other: RecordedSource) -> Comparison:
        """Return how this execution differs from the other."""
        here, there = self._recorded, other
        return self._while_same(
            "comparison",
            other,
            lambda: compare((here.reader, here.execution_id), (there.reader, there.execution_id)),
        )

    def match(self, cursor: Cursor, other: RecordedSource) -> int:
        """Return the frame of another execution that matches a cursor; 0 if there is none."""
        if cursor.dry or cursor.frame < 1:
            return 0
        aligned = self.aligned(other)
        if cursor.reached(Phase.COMMIT):
            return aligned.match(cursor.frame)
        before = aligned.match(cursor.frame - 1)
        if cursor.phase is Phase.SNAPSHOT:
            return before
        # What this frame does is in no file yet: it goes one further with the other.
        return min(before + 1, other.head.frame)

    def laid_under(self, cursor: Cursor, other: RecordedSource) -> Cursor:
        """Return a cursor whose plan is compared with the matching frame of another execution.

        Raises:
            StoreError: if that frame was pruned.
        """
        if cursor.dry or cursor.phase is None:
            return cursor
        match = self.match(cursor, other)
        if match:
            # Parts of its plan may be left in the file: as a whole plan they would lie.
            refuse_pruned(other.reader, other.file.owner(match), match)
        tree = other.tree(match)
        changes = self._recorded.cache.difference(tree, cursor.tree)
        stood = other.standing_in(match, tree) if match else {}
        return replace(cursor, before=tree, changes=changes, base=match, stood=stood)

    @staticmethod
    def _aligned(one: RecordedSource, other: RecordedSource) -> Aligned:
        mine, its = (facts_by_turn(source.reader, source.execution_id, of_frames=True) for source in (one, other))
        oldest = oldest_frame(other.reader, other.execution_id)
        return Aligned(mine, its, oldest=oldest, last=other.head.frame)

    def _while_same(self, what: str, other: RecordedSource, read: Callable[[], Found]) -> Found:
        """Return a result that is kept, or a new one if either execution has moved since."""
        stamp = (self._stamp(self._recorded), self._stamp(other))
        with self._lock:
            known, found = self._kept.get((what, other.execution_id), (None, None))
        if known == stamp:
            return found  # type: ignore[return-value]  # kept under the name of what it is
        read_now = read()
        with self._lock:
            self._kept[what, other.execution_id] = (stamp, read_now)
        return read_now

    @staticmethod
    def _stamp(source: RecordedSource) -> object:
        # What changes within a frame is seen with the next one: to look into every table would cost what this saves.
        reader, id = source.reader, source.execution_id
        return reader.last_frame(id), reader.last_flushed(id), reader.execution(id).status
