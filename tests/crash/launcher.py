"""Runs the campaign's processes: ``python -m tests.crash.launcher`` has everything imported, and forks one for each
order that it is given, so that a process costs what it does and not what it imports.

An order is a line of JSON, ``{"folder": …, "kill": …, "program": …}``, the program one of ``PROGRAMS``; the answer is one too, ``{"code": …, "seconds": …}`` with
the exit code as ``subprocess`` has it: -9 for one that was killed. A kill is None, ``{"after_s": 0.1}``, or
``{"point": "after RENDER", "count": 3}``: the third time that the process gets there.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb.engine import loop
from smithers_nb.store.connection import Database
from tests.crash import branching, workflow

PROGRAMS: dict[str, Callable[[], None]] = {
    "workflow": workflow.go,
    "record": branching.record,
    "only_fork": branching.only_fork,
    "fork_and_run": branching.fork_and_run,
}
HUNG_S = 30.0
STATEMENT = "at a statement"
POINTS = "points.json"
"""Where a process that was not killed says what it came by, and how often."""


def arm(kill: dict[str, Any] | None) -> Counter[str]:
    """Let the process count the points that it comes by, and die at one."""
    seen: Counter[str] = Counter()

    def at(point: str) -> None:
        seen[point] += 1
        if kill is not None and point == kill.get("point") and seen[point] == kill["count"]:
            os.kill(os.getpid(), signal.SIGKILL)

    _phases(at)
    _transactions(at)
    return seen


def _phases(at: Callable[[str], None]) -> None:
    original = loop.frame

    async def frame(*args: Any) -> AsyncIterator[Any]:
        async with aclosing(original(*args)) as phases:
            async for phase in phases:
                at(f"after {phase}")
                yield phase

    loop.frame = frame  # type: ignore[assignment]


def _transactions(at: Callable[[str], None]) -> None:
    original = Database.transaction

    async def transaction(self: Database, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        name = getattr(work, "func", work).__name__

        def counted(connection: Any, *args: Any, **named: Any) -> Any:
            connection.set_trace_callback(lambda _sql: at(STATEMENT))
            result = work(connection, *args, **named)
            at(f"before COMMIT of {name}")
            return result

        result = await original(self, counted, *args, **named)
        at(f"after COMMIT of {name}")
        return result

    Database.transaction = transaction  # type: ignore[method-assign]


def child(folder: str, kill: dict[str, Any] | None, program: str) -> None:
    """Be the process; never returns."""
    os.chdir(folder)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.dump_traceback_later(HUNG_S, exit=True)
    try:
        seen = arm(kill)
        PROGRAMS[program]()
        Path(POINTS).write_text(json.dumps(seen))
    except Exception:  # noqa: BLE001  # whoever gave the order reads it
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def order(folder: str, kill: dict[str, Any] | None, program: str) -> dict[str, Any]:
    """Fork a process, and wait for its end."""
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(folder, kill, program)
    if kill is not None and "after_s" in kill:
        time.sleep(kill["after_s"])
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}


def warm() -> None:
    """Run an agent once: what it imports and builds is there before the first fork."""

    async def answer(_messages: object, _info: object) -> ModelResponse:
        return ModelResponse(parts=[TextPart("hello")])

    with asyncio.Runner() as runner:
        runner.run(Agent(FunctionModel(answer)).run("hi"))


if __name__ == "__main__":
    warm()
    for line in sys.stdin:
        print(json.dumps(order(**json.loads(line))), flush=True)
