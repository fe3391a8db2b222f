"""Props of an agent node that say more than its prompt: settings, dependencies, instructions as a function, and tools
that the provider calls itself.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic_ai import RunContext
from pydantic_ai.capabilities import WebSearch
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.native_tools import CodeExecutionTool, WebSearchTool

from smithers_nb import Claude, Parallel, call_tool, scripted
from smithers_nb.agents import making
from smithers_nb.engine.tasks.agents import agent_task
from smithers_nb.execution import run_behind
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Reply, by_turn, call, say

each_api = pytest.mark.parametrize("api", APIS)
searching = pytest.mark.parametrize("api", ["anthropic", "responses"])
"""The APIs whose models of the tests have a web search of their own."""

SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "anthropic": (
        {"stop_sequences": ["END"], "anthropic_metadata": {"user_id": "u"}},
        {"max_tokens": 77, "stop_sequences": ["END"], "metadata": {"user_id": "u"}},
    ),
    "chat": (
        {"seed": 4, "openai_reasoning_effort": "low"},
        {"max_completion_tokens": 77, "seed": 4, "reasoning_effort": "low"},
    ),
    "responses": ({"thinking": "high"}, {"max_output_tokens": 77, "reasoning": {"effort": "high"}}),
}
"""What the node says beside max_tokens, and what the server gets, by API."""


@each_api
def test_settings_go_to_the_provider(api: str, provider: Any, ask: Any) -> None:
    server = provider(say("hello"))
    said, sent = SETTINGS[api]
    settings = {"max_tokens": 77, "extra_headers": {"x-team": "tides"}, **said}
    ex, result = ask(server, api, settings=settings)
    assert result.output == "hello"
    [request] = server.requests
    body = request.asked.body
    assert {name: body[name] for name in sent} == sent
    assert request.headers["x-team"] == "tides"
    assert "&quot;max_tokens&quot;: 77" in ex.at(1).xml


def first_problem(run_of: Any, node: Any) -> str:
    frame = run_of(node["hi"]).step_sync()
    assert len(frame.problems) == 1, frame.problems
    return str(frame.problems[0].message)


WRONG = {
    "misspelt": ({"temprature": 1.0}, "no setting is called 'temprature'. Did you mean 'temperature'?"),
    "misspelt of the provider": ({"anthropic_thinkin": {}}, "Did you mean 'anthropic_thinking'?"),
    "of no provider": ({"zzz": 1}, "no setting is called 'zzz'. There are cache,"),
    "a text for a number": ({"temperature": "hot"}, "'temperature' is 'hot': input should be a valid number"),
    "retries of the library": ({"max_retries": 3}, "the node retries by itself, and records it. Write retries={…}"),
}


@pytest.mark.parametrize(("settings", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_told_when_the_node_mounts(
    settings: dict[str, Any], words: str, provider: Any, run_of: Any
) -> None:
    server = provider(say("hello"))
    told = first_problem(run_of, Claude(id="c", model=model_at(server), settings=settings))
    assert words in told
    assert "(node c)" in told


def test_settings_of_another_provider_are_left_alone(provider: Any, run_of: Any) -> None:
    server = provider(say("hello"))
    both = {"openai_reasoning_effort": "low", "anthropic_thinking": {"type": "disabled"}}
    model = FallbackModel(model_at(server), model_at(server, "chat"))
    assert run_of(Claude(model=model, settings=both)["hi"]).step_sync().problems == ()
    assert run_of(Claude(model=model_at(server), settings=both)["hi"]).step_sync().problems == ()
    assert run_of(Claude(model=scripted("x"), settings=both)["hi"]).step_sync().problems == ()


class Sea:
    """Dependencies that can't be stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0


def depth(ctx: RunContext[Sea]) -> int:
    """Return the depth of the sea."""
    ctx.deps.asked += 1
    return len(ctx.deps.name)


async def about(ctx: RunContext[Sea]) -> str:
    return f"The sea is {ctx.deps.name}, turn {ctx.run_step}."


