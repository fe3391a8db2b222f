"""The publication of a running execution: its present state, as a record that anyone may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..nodes.diff import Changes
from ..nodes.tree import EMPTY, Tree, TreeNode
from ..values import Stored
from .breakpoint import Breakpoint, Hit
from .frame import Event, Frame, Status
from .question import Question
from .task import TaskStatus
from .write import ReaderRecord, Write


class CellView(Protocol):
    """A committed value, as readers see it."""

    # A protocol, so that the engine's own cells are published as they are.
    @property
    def stored(self) -> Stored:
        """The value as it is stored."""

    @property
    def since(self) -> int:
        """The first frame that reads it."""


class Reads(Protocol):
    """The reads of the last rendered frame. Called from any thread."""

    # Asked for one key at a time: a pane shows few of all the reads, and most publications none of them.
    def read_by(self, scope: str, key: str, most: int) -> list[ReaderRecord]:
        """Return the components that read a key, at most ``most`` of them."""

    def component(self, paths: Sequence[str]) -> tuple[str, list[tuple[str, str]]] | None:
        """Return the name of the first component at one of these paths, and the (scope, key) that it reads."""


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """A task of a mounted node, now."""

    node_id: str
    task_id: str
    status: TaskStatus
    attempt: int
    max_attempts: int
    settled: bool
    """True if its end was handled and flushed."""
    is_agent: bool
    requests: int
    questions: tuple[Question, ...]
    """The questions that wait for people."""
    # An end only: the whole text is of the task's, and a publication is made many times while it streams.
    tail: str
    """The end of the text that it streamed."""
    tokens: int | None = None
    """The tokens that an agent has used so far."""
    cost_usd: float | None = None
    # One text for all of it: that it changes is what makes a page ask again, and the file has the parts.
    worker: str = ""
    """The last news of its worker; of a stalled task, why none can continue it."""
    stalled: bool = False
    """True if no worker can continue it for now."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A running execution, now. The engine makes one when it is asked for; nothing in it runs or writes."""

    # One value for all that is shown together: whoever asks a running engine piece by piece may mix two phases.
    # The fields are immutable, or belong to the engine and are only looked at: copying a large state takes time.
    status: Status
    reason: str
    over: bool
    recorded: int
    """The number of the last committed frame; 0 before the first."""
    frame: Frame | None
    """The frame in progress, or the last one of this process."""
    # The engine has compared the two already, and the frame in progress is not in the file to be compared again.
    before: Tree = EMPTY
    """The plan of the frame before."""
    changes: Changes = field(default_factory=Changes)
    stood: Mapping[str, str] | None = None
    """The status of each node of the frame before, by node id, when this frame began."""
    standing: Mapping[str, str] = field(default_factory=dict)
    """The status of each runnable, phase and loop, by node id."""
    # What the sentence foretells of the next step. Only the engine knows: the file has what has happened.
    starting: int = 0
    """The number of tasks that the frame starts."""
    ender: TreeNode | None = None
    """The Stop or End that ends the execution after this frame."""
    settling: int = 0
    """The number of tasks that its FLUSH settles."""
    swapped: Tree | None = None
    """The plan of an app that was swapped in, until a frame renders it."""
    written: tuple[Write, ...] = ()
    """The writes of the frame with their outcome, after FLUSH."""
    pending: tuple[Write, ...] = ()
    """The writes that wait for FLUSH, in the order in which they will apply."""
    importing: str | None = None
    """The packages whose import the command in progress waits for, in words."""
    causes: tuple[str, ...] = ()
    """The reasons for the next frame."""
    hit: Hit | None = None
    """The breakpoint that ended the last command."""
    tasks: tuple[TaskProgress, ...] = ()
    running: int = 0
    """The number of running tasks."""
    stalled: str = ""
    """The reason why no worker can continue a task, here or in a child; "" if none is held up so."""
    asked: tuple[Question, ...] = ()
    """The questions that wait for people, those of children included."""
    names: tuple[str, ...] = ()
    """The names by which ``answer`` takes these questions."""
    printed: tuple[Event, ...] = ()
    """Output that is not in the file yet."""
    # A growing number says that there is more without comparing texts.
    heard: int = 0
    """The number of characters that were printed so far."""
    # A frame that could not be made has no row, and its error no frame to be written with.
    failed: tuple[Event, ...] = ()
    """Errors that kept frames from being made and are not in the file yet, oldest first."""
    breakpoints: tuple[Breakpoint, ...] = ()
    condition_errors: Mapping[str, str] = field(default_factory=dict)
    """The error of each breakpoint's condition when it was last computed, by breakpoint id."""
    state: Mapping[str, CellView] = field(default_factory=dict)
    vol: Mapping[str, CellView] = field(default_factory=dict)
    values_version: int = 0
    """A number that differs when a value of the state does."""
    reads: Reads | None = None
    """None before the first frame of this process."""
