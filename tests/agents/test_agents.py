"""What an agent may do, what is recorded of it, what ends it, and how it goes on: without a provider."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import FunctionToolset, ModelRetry, RunContext, ToolFailed
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from smithers_nb import Agent, Claude, Parallel, Smithers, call_tool, component, scripted
from smithers_nb.agents import retry, runner
from smithers_nb.errors import AgentConfigError, PropError
from smithers_nb.execution import run_behind
from smithers_nb.store import calls


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def asked(run_of: Any, model: Any, prompt: str = "hi", of: dict[str, Any] | None = None, **props: Any) -> Any:
    """Run one agent; return the execution and its result."""
    results: list[Any] = []
    app = Claude(id="c", model=model, on_finished=results.append, on_error=results.append, **props)[prompt]
    ex = run_of(app, **(of or {}))
    assert ex.run_sync().status == "finished"
    assert len(results) == 1
    return ex, results[0]


def tool_rows(ex: Any, *columns: str) -> list[tuple[Any, ...]]:
    return list(ex.df.tool_calls[list(columns)].itertuples(index=False, name=None))


# ---- tools -----------------------------------------------------------------------------------------------------


def test_a_scripted_reply_can_call_tools(run_of: Any) -> None:
    model = scripted([call_tool("add", a=1, b=2), call_tool("add", a=3, b=4)], lambda told: f"done: {told}")
    ex, result = asked(run_of, model, tools=[add])
    assert result.output == "done: 7"
    assert tool_rows(ex, "turn", "tool", "input", "output", "status") == [
        (1, "add", {"a": 1, "b": 2}, 3, "ok"),
        (1, "add", {"a": 3, "b": 4}, 7, "ok"),
    ]
    assert (ex.df.tool_calls.ms >= 0).all()


def raises() -> int:
    raise ValueError("no such thing")


def asks_again(n: int) -> str:
    if n < 2:
        raise ModelRetry("n must be 2")
    return "fine"


def gives_up() -> str:
    raise ToolFailed("it is closed")


def unstorable() -> Any:
    return object()


def leaves() -> str:
    raise SystemExit(3)


TOOLS: dict[str, tuple[Any, list[Any], str, list[tuple[str, str]]]] = {
    "unknown": ([add], [call_tool("ad", a=1, b=2), "ok"], "ok", [("ad", "unknown")]),
    "wrong arguments": ([add], [call_tool("add", a="x"), "ok"], "ok", [("add", "invalid")]),
    "asks again": (
        [asks_again],
        [call_tool("asks_again", n=1), call_tool("asks_again", n=2), "ok"],
        "ok",
        [("asks_again", "retry"), ("asks_again", "ok")],
    ),
    "gives up": ([gives_up], [call_tool("gives_up"), "ok"], "ok", [("gives_up", "failed")]),
    "raises": ([raises], [call_tool("raises"), "ok"], "ValueError: no such thing", [("raises", "raised")]),
    "not storable": ([unstorable], [call_tool("unstorable"), "ok"], "can't be stored", [("unstorable", "raised")]),
    "ends the process": ([leaves], [call_tool("leaves"), "ok"], "SystemExit", [("leaves", "raised")]),
}


@pytest.mark.parametrize(("tools", "replies", "words", "rows"), TOOLS.values(), ids=TOOLS)
def test_every_tool_call_has_a_row_that_says_how_it_ended(
    tools: Any, replies: Any, words: str, rows: Any, run_of: Any
) -> None:
    ex, result = asked(run_of, scripted(*replies), tools=tools)
    assert words in result.text
    assert result.status == ("succeeded" if words == "ok" else "failed")
    assert tool_rows(ex, "tool", "status") == rows
    bad = ex.df.tool_calls[ex.df.tool_calls.status != "ok"]
    assert bad.error.notna().all(), "what the model, or the person, was told"


POLICIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing said": ({}, ["ok", "ok"]),
    "denied by name": ({"deny": ["add"]}, ["denied", "ok"]),
    "denied by pattern": ({"deny": ["a*", "m?l"]}, ["denied", "denied"]),
    "one allowed": ({"allow": ["mul"]}, ["denied", "ok"]),
    "none allowed": ({"allow": []}, ["denied", "denied"]),
    "denied although allowed": ({"allow": ["*"], "deny": ["mul"]}, ["ok", "denied"]),
}


@pytest.mark.parametrize(("props", "statuses"), POLICIES.values(), ids=POLICIES)
def test_a_denied_call_is_recorded_and_reaches_the_model_as_denied(props: Any, statuses: Any, run_of: Any) -> None:
    called: list[str] = []

    def add(a: int) -> int:
        called.append("add")
        return a

    def mul(a: int) -> int:
        called.append("mul")
        return a

    ex, _ = asked(run_of, scripted([call_tool("add", a=1), call_tool("mul", a=2)], "ok"), tools=[add, mul], **props)
    assert dict(tool_rows(ex, "tool", "status")) == dict(zip(["add", "mul"], statuses, strict=True))
    assert sorted(called) == sorted(
        name for name, status in zip(["add", "mul"], statuses, strict=True) if status == "ok"
    )
    told = {part["tool_name"]: part["outcome"] for part in ex.df.model_calls.request[1][-1]["parts"]}
    assert [told[name] for name in ("add", "mul")] == [{"ok": "success"}.get(status, status) for status in statuses]


def test_a_tool_that_hangs_ends_with_the_agents_time(run_of: Any) -> None:
    async def hangs() -> str:
        import asyncio

        await asyncio.Event().wait()
        return "never"

    ex, result = asked(run_of, scripted(call_tool("hangs"), "ok"), tools=[hangs], timeout_s=0.3)
    assert "timeout_s=0.3" in result.error
    assert tool_rows(ex, "tool", "status") == [("hangs", "interrupted")]


def test_a_tool_that_hangs_in_a_thread_ends_with_the_agents_time_too(run_of: Any, gate: Any) -> None:
    stop = gate()

    def hangs() -> str:
        stop.passed_in_thread()
        return "too late"

    ex, result = asked(run_of, scripted(call_tool("hangs"), "ok"), tools=[hangs], timeout_s=0.3)
    assert "timeout_s=0.3" in result.error
    assert tool_rows(ex, "tool", "status") == [("hangs", "interrupted")]
    stop.open()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_a_tool_prints_is_kept_with_its_node(kind: str, run_of: Any, capsys: Any) -> None:
    def says() -> str:
        print("from the <b>tool</b>")
        return "ok"

    async def says_async() -> str:
        return says()

    says_async.__name__ = "says"
    ex, result = asked(run_of, scripted(call_tool("says"), "ok"), tools=[says if kind == "sync" else says_async])
    assert result.output == "ok"
    printed = ex.df.events[ex.df.events.kind == "output"]
    assert [(row.node_id, row.payload["text"]) for row in printed.itertuples()] == [("c", "from the <b>tool</b>\n")]


def test_a_toolset_is_a_tool(run_of: Any) -> None:
    ex, result = asked(run_of, scripted(call_tool("add", a=1, b=1), "ok"), tools=[FunctionToolset([add])])
    assert (result.output, tool_rows(ex, "output")) == ("ok", [(2,)])


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(PropError, match="tool"):
        Claude(tools=[1])


# ---- the user's own agent --------------------------------------------------------------------------------------


class Note(BaseModel):
    title: str


class Deps:
    """Can't be stored, or pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.name = "deps"


