"""Agents at a server that speaks the providers' APIs, through the providers' own packages: what goes well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic_ai
import pytest
from pydantic import BaseModel

from smithers_nb import Agent, Claude, Parallel
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Reply, by_turn, call, output, say
from tests.agents.fake_server import KEY

each_api = pytest.mark.parametrize("api", APIS)


class Note(BaseModel):
    title: str
    tags: list[str] = []


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@each_api
def test_a_text_comes_back_and_its_request_is_recorded(api: str, provider: Any, ask: Any) -> None:
    server = provider(say("hel", "lo"))
    ex, result = ask(server, api, system="Be brief.")
    assert (result.status, result.output, result.error) == ("succeeded", "hello", None)
    assert dict(result.usage) == {"input_tokens": 10, "output_tokens": 5, "requests": 1}
    assert result.cost_usd and result.cost_usd > 0

    [request] = server.requests
    assert (request.status, request.outcome, request.asked.key) == (200, "sent", KEY)
    assert request.asked.prompt == "hi"
    assert "Be brief." in str(request.asked.body)

    [row] = ex.df.model_calls.to_dict("records")
    assert (row["task_id"], row["turn"], row["attempt"]) == ("c@1", 1, 1)
    assert row["model"] == ("claude-haiku-5-5" if api == "anthropic" else "gpt-5")
    assert row["provider"] == ("anthropic" if api == "anthropic" else "openai")
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (10, 5, result.cost_usd)
    assert row["response"]["parts"][0]["content"] == "hello"
    assert row["request"][0]["parts"][0]["content"] == "hi"
    assert not isinstance(row["error"], str)
    assert row["answered_by"] == "model"


@each_api
def test_a_key_is_in_no_file(api: str, provider: Any, ask: Any, tmp_path: Path) -> None:
    server = provider(say("hello"))
    ask(server, api)
    assert server.requests[0].asked.key == KEY
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes(), file


@each_api
@pytest.mark.parametrize("prompt", ["a\0b", "x" * 5_000_000], ids=["NUL", "5 MB"])
def test_a_strange_prompt_arrives_as_it_is(prompt: str, api: str, provider: Any, ask: Any) -> None:
    server = provider(say("hello"))
    ex, result = ask(server, api, prompt)
    assert result.output == "hello"
    assert server.requests[0].asked.prompt == prompt
    assert ex.df.model_calls.request[0][0]["parts"][0]["content"] == prompt


@each_api
def test_tools_run_over_several_turns(api: str, provider: Any, ask: Any) -> None:
    server = provider(by_turn(call("add", a=1, b=2), call("double", n=3), say("it is 6")))
    ex, result = ask(server, api, tools=[add, double])
    assert (result.output, result.usage["requests"]) == ("it is 6", 3)
    assert [request.asked.turn for request in server.requests] == [1, 2, 3]
    assert {tuple(request.asked.tools) for request in server.requests} == {("add", "double")}
    assert (list(ex.df.model_calls.turn), list(ex.df.model_calls.attempt)) == ([1, 2, 3], [1, 1, 1])
    assert list(ex.df.model_calls.input_tokens) == [10, 10, 10]

    rows = ex.df.tool_calls.to_dict("records")
    assert [(row["turn"], row["tool"], row["input"], row["output"]) for row in rows] == [
        (1, "add", {"a": 1, "b": 2}, 3),
        (2, "double", {"n": 3}, 6),
    ]
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["ms"] >= 0 and not isinstance(row["error"], str) for row in rows)
    for row, request in zip(rows, server.requests[1:], strict=True):
        assert row["tool_call_id"] in str(request.asked.body), "the answer goes by the id of the call"


@each_api
def test_two_tools_of_one_turn_are_two_rows(api: str, provider: Any, ask: Any) -> None:
    both = Reply(calls=(("add", {"a": 1, "b": 2}), ("double", {"n": 5})))
    server = provider(by_turn(both, say("done")))
    ex, result = ask(server, api, tools=[add, double])
    assert result.output == "done"
    rows = ex.df.tool_calls.sort_values("tool").to_dict("records")
    assert [(row["turn"], row["tool"], row["output"]) for row in rows] == [(1, "add", 3), (1, "double", 10)]
    assert len({row["tool_call_id"] for row in rows}) == 2
    assert len(server.requests) == 2


@each_api
def test_structured_output_is_asked_for_again_when_it_does_not_fit(api: str, provider: Any, ask: Any) -> None:
    server = provider(output(titel="tides"), output(title="tides", tags=["sea"]))
    ex, result = ask(server, api, output_type=Note)
    assert result.output == Note(title="tides", tags=["sea"])
    assert [request.asked.turn for request in server.requests] == [1, 2]
    assert "Field required" in str(server.requests[1].asked.body)
    assert (list(ex.df.model_calls.turn), result.usage["requests"]) == ([1, 2], 2)
    [task] = ex.df.tasks.to_dict("records")
    assert task["result"] == {"title": "tides", "tags": ["sea"]}


@each_api
def test_the_pieces_of_a_stream_are_recorded_in_order(api: str, provider: Any, ask: Any) -> None:
    words = [f"word{n} " for n in range(40)]
    server = provider(say(*words))
    ex, result = ask(server, api)
    assert result.output == "".join(words)
    events = ex.df.stream_events
    assert set(events.kind) == {"token"}
    assert "".join(text(payload) for payload in events.payload) == "".join(words)
    assert set(events.turn) == {1} and set(events.task_id) == {"c@1"}


def text(payload: Any) -> str:
    """The text of a streamed piece."""
    return payload if isinstance(payload, str) else payload["text"]


@each_api
def test_agents_at_once_keep_their_answers_apart(api: str, provider: Any, run_of: Any) -> None:
    server = provider(lambda asked: say("you said ", asked.prompt, delay_s=0.01))
    model = model_at(server, api)
    said: dict[str, str] = {}

    def keep(result: Any) -> None:
        said[result.node_id] = result.output

    ex = run_of(Parallel()[[Claude(id=f"c{n}", model=model, on_finished=keep)[f"number {n}"] for n in range(8)]])
    assert ex.run_sync().status == "finished"
    assert said == {f"c{n}": f"you said number {n}" for n in range(8)}
    assert len(server.requests) == len(ex.df.model_calls) == 8


def test_thinking_is_recorded_apart_from_the_answer_and_goes_back_with_the_next_turn(provider: Any, ask: Any) -> None:
    thoughtful = Reply(thinking="let me add", calls=(("add", {"a": 1, "b": 2}),))
    server = provider(by_turn(thoughtful, say("it ", "is 3")))
    ex, result = ask(server, tools=[add])
    assert result.output == "it is 3"
    events = ex.df.stream_events
    assert list(dict.fromkeys(events.kind)) == ["thinking", "tool_start", "tool_end", "token"]
    of = {kind: "".join(map(text, events.payload[events.kind == kind])) for kind in ("thinking", "token")}
    assert (of["thinking"].strip(), of["token"]) == ("let me add", "it is 3")
    assert list(events.turn) == sorted(events.turn)
    assert "signed-1" in str(server.requests[1].asked.body), "the provider wants its signature back"


def test_an_agent_of_ones_own_asks_the_same_way(provider: Any, run_of: Any) -> None:
    server = provider(by_turn(call("price", item="tea"), say("tea is 3")))
    own = pydantic_ai.Agent(model_at(server), deps_type=dict, name="shop")

    @own.tool
    def price(ctx: pydantic_ai.RunContext[dict[str, int]], item: str) -> int:
        """Say what it costs."""
        return ctx.deps[item]

    results: list[Any] = []
    ex = run_of(Agent(id="a", agent=own, deps={"tea": 3}, on_finished=results.append)["What is tea?"])
    assert ex.run_sync().status == "finished"
    assert [result.output for result in results] == ["tea is 3"]
    assert list(ex.df.tool_calls.output) == [3]
    assert len(server.requests) == len(ex.df.model_calls) == 2


def test_what_an_attempt_that_failed_has_streamed_is_told_from_the_next_one(provider: Any, ask: Any) -> None:
    server = provider(say("abc", "def", "ghi", cut_after=4), say("hel", "lo"))
    ex, result = ask(server)
    assert result.output == "hello"
    events = ex.df.stream_events
    said = {attempt: "".join(map(text, found.payload)) for attempt, found in events.groupby("attempt")}
    assert said == {1: "abc", 2: "hello"}
