"""Making an execution, and taking one up again: the file and the app are all that is needed."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..agents.runner import Runner, Spent
from ..errors import EngineVersionError, StoreError, message_of
from ..records import Breakpoint, NewBranch, NewExecution, Question, Reuse, StallReason, TaskEnd, TaskRecord, TaskResult
from ..store import calls, writer
from ..store.breakpoints import load as load_breakpoints
from ..store.connection import Database
from ..store.fork import fork as write_fork
from ..store.lease import Lease
from ..store.owned import OwnedDatabase
from ..store.reader import Reader, Within
from ..values import Stored, opened
from .breakpoints import Breakpoints
from .committed import Committed, EffectMemory
from .live import Live
from .loop import Loop
from .services import MAX_AGENTS, Services
from .state import Cell
from .tasks.budget import Budget
from .tasks.entry import TaskEntry
from .tasks.past import spent_by
from .tasks.questions import of_orphan
from .tasks.reusing import Reusing

if TYPE_CHECKING:
    from .replaying import Replaying

logger = logging.getLogger(__name__)

Orphans = Literal["retry", "fail", "ask"]
"""The treatment of a task that was running when its process ended."""

CRASHES = 3
"""The number of times, beyond its attempts, that a task is run again after the end of its process.

A task that takes the memory of the machine would end each process that resumes it, and the execution with it.
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """The parts of an execution besides its row."""

    app: object
    database: Database
    runner: Runner
    models: dict[str, Any]  # Any: pydantic-ai's Model
    strict_effects: bool = False
    limits: dict[str, float] = field(default_factory=dict)
    """The limits of all agents together."""
    max_agents: int = MAX_AGENTS
    budget: Budget | None = None
    """The parent's, for a child; that of all branches together, for a branch of a sweep."""
    replay: Replaying | None = None
    reusing: Reusing | None = None
    """The parent's, for a child of a branch."""
    orphans: Orphans = "retry"


async def create(row: NewExecution, opening: Opening, state: dict[str, Stored]) -> Loop:
    """Add an execution to the file and return its loop: nothing is rendered yet."""
    lease = Lease()
    await opening.database.transaction(writer.create_execution, row, lease, state)
    committed = Committed({key: Cell(value, 1) for key, value in state.items()})
    live = _live(row, opening, lease, committed)
    live.inbox.cause("start")
    return Loop(live)


async def reopen(row: NewExecution, opening: Opening) -> Loop:
    """Return the loop of an execution that continues where the file says that it was.

    Raises:
        ExecutionOwnedError: if another living process has it.
        EngineVersionError: if a newer release has run it.
    """
    lease = Lease()
    id = row.execution_id
    reader = Reader(opening.database.path)
    before = reader.execution(id)
    _check_version(row, before.engine_version)
    # Before anything is read that may still change: from here on the other process, if there is one, can write nothing.
    await opening.database.transaction(writer.claim_execution, id, lease)
    if row.durability != before.durability:
        await opening.database.transaction(writer.set_durability, id, row.durability)
    # No one else has this reader: what runs meanwhile has connections of its own.
    with reader.together():
        rest = _last_rest(reader, id)
        outlives = getattr(opening.runner, "outlives", False)
        if not outlives and any(task.worker is not None for task in rest.newest if not task.ended):
            logger.warning(
                "workers have tasks of %s, and it is resumed without them: what they run is run again here. "
                "Execution.resume(…, runner=DbosRunner(…)) joins them.",
                row.name,
            )
        await opening.database.transaction(_sort_out, id, rest, opening.orphans, outlives=outlives)
        if rest.cut_off:
            rest = _last_rest(reader, id)
        if opening.budget is None:
            opening = replace(opening, budget=Budget.of(opening.limits, reader, id))
        live = await _continued(row, opening, lease, rest)
    if (row.code_hash, row.engine_version) != (before.code_hash, before.engine_version):
        code = row.app, row.code_hash, row.engine_version
        await live.services.database.transaction(writer.swap_app, id, live.committed.frame, *code)
        live.inbox.cause("resumed with other code")
    else:
        live.inbox.cause("resumed")
    return Loop(live)


async def fork(branch: NewBranch, opening: Opening) -> tuple[NewExecution, Loop]:
    """Add a branch to the file; return its row, and its loop at the rest of the frame at which it was forked."""
    lease = Lease()
    row, rest = await opening.database.transaction(_branched, opening.database.path, branch, lease)
    live = await _continued(row, opening, lease, rest)
    live.inbox.cause(f"forked after frame {row.forked_at_frame}")
    return row, Loop(live)


def _branched(db: Any, path: str, branch: NewBranch, lease: Lease) -> tuple[NewExecution, LastRest]:
    # Read in the transaction that writes it: a hop to the connection's thread, or another connection, costs as much.
    row = write_fork(db, path, branch, lease)
    return row, _last_rest(Within(db, path), row.execution_id)


