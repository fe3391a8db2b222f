"""Making an execution, and taking one up again: the file and the app are all that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..agents.runner import Runner
from ..nodes.tree import Tree
from ..records import LoopState, TaskResult
from ..store import writer
from ..store.breakpoints import load as load_breakpoints
from ..store.connection import Database
from ..store.lease import Lease
from ..store.reader import Reader
from ..values import Stored, decode
from .breakpoints import Breakpoints
from .live import EffectMemory, Live
from .loop import Loop
from .state import Cell
from .tasks import TaskEntry


@dataclass(frozen=True, slots=True)
class Opening:
    """What an execution is made of, besides its row."""

    app: object
    database: Database
    runner: Runner
    models: dict[str, Any]  # Any: pydantic-ai's Model
    strict_effects: bool = False


async def create(row: writer.ExecutionRow, opening: Opening, state: dict[str, Stored]) -> Loop:
    """Add an execution to the file and return its loop: nothing is rendered yet."""
    lease = Lease()
    await opening.database.transaction(writer.create_execution, row, lease, state)
    live = _live(row, opening, lease, {key: Cell(value, 1) for key, value in state.items()})
    live.cause("start")
    return Loop(live)


async def reopen(row: writer.ExecutionRow, opening: Opening) -> Loop:
    """Return the loop of an execution that goes on where the file says that it was.

    Raises:
        ExecutionOwnedError: if another living process has it.
    """
    lease = Lease()
    id = row.execution_id
    await opening.database.transaction(writer.claim_execution, id, lease)
    reader = Reader(opening.database.path)
    last = reader.last_frame(id)
    state = reader.state(id, last + 1)
    live = _live(row, opening, lease, {key: Cell(*found) for key, found in state.items()})
    live.frame = last
    live.tree, live.since = reader.tree(id, last)
    live.loops = {
        (node.loop, node_id): LoopState(iteration, status)
        for node_id, iteration, status in reader.loops(id)
        if (node := live.tree.index.get(node_id))
    }
    # One that was gone runs again when it comes back.
    live.effect_runs = {
        node: EffectMemory(deps) for node, deps in reader.effect_deps(id).items() if node in live.tree.index
    }
    live.breakpoints = Breakpoints(live, load_breakpoints(reader, id))
    await _load_tasks(live, reader, live.tree)
    live.cause("resumed")
    return Loop(live)


def _live(row: writer.ExecutionRow, opening: Opening, lease: Lease, cells: dict[str, Cell]) -> Live:
    return Live(
        execution_id=row.execution_id,
        name=row.name,
        app=opening.app,
        database=opening.database,
        runner=opening.runner,
        seed=row.seed,
        lease=lease,
        cells=cells,
        models=opening.models,
        strict_effects=opening.strict_effects,
    )


async def _load_tasks(live: Live, reader: Reader, tree: Tree) -> None:
    """Load the newest task of each mounted node; what ran is to be run again, and what has no node is given up."""
    newest: dict[str, dict[str, Any]] = {}
    rows = reader.tasks(live.execution_id)
    for row in rows:
        node = tree.index.get(row["node_id"])
        if node is not None and row["mounted_at_frame"] >= reader.mounted_at(live.execution_id, node.id, live.frame):
            newest[node.id] = row
    kept = {row["task_id"] for row in newest.values()}
    lost = [row["task_id"] for row in rows if row["task_id"] not in kept and row["settled_at_frame"] is None]
    ran = [row["task_id"] for row in newest.values() if row["status"] == "running"]
    await live.database.transaction(_sorted_out, live.execution_id, ran, lost, live.frame)
    for id, row in newest.items():
        entry = _entry(TaskEntry(row["task_id"], tree.index[id]), row)
        entry.status = "pending" if entry.status == "running" else entry.status
        live.tasks.add(entry)


def _sorted_out(db: Any, execution_id: str, ran: list[str], lost: list[str], frame: int) -> None:
    writer.release_tasks(db, execution_id, ran, "its process ended")
    writer.abandon_tasks(db, execution_id, lost, frame)


def _entry(entry: TaskEntry, row: dict[str, Any]) -> TaskEntry:
    """Fill a task's entry from its row."""
    entry.status = row["status"]
    entry.attempt = row["attempt"]
    entry.settled = row["settled_at_frame"] is not None
    if row["ended_at"] is not None:
        stored = Stored(row["result"], row["result_type"]) if row["result"] is not None else None
        output = decode(stored) if stored else None
        error = (row["error"] or "").strip().rpartition("\n")[2] or None
        entry.result = TaskResult(
            node_id=row["node_id"],
            task_id=row["task_id"],
            status=row["status"],
            output=output,
            text=row["comment"] or (output if isinstance(output, str) else stored.text if stored else error or ""),
            error=error,
            attempts=row["attempt"],
            usage={key: row[key] for key in ("input_tokens", "output_tokens", "requests") if row[key] is not None},
            cost_usd=row["cost_usd"],
            duration_s=_seconds(row["started_at"], row["ended_at"]),
        )
    return entry


def _seconds(start: str | None, end: str | None) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if start and end else 0.0
