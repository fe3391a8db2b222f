"""``cache=True``: the same request is answered from the file, and nothing else is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb import Agent, Claude, Parallel, call_tool, scripted
from smithers_nb.execution import run_behind
from smithers_nb.store import calls
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Status, by_turn, call, output, say


class Note(BaseModel):
    title: str


class Other(BaseModel):
    title: str
    tags: list[str] = []


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def run(run_of: Any, node: Any, **options: Any) -> Any:
    ex = run_of(node["Hello."], **options)
    ex.run_sync()
    return ex


def by(ex: Any) -> list[str]:
    return list(ex.df.model_calls.answered_by)


@pytest.mark.parametrize("api", APIS)
def test_the_same_request_is_answered_from_the_file_and_costs_nothing(api: str, provider: Any, run_of: Any) -> None:
    server = provider(by_turn(call("add", a=1, b=2), say("it ", "is 3")))
    results: list[Any] = []

    def node() -> Any:
        model = model_at(server, api)  # Another object, with another client.
        return Claude(id="c", model=model, tools=[add], cache=True, on_finished=results.append)

    first, second = run(run_of, node()), run(run_of, node(), name="another")
    assert (by(first), by(second)) == (["model"] * 2, ["cache"] * 2)
    assert len(server.requests) == 2
    assert [result.output for result in results] == ["it is 3"] * 2
    assert dict(results[0].usage) == {"input_tokens": 20, "output_tokens": 10, "requests": 2}
    assert dict(results[1].usage) == {"input_tokens": 0, "output_tokens": 0, "requests": 0}
    assert results[0].cost_usd > 0 and results[1].cost_usd == 0
    assert list(second.df.model_calls.cost_usd) == [0.0, 0.0]
    assert list(second.df.tool_calls.status) == ["ok"], "tools are called all the same"
    assert second.replay().same


def props(**more: Any) -> dict[str, Any]:
    return {"system": "Be brief.", "tools": [add], "output_type": Note, **more}


def sub(a: int, b: int) -> int:
    """Add two numbers."""
    return a - b


OTHERS: dict[str, dict[str, Any]] = {
    "another prompt": {"prompt": "Good bye."},
    "other instructions": {"system": "Be long."},
    "another tool": {"tools": [sub]},
    "no tool": {"tools": []},
    "another output type": {"output_type": Other},
    "other limits": {"limits": {"tokens": 1000}},
    "another API": {"api": "chat"},
    "another server": {"elsewhere": True},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_request_is_asked(other: dict[str, Any], provider: Any, run_of: Any) -> None:
    server, elsewhere = provider(output(title="x")), provider(output(title="x"))

    def asked(prompt: str = "Hello.", api: str = "anthropic", elsewhere_: bool = False, **more: Any) -> int:
        before = len(server.requests) + len(elsewhere.requests)
        model = model_at(elsewhere if elsewhere_ else server, api)
        ex = run_of(Claude(id="c", model=model, cache=True, **props(**more))[prompt])
        assert ex.run_sync().status == "finished"
        return len(server.requests) + len(elsewhere.requests) - before

    changed = {**other, "elsewhere_": other.get("elsewhere", False)}
    changed.pop("elsewhere", None)
    assert [asked(), asked(), asked(**changed), asked(**changed)] == [1, 0, 1, 0]


def test_without_it_each_request_is_asked(provider: Any, run_of: Any) -> None:
    server = provider(say("hello"))
    for _ in range(2):
        run(run_of, Claude(id="c", model=model_at(server)))
    cached = run(run_of, Claude(id="c", model=model_at(server), cache=True))
    assert by(cached) == ["model"], "what was not to be used again is not"


def test_a_tool_that_returns_something_else_leads_to_another_request(provider: Any, run_of: Any) -> None:
    server = provider(by_turn(call("count"), say("so")))
    counted: list[int] = []

    def count() -> int:
        counted.append(1)
        return len(counted)

    def node() -> Any:
        return Claude(id="c", model=model_at(server), tools=[count], cache=True)

    assert [by(run(run_of, node())) for _ in range(2)] == [["model", "model"], ["cache", "model"]]
    assert len(counted) == 2


def test_no_error_is_used_again(provider: Any, run_of: Any) -> None:
    server = provider(Status(400), say("hello"))
    runs = [run(run_of, Claude(id="c", model=model_at(server), cache=True)) for _ in range(3)]
    assert [ex.status for ex in runs] == ["failed", "finished", "finished"]
    assert [by(ex)[-1] for ex in runs[1:]] == ["model", "cache"]


def test_no_answer_of_an_agent_that_failed_is_used_again(provider: Any, run_of: Any) -> None:
    server = provider(*[output(titel="x")] * 2, output(title="x"))
    ex = run(run_of, Claude(id="c", model=model_at(server), output_type=Note, cache=True))
    assert ex.status == "failed"
    ex.retry("c")
    assert ex.run_sync().status == "finished"
    assert by(ex) == ["model"] * 3


def test_what_was_answered_before_a_limit_is_not_paid_for_again(provider: Any, run_of: Any) -> None:
    server = provider(by_turn(call("add", a=1, b=2), say("3")))
    ex = run(run_of, Claude(id="c", model=model_at(server), tools=[add], cache=True), limits={"tokens": 10})
    assert ex.df.tasks.reason[0] == "limit: tokens of the execution"
    more = run(run_of, Claude(id="c", model=model_at(server), tools=[add], cache=True), limits={"tokens": 16})
    assert (more.status, by(more)) == ("finished", ["cache", "model"]), "a cached answer uses up no tokens"


def test_an_answer_from_the_file_waits_for_no_rate_window(provider: Any, run_of: Any) -> None:
    server = provider(say("hello"))

    def node() -> Any:
        return Claude(id="c", model=model_at(server), cache=True)

    ex = run(run_of, node())

    async def close() -> None:
        await run_behind(ex).live.services.database.transaction(
            calls.close_window, "anthropic:claude-haiku-5-5", time.time(), 3600.0
        )

    from smithers_nb.bridge import engine

    engine.call(close())
    assert by(run(run_of, node())) == ["cache"]


def test_an_agent_of_ones_own_can_be_cached(provider: Any, run_of: Any) -> None:
    server = provider(say("hello"))
    agent: Any = OwnAgent(model_at(server), name="mine", instructions="Be brief.", deps_type=dict)

    @agent.instructions
    def more(ctx: Any) -> str:
        return f"You talk to {ctx.deps['name']}."

    def node(name: str) -> Any:
        return Agent(id="a", agent=agent, deps={"name": name}, cache=True)

    assert [by(run(run_of, node(name))) for name in ("Ann", "Ann", "Bob")] == [["model"], ["cache"], ["model"]]


def test_a_script_is_known_by_its_replies_and_a_function_is_always_asked(run_of: Any) -> None:
    def ask(model: Any) -> list[str]:
        return by(run(run_of, Claude(id="c", model=model, tools=[add], cache=True)))

    def function(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse(parts=[TextPart("x")])

    replies = (call_tool("add", a=1, b=2), "three")
    assert [ask(scripted(*replies)) for _ in range(2)] == [["model"] * 2, ["cache"] * 2]
    assert ask(scripted("four")) == ["model"]
    for model in (scripted(lambda prompt: prompt), FunctionModel(function)):
        assert [ask(model), ask(model)] == [["model"], ["model"]]


def test_equal_requests_at_the_same_time_are_one(provider: Any, run_of: Any) -> None:
    server = provider(by_turn(say("it ", "is 3")))
    model = model_at(server)
    agents = [Claude(id=f"c{n}", model=model, cache=True)["Hello."] for n in range(5)]
    other = Claude(id="other", model=model, cache=True)["Good bye."]
    ex = run_of(Parallel()[[*agents, other]])
    assert ex.run_sync().status == "finished"
    assert len(server.requests) == 2
    assert sorted(by(ex)) == ["cache"] * 4 + ["model"] * 2


def test_of_equal_requests_at_the_same_time_the_next_is_made_when_one_fails(provider: Any, run_of: Any) -> None:
    server = provider(Status(400), say("hi"))
    model = model_at(server)
    ex = run_of(Parallel()[[Claude(id=f"c{n}", model=model, cache=True, on_error=print)["Hello."] for n in range(3)]])
    assert ex.run_sync().status == "finished"
    assert by(ex) == ["model", "model", "cache"]
    assert sorted(ex.df.tasks.status) == ["failed", "succeeded", "succeeded"]
