"""When a frame runs. It knows the pipeline as something to be advanced, and where a step rests."""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import ExecutionOwnedError, SmithersError, StalledError, StoreError, said
from ..nodes.base import NodeBase
from ..nodes.control import End
from ..nodes.diff import diff
from ..nodes.schedule import schedule
from ..nodes.tree import Tree
from ..records import Event, Hit, Phase, Problem, Status, Write
from ..store import writer
from ..store.owned import OwnedDatabase
from ..store.presence import StoreLostError
from ..values import Stored, encode
from .draft import Draft
from .live import Live
from .phases.effects import LOOP
from .phases.flush import flush_between
from .pipeline import frame
from .tasks.running import kept
from .user_code.files import Watch
from .user_code.scope import stepping

logger = logging.getLogger(__name__)

REST = Phase.EFFECTS
"""A step ends after this phase: the frame's writes are pending, and FLUSH is the first thing the next step does."""

HEARTBEAT_S = 10.0
LONG_S = 1.0
"""A wait that takes longer is recorded: a run that waits for a moment in each frame must not write more."""
REMEMBERED = 256
"""So many states back a plan that comes again is noticed: a long run must not keep all of its plans."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a ``run`` ended."""

    reason: str
    frames: int
    problems: tuple[Problem, ...]


class Loop:
    """Advances one execution. One command at a time; ``pause`` and ``stop`` come in between."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.status: Status = "ready"
        self.reason = ""
        self.result: Stored | None = None
        """The value of the End that was reached."""
        self.patient = False
        """Whether ``run`` waits for people's answers, too; a child's does."""
        self._sleeps = False
        """Whether the command under way waits for tasks that wait to try again."""
        self.draft: Draft | None = None
        """The frame under way, or the last one."""
        self._before: Draft | None = None
        """The one before it: it stands again if the one under way can't be rendered."""
        self.problems: list[Problem] = []
        """What the command under way has found, or the last one."""
        self.over = False
        """It has ended, and nothing is outstanding."""
        self._slow = False
        """That a phase was slow is told already: a busy machine would tell it in every frame."""
        self._seen: dict[int, list[tuple[int, Tree]]] = {}
        """By the signature of the state: the plans over it, with their frames, since something came from outside."""
        self._phases: AsyncGenerator[Phase | StoreError] | None = None
        self._command = asyncio.Lock()
        self._moving: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        """How many cancellations the task of the command had been sent before the command began."""
        self._moved = asyncio.Event()
        """Set while no command is running."""
        self._moved.set()
        self.command: str | None = None
        """The command under way, in a word: ``step``, ``phase`` or ``run``."""
        self._pausing = False
        self.hit: Hit | None = None
        """The breakpoint that ended the last command."""
        self._halting: Status | None = None
        """What the command under way ends as, while it is being ended by hand."""
        self._forsaken: weakref.finalize[..., Live] | None = None
        live.loop = self
        # In a context of its own: that of a task which made the execution would keep the task's execution.
        self._heart = asyncio.get_running_loop().create_task(
            _heartbeat(weakref.ref(self)), name="smithers heartbeat", context=Context()
        )

    # ---- commands ----------------------------------------------------------------------------------------------

    async def phase(self) -> bool:
        """Do one phase; return False if there was none to do."""
        async with self._moves("phase"):
            return await self._advance()
        return False

    async def step(self) -> bool:
        """Go to the next rest; return False if the execution ended, or was paused, on the way."""
        async with self._moves("step"):
            while await self._advance():
                if self._at_rest:
                    return True
        return False

    async def run(self, max_frames: int, until: Callable[[], str | None] | None = None) -> Outcome:
        """Go on until it is over, is paused, waits only for people, ``until()`` gives a reason at a rest, or
        ``max_frames`` were rendered.
        """
        frames = 0
        async with self._moves("run"):
            self._sleeps = True
            while await self._advance():
                if not self._at_rest or self.draft is None:
                    continue
                frames += 1
                if until is not None and (why := until()):
                    self.reason = why
                    break
                if frames >= max_frames:
                    self.reason = f"max_frames={max_frames} were rendered"
                    break
        return Outcome(self.standing[1], frames, tuple(self.problems))

    def pause(self) -> None:
        """End the command under way after the current phase, or at once if it waits; on the engine's loop."""
        if self._moving is not None:
            self._pausing = True
            self.live.inbox.wake()

    async def stop(self) -> None:
        """End the command under way, and interrupt the running tasks: a later step runs them again."""
        await self._halt("stopped")
        await self.live.tasks.interrupt()
        if not self.over or self.reopened:
            self.over = False
            if self.live.tasks.outstanding:
                self.live.inbox.cause("stopped by hand")
            await self._enter("stopped", "stopped by hand")

    async def terminate(self, why: str = "terminated by hand") -> None:
        """Stop for good."""
        self.live.services.refuse_when_closed()
        await self._halt("terminated")
        with self._gone_already(StoreLostError):
            await self.live.tasks.interrupt()
            if not self.over or self.reopened:
                await self._enter("terminated", why)
        self.over = True

    async def close(self) -> None:
        """Stop what runs and give the lease back; the execution can be resumed from the file."""
        live = self.live
        await self._halt("stopped")
        with self._gone_already(ExecutionOwnedError, StoreLostError):
            await live.tasks.interrupt()
        await self.abandon()
        self._heart.cancel()
        live.services.closed = True
        await live.watch.stopped()
        await live.recorded()
        await live.services.stream.written()
        if not self.over and not self.standing[1]:
            self.reason = "closed"
        await self._record()
        with self._gone_already(StoreLostError):
            await live.services.database.release()

    @contextmanager
    def _gone_already(self, *kinds: type[StoreError]) -> Iterator[None]:
        """End without the file where it is no longer ours: there is nothing to give back."""
        try:
            yield
        except kinds as gone:
            logger.warning("%s ends here without a record of it: %s", self.live.services.name, gone)

    def leaves_when_forsaken(self) -> None:
        """Give the execution back by itself once neither a reference nor a running task has it any more."""
        live = self.live
        self._forsaken = weakref.finalize(live, _forsaken, live.services.database, live.watch, self._heart)
        self._forsaken.atexit = False

    async def leave(self) -> None:
        """Close it, and the file after its last user."""
        if self._forsaken is not None and self._forsaken.detach() is None:
            return  # It was left before.
        try:
            await self.close()
        finally:
            await self.live.services.database.shared.close()

    # ---- advancing ---------------------------------------------------------------------------------------------

    @property
    def _at_rest(self) -> bool:
        return self.draft is not None and self.draft.phase is REST and self._phases is not None

    @property
    def reopened(self) -> bool:
        """Whether there is something to do after the end: an operator's write, a retry, a swap."""
        due = self.live.inbox.causes or self.live.inbox.writes or self.live.inbox.ending
        return self.over and self.status != "terminated" and bool(due)

    @property
    def standing(self) -> tuple[Status, str]:
        """Status and reason as they are now: between two commands people answer, write and retry, and tasks end."""
        if self.command is not None:
            return self.status, self.reason
        if self.reopened:
            return "paused", ""
        if self.status not in ("waiting", "paused"):
            return self.status, self.reason
        now: Status = "waiting" if self._waits else "paused"
        reason = self.reason if now == self.status else ""
        return now, reason or (self._asleep() if self._waits else "")

    @property
    def _waits(self) -> bool:
        """Whether nothing moves until a person answers, or a time has come."""
        return self.live.tasks.waits and not self.live.inbox.causes and not self._continues

    @property
    def _continues(self) -> bool:
        """Whether the frame under way has phases to come, or a FLUSH with something to do."""
        draft = self.draft
        if self._phases is None or draft is None:
            return False
        return draft.phase is not REST or bool(draft.pending or draft.settled or draft.ending)

    @asynccontextmanager
    async def _moves(self, command: str) -> AsyncIterator[None]:
        """One command: the status says that something moves, and afterwards how things stand."""
        async with stepping(self.live.context), self._command:
            self._moving = asyncio.current_task()
            self._cancelled_before = self._moving.cancelling() if self._moving else 0
            if self._cancelled_before:
                await asyncio.sleep(0)  # A transaction before the command may have put one off.
            self._moved.clear()
            self.command = command
            self.live.moves_as = "running" if command == "run" else "paused"
            self._pausing = self._sleeps = False
            self.problems = []
            if self.draft is not None:
                self.draft.new_problems()  # Those are the last command's.
            self.reason = ""
            self.hit = None
            self.live.services.observers.notify()
            self.live.watch.look()
            self.live.services.database.shared.look_at_log()
            try:
                yield
                await self._checkpoint()
            except asyncio.CancelledError:
                # stop() ends the command, it does not fail it.
                if self._halting is None or self._moving is None:
                    raise
                self._moving.uncancel()
                if not self.over:
                    self.status, self.reason = self._halting, f"{self._halting} by hand"
            finally:
                paused, self._moving, self.command, self._pausing = self._pausing, None, None, False
                self._moved.set()
                if self.over:
                    self.live.watch.stop()
                if self.status in ("running", "waiting"):
                    rests: Status = "paused" if self.draft else "ready"
                    self.status = "waiting" if self._waits else rests
                    stopped = f"stopped: {self.hit.text}" if self.hit else ""
                    self.reason = stopped or self.reason or ("paused by hand" if paused else "")
                await self._record()
                self.live.services.observers.notify()

    async def _advance(self) -> bool:
        """Do the next phase of the frame under way, or of a new one that is due."""
        await self._checkpoint()
        if self._pausing or self.hit or self.status == "terminated" or (self.over and not self.reopened):
            return False
        if self._phases is None and not await self._due():
            return False
        if self._phases is None:
            self._begin()
        self.over = False
        self._look("running")
        draft = self.draft
        try:
            done = await anext(self._phases)  # type: ignore[arg-type]  # _begin set it
        except BaseException as error:
            await self.abandon()
            if isinstance(error, SmithersError) and draft is not None:
                self.live.noted.append(_problem(error, draft))
                self.reason = f"frame {draft.number} could not be {_failed_to_be(draft)}: {said(error)}"
            raise
        if isinstance(done, StoreError):
            raise done
        if self.live.breakpoints and draft is not None:
            self.hit = await self.live.breakpoints.look(draft)
        if done is Phase.FLUSH:
            self._phases = None
            await self._after_flush()
        if draft is not None:
            self.problems += draft.new_problems()
        self.live.services.observers.notify()
        return True

    async def _checkpoint(self) -> None:
        """Let a cancellation of the command take effect.

        A transaction puts it off to the next await, and in a flood of frames every await is a transaction; a handler of
        the user's may swallow it. Asyncio's count of the cancellations that were sent shows it in both cases.

        Raises:
            CancelledError: if the command was cancelled.
        """
        moving = self._moving
        if moving is not None and moving.cancelling() > self._cancelled_before:
            await asyncio.sleep(0)  # One that was put off is raised here, and none is left for an await to come.
            raise asyncio.CancelledError

    async def _due(self) -> bool:
        """Wait until a frame is due; return False when none will be, or a pause was asked for."""
        live, told = self.live, False
        while live.inbox.writes or live.inbox.ending or not live.inbox.causes:
            if live.inbox.writes or live.inbox.ending:
                between = Draft(live.services.execution_id, live.committed.frame, ())
                await flush_between(live, between)
                self.problems += between.problems
                if self.draft is not None:
                    self.draft.problems += between.problems
                    self.draft.new_problems()
                if live.breakpoints and (hit := await live.breakpoints.look(between)):
                    self.hit, self.over = hit, False
                    self._look("running")
                    return False
            elif not live.outstanding:
                await self._over()
                return False
            elif self._pausing:
                return False
            elif live.tasks.waits and (not self._sleeps or (live.tasks.waits_for_people and not self.patient)):
                return False  # ``standing`` says for what.
            else:
                self.reason = self._asleep() if live.tasks.waits else ""
                self._look("waiting")
                told = await self._sleep(told)
                self.reason = ""
        return True

    async def _sleep(self, told: bool) -> bool:
        """Wait until there may be something to do; return whether the file was told of it, as before a long wait."""
        told = told or self.live.recorded_as == self.standing
        try:
            async with asyncio.timeout(None if told else LONG_S):
                await self.live.inbox.sleep()
        except TimeoutError:
            told = True
            await self.live.record_standing(*self.standing)
        return told

    def _asleep(self) -> str:
        """Say which task waits until when, and why."""
        first = self.live.tasks.sleeping[0] if self.live.tasks.sleeping else None
        if first is None:
            return f"approval {', '.join(self.live.tasks.questions)} waits for an answer"
        until = datetime.fromtimestamp(first.retry_at or 0.0, UTC)
        return f"{first.node.id} waits until {until:%H:%M:%S} UTC to try again: {first.why}"

    def _begin(self) -> None:
        live = self.live
        self._before = self.draft
        self.draft = Draft(
            live.services.execution_id,
            live.committed.frame + 1,
            tuple(live.inbox.causes),
            before=live.committed.tree,
            tree=live.committed.tree,
        )
        live.inbox.causes.clear()
        self._phases = frame(live, self.draft)

    def due_anyway(self, why: str) -> None:
        """Make a frame due that nothing here calls for: it is no repetition."""
        self._seen.clear()
        if not self.live.inbox.causes:
            self.live.inbox.cause(why)

    async def abandon(self) -> None:
        """Give up the frame under way: what it had not flushed is dealt with again by a later one."""
        if self._phases is None or self.draft is None:
            return
        await self._phases.aclose()
        self._phases = None
        committed = self.draft.phase in (Phase.COMMIT, Phase.EXECUTE, Phase.EFFECTS)
        for cause in [f"frame {self.draft.number} was abandoned"] if committed else self.draft.reason:
            self.live.inbox.cause(cause)
        if not committed:
            self.draft = self._before

    async def _after_flush(self) -> None:
        """The frame is closed: perhaps it was the last."""
        draft, live = self.draft, self.live
        if draft is not None and draft.slow is not None and not self._slow:
            self._slow = True
            live.noted.append(draft.slow.event(draft.number))
        if draft is not None and draft.ending is not None:
            await self._end(draft.ending)
        elif not live.outstanding:
            await self._over()
        elif (before := self._repeats()) is not None:
            await self._stall(before)

    async def _stall(self, before: int) -> None:
        """It goes round in circles: say from which frame on."""
        draft, live = self.draft, self.live
        assert draft is not None  # for the type checker: a frame was flushed
        why = f"frame {draft.number} has the same plan over the same state as frame {before}"
        round = ", ".join(live.inbox.causes[:3])
        error = StalledError(
            f"{why}, and nothing else is under way: it would go round for ever by {round}. Nothing was lost. Let what "
            "writes that stop, or write it by hand: ex.state.set makes it go on.",
            frame=draft.number,
        )
        draft.problem(error, Phase.FLUSH)
        live.noted.append(draft.problems[-1].event(draft.number))
        await self._enter("stalled", f"{why}: {round}")
        live.inbox.causes.clear()
        self.over = True

    def _repeats(self) -> int | None:
        """Return the frame whose plan and state this one's are again, with nothing from outside in between."""
        draft, live = self.draft, self.live
        if (
            draft is None
            or draft.ended
            or draft.operated
            or live.tasks.outstanding
            or live.inbox.writes
            or live.inbox.ending
        ):
            self._seen.clear()
            return None
        trees = self._seen.setdefault(live.committed.value_signature, [])
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        again = [number for number, tree in trees if not diff(tree, live.committed.tree)]
        trees.append((draft.number, live.committed.tree))
        # Effects that come round are named by their own guard, which looks at more runs.
        return again[-1] if len(again) >= (LOOP if draft.effects else 1) else None

    async def _end(self, node: NodeBase) -> None:
        """A Stop or an End was reached: cancel what runs, and say how it ended."""
        live = self.live
        await live.tasks.cancel_all()
        live.inbox.causes.clear()
        self.over = True
        if isinstance(node, End):
            self.result = encode(node.value)
            self.status, self.reason = "finished", node.message
        else:
            self.status, self.reason = "stopped", getattr(node, "reason", "")
        await live.services.database.transaction(
            writer.set_result, live.services.execution_id, self.status, self.reason, self.result
        )
        live.recorded_as = self.status, self.reason
        live.services.observers.notify()

    async def _over(self) -> None:
        """Nothing is outstanding: say how it ended."""
        failed = self.failures
        if failed:
            await self._enter("failed", f"{', '.join(failed[:3])} failed and has no on_error")
        elif looping := [id for id, last in self.live.committed.effect_runs.items() if last.refused]:
            await self._enter("stalled", f"effect {', '.join(looping[:3])} keeps causing itself and was not run")
        else:
            await self._enter("finished", "nothing is left to do")
        self.over = True

    @property
    def pending(self) -> tuple[Write, ...]:
        """The writes that wait for FLUSH, in the order in which they will apply."""
        draft = self.draft
        waiting = [] if draft is None or draft.phase is Phase.FLUSH else draft.transactions
        first = [write for write in waiting if write.origin == "init"]
        arrived = sorted(self.live.inbox.writes, key=lambda write: write.origin != "operator")
        rest = [write for write in waiting if write.origin != "init"]
        return tuple(write for transaction in [*first, *arrived, *rest] for write in transaction.writes)

    @property
    def standing_of_nodes(self) -> dict[str, str]:
        """By node id the status of each runnable, phase and loop of the plan."""
        live = self.live
        known = live.standing
        if known is not None:
            return known
        # Resumed, and no frame of this process yet.
        return schedule(live.committed.tree, dict(live.tasks.items()), live.committed.loops).status

    @property
    def failures(self) -> list[str]:
        """Ids of the nodes whose failure nothing handled."""
        tasks = self.live.tasks
        return [
            id
            for id, task in tasks.items()
            if task.status in ("failed", "cancelled", "abandoned") and "on_error" not in task.node.events
        ]

    async def _enter(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason
        live = self.live
        if live.recorded_as == (status, reason):
            return
        await live.services.database.transaction(writer.set_status, live.services.execution_id, status, reason)
        live.recorded_as = status, reason
        live.services.observers.notify()

    async def _record(self) -> None:
        """Record how it stands. One that was resumed and has not moved stands as the file says."""
        if self.status != "ready" or not self.live.committed.frame:
            await self.live.record_standing(*self.standing)

    def _look(self, status: Status) -> None:
        if self.status != status:
            self.status = status
            self.live.services.observers.notify()

    async def _halt(self, status: Status) -> None:
        """End the command under way, whatever it is doing, and wait until it has."""
        moving = self._moving
        if moving is not None and moving is not asyncio.current_task():
            self._halting = status
            try:
                moving.cancel()
                # Not until its task has ended: that may go on to other commands, or be the task of a child's node.
                await self._moved.wait()
            finally:
                self._halting = None


async def _heartbeat(whose: weakref.ref[Loop]) -> None:
    """Keep the lease while this process has the execution, at rest too; it holds no reference to the execution."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        if (loop := whose()) is None:
            return
        live = loop.live
        try:
            await live.services.database.transaction(writer.heartbeat, live.services.execution_id, live.services.lease)
            if loop.command is None:
                await loop._record()  # People may have answered, and tasks ended.
        except ExecutionOwnedError as taken:
            # The next COMMIT raises it where a person can see it.
            loop.reason = str(taken)
            return
        except StoreLostError as error:
            # Said by the status, too: whoever looks at the stepper does not see a log.
            if loop.reason != str(error):
                logger.warning("%s: %s", live.services.name, error)
                loop.reason = str(error)
                live.services.observers.notify()
        except StoreError as error:
            logger.warning("the lease of %s was not renewed: %s", live.services.execution_id, error)
        del loop, live


def _forsaken(database: OwnedDatabase, watch: Watch, heart: asyncio.Task[None]) -> None:
    """Give back an execution that was not closed and that no one has any more; on whatever thread collects it."""
    loop = heart.get_loop()
    if os.getpid() == database.shared.pid:
        loop.call_soon_threadsafe(lambda: kept(loop.create_task(_given_back(database, watch, heart))))


async def _given_back(database: OwnedDatabase, watch: Watch, heart: asyncio.Task[None]) -> None:
    heart.cancel()
    try:
        await watch.stopped()
        await database.release()
    except StoreError as error:
        logger.warning("the lease of an execution that was not closed runs out by itself: %s", error)
    finally:
        await database.shared.close()


def _failed_to_be(draft: Draft) -> str:
    return "rendered" if draft.phase in (None, Phase.SNAPSHOT) else "made"


def _problem(error: SmithersError, draft: Draft) -> Event:
    """Return the record of an error that kept a frame from being made."""
    phases = list(Phase)
    phase = phases[phases.index(draft.phase) + 1] if draft.phase and draft.phase is not Phase.FLUSH else phases[0]
    return Problem(type(error).__name__, str(error), error.node_id, phase, error.source).event(draft.number)
