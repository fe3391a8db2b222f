"""The app of the campaign: phases, an Each, a loop, effects, retries, agents, an approval, a handler that fails.

Whatever it does outside is put down in a side file, a line each, under a name by which the store knows it too: so one
can count what was done again after the store had it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from smithers_nb import (
    Approval,
    Claude,
    Each,
    Effect,
    Execution,
    Phase,
    Ralph,
    Sequence,
    Task,
    component,
    scripted,
)
from smithers_nb.execution import run_behind

FILE = "campaign.db"
SIDE = "side.txt"
NAME = "campaign"
AGAIN = "steps"
"""The key that a task writes itself: at least once, as the task."""
VERDICT = "Is the draft good?"


class Verdict(BaseModel):
    name: str
    good: bool


def note(kind: str, name: str) -> None:
    """Put down that something was done outside, before it is done."""
    side = os.open(SIDE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(side, f"{kind}\t{name}\n".encode())
    os.close(side)


def plus(ctx: Any, key: str) -> None:
    ctx.state.update(key, lambda old: (old or 0) + 1)


def reply(prompt: str) -> str:
    note("asked", prompt)
    return f"reply to {prompt}"


def verdict(prompt: str) -> dict[str, Any]:
    """The first answer does not fit its type: it takes two requests."""
    first = prompt == VERDICT
    note("asked", VERDICT if first else f"{VERDICT} again")
    return {"name": "verdict"} if first else {"name": "verdict", "good": True}


WRITER = scripted(reply, delay_s=0.002)
JUDGE = scripted(verdict, delay_s=0.002)


def name_of(result: Any) -> str:
    """What the store can tell, too: the output's name, or the node's if there is no output."""
    if result.output is None:
        return str(result.node_id)
    return str(getattr(result.output, "name", result.output))


def handled(result: Any, ctx: Any) -> None:
    note("handled", name_of(result))
    plus(ctx, "handled")
    ctx.state.set(f"said by {name_of(result)}", result.text)


def clumsy(result: Any, ctx: Any) -> None:
    note("handled", name_of(result))
    plus(ctx, "never")
    raise ValueError("none of its writes may be applied")


def flaky() -> str:
    """Fails the first time."""
    note("ran", "flaky")
    if Path(SIDE).read_text().splitlines().count("ran\tflaky") == 1:
        raise RuntimeError("not yet")
    return "flaky"


async def check(n: int) -> str:
    note("ran", f"check {n}")
    return f"check {n}"


def broken() -> None:
    note("ran", "broken")
    raise RuntimeError("it never works")


def publish(ctx: Any) -> str:
    note("ran", "published")
    plus(ctx, AGAIN)
    return "published"


def written(ctx: Any, name: str, key: str) -> Callable[[], None]:
    def effect() -> None:
        note("effect", name)
        plus(ctx, key)

    return effect


@component
def App(ctx: Any) -> Any:
    ctx.state.init("begun", 1)
    turn = ctx.iteration("loop")
    return [
        Phase(name="gather")[
            Each(
                items=ctx.state["topics"],
                key=str,
                render=lambda topic: Claude(id=f"about {topic}", model=WRITER, on_finished=handled)["About ", topic],
            ),
            Task(id="flaky", run=flaky, retries=20, on_finished=handled),
            Effect(id="opened", run=written(ctx, "opened []", "opened")),
        ],
        Phase(name="improve")[
            Ralph(id="loop", until=ctx.state.get("handled", 0) >= 10, max_iterations=5)[
                Sequence()[
                    Claude(id="draft", model=WRITER, on_finished=handled)["Draft ", turn],
                    Task(id="check", run=check, args=[turn], on_finished=handled),
                ],
                Effect(id="turned", deps=[turn], run=written(ctx, f"turned [{turn}]", "turned")),
            ]
        ],
        Phase(name="judge")[Claude(id="judge", model=JUDGE, output_type=Verdict, on_finished=handled)[VERDICT]],
        Phase(name="ask")[Approval(id="ok", prompt="Publish it?", on_finished=handled)],
        Phase(name="publish")[
            Task(id="broken", run=broken, on_error=handled),
            Claude(id="clumsy", model=WRITER, on_finished=clumsy)["Be clumsy"],
            Task(id="publish", run=publish, on_finished=handled),
        ],
    ]


@contextmanager
def look(folder: Path) -> Iterator[sqlite3.Connection | None]:
    """Look at what the file holds, in a copy: opening it would mend what a kill has left. None if it holds nothing."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in (FILE, f"{FILE}-wal", f"{FILE}-journal"):
        if (folder / name).exists():
            shutil.copy(folder / name, copy)
    with closing(sqlite3.connect(copy / FILE)) as db:
        made = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'executions'").fetchone()
        yield db if made and db.execute("SELECT 1 FROM executions").fetchone() else None


def go() -> None:
    """Begin the execution, or go on with it, and answer what it asks, to the end."""
    with look(Path()) as db:
        begun = db is not None
    if begun:
        ex = Execution.resume(App(), store=FILE, name=NAME)
    else:
        ex = Execution(App(), store=FILE, name=NAME, state={"topics": ["tides", "wind", "sun"]})
    with ex:
        ex.run_sync()
        while names := run_behind(ex).publish().names:
            note("answered", names[0])
            ex.answer(names[0], "approve")
            ex.run_sync()
        assert ex.status == "finished", (ex.status, ex.reason)
