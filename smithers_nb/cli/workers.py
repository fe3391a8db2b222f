"""The words about workers: one that takes tasks, and the list of those that are there."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from time import time
from typing import Annotated

from ..agents.workers import GONE_S, Places, checked_url, needs_extra, reached, workers_of
from ..engine.tasks import windows
from ..store import calls
from ..store.connection import Database
from .listing import AsJson
from .shown import print_rows, print_text

Url = Annotated[str | None, "the PostgreSQL, postgresql://user@host/database; $SMITHERS_ENGINE by default"]


def worker(
    url: Url = None,
    *,
    id: Annotated[str | None, "its name, the same after a restart; $SMITHERS_WORKER, or host and process"] = None,
    queue: Annotated[str, "the queue that it takes tasks from"] = "agents",
    concurrency: Annotated[int, "the most tasks that run here at a time"] = 32,
    executions: Annotated[int, "the most whole executions of sweeps that run here at a time; 0 for none"] = 8,
    dir: Annotated[str | None, "the folder for the files of whole executions, which stay there"] = None,
    import_: Annotated[list[str], "a module to import first; may be repeated"] = [],  # noqa: B006  # never changed
) -> int:
    """Takes tasks of agents and functions from a queue and runs them, until it is ended."""
    needs_extra()
    address = checked_url(url)
    # The modules of the tasks are imported by their names, as the kernel imports them: from its folder.
    sys.path.insert(0, os.getcwd())
    for module in import_:
        import_module(module)
    from ..agents.dbos import DbosRunner
    from ..agents.worker import work
    from ..sweeps.on_worker import WorkerExecutions

    name = id or os.environ.get("SMITHERS_WORKER") or f"{socket.gethostname()}-{os.getpid()}"
    print_text(f"worker {name} takes tasks of queue {queue!r}; SIGTERM ends it", error=True)
    with reached(address), tempfile.TemporaryDirectory(prefix="smithers-worker-") as folder:
        shards = Path(dir or folder)
        shards.mkdir(parents=True, exist_ok=True)
        work(
            address,
            name,
            queue,
            places=Places(tasks=concurrency, executions=executions),
            windows=OwnWindows(Path(folder)),
            executions=WorkerExecutions(lambda code: DbosRunner(address, queue=queue, send_code=code), shards),
        )
    return 0


def workers(url: Url = None, *, json: AsJson = False) -> int:
    """Lists the workers: where each is, the number of its tasks, and when it was last seen."""
    needs_extra()
    address = checked_url(url)
    with reached(address):
        found = workers_of(address)
    columns = (
        *("worker_id", "queue", "host", "pid", "version", "python", "running", "tasks", "executions", "seen_s"),
        "status",
    )
    rows = [
        {name: getattr(one, name, None) for name in columns}
        | {"seen_s": round(one.seen_s, 1), "status": "alive" if one.seen_s < GONE_S else "gone"}
        for one in found
    ]
    print_rows(rows, columns, json)
    return 0


class OwnWindows:
    """The rate windows of a worker: those of a kernel, in a file that goes with it."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "windows.db")
        self._database: Database | None = None
        self._opening = asyncio.Lock()

    async def _opened(self) -> Database:
        async with self._opening:
            if self._database is None:
                self._database = await Database.open(self._path)
            return self._database

    @asynccontextmanager
    async def turn(self, window: str) -> AsyncIterator[None]:
        """Wait until a provider may be asked; the request is made inside."""
        async with windows.turn(await self._opened(), window):
            yield

    async def refused(self, window: str, wait_s: float) -> None:
        """Close a provider's window for these seconds."""
        await (await self._opened()).transaction(calls.close_window, window, time(), wait_s)


HANDLERS: dict[str, Callable[..., int]] = {"worker": worker, "workers": workers}
"""The handlers by word."""