def own(**options: Any) -> Any:
    agent: Any = OwnAgent(deps_type=Deps, output_type=Note, name="mine", **options)

    @agent.tool
    def whose(ctx: RunContext[Deps]) -> str:
        return ctx.deps.name

    return agent


def test_ones_own_agent_is_a_node_with_its_deps(run_of: Any) -> None:
    def model(messages: list[Any], info: Any) -> ModelResponse:
        told = [part.content for part in messages[-1].parts if part.part_kind == "tool-return"]
        call = ToolCallPart("final_result", {"title": told[0]}) if told else ToolCallPart("whose", {})
        return ModelResponse(parts=[call])

    results: list[Any] = []
    ex = run_of(Agent(id="a", agent=own(model=FunctionModel(model)), deps=Deps(), on_finished=results.append)["hi"])
    assert ex.run_sync().status == "finished"
    assert results[0].output == Note(title="deps")
    assert tool_rows(ex, "tool", "output", "status") == [("whose", "deps", "ok")]
    assert ex.frame.xml.startswith('<agent id="a" agent="Agent(')


def test_a_model_of_ones_own_agent_can_be_replaced_by_a_script(run_of: Any) -> None:
    agent = own(model="openai:gpt-5", defer_model_check=True)
    results: list[Any] = []
    app = Agent(id="a", agent=agent, deps=Deps(), on_finished=results.append)["hi"]
    ex = run_of(app, models={"openai:gpt-5": scripted(call_tool("whose"), {"title": "x"})})
    assert ex.run_sync().status == "finished"
    assert results[0].output == Note(title="x")


