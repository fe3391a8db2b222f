"""Agent nodes, on models that need no key."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

from smithers_nb import Claude, Phase, component, scripted
from smithers_nb.errors import PropError


class Note(BaseModel):
    title: str
    tags: list[str] = []


def asked(run_of: Any, model: Any, prompt: str = "hi", **props: Any) -> tuple[Any, Any]:
    """Run one agent; return the execution and its result."""
    results: list[Any] = []
    ex = run_of(Claude(id="c", model=model, on_finished=results.append, on_error=results.append, **props)[prompt])
    assert ex.run_sync().status == "finished"
    assert len(results) == 1
    return ex, results[0]


REPLIES: dict[str, tuple[Any, Any, Any]] = {
    "text": ("hello", None, "hello"),
    "a function of the prompt": (lambda prompt: f"you said {prompt}", None, "you said hi"),
    "a dict": ({"title": "a"}, Note, Note(title="a")),
    "a model": (Note(title="a", tags=["x"]), Note, Note(title="a", tags=["x"])),
    "a function that returns a dict": (lambda prompt: {"title": prompt}, Note, Note(title="hi")),
    "a dict without an output type": ({"title": "a"}, None, '{"title": "a"}'),
}


@pytest.mark.parametrize(("reply", "output_type", "output"), REPLIES.values(), ids=REPLIES)
def test_a_scripted_reply_becomes_the_output(reply: Any, output_type: Any, output: Any, run_of: Any) -> None:
    model = scripted(reply)
    ex, result = asked(run_of, model, output_type=output_type)
    assert (result.status, result.output, type(result.output)) == ("succeeded", output, type(output))
    assert model.calls == ["hi"]
    assert ex.df.tasks.requests[0] == 1


@pytest.mark.parametrize("as_function", [False, True])
def test_a_scripted_exception_fails_the_agent(as_function: bool, run_of: Any) -> None:
    error = ConnectionError("no network")
    ex, result = asked(run_of, scripted((lambda prompt: error) if as_function else error))
    assert (result.status, result.output) == ("failed", None)
    assert result.error == result.text == "ConnectionError: no network"
    assert "ConnectionError: no network" in ex.df.model_calls.error[0]


def test_the_last_reply_repeats_and_the_prompts_are_listed(run_of: Any) -> None:
    model = scripted("one", "two")
    results: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        return [
            Phase(name=n)[Claude(model=model, on_finished=lambda r: results.append(r.output))["prompt ", n]]
            for n in "abc"
        ]

    run_of(App()).run_sync()
    assert results == ["one", "two", "two"]
    assert model.calls == ["prompt a", "prompt b", "prompt c"]


def test_a_reply_that_does_not_fit_is_sent_back_to_the_model(run_of: Any) -> None:
    model = scripted({"titel": "a"}, {"title": "b"})
    ex, result = asked(run_of, model, output_type=Note)
    assert result.output == Note(title="b")
    assert result.usage["requests"] == 2
    assert len(ex.df.model_calls) == 2
    assert list(ex.df.model_calls.turn) == [1, 2]


def test_a_delay_can_be_interrupted(run_of: Any) -> None:
    _, result = asked(run_of, scripted("late", delay_s=60), timeout_s=0.05)
    assert result.status == "failed"
    assert "timeout_s=0.05" in result.error


def test_a_system_text_is_sent_with_the_prompt(run_of: Any) -> None:
    ex, _ = asked(run_of, scripted("x"), system="Be brief.")
    assert "Be brief." in str(ex.df.model_calls.request[0])


def two_turns(messages: list[Any], info: Any) -> ModelResponse:
    """Call the tool, then say what it returned."""
    returned = [part.content for message in messages for part in message.parts if part.part_kind == "tool-return"]
    usage = RequestUsage(input_tokens=10, output_tokens=5)
    if not returned:
        return ModelResponse(parts=[ToolCallPart("add", {"a": 2, "b": 3})], usage=usage)
    return ModelResponse(parts=[TextPart(f"the sum is {returned[0]}")], usage=usage)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_tools_are_called_and_every_request_is_recorded(run_of: Any) -> None:
    ex, result = asked(run_of, FunctionModel(two_turns), tools=[add])
    assert result.output == "the sum is 5"
    assert dict(result.usage) == {"input_tokens": 20, "output_tokens": 10, "requests": 2}
    calls = ex.df.model_calls
    assert (list(calls.turn), list(calls.task_id)) == ([1, 2], ["c@1", "c@1"])
    assert (list(calls.input_tokens), list(calls.output_tokens)) == ([10, 10], [5, 5])
    assert calls.request[0][0]["parts"][0]["content"] == "hi"
    assert calls.response[1]["parts"][0]["content"] == "the sum is 5"
    assert calls.error.isna().all() and (calls.ms >= 0).all()
    [task] = ex.df.tasks.to_dict("records")
    assert (task["input_tokens"], task["output_tokens"], task["requests"]) == (20, 10, 2)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_turns": 3},
        {"limits": {"turns": 3}},
        {"max_turns": 9, "limits": {"turns": 3}},
        {"max_turns": 3, "limits": {"turns": 9}},
    ],
)
def test_an_agent_that_makes_too_many_requests_fails(limits: dict[str, Any], run_of: Any) -> None:
    def forever(messages: list[Any], info: Any) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("add", {"a": 1, "b": 1})])

    ex, result = asked(run_of, FunctionModel(forever), tools=[add], **limits)
    assert result.status == "failed"
    assert "turns" in result.error
    assert len(ex.df.model_calls) == 3


def test_the_usage_and_cost_of_a_failed_agent_are_counted_too(run_of: Any) -> None:
    """What was paid for was paid for."""
    ex, result = asked(run_of, FunctionModel(two_turns), tools=[add], max_turns=1)
    assert result.status == "failed"
    assert ex.df.tasks.input_tokens.tolist() == [10]


def test_a_scripted_model_costs_nothing_and_an_unknown_one_costs_unknown(run_of: Any) -> None:
    assert asked(run_of, scripted("x"))[1].cost_usd == 0.0
    ex, result = asked(run_of, TestModel())
    assert result.cost_usd is None
    assert ex.df.model_calls.cost_usd.isna().all()


def test_a_known_model_has_its_price(run_of: Any) -> None:
    def priced(messages: list[Any], info: Any) -> ModelResponse:
        return ModelResponse(
            parts=[TextPart("x")],
            usage=RequestUsage(input_tokens=1000, output_tokens=1000),
            model_name="gpt-4o",
            provider_name="openai",
        )

    ex, result = asked(run_of, FunctionModel(priced, model_name="gpt-4o"))
    assert result.cost_usd is not None and 0 < result.cost_usd < 1
    assert ex.df.model_calls.cost_usd[0] == result.cost_usd == ex.df.tasks.cost_usd[0]


def test_models_replaces_a_model_by_its_name(run_of: Any) -> None:
    model = scripted("replaced")
    results: list[str] = []
    ex = run_of(
        [Claude(id=n, model=n, on_finished=lambda r: results.append(r.output))["hi"] for n in ("sonnet", "mine")],
        models={"sonnet": model, "mine": model},
    )
    assert ex.run_sync().problems == ()
    assert results == ["replaced", "replaced"]


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


WRONG: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "no such short name": ("sonet", {}, ["'sonet'", "haiku, sonnet, opus"]),
    "no such provider": ("nobody:model-1", {}, ["'nobody:model-1'"]),
    "no key or no package": ("sonnet", {}, ["'sonnet'"]),
    "no model at all": (5, {}, ["int", "scripted"]),
}


@pytest.mark.parametrize(("model", "props", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.usefixtures("no_keys")
def test_what_cannot_run_is_said_when_it_mounts_and_no_request_is_made(
    model: Any, props: Any, words: list[str], run_of: Any
) -> None:
    """Also in a Phase whose turn has not come."""
    before = Claude(id="first", model=scripted("x", delay_s=0))["hi"]
    ex = run_of([Phase(name="1")[before], Phase(name="2")[Claude(id="c", model=model, **props)["hi"]]])
    frame = ex.step_sync()
    [problem] = frame.problems
    assert (problem.kind, problem.node_id) == ("AgentConfigError", "c")
    assert problem.source.startswith("test_scripted_agents.py:")
    for word in ["c ", *words]:
        assert word in problem.message
    result = ex.run_sync()
    assert (result.status, ex.tasks["c"]) == ("failed", "failed")
    assert "AgentConfigError" in ex.df.tasks.set_index("node_id").error["c"]
    assert set(ex.df.model_calls.task_id) == {"first@1"}


def test_a_package_that_is_not_installed_is_named_with_the_command(run_of: Any, monkeypatch: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    for name in [name for name in sys.modules if name.startswith("pydantic_ai") and "openai" in name]:
        monkeypatch.delitem(sys.modules, name)
    frame = run_of(Claude(id="c", model="openai:gpt-5")["hi"]).step_sync()
    assert "pip install 'smithers_nb[openai]'" in frame.problems[0].message


def test_a_key_that_is_missing_is_named(run_of: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    frame = run_of(Claude(id="c", model="haiku")["hi"]).step_sync()
    assert "ANTHROPIC_API_KEY" in frame.problems[0].message
    assert "scripted" in frame.problems[0].message


def test_an_output_type_or_tool_without_a_schema_fails_the_task_in_our_words(run_of: Any) -> None:
    class Opaque:
        pass

    def tool(x: Opaque) -> str:
        return "x"

    _, result = asked(run_of, scripted("x"), tools=[tool])
    assert result.status == "failed"
    assert "AgentConfigError" in result.error and "c" in result.error


def test_an_agent_without_a_prompt_is_told_so_when_it_mounts(run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=scripted("x")))
    frame = ex.step_sync()
    assert [problem.node_id for problem in frame.problems] == ["c"]
    assert "prompt" in frame.problems[0].message


@pytest.mark.parametrize("replies", [(), ("x", 5), (5,)], ids=repr)
def test_a_script_that_cannot_answer_is_refused(replies: Any, run_of: Any) -> None:
    if replies == ():
        with pytest.raises(ValueError, match="at least one"):
            scripted()
        return
    model = scripted(*replies)
    if len(replies) == 2:
        model.answer("first")
    _, result = asked(run_of, model)
    assert "a scripted reply is text" in result.error


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="delay_s"):
        scripted("x", delay_s=-1)


def test_timeout_and_turns_are_checked_when_they_are_written() -> None:
    with pytest.raises(PropError):
        Claude(timeout_s=-1)


def test_unmounting_an_agent_ends_its_request(run_of: Any, gate: Any, wait_until: Any) -> None:
    import asyncio

    from smithers_nb import If

    one, ends = gate(), []

    async def slow(messages: list[Any], info: Any) -> ModelResponse:
        try:
            await one.passed()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        return ModelResponse(parts=[TextPart("x")])

    @component
    def App(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on", True))[Claude(id="c", model=FunctionModel(slow))["hi"]]

    ex = run_of(App())
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    assert ex.run_sync().status == "finished"
    wait_until(lambda: ex.df.tasks.status[0] == "cancelled")
    assert ends == ["cancelled"]


def test_an_agents_output_model_comes_back_after_a_restart(run_of: Any, resumed: Any) -> None:
    model = scripted({"title": "a"})

    @component
    def App(ctx: Any) -> Any:
        return Claude(id="c", model=model, output_type=Note, on_finished=lambda r: ctx.state.set("n", r.output))["hi"]

    ex = run_of(App())
    while not ex.pending:
        ex.step_sync()
    ex.close()
    again = resumed(App())
    assert again.run_sync().status == "finished"
    assert again.state["n"] == Note(title="a")
    assert len(model.calls) == 1
