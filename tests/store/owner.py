"""The process whose executions are taken over: ``python -m tests.store.owner FOLDER PLACE …`` brings one execution to
each place, says ``ready``, and goes on with all of them when it is told to.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from smithers_nb import Approval, Claude, Effect, Execution, Task, scripted
from smithers_nb.engine import heartbeat
from smithers_nb.errors import SmithersError
from smithers_nb.records import Phase
from smithers_nb.store import lease

PLACES = [*Phase, "task", "thread", "model", "write", "answer"]
"""After a phase of the second frame; with a task, a thread or a request under way; with an operator's write on its
way; before a person's answer."""
GO = Path("go")
"""What tasks wait for."""


def patient_in_thread() -> str:
    while not GO.exists():
        time.sleep(0.01)
    return "done"


async def patient() -> str:
    return await asyncio.to_thread(patient_in_thread)


def reply(_prompt: str) -> str:
    return "done"


def plus(_result: Any, ctx: Any) -> None:
    ctx.state.update("handled", lambda old: (old or 0) + 1)


def app(place: str) -> Any:
    match place:
        case "task":
            return Task(id="t", run=patient, on_finished=plus)
        case "thread":
            return Task(id="t", run=patient_in_thread, on_finished=plus)
        case "model":
            slow = scripted(reply, delay_s=0.0 if GO.exists() else 1.0)
            return Claude(id="t", model=slow, on_finished=plus)["hi"]
        case "answer":
            return Approval(id="t", prompt="Shall it?", on_finished=plus)
    return [
        Task(id="t", run=lambda: "done", on_finished=plus),
        Effect(id="e", run=lambda ctx: ctx.state.set("effect", 1)),
    ]


def brought_to(place: str) -> Execution:
    """Return an execution that stands there."""
    ex = Execution(app(place), store=f"{place}.db", name=place)
    if place == "answer":
        ex.run_sync()
        return ex
    ex.step_sync()
    if place in Phase.__members__:
        # The handler is called in the second frame.
        while ex.tasks["t"] == "running":
            time.sleep(0.001)
        while (frame := ex.step_phase_sync()).number < 2 or frame.phase != place:
            pass
    elif place == "write":
        ex.state.set("by hand", 1)
    return ex


def gone_on(place: str, ex: Execution) -> str:
    """Return how it ended, or the error."""
    try:
        if place == "answer":
            ex.answer("t", "deny")
        return ex.run_sync().status
    except SmithersError as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    lease.LEASE_S, heartbeat.HEARTBEAT_S = 0.3, 0.05
    executions = {place: brought_to(place) for place in sys.argv[2:]}
    print("ready", flush=True)
    sys.stdin.readline()
    said = {place: gone_on(place, ex) for place, ex in executions.items()}
    for ex in executions.values():
        ex.close()
    print(json.dumps(said), flush=True)
