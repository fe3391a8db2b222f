"""Whole executions on a worker: each in a file of its own, which goes to the kernel with its end."""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from ..agents.runner import ExecutionTask, FarRunner
from ..agents.scoped import JoiningRunner
from ..bridge import engine
from ..engine.code import code_hash, name_of
from ..errors import StoreError, said
from ..fork import stored_props
from ..records import NewExecution
from ..run import Run, Setup
from ..store.reader import Reader
from ..values import Stored
from ..version import __version__


class WorkerExecutions:
    """Runs executions whose agents and functions are items of the workers, too.

    One that is moved begins again on another worker, and joins its items: no answer is paid for twice.
    """

    def __init__(self, runner: Callable[[bool], FarRunner], folder: Path) -> None:
        self._runner = cache(runner)
        """Returns the runner that sends code, or the one that does not: an execution has that of its sweep."""
        self._folder = folder
        self._running: set[Path] = set()
        """The files of the executions that run, until each is closed."""

    async def run(
        self, task: ExecutionTask, leaving: Callable[[], bool], stalled: Callable[[str], None]
    ) -> dict[str, Any]:  # Any: JSON
        """Run an execution to its end or rest, and return that with its file. Cancelling stops it, unless this worker
        is ``leaving``: then another worker continues it.

        ``stalled`` is called on this loop with the reason why no worker can continue its tasks, "" once one can.
        """
        loop = asyncio.get_running_loop()

        def tell(why: str) -> None:
            loop.call_soon_threadsafe(stalled, why)

        return await engine.wait(self._run(task, leaving, tell))

    async def _run(
        self, task: ExecutionTask, leaving: Callable[[], bool], stalled: Callable[[str], object]
    ) -> dict[str, Any]:  # Any: JSON
        # The ids of a sweep are the same in every file that has it, and a run that was stopped may not be closed yet.
        path = next(path for path in self._paths(task) if path not in self._running)
        self._running.add(path)
        try:
            for left in self._folder.glob(f"{path.name}*"):  # By this worker before it was started again.
                left.unlink()
            return await self._file_of(task, str(path), leaving=leaving, stalled=stalled)
        finally:
            self._running.remove(path)

    def _paths(self, task: ExecutionTask) -> Iterator[Path]:
        yield self._folder / f"{task.execution_id}.db"
        for number in count(2):
            yield self._folder / f"{task.execution_id}~{number}.db"

    async def _file_of(
        self, task: ExecutionTask, path: str, *, leaving: Callable[[], bool], stalled: Callable[[str], object]
    ) -> dict[str, Any]:  # Any: JSON
        run = await Run.create(self._setup(task, path), _row(task), _state(task))
        run.live.services.observers.add(_Stalls(run, stalled).look)
        try:
            status, reason, ended = await _advanced(run, task)
        except asyncio.CancelledError:
            if not leaving():
                await run.stop()
            raise
        finally:
            await run.close()
        with Reader(path).moment() as db:
            data = db.serialize()
        file = base64.b64encode(zlib.compress(data)).decode()
        return {"end": "execution", "status": status, "reason": reason, "ended": ended, "file": file}

    def _setup(self, task: ExecutionTask, path: str) -> Setup:
        given = task.options
        return Setup(
            app=task.root,
            path=path,
            models=task.models,
            limits=given["limits"],
            max_agents=given["max_agents"],
            runner=JoiningRunner(self._runner(given["send_code"]), given["scope"], given["id"]),
            max_frames=given["max_frames"],
            strict_effects=given["strict_effects"],
        )


class _Stalls:
    """Tells whoever follows an execution why its tasks wait for workers."""

    def __init__(self, run: Run, tell: Callable[[str], object]) -> None:
        self._run = run
        self._tell = tell
        self._told = ""

    def look(self) -> None:
        """Tell what has changed."""
        why = next((entry.worker for entry in self._run.live.tasks.stalled), "")
        if why != self._told:
            self._told = why
            self._tell(why)


async def _advanced(run: Run, task: ExecutionTask) -> tuple[str, str, bool]:
    """Run an execution; return its status, the reason, and whether the sweep is done with it."""
    try:
        outcome = await run.advance(task.until, None)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever user code raises is the end of this execution
        return "failed", said(error), True
    # One that rests without a breakpoint was ended by until= or max_frames.
    return outcome.status, outcome.reason, run.over or outcome.status == "paused"


def _row(task: ExecutionTask) -> NewExecution:
    return NewExecution(
        execution_id=task.options["id"],
        name=task.node_id,
        app=name_of(task.root),
        code_hash=code_hash(task.root),
        engine_version=__version__,
        seed=task.options["seed"],
        durability=task.options["durability"],
        props=stored_props(task.root),
    )


def _state(task: ExecutionTask) -> dict[str, Stored]:
    return {key: Stored(*value) for key, value in task.options["state"].items()}
