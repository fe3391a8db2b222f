"""What stands in the way, each planted: the first sentence names the outermost reason, on the run and on its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from smithers_nb import (
    Approval,
    Case,
    Claude,
    Each,
    Effect,
    End,
    Execution,
    If,
    Parallel,
    Phase,
    Ralph,
    Sequence,
    Smithers,
    Stop,
    Store,
    Switch,
    Task,
    While,
    component,
    scripted,
)
from smithers_nb.errors import ComponentError, StoreError

from . import programs
from .programs import fails, save


def writes(*values: Any) -> Callable[..., None]:
    def handler(result: Any, ctx: Any) -> None:
        for value in values:
            ctx.state.set("x", value)

    return handler


def raises(result: Any, ctx: Any) -> None:
    ctx.state.set("x", 1)
    ctx.state.set("y", 1)
    raise ValueError("no luck")


@component
def Guarded(ctx: Any) -> Any:
    score = ctx.state.get("score", 0)
    return [
        Task(id="judge", run=lambda: 6, on_finished=save("score")),
        If(condition=score > 6)[Task(id="in_if", run=int)],
        Switch(value=ctx.state.get("kind"))[Case(equals="b")[Task(id="in_case", run=int)]],
        Each(items=ctx.state.get("items") or [], render=lambda one: Task(id="in_each", run=int), key=str),
        Task(id="end", run=int) if score == 7 else None,
        Inner() if score > 100 else None,
    ]


@component
def Inner(ctx: Any) -> Any:
    return Task(id="deep", run=int)


@component
def Left(ctx: Any) -> Any:
    return [
        Task(id="go", run=lambda: 1, on_finished=save("go")),
        None if ctx.state.get("go") else Task(id="gone", run=int),
    ]


@component
def Ordered(ctx: Any) -> Any:
    return [
        Phase(name="one")[Approval(id="ask", prompt="Fine?", on_finished=save("ok"))],
        Phase(name="two")[Task(id="later", run=int, on_finished=save("late"))],
    ]


@component
def Broken(ctx: Any) -> Any:
    return [Phase(name="one")[Task(id="bad", run=fails)], Phase(name="two")[Task(id="later", run=int)]]


@component
def Crowded(ctx: Any) -> Any:
    return Parallel(max_concurrency=1)[Approval(id="first", prompt="?"), Task(id="second", run=int)]


@component
def Handlers(ctx: Any) -> Any:
    return [
        Task(id="raises", run=int, on_finished=raises),
        Task(id="fails", run=fails, on_finished=save("x"), on_error=print),
        Task(id="alone", run=fails, on_finished=save("x")),
        Task(id="quiet", run=int, on_finished=print, on_progress=print),
    ]


@component
def Twice(ctx: Any) -> Any:
    return Task(id="t", run=int, on_finished=writes(1, 2, 2))


@component
def Looped(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return While(id="while", condition=n < 1)[Task(id="w", run=lambda: 1, on_finished=save("n"))]


@component
def Ended(ctx: Any) -> Any:
    return [
        Approval(id="ask", prompt="?"),
        Task(id="t", run=int, on_finished=save("t")),
        ctx.state.get("t") == 0 and End(message="done"),
    ]


@component
def Reads(ctx: Any) -> Any:
    return [Reader(), Task(id="t", run=lambda: 1, on_finished=save("other"))]


@component
def Reader(ctx: Any) -> Any:
    return Phase(name="p")[str(ctx.state.get("one")), str(ctx.state.get("two")), str(ctx.state.get("three"))]


@component
def Agents(ctx: Any) -> Any:
    """Agents of which the first uses up a limit of 1."""
    return Sequence()[[Claude(id=id, model=scripted("x"), on_finished=save(id))["Go."] for id in ("a", "b")]]


@component
def Refused(ctx: Any) -> Any:
    refusal = ModelHTTPError(503, "m", "come back later", headers={"retry-after": "3600"})
    return Claude(id="c", model=scripted(refusal, "x"), on_finished=save("c"))["Go."]


@component
def Grows(ctx: Any) -> Any:
    return [
        Task(id="t", run=int, on_finished=save("t")),
        ctx.state.get("t") == 0 and Task(id="u", run=int, on_finished=save("u")),
    ]


@component
def Stale(ctx: Any, left: Any) -> Any:
    """A thread can't be cancelled: its task ends when its node has left already."""
    gone = ctx.state.get("go") is not None
    return [
        Task(id="go", run=lambda: 1, on_finished=save("go")),
        None if gone else Task(id="slow", run=lambda: left.wait(60), on_finished=save("late")),
        None if gone else Effect(id="e", deps=[], run=print, cleanup=left.set),
        # It waits until that task has ended, and keeps the execution alive as long.
        Approval(id="wait", prompt="?") if gone else None,
    ]


