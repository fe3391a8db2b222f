"""The record of what models were asked: what was really sent, stored as what each request adds to the one before."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import RunContext, Tool
from pydantic_ai.capabilities import AbstractCapability, ProcessHistory
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.usage import RequestUsage

from smithers_nb import Agent, Claude, Phase, scripted
from smithers_nb.agents import at_model
from smithers_nb.errors import BudgetExceededError
from smithers_nb.store.requests import patch, patched, shortened, whole
from tests.agents.conftest import APIS, Background, model_at
from tests.agents.fake_replies import Status, by_turn, call, output, say

# ---- what the server saw, and what the record says ---------------------------------------------------------------


class Page(BaseModel):
    """A page of the book."""

    title: str


class Editor(AbstractCapability[Any]):
    """Adds a line to the newest prompt, makes the model cooler, and corrects what it says."""

    async def before_model_request(self, ctx: Any, request_context: Any) -> Any:
        *before, last = request_context.messages
        request_context.messages = [
            *before,
            replace(last, parts=[*last.parts, UserPromptPart(f"Step {ctx.run_step}.")]),
        ]
        request_context.model_settings = {**(request_context.model_settings or {}), "max_tokens": 500}
        return request_context

    async def after_model_request(self, ctx: Any, *, request_context: Any, response: Any) -> Any:
        parts = [
            replace(part, content=part.content.replace("colour", "color")) if isinstance(part, TextPart) else part
            for part in response.parts
        ]
        return replace(response, parts=parts)


def shout(messages: list[ModelMessage]) -> list[ModelMessage]:
    """Write the first prompt in capitals, whenever it is sent."""
    first = messages[0]
    assert isinstance(first, ModelRequest)
    parts = [
        replace(part, content=part.content.upper())
        if isinstance(part, UserPromptPart) and isinstance(part.content, str)
        else part
        for part in first.parts
    ]
    return [replace(first, parts=parts), *messages[1:]]


async def prepared(ctx: RunContext[Any], definition: Any) -> Any:
    """Describe the tool by the step, and leave it out in the last one."""
    if ctx.run_step == 3:
        return None
    return replace(definition, description=f"Look it up, step {ctx.run_step}.")


def edited(model: Any) -> OwnAgent[Any, Any]:
    """Return an agent with all that stands between its conversation and what is sent."""

    def look_up(word: str) -> str:
        """Look a word up."""
        return f"{word} is a colour ✓"

    def keep(text: str) -> str:
        """Keep a text.

        Args:
            text: what to keep
        """
        return "kept"

    return OwnAgent(
        model,
        name="edited",
        instructions="Be brief.",
        output_type=Page,
        model_settings={"max_tokens": 700},
        tools=[Tool(look_up, prepare=prepared), keep],
        capabilities=[ProcessHistory(shout), Editor()],
    )


def sent(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a request told the model, whichever API it came by."""
    said: list[tuple[str, str]] = []
    system = [block["text"] for block in body["system"]] if isinstance(body.get("system"), list) else []
    system += [text for text in (body.get("instructions"), body.get("system")) if isinstance(text, str)]
    for message in body.get("messages") or body["input"]:
        content = message.get("content") or []
        role, blocks = message.get("role"), [content] if isinstance(content, str) else content
        if message.get("type") == "function_call":
            said.append((message["name"], message["arguments"]))
        elif message.get("type") == "function_call_output":
            said.append(("result", message["output"]))
        for block in blocks:
            text = block if isinstance(block, str) else block.get("text", "")
            if role in ("system", "developer"):
                system.append(text)
            elif role == "tool" or (isinstance(block, dict) and block.get("type") == "tool_result"):
                inner = block if isinstance(block, str) else block["content"]
                said.append(("result", inner if isinstance(inner, str) else "".join(one["text"] for one in inner)))
            elif isinstance(block, dict) and block.get("type") == "tool_use":
                said.append((block["name"], json.dumps(block["input"])))
            elif text:
                said.append((str(role), text))
        called = [one["function"] for one in message.get("tool_calls") or ()]
        said += [(one["name"], one["arguments"]) for one in called]
    tools = [tool.get("function", tool) for tool in body.get("tools") or ()]
    return {
        "system": "\n\n".join(system),
        "said": [(who, json.loads(text) if text.startswith("{") else text) for who, text in said],
        "tools": {tool["name"]: (tool.get("description"), fields_of(tool)) for tool in tools},
        "max_tokens": body.get("max_tokens") or body.get("max_completion_tokens") or body.get("max_output_tokens"),
    }