class Remote:
    """A runner that is somewhere else, as far as the engine can tell."""

    remote = True

    async def check(self, task: runner.AgentTask) -> None:
        pass

    async def submit(self, task: runner.AgentTask, ledger: runner.Ledger) -> runner.AgentReply:
        return runner.AgentReply(json.loads(task.as_json())["prompt"].upper())


STAYS: dict[str, tuple[Callable[[], Any], str]] = {
    "deps": (lambda: Agent(id="a", agent=own(), deps=Deps())["hi"], "deps of a"),
    "a scripted model": (lambda: Claude(id="a", model=scripted("x"))["hi"], "model of a"),
    "a local tool": (lambda: Claude(id="a", tools=[lambda: 1])["hi"], "tool"),
    "a local policy": (lambda: Claude(id="a", approve=lambda tool, args: True)["hi"], "approve of a"),
}


@pytest.mark.parametrize(("app", "words"), STAYS.values(), ids=STAYS)
def test_what_cannot_leave_the_process_is_named_to_who_runs_it_elsewhere(app: Any, words: str, run_of: Any) -> None:
    ex = run_of(app(), runner=Remote())
    assert ex.run_sync().status == "failed"
    assert words in ex.df.tasks.error[0] and "can't leave this process" in ex.df.tasks.error[0]


def test_a_runner_elsewhere_is_given_json(run_of: Any) -> None:
    ex = run_of(Claude(id="a", tools=[add], output_type=Note)["hi"], runner=Remote())
    assert ex.run_sync().status == "finished"
    assert ex.df.tasks.result[0] == "HI"


# ---- limits ----------------------------------------------------------------------------------------------------


def counting(tokens: int = 10) -> Any:
    """Call the tool for ever; each answer uses so many tokens."""
    from pydantic_ai.usage import RequestUsage

    def model(messages: list[Any], info: Any) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart("add", {"a": 1, "b": 1})], usage=RequestUsage(output_tokens=tokens))

    return FunctionModel(model)


LIMITS: dict[str, tuple[dict[str, float], str, int]] = {
    "turns": ({"turns": 3}, "limit: turns", 3),
    "tokens": ({"tokens": 25}, "limit: tokens", 3),
    "tool calls": ({"tool_calls": 2}, "limit: tool_calls", 3),
    "cost": ({"cost_usd": 0.5}, "limit: cost_usd", 1),
}


@pytest.mark.parametrize("whose", ["node", "execution"])
@pytest.mark.parametrize(("limits", "reason", "turns"), LIMITS.values(), ids=LIMITS)
def test_at_a_limit_the_agent_fails_with_it_as_the_reason(
    limits: Any, reason: str, turns: int, whose: str, run_of: Any
) -> None:
    given = {"limits": limits} if whose == "node" else {"of": {"limits": limits}}
    ex, result = asked(run_of, counting(), tools=[add], **given)
    expected = reason if whose == "node" else f"{reason} of the execution"
    assert (result.status, ex.df.tasks.reason[0]) == ("failed", expected)
    assert reason in result.error
    assert len(ex.df.model_calls) == turns, "what it had said is kept"


