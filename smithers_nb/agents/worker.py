"""A worker: takes tasks from a queue of DBOS, runs them as the kernel would, and sends their rows back.

A task is one workflow with one step, and all rows are in the step's stream: a worker that takes over reads
the rows of the one before, and continues the agent from there. DBOS refuses the rows of a worker that was frozen and
comes back after that.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext, suppress
from contextvars import copy_context
from dataclasses import asdict, replace
from functools import partial
from itertools import groupby
from time import time
from typing import Any, Protocol

from pydantic import BaseModel, TypeAdapter

from ..credentials import masked
from ..errors import AgentError, BudgetExceededError, NotStorableError, said, traceback_of
from ..printing import Stream, heard
from ..records import ModelCall, Repeat, ReusedAnswer, ToolCall
from ..threads import CALLS, called
from ..user_code import awaited, guarded, raised_by
from ..values import Unstorable, encode
from .dbos import LEDGER, WORKFLOW, queue_of_executions
from .progress import progress
from .pydantic_ai import PydanticAiRunner, load_all
from .runner import AgentTask, ApprovalRequired, ExecutionTask, FunctionTask, Past, RetryLater
from .scripted import Scripted
from .wire import FORMAT, PYTHON, from_json
from .workers import BEAT_S, Places, beat, claim, connected, leave, owners_of

logger = logging.getLogger(__name__)

BATCH_S = 0.1
"""The time for which streamed pieces are collected."""
PRINTED_CHARS = 1_000_000
"""The most characters that a task prints into the record; more is in the worker's log only."""
MORE = "\n… more was printed; it is in the worker's log.\n"
CANCEL_S = 0.25
"""The interval at which DBOS looks for cancelled tasks."""
STARTS = 4
"""The number of workers that begin a task; if none of them lives to its end, it is given up: it may be what ends them.
"""

_REQUEST = TypeAdapter(ModelCall)
_CALL = TypeAdapter(ToolCall)
Row = list[Any]
"""A row of a task's stream: its number, its kind, and its content as JSON."""


class Windows(Protocol):
    """The rate windows of this process."""

    def turn(self, window: str) -> AbstractAsyncContextManager[None]:
        """Wait until a provider may be asked; the request is made inside."""

    async def refused(self, window: str, wait_s: float) -> None:
        """Close a provider's window for these seconds."""


class Executions(Protocol):
    """Runs whole executions in this process."""

    async def run(
        self, task: ExecutionTask, leaving: Callable[[], bool], stalled: Callable[[str], None]
    ) -> dict[str, Any]:  # Any: JSON
        """Run one to its end or rest, and return that with its file. Cancelling stops it, unless it is ``leaving``:
        then another worker continues it.

        ``stalled`` is called with the reason why no worker can continue its tasks, and with "" once one can.
        """


def work(url: str, worker_id: str, queue: str, *, places: Places, windows: Windows, executions: Executions) -> None:
    """Take tasks from the queue and run them, until SIGTERM or SIGINT.

    Raises:
        RunError: if a living worker has this id.
    """
    claim(url, worker_id, queue, places)
    # Now, on this thread: the first tasks would wait for seconds, and import beside the threads of DBOS.
    providers = [name for name in ("anthropic", "openai") if os.environ.get(f"{name.upper()}_API_KEY")]
    load_all([f"{name}:any" for name in providers])
    worker = Worker(worker_id, windows, executions)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dbos = _launched(url, worker, queue, places)
    with connected(url) as db:
        beat(db, worker_id, 0)  # Only now do kernels count on it.
    logger.info("worker %s takes tasks of queue %s", worker_id, queue)
    heart = threading.Thread(target=_beats, args=(url, worker, stop), name="smithers heartbeat", daemon=True)
    heart.start()
    while not stop.wait(1.0):
        pass
    _hand_back(dbos, url, worker, queue)


