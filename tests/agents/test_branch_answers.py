"""Branches are answered from the file: the same request, tool call and question as in their family costs nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import ModelRetry
from pydantic_ai.models.function import FunctionModel

from smithers_nb import (
    Agent,
    Approval,
    Claude,
    End,
    Execution,
    Parallel,
    Ralph,
    Sequence,
    Smithers,
    Store,
    Task,
    call_tool,
    component,
    errors,
    scripted,
)
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Status, by_turn, call, say
from tests.agents.fake_server import FakeServer
from tests.agents.test_provider_resume import TURNS, answers, exitcode, rows, start, tools_of

Fork = Callable[..., Execution]


def save(key: str) -> Callable[..., None]:
    return lambda result, ctx: ctx.state.set(key, result.output)


@pytest.fixture
def fork() -> Iterator[Fork]:
    made: list[Execution] = []

    def forked(ex: Any, *args: Any, **named: Any) -> Execution:
        made.append(ex.fork(*args, **named))
        return made[-1]

    yield forked
    for ex in made:
        ex.close()


class Desk:
    """An app with agents, tools and people, and what it did outside."""

    def __init__(self) -> None:
        self.added: list[tuple[int, int]] = []
        self.model = scripted(call_tool("add", a=1, b=2), "three", "again", "more", "new", "newer", "newest")

    def app(self) -> Any:
        def add(a: int, b: int) -> int:
            """Add."""
            self.added.append((a, b))
            return a + b

        @component
        def App(ctx: Any) -> Any:
            return Sequence()[
                Claude(id="count", model="m", tools=[add], approve=["add"], on_finished=save("count"))["Count."],
                Approval(id="ok", prompt="Is it right?", on_finished=save("ok")),
                Claude(id="say", model="m", on_finished=save("said"))["Say ", str(ctx.state.get("topic")), "."],
                Claude(id="then", model="m", on_finished=save("then"))[f"And then? {ctx.state.get('count')}"],
            ]

        return App

    def run(self, run_of: Callable[..., Execution], **more: Any) -> Execution:
        ex = run_of(self.app(), models={"m": self.model}, **more)
        while ex.run_sync().status == "waiting":
            for id in ex.df.approvals.query("status == 'waiting'").approval_id:
                ex.answer(id, "approve", "well done")
        return ex


def test_a_fork_at_any_frame_ends_as_its_parent_and_asks_nothing(run_of: Any, fork: Fork) -> None:
    desk = Desk()
    ex = desk.run(run_of)
    ended = dict(ex.state)
    assert (len(desk.model.calls), desk.added) == (4, [(1, 2)])
    for frame in range(ex.recorded + 1):
        branch = fork(ex, frame)
        assert branch.run_sync().status == "finished", frame
        assert dict(branch.state) == ended, frame
        assert branch.df.approvals.status.tolist() == ["answered", "answered"], frame
        branch.close()
    assert (len(desk.model.calls), desk.added) == (4, [(1, 2)])
    assert ex.store.check().ok, ex.store.check()


def test_rows_say_what_was_reused_and_what_it_saved(provider: Any, run_of: Any, fork: Fork) -> None:
    server: FakeServer = provider(by_turn(call("look", at="sea"), say("blue")))

    def look(at: str) -> str:
        return f"the {at} is blue"

    ex = run_of(Claude(id="c", model=model_at(server), tools=[look], on_finished=save("c"))["Look."])
    ex.run_sync()
    recorded, tool = ex.df.model_calls, ex.df.tool_calls.iloc[0]
    branch = fork(ex, 0, limits={"turns": 1, "tool_calls": 1})
    assert branch.run_sync().status == "finished" and branch.state["c"] == "blue"
    calls = branch.df.model_calls
    assert calls.answered_by.tolist() == ["recording", "recording"]
    assert calls.reused_id.tolist() == recorded.id.tolist()
    assert calls.saved_usd.tolist() == recorded.cost_usd.tolist() and (recorded.cost_usd > 0).all()
    assert (calls.cost_usd.tolist(), calls.input_tokens.tolist()) == ([0, 0], [0, 0])
    assert calls.response.tolist() == recorded.response.tolist()
    again = branch.df.tool_calls.iloc[0]
    assert (again.reused_id, again.output, again.status) == (tool.id, tool.output, "ok")
    assert branch.df.tasks.requests.tolist() == [0] and branch.df.tasks.cost_usd.tolist() == [0]
    assert len(server.requests) == 2


def test_what_differs_is_asked_and_what_follows_from_it(run_of: Any, fork: Fork) -> None:
    desk = Desk()
    ex = desk.run(run_of)
    branch = fork(ex, 0, state={"topic": "tides"})
    branch.run_sync()
    assert {**branch.state} == {**ex.state, "topic": "tides", "said": "new"}
    assert branch.df.model_calls.answered_by.tolist() == ["recording", "recording", "model", "recording"]
    assert desk.model.calls[4:] == ["Say tides."] and desk.added == [(1, 2)]


@pytest.mark.parametrize(
    ("reuse", "asked", "added", "status"),
    [
        ((), 1, 1, "waiting"),
        (["approvals"], 1, 1, "finished"),
        (["agents"], 0, 1, "waiting"),
        (["agents", "tools"], 0, 1, "waiting"),
        (["agents", "approvals"], 0, 2, "finished"),
    ],
)
def test_reuse_names_what_is_reused(reuse: Any, asked: int, added: int, status: str, run_of: Any, fork: Fork) -> None:
    desk = Desk()
    ex = desk.run(run_of)
    before = len(desk.model.calls)
    desk.model.replies = (*desk.model.replies[:4], "plain")
    branch = fork(ex, 0, reuse=reuse)
    assert branch.run_sync().status == status
    assert (len(desk.model.calls) > before, len(desk.added)) == (bool(asked), added)


def test_the_nth_asking_gets_the_nth_answer(run_of: Any, fork: Fork) -> None:
    model = scripted("a", "b", "c", "d", "e")

    @component
    def App(ctx: Any) -> Any:
        def keep(result: Any) -> None:
            ctx.state.update("all", lambda old: [*(old or []), result.output])

        return Ralph(id="loop", until=len(ctx.state.get("all", [])) >= ctx.state.get("n", 3), max_iterations=9)[
            Claude(id="c", model="m", on_finished=keep)["the same"]
        ]

    ex = run_of(App, models={"m": model})
    ex.run_sync()
    assert ex.state["all"] == ["a", "b", "c"]
    for frame in range(ex.recorded + 1):
        branch = fork(ex, frame)
        branch.run_sync()
        assert branch.state["all"] == ["a", "b", "c"], frame
    assert len(model.calls) == 3
    longer = fork(ex, 2, state={"n": 4})
    longer.run_sync()
    assert longer.state["all"] == ["a", "b", "c", "d"]
    # The fourth is of a relative; the fifth is asked.
    third = fork(ex, 2, state={"n": 5})
    third.run_sync()
    assert third.state["all"] == ["a", "b", "c", "d", "e"]
    assert third.df.model_calls.answered_by.tolist()[-2:] == ["recording", "model"]
    nested = fork(longer, 3, state={"n": 5})
    nested.run_sync()
    assert nested.state["all"] == ["a", "b", "c", "d", "e"] and len(model.calls) == 5


def test_equal_requests_at_the_same_time_get_different_answers(run_of: Any, fork: Fork) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Parallel()[[Claude(id=f"c{n}", model="m", on_finished=save(f"c{n}"))["the same"] for n in range(8)]]

    model = scripted(*(str(n) for n in range(8)))
    ex = run_of(App, models={"m": model})
    ex.run_sync()
    branch = fork(ex, 0)
    branch.run_sync()
    assert dict(branch.state) == dict(ex.state) and len(model.calls) == 8


def test_other_executions_of_the_file_are_not_asked(run_of: Any, fork: Fork) -> None:
    model = scripted("one", "two", "three")
    app = Claude(id="c", model="m", on_finished=save("c"))["?"]
    first, second = run_of(app, models={"m": model}), run_of(app, models={"m": model}, name="other")
    first.run_sync(), second.run_sync()
    branch = fork(second, 0)
    branch.run_sync()
    assert branch.state["c"] == "two"


def test_failed_answers_are_not_reused(provider: Any, run_of: Any, fork: Fork) -> None:
    server: FakeServer = provider(Status(400), say("well"))
    ex = run_of(Claude(id="c", model=model_at(server), on_finished=save("c"))["?"])
    ex.run_sync()
    assert ex.tasks["c"] == "failed"
    branch = fork(ex, 0)
    branch.run_sync()
    assert branch.state["c"] == "well" and branch.df.model_calls.answered_by.tolist() == ["model"]


def test_the_last_answer_to_an_agent_that_failed_is_asked_again(run_of: Any, fork: Fork) -> None:
    broken = [True]

    def work() -> str:
        if broken:
            raise ValueError("broken")
        return "done"

    model = scripted(call_tool("work"), call_tool("work"), "fine")
    ex = run_of(Claude(id="c", model="m", tools=[work], on_finished=save("c"))["?"], models={"m": model})
    ex.run_sync()
    broken.clear()
    branch = fork(ex, 0)
    branch.run_sync()
    assert branch.state["c"] == "fine" and len(model.calls) == 3


def test_a_retry_that_a_tool_asked_for_is_reused(run_of: Any, fork: Fork) -> None:
    calls: list[int] = []

    def work(n: int) -> str:
        calls.append(n)
        if n == 1:
            raise ModelRetry("take 2")
        return "done"

    model = scripted(call_tool("work", n=1), call_tool("work", n=2), "fine")
    ex = run_of(Claude(id="c", model="m", tools=[work], on_finished=save("c"))["?"], models={"m": model})
    ex.run_sync()
    branch = fork(ex, 0)
    branch.run_sync()
    assert branch.state["c"] == "fine" and (calls, len(model.calls)) == ([1, 2], 3)


def test_a_model_that_is_replaced_is_asked(run_of: Any, fork: Fork) -> None:
    one, two = scripted("one"), scripted("two")
    ex = run_of(Claude(id="c", model="m", on_finished=save("c"))["?"], models={"m": one})
    ex.run_sync()
    branch = fork(ex, 0, models={"m": two})
    branch.run_sync()
    assert branch.state["c"] == "two"
    # A branch of it has the same model, and is answered; so is one that has the first model.
    again = fork(branch, 0)
    again.run_sync()
    assert again.state["c"] == "two"
    first = fork(ex, 0)
    first.run_sync()
    assert first.state["c"] == "one"
    assert (len(one.calls), len(two.calls)) == (1, 1)


def test_a_script_in_the_node_is_told_by_its_node_and_its_replies(run_of: Any, fork: Fork) -> None:
    asked: list[str] = []

    def app(text: str) -> Any:
        @component
        def App(ctx: Any) -> Any:
            def reply(messages: Any, info: Any) -> Any:
                from pydantic_ai.messages import ModelResponse, TextPart

                asked.append(text)
                return ModelResponse(parts=[TextPart(f"{text} {len(asked)}")])

            own = OwnAgent(FunctionModel(reply), name="own")
            return Sequence()[
                Claude(id="c", model=scripted(text), on_finished=save("c"))["?"],
                Agent(id="a", agent=own, on_finished=save("a"))["?"],
            ]

        return App

    ex = run_of(app("x"))
    ex.run_sync()
    branch = fork(ex, 0)
    branch.run_sync()
    assert dict(branch.state) == dict(ex.state) == {"c": "x", "a": "x 1"}
    edited = fork(ex, 0, app=app("y"))
    edited.run_sync()
    assert edited.state["c"] == "y"


def test_children_are_answered_too(run_of: Any, fork: Fork) -> None:
    model = scripted(*"abcdef")

    @component
    def Inner(ctx: Any) -> Any:
        said = ctx.state.get("said")
        return [Claude(id="c", model="m", on_finished=save("said"))["the same"], said and End(value=said)]

    @component
    def App(ctx: Any) -> Any:
        return Sequence()[[Smithers(id=f"s{n}", component=Inner, on_finished=save(f"s{n}")) for n in range(3)]]

    ex = run_of(App, models={"m": model})
    ex.run_sync()
    assert dict(ex.state) == {"s0": "a", "s1": "b", "s2": "c"}
    for frame in range(ex.recorded + 1):
        branch = fork(ex, frame)
        branch.run_sync()
        assert dict(branch.state) == dict(ex.state), frame
    assert len(model.calls) == 3


def test_an_agent_that_a_tool_runs_is_answered(run_of: Any, fork: Fork) -> None:
    asked: list[int] = []

    def reply(messages: Any, info: Any) -> Any:
        from pydantic_ai.messages import ModelResponse, TextPart

        asked.append(1)
        return ModelResponse(parts=[TextPart("deep")])

    async def think() -> str:
        result = await OwnAgent(FunctionModel(reply), name="inner").run("think")
        return str(result.output)

    model = scripted(call_tool("think"), "done")
    ex = run_of(Claude(id="c", model="m", tools=[think], on_finished=save("c"))["?"], models={"m": model})
    ex.run_sync()
    branch = fork(ex, 0, reuse=["agents"])
    branch.run_sync()
    assert (branch.state["c"], len(asked), len(model.calls)) == ("done", 1, 2)
    inner = branch.df.model_calls.query("agent == 'inner'")
    assert inner.answered_by.tolist() == ["recording"]


@pytest.mark.parametrize("api", APIS)
def test_a_branch_from_the_file_asks_no_provider(api: str, provider: Any, run_of: Any, fork: Fork) -> None:
    server: FakeServer = provider(by_turn(call("look", at="sea"), say("it is ", "blue")))

    def look(at: str) -> str:
        return f"the {at} is blue"

    @component
    def App(ctx: Any) -> Any:
        return Claude(id="c", model=model_at(server, api), tools=[look], on_finished=save("c"))["Look."]

    ex = run_of(App)
    ex.run_sync()
    ex.close()
    branch = fork(Store(ex.store.path).open(ex.execution_id), App, frame=0)
    assert branch.run_sync().status == "finished" and branch.state["c"] == "it is blue"
    assert len(server.requests) == 2
    pieces = branch.df.stream_events
    assert (
        "".join(p["text"] if isinstance(p, dict) else p for p in pieces[pieces.kind == "token"].payload) == "it is blue"
    )


def test_the_choice_survives_a_resume(run_of: Any, resumed: Any, fork: Fork, tmp_path: Path) -> None:
    model = scripted("one", "two", "three")
    app = Sequence()[
        Claude(id="a", model="m", on_finished=save("a"))["a"], Claude(id="b", model="m", on_finished=save("b"))["b"]
    ]
    ex = run_of(app, models={"m": model})
    ex.run_sync()
    branch = fork(ex, 0)
    branch.step_sync()
    branch.close()
    again = resumed(app, id=branch.execution_id, models={"m": model})
    again.run_sync()
    assert dict(again.state) == dict(ex.state) and len(model.calls) == 2
    anew = fork(ex, 0, reuse=())
    anew.close()
    again = resumed(app, id=anew.execution_id, models={"m": model})
    again.run_sync()
    assert dict(again.state) == {"a": "three", "b": "three"}


POINTS = [*(f"after write {n}" for n in range(1, 22)), "in tool 2"]
"""Of the branch: the transactions that record its agent, and the tool that it calls."""


@pytest.mark.parametrize("reuse", ["all", "agents"])
def test_a_killed_branch_pays_nothing_twice(reuse: str, tmp_path: Path) -> None:
    """Killed after every transaction, and continued: no request is made, and only with ``agents`` a tool is called."""
    with FakeServer(answers) as server:
        exitcode(start(tmp_path, "run", server.anthropic_url, "anthropic", ""))
        asked, called = len(server.requests), len(tools_of(tmp_path))
        killed = 0
        for point in POINTS if reuse == "all" else POINTS[::3]:
            code = exitcode(start(tmp_path, f"fork {reuse}", server.anthropic_url, "anthropic", point))
            if code == 0:
                continue
            assert code == -signal.SIGKILL, (tmp_path / "errors.txt").read_text()[-2000:]
            killed += 1
            exitcode(start(tmp_path, "resume branch", server.anthropic_url, "anthropic", ""))
            assert (tmp_path / "outcome.txt").read_text() == "finished|all done|1", point
        assert len(server.requests) == asked, "a request was paid for"
    assert killed > 6
    assert (len(tools_of(tmp_path)) > called) == (reuse == "agents")
    made = rows(tmp_path, "SELECT answered_by, count(response) AS n FROM model_calls GROUP BY 1")
    assert made[0] == {"answered_by": "model", "n": TURNS}


def test_wrong_words_in_reuse_are_told_with_the_nearest(run_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    ex.run_sync()
    with pytest.raises(
        ValueError, match=r"'agent' is none of agents, tools, approvals, tasks. Did you mean 'agents'\?"
    ):
        ex.fork(reuse=["agent"])
    with pytest.raises(TypeError, match=r"reuse"):
        ex.store.open(ex.execution_id).fork(Task(id="t", run=lambda: 1), reuse="agents")
    with pytest.raises(errors.StoreError):
        ex.fork(99, reuse=())
