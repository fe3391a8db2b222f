"""An execution while a process runs it: services, inbox, tasks and the last committed frame, in one place."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from time import time
from typing import Any

from ..agents.json_schema import load as load_json_schema
from ..errors import NotStorableError, RunError, StoreError, clean
from ..nodes.runnable import Smithers
from ..records import Answer, Event, LoopKey, LoopState, Origin, Phase, Scope, Status, Write
from ..store.writer import Work, add_event, record_standing
from ..threads import called
from ..values import Unstorable, encode, legible
from .breakpoints import Breakpoints
from .committed import Committed
from .draft import Draft
from .inbox import Inbox
from .services import Services
from .state import Cell, Queued, TaskAuthor, Transaction, in_order
from .tasks import questions
from .tasks.entry import TaskEntry
from .tasks.lifecycle import Tasks
from .user_code.context import Context
from .user_code.files import Watch
from .user_code.output import Printed

logger = logging.getLogger(__name__)

PROGRESS_S = 0.25
"""Reports of progress make at most one frame in this time."""


class Live:
    """The parts of a running execution. It belongs to the engine's loop; ``outside`` and the methods of ``Host`` may
    be called from any thread.
    """

    def __init__(
        self,
        app: object,
        services: Services,
        committed: Committed,
        run_child: Callable[[Live, TaskEntry, Smithers], Awaitable[Any]],  # Any: the value of its End
    ) -> None:
        self.app = app
        """The root: any child that RENDER knows how to place."""
        self.services = services
        self.inbox = Inbox()
        self.context = Context(self)
        self.printed = Printed(self.context, self)
        self._committed = committed
        # Handed in, for a child is opened by ``opening``, which itself makes this class.
        self.tasks = Tasks(
            services, self.inbox, printed=self.printed, committed=committed, run_child=partial(run_child, self)
        )
        self.breakpoints = Breakpoints(self)
        self.watch = Watch(self._file_changed)
        self.loop: object = None
        """The loop of this execution. A task that runs holds on to both: while it runs, the lease is kept."""
        self.snapshot_time = time()
        """The time at which the open frame began, in seconds since 1970."""
        self.noted: list[Event] = []
        """Events that the next transaction records."""
        self.moves_as: Status = "running"
        """The status that a COMMIT records; for a step, the one that holds after it."""
        self.recorded_as: tuple[Status, str] | None = None
        """Status and reason as the file has them; None if that is not known."""
        self._ids = count(1)
        self._loop = asyncio.get_running_loop()
        self._progress_due = False
        self._progressed = float("-inf")  # The first report makes a frame due at once.
        self._recording: set[asyncio.Task[None]] = set()

    @property
    def committed(self) -> Committed:
        """The state that the last committed frame left. COMMIT and FLUSH replace it."""
        return self._committed

    @committed.setter
    def committed(self, committed: Committed) -> None:
        self._committed = self.tasks.committed = committed

    # ---- the methods of Host, for user code ---------------------------------------------------------------------

    @property
    def execution_id(self) -> str:
        """The id in the store."""
        return self.services.execution_id

    @property
    def name(self) -> str:
        """The name in the store."""
        return self.services.name

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.services.database.path

    @property
    def frame(self) -> int:
        """Number of the last frame that was committed."""
        return self._committed.frame

    @property
    def seed(self) -> int:
        """The seed of ``ctx.rand``."""
        return self.services.seed

    @property
    def loops(self) -> Mapping[LoopKey, LoopState]:
        """The loops that have begun."""
        return self._committed.loops

    def refuse_when_closed(self) -> None:
        """Raise if the execution was closed: a write would be lost now."""
        self.services.refuse_when_closed()

    def look_at_files(self) -> None:
        """Look soon whether the watched files have changed; from any thread."""
        self.inbox.soon(self.watch.look)

    def notify_soon(self) -> None:
        """Notify the observers soon; from any thread."""
        self.inbox.soon(self.services.observers.notify)

    def _file_changed(self, why: str) -> None:
        self.inbox.cause(why)
        self.services.observers.notify()

    @property
    def outstanding(self) -> bool:
        """Return whether something is still to come by itself."""
        return bool(self.inbox.causes or self.inbox.writes or self.inbox.ending or self.tasks.outstanding)

    @property
    def standing(self) -> dict[str, str] | None:
        """The status of each node of the plan as it is now, by id; None before the first frame of this process."""
        if self.committed.schedule_of == -1:
            return None
        return self.committed.schedule.status | {id: task.status for id, task in self.tasks.items()}

    # ---- steering ----------------------------------------------------------------------------------------------

    async def answer(self, id: str, answer: Answer) -> None:
        """Answer a question of this execution, or of a child's."""
        self.services.refuse_when_closed()
        if answer.args is not None:
            await called(load_json_schema)
        one = questions.the_one(questions.waiting(self.tasks), clean(id))
        await one.tasks.answer(one.name, answer)

    async def edit_pending(self, draft: Draft | None, id: str, value: object) -> None:
        """Change a pending write's value."""
        self.services.refuse_when_closed()
        transaction, place = self._pending(draft, id)
        queued = transaction.queued[place]
        stored = transaction.encoded(queued.write.key, value, queued.write.scope)
        # A set, whatever it was: an update's function would compute another value than the person has typed.
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
        """Discard a pending write. Its record stays, as dropped."""
        self.services.refuse_when_closed()
        transaction, place = self._pending(draft, id)
        queued = transaction.queued[place]
        transaction.queued[place] = replace(
            queued,
            write=replace(queued.write, status="dropped", origin="operator", trigger=_by_hand("dropped", queued)),
        )
        await self._operated("drop", queued.write, None)

    def waiting(self, draft: Draft | None) -> list[Transaction]:
        """Return the transactions that wait for FLUSH, those of a frame included, in the order in which they apply."""
        if draft is None or draft.phase is Phase.FLUSH:
            return in_order(self.inbox.writes)
        return in_order([*self.inbox.writes, *draft.transactions])

    def _pending(self, draft: Draft | None, id: str) -> tuple[Transaction, int]:
        for transaction in self.waiting(draft):
            for place, queued in enumerate(transaction.queued):
                if queued.write.id == id and transaction.state != "raised":
                    return transaction, place
        raise RunError(f"no write {id!r} is pending. ex.pending lists those that are.")

    async def _operated(self, kind: str, write: Write, value: str | None) -> None:
        payload = json.dumps({"write": write.id, "key": write.key, "value": value}, ensure_ascii=False)
        await self.services.database.transaction(
            add_event,
            self.services.execution_id,
            self.committed.frame,
            kind=f"{kind}_pending",
            node_id=write.node_id,
            payload=payload,
        )
        self.services.observers.notify()

    def reported(self, node_id: str, task_id: str, output: object) -> None:
        """Keep a task's newest report, and make a frame due for it; from any thread."""
        self.services.refuse_when_closed()
        # Here, in the task's thread, where the traceback shows the user's own line.
        try:
            encode(output, "output")
        except Unstorable as why:
            raise NotStorableError(
                f"the progress of {node_id} ({type(output).__name__}) can't be stored: {why}."
            ) from None
        self.inbox.progress[task_id] = output
        self.inbox.soon(self._progress_soon)

    def _progress_soon(self) -> None:
        """Make one frame due for all reports of the next ``PROGRESS_S``."""
        if self._progress_due:
            return
        self._progress_due = True
        self._loop.call_later(max(0.0, self._progressed + PROGRESS_S - self._loop.time()), self._progress_now)

    def _progress_now(self) -> None:
        self._progress_due = False
        self._progressed = self._loop.time()
        if any("on_progress" in entry.node.events for entry in self.tasks.reporting):
            self.inbox.cause("progress was reported")

    # ---- writes from outside of a frame ------------------------------------------------------------------------

    def next_id(self) -> str:
        """Return the id of a write made between two frames: ``4o1``."""
        # One bytecode of a C iterator: two threads never get the same number.
        return f"{self.committed.frame}o{next(self._ids)}"

    def outside(self, queue: Callable[[Transaction], object], author: TaskAuthor | None = None) -> Transaction:
        """Queue a write of a task, or of a person without one; from any thread. FLUSH applies it before the next
        frame.
        """
        self.services.refuse_when_closed()
        origin: Origin = "operator"
        trigger = "by hand"
        if author is not None:
            origin, trigger = "task", f"{author.node_id} is running"
        by = author or TaskAuthor(None, None)
        transaction = Transaction(
            origin=origin,
            origin_id=by.task_id,
            node_id=by.node_id,
            handler=None,
            trigger=trigger,
            next_id=self.next_id,
            committed=self.committed.cells,
            vol=self.committed.vol,
            tool_call_id=by.tool_call_id,
        )
        queue(transaction)
        self.inbox.add(transaction)
        return transaction

    def take_noted(self) -> list[Event]:
        """Return the events that are still to be recorded, with the printed text; the caller records them."""
        noted, self.noted = self.noted, []
        return noted + self.printed.take_events()

    async def record_standing(self, status: Status, reason: str) -> None:
        """Record how it stands, with the noted events, in a transaction of their own: nothing else is written soon.

        Events that the file does not take are recorded later.
        """
        events = self.take_noted()
        if not events and self.recorded_as == (status, reason):
            return
        try:
            await self.services.database.transaction(
                record_standing, self.services.execution_id, status, reason, events=events
            )
        except StoreError as error:
            logger.warning("how %s stands could not be recorded yet: %s", self.services.name, error)
            self.noted[:0] = events
        else:
            self.recorded_as = status, reason

    def values(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the committed values of a scope."""
        if scope == "vol":
            return self.committed.vol
        return self.committed.cells

    def record(self, work: Work) -> None:
        """Write something at once; from any thread. On the engine's own it can't be waited for: ``recorded`` does."""
        self.services.refuse_when_closed()
        # A thread can wait for the transaction. On the engine's own, waiting would stop the loop that is to do it.
        if asyncio._get_running_loop() is not self._loop:
            asyncio.run_coroutine_threadsafe(self._record(work), self._loop).result()
            return
        task = self._loop.create_task(self._record(work))
        # Asyncio holds tasks weakly: one that nothing else holds may be collected before it has run.
        self._recording.add(task)
        task.add_done_callback(self._recorded)

    async def recorded(self) -> None:
        """Wait for the writes that ``record`` has begun."""
        if self._recording:
            await asyncio.wait(self._recording)

    async def _record(self, work: Work) -> None:
        await self.services.database.transaction(work)
        self.services.observers.notify()

    def _recorded(self, task: asyncio.Task[None]) -> None:
        self._recording.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("an artifact or event could not be stored: %s", error)


def _by_hand(what: str, queued: Queued) -> str:
    return f"{what} by hand; it was queued because {queued.write.trigger}"