def _launched(url: str, worker: Worker, queue: str, places: Places) -> Any:  # Any: DBOS, of an extra
    from dbos import DBOS, _core

    DBOS(
        config={
            "name": "smithers_nb",
            "system_database_url": url,
            "executor_id": worker.id,
            # Not a hash of this file: an edited worker would take nothing that was handed over before.
            "application_version": str(FORMAT),
            "log_level": "WARNING",
        }
    )

    async def step(payload: str) -> str:
        return await worker.run(payload, DBOS)

    # A second, for which the provider would write on: half of it is what a person waits for anyway.
    _core._PREEMPTIBLE_POLL_INTERVAL_SEC = CANCEL_S
    stepped = DBOS.step(name=f"{WORKFLOW}_step", preemptible=True)(step)

    async def workflow(payload: str) -> str:
        # Nothing but the step: what is not in it could replay differently.
        end: str = await stepped(payload)
        return end

    DBOS.workflow(name=WORKFLOW)(workflow)

    queues = {queue: places.tasks, queue_of_executions(queue): places.executions}
    listened = {name: most for name, most in queues.items() if most}
    DBOS.listen_queues([*listened])
    DBOS.launch()
    for name, most in listened.items():
        DBOS.register_queue(name, worker_concurrency=most, polling_interval_sec=0.1, on_conflict="always_update")
    return DBOS


def _beats(url: str, worker: Worker, stop: threading.Event) -> None:
    """Record at intervals that the worker is alive."""
    db = None
    while not stop.wait(BEAT_S):
        try:
            db = db or connected(url)
            beat(db, worker.id, worker.running)
            worker.drop_moved(owners_of(db, worker.ids))
        except Exception as error:  # noqa: BLE001  # psycopg's: the next beat connects again
            logger.warning("the heartbeat could not be recorded: %s", said(error))
            db = None


def _hand_back(dbos: Any, url: str, worker: Worker, queue: str) -> None:  # Any: DBOS
    """Take nothing more, put running tasks back into the queue at once, and end."""
    from dbos import DBOSClient

    # No row leaves this worker from here on: the next one marks what is open as interrupted.
    worker.stopping = True
    try:
        with connected(url):  # What follows would wait for a database that is away, and this process for ever.
            pass
        dbos.destroy(workflow_completion_timeout_sec=0)
        client = DBOSClient(system_database_url=url, application_name="smithers_nb", retry_connection_errors=False)
        mine = client.list_workflows(status="PENDING", executor_id=worker.id, load_input=False, load_output=False)
        for name in (queue, queue_of_executions(queue)):
            if ids := [item.workflow_id for item in mine if item.queue_name == name]:
                client.resume_workflows(ids, queue_name=name)
        with connected(url) as db:
            leave(db, worker.id)
        logger.info("worker %s ends, %d tasks go to others", worker.id, len(mine))
    except Exception as error:  # noqa: BLE001  # whatever the driver raises: this process ends all the same
        logger.warning(
            "worker %s ends, and its tasks go to others once its heartbeat is old: %s", worker.id, said(error)
        )
    finally:
        # Threads of tools may never end, and the interpreter would wait for them.
        os._exit(0)


class TakenItem:
    """An item that this process has taken."""

    def __init__(self, id: str, owner: str | None) -> None:
        self.id = id
        self.owner = owner
        """The token that DBOS gave this process for it; another one is given with it to whoever takes it next."""
        self.moved = False
        """True once another worker has it, or may take it."""
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()

    def drop(self) -> None:
        """End what runs for it here; from any thread."""
        self.moved = True
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)


