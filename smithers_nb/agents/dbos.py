"""The runner whose agents and functions run on workers: DBOS on a PostgreSQL hands them over and brings the rows back.

A task is an item of a queue, named by its execution, itself and its leg: handing it over twice changes nothing, and a
kernel that was killed joins its items when the execution is resumed. SQLite stays the one truth: the database has tasks
and rows on their way only.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from threading import Lock
from time import monotonic, time
from typing import Any, Literal, TypeVar, cast

from pydantic import TypeAdapter

from .. import errors
from ..errors import AgentConfigError, AgentError, BudgetExceededError, said
from ..records import ModelCall, ToolCall
from ..threads import CALLS, called, called_out
from ..values import Stored, opened
from .imports import imports
from .limits import Limits
from .pydantic_ai import PydanticAiRunner
from .runner import (
    AgentReply,
    AgentTask,
    ApprovalRequired,
    ExecutionTask,
    FarLedger,
    FarTask,
    FunctionTask,
    ItemLedger,
    RetryLater,
    Spent,
    ToolQuestion,
    WorkerFailure,
)
from .wire import FORMAT, to_json
from .workers import BEAT_S, WorkerRecord, cause_of, checked_url, needs_extra, place_of, workers_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

WORKFLOW = "smithers_task"
"""The name under which workers know how to run a task."""
LEDGER = "ledger"
"""The stream of a task's rows."""
OPEN = ("ENQUEUED", "PENDING", "DELAYED")
"""The states of items that have not ended."""
PATIENCE_S = 10.0
"""The time for which the engine may be out of reach before the tasks say so."""
LEAST_LOST_S = 15.0
LATE_S = 2 * BEAT_S
"""The age of a heartbeat from which on the tasks of its worker say so."""
AGAIN_S = 0.5
SHOWN_WORKERS = 3
"""The number of workers that a message names."""

_REQUEST = TypeAdapter(ModelCall)
_CALL = TypeAdapter(ToolCall)


def queue_of_executions(queue: str) -> str:
    """Return the name of the queue for whole executions, which wait for the tasks in the queue of a name."""
    # In one queue they would take the places that their own agents need.
    return f"{queue}.executions"


@dataclass(slots=True, eq=False)
class Followed:
    """An item whose rows this process records: two executions of one id may follow it, each with a file of its own."""

    id: str
    task: FarTask
    ledger: ItemLedger
    queue: str
    at: int
    """The number of rows that have come."""
    held_up: str = ""
    """The reason why tasks of a whole execution wait for workers, as the worker that runs it has it."""
    open: dict[tuple[object, ...], ModelCall | ToolCall] = field(default_factory=dict)
    """The requests and tool calls that have no end yet."""


