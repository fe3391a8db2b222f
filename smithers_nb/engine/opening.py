"""Making an execution, and taking one up again: the file and the app are all that is needed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from ..agents.runner import Runner
from ..errors import EngineVersionError, StoreError, message_of
from ..nodes.tree import Tree
from ..records import LoopState, NewExecution, TaskEnd, TaskRecord, TaskResult
from ..store import writer
from ..store.breakpoints import load as load_breakpoints
from ..store.connection import Database
from ..store.lease import Lease
from ..store.owned import OwnedDatabase
from ..store.reader import Reader
from ..values import Stored, opened
from .breakpoints import Breakpoints
from .committed import Committed, EffectMemory
from .live import Live
from .loop import Loop
from .replaying import Replaying
from .services import MAX_AGENTS, Services
from .state import Cell
from .tasks.budget import Budget
from .tasks.entry import TaskEntry
from .tasks.past import spent_by
from .tasks.questions import of_orphan

Orphans = Literal["retry", "fail", "ask"]
"""What becomes of a task that was running when its process ended."""

CRASHES = 3
"""A task whose process ended so often, beyond its attempts, is not run again: it may be what ends the process."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an execution is made of, besides its row."""

    app: object
    database: Database
    runner: Runner
    models: dict[str, Any]  # Any: pydantic-ai's Model
    strict_effects: bool = False
    limits: dict[str, float] = field(default_factory=dict)
    """Of all agents together."""
    max_agents: int = MAX_AGENTS
    budget: Budget | None = None
    """The parent's, for a child."""
    replay: Replaying | None = None
    orphans: Orphans = "retry"


async def create(row: NewExecution, opening: Opening, state: dict[str, Stored]) -> Loop:
    """Add an execution to the file and return its loop: nothing is rendered yet."""
    lease = Lease()
    await opening.database.transaction(writer.create_execution, row, lease, state)
    live = _live(row, opening, lease, Committed({key: Cell(value, 1) for key, value in state.items()}))
    live.inbox.cause("start")
    return Loop(live)


async def reopen(row: NewExecution, opening: Opening) -> Loop:
    """Return the loop of an execution that goes on where the file says that it was.

    Raises:
        ExecutionOwnedError: if another living process has it.
        EngineVersionError: if a newer release has run it.
    """
    lease = Lease()
    id = row.execution_id
    reader = Reader(opening.database.path)
    before = reader.execution(id)
    _check_version(row, before.engine_version)
    await opening.database.transaction(writer.claim_execution, id, lease)
    if row.durability != before.durability:
        await opening.database.transaction(writer.set_durability, id, row.durability)
    last = reader.last_frame(id)
    state = reader.state(id, last + 1)
    tree, since = reader.tree(id, last)
    committed = Committed(
        cells={key: Cell(*found) for key, found in state.items()},
        frame=last,
        tree=tree,
        since=since,
        reads=reader.reads(id),
        loops={
            (node.loop, node_id): LoopState(iteration, status)
            for node_id, iteration, status in reader.loops(id)
            if (node := tree.index.get(node_id))
        },
        # An effect whose node was gone runs again when it comes back.
        effect_runs={node: EffectMemory(deps) for node, deps in reader.effect_deps(id).items() if node in tree.index},
    )
    live = _live(row, opening, lease, committed)
    live.breakpoints = Breakpoints(live, load_breakpoints(reader, id))
    await _load_tasks(live, reader, live.committed.tree, opening.orphans)
    if (row.code_hash, row.engine_version) != (before.code_hash, before.engine_version):
        code = row.app, row.code_hash, row.engine_version
        await live.services.database.transaction(writer.swap_app, id, last, *code)
        live.inbox.cause("resumed with other code")
    else:
        live.inbox.cause("resumed")
    return Loop(live)