def test_a_limit_of_seconds_ends_the_request_under_way(run_of: Any) -> None:
    ex, _ = asked(run_of, scripted("late", delay_s=60), limits={"seconds": 0.2})
    assert ex.df.tasks.reason[0] == "limit: seconds"
    assert list(ex.df.model_calls.error) == ["limit: seconds"]


# The execution's go on while it waits for people.
@pytest.mark.parametrize(("whose", "restarts"), [("node", False), ("node", True), ("execution", True)])
def test_seconds_are_not_counted_anew_after_a_wait_for_people(
    whose: str, restarts: bool, run_of: Any, resumed: Any
) -> None:
    limits: Any = {"limits": {"seconds": 4}}
    of_node, of_execution = (limits, {}) if whose == "node" else ({}, limits)
    app = Claude(
        id="c", model=scripted(call_tool("add", a=1, b=2), "done", delay_s=2.5), tools=[add], approve=True, **of_node
    )
    ex = run_of(app["hi"], **of_execution)
    assert ex.run_sync().status == "waiting"
    if restarts:
        ex.close()
        ex = resumed(app["hi"], **of_execution)
    ex.answer("c", "approve")
    assert ex.run_sync().status == "failed"
    assert ex.df.tasks.reason[0].startswith("limit: seconds")
    assert list(ex.df.tool_calls.status) == ["ok"]


def test_the_executions_limit_holds_for_all_agents_and_children_and_after_a_restart(run_of: Any, resumed: Any) -> None:
    model = scripted("a")

    @component
    def Child(ctx: Any) -> Any:
        return Claude(id="in", model=model, on_error=lambda r: None)["x"]

    @component
    def App(ctx: Any) -> Any:
        def errors(result: Any) -> None:
            ctx.state.set("error", result.error)

        more = ctx.state.get("more")
        return [
            Smithers(id="s", component=Child),
            Claude(id="one", model=model)["x"],
            Claude(id="two", model=model, on_error=errors)["x"] if more else None,
        ]

    limits = {"turns": 2}
    ex = run_of(App(), limits=limits)
    assert ex.run_sync().status == "finished"
    ex.close()
    again = resumed(App(), limits=limits)
    again.state.set("more", True)
    assert again.run_sync().status == "finished"
    assert "limit: turns of the execution" in again.state["error"]
    assert len(model.calls) == 2


@pytest.mark.parametrize("limits", [{"turn": 1}, {"tokens": 0}, {"seconds": "x"}])
def test_wrong_limits_are_refused(limits: Any, run_of: Any) -> None:
    with pytest.raises(PropError):
        Claude(limits=limits)
    with pytest.raises(PropError):
        run_of(Claude(id="c")["x"], limits=limits)


# ---- failures --------------------------------------------------------------------------------------------------


def failing(*errors: Exception, then: str = "ok") -> Any:
    """Raise these in turn, then answer."""
    left = list(errors)

    def model(messages: list[Any], info: Any) -> ModelResponse:
        if left:
            raise left.pop(0)
        return ModelResponse(parts=[TextPart(then)])

    return FunctionModel(model)


def http(status: int, **headers: str) -> ModelHTTPError:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return ModelHTTPError(status, "m", None, headers=names)


VERDICTS: dict[str, tuple[Exception, bool, float | None]] = {
    "429": (http(429), True, None),
    "429 in a fraction of a second": (http(429, retry_after="0.25"), True, 0.25),
    "429 in milliseconds": (http(429, retry_after_ms="1500"), True, 1.5),
    "503 with a time": (http(503, retry_after="7"), True, 7.0),
    "500": (http(500), True, None),
    "529": (http(529), True, None),
    "408": (http(408), True, None),
    "400": (http(400), False, None),
    "401": (http(401), False, None),
    "402": (http(402), False, None),
    "404": (http(404), False, None),
    "another error": (ConnectionError("x"), False, None),
}


