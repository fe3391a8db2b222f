"""The tool calls of an agent that a tool runs: recorded under their caller, counted, and not made twice."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import ModelRetry
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.test import TestModel

from smithers_nb import Agent, Claude, Store
from smithers_nb.history.panes.tasks import task as task_pane
from smithers_nb.history.recorded import RecordedSource
from tests.agents.conftest import Background, model_at
from tests.agents.fake_replies import Reply, by_turn, call, say


def delegating(worker: OwnAgent[Any, Any], ways: str = "run") -> Any:
    """Return a tool that lets another agent do the work."""

    async def delegate(what: str) -> str:
        """Delegate."""
        return str((await worker.run(what)).output)

    def delegate_in_a_thread(what: str) -> str:
        """Delegate."""
        return str(asyncio.run(worker.run(what)).output)

    delegate_in_a_thread.__name__ = "delegate"
    return delegate if ways == "run" else delegate_in_a_thread


def found(ex: Any) -> list[tuple[Any, ...]]:
    """Return who called which tool for whom, and how that ended."""
    rows = ex.df.tool_calls
    return list(zip(rows.agent.fillna(""), rows.tool, rows.status, rows.attempt, strict=True))


# ---- the record --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", ["run", "in a thread"])
def test_each_call_stands_under_its_caller_with_its_end(ways: str, provider: Any, run_of: Any, tmp_path: Path) -> None:
    runs: list[str] = []

    def look(word: str) -> str:
        """Look a word up."""
        runs.append(word)
        if len(runs) == 1:
            raise ModelRetry("write it in capitals")
        return f"{word} is a colour"

    inner = provider(by_turn(call("look", word="red"), call("look", word="RED"), call("look"), say("a colour")))
    server = provider(by_turn(call("delegate", what="red?"), say("done")))
    worker = OwnAgent(model_at(inner), name="worker", tools=[look], retries=3)
    ex = run_of(Claude(id="c", model=model_at(server), tools=[delegating(worker, ways)])["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert found(ex) == [
        ("", "delegate", "ok", 1),
        ("worker", "look", "retry", 1),
        ("worker", "look", "ok", 1),
        ("worker", "look", "invalid", 1),
    ]
    rows, reader = ex.df.tool_calls, Store(tmp_path / "t.db").reader
    assert set(rows.caller.dropna()) == {rows.tool_call_id[0]} and list(rows.turn) == [1] * 4
    assert rows.output[2] == "RED is a colour" and rows.error[1] == "write it in capitals"
    assert reader.usage(ex.execution_id).tool_calls == 3, "one was never called"

    said = ex.df.messages
    results = said[(said.agent == "worker") & (said.role == "tool")]
    assert list(zip(results.kind, results.status, strict=True))[:2] == [("retry", "retry"), ("tool result", "ok")]
    assert results.ms.notna().all()
    assert "look is rejected (retry)" in ex.transcript("c").text and "look returned (ok)" in ex.transcript("c").text

    source = RecordedSource(reader, ex.execution_id)
    pane = task_pane(source, source.cursor(), ex.df.tasks.task_id[0])
    assert pane is not None
    assert [(row["agent"], row["tool"]) for row in pane["tool_calls"]] == [
        (None, "delegate"),
        *[("worker", "look")] * 3,
    ]
    assert [row["agent"] for row in pane["model_calls"]] == [None, *["worker"] * 4, None]
    assert len({row["id"] for row in pane["model_calls"]}) == 6

    story = ex.df.timeline()
    calls = story[story.what.isin(["model call", "tool call"])].set_index("id")
    assert list(calls.cause_id[1:-1]) == list(calls.index[:-2]), "each leads to the next"
    assert calls.cause_id.iloc[-1] == "tool call 1"
    assert ex.replay().same


@pytest.mark.parametrize("gives_up", [False, True])
@pytest.mark.parametrize("ways", ["run", "in a thread"])
def test_a_tool_that_does_not_exist_has_a_row(ways: str, gives_up: bool, provider: Any, run_of: Any) -> None:
    def look(word: str) -> str:
        """Look a word up."""
        return word

    inner = provider(by_turn(call("loook", word="red"), call("look", word="red"), say("a colour")))
    server = provider(by_turn(call("delegate", what="red?"), say("done")))
    worker = OwnAgent(model_at(inner), name="worker", tools=[look], retries=0 if gives_up else 3)
    ex = run_of(Claude(id="c", model=model_at(server), tools=[delegating(worker, ways)])["Go."])
    ex.run_sync()
    unknown = ("worker", "loook", "unknown", 1)
    if gives_up:
        assert found(ex) == [("", "delegate", "raised", 1), unknown]
        return
    assert found(ex) == [("", "delegate", "ok", 1), unknown, ("worker", "look", "ok", 1)]
    rows = ex.df.tool_calls
    assert rows.input[1] == {"word": "red"} and "loook" in rows.error[1] and "'look'" in rows.error[1]
    assert ex.replay().same


def test_ids_that_a_model_uses_again_are_calls_of_their_own(run_of: Any) -> None:
    def look(word: str) -> str:
        """Look a word up."""
        return f"{word}!"

    # Its ids are made of the tool's name: those of the three agents are equal.
    worker = OwnAgent(TestModel(), name="worker", tools=[look])
    other = OwnAgent(TestModel(), name="other", tools=[look])

    async def delegate(what: str) -> str:
        """Delegate."""
        one, two = await asyncio.gather(worker.run("one"), other.run("two"))
        return f"{one.output} {two.output} {(await worker.run('three')).output}"

    agent = OwnAgent(TestModel(), tools=[delegate, look])
    ex = run_of(Agent(id="c", agent=agent)["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert sorted(found(ex)) == [
        ("", "delegate", "ok", 1),
        ("", "look", "ok", 1),
        ("other", "look", "ok", 1),
        ("worker", "look", "ok", 1),
        ("worker", "look", "ok", 2),
    ]


def test_they_count_for_the_limits(provider: Any, run_of: Any) -> None:
    def look(word: str) -> str:
        """Look a word up."""
        return word

    inner = provider(call("look", word="red"))
    server = provider(call("delegate", what="red?"))
    worker = OwnAgent(model_at(inner), name="worker", tools=[look])
    node = Claude(id="c", model=model_at(server), tools=[delegating(worker)], limits={"tool_calls": 3})
    ex = run_of(node["Go."])
    ex.run_sync()
    assert "limit: tool_calls: 3 of 3" in ex.df.tasks.error[0]
    assert found(ex) == [("", "delegate", "raised", 1), *[("worker", "look", "ok", 1)] * 2]


# ---- not twice ---------------------------------------------------------------------------------------------------


def test_after_an_interruption_those_that_had_ended_are_not_made_again(
    provider: Any, run_of: Any, resumed: Any
) -> None:
    runs: list[str] = []
    reached = threading.Event()

    async def look(word: str) -> str:
        """Look a word up."""
        runs.append(word)
        if runs == ["a", "b"]:
            reached.set()
            await asyncio.sleep(60)
        return f"{word}!"

    inner = provider(by_turn(call("look", word="a"), call("look", word="b"), say("a colour")))
    server = provider(by_turn(call("delegate", what="red?"), say("done")))

    def app() -> Any:
        worker = OwnAgent(model_at(inner), name="worker", tools=[look])
        return Claude(id="c", model=model_at(server), tools=[delegating(worker)])["Go."]

    ex = run_of(app())
    Background(ex)
    assert reached.wait(30)
    ex.close()
    again = resumed(app())
    assert again.run_sync().status == "finished", again.df.tasks.error[0]
    assert runs == ["a", "b", "b"] and len(inner.requests) == 3 and len(server.requests) == 2
    assert found(again) == [
        ("", "delegate", "interrupted", 1),
        ("worker", "look", "ok", 1),
        ("worker", "look", "interrupted", 1),
        ("", "delegate", "ok", 2),
        ("worker", "look", "ok", 2),
    ]
    assert again.replay().same


def test_a_replay_calls_none_of_an_agent_in_a_history_processor(provider: Any, run_of: Any) -> None:
    runs: list[str] = []

    def look(word: str) -> str:
        """Look a word up."""
        runs.append(word)
        return f"{word}!"

    inner = provider(by_turn(call("look", word="red"), say("a summary")))
    server = provider(say("done"))
    summarizer = OwnAgent(model_at(inner), name="summarizer", tools=[look])

    async def summarize(messages: list[ModelMessage]) -> list[ModelMessage]:
        await summarizer.run("Sum it up.")
        return messages

    agent = OwnAgent(model_at(server), capabilities=[ProcessHistory(summarize)])
    ex = run_of(Agent(id="c", agent=agent)["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert found(ex) == [("summarizer", "look", "ok", 1)]
    replay = ex.replay()
    assert replay.same, replay
    assert runs == ["red"] and found(replay.history) == found(ex)


def test_a_branch_has_the_results_of_those_that_a_reused_answer_asked_for(provider: Any, run_of: Any) -> None:
    runs: list[str] = []

    def look(word: str) -> str:
        """Look a word up."""
        runs.append(word)
        return f"{word}!"

    inner = provider(by_turn(call("look", word="red"), say("a colour")))

    def app(words: str) -> Any:
        server = provider(by_turn(Reply(calls=(("delegate", {"what": "red?"}),)), say("done")))
        worker = OwnAgent(model_at(inner), name="worker", tools=[look])
        return Claude(id="c", model=model_at(server), tools=[delegating(worker)])[words]

    ex = run_of(app("Go."))
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    branch = ex.fork(0, app=app("Go on."))
    assert branch.run_sync().status == "finished", branch.df.tasks.error[0]
    assert runs == ["red"] and len(inner.requests) == 2, "the node asks something else, its agent the same"
    rows = branch.df.tool_calls
    assert list(rows.reused_id.notna()) == [False, True] and found(branch) == found(ex)
    branch.close()


# ---- what a tool writes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sync", [False, True])
def test_why_of_a_value_names_the_tool_call_that_wrote_it(sync: bool, provider: Any, run_of: Any) -> None:
    ex: Any = None

    async def save(word: str) -> str:
        """Save a word."""
        ex.ctx.state.set("word", word)
        return "saved"

    def save_in_a_thread(word: str) -> str:
        """Save a word."""
        ex.ctx.state.set("word", word)
        return "saved"

    save_in_a_thread.__name__ = "save"
    tool = save_in_a_thread if sync else save
    server = provider(by_turn(call("save", word="red"), call("save", word="blue"), say("done")))
    ex = run_of(Claude(id="c", model=model_at(server), tools=[tool])["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    writes = ex.df.transitions
    assert list(writes.tool_call_id) == list(ex.df.tool_calls.tool_call_id)
    assert [line.split("  [")[0].strip() for line in ex.why("word").text.splitlines()[1:6]] == [
        'word is "blue" since frame 3',
        'tool save of claude #c wrote word = "blue", which was "red"',
        'claude #c called tool save({"word":"blue"}) in turn 2',
        "claude-haiku-5-5 asked for it in turn 2, with 5 tokens",
        "claude #c started in frame 1, in which it was mounted",
    ]
    told = ex.why(writes.id[0]).df
    assert list(told.table[:3]) == ["transitions", "tool_calls", "model_calls"]
    assert list(told.row_id[:3]) == [writes.id[0], str(ex.df.tool_calls.id[0]), str(ex.df.model_calls.id[0])]
    replay = ex.replay()
    assert replay.same, replay
    assert list(replay.history.df.transitions.tool_call_id) == list(writes.tool_call_id)


def test_why_of_a_value_that_a_tool_of_an_agent_in_a_tool_wrote_names_both_calls(provider: Any, run_of: Any) -> None:
    ex: Any = None

    async def save(word: str) -> str:
        """Save a word."""
        ex.ctx.state.set("word", word)
        return "saved"

    inner = provider(by_turn(call("save", word="red"), say("saved")))
    server = provider(by_turn(call("delegate", what="save red"), say("done")))
    worker = OwnAgent(model_at(inner), name="worker", tools=[save])
    ex = run_of(Claude(id="c", model=model_at(server), tools=[delegating(worker)])["Go."])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert [line.split("  [")[0].strip() for line in ex.why("word").text.splitlines()[1:8]] == [
        'word is "red" since frame 2',
        'tool save of worker wrote word = "red"',
        'agent worker in claude #c called tool save({"word":"red"}) in turn 1',
        "claude-haiku-5-5 asked for it in turn 1, with 5 tokens",
        'claude #c called tool delegate({"what":"save red"}) in turn 1',
        "claude-haiku-5-5 asked for it in turn 1, with 5 tokens",
        "claude #c started in frame 1, in which it was mounted",
    ]