def _check_version(row: NewExecution, before: str) -> None:
    def numbers(version: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", version)]

    if numbers(before) > numbers(row.engine_version):
        raise EngineVersionError(
            f"execution {row.name!r} was last run by smithers_nb {before}, this is {row.engine_version}: what it "
            "recorded may not be understood. Nothing was changed; it can be read. Upgrade to go on with it: "
            "pip install -U smithers_nb."
        )


def _live(row: NewExecution, opening: Opening, lease: Lease, committed: Committed) -> Live:
    from .tasks.children import run_child  # Only here: a child is opened as its parent was.

    services = Services(
        execution_id=row.execution_id,
        name=row.name,
        database=OwnedDatabase(opening.database, row.execution_id, lease),
        runner=opening.runner,
        models=opening.models,
        budget=opening.budget or Budget.of(opening.limits, opening.database, row.execution_id),
        seed=row.seed,
        lease=lease,
        strict_effects=opening.strict_effects,
        max_agents=opening.max_agents,
        replay=opening.replay,
    )
    return Live(opening.app, services, committed, run_child)


async def _load_tasks(live: Live, reader: Reader, tree: Tree, orphans: Orphans) -> None:
    """Load the newest task of each mounted node. What has no node is given up; what ran is an orphan."""
    newest: dict[str, TaskRecord] = {}
    tasks = reader.tasks(live.services.execution_id)
    for task in tasks:
        node = tree.index.get(task.node_id)
        if node is not None and task.mounted_at_frame >= reader.mounted_at(
            live.services.execution_id, node.id, live.committed.frame
        ):
            newest[node.id] = task
    kept = {task.task_id for task in newest.values()}
    lost = [task.task_id for task in tasks if task.task_id not in kept and task.settled_at_frame is None]
    ran = [task for task in newest.values() if task.status == "running"]
    await live.services.database.transaction(
        _sorted_out, live.services.execution_id, ran, lost, live.committed.frame, orphans
    )
    now = {task.task_id: task for task in reader.tasks(live.services.execution_id)} if ran else {}
    asked = reader.questions(live.services.execution_id)
    for id, task in newest.items():
        entry = _entry(TaskEntry(task.task_id, tree.index[id]), now.get(task.task_id, task))
        entry.questions = {question.approval_id: question for question in asked if question.task_id == entry.task_id}
        if entry.result is not None and (task.reason or "").startswith(writer.HANDLED_AGAIN):
            entry.again, entry.result = not entry.settled, _with_usage(entry.result, task, tasks)
        if entry.status == "blocked" and entry.is_agent:
            entry.spent = spent_by(reader, live.services.execution_id, entry.task_id)
        live.tasks.add(entry)


def _sorted_out(
    db: Any, execution_id: str, ran: list[TaskRecord], lost: list[str], frame: int, orphans: Orphans
) -> None:
    writer.abandon_tasks(db, execution_id, lost, frame)
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


def _entry(entry: TaskEntry, task: TaskRecord) -> TaskEntry:
    """Fill a task's entry from its task."""
    entry.status = task.status
    entry.attempt = task.attempt
    entry.settled = task.settled_at_frame is not None
    entry.answered = task.status == "pending" and task.reason == writer.ANSWERED
    if task.status == "blocked" and task.next_retry_at is not None:
        entry.retry_at = datetime.fromisoformat(task.next_retry_at).timestamp()
        entry.waited, entry.why = True, task.error or ""
    if task.ended_at is not None:
        stored = task.result
        try:
            what, instead = f"the output of {task.node_id}", f"ex.retry({task.node_id!r})"
            output = opened(stored, what, instead) if stored else None
        except StoreError as unread:
            output, entry.unread = None, unread
        error = message_of(task.error) if task.error else None
        entry.result = TaskResult(
            node_id=task.node_id,
            task_id=task.task_id,
            status=task.status,
            output=output,
            text=task.comment or (output if isinstance(output, str) else stored.text if stored else error or ""),
            error=error,
            attempts=task.attempt,
            usage=_usage(task),
            cost_usd=task.cost_usd,
            duration_s=_seconds(task.started_at, task.ended_at),
        )
    return entry


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
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if start and end else 0.0
