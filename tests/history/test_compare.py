"""Two executions are compared event by event: by node, loop iteration and n-th event, and branches along their line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, End, Execution, Phase, Ralph, Smithers, Store, Task, component, scripted
from smithers_nb.errors import UnknownExecutionError
from tests.history import programs

Made = Callable[..., Execution]


@component
def Draft(ctx: Any, prompt: str = "Write", times: int = 2, late: bool = False) -> Any:
    """A prompt, a task, and a loop over tasks."""
    begun = ctx.state.get("begun")
    n = ctx.state.get("n", 0)
    return [
        Task(id="begin", run=lambda: 1, on_finished=lambda r: ctx.state.set("begun", True)) if late else None,
        Phase(name="draft")[
            Claude(id="draft", model="m", on_finished=lambda r: ctx.state.set("text", r.output))[prompt]
            if begun or not late
            else None
        ],
        Ralph(id="loop", until=n >= 3, max_iterations=5)[
            Task(id="more", run=lambda: n + (times if n else 1), on_finished=lambda r: ctx.state.set("n", r.output))
        ],
    ]


def ran(run_of: Made, **options: Any) -> Execution:
    ex = run_of(Draft, models={"m": scripted("a draft")}, **options)
    ex.run_sync()
    return ex


# A replay, and no second run: in which order parallel tasks end, and so which write loses, differs from run to run.
@pytest.mark.parametrize("app", programs.PROGRAMS.values(), ids=lambda app: app.name)
def test_a_run_and_its_replay_do_not_differ(app: Any, run_of: Made) -> None:
    ex = run_of(app)
    programs.ran(ex)
    replay = ex.replay()
    assert replay.same, replay
    compared = ex.compare(replay.history)
    assert compared.same and compared.first is None, compared
    assert list(compared.df.columns)[:4] == ["what", "node_id", "key", "iteration"] and compared.df.empty
    assert "do not differ" in repr(compared) and "do not differ" in compared._repr_html_()


def test_another_prompt_differs_in_text_and_request_only(run_of: Made) -> None:
    one, other = ran(run_of), ran(run_of, props={"prompt": "Sing"})
    compared = one.compare(other)
    assert [(row.what, row.node_id) for row in compared.rows] == [("text", "draft"), ("model call", "draft")]
    first = compared.first
    assert first is not None and (first.one, first.other, first.one_frame, first.other_frame) == ("Write", "Sing", 1, 1)
    assert "text of draft: Write (frame 1) | Sing (frame 1)" in compared.text
    mirrored = other.compare(one)
    assert [(row.what, row.one, row.other) for row in mirrored.rows] == [
        (row.what, row.other, row.one) for row in compared.rows
    ]


def test_frames_that_shift_make_no_difference(run_of: Made) -> None:
    compared = ran(run_of).compare(ran(run_of, props={"late": True}))
    assert {row.node_id for row in compared.rows if row.node_id} <= {"begin"}, compared
    assert {row.key for row in compared.rows if row.what in ("state", "write")} == {"begun"}


def test_a_loop_is_aligned_by_its_iterations(run_of: Made) -> None:
    compared = ran(run_of).compare(ran(run_of, props={"times": 1}))
    tasks = compared.df[compared.df.what == "task"]
    assert list(zip(tasks.node_id, tasks.iteration, tasks.one, tasks.other, strict=True)) == [
        ("more", 2, "3", "2"), ("more", 3, None, "succeeded, 3, int"),
    ]  # fmt: skip
    assert str(compared.df.iteration.dtype) == "Int64"


def test_a_prop_is_told_by_its_name(run_of: Made) -> None:
    made = []
    for name in ("one", "two"):
        made.append(run_of(Phase(id="p", name=name)[Task(id="t", run=lambda: 1)]))
        made[-1].run_sync()
    [row] = made[0].compare(made[1]).rows
    assert (row.what, row.node_id, row.key, row.one, row.other) == ("prop", "p", "name", '"one"', '"two"')


def test_siblings_that_only_moved_up_are_no_difference_and_a_new_order_is_one(run_of: Made) -> None:
    def order(*ids: str) -> Execution:
        ex = run_of(Phase(id="p", name="p")[[Task(id=id, key=id, run=lambda: 1) for id in ids]])
        ex.run_sync()
        return ex

    fewer = order("b", "c")
    assert {row.node_id for row in order("a", "b", "c").compare(fewer).rows} == {"a"}
    assert {(row.node_id, row.key) for row in order("c", "b").compare(fewer).rows if row.what == "node"} == {
        ("b", "position"), ("c", "position"),
    }  # fmt: skip


def test_a_branch_is_compared_along_its_line(run_of: Made) -> None:
    ex = ran(run_of)
    with ex.fork(2) as same, ex.fork(2, state={"n": 7}) as branch:
        same.run_sync()
        branch.run_sync()
        # Answers are the script's again: only what was changed differs.
        assert ex.compare(same).same, ex.compare(same)
        compared = ex.compare(branch)
        assert compared.rows and {row.what for row in compared.rows} >= {"write", "state"}
        # A task that was not settled at the fork has begun before it, and starts again in the branch.
        assert all(row.frame >= 2 for row in compared.rows if row.what not in ("task", "model call")), compared


def test_a_key_that_a_fork_edits_keeps_its_value_before(run_of: Made) -> None:
    ex = ran(run_of, state={"k": 1})
    with ex.fork(2, state={"k": 5}) as branch:
        branch.run_sync()
        found = [(row.what, row.one, row.other) for row in ex.compare(branch).rows if row.key == "k"]
        assert found == [("write", None, "applied, 5"), ("state", None, "5, int")], ex.compare(branch)
        with branch.fork(3) as next:
            next.run_sync()
            assert branch.compare(next).same


def test_children_are_compared_by_the_node_that_ran_them(run_of: Made) -> None:
    made = []
    for n in (1, 2):
        made.append(run_of(Smithers(id="below", component=programs.Child, args={"n": n})))
        made[-1].run_sync()
    compared = made[0].compare(made[1])
    assert ("task", "inner", "below") in [(row.what, row.node_id, row.child) for row in compared.rows], compared


def test_the_other_may_be_a_name_an_id_a_history_or_in_another_file(run_of: Made, tmp_path: Path) -> None:
    ex = ran(run_of)
    far = Execution(Draft, name="far", store=tmp_path / "far.db", models={"m": scripted("a draft")})
    with far:
        far.run_sync()
        history = Store(far.store.path).open("far")
        for other in (far, history, ex.execution_id, ex.name):
            assert ex.compare(other).same
        assert history.compare(ex).same
        with pytest.raises(UnknownExecutionError, match=r"no execution 'far'. It has "):
            ex.compare("far")
    with pytest.raises(TypeError, match="an Execution, a History, or the id or name"):
        ex.compare(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is empty"):
        ex.compare(" ")


def test_nothing_of_a_model_is_markup(run_of: Made) -> None:
    compared = ran(run_of, props={"prompt": "<script>alert(1)</script>"}).compare(ran(run_of))
    html = compared._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html


def test_ends_with_other_values_are_told_as_values(run_of: Made) -> None:
    one, other = run_of(End(value="ok"), name="one"), run_of(End(value="late"), name="other")
    for ex in (one, other):
        ex.run_sync()
    [end] = [row for row in one.compare(other).rows if row.what == "end"]
    assert (end.one, end.other) == ('"ok"', '"late"')
    [end] = [
        row for row in one.compare(run_of(Task(id="t", run=len, args=["x"]), name="none")).rows if row.what == "end"
    ]
    assert (end.one, end.other) == ('finished, "ok", str', "not over")
