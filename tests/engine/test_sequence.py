"""Whose turn it is: phases, steps, sequences, parallels; and what a failure stops."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from smithers_nb import Claude, Effect, If, Parallel, Phase, Sequence, Step, Task, component, scripted
from smithers_nb.execution import run_behind


def task(name: str, started: list[str], **props: Any) -> Any:
    return Task(id=name, run=started.append, args=[name], **props)


ORDERS: dict[str, tuple[Any, list[list[str]]]] = {
    "phases in order": (lambda t: [Phase(name="1")[t("a")], Phase(name="2")[t("b")]], [["a"], ["b"]]),
    "steps in order": (lambda t: Phase(name="1")[Step()[t("a")], Step()[t("b")]], [["a"], ["b"]]),
    "a sequence": (lambda t: Sequence()[t("a"), t("b"), t("c")], [["a"], ["b"], ["c"]]),
    "a parallel": (lambda t: Parallel()[t("a"), t("b")], [["a", "b"]]),
    "phases in a parallel": (lambda t: Parallel()[Phase(name="1")[t("a")], Phase(name="2")[t("b")]], [["a", "b"]]),
    "tasks of a phase run together": (lambda t: Phase(name="1")[t("a"), t("b")], [["a", "b"]]),
    "phase after phase of steps": (
        lambda t: [Phase(name="1")[Step()[t("a")], Step()[t("b")]], Phase(name="2")[t("c")]],
        [["a"], ["b"], ["c"]],
    ),
    "an empty phase is passed": (lambda t: [Phase(name="1"), Phase(name="2")[t("a")]], [["a"]]),
    "a phase that is not there": (
        lambda t: [If(condition=False)[Phase(name="1")[t("x")]], Phase(name="2")[t("a")]],
        [["a"]],
    ),
    "an if takes part in the order": (
        lambda t: [If(condition=True)[Phase(name="1")[t("a")]], Phase(name="2")[t("b")]],
        [["a"], ["b"]],
    ),
    "a task beside phases does not wait": (
        lambda t: [Phase(name="1")[t("a")], t("b"), Phase(name="2")[t("c")]],
        [["a", "b"], ["c"]],
    ),
    "an if in a sequence is one more level of it": (
        lambda t: Sequence()[t("a"), If(condition=True)[t("b"), t("c")], t("d")],
        [["a"], ["b"], ["c"], ["d"]],
    ),
    "phases of different parents": (
        lambda t: Parallel()[
            Sequence()[Phase(name="1")[t("a")], Phase(name="2")[t("b")]], Sequence()[Phase(name="1")[t("c")]]
        ],
        [["a", "c"], ["b"]],
    ),
    "max_concurrency 1": (lambda t: Parallel(max_concurrency=1)[t("a"), t("b"), t("c")], [["a"], ["b"], ["c"]]),
    "max_concurrency inside out": (
        lambda t: Parallel(max_concurrency=2)[Parallel(max_concurrency=1)[t("a"), t("b")], t("c")],
        [["a", "c"], ["b"]],
    ),
}


@pytest.mark.parametrize(("app", "order"), ORDERS.values(), ids=ORDERS)
def test_tasks_start_in_the_order_of_the_plan(app: Any, order: list[list[str]], run_of: Any) -> None:
    """``order`` lists which tasks start in the same frame."""
    ex = run_of(app(lambda name: task(name, [])))
    assert ex.run_sync().status == "finished"
    tasks = ex.df.tasks
    frames = [sorted(group.node_id) for _, group in tasks.groupby("mounted_at_frame")]
    assert frames == order
    assert set(tasks.status) == {"succeeded"}


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_than_max_concurrency_run_at_once(most: int, run_of: Any) -> None:
    import asyncio

    now, peak = [0], [0]

    async def run() -> None:
        now[0] += 1
        peak[0] = max(peak[0], now[0])
        for _ in range(5):
            await asyncio.sleep(0)
        now[0] -= 1

    ex = run_of(Parallel(max_concurrency=most)[[Task(key=str(n), run=run) for n in range(7)]])
    assert ex.run_sync().status == "finished"
    assert peak[0] == most
    assert len(ex.df.tasks) == 7


def test_a_later_phase_is_in_the_plan_and_pending(run_of: Any) -> None:
    ex = run_of([Phase(id="p1", name="1")[task("a", [])], Phase(id="p2", name="2")[task("b", []), Step(id="s")]])
    frame = ex.step_sync()
    assert set(frame.mounted) == {"p1", "a", "p2", "b", "s"}
    assert 'name="2"' in frame.xml
    assert {id: ex.tasks[id] for id in ("p1", "p2", "b", "s")} == {
        "p1": "running", "p2": "pending", "b": "pending", "s": "pending",
    }  # fmt: skip
    ex.run_sync()
    assert set(ex.tasks.values()) == {"succeeded"}


def test_a_later_phase_waits_for_the_handlers_too_and_reads_what_they_wrote(run_of: Any) -> None:
    model = scripted("ok")

    @component
    def App(ctx: Any) -> Any:
        return [
            Phase(name="1")[Task(id="a", run=lambda: "tides", on_finished=lambda r: ctx.state.set("topic", r.output))],
            Phase(name="2")[Claude(id="b", model=model)["About ", ctx.state.get("topic", "nothing")]],
        ]

    run_of(App()).run_sync()
    assert model.calls == ["About tides"]


def test_an_effect_in_a_later_phase_waits_for_its_turn(run_of: Any) -> None:
    order: list[str] = []
    app = [
        Phase(name="1")[Task(run=order.append, args=["task"])],
        Phase(name="2")[Effect(run=lambda: order.append("effect"))],
    ]
    run_of(app).run_sync()
    assert order == ["task", "effect"]


def test_a_failed_task_without_on_error_stops_its_phases(run_of: Any) -> None:
    started: list[str] = []
    ex = run_of(
        [
            Phase(id="p1", name="1")[Task(id="bad", run=lambda: 1 / 0), task("beside", started)],
            Phase(id="p2", name="2")[task("later", started)],
        ]
    )
    result = ex.run_sync()
    assert (result.status, ex.status) == ("failed", "failed")
    assert "bad" in result.reason and "on_error" in result.reason
    assert started == ["beside"]
    assert {id: ex.tasks[id] for id in ("p1", "p2", "bad", "beside", "later")} == {
        "p1": "failed", "p2": "pending", "bad": "failed", "beside": "succeeded", "later": "pending",
    }  # fmt: skip
    [problem] = result.problems
    assert problem.node_id == "bad" and "ZeroDivisionError" in problem.message
    assert problem.source.startswith("test_sequence.py:")
    frame = ex.df.tasks.set_index("node_id").settled_at_frame["bad"]
    assert "ex.retry('bad')" in problem.message
    assert f"(/phase[0.0]/task[0], frame {frame}, " in problem.message
    assert list(ex.df.executions.status) == ["failed"]
    assert "ZeroDivisionError" in ex.df.tasks.set_index("node_id").error["bad"]


def test_a_failed_task_with_on_error_is_settled(run_of: Any) -> None:
    started: list[str] = []
    ex = run_of(
        [
            Phase(id="p1", name="1")[Task(id="bad", run=lambda: 1 / 0, on_error=lambda r: None)],
            Phase(id="p2", name="2")[task("later", started)],
        ]
    )
    result = ex.run_sync()
    assert (result.status, started, result.problems) == ("finished", ["later"], ())
    assert {id: ex.tasks[id] for id in ("p1", "p2", "bad")} == {"p1": "succeeded", "p2": "succeeded", "bad": "failed"}


def test_on_error_can_take_the_failed_task_out_of_the_plan(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        if ctx.state.get("broken"):
            return Task(id="plan b", run=lambda: "b", on_finished=lambda r: ctx.state.set("done", r.output))
        return Task(id="plan a", run=lambda: 1 / 0, on_error=lambda r: ctx.state.set("broken", True))

    ex = run_of(App())
    assert ex.run_sync().status == "finished"
    assert ex.state["done"] == "b"


def test_a_failure_outside_of_phases_fails_the_execution_and_lets_the_others_end(run_of: Any) -> None:
    started: list[str] = []
    ex = run_of(
        [Task(id="bad", run=lambda: 1 / 0), Phase(name="1")[task("a", started)], Phase(name="2")[task("b", started)]]
    )
    assert ex.run_sync().status == "failed"
    assert started == ["a", "b"]


def test_nothing_below_a_false_if_runs(run_of: Any) -> None:
    started: list[str] = []
    ex = run_of(If(condition=False)[task("a", started), Effect(run=lambda: started.append("e")), Phase(name="x")])
    result = ex.run_sync()
    assert (result.status, started, len(ex.df.tasks), len(ex.df.nodes)) == ("finished", [], 0, 1)


def test_an_unmounted_failure_does_not_fail_the_execution(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on", True))[Task(id="bad", run=lambda: 1 / 0)]

    ex = run_of(App())
    assert ex.run_sync().status == "failed"
    ex.state.set("on", False)
    assert ex.run_sync().status == "finished"


def test_the_status_tells_where_an_execution_is(run_of: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Task(run=one.passed))
    assert ex.status == "ready"
    ex.step_sync()
    assert ex.status == "paused"
    waiting = threading.Event()
    run_behind(ex).observe(lambda: waiting.set() if ex.status == "waiting" else None)
    runner = threading.Thread(target=ex.run_sync)
    runner.start()
    assert waiting.wait(60)
    one.open()
    runner.join(60)
    assert (ex.status, ex.reason) == ("finished", "nothing is left to do")
    assert list(ex.df.executions.status) == ["finished"]