@pytest.mark.parametrize(("error", "passes", "wait_s"), VERDICTS.values(), ids=VERDICTS)
def test_an_error_passes_or_it_does_not(error: Exception, passes: bool, wait_s: float | None) -> None:
    found = retry.verdict(error)
    assert (found.passes, found.wait_s) == (passes, wait_s)


def test_a_request_that_fails_is_tried_again_and_each_attempt_has_its_row(run_of: Any) -> None:
    ex, result = asked(run_of, failing(http(503, retry_after="0"), http(503, retry_after="0")))
    assert (result.status, result.attempts) == ("succeeded", 3)
    rows = ex.df.model_calls
    assert list(rows.attempt) == [1, 2, 3] and list(rows.turn) == [1, 1, 1]
    assert list(rows.error.isna()) == [False, False, True]
    assert rows.started_at.is_monotonic_increasing and set(rows.provider) == {"function"}


def test_it_is_tried_again_as_often_as_retries_says(run_of: Any) -> None:
    ex, result = asked(run_of, failing(*[http(503, retry_after="0")] * 9), retries=2)
    assert result.status == "failed" and "503" in result.error
    assert list(ex.df.model_calls.attempt) == [1, 2, 3]


def test_what_does_not_pass_is_not_tried_again_and_says_the_fix(run_of: Any) -> None:
    ex, result = asked(run_of, failing(http(401)))
    assert "key" in result.error and "ex.retry('c')" in result.error
    assert len(ex.df.model_calls) == 1


def test_a_turn_that_fails_later_does_not_run_the_tools_before_it_again(run_of: Any) -> None:
    runs: list[int] = []
    errors = [http(503, retry_after="0")]

    def once() -> int:
        runs.append(1)
        return 7

    def model(messages: list[Any], info: Any) -> ModelResponse:
        told = [part.content for m in messages for part in m.parts if part.part_kind == "tool-return"]
        if not told:
            return ModelResponse(parts=[ToolCallPart("once", {})])
        if errors:
            raise errors.pop()
        return ModelResponse(parts=[TextPart(f"it is {told}")])

    ex, result = asked(run_of, FunctionModel(model), tools=[once])
    assert (result.output, runs) == ("it is [7]", [1])
    assert list(zip(ex.df.model_calls.turn, ex.df.model_calls.attempt, strict=True)) == [(1, 1), (2, 1), (2, 2)]


# ---- long waits ------------------------------------------------------------------------------------------------


def test_a_long_wait_blocks_the_task_and_says_so(run_of: Any, resumed: Any, wait_until: Any) -> None:
    """It survives a restart, which waits only for the rest; and a person can end it."""
    model = failing(http(503, retry_after="3600"))
    app = Claude(id="c", model=model)["hi"]
    ex = run_of(app)
    ex.step_sync()
    ex.step_sync()
    assert ex.status == "waiting"
    assert ex.reason.startswith("c waits until") and "503" in ex.reason
    [row] = ex.df.tasks.to_dict("records")
    assert (row["status"], row["reason"]) == ("blocked", "retry")
    assert row["next_retry_at"].timestamp() == pytest.approx(time.time() + 3600, abs=60)
    ex.close()
    again = resumed(app)
    again.step_sync()
    assert again.status == "waiting"
    assert again.reason == ex.reason
    again.retry("c")
    assert again.run_sync().status == "finished"
    assert list(again.df.model_calls.attempt) == [1, 2]
    assert again.df.tasks.next_retry_at.isna().all()


def test_a_wait_that_is_over_goes_on_by_itself(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smithers_nb.agents.failures.IN_PLACE_S", 0.0)
    ex, result = asked(run_of, failing(http(503, retry_after="0.2")))
    assert (result.status, result.attempts) == ("succeeded", 2)
    assert ex.df.tasks.next_retry_at.isna().all()


ENDINGS: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "cancel": (lambda ex: ex.cancel("c"), "cancelled", "failed"),
    "stop": (lambda ex: ex.stop(), "blocked", "stopped"),
    "terminate": (lambda ex: ex.terminate(), "blocked", "terminated"),
}


