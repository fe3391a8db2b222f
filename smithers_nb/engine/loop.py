"""The loop of an execution: when a frame runs, where a step rests, and how it ends.

To the loop the pipeline is a generator to be advanced; it knows of the phases only at which one a step rests.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import ExecutionOwnedError, SmithersError, StalledError, StoreError, said
from ..nodes.base import NodeBase
from ..nodes.control import End
from ..nodes.names import name_of, named_in
from ..nodes.schedule import limit_of, schedule
from ..records import Event, Hit, Phase, Problem, Status, Write
from ..store import writer
from ..store.presence import StoreLostError
from ..values import Stored, encode
from . import heartbeat
from .draft import Draft
from .live import Live
from .phases.flush import flush_between
from .pipeline import frame
from .repetition import Repetition
from .slot import CommandSlot
from .user_code.scope import stepping

logger = logging.getLogger(__name__)

REST = Phase.EFFECTS
"""A step ends after this phase: the frame's writes are pending, and FLUSH is the first thing the next step does."""

LONG_S = 1.0
"""A wait that takes longer is recorded: a run that waits for a moment in each frame must not write more."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The end of a ``run``: how and why, after how many frames, and with which problems."""

    status: Status
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
        """Let ``run`` wait for people's answers, too, as a child does."""
        self._rested: tuple[Status, str] = ("ready", "")
        """Status and reason as the last command left them."""
        self._sleeps = False
        """Let the command wait for tasks that wait to try again."""
        self.draft: Draft | None = None
        """The open frame, or the last one."""
        self._before: Draft | None = None
        """The draft before: it stands again if the open frame can't be rendered."""
        self.problems: list[Problem] = []
        """The problems that the present command has found, or the last one."""
        self.over = False
        """Set when the execution has ended and nothing is outstanding."""
        self._slow = False
        """Set once a slow phase is recorded: a busy machine would record it in every frame."""
        self.hit: Hit | None = None
        """The breakpoint that ended the last command."""
        self._repetition = Repetition()
        self._phases: AsyncGenerator[Phase | StoreError] | None = None
        """The open frame's pipeline; None between two frames."""
        self._slot = CommandSlot()
        self._forsaken: weakref.finalize[..., Live] | None = None
        live.loop = self
        self._heart = heartbeat.begin(self.beat)

    # ---- commands ----------------------------------------------------------------------------------------------

    async def phase(self) -> bool:
        """Do one phase; return False if there was none to do."""
        async with self._moves("phase"):
            return await self._advance()
        return False  # ``stop`` ended it: _moves let no error through.

    async def step(self) -> bool:
        """Go to the next rest; return False if the execution ended, or was paused, on the way."""
        async with self._moves("step"):
            while await self._advance():
                if self._at_rest:
                    return True
        return False

    async def run(self, max_frames: int, until: Callable[[], str | None] | None = None) -> RunOutcome:
        """Make frames until it is over, is paused, waits only for people, ``until()`` gives a reason at a rest, or
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
        return RunOutcome(*self._rested, frames, tuple(self.problems))

    @property
    def command(self) -> str | None:
        """The command that is running, in a word: ``step``, ``phase`` or ``run``."""
        return self._slot.name

    def pause(self) -> None:
        """End the running command after the current phase, or at once if it waits; on the engine's loop."""
        if self._slot.task is not None:
            self._slot.pausing = True
            self.live.inbox.wake()

    async def stop(self) -> None:
        """End the running command, and interrupt the running tasks: a later step runs them again."""
        await self._slot.halt("stopped")
        await self.live.tasks.interrupt()
        if not self.over or self.reopened:
            self.over = False
            if self.live.tasks.outstanding:
                self.live.inbox.cause("stopped by hand")
            await self._enter("stopped", "stopped by hand")

    async def terminate(self, why: str = "terminated by hand") -> None:
        """Stop for good."""
        self.live.services.refuse_when_closed()
        await self._slot.halt("terminated")
        with self._gone_already(StoreLostError):
            await self.live.tasks.interrupt()
            if not self.over or self.reopened:
                await self._enter("terminated", why)
        self.over = True

    async def close(self) -> None:
        """Stop what runs and give the lease back; the execution can be resumed from the file."""
        live = self.live
        # The order matters: the command first, because it starts tasks; then the tasks, because they write; and the
        # lease last, because without it nothing is written.
        await self._slot.halt("stopped")
        with self._gone_already(ExecutionOwnedError, StoreLostError):
            await live.tasks.interrupt(leaving=True)
        await self.abandon()
        with self._gone_already(ExecutionOwnedError, StoreLostError):
            # What people have written since the last frame is in memory only.
            await self.apply_waiting()
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
        if rest := getattr(live.services.runner, "rest", None):
            rest()

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
        self._forsaken = weakref.finalize(
            live, heartbeat.forsaken, database=live.services.database, watch=live.watch, heart=self._heart
        )
        # At the exit of the process ``leave`` does it, while the engine's loop still runs.
        self._forsaken.atexit = False

    async def leave(self) -> None:
        """Close it, and the file after its last user."""
        if self._forsaken is not None and self._forsaken.detach() is None:
            return  # It was left before.
        try:
            await self.close()
        finally:
            await self.live.services.database.shared.close()

    async def beat(self) -> bool:
        """Renew the lease and record how things stand; return False if another process has the execution now."""
        live = self.live
        try:
            await live.services.database.transaction(writer.heartbeat, live.services.execution_id, live.services.lease)
            if self.command is None:
                await self._record()  # People may have answered, and tasks ended.
        except ExecutionOwnedError as taken:
            # Not raised here, where only a log would show it: the next COMMIT raises it where a person sees it.
            self.reason = str(taken)
            return False
        except StoreLostError as error:
            # In the status, too: those who look at the stepper see no log.
            if self.reason != str(error):
                logger.warning("%s: %s", live.services.name, error)
                self.reason = str(error)
                live.services.observers.notify()
        except StoreError as error:
            # The file may be locked for a moment. The lease outlasts some beats that fail, so the next one may do.
            logger.warning("the lease of %s was not renewed: %s", live.services.execution_id, error)
        return True

    # ---- advancing ---------------------------------------------------------------------------------------------

    @property
    def _at_rest(self) -> bool:
        return self.draft is not None and self.draft.phase is REST and self._phases is not None

    @property
    def reopened(self) -> bool:
        """Return whether there is something to do after the end: an operator's write, a retry, a swap."""
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
        if now == self.status and self.reason:
            return now, self.reason
        if now == "waiting":
            return now, self._asleep()
        return now, ""

    @property
    def _waits(self) -> bool:
        """Return whether nothing moves until a person answers, or a time has come."""
        return self.live.tasks.waits and not self.live.inbox.causes and not self._continues

    @property
    def _continues(self) -> bool:
        """Return whether the open frame has phases to come, or a FLUSH with something to do."""
        draft = self.draft
        if self._phases is None or draft is None:
            return False
        return draft.phase is not REST or bool(draft.pending or draft.settled or draft.ending)

    @asynccontextmanager
    async def _moves(self, command: str) -> AsyncIterator[None]:
        """Run the body as the one command: the status says that something moves, and afterwards how things stand."""
        async with stepping(self.live.context), self._slot.lock:
            await self._slot.take(command)
            self.live.moves_as = "running" if command == "run" else "paused"
            self._sleeps = False
            self.problems = []
            if self.draft is not None:
                self.draft.new_problems()  # Those are the last command's.
            self.reason = ""
            self.hit = None
            self.live.services.observers.notify()
            # The watcher reports late, on some filesystems never, and after the end of an execution it is stopped.
            self.live.watch.look()
            self.live.services.database.shared.look_at_log()
            try:
                yield
                # The last phase may have put a cancellation off; without this the caller would not see it.
                await self._slot.checkpoint()
            except asyncio.CancelledError:
                # stop() ends the command, it does not fail it. Any other cancellation is the caller's, and passes.
                status = self._slot.halted_as()
                if status is None:
                    raise
                if not self.over:
                    self.status, self.reason = status, f"{status} by hand"
            finally:
                paused = self._slot.leave()
                if self.over:
                    self.live.watch.stop()
                if self.status in ("running", "waiting"):
                    self._come_to_rest(paused)
                # Kept together: while the file is written, a person may answer, and a task may end.
                self._rested = self.standing
                await self._record()
                self.live.services.observers.notify()

    def _come_to_rest(self, paused: bool) -> None:
        """Set how things stand after a command that did not end the execution."""
        if self._waits:
            self.status = "waiting"
        elif self.draft is not None:
            self.status = "paused"
        else:
            self.status = "ready"
        if self.hit is not None:
            self.reason = f"stopped: {self.hit.text}"
        elif paused and not self.reason:
            self.reason = "paused by hand"

    async def _advance(self) -> bool:
        """Do the next phase of the open frame, or of a new one that is due."""
        await self._slot.checkpoint()
        if self._slot.pausing or self.hit or self.status == "terminated" or (self.over and not self.reopened):
            return False
        if self._phases is None and not await self._due():
            return False
        phases = self._phases or self._begin()
        self.over = False
        self._show("running")
        draft = self.draft
        try:
            done = await anext(phases)
        except BaseException as error:
            # A generator that has raised is spent, so the frame can't be resumed. A later one does its work again.
            await self.abandon()
            if isinstance(error, SmithersError) and draft is not None:
                self.live.noted.append(_problem(error, draft))
                self.reason = f"frame {draft.number} could not be {_failed_to_be(draft)}: {said(error)}"
            raise
        if isinstance(done, StoreError):
            # Yielded instead of raised: the generator is alive, and the next command tries the same FLUSH again.
            raise done
        if self.live.breakpoints and draft is not None:
            self.hit = await self.live.breakpoints.look(draft)
        if done is Phase.FLUSH:
            # Dropped without its end, a generator costs a task: asyncio closes it behind the scenes.
            await phases.aclose()
            self._phases = None
            await self._after_flush()
        if draft is not None:
            self.problems += draft.new_problems()
        self.live.services.observers.notify()
        return True

    async def _due(self) -> bool:
        """Wait until a frame is due; return False when none will be, or a pause was asked for."""
        live = self.live
        # Writes come before causes: the next frame is to see what had arrived when it began, and a write that changes
        # nothing causes no frame. Applying them may cause one, so everything is looked at again after each await.
        while live.inbox.writes or live.inbox.ending or not live.inbox.causes:
            if live.inbox.writes or live.inbox.ending:
                if await self._flush_between():
                    return False
            elif not live.outstanding:
                await self._finish()
                return False
            elif self._slot.pausing:
                # Only here, not before the writes: a pause must not keep what has arrived out of the file.
                return False
            elif live.tasks.waits and (not self._sleeps or (live.tasks.waits_for_people and not self.patient)):
                return False  # ``standing`` says for what.
            elif live.services.replay is not None and live.services.replay.stuck(live):
                return False
            else:
                self.reason = ""
                if live.tasks.waits:
                    self.reason = self._asleep()
                elif stalled := live.tasks.stalled:
                    self.reason = stalled[0].worker
                self._show("waiting")
                await self._sleep()
                self.reason = ""
        return True

    async def apply_waiting(self) -> None:
        """Apply the writes that have come, where no frame is open: for one who ends here, and does not move it."""
        if self._phases is None and (self.live.inbox.writes or self.live.inbox.ending):
            await self._flush_between()
            if self.status == "ready" and self.live.committed.frame:
                self.status = "paused"  # Resumed, it stood as the file said: but now a frame is due.

    async def _flush_between(self) -> bool:
        """Apply writes that came between two frames; return whether a breakpoint stops at them."""
        live = self.live
        between = Draft(live.services.execution_id, live.committed.frame, ())
        await flush_between(live, between)
        self.problems += between.problems
        if self.draft is not None:
            self.draft.problems += between.problems
            self.draft.new_problems()  # They are in ``problems`` already.
        if not live.breakpoints:
            return False
        hit = await live.breakpoints.look(between)
        if hit is None:
            return False
        self.hit, self.over = hit, False
        self._show("running")
        return True

    async def _sleep(self) -> None:
        """Wait until there may be something to do.

        Only a wait that becomes long is recorded, with its reason: most are for a task that ends in a moment, and a
        transaction for each would double the cost of its frame.
        """
        recorded = self.live.recorded_as == self.standing
        try:
            async with asyncio.timeout(None if recorded else LONG_S):
                await self.live.inbox.sleep()
        except TimeoutError:
            await self.live.record_standing(*self.standing)

    def _asleep(self) -> str:
        """Return which task waits until when, and why."""
        sleeping = self.live.tasks.sleeping
        if not sleeping:
            return f"approval {', '.join(self.live.tasks.questions)} waits for an answer"
        first = sleeping[0]
        until = datetime.fromtimestamp(first.retry_at or 0.0, UTC)
        return self._named(f"{first.node.id} waits until {until:%H:%M:%S} UTC to try again: {first.why}")

    def _named(self, text: str) -> str:
        """Return a text with the names of nodes in place of generated ids."""
        return named_in(text, self.live.committed.tree)

    def _begin(self) -> AsyncGenerator[Phase | StoreError]:
        live = self.live
        self._before = self.draft
        self.draft = Draft(
            live.services.execution_id,
            number=live.committed.frame + 1,
            reason=tuple(live.inbox.causes),
            before=live.committed.tree,
            tree=live.committed.tree,
        )
        # Cleared here, before SNAPSHOT: a cause that comes while the frame runs is one of the next frame.
        live.inbox.causes.clear()
        self._phases = frame(live, self.draft)
        return self._phases

    def due_anyway(self, why: str) -> None:
        """Make a frame due that nothing here calls for: it is no repetition."""
        self._repetition.forget()
        if not self.live.inbox.causes:
            self.live.inbox.cause(why)

    async def abandon(self) -> None:
        """Give up the open frame: a later one deals again with everything that it had not flushed."""
        if self._phases is None or self.draft is None:
            return
        await self._phases.aclose()
        self._phases = None
        # Once COMMIT has its row in the file, the frame keeps its number, and the next one has another reason. Before
        # that it has left no trace: its reason, its number and the draft before it are taken up again.
        if self.draft.phase in (Phase.COMMIT, Phase.EXECUTE, Phase.EFFECTS):
            self.live.inbox.cause(f"frame {self.draft.number} was abandoned")
            return
        for cause in self.draft.reason:
            self.live.inbox.cause(cause)
        self.draft = self._before

    # ---- the end -----------------------------------------------------------------------------------------------

    async def _after_flush(self) -> None:
        """Find out whether the frame that is closed now was the last."""
        draft, live = self.draft, self.live
        assert draft is not None  # for the type checker: a frame was flushed
        if draft.slow is not None and not self._slow:
            self._slow = True
            live.noted.append(draft.slow.event(draft.number))
        if draft.ending is not None:
            await self._end(draft.ending)
        elif not live.outstanding:
            await self._finish()
        elif (before := self._repetition.before(live, draft)) is not None:
            await self._stall(draft, before)

    async def _stall(self, draft: Draft, before: int) -> None:
        """End an execution that goes round in circles, and say from which frame on."""
        live = self.live
        why = f"frame {draft.number} has the same plan over the same state as frame {before}"
        round = ", ".join(live.inbox.causes[:3])
        error = StalledError(
            f"{why}, and nothing else is running: it would repeat for ever, by {round}. Nothing was lost. Change the "
            "plan so that these writes stop, or write a value by hand: ex.state.set makes it continue.",
            frame=draft.number,
        )
        draft.problem(error, Phase.FLUSH)
        live.noted.append(draft.problems[-1].event(draft.number))
        await self._enter("stalled", f"{why}: {round}")
        live.inbox.causes.clear()
        self.over = True

    async def _end(self, node: NodeBase) -> None:
        """End the execution at a Stop or an End: cancel what runs, and record how it ended."""
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
            writer.set_result, live.services.execution_id, self.status, self.reason, result=self.result
        )
        live.recorded_as = self.status, self.reason
        live.services.observers.notify()

    async def _finish(self) -> None:
        """Record how an execution ended in which nothing is outstanding."""
        failed = self.failures
        if failed:
            await self._enter("failed", self._named(f"{', '.join(failed[:3])} failed and has no on_error"))
        elif looping := [id for id, last in self.live.committed.effect_runs.items() if last.refused]:
            why = f"effect {', '.join(looping[:3])} keeps causing itself and was not run"
            await self._enter("stalled", self._named(why))
        else:
            await self._enter("finished", "; ".join(["nothing is left to do", *self._cut_off()]))
        self.over = True

    def _cut_off(self) -> Iterator[str]:
        """Yield the loops that wanted more iterations than they may have: else their end looks like any other."""
        committed = self.live.committed
        cut = {id for (_, id), state in committed.loops.items() if state.status == "max_reached"}
        for node in committed.tree.walk():
            if node.id in cut:
                yield f"{name_of(node, node.props, committed.tree)} ended at {limit_of(node)}"

    # ---- how things stand --------------------------------------------------------------------------------------

    @property
    def pending(self) -> tuple[Write, ...]:
        """The writes that wait for FLUSH, in the order in which they will apply."""
        waiting = self.live.waiting(self.draft)
        return tuple(write for transaction in waiting for write in transaction.writes)

    @property
    def standing_of_nodes(self) -> dict[str, str]:
        """The status of each runnable, phase and loop of the plan, by node id."""
        live = self.live
        known = live.standing
        if known is not None:
            return known
        # Resumed, and no frame of this process yet.
        return schedule(live.committed.tree, dict(live.tasks.items()), live.committed.loops).status

    @property
    def failures(self) -> list[str]:
        """Ids of the nodes whose failure nothing handled."""
        return [
            id
            for id, task in self.live.tasks.items()
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

    def _show(self, status: Status) -> None:
        if self.status != status:
            self.status = status
            self.live.services.observers.notify()


def _failed_to_be(draft: Draft) -> str:
    if draft.phase in (None, Phase.SNAPSHOT):
        return "rendered"
    return "made"


def _problem(error: SmithersError, draft: Draft) -> Event:
    """Return the record of an error that kept a frame from being made."""
    phases = list(Phase)
    phase = phases[0]
    if draft.phase is not None and draft.phase is not Phase.FLUSH:
        phase = phases[phases.index(draft.phase) + 1]
    return Problem(
        kind=type(error).__name__, message=str(error), node_id=error.node_id, phase=phase, source=error.source
    ).event(draft.number)