@component
def Same(ctx: Any) -> Any:
    return Task(id="t", run=int, on_finished=save("x"))


@component
def Later(ctx: Any) -> Any:
    return Sequence()[Task(id="a", run=lambda: 1, on_finished=save("x")), Task(id="b", run=int, on_finished=save("x"))]


@component
def Rounds(ctx: Any) -> Any:
    return Ralph(id="ralph", max_iterations=2)[Task(id="r", run=int)]


@component
def Ending(ctx: Any) -> Any:
    return [
        Phase(name="one")[Task(id="t", run=int, on_finished=save("t"))],
        Phase(name="two")[Approval(id="ask", prompt="?")],
        Phase(name="three")[Task(id="later", run=int)],
        ctx.state.get("t") == 0 and Parallel()[End(message="done")],
    ]


@component
def Outer(ctx: Any) -> Any:
    return Smithers(id="child", component=Ordered, on_finished=save("child"))


@component
def Raises(ctx: Any) -> Any:
    if ctx.state.get("t") == 0:
        raise KeyError("oops")
    return Task(id="t", run=int, on_finished=save("t"))


class Case_(NamedTuple):
    """A planted scenario."""

    app: Any
    asked: str | int | None
    first: str
    """A part of the first sentence."""
    root: str
    """A part of one of the roots."""
    needs_code: bool = False
    act: Callable[[Execution], object] | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    """The options of the execution, props among them."""


def drop(ex: Execution) -> None:
    ex.step_sync()
    ex.step_sync()
    ex.drop_pending(ex.pending[0].id)
    ex.run_sync()


def two_steps(ex: Execution) -> None:
    ex.step_sync()
    ex.step_sync()


def one_step(ex: Execution) -> None:
    ex.step_sync()


def phases(ex: Execution) -> None:
    """Up to COMMIT: the plan stands, and nothing of it has started."""
    while ex.frame is None or ex.frame.phase != "COMMIT":
        ex.step_phase_sync()


def nothing(ex: Execution) -> None:
    pass


def at_breakpoint(ex: Execution) -> None:
    ex.breakpoints.add(node="t", event="finished")
    ex.run_sync()


def stopped(ex: Execution) -> None:
    ex.step_sync()
    ex.stop()


def edit(ex: Execution) -> None:
    ex.step_sync()
    ex.step_sync()
    ex.edit_pending(ex.pending[0].id, "edited")
    ex.run_sync()


def raising(ex: Execution) -> None:
    with pytest.raises(ComponentError):
        ex.run_sync()


