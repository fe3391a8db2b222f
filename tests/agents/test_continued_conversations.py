"""Conversations that go on: another node's, one's own of the last iteration, and a list of messages."""

from __future__ import annotations

from typing import Any

import pydantic_ai
import pytest
from pydantic import BaseModel
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart

from smithers_nb import Agent, Claude, Phase, Ralph, Task, call_tool, component, scripted
from tests.agents.conftest import APIS, Background, model_at
from tests.agents.fake_replies import Asked, Hang, by_turn, call, output, say

each_api = pytest.mark.parametrize("api", APIS)


class Note(BaseModel):
    title: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def said(asked: Asked) -> list[tuple[str, str]]:
    """What a server was sent, as (role, words) without what has no words."""
    body = dict(asked.body)
    found: list[tuple[str, str]] = []
    for message in body.get("messages") or body["input"]:
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        if content and message.get("role") in ("user", "assistant"):
            found.append((message["role"], content))
    return found


def two(first: Any, second: Any) -> Any:
    return [Phase(name="1")[first], Phase(name="2")[second]]


@each_api
def test_a_node_continues_the_conversation_of_another(api: str, provider: Any, run_of: Any) -> None:
    answers = [call("add", a=1, b=2), say("it is 3"), say("I said 3")]
    server = provider(*answers)
    model, results = model_at(server, api), []
    first = Claude(id="notes", model=model, tools=[add], system="You add.")["Add 1 and 2."]
    second = Claude(id="review", model=model, history="notes", system="You review.", on_finished=results.append)[
        "What did you say?"
    ]
    ex = run_of(two(first, second))
    assert ex.run_sync().status == "finished"
    assert results[0].output == "I said 3"
    last = server.requests[2].asked
    assert said(last) == [
        ("user", "Add 1 and 2."),
        ("assistant", "it is 3"),
        ("user", "What did you say?"),
    ]
    assert "You review." in str(last.body)
    assert "You add." not in str(last.body)
    assert server.requests[2].status == 200, "the call of the tool stands with its result"
    row = ex.df.model_calls.to_dict("records")[2]
    assert (row["task_id"], len(row["request"])) == (ex.df.tasks.task_id[1], 5)
    assert "You add." not in str(row["request"]), "what was not sent is not recorded as sent"
    assert max(ex.follow("You add.").df.frame) < ex.df.tasks.mounted_at_frame[1], "and is not found there"
    assert ex.replay().same
    assert len(server.requests) == 3


@each_api
def test_structured_output_is_taken_over_with_a_result_of_its_call(api: str, provider: Any, run_of: Any) -> None:
    server = provider(output(title="tides"), say("It is fine."))
    model = model_at(server, api)
    first = Claude(id="notes", model=model, output_type=Note)["Take a note."]
    ex = run_of(two(first, Claude(id="review", model=model, history="notes")["Review it."]))
    assert ex.run_sync().status == "finished"
    assert [request.status for request in server.requests] == [200, 200]
    assert "tides" in str(server.requests[1].asked.body)


