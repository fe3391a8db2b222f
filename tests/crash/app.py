"""The app that is killed: `python app.py run POINT` runs it and dies at a point, `python app.py resume` goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smithers_nb import Claude, Effect, Execution, Phase, Task, component, scripted
from smithers_nb.engine import pipeline
from smithers_nb.engine.tasks import lifecycle
from smithers_nb.store import calls as store_calls
from smithers_nb.store import writer

ASKED = Path("asked.txt")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def answer(prompt: str) -> str:
    with ASKED.open("a") as file:
        file.write(f"{prompt}\n")
    return f"reply to {prompt}"


def plus(ctx: Any, key: str) -> None:
    ctx.state.update(key, lambda old: (old or 0) + 1)


MODEL = scripted(answer)
KILLS: dict[str, Callable[[], None]] = {}


def point(name: str) -> None:
    KILLS.get(name, lambda: None)()


def handled(ctx: Any, who: str) -> Callable[[Any], None]:
    def handler(result: Any) -> None:
        plus(ctx, who)
        ctx.state.set(f"{who} said", result.output)
        point(f"in the handler of {who}")

    return handler


def work(ctx: Any) -> str:
    point("in the task")
    ctx.state.update("steps of the task", lambda old: (old or 0) + 1)
    point("in the task, after a write")
    return "done"


@component
def App(ctx: Any) -> Any:
    ctx.state.init("first", 1)
    return [
        Phase(name="1")[Claude(id="a", model=MODEL, on_finished=handled(ctx, "a"))["one"]],
        Phase(name="2")[
            Claude(id="b", model=MODEL, on_finished=handled(ctx, "b"))["two"],
            Task(id="t", run=work, on_finished=handled(ctx, "t")),
            Effect(id="e", run=lambda: plus(ctx, "e")),
        ],
    ]


def wrap(module: Any, name: str, after: Callable[..., bool]) -> None:
    original = getattr(module, name)
    if name in ("snapshot", "render", "reconcile"):

        def plain(*args: Any) -> Any:
            result = original(*args)
            if after(*args):
                kill()
            return result

        setattr(module, name, plain)
    else:

        async def awaited(*args: Any) -> Any:
            result = await original(*args)
            if after(*args):
                kill()
            return result

        setattr(module, name, awaited)


def inside(name: str, number: int) -> None:
    """Die in the number-th transaction of that kind: all statements done, COMMIT not yet."""
    module = writer if hasattr(writer, name) else store_calls
    original = getattr(module, name)
    calls: list[int] = []

    def dies(*args: Any, **named: Any) -> Any:
        result = original(*args, **named)
        calls.append(1)
        if len(calls) == number:
            kill()
        return result

    setattr(module, name, dies)


def arm(name: str) -> None:
    kind, _, rest = name.partition(": ")
    if kind == "after":
        phase, frame = rest.split()
        counted: list[int] = []

        def now(*args: Any) -> bool:
            counted.append(1)
            return len(counted) == int(frame)

        wrap(pipeline, phase.lower(), now)
    elif kind == "inside":
        function, number = rest.split()
        inside(function, int(number))
    elif kind == "ended":
        original = lifecycle.Tasks.ended

        def ended(self: Any, end: Any) -> None:
            original(self, end)
            if end.task_id.startswith(rest):
                kill()

        lifecycle.Tasks.ended = ended  # type: ignore[method-assign]
    else:
        KILLS[name] = kill


def show(ex: Execution) -> None:
    """Print what the file holds, read by plain SQL."""
    with sqlite3.connect("crash.db") as db:

        def column(sql: str) -> list[Any]:
            return [value for (value,) in db.execute(sql)]

        found = {
            "status": ex.status,
            "state": dict(ex.state),
            "asked": ASKED.read_text().split() if ASKED.exists() else [],
            "frames": column("SELECT frame FROM frames ORDER BY frame"),
            "open": column("SELECT frame FROM frames WHERE status = 'open'"),
            "tasks": dict(db.execute("SELECT task_id, status FROM tasks").fetchall()),
            "unsettled": column("SELECT task_id FROM tasks WHERE settled_at_frame IS NULL"),
            "handlers": column("SELECT node_id FROM handlers WHERE status = 'ok' ORDER BY node_id"),
            "integrity": column("PRAGMA integrity_check"),
            "dangling": db.execute("PRAGMA foreign_key_check").fetchall(),
        }
    db.close()
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1] == "run":
        arm(sys.argv[2])
        ex = Execution(App(), store="crash.db", name="crash")
    else:
        ex = Execution.resume(App(), store="crash.db", name="crash")
    ex.run_sync()
    show(ex)
    ex.close()
