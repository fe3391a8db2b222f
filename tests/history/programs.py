"""Programs of every kind of node, for tests that compare views of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smithers_nb import (
    Approval,
    Case,
    Claude,
    Default,
    Each,
    Effect,
    End,
    Execution,
    If,
    Parallel,
    Phase,
    Ralph,
    RunResult,
    Sequence,
    Smithers,
    Step,
    Stop,
    Switch,
    Task,
    While,
    component,
    scripted,
)
from tests.conftest import PATIENCE_S

HOSTILE = "<img onerror=x> </script> \ud800 \x00 & \u202e ]]>"


def save(key: str) -> Callable[..., None]:
    return lambda result, ctx: ctx.state.set(key, result.output)


def fails(*_: Any) -> None:
    raise ValueError("no luck")


@component
def Phases(ctx: Any) -> Any:
    return [
        Phase(name="one")[Task(id="a", run=lambda: 1, on_finished=save("a")), Task(key="k", run=lambda: 2)],
        Phase(name="two", skip_if=ctx.state.get("a") == 2)[
            Claude(id="c", model=scripted("said"), on_finished=save("c"))["Say ", "it"]
        ],
        Phase(name="three")[
            Step(name="s")[ctx.state.get("c", "nothing")], Step(name="t")[Task(id="b", run=len, args=["abc"])]
        ],
    ]


@component
def Sequences(ctx: Any) -> Any:
    return Sequence()[
        Task(id="a", run=lambda: 1),
        Parallel(max_concurrency=1)[Task(id="b", run=lambda: 2), Task(id="c", run=lambda: 3)],
        If(condition=True)[Task(id="d", run=lambda: 4)],
        Switch(value="x")[Case(equals="x")["chosen"], Default()["not"]],
    ]


@component
def Loops(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return Sequence()[
        While(id="while", condition=n < 2)[
            Task(id="w", run=lambda: 1, on_finished=lambda r: ctx.state.update("n", lambda n: (n or 0) + 1))
        ],
        Ralph(id="ralph", until=False, max_iterations=2)[Task(id="r", run=lambda: ctx.iteration("ralph"))],
        Task(id="after", run=lambda: 1),
    ]


@component
def Items(ctx: Any) -> Any:
    # The same value whichever ends last: programs end alike in every order.
    first = ctx.state.get("n") is None
    items = ["x", "y"] if first else ["z", "x"]
    return [
        Each(
            items=items,
            key=str,
            render=lambda item: Task(
                run=lambda: item, on_finished=lambda r: ctx.state.set("n", "xy" if first else "zx")
            ),
        ),
        Phase(name=str(ctx.state.get("n")))["text", str(items)],
    ]


@component
def Agents(ctx: Any) -> Any:
    def tool(word: str) -> str:
        """Look a word up."""
        return word * 2

    model = scripted("first\nanswer")
    return [
        Claude(id="ask", model=model, tools=[tool], on_finished=save("ask"), on_error=print)["Question?"],
        Claude(id="bad", model=scripted(RuntimeError("no model")), retries=0, on_error=save("bad"))["Fails"],
        Claude(id="worse", model=scripted(RuntimeError("no model")), retries=0)["Fails"],
    ]


@component
def Approvals(ctx: Any) -> Any:
    return Sequence()[
        Approval(id="ok", prompt="Fine?", payload={"diff": "-a\n+b", "x": 1}, on_finished=save("ok")),
        Approval(id="no", prompt="Fine?", on_finished=save("no"), on_error=save("refused")),
        Task(id="last", run=lambda: ctx.state.get("ok")),
    ]


@component
def Child(ctx: Any, n: int = 1) -> Any:
    return Task(id="inner", run=lambda: n, on_finished=save("inner"))


@component
def Children(ctx: Any) -> Any:
    return Sequence()[
        Smithers(id="child", component=Child, args={"n": 2}, on_finished=save("child")), Task(id="t", run=lambda: 1)
    ]


@component
def Effects(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)

    def run() -> None:
        print("effect", n)
        if n < 3:
            ctx.state.set("n", n + 1)
        ctx.vol.set("seen", n)

    return [
        Effect(id="count", deps=[n], run=run, cleanup=lambda: print("cleaned", n)),
        Effect(id="bad", deps=[], run=fails),
        n < 2 and Effect(id="gone", deps=[], run=lambda: None, cleanup=lambda: ctx.state.set("cleaned", True)),
        ctx.vol.get("seen"),
        Reader(),
    ]


@component
def Reader(ctx: Any) -> Any:
    ctx.state.init("first", [1])
    return Phase(name=f"{ctx.state.get('n')} {ctx.vol.get('seen')}")[str(ctx.state.get("first"))]


@component
def Handlers(ctx: Any) -> Any:
    def raises(result: Any) -> None:
        ctx.state.set("lost", 1)
        raise RuntimeError("in a handler")

    def bad_update(result: Any) -> None:
        ctx.state.set("lost", 2)
        ctx.state.update("n", fails)

    def many(result: Any) -> None:
        ctx.state.set("n", 1)
        ctx.state.set("n", 2)
        ctx.state.update("n", lambda n: n + 1)
        ctx.state.set("same", "as before")
        ctx.state.delete("gone")
        ctx.state.delete("never")
        ctx.vol.set("v", object)

    return [
        Task(id="a", run=lambda: 1, on_finished=raises),
        Task(id="b", run=lambda: 1, on_finished=bad_update),
        Task(id="c", run=lambda: 1, on_finished=many),
        Task(id="d", run=fails, on_error=many, on_finished=print),
        Task(id="e", run=fails),
        Task(id="f", run=lambda: ctx.progress("half") or 1, on_progress=lambda r: ctx.state.set("p", r.output)),
        ctx.state.get("same"),
    ]


@component
def Values(ctx: Any) -> Any:
    return [
        Task(id="a", run=lambda: "long" * 2000, on_finished=save("long")),
        Task(id="b", run=lambda: HOSTILE, on_finished=lambda r: ctx.state.set(f"k{HOSTILE}", r.output)),
        Phase(name="x" * 3000)[ctx.state.get("long", "short") * 2, HOSTILE],
        Effect(id="e", deps=[ctx.state.get("long")], run=lambda: print("out" * 2000, HOSTILE)),
        Task(id="err", run=lambda: fails(HOSTILE), on_error=lambda r: ctx.state.set("error", r.error)),
    ]


@component
def Unmounts(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return [
        n == 0 and Task(id="a", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 1)),
        Task(id="b" if n == 0 else "c", run=lambda: 1, on_finished=lambda r: ctx.state.set("x", 1)),
        Task(id="d", run=lambda: 1) if n == 0 else Phase(name="d", id="d"),
        n == 0 and Approval(id="gone", prompt="?", on_error=print),
    ]


@component
def Retries(ctx: Any) -> Any:
    def sometimes() -> int:
        if ctx.state.get("tries", 0) or len(seen) > 1:
            return 1
        seen.append(1)
        raise ValueError("not yet")

    seen: list[int] = []
    return [
        Task(id="a", run=sometimes, retries=2, on_finished=save("a")),
        Task(id="b", run=fails, retries=1, on_error=print),
    ]


@component
def Waits(ctx: Any) -> Any:
    """A question stays open for three frames."""
    n = ctx.state.get("n", 0)
    return [
        Approval(id="ok", prompt="Fine?", on_finished=save("ok"), on_error=print),
        Effect(id="count", deps=[n], run=lambda: ctx.state.set("n", min(n + 1, 3))),
        Phase(name="later")[ctx.state.get("ok") and Task(id="t", run=lambda: 1)],
    ]


@component
def Ends(ctx: Any) -> Any:
    return [
        Task(id="a", run=lambda: 1, on_finished=save("a")),
        Approval(id="ok", prompt="?"),
        ctx.state.get("a") and End(message="done", value=1),
    ]


@component
def Stops(ctx: Any) -> Any:
    return Phase(name="p")[
        Task(id="a", run=lambda: 1, on_finished=save("a")), ctx.state.get("a") and Stop(reason="enough")
    ]


PROGRAMS: dict[str, Any] = {
    one.name: one
    for one in (
        Phases,
        Sequences,
        Loops,
        Items,
        Agents,
        Approvals,
        Children,
        Effects,
        Handlers,
        Values,
        Unmounts,
        Retries,
        Waits,
        Ends,
        Stops,
    )
}


def ran(ex: Execution) -> RunResult:
    """Run a program until no task runs: the thread of one whose node has left may end after the execution."""
    outcome = ex.run_sync(max_frames=20)
    until = time.monotonic() + PATIENCE_S
    while ex.df.tasks.status.eq("running").any():
        assert time.monotonic() < until, "a task does not end"
        time.sleep(0.005)
    return outcome
