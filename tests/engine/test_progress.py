"""``on_progress``, strict effects, and what ``ex.lint()`` finds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smithers_nb import Claude, Effect, Parallel, Phase, Ralph, Task, component, scripted
from smithers_nb.errors import NotStorableError, RunError


def test_a_handler_gets_the_newest_report_of_a_running_task(run_of: Any, gate: Any) -> None:
    one = gate()
    seen: list[Any] = []

    async def work(ctx: Any) -> str:
        for n in range(100):
            ctx.progress({"done": n})
        await one.passed()
        return "end"

    @component
    def App(ctx: Any) -> Any:
        def note(r: Any) -> None:
            seen.append((r.status, r.output, r.attempts))
            ctx.state.set("done", r.output["done"])

        return Task(id="t", run=work, on_progress=note)

    ex = run_of(App)
    ex.run_sync(until="done")
    assert seen == [("running", {"done": 99}, 1)]
    one.open()
    assert ex.run_sync().status == "finished"
    assert ex.df.handlers[["event", "status"]].values.tolist() == [["on_progress", "ok"]]
    assert dict(ex.state) == {"done": 99}


def test_reports_make_at_most_four_frames_a_second(run_of: Any) -> None:
    async def work(ctx: Any) -> None:
        for n in range(60):
            ctx.progress(n)
            await asyncio.sleep(0.01)

    @component
    def App(ctx: Any) -> Any:
        return Parallel()[[Task(key=n, run=work, on_progress=lambda r: None) for n in range(5)]]

    ex = run_of(App)
    ex.run_sync()
    # 0.6 s or more on a busy machine: count frames against the time that the tasks took.
    tasks = ex.df.tasks
    seconds = (tasks.ended_at.max() - tasks.started_at.min()).total_seconds()
    caused = [reason for reason in ex.df.frames.reason if "progress was reported" in reason]
    assert 1 <= len(caused) <= 4 * seconds + 2


def test_progress_without_a_handler_makes_no_frame(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Task(id="t", run=lambda ctx: ctx.progress(1))

    ex = run_of(App)
    ex.run_sync()
    assert not [reason for reason in ex.df.frames.reason if "progress was reported" in reason]


def test_progress_belongs_in_a_task_and_is_storable(run_of: Any) -> None:
    ex = run_of(Phase(name="p"))
    with pytest.raises(RunError, match="call it in the function of a <Task>"):
        ex.ctx.progress(1)

    @component
    def App(ctx: Any) -> Any:
        return Task(id="t", run=lambda ctx: ctx.progress({1, 2}))

    bad = run_of(App)
    assert bad.run_sync().status == "failed"
    assert NotStorableError.__name__ in bad.df.tasks.error[0]


def test_strict_effects_run_are_cleaned_up_and_run_again_when_they_mount(run_of: Any) -> None:
    said: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Effect(id="e", deps=[n], run=lambda: said.append("run"), cleanup=lambda: said.append("clean"))

    ex = run_of(App, strict_effects=True)
    ex.run_sync()
    assert said == ["run", "clean", "run"]
    ex.state.set("n", 1)
    ex.run_sync()
    assert said == ["run", "clean", "run", "clean", "run"]
    assert ex.df.effects.kind.tolist() == said_kinds(said)


def said_kinds(said: list[str]) -> list[str]:
    return ["cleanup" if word == "clean" else "run" for word in said]


LINT: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "nothing": (lambda ctx: Claude(id="a", model=scripted("x"))["hi"], []),
    "an agent without an id": (lambda ctx: Claude(model=scripted("x"))["hi"], [("AgentWithoutId", "has no id")]),
    "a loop without a bound": (
        lambda ctx: Ralph(id="r", until=True, max_iterations=10**6)[Phase(name="p")],
        [("LoopWithoutBound", "1,000,000")],
    ),
    "a handler that never fired": (
        lambda ctx: Task(id="t", run=lambda: 1, on_finished=lambda r: None, on_error=print),
        [("HandlerNeverFired", "on_error of t")],
    ),
    "a key that nothing writes": (lambda ctx: ctx.state.get("gone"), [("KeyNeverWritten", "'gone'")]),
    "a key that nothing reads": (
        lambda ctx: Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("lost", 1)),
        [("KeyNeverRead", "'lost'")],
    ),
}


@pytest.mark.parametrize(("app", "expected"), LINT.values(), ids=LINT)
def test_lint_finds(app: Any, expected: list[tuple[str, str]], run_of: Any) -> None:
    ex = run_of(component(app))
    ex.run_sync()
    found = ex.lint()
    assert [problem.kind for problem in found] == [kind for kind, _ in expected]
    assert all(words in problem.message for problem, (_, words) in zip(found, expected, strict=True))
