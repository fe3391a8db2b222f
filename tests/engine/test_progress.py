"""``on_progress``, strict effects, and what ``ex.lint()`` finds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from smithers_nb import Claude, Effect, Parallel, Phase, Ralph, Task, While, component, scripted
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
        return Task(id="t", run=lambda ctx: ctx.progress({len}))

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
    "a loop that ends at the limit that no one gave it": (
        lambda ctx: Ralph(id="r", until=ctx.iteration("r") > 10)[Phase(name="p")],
        [("LoopReachedLimit", "its until was still false. Give it a max_iterations; without one it is 10.")],
    ),
    "a loop that ends at its limit": (
        lambda ctx: While(id="w", condition=True, max_iterations=2)[Phase(name="p")],
        [("LoopReachedLimit", "while w ended at its limit of 2 iterations (max_iterations): its condition was still")],
    ),
    "a loop that should run three times": (lambda ctx: Ralph(id="r", max_iterations=3)[Phase(name="p")], []),
    "an on_error that was not needed": (
        lambda ctx: Task(id="t", run=lambda: 1, on_finished=lambda r: None, on_error=print),
        [],
    ),
    "an on_finished that was not needed": (
        lambda ctx: Task(id="t", run=fails, on_finished=print, on_error=lambda r: None),
        [],
    ),
    "a progress that is never reported": (
        lambda ctx: Task(id="t", run=lambda: 1, on_progress=print),
        [("HandlerNeverFired", "on_progress of t was never called")],
    ),
    "a key that nothing writes": (lambda ctx: ctx.state.get("gone"), [("KeyNeverWritten", "'gone'")]),
    "a result": (lambda ctx: written("report"), []),
    "a misspelt key": (
        lambda ctx: (ctx.state.get("ntoes"), written("notes")),
        [("KeyNeverWritten", "'ntoes' is read by a component, and nothing has written it. Did you mean 'notes'?")],
    ),
    "a key in another spelling": (
        lambda ctx: (ctx.state.get("userName"), written("user_name")),
        [("KeyNeverWritten", "Did you mean 'user_name'?")],
    ),
    "a key that another component reads as it is written": (
        lambda ctx: (ctx.state.get("note"), ctx.state.get("notes"), written("notes")),
        [("KeyNeverWritten", "Did you mean 'notes'?")],
    ),
    "a key in the other scope": (
        lambda ctx: (ctx.state.get("draft"), written("draft", "vol")),
        [("KeyNeverWritten", "Did you mean volatile key 'draft'?")],
    ),
    "a misspelt volatile key": (
        lambda ctx: (ctx.vol.get("draf"), written("draft", "vol")),
        [("KeyNeverWritten", "volatile key 'draf' is read by a component")],
    ),
    "a volatile key that nothing writes": (lambda ctx: ctx.vol.get("gone"), []),
    "a misspelt write": (
        lambda ctx: (ctx.state.init("draft", ""), ctx.state.get("draft"), written("draf")),
        [("KeyNeverRead", "Did you mean 'draft', which is read and has only its first value?")],
    ),
    "keys that are numbered": (lambda ctx: (ctx.state.get("card_2"), written("card_1")), [("KeyNeverWritten", "it.")]),
    "keys of other things": (
        lambda ctx: (ctx.state.get("a_done"), written("b_done")),
        [("KeyNeverWritten", "nothing has written it.")],
    ),
}


def written(key: str, scope: str = "state") -> Any:
    """Return a task that ends by writing a key."""
    return Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: getattr(ctx, scope).set(key, 1))


def fails() -> None:
    raise ValueError("no luck")


@pytest.mark.parametrize(("app", "expected"), LINT.values(), ids=LINT)
def test_lint_finds(app: Any, expected: list[tuple[str, str]], run_of: Any) -> None:
    def nodes(ctx: Any) -> Any:
        found = app(ctx)
        return found[-1] if isinstance(found, tuple) else found

    ex = run_of(component(nodes))
    ex.run_sync()
    found = ex.lint()
    assert [problem.kind for problem in found] == [kind for kind, _ in expected]
    assert all(words in problem.message for problem, (_, words) in zip(found, expected, strict=True))


def test_lint_tells_errors_before_hints(run_of: Any) -> None:
    ex = run_of(
        component(lambda ctx: [ctx.state.get("ntoes") and None, Claude(model=scripted("x"))["hi"], written("notes")])
    )
    ex.run_sync()
    assert [(problem.kind, problem.severity) for problem in ex.lint()] == [
        ("KeyNeverWritten", "error"),
        ("AgentWithoutId", "hint"),
    ]


def test_lint_compares_many_keys_in_no_time(run_of: Any) -> None:
    """Comparing each of 3,000 keys that are read with each of 3,000 that are written took a minute."""
    keys = [f"city of {chr(97 + n % 26)}{n * 7919 % 100_003}" for n in range(6000)]
    ex = run_of(
        component(lambda ctx: [ctx.state.get(key) and None for key in keys[::2]]), state=dict.fromkeys(keys[1::2], 1)
    )
    ex.run_sync()
    assert len(ex.lint()) == 3000