@pytest.mark.parametrize(("end", "task", "status"), ENDINGS.values(), ids=ENDINGS)
def test_a_task_that_waits_can_be_ended(end: Any, task: str, status: str, run_of: Any, wait_until: Any) -> None:
    ex = run_of(Claude(id="c", model=failing(http(503, retry_after="3600")))["hi"])
    run = threading.Thread(target=ex.run_sync)
    run.start()
    wait_until(lambda: ex.status == "waiting" and "waits until" in ex.reason)
    end(ex)
    run.join(60)
    assert not run.is_alive()
    assert (ex.df.tasks.status[0], ex.status) == (task, status)


# ---- the rate window -------------------------------------------------------------------------------------------


def test_the_turns_of_a_window_are_apart_and_nobody_has_one_while_it_is_closed(tmp_path: Any) -> None:
    from smithers_nb.store.connection import Database

    async def work() -> list[Any]:
        database = await Database.open(str(tmp_path / "w.db"))

        def take(at: float) -> Any:
            return database.transaction(calls.take_turn, "p:m", at, 2.0)

        free = [await take(1000.0 + n / 100) for n in range(6)]
        await database.transaction(calls.close_window, "p:m", 1000.1, 1.0)
        closed = [await take(1000.2) for _ in range(3)]
        holds = [await database.transaction(calls.turn_holds, "p:m", one) for one in (free[-1], closed[0])]
        await database.transaction(calls.close_window, "p:m", 1001.2, 60.0)
        far = await take(1001.3)
        await database.close()
        return [free, closed, holds, far]

    free, closed, holds, far = on_loop(work())
    assert [turn.at for turn in free] == [1000.0 + n / 100 for n in range(6)], "nothing is known: nobody waits"
    apart = [b.at - a.at for a, b in pairwise(closed)]
    assert closed[0].at == pytest.approx(1001.1)
    assert apart == pytest.approx([1.1 / 5] * 2), "five were taken in that second"
    assert holds == [False, True], "a turn from before the refusal counts no more"
    assert far.closed_until == pytest.approx(1061.2)


def on_loop(work: Any) -> Any:
    from smithers_nb.bridge import engine

    return engine.call(work)


# ---- many at a time --------------------------------------------------------------------------------------------


def test_no_more_agents_run_than_may(run_of: Any) -> None:
    """All of them finish, in the order of the document."""
    under_way: list[int] = []
    most: list[int] = []
    order: list[int] = []

    def model(n: int) -> Any:
        async def answer(messages: list[Any], info: Any) -> ModelResponse:
            import asyncio

            order.append(n)
            under_way.append(n)
            most.append(len(under_way))
            for _ in range(100):  # A busy machine takes its time to start another one.
                if max(most) < 3:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.01)
            under_way.remove(n)
            return ModelResponse(parts=[TextPart("x")])

        return FunctionModel(answer, model_name=f"m{n}")

    ex = run_of(Parallel()[[Claude(id=f"c{n}", model=model(n))["x"] for n in range(12)]], max_agents=3)
    assert ex.run_sync().status == "finished"
    assert (max(most), order) == (3, sorted(order))
    assert set(ex.df.tasks.status) == {"succeeded"}


# ---- streaming -------------------------------------------------------------------------------------------------


def test_what_is_streamed_is_recorded_in_order(run_of: Any) -> None:
    text = " ".join(f"word{n}" for n in range(700))
    ex, result = asked(run_of, scripted(call_tool("add", a=1, b=2), text), tools=[add])
    assert result.output == text
    pieces = ex.df.stream_events
    tokens = pieces[pieces.kind == "token"]
    assert "".join(tokens.payload) == text and len(tokens) == 700
    assert list(pieces.kind[:2]) == ["tool_start", "tool_end"]
    assert pieces.created_at.is_monotonic_increasing and set(tokens.turn) == {2}