def fields_of(tool: dict[str, Any]) -> dict[str, Any]:
    """Return name, type and description of a tool's arguments."""
    schema = next(tool[name] for name in ("parameters_json_schema", "input_schema", "parameters") if name in tool)
    return {name: (field["type"], field.get("description")) for name, field in (schema.get("properties") or {}).items()}


def recorded(row: Any) -> dict[str, Any]:
    """Return what the record says that the model was told."""
    said: list[tuple[str, Any]] = []
    system = ""
    for message in row.request:
        system = message.get("instructions") or system
        for part in message["parts"]:
            match part["part_kind"]:
                case "user-prompt":
                    said.append(("user", part["content"]))
                case "text":
                    said.append(("assistant", part["content"]))
                case "tool-call":
                    args = part["args"]
                    said.append((part["tool_name"], json.loads(args) if isinstance(args, str) else args))
                case "tool-return":
                    said.append(("result", part["content"]))
    given = row.parameters
    tools = [*given.get("function_tools", ()), *given.get("output_tools", ())]
    return {
        "system": system,
        "said": said,
        "tools": {tool["name"]: (tool.get("description"), fields_of(tool)) for tool in tools},
        "max_tokens": given["settings"].get("max_tokens"),
    }


THREE_TURNS = by_turn(call("look_up", word="red"), call("keep", text="a\nb"), output(title="The colour red"))


@pytest.mark.parametrize("streams", [True, False], ids=["SSE", "JSON"])
@pytest.mark.parametrize("api", APIS)
def test_what_is_recorded_is_what_the_server_saw(
    api: str, streams: bool, provider: Any, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_model, "_streams", lambda model: streams)
    server = provider(THREE_TURNS)
    ex = run_of(Agent(id="c", agent=edited(model_at(server, api)))["Which colour?"])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    rows = list(ex.df.model_calls.itertuples())
    assert [row.status for row in rows] == ["ok"] * 3
    assert [entry.asked.stream for entry in server.requests] == [streams] * 3
    for entry, row in zip(server.requests, rows, strict=True):
        assert sent(dict(entry.asked.body)) == recorded(row)
    first, second, third = (recorded(row) for row in rows)
    assert first["said"] == [("user", "WHICH COLOUR?"), ("user", "Step 1.")]
    assert ("result", "red is a colour ✓") in second["said"] and second["max_tokens"] == 500
    assert [one["tools"].get("look_up", ("",))[0] for one in (first, second, third)] == [
        "Look it up, step 1.",
        "Look it up, step 2.",
        "",
    ]


class Canned(AbstractCapability[Any]):
    """Answers requests without those behind it, as one that sends them in batches does."""

    def get_wrapper_model(self, model: Any) -> Any:
        class Answers(WrapperModel):
            async def request(self, *args: Any) -> ModelResponse:
                return ModelResponse(parts=[TextPart("the colour")], model_name="canned")

        return Answers(model)


class Spelling(AbstractCapability[Any]):
    """Corrects what the model says."""

    async def after_model_request(self, ctx: Any, *, request_context: Any, response: Any) -> Any:
        return replace(response, parts=[TextPart(response.parts[0].content.replace("colour", "color"))])


def test_what_a_capability_answers_or_changes_is_recorded(run_of: Any) -> None:
    agents = [
        OwnAgent(FunctionModel(never), capabilities=[Canned()]),
        OwnAgent(FunctionModel(lambda m, i: ModelResponse(parts=[TextPart("a colour")])), capabilities=[Spelling()]),
    ]
    ex = run_of(Phase(name="p")[[Agent(key=n, agent=agent)["Go."] for n, agent in enumerate(agents)]])
    assert ex.run_sync().status == "finished", ex.df.tasks.error.tolist()
    rows = ex.df.model_calls
    assert [row["parts"][0]["content"] for row in rows.response] == ["the colour", "a colour"]
    assert list(rows.status) == ["ok", "ok"]
    assert rows.accepted[0] is None and rows.accepted[1]["parts"][0]["content"] == "a color"
    assert list(ex.df.tasks.result) == ["the colour", "a color"]


