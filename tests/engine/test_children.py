"""A Smithers node runs a child execution: frames of its own, its End's value as the result, and one life with its parent."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Approval, End, If, Phase, Ralph, Smithers, Stop, Task, component
from smithers_nb.errors import ApprovalError


@component
def Doubles(ctx: Any, n: int = 1) -> Any:
    return [
        Phase(name="work")[Task(id="t", run=lambda: n * 2, on_finished=lambda r: ctx.state.set("out", r.output))],
        Phase(name="end")[End(value=ctx.state.get("out"))],
    ]


def rows(ex: Any, sql: str) -> list[tuple[Any, ...]]:
    return ex.store.reader.query(sql).rows


@component
def Parent(ctx: Any, child: Any, args: Any) -> Any:
    return Smithers(
        id="kid",
        component=child,
        args=args,
        on_finished=lambda r: ctx.state.set("result", r.output),
        on_error=lambda r: ctx.state.set("error", r.error),
    )


def test_the_value_of_the_childs_end_is_the_result(run_of: Any) -> None:
    ex = run_of(Parent(child=Doubles, args={"n": 21}))
    assert (ex.run_sync().status, dict(ex.state)) == ("finished", {"result": 42})


def test_a_child_has_frames_state_and_tasks_of_its_own(run_of: Any) -> None:
    ex = run_of(Parent(child=Doubles, args={"n": 1}), name="top")
    ex.run_sync()
    [(child, name, parent, status)] = rows(
        ex, "SELECT execution_id, name, parent_id, status FROM executions WHERE parent_id IS NOT NULL"
    )
    assert (name, parent, status) == ("top/kid", ex.execution_id, "finished")
    history = ex.store.open(child)
    assert list(history.df.frames.frame) == list(range(1, history.frames + 1)) and history.frames >= 3
    assert dict(history.at(history.frames).state) == {"out": 2}
    assert list(history.df.tasks.node_id) == ["t"]
    assert list(ex.df.tasks.node_id) == ["kid"]
    assert rows(ex, "SELECT owner FROM executions")[1:] == [(None,)]


def test_a_child_without_an_end_gives_none(run_of: Any) -> None:
    ex = run_of(Parent(child=component(lambda: Task(run=lambda: 1)), args={}))
    assert (ex.run_sync().status, dict(ex.state)) == ("finished", {"result": None})


@component
def Raises() -> Any:
    raise ValueError("in render")


FAILING: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a task that fails": (component(lambda: Task(id="bad", run=lambda: 1 / 0)), {}, "failed"),
    "a component that raises": (Raises, {}, "in render"),
    "a Stop": (component(lambda: Stop(reason="no use")), {}, "no use"),
    "args it does not take": (Doubles, {"m": 1}, "has no prop 'm'"),
    "no component": (len, {}, "@component"),
}


@pytest.mark.parametrize(("child", "args", "says"), FAILING.values(), ids=FAILING)
def test_a_child_that_does_not_finish_fails_its_task(child: Any, args: Any, says: str, run_of: Any) -> None:
    ex = run_of(Parent(child=child, args=args))
    assert ex.run_sync().status == "finished"
    assert says in ex.state["error"], ex.state["error"]
    assert list(ex.df.tasks.status) == ["failed"]


def test_a_child_that_reaches_max_frames_fails_its_task(run_of: Any) -> None:
    @component
    def Endless(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return Task(key=str(n), run=lambda: 1, on_finished=lambda r: ctx.state.set("n", n + 1))

    ex = run_of(Smithers(id="kid", component=Endless, max_frames=5, on_error=lambda r: None))
    assert ex.run_sync().status == "finished"
    assert "max_frames=5" in ex.df.tasks.error[0]
    assert rows(ex, "SELECT max(frame) FROM frames WHERE execution_id <> (SELECT execution_id FROM tasks LIMIT 1)")


def test_a_child_is_cancelled_with_its_node(run_of: Any, gate: Any, wait_until: Any) -> None:
    one = gate()
    ended: list[str] = []

    async def runs() -> None:
        try:
            await one.passed()
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    child = component(lambda: Task(id="inner", run=runs))

    @component
    def App(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on", True))[Smithers(id="kid", component=child)]

    ex = run_of(App())
    ex.step_sync()
    one.reached()
    ex.state.set("on", False)
    assert ex.run_sync().status == "finished"
    wait_until(lambda: bool(ended))
    assert ended == ["CancelledError"]
    wait_until(lambda: list(ex.df.tasks.status) == ["cancelled"])
    wait_until(lambda: rows(ex, "SELECT owner FROM executions WHERE parent_id IS NOT NULL") == [(None,)])
    [(status,)] = rows(ex, "SELECT status FROM executions WHERE parent_id IS NOT NULL")
    assert status not in ("running", "waiting", "ready"), f"a cancelled child says {status} for ever"


def test_children_nest(run_of: Any) -> None:
    @component
    def Middle(ctx: Any, n: int) -> Any:
        return [
            Phase(name="1")[
                Smithers(
                    id="inner", component=Doubles, args={"n": n}, on_finished=lambda r: ctx.state.set("x", r.output + 1)
                )
            ],
            Phase(name="2")[End(value=ctx.state.get("x"))],
        ]

    ex = run_of(Parent(child=Middle, args={"n": 5}), name="top")
    ex.run_sync()
    assert dict(ex.state) == {"result": 11}
    assert rows(ex, "SELECT name FROM executions ORDER BY name") == [("top",), ("top/kid",), ("top/kid/inner",)]


def test_two_children_of_one_component_do_not_mix(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        def save(key: str) -> Any:
            return lambda r: ctx.state.set(key, r.output)

        return [Smithers(id=f"k{n}", component=Doubles, args={"n": n}, on_finished=save(f"k{n}")) for n in range(5)]

    ex = run_of(App())
    assert ex.run_sync().status == "finished"
    assert dict(ex.state) == {f"k{n}": 2 * n for n in range(5)}


def test_a_child_in_a_loop_is_another_each_time(run_of: Any) -> None:
    ex = run_of(Ralph(id="r", max_iterations=3)[Smithers(id="kid", component=Doubles)])
    assert ex.run_sync().status == "finished"
    assert rows(ex, "SELECT count(*) FROM executions WHERE parent_id IS NOT NULL") == [(3,)]


@component
def Asks(ctx: Any) -> Any:
    return [
        Phase(name="ask")[Approval(id="ok", prompt="Go on?", on_finished=lambda r: ctx.state.set("said", r.output)),],
        Phase(name="end")[End(value=ctx.state.get("said"))],
    ]


def test_an_approval_in_a_child_is_answered_through_the_parent(run_of: Any, wait_until: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    ex = run_of(Parent(child=Asks, args={}))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(ex.run_sync)
        wait_until(lambda: bool(ex._run.loop.live.tasks.questions))
        with pytest.raises(ApprovalError):
            ex.answer("nope", "approve")
        ex.answer("ok", "deny")
        assert run.result(60).status in ("waiting", "finished")
    ex.run_sync()
    assert dict(ex.state) == {"result": "deny"}


def test_a_parent_whose_child_waits_for_a_person_returns_waiting(run_of: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    ex = run_of(Parent(child=Asks, args={}))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(ex.run_sync)
        try:
            result = run.result(60)
        except TimeoutError:
            ex.pause()
            run.result(60)
            pytest.fail("run() hangs although only a person can bring it on")
    assert result.status == "waiting" and "ok" in result.reason
    ex.answer("ok", "approve")
    assert (ex.run_sync().status, dict(ex.state)) == ("finished", {"result": "approve"})


def test_a_child_goes_on_after_its_parent_was_closed(run_of: Any, resumed: Any, gate: Any) -> None:
    one = gate()
    ran: list[str] = []

    @component
    def Two(ctx: Any) -> Any:
        return [
            Phase(name="1")[Task(id="a", run=lambda: ran.append("a"))],
            Phase(name="2")[Task(id="b", run=wait)],
            Phase(name="3")[End(value="end")],
        ]

    async def wait() -> None:
        ran.append("b")
        if ran.count("b") == 1:
            await one.passed()

    ex = run_of(Parent(child=Two, args={}))
    ex.step_sync()
    one.reached()
    ex.close()
    again = resumed(Parent(child=Two, args={}))
    assert (again.run_sync().status, dict(again.state)) == ("finished", {"result": "end"})
    assert ran == ["a", "b", "b"]
    assert rows(again, "SELECT count(*) FROM executions") == [(2,)]