class Worker:
    """Runs the tasks that this process has taken."""

    def __init__(self, id: str, windows: Windows, executions: Executions) -> None:
        self.id = id
        self.windows = windows
        self._executions = executions
        self._items: set[TakenItem] = set()
        """The items that run. One id may be there twice: it was moved, and came back."""
        self.stopping = False
        """True once nothing more is to be recorded."""
        self._runner = PydanticAiRunner()

    @property
    def running(self) -> int:
        """The number of tasks that run."""
        return len(self._items)

    @property
    def ids(self) -> list[str]:
        """The ids of the items that run; from any thread."""
        return [item.id for item in list(self._items)]

    def drop_moved(self, owners: dict[str, str | None]) -> None:
        """End what runs here for items that others own by now; from any thread.

        DBOS refuses their rows. But a whole execution writes none until its end, and calls its own functions meanwhile.
        """
        for item in list(self._items):
            if item.owner is not None and item.id in owners and owners[item.id] != item.owner and not item.moved:
                logger.warning("%s was moved while this worker was not seen: it is given up here", item.id)
                item.drop()

    async def run(self, payload: str, dbos: Any) -> str:  # Any: DBOS
        """Run a task to its end and return that as JSON; within the step of a workflow."""
        from dbos import error
        from dbos._context import current_owner_xid

        item = TakenItem(dbos.workflow_id, current_owner_xid(dbos.workflow_id))
        self._items.add(item)
        try:
            return await self._run(payload, dbos, item)
        except asyncio.CancelledError:
            if item.moved:
                raise error.DBOSWorkflowConflictIDError(item.id) from None
            raise
        finally:
            self._items.remove(item)

    async def _run(self, payload: str, dbos: Any, taken: TakenItem) -> str:  # Any: DBOS
        rows = await _rows(dbos)
        if rows and rows[-1][1] == "end":  # The worker before has ended just after it.
            return json.dumps(rows[-1][2])
        stream = RowStream(self, dbos, len(rows))
        end = await self._ended(payload, rows, stream, taken=taken)
        await stream.flush()
        await stream.say("end", end)
        # The stream has the file of an execution; once is enough.
        return json.dumps({name: value for name, value in end.items() if name != "file"})

    async def _ended(
        self, payload: str, rows: list[Row], stream: RowStream, *, taken: TakenItem
    ) -> dict[str, Any]:  # Any: JSON
        try:
            item = await called(from_json, payload)
            note = None
            if item.other_code:
                note = f"{self.id} has different code of {', '.join(item.other_code)}"
            await stream.say("alive", {"worker": self.id, "note": note, "python": PYTHON, "host": socket.gethostname()})
            starts = sum(1 for _, kind, _ in rows if kind == "alive")
            if starts >= STARTS:
                return _failed("abandoned", "AgentError", f"{starts} workers began it and ended before it did", None)
            if isinstance(item.task, ExecutionTask):
                return await self._executions.run(item.task, lambda: self.stopping or taken.moved, stream.stalled)
            with heard(stream.printed):
                if isinstance(item.task, FunctionTask):
                    return _reply(await _called(item.task))
                return await self._agent(item.task, rows, stream)
        except Exception as error:  # noqa: BLE001  # it goes to the kernel
            return _end_of(error)

    async def _agent(self, task: AgentTask, rows: list[Row], stream: RowStream) -> dict[str, Any]:  # Any: JSON
        requests, calls = _told(rows)
        past = await _continued(task.past or Past(), requests, calls, stream=stream)
        if isinstance(task.local.model, Scripted):
            # The copy that was sent has not seen the requests that were answered since.
            task.local.model.calls.extend("" for call in requests if call.response is not None)
        begun = past.turn or past.attempts or past.tools
        ledger = StreamLedger(stream, self.windows, reports=task.reports)
        reply = await self._runner.run(replace(task, past=past if begun else None), ledger)
        await ledger.flush()
        return _reply(reply.output)


async def _rows(dbos: Any) -> list[Row]:  # Any: DBOS
    """Return the rows that the workers before have sent."""
    from dbos import error

    rows: list[Row] = []
    with suppress(error.DBOSStreamTimeoutError):  # That is the end of what is there.
        async for text in dbos.read_stream_async(dbos.workflow_id, LEDGER, timeout_seconds=0):
            rows.append(json.loads(text))  # noqa: PERF401  # those before the error count
    return rows


def _told(rows: list[Row]) -> tuple[list[ModelCall], list[ToolCall]]:
    """Return the requests and tool calls of a stream, each as it was sent last, oldest first."""
    requests: dict[tuple[Any, ...], ModelCall] = {}
    calls: dict[tuple[Any, ...], ToolCall] = {}
    for _, kind, body in rows:
        if kind == "asked":
            request = _REQUEST.validate_python(body)
            requests[request.turn, request.attempt, request.agent, request.caller] = request
        elif kind == "tool":
            call = _CALL.validate_python(body)
            calls[call.turn, call.tool_call_id, call.attempt, call.agent, call.caller] = call
    return list(requests.values()), list(calls.values())