@dataclass(frozen=True, slots=True)
class LastRest:
    """An execution as the file has it at its last rest: what it continues with."""

    committed: Committed
    breakpoints: list[Breakpoint]
    tasks: list[TaskRecord]
    """All tasks, oldest first."""
    newest: list[TaskRecord]
    """The newest task of each node of the plan, in the order of the tasks."""
    questions: list[Question]

    @property
    def cut_off(self) -> list[TaskRecord]:
        """The tasks that were running when their process ended."""
        return [task for task in self.newest if task.status == "running" or _is_stalled(task)]


def _last_rest(reader: Reader, execution_id: str) -> LastRest:
    committed = _committed(reader, execution_id)
    tasks = reader.tasks(execution_id)
    newest: dict[str, TaskRecord] = {}
    for task in tasks:
        if task.node_id in committed.tree.index and _is_own(reader, execution_id, committed, task):
            newest[task.node_id] = task
    return LastRest(
        committed=committed,
        breakpoints=load_breakpoints(reader, execution_id),
        tasks=tasks,
        newest=list(newest.values()),
        questions=reader.questions(execution_id),
    )


def _is_own(reader: Reader, execution_id: str, committed: Committed, task: TaskRecord) -> bool:
    """Return whether a task of a mounted node began with it. A node may have been unmounted and mounted again under its
    id: the task of its former life is not its own.
    """
    mounted_at = task.mounted_at_frame
    # The start of the version that stands is the latest frame in which the node can have been mounted; the earlier
    # versions are looked up only where that does not decide it.
    return mounted_at >= committed.since[task.node_id] or mounted_at >= reader.mounted_at(
        execution_id, task.node_id, committed.frame
    )


def _committed(reader: Reader, execution_id: str) -> Committed:
    """Return what the last committed frame left, as the file has it."""
    last = reader.last_frame(execution_id)
    # The frame after it: writes that were flushed with the last frame are seen by the next.
    state = reader.state(execution_id, last + 1)
    tree, since = reader.tree(execution_id, last)
    loops = {}
    for node_id, progress in reader.loops(execution_id).items():
        node = tree.index.get(node_id)
        if node is not None:
            loops[node.loop, node_id] = progress
    effect_runs = {}
    for node_id, deps in reader.effect_deps(execution_id).items():
        # An effect whose node was gone runs again when it comes back.
        if node_id in tree.index:
            effect_runs[node_id] = EffectMemory(deps)
    return Committed(
        cells={key: Cell(*found) for key, found in state.items()},
        frame=last,
        tree=tree,
        since=since,
        reads=reader.reads(execution_id),
        loops=loops,
        effect_runs=effect_runs,
    )


