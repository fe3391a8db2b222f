"""What one execution holds in memory while a process runs it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from time import time
from typing import Any, Literal

from ..agents.runner import Runner
from ..errors import NotStorableError, RunError, StoreError, clean
from ..identity import Path
from ..nodes.runnable import Smithers
from ..nodes.schedule import Schedule
from ..nodes.tree import EMPTY, Tree, TreeNode
from ..records import Event, LoopKey, LoopState, Phase, Scope, Status, TaskEnd, Write
from ..store.connection import Database, closed, forked
from ..store.lease import Lease
from ..store.owned import OwnedDatabase
from ..store.writer import Work, add_event, record_standing
from ..values import Unstorable, encode, legible
from .breakpoints import Breakpoints
from .draft import Draft
from .observe import Observers
from .rendered import Rendered
from .replaying import Replaying
from .state import Cell, Queued, Transaction
from .tasks import questions
from .tasks.agents import Budget
from .tasks.lifecycle import Tasks
from .tasks.stream import Stream
from .tasks.table import TaskEntry
from .user_code.context import Context
from .user_code.files import Watch
from .user_code.output import Printed
from .user_code.purity import generation

logger = logging.getLogger(__name__)

MAX_AGENTS = 32
"""So many agents of an execution run at a time, unless it is told otherwise."""

PROGRESS_S = 0.25
"""Reports of progress make at most one frame in this time."""


class Live:
    """The parts of a running execution. It belongs to the engine's loop; ``outside`` and ``wake`` may be called
    from any thread.
    """

    def __init__(
        self,
        *,
        execution_id: str,
        name: str,
        app: object,
        database: Database,
        runner: Runner,
        seed: int,
        lease: Lease,
        cells: dict[str, Cell],
        models: dict[str, Any],  # Any: pydantic-ai's Model
        strict_effects: bool = False,
        budget: Budget,
        max_agents: int = MAX_AGENTS,
        replay: Replaying | None = None,
    ) -> None:
        self.execution_id = execution_id
        self.name = name
        self.app = app
        """The root: any child that RENDER knows how to place."""
        self.database = OwnedDatabase(database, execution_id, lease)
        self.runner = runner
        self.models = models
        self.strict_effects = strict_effects
        """Effects run, are cleaned up and run again when they mount."""
        self.budget = budget
        """What all agents may use; shared with children."""
        self.max_agents = max_agents
        """So many run at a time; the others wait for their turn."""
        self.replay = replay
        """The recording that it follows, if it is the replay of another."""
        self.seed = seed
        self.lease = lease
        self.loop: object = None
        """Its loop, which is to live as long: while a task runs, there is a lease to be kept."""
        self.closed = False
        """Nothing more is written."""
        self.frame = 0
        """Number of the last frame that was committed."""
        self.snapshot_time = time()
        self.cells = cells
        self.vol: dict[str, Cell] = {}
        """Volatile values; like the cells, but in memory only."""
        self.tree: Tree = EMPTY
        """The last one that was committed."""
        self.loops: dict[LoopKey, LoopState] = {}
        """Loops that have begun."""
        self.rendered: Rendered | None = None
        """What RENDER remembers of the last committed frame."""
        self.changed: set[str] | None = None
        """What changed since then, as in ``Snapshot.changed``; None if anything may have."""
        self.generation = generation()
        self.schedule = Schedule()
        self.schedule_of = -1
        """``tasks.version`` for which the schedule holds."""
        self.value_signature = 0
        """A sum of hashes of all values, kept up by FLUSH at the cost of what changed."""
        self.since: dict[str, int] = {}
        """from_frame of every node's open version."""
        self.reads: dict[Path, dict[str, int]] = {}
        """By component path: the keys that it reads, with the from_frame of their row."""
        self.tasks = Tasks(self)
        self.stream = Stream(self)
        self.effect_runs: dict[str, EffectMemory] = {}
        self.context = Context(self)
        self.watch = Watch(self._file_changed)
        self.observers = Observers()
        self.causes: list[str] = []
        """Why a frame is due."""
        self.inbox: list[Transaction] = []
        """Writes of operators and tasks, in order of arrival."""
        self.ending: dict[str, TaskEnd] = {}
        """Ends of tasks whose writes are still in the inbox, by task id."""
        self.breakpoints = Breakpoints(self)
        self.printed = Printed(self.context, self)
        self.noted: list[Event] = []
        """Events that the next transaction records."""
        self.moves_as: Status = "running"
        """What a COMMIT records as the status: of a step, how it stands after it."""
        self.recorded_as: tuple[Status, str] | None = None
        """Status and reason as the file has them; None if that is not known."""
        self._ids = count(1)
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self.progress: dict[str, object] = {}
        """The newest report of each running task, by task id, until a handler got it."""
        self._progress_due = False
        self._progressed = float("-inf")
        self._recording: set[asyncio.Task[None]] = set()

    # ---- causes ------------------------------------------------------------------------------------------------

    def cause(self, why: str) -> None:
        """Make a frame due; on the engine's loop."""
        if why not in self.causes:
            self.causes.append(why)
        self._awake.set()

    def note(self, changed: str) -> None:
        """Something that components may have read is another now: ``Snapshot.changed``."""
        if self.changed is not None:
            self.changed.add(changed)

    def _file_changed(self, why: str) -> None:
        self.cause(why)
        self.observers.notify()

    def wake(self) -> None:
        """Let the loop look again whether there is something to do; from any thread."""
        if asyncio._get_running_loop() is self._loop:
            self._awake.set()
        else:
            self._loop.call_soon_threadsafe(self._awake.set)

    def child_changed(self) -> None:
        """A child, or one below it, has moved: look again, and tell whoever looks at this one."""
        self._awake.set()
        self.observers.notify()

    async def sleep(self) -> None:
        """Wait for ``cause`` or ``wake``."""
        self._awake.clear()
        await self._awake.wait()

    @property
    def outstanding(self) -> bool:
        """Whether something is still to come without anybody's doing."""
        return bool(self.causes or self.inbox or self.ending or self.tasks.outstanding)

    @property
    def standing(self) -> dict[str, str] | None:
        """Where each node of the plan stands now, by id; None before the first frame of this process."""
        if self.schedule_of == -1:
            return None
        return self.schedule.status | {id: task.status for id, task in self.tasks.items()}

    def refuse_when_closed(self) -> None:
        """Raise if the execution was closed: what is written now would be lost.

        Raises:
            StoreError: saying how to continue.
        """
        self.refuse_in_a_fork()
        if self.closed:
            raise closed(self.database.path)

    @property
    def in_a_fork(self) -> bool:
        """Whether the process that has the execution is not this one, but its parent."""
        return self.database.shared.pid != os.getpid()

    def refuse_in_a_fork(self) -> None:
        """Raise if it is the execution of the process that this one was forked from.

        Raises:
            StoreError: saying how to continue.
        """
        if self.in_a_fork:
            raise forked(self.database.path, self.database.shared.pid)

    # ---- steering ----------------------------------------------------------------------------------------------

    async def answer(self, id: str, choice: str, comment: str | None) -> None:
        """Answer an approval of this execution, or of a child's."""
        self.refuse_when_closed()
        id, choice, comment = clean(id), clean(choice), clean(comment) if comment else comment
        one = questions.the_one(questions.waiting(self), id)
        await one.live.tasks.answer(one.name, choice, comment)

    async def edit_pending(self, draft: Draft | None, id: str, value: object) -> None:
        """Change a pending write's value."""
        self.refuse_when_closed()
        transaction, place = self._pending(draft, id)
        queued = transaction.queued[place]
        stored = transaction.encoded(queued.write.key, value, queued.write.scope)
        write = replace(
            queued.write,
            op="set",
            new=legible(stored),
            status="edited",
            origin="operator",
            trigger=_by_hand("edited", queued),
        )
        transaction.queued[place] = replace(queued, write=write, value=stored, function=None)
        await self._operated("edit", queued.write, stored.text)

    async def drop_pending(self, draft: Draft | None, id: str) -> None:
        """Let a pending write fall."""
        self.refuse_when_closed()
        transaction, place = self._pending(draft, id)
        queued = transaction.queued[place]
        transaction.queued[place] = replace(
            queued,
            write=replace(queued.write, status="dropped", origin="operator", trigger=_by_hand("dropped", queued)),
        )
        await self._operated("drop", queued.write, None)

    def _pending(self, draft: Draft | None, id: str) -> tuple[Transaction, int]:
        waiting = [] if draft is None or draft.phase is Phase.FLUSH else draft.transactions
        for transaction in [*waiting, *self.inbox]:
            for place, queued in enumerate(transaction.queued):
                if queued.write.id == id and transaction.state != "raised":
                    return transaction, place
        raise RunError(f"no write {id!r} is pending. ex.pending lists those that are.")

    async def _operated(self, kind: str, write: Write, value: str | None) -> None:
        payload = json.dumps({"write": write.id, "key": write.key, "value": value}, ensure_ascii=False)
        await self.database.transaction(
            add_event, self.execution_id, self.frame, f"{kind}_pending", write.node_id, payload
        )
        self.observers.notify()

    async def run_child(self, entry: TaskEntry, node: Smithers) -> Any:  # Any: the value of its End
        """Run the child execution of a Smithers node to its end, and return the value of its End."""
        from .tasks.children import run_child

        return await run_child(self, entry, node)

    def reported(self, node_id: str, task_id: str, output: object) -> None:
        """Keep a task's newest report, and make a frame due for it; from any thread."""
        self.refuse_when_closed()
        try:
            encode(output, "output")
        except Unstorable as why:
            raise NotStorableError(
                f"the progress of {node_id} ({type(output).__name__}) can't be stored: {why}."
            ) from None
        self.progress[task_id] = output
        self._loop.call_soon_threadsafe(self._progress_soon)

    def _progress_soon(self) -> None:
        """At most one frame in ``PROGRESS_S`` for all reports together."""
        if self._progress_due:
            return
        self._progress_due = True
        self._loop.call_later(max(0.0, self._progressed + PROGRESS_S - self._loop.time()), self._progress_now)

    def _progress_now(self) -> None:
        self._progress_due = False
        self._progressed = self._loop.time()
        if any("on_progress" in entry.node.events for entry in self.tasks.reporting):
            self.cause("progress was reported")

    # ---- writes from outside of a frame ------------------------------------------------------------------------

    def next_id(self) -> str:
        """Return the id of a write made between two frames: ``4o1``."""
        with self._lock:
            return f"{self.frame}o{next(self._ids)}"

    def outside(
        self,
        queue: Callable[[Transaction], object],
        origin: Literal["operator", "task"] = "operator",
        origin_id: str | None = None,
        node_id: str | None = None,
    ) -> Transaction:
        """Queue a write of a person or a task; from any thread. FLUSH applies it before the next frame."""
        self.refuse_when_closed()
        trigger = f"{node_id} is running" if node_id else "by hand"
        transaction = Transaction(origin, origin_id, node_id, None, trigger, self.next_id, self.cells, self.vol)
        queue(transaction)
        with self._lock:
            self.inbox.append(transaction)
        self.wake()
        return transaction

    def take_noted(self) -> list[Event]:
        """Return the events that are still to be recorded, and what was printed; the caller records them."""
        noted, self.noted = self.noted, []
        return noted + self.printed.take_events()

    async def record_standing(self, status: Status, reason: str) -> None:
        """Record how it stands, and what was noted, in a transaction of their own: nothing else is written soon. What
        the file does not take is recorded later.
        """
        events = self.take_noted()
        if not events and self.recorded_as == (status, reason):
            return
        try:
            await self.database.transaction(record_standing, self.execution_id, status, reason, events)
        except StoreError as error:
            logger.warning("how %s stands could not be recorded yet: %s", self.name, error)
            self.noted[:0] = events
        else:
            self.recorded_as = status, reason

    def values(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the committed values of a scope."""
        return self.vol if scope == "vol" else self.cells

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.database.path

    def look_at_files(self) -> None:
        """Look soon whether the watched files have changed; from any thread."""
        self._loop.call_soon_threadsafe(self.watch.look)

    def notify_soon(self) -> None:
        """Notify the observers soon; from any thread."""
        self._loop.call_soon_threadsafe(self.observers.notify)

    def record(self, work: Work) -> None:
        """Write something at once; from any thread. On the engine's own it can't be waited for: ``recorded`` does."""
        self.refuse_when_closed()
        if asyncio._get_running_loop() is not self._loop:
            asyncio.run_coroutine_threadsafe(self._record(work), self._loop).result()
            return
        task = self._loop.create_task(self._record(work))
        self._recording.add(task)
        task.add_done_callback(self._recorded)

    async def recorded(self) -> None:
        """Wait until all that was to be written at once has been."""
        if self._recording:
            await asyncio.wait(self._recording)

    async def _record(self, work: Work) -> None:
        await self.database.transaction(work)
        self.observers.notify()

    def _recorded(self, task: asyncio.Task[None]) -> None:
        self._recording.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("an artifact or event could not be stored: %s", error)

    def take_inbox(self) -> tuple[list[Transaction], list[TaskEnd]]:
        """Return the writes that have arrived, with the ends of the tasks that made them, and empty the box."""
        with self._lock:
            writes, self.inbox = self.inbox, []
            ends, self.ending = self.ending, {}
        return writes, list(ends.values())

    def return_inbox(self, writes: list[Transaction], ends: list[TaskEnd]) -> None:
        """Put back what could not be written: nothing is lost, the next FLUSH tries again."""
        with self._lock:
            self.inbox[:0] = writes
            self.ending = {**{end.task_id: end for end in ends}, **self.ending}

    def ends_with_flush(self, end: TaskEnd) -> bool:
        """Let FLUSH record a task's end together with its writes, if some of them still wait; else return False."""
        with self._lock:
            if not any(write.origin_id == end.task_id for write in self.inbox):
                return False
        self.end_later(end)
        return True

    def end_later(self, end: TaskEnd) -> None:
        """Let the next FLUSH record a task's end."""
        with self._lock:
            self.ending[end.task_id] = end
        self.wake()


def _by_hand(what: str, queued: Queued) -> str:
    return f"{what} by hand; it was queued because {queued.write.trigger}"


@dataclass(frozen=True, slots=True)
class EffectMemory:
    """The last run of an effect."""

    deps: str
    """As JSON."""
    history: tuple[str, ...] = ()
    """Deps of its last runs in this process, newest last."""
    node: TreeNode | None = None
    """Whose cleanup is to be called; None when there is nothing to clean up, as after a restart."""
    refused: bool = False
    """It was not run, because it keeps causing itself."""
