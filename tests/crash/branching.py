"""A process that forks a recorded execution, and runs the branch: what is killed in ``test_killed_forks``.

Whatever it does outside is a line of a side file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from smithers_nb import Approval, Claude, Execution, Ralph, Sequence, Store, Task, call_tool, component, scripted
from tests.crash.workflow import note

FILE = "branching.db"
PARENT = "report"
BRANCH = "what if"
FRAME = 4
"""The frame that is forked: the first agent and the payment are settled, the rest is not."""


def save(key: str) -> Any:
    return lambda result, ctx: ctx.state.set(key, result.output)


def answer(prompt: str) -> str:
    note("asked", prompt)
    return f"reply to {prompt}"


def pay(price: int) -> int:
    note("ran", f"pay {price}")
    return price


def look(at: str) -> str:
    """Look at something."""
    note("called", at)
    return f"{at} is blue"


# In the nodes, where a branch of another process knows them again.
WRITER = scripted(answer)
LOOKER = scripted(call_tool("look", at="sea"), "seen")


@component
def Report(ctx: Any) -> Any:
    topic = ctx.state.get("topic", "tides")
    return Sequence()[
        Claude(id="plan", model=WRITER, on_finished=save("plan"))["Plan."],
        Task(id="pay", run=pay, args=[5], repeat="refuse", on_finished=save("paid")),
        Claude(id="look", model=LOOKER, tools=[look], on_finished=save("seen"))["Look."],
        Task(id="count", run=pay, args=[7], repeat="recorded", on_finished=save("counted")),
        Approval(id="ok", prompt="Is it right?", on_finished=save("ok")),
        Ralph(id="loop", max_iterations=2)[
            Claude(id="say", model=WRITER, on_finished=save("said"))[f"Say {topic}, {ctx.iteration('loop')}."]
        ],
    ]


def ended(ex: Execution) -> None:
    while ex.run_sync().status == "waiting":
        for id in ex.df.approvals.query("status == 'waiting'").approval_id:
            note("answered", id)
            ex.answer(id, "approve")


def record() -> None:
    """Make the execution that is forked."""
    with Execution(Report, store=FILE, name=PARENT) as ex:
        ended(ex)


def fork() -> Execution:
    """Fork it, with another topic."""
    recorded = Store(FILE).open(PARENT)
    return recorded.fork(Report, frame=FRAME, state={"topic": "wind", "new": [1]}, name=BRANCH)


def only_fork() -> None:
    fork().close()


def fork_and_run() -> None:
    """Fork it unless there is the branch already, and run the branch to its end."""
    if BRANCH in Store(FILE).executions().name.tolist():
        ex = Execution.resume(Report, store=FILE, name=BRANCH)
    else:
        ex = fork()
    with ex:
        ended(ex)
        Path("end.json").write_text(json.dumps([ex.status, dict(ex.state), os.getpid()]))