def _check_version(row: NewExecution, before: str) -> None:
    def numbers(version: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", version)]

    if numbers(before) > numbers(row.engine_version):
        raise EngineVersionError(
            f"execution {row.name!r} was last run by smithers_nb {before}, this is {row.engine_version}: what it "
            "recorded may not be understood. Nothing was changed; it can be read. Upgrade to continue it: "
            "pip install -U smithers_nb."
        )


def _live(row: NewExecution, opening: Opening, lease: Lease, committed: Committed) -> Live:
    """Return an execution of ours that continues with what the last committed frame left."""
    from .tasks.children import run_child  # Only here: a child is opened as its parent was.

    services = Services(
        execution_id=row.execution_id,
        name=row.name,
        database=OwnedDatabase(opening.database, row.execution_id, lease),
        runner=opening.runner,
        models=opening.models,
        budget=opening.budget or Budget(opening.limits, Spent()),
        seed=row.seed,
        lease=lease,
        strict_effects=opening.strict_effects,
        max_agents=opening.max_agents,
        replay=opening.replay,
        reusing=opening.reusing or _reusing(row, opening.database.path),
    )
    return Live(opening.app, services, committed, run_child)


def _reusing(row: NewExecution, path: str) -> Reusing | None:
    if row.reuse is None:
        return None
    return Reusing(path, row.execution_id, Reuse.of(row.reuse))


async def _continued(row: NewExecution, opening: Opening, lease: Lease, rest: LastRest) -> Live:
    """Return an execution of ours that continues as the file says."""
    live = _live(row, opening, lease, rest.committed)
    live.breakpoints = Breakpoints(live, rest.breakpoints)
    for task in rest.newest:
        outlives = getattr(opening.runner, "outlives", False)
        entry = _entry(TaskEntry(task.task_id, rest.committed.tree.index[task.node_id]), task, outlives=outlives)
        entry.questions = {one.approval_id: one for one in rest.questions if one.task_id == entry.task_id}
        if entry.result is not None and (task.reason or "").startswith(writer.HANDLED_AGAIN):
            entry.again, entry.result = not entry.settled, _with_usage(entry.result, task, rest.tasks)
        if (entry.status == "blocked" or entry.out) and entry.is_agent:
            entry.spent = spent_by(Reader(opening.database.path), row.execution_id, entry.task_id)
        live.tasks.add(entry)
        # The process may have ended between a question and the answer that a branch takes from the file.
        await live.tasks.answer_from_recording(entry)
    return live


def _is_stalled(task: TaskRecord) -> bool:
    return task.status == "blocked" and task.reason in get_args(StallReason)


def _sort_out(db: Any, execution_id: str, rest: LastRest, orphans: Orphans, *, outlives: bool) -> None:
    """Give up the tasks whose nodes are gone, and treat those that were running as orphans; ``outlives`` if workers
    continue theirs.
    """
    # In one transaction: a process that ends here leaves either all tasks as they were, or none to be sorted out.
    kept = {task.task_id for task in rest.newest}
    lost = [task.task_id for task in rest.tasks if task.task_id not in kept and task.settled_at_frame is None]
    writer.abandon_tasks(db, execution_id, lost, rest.committed.frame)
    ran = rest.cut_off
    if outlives:
        # Workers have not ended with the process: what they run is no orphan, and its calls are not interrupted.
        writer.leave_tasks(db, execution_id)
        ran = [task for task in ran if task.worker is None]
    calls.interrupt_calls(db, execution_id)
    for task in ran:
        id, node_id, attempt = task.task_id, task.node_id, task.attempt
        ended = f"the process that ran {node_id} ended"
        if orphans == "ask":
            writer.ask(db, execution_id, of_orphan(id, node_id, attempt, ended))
        elif orphans == "fail":
            error = f"{ended} before {node_id} did, and orphans='fail' says not to run it again"
            writer.end_task(db, execution_id, TaskEnd(id, "failed", attempt, error=error))
        elif attempt >= task.max_attempts + CRASHES:
            error = f"{ended} while it ran for the {attempt}th time; perhaps it is what ends it. ex.retry runs it again"
            writer.end_task(db, execution_id, TaskEnd(id, "abandoned", attempt, error=error))
        else:
            writer.release_tasks(db, execution_id, [id], "its process ended")


def _entry(entry: TaskEntry, task: TaskRecord, *, outlives: bool) -> TaskEntry:
    """Fill a task's entry from its task; ``outlives`` if its runner's workers continue without a kernel."""
    entry.status = task.status
    entry.attempt = task.attempt
    entry.settled = task.settled_at_frame is not None
    entry.answered = task.status == "pending" and task.reason == writer.ANSWERED
    entry.out = outlives and task.status == "pending" and task.reason == calls.ON_WORKERS
    entry.leg, entry.ledger_offset = task.leg, task.ledger_offset
    if task.status == "blocked" and task.next_retry_at is not None:
        entry.retry_at = datetime.fromisoformat(task.next_retry_at).timestamp()
        entry.waited, entry.why = True, task.error or ""
    if task.ended_at is not None:
        output = None
        try:
            if task.result is not None:
                output = opened(task.result, f"the output of {task.node_id}", f"ex.retry({task.node_id!r})")
        except StoreError as unread:
            # Not raised here: the execution can be resumed without it. The handler that is to get it raises it.
            entry.unread = unread
        entry.result = _result(task, output)
    return entry


def _result(task: TaskRecord, output: Any) -> TaskResult:  # Any: the task's return value
    """Return the result of a task that has ended, as its handler got it, or will."""
    error = None
    if task.error:
        error = message_of(task.error)
    text = error or ""
    if isinstance(output, str):
        text = output
    elif task.result is not None:
        text = task.result.text
    return TaskResult(
        node_id=task.node_id,
        task_id=task.task_id,
        status=task.status,
        output=output,
        text=task.comment or text,
        error=error,
        attempts=task.attempt,
        usage=_usage(task),
        cost_usd=task.cost_usd,
        duration_s=_seconds(task.started_at, task.ended_at),
    )


def _with_usage(result: TaskResult, task: TaskRecord, tasks: list[TaskRecord]) -> TaskResult:
    """Return the result of a task that is handled again with the usage of the task that ran."""
    by_id = {one.task_id: one for one in tasks}
    ran: TaskRecord | None = task
    while ran is not None and (ran.reason or "").startswith(writer.HANDLED_AGAIN):
        ran = by_id.get((ran.reason or "").removeprefix(writer.HANDLED_AGAIN))
    if ran is None:
        return result
    duration_s = _seconds(ran.started_at, ran.ended_at)
    return replace(result, usage=_usage(ran), cost_usd=ran.cost_usd, duration_s=duration_s)


def _usage(task: TaskRecord) -> dict[str, int]:
    found = {"input_tokens": task.input_tokens, "output_tokens": task.output_tokens, "requests": task.requests}
    return {name: value for name, value in found.items() if value is not None}


def _seconds(start: str | None, end: str | None) -> float:
    if not start or not end:
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
