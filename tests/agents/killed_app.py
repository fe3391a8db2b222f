"""An agent that is killed: ``main(folder, "run", url, api, point)`` runs it, and ``"resume"`` goes on with it.

With ``approve`` a person is asked about each call, and says yes. With ``nested`` the steps are tools of an agent that a
tool of the agent runs.

The point is where it dies: ``in tool 2``; ``before write 5`` and ``after write 5`` of the transactions that record the
agent; of others it knows nothing, and the test kills it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from pydantic_ai import Agent as OwnAgent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from smithers_nb import Claude, Execution, Store, component
from smithers_nb.records import REUSED
from smithers_nb.store.connection import Database

TOOLS = Path("tools.txt")
DIES = ""
MODEL: Any = None
APPROVE = False
NESTED = False


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def note(line: str) -> None:
    with TOOLS.open("a") as file:
        file.write(f"{line}\n")


def step(n: int) -> str:
    """Do a step."""
    note(f"start {n}")
    if f"in tool {n}" == DIES:
        kill()
    note(f"end {n}")
    return f"step {n} is done"


async def delegate() -> str:
    """Let another agent take the steps."""
    note("delegate")
    worker = OwnAgent(MODEL, name="worker", tools=[step])
    return str((await worker.run("Take the steps.")).output)


def model(url: str, api: str) -> Any:
    if api == "anthropic":
        return AnthropicModel("claude-haiku-5-5", provider=AnthropicProvider(base_url=url, api_key="x"))
    kind = OpenAIChatModel if api == "chat" else OpenAIResponsesModel
    return kind("gpt-5", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="x"))


@component
def App(ctx: Any) -> Any:
    def finished(result: Any) -> None:
        ctx.state.set("said", result.output)
        ctx.state.update("finished", lambda old: (old or 0) + 1)

    tools = [delegate] if NESTED else [step]
    return Claude(id="c", model=MODEL, tools=tools, approve=APPROVE, on_finished=finished)["Take three steps."]


def die_at(moment: str, kind: str, number: int) -> None:
    """Die before or after the commit of that transaction, counted from the first that records the agent: of all
    (``write``), or of those of one function.
    """
    original = Database.transaction
    recording: list[bool] = []
    seen: list[str] = []

    async def transaction(self: Database, work: Any, *args: Any, **named: Any) -> Any:
        if work.__name__ == "start_tasks":
            recording.append(True)
        ours = bool(recording) and kind in ("write", work.__name__)
        seen.extend([work.__name__] * ours)
        if ours and moment == "before" and len(seen) == number:
            kill()
        result = await original(self, work, *args, **named)
        if ours and moment == "after" and len(seen) == number:
            kill()
        return result

    Database.transaction = transaction  # type: ignore[method-assign]


def opened(command: str) -> Execution:
    """Return the execution of a command: run, resume, ``fork all`` or ``fork agents`` (what is reused), or ``resume
    branch``.
    """
    verb, _, more = command.partition(" ")
    if verb == "run":
        return Execution(App(), store="killed.db", name="killed")
    if verb == "fork":
        reuse = ["agents"] if more == "agents" else REUSED
        return Store("killed.db").open("killed").fork(App(), frame=0, name="branch", reuse=reuse)
    return Execution.resume(App(), store="killed.db", name=more or "killed")


def main(
    folder: str, command: str, url: str, api: str, point: str, approve: bool = False, nested: bool = False
) -> None:
    """Run it, or go on with it, in a folder; ``outcome.txt`` says how it ended, ``errors.txt`` what went wrong."""
    global APPROVE, DIES, MODEL, NESTED
    os.chdir(folder)
    os.dup2(os.open("errors.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    APPROVE, DIES, MODEL, NESTED = approve, point, model(url, api), nested
    if point.startswith(("before", "after")):
        moment, kind, number = point.split()
        die_at(moment, kind, int(number))
    with opened(command) as ex:
        while ex.run_sync().status == "waiting":
            asked = ex.df.approvals
            for id in asked[asked.status == "waiting"].approval_id:
                ex.answer(id, "approve", f"answered by {command}")
        Path("outcome.txt").write_text(f"{ex.status}|{ex.state.get('said')}|{ex.state.get('finished')}")
