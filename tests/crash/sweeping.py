"""A sweep of 50 branches that is killed: ``python sweeping.py run|resume URL POINT``, in the folder of its file.

The point is ``before commit_frame 30`` or ``after end_branch 1``: the transactions of one function, counted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from typing import Any

from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from smithers_nb import Claude, End, Execution, If, Phase, Store, component
from smithers_nb.store.connection import Database

BRANCHES = 50


@component
def App(ctx: Any) -> Any:
    def finished(result: Any) -> None:
        ctx.state.update("handled", lambda old: (old or 0) + 1)
        ctx.state.set("said", result.output)

    said = ctx.state.get("said")
    return [
        Phase(name="ask")[Claude(id="c", model="haiku", on_finished=finished)[f"question {ctx.state.get('n')}"]],
        If(condition=said is not None)[End(value=[ctx.state.get("n"), ctx.state.get("handled")])],
    ]


def score(history: Any) -> int:
    return int(history.result[0])


def die_at(point: str) -> None:
    moment, name, number = point.split()
    original = Database.transaction
    seen: Counter[str] = Counter()

    async def transaction(self: Database, work: Any, *args: Any, **named: Any) -> Any:
        ours = work.__name__ == name
        seen[name] += ours
        dies = ours and seen[name] == int(number)
        if dies and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(self, work, *args, **named)
        if dies and moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Database.transaction = transaction  # type: ignore[method-assign]


def main(command: str, url: str, point: str = "") -> None:
    model = AnthropicModel("claude-haiku-5-5", provider=AnthropicProvider(base_url=url, api_key="x"))
    options: dict[str, Any] = {"score": score, "progress": False}
    if command == "run":
        ex = Execution(App(), name="parent", state={"n": -1}, store="sweep.db", models={"haiku": model})
        die_at(point)
        ex.sweep({"state.n": [*range(BRANCHES)]}, frame=0, name="s", **options)
        return
    if point:
        die_at(point)
    Store("sweep.db").sweep("s", app=App, models={"haiku": model}, **options).resume()


if __name__ == "__main__":
    main(*sys.argv[1:])