async def _continued(past: Past, requests: list[ModelCall], calls: list[ToolCall], *, stream: RowStream) -> Past:
    """Return the progress of an agent after the rows of a stream; what has no end there is interrupted."""
    why = "its worker ended before the answer came"
    for place, request in enumerate(requests):
        if request.status == "running":
            requests[place] = replace(request, status="interrupted", error=why)
            await stream.say("asked", asdict(requests[place]))
    for place, call in enumerate(calls):
        if call.status == "running":
            calls[place] = replace(call, status="interrupted")
            await stream.say("tool", asdict(calls[place]))
    return progress(past, requests, calls)


async def _called(task: FunctionTask) -> Any:  # Any: the function's value
    args: list[Any] = []
    named: dict[str, Any] = {}
    if isinstance(task.args, dict):
        named.update(task.args)
    else:
        args.extend(task.args)
    limit = asyncio.timeout(task.timeout_s)
    try:
        async with limit:
            if inspect.iscoroutinefunction(task.run) or inspect.iscoroutinefunction(type(task.run).__call__):
                return await awaited(guarded(task.run, *args, **named))
            # With the context: what the function prints on that thread is heard, too.
            call = partial(copy_context().run, guarded, task.run, *args, **named)
            return await asyncio.get_running_loop().run_in_executor(CALLS, call)
    except TimeoutError as error:
        if error.args or not limit.expired():
            raise
        raise TimeoutError(f"it took longer than timeout_s={task.timeout_s:g} s") from None


# ---- the end ---------------------------------------------------------------------------------------------------


def _reply(output: Any) -> dict[str, Any]:  # Any: what was returned; JSON
    if isinstance(output, BaseModel) and type(output).__module__ == "__main__":
        return {"end": "reply", "value": output.model_dump_json(), "type": "model"}
    try:
        value = encode(output, "output")
    except Unstorable as why:
        raise NotStorableError(f"the output ({type(output).__name__}) can't be stored: {why}.") from None
    return {"end": "reply", "value": value.text, "type": value.type}


def _end_of(raised: BaseException) -> dict[str, Any]:  # Any: JSON
    """Return how a task ended that raised."""
    if isinstance(raised, RetryLater):
        return {"end": "later", "reason": raised.reason, "at": raised.at, "why": str(raised)}
    if isinstance(raised, ApprovalRequired):
        return {"end": "asks", "questions": [asdict(one) for one in raised.questions]}
    error = raised_by(raised)
    kind = type(error).__name__
    if isinstance(error, BudgetExceededError):
        return {**_failed("error", kind, str(error), None), "limit": error.limit}
    if isinstance(error, AgentError):
        return _failed("error", kind, str(error), None)
    return _failed("error", kind, said(error), traceback_of(error))


def _failed(end: str, kind: str, error: str, trace: str | None) -> dict[str, Any]:  # Any: JSON
    return {"end": end, "type": kind, "error": masked(error), "trace": trace and masked(trace), "limit": None}


# ---- the rows --------------------------------------------------------------------------------------------------


