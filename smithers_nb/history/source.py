"""The protocol between records and the panes, which are pure functions of a source at a cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..nodes.tree import Tree
from ..records import (
    Breakpoint,
    CallRecord,
    EventRecord,
    FrameRecord,
    FrameTotals,
    Hit,
    Phase,
    Question,
    QuestionRecord,
    RateWindow,
    ReaderRecord,
    Status,
    TaskRecord,
    ValueRecord,
    WriteRecord,
)
from ..records.publication import Publication, TaskProgress
from ..store.moments import Moments
from ..values import Stored
from .cursor import Cursor

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Head:
    """The execution as a whole."""

    execution_id: str
    name: str
    status: Status
    reason: str
    over: bool
    """True if it has ended, and a step would do nothing."""
    recorded: int
    """The number of the last frame in the file; 0 before the first."""
    frame: int
    """The number of the newest frame, in the file or not."""


class Source(Protocol):
    """The records of one execution. ``RecordedSource`` reads them from the file; ``LiveSource`` lays the engine's last
    publication over them. Called by panes, from any thread. Nothing here executes or writes anything.

    A question is a method here only if the answer depends on the cursor's phase, or on what the engine knows and the
    file does not. Every other one goes to ``file``: there live equals recorded because both are the same read.
    """

    @property
    def file(self) -> Moments:
        """The records that are in the file."""

    # ---- the execution -----------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """The execution as a whole."""

    # For what has no record and no past, as the texts that tasks stream. A pane that can be shown of a past frame asks
    # the methods below instead, so that live equals recorded.
    @property
    def publication(self) -> Publication | None:
        """The running engine's own account; None where no engine runs this execution."""

    # A pane asks a dozen times, and SQLite reads the schema with each connection.
    def together(self) -> AbstractContextManager[None]:
        """Read everything that is asked for meanwhile, on this thread, over one connection."""

    @property
    def gone(self) -> dict[tuple[str, int], str] | None:
        """The names of nodes that have left the plan, by id and last frame, where the records no longer change."""

    def once(self, cursor: Cursor, what: str, read: Callable[[], Answer]) -> Answer:
        """Return an answer at a cursor, which may be kept for the panes of the same cursor."""

    def totals(self) -> tuple[int, float | None]:
        """Return the tokens, and the cost in USD, of all tasks; None where no price is known."""

    def windows(self) -> list[RateWindow]:
        """Return the window of each model that may be asked only at times."""

    # ---- frames ------------------------------------------------------------------------------------------------

    def cursor(self, at: int | None = None, phase: str | None = None, base: int | None = None) -> Cursor:
        """Return the cursor at a recorded frame and phase, or the newest place without ``at``.

        Raises:
            StoreError: if there is no such frame.
        """

    def frame(self, number: int) -> FrameRecord | None:
        """Return a frame; None if there is none of this number."""

    def tree(self, frame: int) -> Tree:
        """Return the plan of a frame; that of frame 0 is empty."""

    def frame_totals(self, since: int) -> list[FrameTotals]:
        """Return the totals of every frame from ``since`` on."""

    def events_by_frame(self, since: int) -> dict[str, list[tuple[int, int]]]:
        """Return by kind (frame, count) of problems, hits and output from a frame on."""

    # ---- nodes -------------------------------------------------------------------------------------------------

    # Not stored, but computed of any frame's plan and tasks: a table of it would have a row for each node and frame.
    def standing(self, cursor: Cursor) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return by node id the status of each runnable, phase and loop, and the id of each runnable's newest task."""

    def stood(self, cursor: Cursor) -> Mapping[str, str]:
        """Return by node id the status of the nodes that a cursor is compared with."""

    def standing_in(self, frame: int, tree: Tree) -> Mapping[str, str]:
        """Return by node id the status of the nodes of a recorded frame, before the next one began."""

    def mounted_at(self, node_id: str, frame: int) -> int:
        """Return the frame in which a node of a frame was mounted."""

    def component(self, cursor: Cursor, path: str) -> tuple[str | None, list[tuple[str, str]]]:
        """Return the name of the component that rendered the node at a path, and the (scope, key) that it reads."""

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, cursor: Cursor) -> list[WriteRecord]:
        """Return the writes of the frame in the order in which they apply, as far as its phases have queued them."""

    def editable(self, cursor: Cursor) -> bool:
        """Return whether the writes can still be edited."""

    def state(self, cursor: Cursor, most: int) -> tuple[int, list[ValueRecord]]:
        """Return the number of values, and the first of them: those that the frame read; after FLUSH, its outcome."""

    def volatile(self, key: str) -> ValueRecord | None:
        """Return a volatile value, live; None where there is none."""

    def texts(self) -> dict[str, str | None]:
        """Return the newest state, by key, as JSON."""

    def readers(
        self, cursor: Cursor, wanted: Iterable[tuple[str, str]], most: int
    ) -> dict[tuple[str, str], list[ReaderRecord]]:
        """Return by (scope, key) the components that read it, at most ``most`` each."""

    # ---- calls and tasks ---------------------------------------------------------------------------------------

    def calls(self, cursor: Cursor, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to the cursor, newest frame first."""

    def fired(self, cursor: Cursor) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event the number of calls up to the cursor, and the status of the last one."""

    def raised(self, cursor: Cursor) -> set[tuple[str, str]]:
        """Return (task id, event) of the handlers whose last call up to the cursor raised."""

    def tasks(self, cursor: Cursor, most: int) -> list[TaskRecord]:
        """Return the newest tasks up to the cursor, newest first, as they stood there; without results."""

    def task(self, cursor: Cursor, task_id: str) -> TaskRecord | None:
        """Return a task as it stood at the cursor, without its result; None if there is none of this id."""

    def progress(self, cursor: Cursor, node_id: str, task_id: str) -> TaskProgress | None:
        """Return the live progress of a task; None where the cursor is recorded, or the task is not the newest."""

    def questions(self) -> list[Question]:
        """Return the questions that wait for people, those of children included."""

    def asked(self, cursor: Cursor, task_id: str) -> list[QuestionRecord]:
        """Return the questions of a task up to the cursor, oldest first, as they stood there."""

    # ---- events ------------------------------------------------------------------------------------------------

    def output(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of printed pieces up to the frame, and the newest ones at the cursor, oldest first."""

    def problems(self, cursor: Cursor, most: int) -> tuple[int, list[EventRecord]]:
        """Return the number of problems up to the frame, and the newest of them: errors first, each newest first."""

    def errors(self) -> int:
        """Return the number of errors in all frames so far, without hints."""

    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Return the breakpoints, oldest first."""

    def hits(self, until: int, most: int) -> list[tuple[Hit, str]]:
        """Return the newest hits up to a frame, newest first, each with its time in ISO 8601."""

    # ---- everything else ---------------------------------------------------------------------------------------

    def whole(self, place: Sequence[object]) -> Stored | None:
        """Return the whole text of an ``Excerpt.place``; None if it is gone."""


def last_phase(frame: FrameRecord | None) -> Phase:
    """Return the last phase of a frame that is done, as far as the file tells."""
    if frame is None:
        return Phase.COMMIT
    return frame.phase
