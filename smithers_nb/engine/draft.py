"""A frame in the making: what each phase adds for those after it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

from ..errors import SmithersError
from ..nodes.base import NodeBase
from ..nodes.diff import Changes
from ..nodes.names import named_in
from ..nodes.schedule import Schedule
from ..nodes.tree import EMPTY, Tree, TreeNode
from ..records import EffectRun, Event, Frame, HandlerCall, Phase, Problem, Write
from .state import Transaction

if TYPE_CHECKING:
    from .committed import EffectMemory
    from .rendered import Rendered
    from .tasks.entry import TaskEntry
    from .user_code.purity import Snapshot

logger = logging.getLogger(__name__)
# Without a handler of its own Python prints warnings to stderr: red lines in a cell, one a frame.
logger.addHandler(logging.NullHandler())

SLOW_MS = 50.0
"""SNAPSHOT and COMMIT over this are logged as a warning; the first one is a hint in Problems, too."""


@dataclass(slots=True)
class Draft:
    """The frame in the making, from SNAPSHOT to FLUSH."""

    execution_id: str
    number: int
    reason: tuple[str, ...]
    phase: Phase | None = None
    """The last phase that is done."""
    ms: dict[Phase, float] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    ended: list[TaskEntry] = field(default_factory=list)
    """The tasks that had ended, and were not settled, when the frame began."""
    stood: Mapping[str, str] | None = None
    """The standing of the nodes when this frame began, by id; None where no frame of this process came before."""
    before: Tree = EMPTY
    """The tree of the frame before."""
    tree: Tree = EMPTY
    """The frame's own, once RENDER is done; until then the one before."""
    rendered: Rendered | None = None
    """The memory of RENDER for the next frame."""
    generation: int = 0
    """``purity.generation`` when the frame began."""
    changes: Changes = field(default_factory=Changes)
    schedule: Schedule = field(default_factory=Schedule)
    transactions: list[Transaction] = field(default_factory=list)
    """The writes of components' first values, handlers and effects, in the order in which they apply."""
    calls: list[HandlerCall] = field(default_factory=list)
    call_of: dict[int, int] = field(default_factory=dict)
    """Index of a handler's call, or of an effect's run, by the identity of its transaction."""
    effects: list[EffectRun] = field(default_factory=list)
    effect_runs: dict[str, EffectMemory] | None = None
    """The memory of effects after this frame; None if none ran."""
    ending: NodeBase | None = None
    """The Stop or End that ends the execution after this frame."""
    operated: bool = False
    """Set if FLUSH applied writes of a person's or a task's."""
    settled: list[str] = field(default_factory=list)
    """Task ids that FLUSH marks as dealt with."""
    problems: list[Problem] = field(default_factory=list)
    _told: int = 0
    """The number of problems that ``new_problems`` has returned."""
    _noted: int = 0
    """The number of problems that ``problem_events`` has returned."""
    slow: Problem | None = None
    """A phase that took long, for the records."""
    written: tuple[Write, ...] = ()
    """After FLUSH: the writes with their outcome."""
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def timed(self, phase: Phase) -> _Timed:
        """Run a phase: its time is recorded, and it is done when the block ends without an error."""
        return _Timed(self, phase)

    def done(self, phase: Phase, took: float) -> None:
        """Record that a phase is done, and how many milliseconds it took."""
        self.ms[phase] = took
        self.phase = phase
        if took > SLOW_MS and phase in (Phase.SNAPSHOT, Phase.COMMIT):
            extra = {"execution_id": self.execution_id, "frame": self.number}
            words = f"{phase} of frame {self.number} took {took:.0f} ms"
            logger.warning(words, extra=extra)
            self.slow = Problem(
                "SlowPhase",
                f"{words}; up to {SLOW_MS:.0f} are usual.",
                node_id=None,
                phase=phase,
                source=None,
                severity="hint",
            )

    @property
    def phase_under_way(self) -> str:
        """The phase that is running; a draft that has none is for writes between two frames."""
        phases = list(Phase)
        if self.phase is not None:
            return str(phases[min(phases.index(self.phase) + 1, len(phases) - 1)])
        # A frame has a reason from the start; a draft for writes between two frames never gets one, nor a snapshot.
        if self.snapshot is None and not self.reason:
            return str(Phase.FLUSH)
        return str(phases[0])

    def next_id(self, kind: str) -> str:
        """Return an id that is unique in the execution: ``4h1`` for the first handler call of frame 4."""
        return f"{self.number}{kind}{next(self._ids)}"

    def next_write_id(self) -> str:
        """Return the id of a write of this frame: ``4w2``."""
        return self.next_id("w")

    @property
    def seen(self) -> Snapshot:
        """The snapshot, once SNAPSHOT is done."""
        if self.snapshot is None:
            raise RuntimeError(f"frame {self.number} has no snapshot yet")
        return self.snapshot

    @property
    def memory(self) -> dict[str, EffectMemory]:
        """The memory of effects that this frame is changing."""
        if self.effect_runs is None:
            self.effect_runs = {}
        return self.effect_runs

    def problem(self, error: SmithersError, phase: Phase) -> None:
        """Add an error that does not stop the frame."""
        error.at(frame=self.number)
        self.found(type(error).__name__, str(error), error.node_id, phase=phase, source=error.source)

    def found(self, kind: str, message: str, node_id: str | None, *, phase: Phase, source: str | None) -> None:
        """Add a problem, which names nodes as people do: a message of the engine has their ids."""
        message = named_in(message, self.tree, self.before)
        found = Problem(kind, message, node_id, phase=phase, source=source)
        if found not in self.problems:  # FLUSH may be tried again.
            self.problems.append(found)

    def changes_lost(self, messages: Iterable[str], node: TreeNode, phase: Phase) -> None:
        """Add a problem for each value of the state that was changed in place and not set."""
        for message in messages:
            self.found("ChangeLost", message, node.id, phase=phase, source=node.source)

    def add_call(self, transaction: Transaction, call: HandlerCall) -> None:
        """Add the call of a handler, with the writes that it queued."""
        # By identity, for a transaction that can be changed has no hash. The draft keeps them alive, so no identity
        # is given out twice.
        self.call_of[id(transaction)] = len(self.calls)
        self.transactions.append(transaction)
        self.calls.append(call)

    def add_effect(self, transaction: Transaction, run: EffectRun) -> None:
        """Add the run of an effect, with the writes that it queued."""
        self.call_of[id(transaction)] = len(self.effects)
        self.transactions.append(transaction)
        self.effects.append(run)

    def new_problems(self) -> list[Problem]:
        """Return the problems that were found since the last call."""
        new, self._told = self.problems[self._told :], len(self.problems)
        return new

    def problem_events(self) -> list[Event]:
        """Return the events of the problems that were found since the last call; the caller records them.

        Each is returned once, although FLUSH may be tried again: after the first try they are among ``Live.noted``,
        and may have been recorded with them.
        """
        new, self._noted = self.problems[self._noted :], len(self.problems)
        return [problem.event(self.number) for problem in new]

    @property
    def pending(self) -> tuple[Write, ...]:
        """The writes of this frame, in the order in which they apply."""
        return self.written or tuple(write for transaction in self.transactions for write in transaction.writes)

    def freeze(self) -> Frame:
        """Return the record of the frame so far. From any thread: lists are copied, and trees are never changed."""
        return Frame(
            number=self.number,
            execution_id=self.execution_id,
            reason=self.reason,
            phase=self.phase or Phase.SNAPSHOT,
            tree=self.tree,
            mounted=self.changes.mounted,
            unmounted=self.changes.unmounted,
            updated=self.changes.updated,
            moved=self.changes.moved,
            handlers=tuple(self.calls),
            effects=tuple(self.effects),
            pending=self.pending,
            problems=tuple(self.problems),
            ms=dict(self.ms),
        )


class _Timed:
    """Times a block, seven times a frame: a generator with ``contextmanager`` around it takes three times as long."""

    __slots__ = ("_draft", "_phase", "_started")

    def __init__(self, draft: Draft, phase: Phase) -> None:
        self._draft = draft
        self._phase = phase

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._draft.done(self._phase, (perf_counter() - self._started) * 1000)
