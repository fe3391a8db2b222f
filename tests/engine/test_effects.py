"""Effects: when they run, when they are cleaned up, and how a loop ends."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Effect, If, Phase, Task, component


class Log:
    """An app with one effect whose deps, presence and version are in state."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def app(self, **props: Any) -> Any:
        @component
        def App(ctx: Any) -> Any:
            deps, version = ctx.state.get("deps", []), ctx.state.get("version", 1)
            return If(condition=ctx.state.get("on", True))[
                Effect(
                    id="e",
                    deps=deps,
                    run=lambda: self.lines.append(f"run {deps} v{version}"),
                    cleanup=lambda: self.lines.append(f"clean {deps} v{version}"),
                    **props,
                )
            ]

        return App()


def after(ex: Any, **state: Any) -> None:
    for key, value in state.items():
        ex.state.set(key, value)
    assert ex.run_sync().status == "finished"


def test_an_effect_runs_when_it_mounts_and_not_again(run_of: Any) -> None:
    log = Log()
    ex = run_of(log.app())
    after(ex)
    after(ex, other=1)
    assert log.lines == ["run [] v1"]


def test_it_runs_after_the_commit_of_its_frame(run_of: Any) -> None:
    seen: list[Any] = []
    holder: list[Any] = []
    holder.append(run_of(Effect(run=lambda: seen.append(list(holder[0].df.frames.frame)))))
    holder[0].run_sync()
    assert seen == [[1]]


def test_it_runs_again_when_its_deps_change_after_the_cleanup_of_the_run_before(run_of: Any) -> None:
    log = Log()
    ex = run_of(log.app(), state={"deps": [1]})
    after(ex)
    after(ex, version=2)
    assert log.lines == ["run [1] v1"]
    after(ex, deps=[2])
    assert log.lines == ["run [1] v1", "clean [1] v1", "run [2] v2"]


def test_it_is_cleaned_up_when_it_unmounts_and_runs_when_it_comes_back(run_of: Any) -> None:
    log = Log()
    ex = run_of(log.app())
    after(ex)
    after(ex, on=False)
    assert log.lines == ["run [] v1", "clean [] v1"]
    after(ex, on=True)
    assert log.lines == ["run [] v1", "clean [] v1", "run [] v1"]


def test_cleanups_come_before_runs(run_of: Any) -> None:
    lines: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n")
        return [
            Effect(
                id=name,
                deps=[n],
                run=lambda name=name: lines.append(f"run {name}{n}"),
                cleanup=lambda name=name: lines.append(f"clean {name}{n}"),
            )
            for name in "ab"
        ]

    ex = run_of(App(), state={"n": 1})
    after(ex)
    after(ex, n=2)
    assert lines == ["run a1", "run b1", "clean a1", "clean b1", "run a2", "run b2"]


DEPS = {
    "1 and 1.0": ([1], [1.0], True),
    "1 and true": ([1], [True], True),
    "equal lists": ([[1, 2]], [[1, 2]], False),
    "equal dicts": ([{"a": 1}], [{"a": 1}], False),
    "longer": ([1], [1, 2], True),
    "none": ([None], [], True),
}


@pytest.mark.parametrize(("before", "then", "again"), DEPS.values(), ids=DEPS)
def test_deps_are_compared_by_value(before: Any, then: Any, again: bool, run_of: Any) -> None:
    log = Log()
    ex = run_of(log.app(), state={"deps": before})
    after(ex)
    after(ex, deps=then)
    assert len(log.lines) == (3 if again else 1)