def never(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    raise AssertionError("it was asked")


# ---- how it is stored --------------------------------------------------------------------------------------------


def message(text: str, **more: Any) -> str:
    """Return a request of one prompt as JSON."""
    parts = [{"part_kind": "user-prompt", "content": text}]
    return json.dumps({"kind": "request", "parts": parts, **more}, separators=(",", ":"))


A, B, C, D = (message(text) for text in "abcd")
LISTS: dict[str, tuple[list[str], list[str], str]] = {
    "nothing before": ([], [A], f"[{A}]"),
    "the same": ([A, B], [A, B], "[[0,2]]"),
    "one more": ([A, B], [A, B, '{"kind":"x"}'], '[[0,2],{"kind":"x"}]'),
    "cut at the front": ([A, B, C], [B, C], "[[1,3]]"),
    "cut in the middle": ([A, B, C], [A, C], "[[0,1],[2,3]]"),
    "turned around": ([A, B], [B, A], "[[1,2],[0,1]]"),
    "one again": ([A], [A, A], "[[0,1],[0,1]]"),
    "a field more": ([A, B], [A, message("b", run_id="x"), A], '[[0,1],{"at":1,"but":{"run_id":"x"}},[0,1]]'),
    "a field less": ([message("b", run_id="x")], [B], '[{"at":0,"without":["run_id"]}]'),
    "another text": ([A, B], [A, C], '[[0,1],{"at":1,"lists":{"parts":[{"at":0,"but":{"content":"c"}}]}}]'),
    "like the newest": (
        [A, message("b", instructions="Be brief.")],
        [A, message("b", instructions="Be brief."), message("c", instructions="Be brief.")],
        '[[0,2],{"at":1,"lists":{"parts":[{"at":0,"but":{"content":"c"}}]}}]',
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_messages_are_stored_as_what_they_add(case: str) -> None:
    base, now, pieces = LISTS[case]
    assert shortened(now, base) == pieces
    assert whole(json.loads(pieces), [json.loads(text) for text in base]) == [json.loads(text) for text in now]


def test_the_difference_of_two_objects_leads_back() -> None:
    base = {"settings": {"a": 1}, "gone": [1], "function_tools": [{"name": "x", "d": "1"}, {"name": "y", "d": "2"}]}
    now = {"settings": {"a": True}, "new": None, "function_tools": [{"name": "y", "d": "2"}, {"name": "z", "at": 1}]}
    assert patched(patch(now, base), base) == now
    assert patched(patch(now, {}), {}) == now


def steps(turns: int, size: int) -> FunctionModel:
    """Return a model that calls a tool in each turn, with so much new text in argument and answer."""

    def ask(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        turn = 1
        for message in messages:
            if isinstance(message, ModelResponse) and isinstance(part := message.parts[0], ToolCallPart):
                turn = 1 + int(part.args_as_dict()["text"].split()[0])
        if turn == turns:
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart("step", {"text": f"{turn} " + "x" * size})])

    return FunctionModel(ask)


def window(messages: list[ModelMessage]) -> list[ModelMessage]:
    """Keep the first message, and the newest five or so."""
    start = max(1, len(messages) - 5)
    if start % 2 == 0:
        start += 1
    return [messages[0], *messages[start:]]


PROCESSED: dict[str, Any] = {
    "nothing between": [],
    "the middle is cut": [ProcessHistory(window)],
    "the first message changes": [ProcessHistory(shout)],
    "the last message changes": [Editor()],
}


@pytest.mark.parametrize("case", PROCESSED)
def test_a_turn_takes_its_new_text_and_at_most_a_kilobyte(case: str, run_of: Any, tmp_path: Path) -> None:
    turns, size = 40, 1000

    def step(text: str) -> str:
        return "y" * size

    agent = OwnAgent(steps(turns, size), tools=[step], instructions="z" * 2000, capabilities=PROCESSED[case])
    ex = run_of(Agent(id="c", agent=agent)["Go " * 500])
    assert ex.run_sync().status == "finished"
    with closing(sqlite3.connect(tmp_path / "t.db")) as db:
        sizes = [
            size
            for (size,) in db.execute(
                "SELECT length(request) + coalesce(length(history), 0) + coalesce(length(parameters), 0)"
                " + coalesce(length(response), 0) FROM model_calls ORDER BY id"
            )
        ]
    assert len(sizes) == turns
    new = 2 * size  # The call of the turn, and what the tool of the turn before returned.
    assert max(sizes[1:]) <= new + 1024, sizes
    requests = list(ex.df.model_calls.request)
    assert requests[-1][0]["parts"][0]["content"].lower() == "go " * 500
    assert len(requests[-1]) == (5 if case == "the middle is cut" else 2 * turns - 1)
    if case == "the middle is cut":
        # The library's processors write what they leave back into the conversation, which grew by two since.
        assert {len(told) for told in ex.df.model_calls.history.dropna()} == {7}


# ---- agents that tools run ---------------------------------------------------------------------------------------


def asks_another(other: OwnAgent[Any, Any], ways: str) -> Any:
    """Return a tool that asks another agent."""

    async def research(word: str) -> str:
        """Research a word."""
        if ways == "streamed":
            async with other.run_stream(f"What is {word}?") as found:
                return str(await found.get_output())
        return str((await other.run(f"What is {word}?")).output)

    def research_in_a_thread(word: str) -> str:
        """Research a word."""
        return str(asyncio.run(other.run(f"What is {word}?")).output)

    if ways == "in a thread":
        research_in_a_thread.__name__ = "research"
        return research_in_a_thread
    return research


def inner_tool(word: str) -> str:
    """Look a word up."""
    return f"{word} is a colour"


@pytest.mark.parametrize("ways", ["run", "streamed", "in a thread"])
@pytest.mark.parametrize("api", APIS)
def test_an_agent_that_a_tool_runs_is_recorded_under_its_caller(
    api: str, ways: str, provider: Any, run_of: Any
) -> None:
    inner = provider(by_turn(call("inner_tool", word="red"), say("a colour")))
    server = provider(by_turn(call("research", word="red"), say("done")))
    other = OwnAgent(model_at(inner, api), name="researcher", tools=[inner_tool])
    ex = run_of(Claude(id="c", model=model_at(server, api), tools=[asks_another(other, ways)])["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    rows = ex.df.model_calls
    tool_call = ex.df.tool_calls.iloc[0]
    assert list(rows.agent.fillna("")) == ["", "researcher", "researcher", ""]
    assert list(rows.caller.dropna()) == [tool_call.tool_call_id] * 2
    assert list(zip(rows.turn, rows.attempt, rows.status, strict=True)) == [
        (1, 1, "ok"),
        (1, 1, "ok"),
        (1, 2, "ok"),
        (2, 1, "ok"),
    ]
    assert list(rows.node_id) == ["c"] * 4 and list(ex.df.tool_calls.node_id) == ["c", "c"]
    for entry, row in zip(inner.requests, list(rows.itertuples())[1:3], strict=True):
        assert sent(dict(entry.asked.body))["said"] == recorded(row)["said"]
    assert ex.df.tasks.input_tokens[0] == 40 and ex.df.tasks.requests[0] == 4


@pytest.mark.parametrize("catches", [False, True])
def test_an_agent_that_a_tool_runs_counts_for_the_limits(catches: bool, provider: Any, run_of: Any) -> None:
    inner = provider(call("inner_tool", word="red"))
    server = provider(by_turn(call("research", word="red"), say("done")))
    other = OwnAgent(model_at(inner), name="researcher", tools=[inner_tool])
    ask = asks_another(other, "run")

    async def research(word: str) -> str:
        """Research a word."""
        try:
            return str(await ask(word))
        except BudgetExceededError:
            if catches:
                return "too dear"
            raise

    node = Claude(id="c", model=model_at(server), tools=[research], limits={"turns": 3})
    ex = run_of(node["Go."])
    ex.run_sync()
    assert "limit: turns: 3 of 3" in ex.df.tasks.error[0]
    assert (len(server.requests), len(inner.requests)) == (1, 2)


def test_an_agent_of_a_history_processor_is_recorded_and_replayed(provider: Any, run_of: Any) -> None:
    inner = provider(say("a summary"))
    server = provider(by_turn(call("inner_tool", word="red"), say("done")))
    summarizer = OwnAgent(model_at(inner), name="summarizer")

    async def summarize(messages: list[ModelMessage]) -> list[ModelMessage]:
        found = await summarizer.run("Sum it up.")
        *before, last = messages
        assert isinstance(last, ModelRequest)
        return [*before, replace(last, parts=[*last.parts, UserPromptPart(found.output)])]

    agent = OwnAgent(model_at(server), tools=[inner_tool], capabilities=[ProcessHistory(summarize)])
    ex = run_of(Agent(id="c", agent=agent)["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    # The row of the summary is older than that of the request that it is for.
    assert list(ex.df.model_calls.agent.fillna("")) == ["summarizer", "", "summarizer", ""]
    replay = ex.replay()
    assert replay.same, replay
    assert (len(inner.requests), len(server.requests)) == (2, 2)
    assert list(replay.history.df.model_calls.answered_by) == ["replay"] * 4


def test_what_an_agent_in_a_tool_was_told_before_an_interruption_is_not_asked_again(
    provider: Any, run_of: Any, resumed: Any
) -> None:
    inner = provider(by_turn(call("inner_tool", word="red"), say("a colour")))
    server = provider(by_turn(call("research", word="red"), say("done")))
    other = OwnAgent(model_at(inner), name="researcher", tools=[inner_tool])
    ask, reached, runs = asks_another(other, "run"), threading.Event(), []

    async def research(word: str) -> str:
        """Research a word."""
        runs.append(word)
        found = str(await ask(word))
        if len(runs) == 1:
            reached.set()
            await asyncio.sleep(60)
        return found

    def app() -> Any:
        return Claude(id="c", model=model_at(server), tools=[research])["Go."]

    ex = run_of(app())
    Background(ex)
    assert reached.wait(30)
    ex.close()
    again = resumed(app())
    assert again.run_sync().status == "finished", again.df.tasks.error[0]
    assert len(runs) == 2 and len(inner.requests) == 2 and len(server.requests) == 2
    rows = again.df.model_calls
    assert list(rows.answered_by[rows.agent.notna()]) == ["model", "model", "recording", "recording"]
    assert again.df.tasks.input_tokens[0] == 40, "each of the four answers is paid once"
    assert again.replay().same


# ---- what it cost, and the story ---------------------------------------------------------------------------------


def test_costs_are_summed_by_node_model_and_execution(provider: Any, run_of: Any) -> None:
    server = provider(call("inner_tool", word="red"), say("done", cut_after=4), say("done"))
    ex = run_of(
        Phase(name="p")[
            Claude(id="a", model=model_at(server), tools=[inner_tool])["Go."],
            Claude(id="b", model=scripted("x"))["Go."],
            Claude(id="c", model=FunctionModel(steps(1, 1).function))["Go."],
        ]
    )
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    costs = ex.df.costs()
    by_node = costs.set_index("node_id")
    assert by_node.loc["a", ["requests", "cut_off", "input_tokens", "output_tokens"]].tolist()[:3] == [3, 1, 30]
    assert by_node.loc["a", "cost_usd"] > 0 and by_node.loc["a", "unpriced"] == 0
    assert (by_node.loc["b", "model"], by_node.loc["b", "cost_usd"]) == ("scripted", 0.0)
    assert by_node.loc["c", "unpriced"] == 1 and "function" in by_node.loc["c", "why_unpriced"]
    total = costs.iloc[-1]
    assert (total.node_id, total.model, total.execution_id) == (None, None, ex.execution_id)
    assert (total.requests, total.cut_off, total.unpriced) == (5, 1, 1)
    assert total.cost_usd == pytest.approx(by_node.loc[["a", "b", "c"], "cost_usd"].sum())
    rows = ex.df.model_calls
    assert total.input_tokens == rows.input_tokens.sum() and total.output_tokens == rows.output_tokens.sum()
    assert list(ex.store.df.costs().columns) == list(costs.columns)
    cut = rows[rows.status == "failed"].iloc[0]
    assert cut.partial["parts"][0]["content"] == "done"[: len(cut.partial["parts"][0]["content"])]


def test_cached_and_reasoning_tokens_have_columns(run_of: Any) -> None:
    def ask(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(
            input_tokens=100, cache_read_tokens=70, cache_write_tokens=20, output_tokens=9, output_reasoning_tokens=4
        )
        return ModelResponse(parts=[TextPart("x")], usage=usage)

    ex = run_of(Claude(id="c", model=FunctionModel(ask))["Go."])
    ex.run_sync()
    names = ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
    assert ex.df.model_calls[names].iloc[0].tolist() == [100, 70, 20, 9, 4]
    assert ex.df.costs()[names].iloc[0].tolist() == [100, 70, 20, 9, 4]


def test_why_and_the_timeline_pass_through_tools_and_requests(provider: Any, run_of: Any) -> None:
    message = "the fake provider was told to say so"
    server = provider(Status(503, "0.2"), call("inner_tool", word="red"), say("done"))
    node = Claude(
        id="c",
        model=model_at(server),
        tools=[inner_tool],
        on_finished=lambda r, ctx: ctx.state.set("said", r.output),
    )
    ex = run_of(node["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert list(ex.df.why("said").table) == [
        "state",
        "transitions",
        "handlers",
        "tasks",
        "model_calls",
        "tool_calls",
    ]
    story = ex.df.timeline()
    first, second, third = story.text[story.what == "model call"]
    assert "turn 1: failed:" in first and message in first
    assert re.search(r"turn 1, attempt 2 after \d\.\d s: 10 tokens in", second)
    assert "turn 2: 10 tokens in" in third
    assert list(story.status[story.what == "model call"]) == ["failed", "ok", "ok"]
