"""Blocking calls in handlers: nest-asyncio patches a whole process, so each case has one of its own."""

from __future__ import annotations

from typing import Any

import pytest

SCRIPT = """
import asyncio, sys
from smithers_nb import *

async def inner():
    await asyncio.sleep(0.001)
    return "inner"

def by_run():
    return asyncio.run(inner())

def by_loop():
    return asyncio.get_event_loop().run_until_complete(inner())

def by_agent():
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel
    return Agent(TestModel(custom_output_text="inner")).run_sync("hi").output

call = {"run": by_run, "loop": by_loop, "agent": by_agent}[sys.argv[1]]
plain = asyncio.run

@component
def App(ctx):
    def handler(result):
        ctx.state.set(result.node_id, call())
    return [
        Phase(name="1")[Task(id="a", run=lambda: 1, on_finished=handler)],
        Phase(name="2")[Task(id="b", run=lambda: 1, on_finished=handler)],
        Phase(name="3")[Claude(id="c", model=scripted("from a model"),
                               on_finished=lambda r: ctx.state.set("c", r.output))["hi"]],
        Phase(name="4")[Effect(run=lambda: ctx.state.set("e", call()))],
    ]

ex = Execution(App(), store="n.db")
result = ex.run_sync()
print(result.status, result.problems, dict(ex.state))
again = Execution(App(), store="n.db")
async def main():
    return await again.run()
print(asyncio.run(main()).status, dict(again.state))
async def in_main():
    return 1
assert asyncio.run(in_main()) == 1
"""


@pytest.mark.parametrize("way", ["run", "loop", "agent"])
def test_a_blocking_call_in_a_handler_works_and_the_engine_goes_on(way: str, python: Any) -> None:
    done = python(SCRIPT, way)
    state = "{'a': 'inner', 'b': 'inner', 'c': 'from a model', 'e': 'inner'}"
    assert done.stdout.splitlines() == [f"finished () {state}", f"finished {state}"], done.stderr[-3000:]
    assert "Traceback" not in done.stderr


def test_nest_asyncio_is_not_loaded_when_nobody_needs_it(python: Any) -> None:
    done = python(
        """
        import sys
        from smithers_nb import *
        print(Execution(Task(run=lambda: 1, on_finished=lambda r: None), store="n.db").run_sync().status)
        print("nest_asyncio" in sys.modules)
        """
    )
    assert done.stdout.split() == ["finished", "False"], done.stderr