def tail(ex: Any) -> str:
    return next((task.tail for task in run_behind(ex).publish().tasks if task.node_id == "c"), "")


def test_the_tail_of_an_agent_can_be_seen_while_it_speaks(run_of: Any, wait_until: Any, gate: Any) -> None:
    stop = gate()

    async def stream(messages: list[Any], info: Any) -> Any:
        for n in range(400):
            yield f"{n:09} "
        await stop.passed()
        yield "end"

    ex = run_of(Claude(id="c", model=FunctionModel(stream_function=stream))["hi"])
    run = threading.Thread(target=ex.run_sync)
    run.start()
    stop.reached()
    wait_until(lambda: tail(ex).endswith("000000399 "))
    assert len(tail(ex)) == 2048
    stop.open()
    run.join(60)
    assert tail(ex) == ""


# ---- going on --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["continue", "restart", "fail"])
def test_an_agent_that_was_stopped_goes_on_as_resume_mode_says(mode: Any, run_of: Any, gate: Any) -> None:
    stop = gate()
    runs: list[str] = []

    def first() -> str:
        runs.append("first")
        return "one"

    async def second() -> str:
        runs.append("second")
        await stop.passed()
        return "two"

    model = scripted(call_tool("first"), call_tool("second"), call_tool("first"), call_tool("second"), "done")
    if mode == "continue":
        model = scripted(call_tool("first"), call_tool("second"), "done")
    ex = run_of(Claude(id="c", model=model, tools=[first, second], resume_mode=mode)["hi"])
    run = threading.Thread(target=ex.run_sync)
    run.start()
    stop.reached()
    ex.stop()
    run.join(60)
    stop.open()
    outcome = ex.run_sync()
    if mode == "fail":
        assert outcome.status == "failed" and "resume_mode" in ex.df.tasks.error[0]
        assert runs == ["first", "second"]
        return
    assert outcome.status == "finished"
    expected = {"continue": ["first", "second", "second"], "restart": ["first", "second"] * 2}[mode]
    assert runs == expected
    assert list(ex.df.tool_calls.status).count("interrupted") == 1
    assert len(model.calls) == {"continue": 3, "restart": 5}[mode]


# ---- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["a\0b", "x" * 5_000_000, "half \ud800 a pair"], ids=["NUL", "5 MB", "surrogate"])
def test_a_strange_prompt_is_asked_and_stored(prompt: str, run_of: Any) -> None:
    ex, result = asked(run_of, scripted(lambda told: str(len(told))), prompt)
    assert result.output == str(len(prompt))
    [row] = ex.df.model_calls.to_dict("records")
    assert row["request"][0]["parts"][0]["content"] == prompt.replace("\ud800", "\ufffd")


class Unschematic:
    pass


CONFIGS: dict[str, tuple[Callable[[], Any], str]] = {
    "an output type without a schema": (lambda: Claude(id="c", model=scripted("x"), output_type=Unschematic)["x"], "c"),
    "no agent": (lambda: Agent(id="c", agent="x")["x"], "c"),
}


@pytest.mark.parametrize(("app", "words"), CONFIGS.values(), ids=CONFIGS)
def test_what_cannot_run_is_said_when_it_mounts(app: Any, words: str, run_of: Any) -> None:
    ex = run_of(app())
    frame = ex.step_sync()
    assert [problem.kind for problem in frame.problems] == [AgentConfigError.__name__]
    assert words in frame.problems[0].message
    assert ex.run_sync().status == "failed"


def test_no_more_agents_than_may_run_at_once_after_a_restart_too(run_of: Any, resumed: Any) -> None:

    nodes = [Claude(id=f"c{n}", model=scripted("done", delay_s=0.3))["x"] for n in range(5)]
    ex = run_of(nodes, max_agents=1)
    ex.step_sync()
    ex.close()
    again = resumed(nodes, max_agents=2)
    while again.step_phase_sync().phase != "EXECUTE":
        pass
    assert sorted(again.tasks.values()) == ["pending"] * 3 + ["running"] * 2
    assert again.run_sync().status == "finished"
