"""``executions.status`` and ``reason``: what the file says of an execution that rests, waits, was closed, or failed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Effect, End, Execution, Ralph, Smithers, Step, Stop, Store, Task, component
from smithers_nb.engine import loop
from smithers_nb.errors import ComponentError, SmithersError, StoreError
from smithers_nb.store import writer


def held(ex: Execution) -> tuple[str, str]:
    """Return status and reason as the file has them."""
    row = ex.df.executions.iloc[-1]
    return row.status, row.reason


@component
def Fails(ctx: Any) -> Any:
    if ctx.frame > 1 and not ctx.state.get("mended"):
        raise ValueError("no such chapter")
    return Task(id="t", run=lambda: 1)


@component
def Counting(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return [Step(name=f"step {n}"), Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", n + 1) if n < 40 else None)]


def asks() -> Any:
    return Approval(id="q", prompt="?")


ENDS: dict[str, tuple[Callable[[], Any], Callable[[Execution], object], str, str]] = {
    "no frame yet": (asks, lambda ex: None, "ready", ""),
    "a step": (Counting, lambda ex: ex.step_sync(), "paused", ""),
    "a phase": (Counting, lambda ex: ex.step_phase_sync(), "paused", ""),
    "three steps": (Counting, lambda ex: [ex.step_sync() for _ in range(3)], "paused", ""),
    "a person is asked": (asks, lambda ex: ex.run_sync(), "waiting", "approval q waits for an answer"),
    "steps to a question": (
        asks,
        lambda ex: [ex.step_sync() for _ in "ab"],
        "waiting",
        "approval q waits for an answer",
    ),
    "max_frames": (Counting, lambda ex: ex.run_sync(max_frames=2), "paused", "max_frames=2 were rendered"),
    "until": (Counting, lambda ex: ex.run_sync(until="state.get('n') == 3"), "paused", "state.get('n') == 3 is true"),
    "a breakpoint": (
        Counting,
        lambda ex: [ex.breakpoints.add(key="n", equals=2), ex.run_sync()],
        "paused",
        "stopped: n changed 1 → 2",
    ),
    "finished": (Counting, lambda ex: ex.run_sync(), "finished", "nothing is left to do"),
    "an end": (lambda: End(message="enough"), lambda ex: ex.run_sync(), "finished", "enough"),
    "a stop": (lambda: Stop(reason="no more"), lambda ex: ex.run_sync(), "stopped", "no more"),
    "stopped by hand": (Counting, lambda ex: [ex.step_sync(), ex.stop()], "stopped", "stopped by hand"),
    "terminated": (Counting, lambda ex: [ex.step_sync(), ex.terminate()], "terminated", "terminated by hand"),
    "a failed task": (
        lambda: Task(id="t", run=lambda: 1 / 0),
        lambda ex: ex.run_sync(),
        "failed",
        "t failed and has no on_error",
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_file_says_how_it_stands_as_memory_does(case: str, run_of: Any) -> None:
    app, moves, status, reason = ENDS[case]
    ex = run_of(app())
    moves(ex)
    found = held(ex)
    assert found == (ex.status, ex.reason)
    assert found[0] == status and found[1].startswith(reason)
    ex.close()
    assert held(ex) == (status, found[1] or "closed")
    assert ex.df.executions.owner.isna().all()


def test_a_frame_that_can_not_be_rendered_is_in_reason_and_events_and_mended_code_goes_on(run_of: Any) -> None:
    ex = run_of(Fails())
    with pytest.raises(ComponentError, match="no such chapter"):
        ex.run_sync()
    assert ex.frame is not None and ex.frame.number == 1
    for _ in range(2):
        assert (status := held(ex)) == (ex.status, ex.reason) and status[0] == "paused"
        assert "frame 2 could not be rendered" in status[1] and "Fails raised ValueError: no such chapter" in status[1]
        with pytest.raises(ComponentError):
            ex.step_sync()
    problems = ex.df.events[ex.df.events.kind == "problem"]
    assert list(problems.frame) == [2, 2, 2]
    assert all("no such chapter" in payload["message"] and payload["phase"] == "RENDER" for payload in problems.payload)
    ex.state.set("mended", True)
    assert ex.run_sync().status == "finished"
    assert held(ex) == ("finished", "nothing is left to do")


@component
def Never() -> Any:
    raise ValueError("not even once")


def test_an_execution_whose_first_frame_can_not_be_rendered_is_ready_and_says_why(run_of: Any) -> None:
    ex = run_of(Never())
    with pytest.raises(ComponentError):
        ex.step_sync()
    assert held(ex) == (ex.status, ex.reason)
    assert held(ex)[0] == "ready" and "Never raised ValueError: not even once" in held(ex)[1]
    ex.close()
    assert "not even once" in held(ex)[1]


@pytest.mark.parametrize(
    "app",
    [
        lambda: [Step(id="a"), Step(id="a")],
        lambda: component(lambda ctx: ctx.state.set("k", 1)),
        lambda: component(lambda: 1 / 0),
    ],
    ids=["plan", "purity", "component"],
)
def test_every_kind_of_plan_that_can_not_be_made_is_an_event(app: Any, run_of: Any) -> None:
    ex = run_of(app())
    with pytest.raises(SmithersError) as error:
        ex.run_sync()
    assert type(error.value).__name__ in held(ex)[1]
    assert [payload["kind"] for payload in ex.df.events.payload] == [type(error.value).__name__]


def test_a_long_wait_is_in_the_file_and_the_next_frame_says_running(
    run_of: Any, gate: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LONG_S", 0.01)
    first, second = gate(), gate()
    ex = run_of([Task(id="a", run=first.passed), Task(id="b", run=second.passed)])
    running = threading.Thread(target=ex.run_sync)
    running.start()
    try:
        for one in (first, second):
            one.reached()
            wait_until(lambda: held(ex) == ("waiting", ""))
            one.open()
    finally:
        running.join(60)
    assert held(ex) == ("finished", "nothing is left to do")


def test_a_wait_for_a_later_time_says_for_which_and_why(run_of: Any) -> None:
    ex = run_of(Claude(id="c", model=_refusing())["hi"])
    ex.step_sync()
    with suppress(StoreError):
        ex.step_sync()
    status, reason = held(ex)
    assert status == "waiting" and reason.startswith("c waits until") and reason == ex.reason


def _refusing() -> Any:
    from pydantic_ai.exceptions import ModelHTTPError
    from pydantic_ai.models.function import FunctionModel

    def model(*_: Any) -> Any:
        raise ModelHTTPError(429, "m", {"error": {"message": "slow down", "retry_after": 600}})

    return FunctionModel(model)


def test_a_child_that_waits_for_a_person_says_so_too(run_of: Any, wait_until: Any) -> None:
    ex = run_of(Smithers(id="s", component=component(asks)))
    ex.run_sync()
    rows = Store(ex.store.path).executions()
    wait_until(lambda: list(Store(ex.store.path).executions().status) == ["waiting", "waiting"])
    assert len(rows) == 2 and set(Store(ex.store.path).executions().reason) == {"approval q waits for an answer"}


def test_a_flood_of_frames_writes_its_status_once(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    set_status = writer.set_status

    def noted(db: Any, id: str, status: str, reason: str) -> None:
        said.append(status)
        set_status(db, id, status, reason)

    monkeypatch.setattr(writer, "set_status", noted)
    ex = run_of(Counting())
    assert ex.run_sync().frames > 40
    assert said == ["running", "finished"]
    said.clear()
    ex = run_of(Ralph(id="r", max_iterations=20)[Task(id="t", run=lambda: 1)])
    assert ex.run_sync().frames > 20
    assert said == ["running", "finished"]
    said.clear()
    ex = run_of(Counting())
    for _ in range(10):
        ex.step_sync()
    assert said == ["paused"]


def test_one_that_is_resumed_and_left_alone_stands_as_it_did(run_of: Any, resumed: Any, tmp_path: Path) -> None:
    ex = run_of(asks())
    ex.run_sync()
    ex.close()
    again = resumed(asks())
    again.close()
    assert held(ex) == ("waiting", "approval q waits for an answer")