SCENARIOS: dict[str, Case_] = {
    "no component could return it": Case_(Guarded, "ennd", "no component could return 'ennd'. Did you mean 'end'", "ennd", True),
    "a false If": Case_(Guarded, "in_if", "score > 6 is not true", "its function returned 6", True),
    "a condition in the code": Case_(Guarded, "end", "score == 7 is not true", "its function returned 6", True),
    "another Case": Case_(Guarded, "in_case", "is not true", "nothing had written it", True),
    "an empty Each": Case_(Guarded, "in_each", "has no items", "nothing had written it", True),
    "its component was not called": Case_(Guarded, "deep", "score > 100 is not true", "its function returned 6", True),
    "a component that is absent": Case_(Guarded, "Inner", "score > 100 is not true", "its function returned 6", True),
    "it was there and left": Case_(Left, "gone", "task #gone was in the plan from frame 1 to", "its function returned 1"),
    "pending behind a phase": Case_(Ordered, "later", 'phase "two" waits for phase "one"', "put it into the first frame"),
    "a phase that has not begun": Case_(Broken, "later", 'is failed: bad failed', "no luck"),
    "max_concurrency": Case_(Crowded, "second", "at most 1 at a time (max_concurrency)", "first frame"),
    "max_iterations": Case_(Rounds, "ralph", "ralph #ralph is over after 2 iterations, which is as many as it may have", "max_iterations"),
    "a node of a loop that is over": Case_(Looped, "w", "while #while is over after 1 iteration: its condition is false", "its function returned 1"),
    "an approval": Case_(Ordered, "ask", "approval #ask waits for a person: Fine? (approval ask@1)", "ask@1"),
    "blocked until a time": Case_(Refused, "c", "claude #c is blocked until", "come back later", act=two_steps),
    "blocked, by its handler": Case_(Refused, "c.on_finished", "its task has not ended", "come back later", act=two_steps),
    "a limit of turns": Case_(Agents, "b", "claude #b did start", "claude #a used 1 request and", options={"limits": {"turns": 1}}),
    "a limit of tokens": Case_(Agents, "b.on_finished", "ended the other way: it failed, and it has no on_error", "claude #a used 1 request and", options={"limits": {"tokens": 1}}),
    "paused": Case_(Grows, "t", 'execution "one" is paused', "first frame", act=phases),
    "paused, by its frame": Case_(Grows, 2, "frame 2 was not made: the last frame is 1", "frame 1 is open: its last phase was COMMIT", act=phases),
    "a frame that is due": Case_(Grows, 1, "frame 1 was not made: the last frame is 0, and the next one is due", "was made by a person", act=nothing),
    "before the first frame": Case_(Grows, "t", 'execution "one" is ready', "no condition there is known to fail", True, nothing),
    "at a breakpoint": Case_(Grows, 2, "frame 2 was not made: the last frame is 1", "a breakpoint was hit: task t succeeded", act=at_breakpoint),
    "stopped by hand": Case_(Ending, "later", 'execution "one" is stopped: stopped by hand', "a person did it", act=stopped),
    "a frame whose code raised": Case_(Raises, 3, "frame 3 was not made: the last frame is 2", "its function returned 0", act=raising),
    "the execution is over": Case_(Ended, "ask", "did start", "first frame"),
    "over before its phase": Case_(Ending, "later", 'execution "one" is finished: done', "its function returned 0"),
    "inside of a child": Case_(Outer, "child/later", 'phase "two" waits for phase "one"', "the code of Outer put it into the first frame"),
    "a handler that came too late": Case_(Stale, "slow.on_finished", ": its node had left the plan", "its function returned 1", options={"props": {"left": Event()}}, act=programs.ran),
    "a key of a handler that came too late": Case_(Stale, "state:late", "nothing has written late.", "its function returned 1", options={"props": {"left": Event()}}, act=programs.ran),
    "a condition on a key that nothing wrote": Case_(Grows, "u", "== 0 is not true", "put it into the first frame", True, one_step),
    "its task has not ended": Case_(Ordered, "later.on_finished", "its task has not ended", "put it into the first frame"),
    "it ended the other way": Case_(Handlers, "fails.on_finished", "ended the other way: it failed, and on_error is for that", "no luck"),
    "it ended the other way, unhandled": Case_(Handlers, "alone.on_finished", "and it has no on_error", "no luck"),
    "never registered": Case_(Handlers, "raises.on_finish", "never registered on_finish: it has on_finished. Did you mean 'on_finished'", "its function returned 0"),
    "a handler that raised": Case_(Handlers, "raises.on_finished", "raised ValueError: no luck; its 2 writes were rolled back", "its function returned 0"),
    "no progress": Case_(Handlers, "quiet.on_progress", "reported no progress", "its function returned 0"),
    "a write that was rolled back": Case_(Handlers, "state:y", "was rolled back", "its function returned 0"),
    "a write that was overridden": Case_(Twice, "state:x", "overridden in its own frame", "its function returned 0"),
    "a write that a person dropped": Case_(Twice, "2w2", "a person dropped a pending write of task #t: x = 1", "a person dropped", False, drop),
    "a dropped write, by its key": Case_(Same, "state:x", "a person dropped a pending write of task #t: x = 0", "a person dropped", False, drop),
    "a write that a person edited": Case_(Same, "2w2", 'a person edited a pending write of task #t: x = "edited"', "a person edited", False, edit),
    "a write that changed nothing": Case_(Same, "state:x", "write 2w2 of x changed nothing: the value was the same", "its function returned 0", options={"state": {"x": 0}}),
    "a write that an earlier frame made": Case_(Later, "2w2", "write 2w2 of x was in the state from frame 3 to 4: a later write replaced it", "its function returned 0"),
    "the value before, by its key": Case_(Later, "state:x", "x is 0 since frame 5", "its function returned 1"),
    "a prop": Case_(Grows, "t.retries", "the retries of task #t is at its default", "first frame"),
    "a prop that there is not": Case_(Grows, "t.retry", "t is a task, which has no prop 'retry'. Did you mean 'retries'?", "retry"),
    "a write of another id": Case_(Later, "2w9", "nothing has the id 2w9. Frame 2 has the writes 2w2.", "2w9"),
    "a write that is pending": Case_(Twice, "state:x", "it waits for FLUSH", "its function returned 0", False, two_steps),
    "nothing wrote it": Case_(Ordered, "state:late", "nothing has written late", "first frame"),
    "a loop that is over": Case_(Looped, "while", "while #while is over after 1 iteration: its condition is false", "its function returned 1"),
    "reads unchanged": Case_(Reads, "Reader", "Reader was not called in frame 3: none of the 3 keys that it reads had changed", "Reader"),
    "a frame that was not made": Case_(Looped, 99, "frame 99 was not made: the last frame is 4, and the execution is over", "its function returned 1"),
    "the next frame": Case_(Ordered, None, "frame 2 was not made", "first frame"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_reason_is_named_outermost_first(name: str, run_of: Any) -> None:
    case = SCENARIOS[name]
    ex = run_of(case.app, name="one", **case.options)
    (case.act or Execution.run_sync)(ex)
    found = ex.why_not(case.asked)
    assert case.first in found.statements[0].text, found.text
    assert any(case.root in one.text for one in found.roots), found.text
    if ex.pending:
        return  # What waits for FLUSH is in no file yet.
    ex.close()
    file = Store(ex.store.path).open("one")
    if name == "nothing wrote it":
        assert "not known without their code" in file.why_not(case.asked).text
    elif ex.over:
        assert file.why_not(case.asked, app=case.app).df.equals(found.df), name
    if case.needs_code:
        unknown = file.why_not(case.asked)
        assert unknown.statements[-1].evidence is None and "is not known without it" in unknown.text


def test_an_agent_waits_for_others_to_end(run_of: Any) -> None:
    agents = [Claude(id=id, model=scripted("x", delay_s=30))["Go."] for id in ("a", "b")]
    ex = run_of(agents, max_agents=1)
    ex.step_sync()
    assert "as many agents run as may run together (max_agents): claude #a" in ex.why_not("b").text


def test_another_process_that_has_it_is_named(run_of: Any) -> None:
    ex = run_of(Ordered(), name="one")
    ex.run_sync()
    assert "only that process can step it" in Store(ex.store.path).open("one").why_not().text


def test_a_stop_by_hand_and_a_stop_in_the_plan_are_told(run_of: Any) -> None:
    ex = run_of([Stop(reason="enough"), Task(id="t", run=int)])
    ex.run_sync()
    assert "enough" in ex.why_not("t").text
    assert "enough" in ex.why().text


def test_an_end_without_an_id_is_asked_about_by_its_type(run_of: Callable[..., Execution]) -> None:
    @component
    def Asks(ctx: Any) -> Any:
        answer = ctx.state.get("answer")
        return [
            Approval(id="ok", prompt="Send it?", on_finished=save("answer")),
            answer == "approve" and End(value="sent"),
        ]

    ex = run_of(Asks)
    ex.run_sync()
    assert 'answer == "approve" is not true' in ex.why_not("end").text
    with pytest.raises(StoreError, match="nothing of the name 'end'"):
        ex.why("end")
    ex.answer("ok", "approve")
    ex.run_sync()
    assert "a person answered approval #ok with approve" in ex.why("end").text
    assert ex.why_not("end").text.splitlines()[1:] == ex.why("end").text.splitlines()[1:], "nothing is in its way"


def test_a_type_of_several_nodes_names_none_of_them(run_of: Callable[..., Execution]) -> None:
    ex = run_of([Task(id="a", run=int), Task(id="b", run=int)])
    ex.run_sync()
    with pytest.raises(StoreError, match="nothing of the name 'task'"):
        ex.why("task")
