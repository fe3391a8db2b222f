"""What stands in the way, each planted: the first sentence names the outermost reason, on the run and on its file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from smithers_nb import (
    Approval,
    Case,
    Claude,
    Each,
    End,
    Execution,
    If,
    Parallel,
    Phase,
    Stop,
    Store,
    Switch,
    Task,
    While,
    component,
    scripted,
)

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


def drop(ex: Execution) -> None:
    ex.step_sync()
    ex.step_sync()
    ex.drop_pending(ex.pending[0].id)
    ex.run_sync()


def two_steps(ex: Execution) -> None:
    ex.step_sync()
    ex.step_sync()


SCENARIOS: dict[str, Case_] = {
    "no component could return it": Case_(Guarded, "ennd", "no component could return 'ennd'. Did you mean 'end'", "ennd", True),
    "a false If": Case_(Guarded, "in_if", "score > 6 is not true", "its function returned 6", True),
    "a condition in the code": Case_(Guarded, "end", "score == 7 is not true", "its function returned 6", True),
    "another Case": Case_(Guarded, "in_case", "is not true", "nothing had written it", True),
    "an empty Each": Case_(Guarded, "in_each", "has no items", "nothing had written it", True),
    "its component was not called": Case_(Guarded, "deep", "score > 100 is not true", "its function returned 6", True),
    "a component that is absent": Case_(Guarded, "Inner", "score > 100 is not true", "its function returned 6", True),
    "it was there and left": Case_(Left, "gone", "task #gone was in the plan from frame 1 to 2", "its function returned 1"),
    "pending behind a phase": Case_(Ordered, "later", 'phase "two" waits for phase "one"', "put it into the first frame"),
    "a phase that has not begun": Case_(Broken, "later", 'is failed: bad failed', "no luck"),
    "max_concurrency": Case_(Crowded, "second", "at most 1 at a time (max_concurrency)", "first frame"),
    "an approval": Case_(Ordered, "ask", "approval #ask waits for approval ask@1: Fine?", "ask@1"),
    "the execution is over": Case_(Ended, "ask", "did start", "first frame"),
    "its task has not ended": Case_(Ordered, "later.on_finished", "its task has not ended", "put it into the first frame"),
    "it ended the other way": Case_(Handlers, "fails.on_finished", "ended the other way: it failed, and on_error is for that", "no luck"),
    "it ended the other way, unhandled": Case_(Handlers, "alone.on_finished", "and it has no on_error", "no luck"),
    "never registered": Case_(Handlers, "raises.on_finish", "never registered on_finish: it has on_finished. Did you mean 'on_finished'", "its function returned 0"),
    "a handler that raised": Case_(Handlers, "raises.on_finished", "raised ValueError: no luck; its 2 writes were rolled back", "its function returned 0"),
    "no progress": Case_(Handlers, "quiet.on_progress", "reported no progress", "its function returned 0"),
    "a write that was rolled back": Case_(Handlers, "state:y", "was rolled back", "its function returned 0"),
    "a write that was overridden": Case_(Twice, "state:x", "overridden in its own frame", "its function returned 0"),
    "a write that a person dropped": Case_(Twice, "2w2", "a person dropped write 2w2 of x", "a person dropped it", False, drop),
    "a write that is pending": Case_(Twice, "state:x", "it waits for FLUSH", "its function returned 0", False, two_steps),
    "nothing wrote it": Case_(Ordered, "state:late", "nothing has written late", "first frame"),
    "a loop that is over": Case_(Looped, "while", "is in the plan of frame", "first frame"),
    "reads unchanged": Case_(Reads, "Reader", "Reader was not called in frame 3: none of the 3 keys that it reads had changed", "Reader"),
    "a frame that was not made": Case_(Looped, 99, "frame 99 was not made: the last frame is 4, and it is over", "its function returned 1"),
    "the next frame": Case_(Ordered, None, "frame 2 was not made", "first frame"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_reason_is_named_outermost_first(name: str, run_of: Any) -> None:
    case = SCENARIOS[name]
    ex = run_of(case.app(), name="one")
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
        assert file.why_not(case.asked, app=case.app()).df.equals(found.df), name
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