def test_an_effect_writes_state_and_the_next_frame_sees_it(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return [Effect(id="e", run=lambda ctx: ctx.state.set("x", 1)), Phase(name=str(ctx.state.get("x")))]

    ex = run_of(App())
    frame = ex.step_sync()
    assert [(w.key, w.origin, w.node_id, w.handler) for w in frame.pending] == [("x", "effect", "e", "run")]
    assert 'name="None"' in frame.xml
    assert 'name="1"' in ex.step_sync().xml


def test_an_async_effect_is_awaited(run_of: Any) -> None:
    async def run(ctx: Any) -> None:
        import asyncio

        await asyncio.sleep(0)
        ctx.state.set("x", 1)

    ex = run_of(Effect(run=run))
    ex.run_sync()
    assert ex.state["x"] == 1


def test_an_effect_that_raises_is_recorded_and_writes_nothing(run_of: Any) -> None:
    def run(ctx: Any) -> None:
        ctx.state.set("x", 1)
        raise ValueError("no good")

    ex = run_of([Effect(id="e", run=run), Effect(id="f", run=lambda ctx: ctx.state.set("y", 2))])
    result = ex.run_sync()
    [problem] = result.problems
    assert (problem.kind, problem.node_id, problem.phase) == ("EffectError", "e", "EFFECTS")
    assert "no good" in problem.message and problem.source.startswith("test_effects.py:")
    assert dict(ex.state) == {"y": 2}
    assert list(ex.df.effects.status) == ["raised", "ok"]
    assert list(ex.df.transitions.status) == ["rolled_back", "applied"]


def test_use_effect_declares_an_effect_of_its_component(run_of: Any) -> None:
    ran: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        ctx.use_effect("e", [1], lambda: ran.append("e"))
        return Phase(name="a")

    ex = run_of(App())
    ex.run_sync()
    assert ran == ["e"]
    assert ex.frame.xml.count("<effect ") == 1
    assert [node.type for node in ex.frame.tree.walk()] == ["phase", "effect"]


def test_an_effect_that_causes_itself_is_stopped(run_of: Any) -> None:
    """Its deps come round: the 4th run with the same deps within 10 is refused, and the execution ends."""
    runs: list[int] = []

    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)

        def turn(ctx: Any) -> None:
            runs.append(n)
            ctx.state.set("n", (n + 1) % 2)

        return Effect(id="e", deps=[n], run=turn)

    ex = run_of(App())
    result = ex.run_sync()
    why = "effect e keeps causing itself and was not run"
    assert (result.status, result.reason, ex.over) == ("stalled", why, True)
    [problem] = result.problems
    assert (problem.kind, problem.node_id) == ("EffectLoopError", "e")
    assert runs == [0, 1, 0, 1, 0, 1]
    assert (ex.df.executions.status[0], ex.df.executions.reason[0]) == ("stalled", why)
    ex.state.set("n", 7)
    assert ex.run_sync().status == "stalled"
    assert runs[6:] == [7], "with other deps it runs again"


def test_an_effect_that_caused_itself_and_is_gone_stalls_nothing(run_of: Any, gate: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        flips = Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", 1 - n))
        return [If(condition=ctx.state.get("on", True))[flips], Task(run=one.passed)]

    one = gate()
    ex = run_of(App())
    problem = ex.run_sync(until=lambda frame: bool(frame.problems)).problems[0]
    assert problem.kind == "EffectLoopError"
    ex.state.set("on", False)
    one.open()
    assert ex.run_sync().status == "finished"


@pytest.mark.parametrize(("period", "runs"), [(2, 6), (3, 9), (4, 29)])
def test_the_same_deps_for_the_fourth_time_within_ten_runs_are_a_loop(period: int, runs: int, run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        x = ctx.state.get("x", 0)
        return Effect(id="e", deps=[x % period], run=lambda: ctx.state.set("x", x + 1))

    ex = run_of(App())
    problems = ex.run_sync(max_frames=30).problems
    assert [problem.kind for problem in problems] == (["EffectLoopError"] if period < 4 else [])
    assert len(ex.df.effects) == runs, "of frame 30, its FLUSH is still to come"


def test_effect_rows_hold_the_deps(run_of: Any) -> None:
    ex = run_of(Effect(id="e", deps=["a", 1], run=lambda: None))
    frame = ex.step_sync()
    assert [(run.node_id, run.kind, run.status, run.deps) for run in frame.effects] == [("e", "run", "ok", '["a",1]')]
    ex.run_sync()
    assert list(ex.df.effects.deps) == [["a", 1]]


def test_an_effect_does_not_run_again_after_a_restart(run_of: Any, resumed: Any) -> None:
    log = Log()
    ex = run_of(log.app(), state={"deps": [1]})
    after(ex)
    ex.close()
    again = resumed(log.app())
    after(again)
    assert log.lines == ["run [1] v1"]
    after(again, deps=[2])
    assert log.lines[-1] == "run [2] v1"


def test_an_effect_that_was_gone_before_a_restart_runs_when_it_comes_back(run_of: Any, resumed: Any) -> None:
    log = Log()
    ex = run_of(log.app())
    after(ex)
    after(ex, on=False)
    ex.close()
    again = resumed(log.app())
    after(again)
    after(again, on=True)
    assert log.lines == ["run [] v1", "clean [] v1", "run [] v1"]
