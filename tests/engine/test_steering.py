"""Steering a run by hand: cancel, retry, swap, and pending writes that are edited or dropped."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from smithers_nb import Claude, Effect, Phase, Task, component, scripted
from smithers_nb.errors import ComponentError, NotStorableError, PlanError, PurityError, RunError, SmithersError

# ---- cancel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["thread", "coroutine"])
@pytest.mark.parametrize("handled", [True, False])
def test_a_cancelled_task_goes_to_on_error_or_fails_the_execution(
    kind: str, handled: bool, run_of: Any, gate: Any
) -> None:
    one = gate()
    results: list[Any] = []
    hooks = {"on_finished": results.append, **({"on_error": results.append} if handled else {})}
    ex = run_of(
        [
            Phase(name="1")[Task(id="t", run=one.passed if kind == "coroutine" else one.passed_in_thread, **hooks)],
            Phase(name="2")[Task(id="after", run=lambda: 1)],
        ]
    )
    ex.step_sync()
    one.reached()
    ex.cancel("t")
    one.open()
    assert ex.run_sync().status == ("finished" if handled else "failed")
    assert [(r.status, r.node_id, r.output) for r in results] == ([("cancelled", "t", None)] if handled else [])
    assert (ex.tasks["t"], ex.tasks["after"]) == ("cancelled", "succeeded" if handled else "pending")
    if handled:
        assert "by hand" in results[0].error


@pytest.mark.parametrize("id", ["nope", "done", "later"])
def test_only_what_is_under_way_can_be_cancelled(id: str, run_of: Any) -> None:
    ex = run_of([Task(id="done", run=lambda: 1), Phase(id="later", name="x")])
    ex.run_sync()
    with pytest.raises(RunError, match=f"'{id}'"):
        ex.cancel(id)


# ---- retry -----------------------------------------------------------------------------------------------------


def test_a_retried_task_is_a_new_one_and_the_phases_go_on(run_of: Any) -> None:
    tries: list[int] = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no net")
        return "ok"

    saved: list[Any] = []
    ex = run_of(
        [
            Phase(name="1")[Task(id="t", run=flaky, on_finished=lambda r: saved.append(r.output))],
            Phase(name="2")[Task(id="after", run=lambda: 1)],
        ]
    )
    assert ex.run_sync().status == "failed"
    ex.retry("t")
    assert (ex.run_sync().status, saved, ex.tasks["after"]) == ("finished", ["ok"], "succeeded")
    rows = ex.df.tasks[ex.df.tasks.node_id == "t"]
    assert (list(rows.status), rows.task_id.nunique()) == (["failed", "succeeded"], 2)


def test_a_retried_task_survives_a_restart(run_of: Any, resumed: Any) -> None:
    runs: list[int] = []
    app = Task(id="t", run=lambda: runs.append(1))
    ex = run_of(app)
    ex.run_sync()
    ex.retry("t")
    ex.close()
    again = resumed(app)
    assert (again.run_sync().status, len(runs)) == ("finished", 2)


@pytest.mark.parametrize("id", ["nope", "p", "t"])
def test_only_what_has_ended_can_be_retried(id: str, run_of: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Phase(id="p", name="p")[Task(id="t", run=one.passed)])
    ex.step_sync()
    with pytest.raises(RunError, match=f"'{id}'"):
        ex.retry(id)


# ---- handle again ----------------------------------------------------------------------------------------------


class Handlers:
    """An agent whose handler fails until it is mended."""

    def __init__(self) -> None:
        self.model = scripted("tides", "never asked for")
        self.mended = False
        self.seen: list[Any] = []

    def save(self, result: Any, ctx: Any) -> None:
        self.seen.append(result)
        if not self.mended:
            raise ValueError("the handler is wrong")
        ctx.state.set("notes", result.output)

    @property
    def app(self) -> Any:
        return Claude(id="c", model=self.model, on_finished=self.save)["hi"]


@pytest.mark.logs_errors
def test_a_handler_is_called_again_on_the_recorded_result_without_a_request(run_of: Any) -> None:
    handlers = Handlers()
    ex = run_of(handlers.app)
    ex.run_sync()
    assert (len(handlers.seen), ex.state.get("notes")) == (1, None)
    handlers.mended = True
    ex.handle_again("c")
    assert ex.status == "ready" or not ex.over
    outcome = ex.run_sync()
    assert (outcome.status, outcome.problems, ex.state["notes"]) == ("finished", (), "tides")
    first, again = handlers.seen
    assert (again.output, again.usage, again.cost_usd, again.attempts) == ("tides", first.usage, 0.0, 1)
    assert (len(handlers.model.calls), len(ex.df.model_calls)) == (1, 1)
    assert list(ex.df.handlers.status) == ["raised", "ok"]
    assert list(ex.df.handlers.task_id) == ["c@1", again.task_id]
    ran, handled = ex.df.tasks.to_dict("records")
    assert (ran["settled_at_frame"], ran["requests"]) == (2, 1), "its record stays as it was"
    assert (handled["status"], handled["result"], handled["settled_at_frame"]) == ("succeeded", "tides", 4)
    assert handled["reason"] == "handled again: the result of c@1"
    assert pd.isna(handled["requests"]) and pd.isna(handled["started_at"])
    assert ex.store.check().ok
    assert "c is handled again by hand" in str(list(ex.df.frames.reason))


@pytest.mark.logs_errors
def test_what_was_to_be_handled_again_is_handled_after_a_restart_with_its_usage(run_of: Any, resumed: Any) -> None:
    handlers = Handlers()
    ex = run_of(handlers.app)
    ex.run_sync()
    ex.handle_again("c")
    ex.close()
    handlers.mended = True
    ex = resumed(handlers.app)
    assert ex.run_sync().status == "finished"
    assert (ex.state["notes"], len(handlers.model.calls)) == ("tides", 1)
    assert handlers.seen[1].usage == handlers.seen[0].usage
    ex.handle_again("c")
    ex.close()
    assert resumed(handlers.app).run_sync().status == "finished"
    assert len(handlers.seen) == 3
    assert (handlers.seen[2].usage, handlers.seen[2].output) == (handlers.seen[0].usage, "tides")


@pytest.mark.logs_errors
def test_a_mended_app_handles_again_and_a_replay_does_so_too(run_of: Any) -> None:
    handlers = Handlers()
    ex = run_of(handlers.app)
    ex.run_sync()
    ex.swap(Claude(id="c", model=handlers.model, on_finished=lambda r, ctx: ctx.state.set("notes", r.text))["hi"])
    ex.handle_again("c")
    ex.run_sync()
    ex.handle_again("c")
    ex.run_sync()
    assert (ex.state["notes"], len(handlers.model.calls)) == ("tides", 1)
    replay = ex.replay()
    frames = replay.history.df.handlers.frame
    assert list(frames) == list(ex.df.handlers.frame)
    assert [note for note in replay.notes if "handled again" in note] == []


def test_a_failure_is_handled_again_by_on_error(run_of: Any) -> None:
    seen: list[Any] = []
    ex = run_of(Task(id="t", run=lambda: 1 / 0, on_error=seen.append))
    ex.run_sync()
    ex.handle_again("t")
    assert ex.run_sync().status == "finished"
    assert [result.error for result in seen] == ["ZeroDivisionError: division by zero"] * 2


def test_a_node_without_a_handler_is_told_when_it_is_handled_again(run_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    ex.run_sync()
    ex.handle_again("t")
    [problem] = ex.run_sync().problems
    assert "t was to be handled again, and has no on_finished" in problem.message


@pytest.mark.parametrize("id", ["later", "ended"])
def test_only_what_was_handled_can_be_handled_again(id: str, run_of: Any) -> None:
    seen: list[Any] = []
    ex = run_of(
        [
            Phase(name="1")[Task(id="ended", run=lambda: 1, on_finished=seen.append)],
            Phase(name="2")[Task(id="later", run=lambda: 1)],
        ]
    )
    ex.step_sync()
    with pytest.raises(RunError, match=f"'{id}' has no task that has ended and was handled"):
        ex.handle_again(id)


# ---- swap ------------------------------------------------------------------------------------------------------


def test_a_swapped_app_keeps_the_tasks_and_handles_them_with_the_new_code(run_of: Any, gate: Any) -> None:
    one = gate()
    runs: list[str] = []

    async def run() -> str:
        runs.append("t")
        await one.passed()
        return "r"

    def app(word: str, extra: bool) -> Any:
        @component
        def App(ctx: Any) -> Any:
            return [
                Task(id="t", run=run, on_finished=lambda r: ctx.state.set("by", word)),
                Task(id="new", run=lambda: runs.append("new")) if extra else None,
            ]

        return App

    ex = run_of(app("old", False)(), state={"kept": 1})
    ex.step_sync()
    one.reached()
    ex.swap(app("new", True))
    frame = ex.step_sync()
    assert (frame.mounted, frame.unmounted) == (("new",), ())
    assert any("swapped" in why for why in frame.reason)
    one.open()
    assert ex.run_sync().status == "finished"
    assert (runs, dict(ex.state)) == (["t", "new"], {"by": "new", "kept": 1})
    assert ex.df.executions.iloc[0].app == "App"


@component
def Broken() -> Any:
    return [Task(id="x", run=len), Task(id="x", run=len)]


@component
def Raising() -> Any:
    return 1 / 0


@component
def Impure(ctx: Any) -> Any:
    ctx.state.set("x", 1)


@pytest.mark.parametrize(
    ("app", "error"),
    [(Broken, PlanError), (Raising, ComponentError), (Impure, PurityError), (object(), PlanError)],
    ids=["duplicate ids", "raises", "impure", "no node"],
)
def test_a_bad_swap_leaves_the_old_app_and_its_tasks(app: Any, error: Any, run_of: Any, gate: Any) -> None:
    one = gate()
    done: list[Any] = []
    ex = run_of(Task(id="t", run=one.passed, on_finished=done.append))
    ex.step_sync()
    with pytest.raises(error):
        ex.swap(app)
    assert ex.tasks["t"] == "running"
    one.open()
    assert (ex.run_sync().status, len(done), dict(ex.state)) == ("finished", 1, {})


def test_a_swap_of_a_finished_execution_makes_it_go_on(run_of: Any) -> None:
    ran: list[str] = []
    ex = run_of(Task(id="a", run=lambda: ran.append("a")))
    ex.run_sync()
    ex.swap([Task(id="a", run=lambda: ran.append("again")), Task(id="b", run=lambda: ran.append("b"))])
    assert ex.run_sync().status == "finished"
    assert ran == ["a", "b"]


def test_a_cell_can_be_mended_after_an_error_and_the_run_goes_on(run_of: Any) -> None:
    @component
    def Bad(ctx: Any) -> Any:
        return (
            Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", 1))
            if not ctx.state.get("n")
            else 1 / 0
        )

    @component
    def Good(ctx: Any) -> Any:
        return Task(id="t", run=lambda: 1), Task(id="u", run=lambda: 2)

    ex = run_of(Bad())
    with pytest.raises(ComponentError):
        ex.run_sync()
    with pytest.raises(ComponentError):
        ex.run_sync()
    ex.swap(Good)
    assert ex.run_sync().status == "finished"
    assert (ex.tasks["u"], list(ex.df.tasks.node_id)) == ("succeeded", ["t", "u"])


# ---- pending writes --------------------------------------------------------------------------------------------


@component
def Writes(ctx: Any) -> Any:
    def save(r: Any) -> None:
        ctx.state.set("a", 1)
        ctx.state.update("b", lambda b: (b or 0) + 1)
        ctx.state.delete("c")

    return Phase(name="p")[Task(id="t", run=lambda: 1, on_finished=save)]


def at_rest(run_of: Any, app: Any = None) -> tuple[Any, dict[str, str]]:
    ex = run_of(app or Writes(), state={"c": 1})
    ex.step_sync()
    while not ex.pending:
        ex.step_sync()
    return ex, {write.key: write.id for write in ex.pending}


def outcomes(ex: Any) -> dict[str, tuple[Any, str]]:
    rows = ex.df.transitions[ex.df.transitions.handler == "on_finished"]
    return {row["key"]: (row["new"], row["status"]) for row in rows.to_dict("records")}


@pytest.mark.parametrize("key", ["a", "b", "c"], ids=["set", "update", "delete"])
def test_an_edited_write_applies_its_new_value(key: str, run_of: Any) -> None:
    ex, ids = at_rest(run_of)
    ex.edit_pending(ids[key], 99)
    [write] = [write for write in ex.pending if write.key == key]
    assert (write.new, write.status, write.origin) == (99, "edited", "operator")
    ex.run_sync()
    assert ex.df.transitions.query("key == @key and frame > 0").origin.tolist() == ["operator"]
    assert dict(ex.state) == {"a": 1, "b": 1} | {key: 99}
    assert outcomes(ex)[key] == (99, "edited")
    [event] = ex.df.events.to_dict("records")
    assert (event["kind"], event["payload"]["write"], event["payload"]["key"]) == ("edit_pending", ids[key], key)


@pytest.mark.parametrize("key", ["a", "b", "c"], ids=["set", "update", "delete"])
def test_a_dropped_write_is_not_applied(key: str, run_of: Any) -> None:
    ex, ids = at_rest(run_of)
    ex.drop_pending(ids[key])
    assert [write.status for write in ex.pending if write.key == key] == ["dropped"]
    ex.run_sync()
    expected = {"a": 1, "b": 1}
    expected.pop(key, None)
    assert dict(ex.state) == expected | ({"c": 1} if key == "c" else {})
    assert outcomes(ex)[key][1] == "dropped"
    assert ex.df.transitions.query("status == 'dropped'").origin.tolist() == ["operator"]
    assert list(ex.df.events.kind) == ["drop_pending"]


def test_a_write_of_an_operator_can_be_edited_and_dropped(run_of: Any) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    ex.step_sync()
    ex.state.set("x", 1)
    ex.state.set("y", 1)
    ids = {write.key: write.id for write in ex.pending}
    ex.edit_pending(ids["x"], 2)
    ex.drop_pending(ids["y"])
    ex.run_sync()
    assert dict(ex.state) == {"x": 2}


def test_a_write_after_a_dropped_one_applies_to_the_value_before(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        def save(r: Any) -> None:
            ctx.state.set("n", 100)
            ctx.state.update("n", lambda n: (n or 0) + 1)

        return Task(id="t", run=lambda: 1, on_finished=save)

    ex, _ = at_rest(run_of, App())
    first, _second = ex.pending
    ex.drop_pending(first.id)
    ex.run_sync()
    assert ex.state["n"] == 1


@pytest.mark.parametrize("value", [{object()}, object(), float("nan")], ids=["a set of objects", "an object", "nan"])
def test_an_edit_that_cannot_be_stored_is_refused(value: Any, run_of: Any) -> None:
    ex, ids = at_rest(run_of)
    with pytest.raises(NotStorableError, match="'a'"):
        ex.edit_pending(ids["a"], value)
    ex.run_sync()
    assert ex.state["a"] == 1


def test_a_write_that_does_not_wait_cannot_be_touched(run_of: Any) -> None:
    ex, ids = at_rest(run_of)
    for unknown in ("nope", ""):
        with pytest.raises(RunError, match="is pending"):
            ex.edit_pending(unknown, 1)
    ex.run_sync()
    with pytest.raises(RunError, match="is pending"):
        ex.drop_pending(ids["a"])
    assert ex.state["a"] == 1


def test_a_write_of_a_handler_that_raised_cannot_be_revived(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        def save(r: Any) -> None:
            ctx.state.set("a", 1)
            raise ValueError("rolled back")

        return Task(id="t", run=lambda: 1, on_finished=save)

    ex, ids = at_rest(run_of, App())
    with pytest.raises(SmithersError):
        ex.edit_pending(ids["a"], 2)
    ex.run_sync()
    assert dict(ex.state) == {"c": 1}
    assert outcomes(ex)["a"][1] == "rolled_back"


def test_a_dropped_write_of_an_effect(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Effect(id="e", run=lambda: ctx.state.set("x", 1))

    ex, ids = at_rest(run_of, App())
    ex.drop_pending(ids["x"])
    assert ex.run_sync().status == "finished"
    assert "x" not in ex.state