def about_nothing() -> str:
    return "Be brief."


@each_api
def test_tools_and_instructions_get_the_dependencies(api: str, provider: Any, ask: Any) -> None:
    server = provider(by_turn(call("depth"), say("deep")))
    sea = Sea("Adria")
    ex, result = ask(server, api, deps=sea, system=about, tools=[depth])
    assert (result.output, sea.asked) == ("deep", 1)
    assert list(ex.df.tool_calls.output) == [5]
    told = [str(request.asked.body) for request in server.requests]
    assert ["The sea is Adria, turn 1." in told[0], "The sea is Adria, turn 2." in told[1]] == [True, True]
    recorded = [row[-1]["instructions"] for row in ex.df.model_calls.request]
    assert recorded == ["The sea is Adria, turn 1.", "The sea is Adria, turn 2."]
    assert ex.replay().same


def test_instructions_may_take_no_argument_and_read_the_state(run_of: Any) -> None:
    seen: list[str] = []

    def reply(messages: list[Any], info: Any) -> Any:
        from pydantic_ai.messages import ModelResponse, TextPart

        seen.append(messages[-1].instructions)
        return ModelResponse(parts=[TextPart("x")])

    ex = run_of(Claude(id="c", model=FunctionModel(reply), system=about_nothing)["hi"])
    assert ex.run_sync().status == "finished"
    assert seen == ["Be brief."]
    assert 'system="function(about_nothing)"' in ex.at(1).xml


def test_instructions_that_raise_fail_the_agent_with_what_they_raised(run_of: Any) -> None:
    def fails(ctx: Any) -> str:
        raise LookupError("no such harbour")

    results: list[Any] = []
    ex = run_of(Claude(id="c", model=scripted("x"), system=fails, on_error=results.append)["hi"])
    assert ex.run_sync().status == "finished"
    assert "no such harbour" in results[0].error
    assert len(ex.df.model_calls) == 0


FOUND = Reply(pieces=("it is ", "low"), searches=(("tide at Dover", "Tides of Dover"),))


@searching
def test_a_search_of_the_providers_own_is_recorded(api: str, provider: Any, ask: Any) -> None:
    server = provider(by_turn(FOUND))
    ex, result = ask(server, api, tools=[WebSearchTool()])
    assert result.output == "it is low"
    [request] = server.requests
    assert [tool["type"].startswith("web_search") for tool in request.asked.body["tools"]] == [True]
    [row] = ex.df.tool_calls.to_dict("records")
    assert (row["tool"], row["status"], row["turn"], row["attempt"]) == ("web_search", "ok", 1, 1)
    assert row["input"]["query"] == "tide at Dover"
    assert row["output"] is not None
    if api == "anthropic":
        assert row["output"][0]["title"] == "Tides of Dover"
    assert ex.replay().same
    assert len(server.requests) == 1


@searching
@pytest.mark.parametrize("policy", [{"deny": ["web_*"]}, {"allow": ["add_*"]}, {"deny": ["*"]}], ids=str)
def test_a_native_tool_that_is_denied_is_not_offered(api: str, policy: Any, provider: Any, ask: Any) -> None:
    server = provider(say("hello"))
    ex, result = ask(server, api, tools=[WebSearchTool()], **policy)
    assert result.output == "hello"
    assert not server.requests[0].asked.body.get("tools")
    assert len(ex.df.tool_calls) == 0


@searching
def test_a_native_tool_that_is_allowed_is_offered_beside_functions(api: str, provider: Any, ask: Any) -> None:
    server = provider(by_turn(call("depth"), FOUND))
    ex, result = ask(server, api, tools=[WebSearchTool(), depth], deps=Sea("x"), allow=["web_search", "depth"])
    assert result.output == "it is low"
    rows = ex.df.tool_calls[["turn", "tool", "status"]].to_numpy().tolist()
    assert rows == [[1, "depth", "ok"], [2, "web_search", "ok"]]
    assert len(server.requests[0].asked.body["tools"]) == 2


