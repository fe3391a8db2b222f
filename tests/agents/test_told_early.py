"""What is wrong with an agent is told when it mounts, and keeps it from starting: nothing is paid for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai.models.test import TestModel
from pydantic_ai.native_tools import WebSearchTool

from smithers_nb import Claude, Phase, component, scripted
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import call, say

each_api = pytest.mark.parametrize("api", APIS)


def look() -> str:
    return "seen"


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no prompt": ({}, "  \n", "no prompt"),
    "a setting that is misspelt": ({"settings": {"temprature": 1}}, "hi", "temperature"),
    "a setting of the wrong type": ({"settings": {"temperature": "warm"}}, "hi", "temperature"),
    "a native tool that asks first": ({"tools": [WebSearchTool()], "approve": ["web_search"]}, "hi", "web_search"),
}


@each_api
@pytest.mark.parametrize(("props", "prompt", "words"), WRONG.values(), ids=WRONG)
def test_what_the_check_finds_keeps_the_agent_from_starting(
    props: Any, prompt: str, words: str, api: str, provider: Any, run_of: Any
) -> None:
    server = provider(say("paid for"))
    ex = run_of(Claude(id="c", model=model_at(server, api), **props)[prompt])
    [problem] = ex.step_sync().problems
    assert (problem.kind, problem.node_id) == ("AgentConfigError", "c") and words in problem.message
    assert ex.run_sync().status == "failed"
    assert "AgentConfigError" in ex.df.tasks.error[0] and words in ex.df.tasks.error[0]
    assert (server.requests, len(ex.df.model_calls)) == ([], 0)


def test_a_prompt_that_an_earlier_phase_has_still_to_write_is_no_problem(run_of: Any) -> None:
    @component
    def Plan(ctx: Any) -> Any:
        def keep(result: Any, ctx: Any) -> None:
            ctx.state.set("notes", result.output)

        first = Claude(id="a", model=scripted("notes"), on_finished=keep)["hi"]
        second = Claude(id="b", model=scripted(lambda prompt: f"read {prompt}"))[ctx.state.get("notes")]
        return [Phase(name="1")[first], Phase(name="2")[second]]

    ex = run_of(Plan)
    result = ex.run_sync()
    assert (result.status, result.problems) == ("finished", ())
    assert list(ex.df.tasks.result) == ["notes", "read notes"]


def test_what_was_mended_before_its_turn_has_come_starts(run_of: Any) -> None:
    @component
    def Plan(ctx: Any) -> Any:
        settings = {"temprature": 1} if ctx.state.get("warm") is None else {"temperature": 1}
        first = Claude(id="a", model=scripted("x"), on_finished=lambda r, ctx: ctx.state.set("warm", True))["hi"]
        return [Phase(name="1")[first], Phase(name="2")[Claude(id="b", model=scripted("y"), settings=settings)["hi"]]]

    ex = run_of(Plan)
    assert [problem.node_id for problem in ex.step_sync().problems] == ["b"]
    assert ex.run_sync().status == "finished"


@pytest.mark.parametrize("limited", ["the agent", "the execution"])
def test_a_limit_of_cost_says_that_a_price_is_not_known_and_not_that_it_is_used_up(limited: str, run_of: Any) -> None:
    own, all_of_them = ({"limits": {"cost_usd": 1}}, {}) if limited == "the agent" else ({}, {"cost_usd": 1})
    ex = run_of(Claude(id="c", model=TestModel(), tools=[look], **own)["hi"], limits=all_of_them)
    assert ex.run_sync().status == "failed"
    [task] = ex.df.tasks.to_dict("records")
    assert task["reason"].startswith("limit: cost_usd")
    assert "price" in task["error"] and "not known" in task["error"] and "limit tokens instead" in task["error"]
    assert "used" not in task["error"] and "Raise the limit" not in task["error"]


@each_api
def test_a_limit_of_cost_that_is_used_up_says_so(api: str, provider: Any, run_of: Any) -> None:
    server = provider(call("look"), say("done"))
    ex = run_of(Claude(id="c", model=model_at(server, api), tools=[look])["hi"], limits={"cost_usd": 1e-9})
    assert ex.run_sync().status == "failed"
    assert "have used it" in ex.df.tasks.error[0] and "Raise the limit" in ex.df.tasks.error[0]
