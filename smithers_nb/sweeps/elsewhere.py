"""Whole executions of a sweep that workers run, as the kernel sees them: handed over, and merged when they end."""

from __future__ import annotations

import asyncio
import base64
import logging
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agents.runner import ExecutionTask
from ..agents.wire import to_json
from ..errors import AgentConfigError
from ..records import NewExecution, StallReason
from ..run import Setup, Until
from ..store.merge import merge
from ..store.reader import Reader
from ..threads import called
from ..values import Stored

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from .running import Progress


def task_of(
    setup: Setup, row: NewExecution, *, state: dict[str, Stored], until: Until | None, scope: str, send_code: bool
) -> ExecutionTask:
    """Return an execution as it is handed over."""
    return ExecutionTask(
        execution_id=row.execution_id,
        node_id=row.name,
        root=setup.app,
        models=setup.models,
        until=until,
        options={
            "id": row.execution_id,
            "scope": scope,
            "send_code": send_code,
            "seed": row.seed,
            "durability": row.durability,
            "state": {key: [*value] for key, value in state.items()},
            "limits": setup.limits,
            "max_agents": setup.max_agents,
            "max_frames": setup.max_frames,
            "strict_effects": setup.strict_effects,
        },
    )


def kept_here(task: ExecutionTask) -> str | None:
    """Return the reason why an execution can't leave this process; None if it can."""
    try:
        to_json(task, send_code=task.options["send_code"])
    except AgentConfigError as error:
        return str(error).partition(", and its runner")[0]
    return None


class BranchLedger:
    """The ledger of a whole execution: its rows are in its file, and news about it are shown by the bar."""

    offset = 0
    leaving = False

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name

    async def taken(self, worker: str, note: str | None) -> None:
        """Count a worker, and show a note of it."""
        self._progress.workers.add(worker)
        self._progress.note = note or self._progress.note

    async def quiet(self, why: str | None) -> None:
        """Keep the news about a worker that was not seen for a while."""
        self._progress.note = why or self._progress.note

    async def lost(self, worker: str, why: str) -> None:
        """Show that a worker has gone."""
        self._progress.workers.discard(worker)
        if why != self._progress.note:  # The first of its executions.
            logger.warning(why)
        self._progress.note = why

    async def stalled(self, reason: StallReason | None, why: str = "") -> None:
        """Show why nothing continues; without a reason, that it does again."""
        if reason:
            self._progress.stalls[self._name] = why
        else:
            self._progress.stalls.pop(self._name, None)


async def take(end: dict[str, Any], path: str, merging: asyncio.Lock) -> None:  # Any: JSON
    """Merge the file of an execution that a worker has run."""
    async with merging:  # The others would wait for the file's lock, each in a thread.
        await called(_merged, end["file"], path)


def _merged(file: str, path: str) -> None:
    with tempfile.TemporaryDirectory(prefix="smithers-") as folder:
        shard = Path(folder) / "shard.db"
        shard.write_bytes(zlib.decompress(base64.b64decode(file)))
        merge(Reader(str(shard)), path)