class DbosRunner:
    """Runs agents, and functions that can be imported, on workers: ``python -m smithers_nb worker URL``.

    Components, handlers, state and the file stay in this process. Running tasks continue when it ends, and
    ``Execution.resume(…, runner=…)`` joins it: no answer is paid for twice.

    Parameters
    ----------
    url : str, optional
        The address of a PostgreSQL, ``postgresql://user@host/database``. Defaults to ``$SMITHERS_ENGINE``.
    queue : str
        The name of the queue that the workers listen to.
    send_code : bool
        Send the code of tools, types and functions that workers can't import, such as those of a notebook. Whoever can
        write to that database then runs code on the workers.
    strict_code : bool
        Let workers refuse a task if a module that it names is not the same there.
    lost_after_s : float
        The age of a worker's last heartbeat after which its tasks are given to others, 15 seconds or more.

    Raises
    ------
    AgentConfigError
        If the extra is not installed; it has the line that installs it.
    ValueError
        If there is no address, or ``lost_after_s`` is too short.
    """

    remote = True
    outlives = True

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "agents",
        send_code: bool = False,
        strict_code: bool = False,
        lost_after_s: float = 30.0,
    ) -> None:
        needs_extra()
        self._url = checked_url(url)
        self.queue = queue
        self.send_code = send_code
        self.strict_code = strict_code
        if not lost_after_s >= LEAST_LOST_S:
            raise ValueError(
                f"lost_after_s={lost_after_s} is too short: a heartbeat and the look at it take {2 * BEAT_S:.0f} s, so "
                f"it is {LEAST_LOST_S:.0f} or more"
            )
        self.lost_after_s = lost_after_s
        self._here = PydanticAiRunner()
        """Answers the agents of branches from the record."""
        self._client: Any = None  # Any: DBOSClient, which must not be imported before it is needed
        self._connecting = Lock()
        self._followed: set[Followed] = set()
        self._watching: asyncio.Task[None] | None = None
        self._present: dict[str, asyncio.Event] = {}
        """For each queue an event that is set while a worker that takes its items is alive."""
        self._away_since: float | None = None
        """The time since which the engine is out of reach."""
        self._told_away = False
        self._reached = False
        """True once the engine was there."""
        self._told_none: dict[str, str] = {}
        """For each queue whose items no worker takes, the reason that was logged."""
        self._closed_until: dict[str, float] = {}
        """The ends of the pauses of models that have refused a request."""

    def __repr__(self) -> str:
        return f"DbosRunner({place_of(self._url)!r}, queue={self.queue!r})"

    # ---- the protocol ------------------------------------------------------------------------------------------

    async def check(self, task: AgentTask) -> None:
        """Check that the task can leave this process. Models and keys are those of the workers.

        Raises:
            AgentConfigError: naming the part that can't.
        """
        to_json(task, send_code=self.send_code)

    async def submit(self, task: AgentTask, ledger: Any) -> AgentReply:
        """Run an agent on a worker to its end, or join it if it runs already; cancelling ends its request."""
        if not hasattr(ledger, "offset"):
            # It stays here: a branch and a replay take answers from the file.
            return await self._here.submit(task, ledger)
        limits = Limits(task, ledger, Spent())
        limits.check_execution(tool=False)
        await asyncio.sleep(max(0.0, min(60.0, self._closed_until.get(task.model, 0.0) - time())))
        limit = asyncio.timeout(ledger.remaining_s())
        try:
            async with limit:
                return await self._item(task, ledger, limits)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise limits.over("seconds", "its time is up") from error

    async def call(self, task: FunctionTask, ledger: FarLedger) -> AgentReply:
        """Call a function on a worker to its end."""
        return await self._item(task, ledger, None)

    async def execute(self, task: ExecutionTask, ledger: ItemLedger) -> dict[str, Any]:  # Any: JSON
        """Run a whole execution on a worker to its end or rest, and return that with its file."""
        end: dict[str, Any] = (await self._item(task, ledger, None)).output
        return end

    def rest(self) -> None:
        """Close the connections, unless a task is followed."""
        if not self._followed:
            self.close()

    def close(self) -> None:
        """End the listener and the connections. What workers run continues; a later task connects again."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        client, self._client = self._client, None
        if client is not None:
            # In a thread: it waits for its listener, and this is called on the engine's loop.
            CALLS.submit(client.destroy)

    def forget(self, before: datetime) -> int:
        """Delete the items that ended before a time, with their rows; return their number. Their executions have them
        in their files.

        Raises:
            ValueError: if the time has no time zone.
        """
        if before.tzinfo is None:
            raise ValueError("before= needs a time zone: datetime.now(UTC) - timedelta(days=7)")
        client = self._connect()
        try:
            ended = client.list_workflows(
                name=WORKFLOW,
                status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                completed_before=before.isoformat(),
                load_input=False,
                load_output=False,
            )
            client.delete_workflows([item.workflow_id for item in ended])
        finally:
            client.destroy()
        return len(ended)

    # ---- an item from its start to its end ---------------------------------------------------------------------

    async def _item(self, task: FarTask, ledger: ItemLedger, limits: Limits | None) -> AgentReply:
        queue = self.queue
        if isinstance(task, ExecutionTask):
            queue = queue_of_executions(queue)
        payload = to_json(task, send_code=self.send_code, strict_code=self.strict_code)
        await called(_load)
        followed = Followed(_id_of(task), task, ledger, queue, at=ledger.offset)
        self._followed.add(followed)
        self._watch()
        try:
            await self._hand_over(followed, payload)
            return await self._follow(followed, limits)
        except (asyncio.CancelledError, BudgetExceededError):
            if not ledger.leaving:
                await self._break_off(followed)
            raise
        finally:
            self._followed.remove(followed)

    async def _hand_over(self, followed: Followed, payload: str) -> None:
        """Put an item into the queue, once a worker is there; one that is there already stays as it is."""
        await self._present[followed.queue].wait()
        if isinstance(followed.task, ExecutionTask):
            # One that was cancelled, or could not be run, stays so: the next one begins beside it.
            while await self._tries(self._is_lost, followed.id):
                followed.task = replace(followed.task, leg=followed.task.leg + 1)
                followed.id = _id_of(followed.task)
        if followed.at and not await self._tries(self._status, followed.id):
            raise self._deleted(followed)
        options = {
            "workflow_name": WORKFLOW,
            "queue_name": followed.queue,
            "workflow_id": followed.id,
            # Otherwise only a worker of the same source would take it, and none would say so.
            "app_version": str(FORMAT),
        }
        await self._tries(lambda: self._connect_once().enqueue(options, payload))
        await followed.ledger.stalled(None)

    def _deleted(self, followed: Followed) -> WorkerFailure:
        node_id, place = followed.task.node_id, place_of(self._url)
        again = f"ex.retry({node_id!r}) runs it again from the beginning"
        if isinstance(followed.task, ExecutionTask):
            again = "resume() of the sweep runs it again"
        return WorkerFailure(
            f"the item of {node_id} is no longer at {place}: it was deleted there before its end had come. {again}."
        )

    async def _follow(self, followed: Followed, limits: Limits | None) -> AgentReply:
        """Record the rows of an item as they come, and return its end."""
        while True:
            async with aclosing(self._rows(followed)) as rows:
                async for kind, body in rows:
                    if kind == "end":
                        return _end(body, followed.task)
                    await self._take(followed, kind, body, limits=limits)
            # It has ended without an end of ours: it was cancelled, or DBOS gave it up.
            status = await self._tries(self._status, followed.id)
            if status in OPEN:
                continue
            # No worker will tell their ends.
            await self._end_calls(followed, "interrupted", "its item was ended before the answer came")
            if status == "CANCELLED":
                raise RetryLater("retry", time(), "its item was cancelled")
            if status is None:
                raise self._deleted(followed)
            raise WorkerFailure(
                f"the item of {followed.task.node_id} ended as {status} on worker level: its worker's log says why",
                abandoned=status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
            )

    async def _rows(self, followed: Followed) -> AsyncGenerator[tuple[str, Any], None]:  # Any: JSON
        """Yield the rows of an item after those that have come, until it ends."""
        while True:
            try:
                client = await called(self._connect_once)
                async with aclosing(client.read_stream_async(followed.id, LEDGER, offset=followed.at)) as texts:
                    async for text in texts:
                        followed.at += 1
                        self._is_there()
                        _, kind, body = json.loads(text)
                        yield kind, body
                return
            except _missing():
                return  # Its status says so.
            except _trouble() as error:
                await self._away(error)

    async def _take(self, followed: Followed, kind: str, body: Any, *, limits: Limits | None) -> None:  # Any: JSON
        """Record a row."""
        at = followed.at
        call: ModelCall | ToolCall
        if kind == "alive":
            await followed.ledger.taken(body["worker"], body["note"])
            await self._hold_up(followed, "")
            return
        if kind == "stalled":
            await self._hold_up(followed, body["why"])
            return
        ledger = cast(FarLedger, followed.ledger)  # Only agents and functions have other rows.
        if kind == "asked":
            call = _REQUEST.validate_python(body)
            _note(followed, ("request", call.turn, call.attempt, call.agent, call.caller), call)
            if call.status == "running" and limits is not None:
                # In this process the request would not have been made. Now it is broken off.
                await ledger.told(call, at)
                limits.check_execution(tool=False)
                return
            await ledger.told(call, at)
        elif kind == "tool":
            call = _CALL.validate_python(body)
            _note(followed, ("tool", call.tool_call_id, call.agent, call.caller), call)
            await ledger.told(call, at)
        elif kind == "pieces":
            task_id = followed.task.task_id
            await ledger.told_pieces([(task_id, *piece) for piece in body], at)
        elif kind == "printed":
            await ledger.told_output(body, at)
        elif kind == "progress":
            output = opened(Stored(*body), f"the progress of {followed.task.node_id}", "finish it")
            ledger.progress(lambda: output)
        elif kind == "refused" and isinstance(followed.task, AgentTask):
            self._closed_until[followed.task.model] = time() + body["wait_s"]
            await ledger.refused(body["window"], body["wait_s"])

    async def _hold_up(self, followed: Followed, why: str) -> None:
        """Tell why the tasks of a whole execution wait for workers: only the worker that runs it knows of them."""
        if followed.held_up == why:
            return
        followed.held_up = why
        if why and why not in self._told_none.values():
            logger.warning("%s: %s", followed.task.node_id, why)
        self._told_none[f"tasks of {followed.queue}"] = why
        await followed.ledger.stalled("no_worker" if why else None, why)

    async def _break_off(self, followed: Followed) -> None:
        """Cancel an item, and record that its open calls were cancelled."""
        try:
            client = await called(self._connect_once)
            await called(client.cancel_workflow, followed.id)
            # From here on DBOS refuses the worker's rows, those about this end too: what is there is all.
            async with aclosing(client.read_stream_async(followed.id, LEDGER, offset=followed.at)) as texts:
                async for text in texts:
                    followed.at += 1
                    _, kind, body = json.loads(text)
                    if kind in ("asked", "tool", "pieces", "printed"):
                        await self._take(followed, kind, body, limits=None)
        except _trouble() as error:
            logger.warning("%s could not be cancelled at %s: %s", followed.id, place_of(self._url), said(error))
        await self._end_calls(followed, "cancelled", "it was cancelled")

    async def _end_calls(self, followed: Followed, status: Literal["interrupted", "cancelled"], why: str) -> None:
        """Record an end for the requests and tool calls that have none."""
        for call in list(followed.open.values()):
            ended: ModelCall | ToolCall = replace(call, status="interrupted")
            if isinstance(call, ModelCall):
                ended = replace(call, status=status, error=why, ms=(time() - call.started_at) * 1000)
            await cast(FarLedger, followed.ledger).told(ended, followed.at)

    # ---- the engine --------------------------------------------------------------------------------------------

    def _connect(self) -> Any:  # Any: DBOSClient
        from dbos import DBOSClient

        return DBOSClient(
            system_database_url=self._url,
            application_name="smithers_nb",
            use_listen_notify=True,
            # An engine that is away is to be told, not waited for in a thread that nothing ends.
            retry_connection_errors=False,
        )

    def _connect_once(self) -> Any:  # Any: DBOSClient
        with self._connecting:  # Many tasks begin at once, each in a thread.
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _status(self, id: str) -> str | None:
        found = self._connect_once().list_workflows(workflow_ids=[id], load_input=False, load_output=False)
        return found[0].status if found else None

    def _is_lost(self, id: str) -> bool:
        """Return whether the item of a whole execution has ended without its file."""
        found = self._connect_once().list_workflows(workflow_ids=[id], load_input=False)
        if not found or found[0].status in OPEN:
            return False
        return bool(found[0].status != "SUCCESS" or json.loads(found[0].output)["end"] != "execution")

    async def _tries(self, work: Callable[..., T], *args: Any) -> T:  # Any: as ``work`` has them
        """Call something in a thread, again until the engine can be reached. A cancellation waits for the call: an item
        that came into the queue after it was cancelled would run for nobody.
        """
        while True:
            try:
                found = await called_out(work, *args)
            except _trouble() as error:
                await self._away(error)
            else:
                self._is_there()
                return found

    def _is_there(self) -> None:
        self._away_since, self._told_away, self._reached = None, False, True

    async def _away(self, error: BaseException) -> None:
        """Wait a little because the engine is out of reach; after a while the tasks say so."""
        now = monotonic()
        self._away_since = self._away_since or now
        # It may have gone for a moment. An address under which it never was is more likely to be wrong.
        if not self._reached or now - self._away_since > PATIENCE_S:
            why = f"the engine at {place_of(self._url)} can't be reached, and is tried again: {cause_of(error)}"
            if not self._told_away:
                logger.warning(why)
            self._told_away = True
            for followed in list(self._followed):
                await followed.ledger.stalled("engine", why)
        logger.info("the engine can't be reached: %s", said(error))
        await asyncio.sleep(AGAIN_S)

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._present = {queue: asyncio.Event() for queue in (self.queue, queue_of_executions(self.queue))}
            self._watching = asyncio.get_running_loop().create_task(self._look_after(), name="smithers workers")

    async def _look_after(self) -> None:
        """Look at the workers while tasks are out: give away the tasks of a lost one, and say where none is."""
        looked = time()
        slack_s = slack_until = 0.0
        while self._followed:
            workers = await self._tries(workers_of, self._url, self.queue)
            now = time()
            # While the database was away, or this machine slept, nobody could record a heartbeat. Those that live are
            # given the time for one, or all that they run would be moved, and paid for again.
            if now - looked > LATE_S:
                slack_s, slack_until = now - looked, now + LATE_S
            if now < slack_until:
                workers = [replace(one, seen_s=max(0.0, one.seen_s - slack_s)) for one in workers]
            looked = now
            recent = [one for one in workers if one.seen_s < self.lost_after_s and one.running >= 0]
            alive = [one for one in recent if one.format == FORMAT]
            if lost := [one for one in workers if one.seen_s >= self.lost_after_s]:
                await self._move(lost)
            await self._tell_silence(workers)
            waits = [queue for queue in self._present if not await self._tell(queue, alive, workers=workers)]
            await asyncio.sleep(1.0 if waits else BEAT_S)

    async def _tell(self, queue: str, alive: list[WorkerRecord], *, workers: list[WorkerRecord]) -> bool:
        """Tell the items of a queue whether a worker takes them, and return that."""
        present, followed = self._present[queue], [one for one in self._followed if one.queue == queue]
        if any(one.tasks if queue == self.queue else one.executions for one in alive):
            present.set()
            self._told_none.pop(queue, None)
            for one in followed:
                await one.ledger.stalled("no_worker" if one.held_up else None, one.held_up)
            return True
        present.clear()
        if followed:
            why = self._silence(queue, alive, workers=workers)
            if why != self._told_none.get(queue):
                logger.warning(why)
            self._told_none[queue] = why
            for one in followed:
                await one.ledger.stalled("no_worker", why)
        return False

    def _silence(self, queue: str, alive: list[WorkerRecord], *, workers: list[WorkerRecord]) -> str:
        """Return why no worker takes the items of a queue, and what to do."""
        start = f"Start one where the same code is: python -m smithers_nb worker URL --id w0 --queue {self.queue}"
        if alive:
            what, option = "tasks of agents and functions", "--concurrency"
            if queue != self.queue:
                what, option = "whole executions", "--executions"
            there = ", ".join(one.worker_id for one in alive[:SHOWN_WORKERS])
            if len(alive) > SHOWN_WORKERS:
                there += ", …"
            # Another id: two workers of one id would take each other's tasks.
            start = start.replace("--id w0", f"--id {_free_id(alive)}")
            run = "runs" if len(alive) == 1 else "run"
            return (
                f"no worker of queue {self.queue!r} of {place_of(self._url)} takes {what}: {there} {run} with "
                f"{option} 0. {start}"
            )
        others = sorted({one.format for one in workers if one.seen_s < self.lost_after_s})
        if others:
            return (
                f"the workers of queue {self.queue!r} understand format {', '.join(map(str, others))} of tasks, and "
                f"this process writes format {FORMAT}: use the same release of smithers_nb on both sides"
            )
        return f"no worker listens to queue {self.queue!r} of {place_of(self._url)}. {start}"

    def _pending_of(self, workers: list[str]) -> list[Any]:  # Any: DBOS' record of a workflow
        """Return the items that workers have begun, and that have not ended."""
        items: list[Any] = []
        for queue in (self.queue, queue_of_executions(self.queue)):
            items += self._connect_once().list_workflows(
                status="PENDING", executor_id=workers, queue_name=queue, load_input=False, load_output=False
            )
        return items

    async def _tell_silence(self, workers: list[WorkerRecord]) -> None:
        """Tell the tasks of workers whose heartbeat is late, and those of workers that are seen again."""
        late = {one.worker_id: one for one in workers if LATE_S <= one.seen_s < self.lost_after_s}
        found: dict[str, str] = {}
        if late:
            for item in await self._tries(self._pending_of, list(late)):
                found[item.workflow_id] = f"last seen {late[item.executor_id].seen_s:.0f} s ago"
        for followed in list(self._followed):
            await followed.ledger.quiet(found.get(followed.id))

    async def _move(self, lost: list[WorkerRecord]) -> None:
        """Put the tasks of lost workers back into the queue: DBOS itself waits until a worker of the same id begins."""
        by_id = {one.worker_id: one for one in lost}

        def move() -> list[Any]:  # Any: DBOS' record of a workflow
            items = self._pending_of(list(by_id))
            for queue in {item.queue_name for item in items}:
                ids = [item.workflow_id for item in items if item.queue_name == queue]
                # Without the queue's name they would run past its limits.
                self._connect_once().resume_workflows(ids, queue_name=queue)
            return items

        moved = {item.workflow_id: by_id[item.executor_id] for item in await self._tries(move)}
        for followed in list(self._followed):
            if worker := moved.get(followed.id):
                await followed.ledger.lost(
                    worker.worker_id, f"worker {worker.worker_id} was not seen for {worker.seen_s:.0f} s: moved"
                )


def _free_id(workers: list[WorkerRecord]) -> str:
    taken = {one.worker_id for one in workers}
    return next(name for number in count() if (name := f"w{number}") not in taken)


def _note(followed: Followed, key: tuple[object, ...], call: ModelCall | ToolCall) -> None:
    if call.status == "running":
        followed.open[key] = call
    else:
        followed.open.pop(key, None)


def _load() -> None:
    """Import the packages of the extra: in one thread, because two that do so get modules that are half made."""
    with imports.alone():
        import dbos  # noqa: F401
        import psycopg  # noqa: F401
        import sqlalchemy.exc  # noqa: F401
    # It logs a lost connection at each try, twice a second; this is said here, once.
    logging.getLogger("dbos").addFilter(_is_no_lost_connection)


def _is_no_lost_connection(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("Error connecting to the DBOS", "Notification listener error"))


def _trouble() -> tuple[type[BaseException], ...]:
    """Return the errors of an engine that is out of reach."""
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError, psycopg.Error, OSError


def _missing() -> type[BaseException]:
    """Return the error for an item that is not there."""
    from dbos import error

    found: type[BaseException] = error.DBOSNonExistentWorkflowError
    return found


def _id_of(task: FarTask) -> str:
    return f"{task.execution_id}:{task.task_id}:{task.leg}"


def _end(end: dict[str, Any], task: FarTask) -> AgentReply:  # Any: JSON
    """Return the reply that an item ended with.

    Raises:
        RetryLater, ApprovalRequired: if it waits.
        AgentError, WorkerFailure: if it failed.
    """
    if end["end"] == "reply":
        if end["type"] == "model":
            # A class of a notebook has no name there: it is checked by the one that is here.
            assert isinstance(task, AgentTask)  # for the type checker: only agents have an output_type
            return AgentReply(TypeAdapter(task.local.output_type).validate_json(end["value"]))
        return AgentReply(opened(Stored(end["value"], end["type"]), f"the output of {task.node_id}", "retry it"))
    if end["end"] == "execution":
        return AgentReply(end)
    if end["end"] == "later":
        raise RetryLater(end["reason"], end["at"], end["why"])
    if end["end"] == "asks":
        raise ApprovalRequired([ToolQuestion(**question) for question in end["questions"]])
    own = getattr(errors, end["type"], None)
    if end["limit"] is not None:
        raise BudgetExceededError(end["error"], limit=end["limit"], node_id=task.node_id, source=task.source)
    if own in (AgentError, AgentConfigError):
        raise own(end["error"], node_id=task.node_id, source=task.source)
    raise WorkerFailure(end["error"], end["trace"], abandoned=end["end"] == "abandoned")