def test_searches_count_for_the_limit_of_tool_calls(provider: Any, ask: Any) -> None:
    twice = Reply(calls=(("depth", {}),), searches=(("a", "A"), ("b", "B")))
    server = provider(by_turn(twice, say("x")))
    ex, result = ask(server, tools=[WebSearchTool(), depth], deps=Sea("x"), limits={"tool_calls": 2})
    assert result.status == "failed"
    assert "2 of 2 are used" in result.error
    assert list(ex.df.tool_calls.tool) == ["web_search", "web_search", "depth"]
    assert list(ex.df.tool_calls.status) == ["ok", "ok", "skipped"]


def test_a_capability_gives_its_native_tool_or_its_own_function(provider: Any, ask: Any) -> None:
    def search(query: str) -> str:
        """Search by hand."""
        return f"found {query}"

    server = provider(by_turn(FOUND))
    ex, _ = ask(server, tools=[WebSearch(local=search)])
    assert list(ex.df.tool_calls.tool) == ["web_search"]
    by_hand = provider(by_turn(call("search", query="tides"), say("done")))
    ex, _ = ask(by_hand, "chat", tools=[WebSearch(local=search)])
    assert list(ex.df.tool_calls.output) == ["found tides"]


CANT = {
    "unknown to the model": ({"api": "chat"}, "model 'gpt-5' has no web_search; its native tools are"),
    "asked about by name": ({"approve": ["web_search"]}, "no one can be asked about it first"),
    "asked about like all": ({"approve": True}, "leave it out with deny=['web_search']"),
}


@pytest.mark.parametrize(("how", "words"), CANT.values(), ids=CANT)
def test_a_native_tool_that_cant_be_used_is_told_when_the_node_mounts(
    how: dict[str, Any], words: str, provider: Any, run_of: Any
) -> None:
    server, props = provider(say("hello")), dict(how)
    node = Claude(id="c", model=model_at(server, props.pop("api", "anthropic")), tools=[WebSearchTool()], **props)
    assert words in first_problem(run_of, node)


def test_a_script_takes_the_place_of_a_model_with_native_tools(run_of: Any) -> None:
    node = Claude(id="c", model="sonnet", tools=[CodeExecutionTool(), depth], deps=Sea("abc"))
    ex = run_of(node["hi"], models={"sonnet": scripted(call_tool("depth"), "three")})
    assert ex.run_sync().status == "finished"
    assert list(ex.df.tool_calls.output) == [3]


def test_nodes_that_are_made_alike_are_each_asked_with_their_own_props(
    provider: Any, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, made = provider(say("hello")), []
    make = making._made

    def counted(task: Any, model: Any) -> Any:
        made.append(task.node_id)
        return make(task, model)

    monkeypatch.setattr(making, "_made", counted)
    alike: dict[str, Any] = {"model": model_at(server), "system": "Be short."}
    ex = run_of(
        Parallel()[
            Claude(id="a", **alike, settings={"max_tokens": 10})["first"],
            Claude(id="b", **alike, settings={"max_tokens": 10})["second"],
            Claude(id="c", **alike, settings={"max_tokens": 20})["third"],
            Claude(id="d", **(alike | {"system": "Be loud."}), settings={"max_tokens": 10})["fourth"],
        ]
    )
    assert ex.run_sync().status == "finished"
    sent = {}
    for request in server.requests:
        body = request.asked.body
        sent[request.asked.prompt] = body["max_tokens"], json.dumps(body["system"])
    for prompt, most, system in (("first", 10, "short"), ("second", 10, "short"), ("third", 20, "short")):
        assert sent[prompt][0] == most and system in sent[prompt][1]
    assert sent["fourth"][0] == 10 and "loud" in sent["fourth"][1]
    assert len(made) == 3, "one for those that are alike"
    live = run_behind(ex).live
    tasks = [agent_task(live.services, live.committed.tree.index[id], "") for id in ("a", "b")]
    first, second = [making.Agents().agent(task, model_at(server)) for task in tasks]
    assert (first.name, second.name) == ("a", "b")