def loop(model: Any, **props: Any) -> Any:
    @component
    def Writes(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        node = Claude(id="w", model=model, on_finished=lambda r: ctx.state.update("n", lambda n: (n or 0) + 1), **props)
        return Ralph(id="loop", until=n == 3, max_iterations=5)[node[f"Draft {n + 1}."]]

    return Writes


@pytest.mark.parametrize(("limit", "lengths"), [(None, [1, 3, 5]), (1, [1, 3, 3]), (2, [1, 3, 5])])
def test_a_loop_remembers_its_last_iterations(limit: Any, lengths: list[int], provider: Any, run_of: Any) -> None:
    server = provider(say("one"), say("two"), say("three"))
    ex = run_of(loop(model_at(server), history="w", history_limit=limit))
    assert ex.run_sync().status == "finished"
    assert [len(said(request.asked)) for request in server.requests] == lengths
    last = said(server.requests[2].asked)
    assert last[-3:] == [("user", "Draft 2."), ("assistant", "two"), ("user", "Draft 3.")]
    assert ex.replay().same


def test_without_history_an_iteration_knows_nothing_of_the_last(provider: Any, run_of: Any) -> None:
    server = provider(say("one"))
    run_of(loop(model_at(server))).run_sync()
    assert [len(said(request.asked)) for request in server.requests] == [1, 1, 1]


def test_a_cut_parts_no_call_from_its_result(provider: Any, run_of: Any) -> None:
    """Each iteration calls a tool, and gives its output by a tool, too."""
    answers = [call("add", a=1, b=2), output(title="x")] * 3
    server = provider(*answers)
    ex = run_of(loop(model_at(server), history="w", history_limit=1, tools=[add], output_type=Note))
    assert ex.run_sync().status == "finished"
    assert [request.status for request in server.requests] == [200] * 6, "the server refuses calls without results"
    assert len(str(server.requests[4].asked.body)) < 1.3 * len(str(server.requests[2].asked.body))


def test_a_list_of_messages_comes_before_the_prompt(provider: Any, run_of: Any) -> None:
    server = provider(say("yes"))
    messages = [
        ModelRequest(parts=[UserPromptPart("an old one")]),
        ModelResponse(parts=[TextPart("an old answer")]),
        ModelRequest(parts=[UserPromptPart("Is the sea deep?")]),
        ModelResponse(parts=[ToolCallPart("measure", {}, tool_call_id="x")]),
    ]
    ex = run_of(Claude(id="c", model=model_at(server), history=messages, history_limit=1)["Well?"])
    assert ex.run_sync().status == "finished"
    assert said(server.requests[0].asked) == [("user", "Is the sea deep?"), ("user", "Well?")]
    assert server.requests[0].status == 200, "a call without a result got one"


def test_an_own_agent_keeps_its_own_system_prompt(provider: Any, run_of: Any) -> None:
    server = provider(say("one"), say("two"))
    model = model_at(server)
    one = pydantic_ai.Agent(model, system_prompt="I am one.")
    other = pydantic_ai.Agent(model, system_prompt="I am the other.")
    ex = run_of(two(Agent(id="a", agent=one)["hi"], Agent(id="b", agent=other, history="a")["and you?"]))
    assert ex.run_sync().status == "finished"
    last = server.requests[1].asked
    assert said(last)[:2] == [("user", "hi"), ("assistant", "one")]
    assert "I am the other." in str(last.body)
    assert "I am one." not in str(last.body)


def test_a_node_that_has_not_run_has_an_empty_history(run_of: Any) -> None:
    model = scripted("x", "y")
    ex = run_of(two(Claude(id="a", model=model, history="b")["first"], Claude(id="b", model=model)["second"]))
    assert (ex.run_sync().status, ex.run_sync().problems) == ("finished", ())
    assert [len(request) for request in ex.df.model_calls.request] == [1, 1]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("nots", "names no node of the plan. Did you mean 'notes'?"),
        ("count", "names a task, which has no conversation"),
    ],
)
def test_a_history_of_no_agent_is_told_when_the_node_mounts(wanted: str, words: str, run_of: Any) -> None:
    model = scripted("x")
    ex = run_of(
        [
            Claude(id="notes", model=model)["hi"],
            Task(id="count", run=lambda: 1),
            Phase(name="2")[Claude(id="c", model=model, history=wanted)["hi"]],
        ]
    )
    [problem] = ex.step_sync().problems
    assert words in problem.message


@pytest.mark.parametrize(("stopped", "turns"), [(2, [1, 2, 2, 3]), (3, [1, 2, 3, 3])])
def test_an_agent_that_was_stopped_continues_with_what_it_had_taken_over(
    stopped: int, turns: list[int], provider: Any, run_of: Any
) -> None:
    def script(asked: Asked) -> Any:
        return Hang() if asked.number == stopped else by_turn(say("one"), call("add", a=1, b=2), say("three"))(asked)

    server = provider(script)
    model = model_at(server)
    second = Claude(id="b", model=model, history="a", tools=[add])["again"]
    ex = run_of(two(Claude(id="a", model=model)["hi"], second))
    run = Background(ex)
    server.wait_for(lambda requests: len(requests) == stopped)
    ex.stop()
    run.ended()
    assert ex.run_sync().status == "finished"
    assert [request.asked.turn for request in server.requests] == turns
    assert said(server.requests[3].asked)[:3] == [("user", "hi"), ("assistant", "one"), ("user", "again")]


def test_what_a_denied_or_failed_run_said_is_not_taken_over(run_of: Any) -> None:
    failing = Claude(id="a", model=scripted(call_tool("nope"), RuntimeError("down")), on_error=lambda r: None)["hi"]
    ex = run_of(two(failing, Claude(id="b", model=scripted("x"), history="a")["and?"]))
    assert ex.run_sync().status == "finished"
    assert len(ex.df.model_calls.request.iloc[-1]) == 1


def test_a_branch_continues_the_conversation_of_its_parent(run_of: Any) -> None:
    model = scripted("one", "two", "three")
    ex = run_of(two(Claude(id="a", model=model)["hi"], Claude(id="b", model=model, history="a")["and?"]))
    assert ex.run_sync().status == "finished"
    handled = int(ex.df.tasks.settled_at_frame.iloc[0])
    branch = ex.fork(handled)
    try:
        assert branch.run_sync().status == "finished"
        requests = branch.df.model_calls.request
        assert [part["content"] for message in requests.iloc[-1] for part in message["parts"]] == ["hi", "one", "and?"]
    finally:
        branch.close()