class RowStream:
    """The stream of a task, as its worker writes it: row after row, in order."""

    def __init__(self, worker: Worker, dbos: Any, count: int) -> None:  # Any: DBOS
        self._worker = worker
        self._dbos = dbos
        self._count = count
        self._writing = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._pieces: list[Row] = []
        self._prints: list[tuple[Stream, str]] = []
        """Printed text since the last batch; any thread adds to it."""
        self._printed_chars = 0
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[int]] = set()

    async def say(self, kind: str, body: Any) -> int:  # Any: JSON
        """Write a row and return its number."""
        async with self._writing:
            if self._worker.stopping:
                await asyncio.Event().wait()  # Its successor says what became of it.
            self._count += 1
            await self._dbos.write_stream_async(LEDGER, json.dumps([self._count, kind, body]))
            return self._count

    def stalled(self, why: str) -> None:
        """Write why no worker can continue the tasks of an execution; "" once one can."""
        telling = self._loop.create_task(self.say("stalled", {"why": why}))
        self._telling.add(telling)
        telling.add_done_callback(self._told)

    def _told(self, telling: asyncio.Task[int]) -> None:
        self._telling.remove(telling)
        if not telling.cancelled() and (error := telling.exception()) is not None:
            logger.info("news of an execution could not be written: %s", error)

    def piece(self, piece: Row) -> None:
        """Write a streamed piece with the next batch."""
        self._pieces.append(piece)
        self._batch()

    def printed(self, stream: Stream, text: str) -> None:
        """Write what user code has printed with the next batch; from any thread."""
        left = PRINTED_CHARS - self._printed_chars
        if left <= 0:
            return
        self._printed_chars += len(text)
        self._prints.append((stream, text if len(text) <= left else f"{text[:left]}{MORE}"))
        self._loop.call_soon_threadsafe(self._batch)

    def _batch(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(BATCH_S, self._due)

    def _due(self) -> None:
        self._timer = None
        self._flushing = asyncio.get_running_loop().create_task(self.flush())

    async def flush(self) -> None:
        """Write the pieces and the prints that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pieces, self._pieces = self._pieces, []
        if pieces:
            await self.say("pieces", pieces)
        prints, self._prints = self._prints, []
        if prints:
            # print() writes its text and the end of the line apart.
            joined = [(stream, "".join(text for _, text in run)) for stream, run in groupby(prints, lambda one: one[0])]
            await self.say("printed", joined)


class StreamLedger:
    """The ledger of an agent on a worker: its rows go into the stream."""

    reuses = False

    def __init__(self, stream: RowStream, windows: Windows, *, reports: bool) -> None:
        self._stream = stream
        self._windows = windows
        self._reports = reports
        self._report: Callable[[], object] | None = None
        self._reporting: asyncio.Task[None] | None = None

    async def asked(self, request: ModelCall) -> int | None:
        """Send a request's row; its number stands for the id that only the kernel's file has."""
        if request.status != "running":
            await self._stream.flush()
        return await self._stream.say("asked", asdict(request))

    async def accepted(self, request: ModelCall) -> None:
        """Send the answer that the agent continues with."""
        await self._stream.say("asked", asdict(request))

    async def tool(self, call: ToolCall) -> None:
        """Send the row of a tool call."""
        await self._stream.say("tool", asdict(call))

    async def answer_to(self, signature: str) -> str | None:
        """Return None: only the kernel's file has answers."""
        return None

    async def reused_answer(self, same: str) -> ReusedAnswer | None:
        """Return None: branches are answered in the kernel."""
        return None

    async def reused_tool_call(self, reused_id: int, tool_call_id: str) -> ToolCall | None:
        """Return None, likewise."""
        return None

    async def repeated_tool_call(self, tool: str, given: str, repeat: Repeat) -> ToolCall | None:
        """Return None, likewise."""
        return None

    def in_tool(self, tool_call_id: str) -> AbstractContextManager[None]:
        """Do nothing: a tool on a worker has no state to write."""
        return nullcontext()

    def piece(self, turn: int, attempt: int, kind: str, payload: object) -> None:
        """Send a streamed piece with the next batch."""
        self._stream.piece([turn, attempt, kind, json.dumps(payload, ensure_ascii=False, default=str), time()])

    def progress(self, report: Callable[[], object]) -> None:
        """Send the output as far as it has come, a few times a second, if the node listens to it."""
        self._report = report
        if self._reports and (self._reporting is None or self._reporting.done()):
            self._reporting = asyncio.get_running_loop().create_task(self._reported())

    async def _reported(self) -> None:
        await asyncio.sleep(BATCH_S)
        await self.flush()

    async def flush(self) -> None:
        """Send the newest output that was reported."""
        report, self._report = self._report, None
        if not self._reports or report is None or (output := report()) is None:
            return
        with suppress(Unstorable):  # The end says it.
            await self._stream.say("progress", [*encode(output)])

    def turn(self, window: str | None) -> AbstractAsyncContextManager[None]:
        """Wait until the provider may be asked from this worker."""
        return nullcontext() if window is None else self._windows.turn(window)

    async def refused(self, window: str, wait_s: float) -> None:
        """Close the window here, and let the kernel hold back further tasks."""
        await self._windows.refused(window, wait_s)
        await self._stream.say("refused", {"window": window, "wait_s": wait_s})

    def reached(self, tool: bool = False) -> str | None:
        """Return None: the kernel counts for all agents, and cancels."""
        return None

    def unpriced(self) -> int:
        """Return 0, likewise."""
        return 0

    def remaining_s(self) -> float | None:
        """Return None, likewise."""
        return None
