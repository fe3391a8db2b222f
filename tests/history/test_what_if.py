"""One recorded frame over other state or code: what the plan would gain, lose and change, and what would start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb import Claude, End, Execution, If, Phase, Ralph, Smithers, Store, Task, component, errors, scripted
from smithers_nb.records import Statement
from tests.engine.test_branches import rows

Made = Callable[..., Execution]


def work() -> int:
    return 6


@component
def Graded(ctx: Any) -> Any:
    score = ctx.state.get("score")
    return [
        Task(id="judge", run=work, on_finished=lambda r: ctx.state.set("score", r.output)),
        If(condition=score is not None and score > 6)[End(id="end")],
        Task(id="again", run=work) if score is not None and score <= 6 else None,
        Phase(name="write")[Claude(id="draft", model="m", system=ctx.state.get("tone"))[f"It is {score}."]],
        Phase(name="check")[ctx.state.get("careful") and Task(id="check", run=work)],
    ]


def graded(run_of: Made, **options: Any) -> Execution:
    ex = run_of(Graded, models={"m": scripted("a", "b", "c")}, **options)
    ex.run_sync()
    return ex


def test_other_state_gains_loses_and_changes(run_of: Made) -> None:
    ex = graded(run_of)
    before = rows(ex.store.path, ex.execution_id)
    found = ex.what_if({"score": 7})
    assert (found.gained, found.lost, found.starts) == (("end",), ("again",), ())
    assert "draft" in found.changed and len(found.changed) == 2, "the prompt, and the condition of the If"
    assert "end #end would be in the plan" in found.text and "task #again would not be in the plan" in found.text
    assert "claude #draft would have another prompt" in found.text
    assert found.tree.index["draft"].children[0].text == "It is 7."
    assert rows(ex.store.path, ex.execution_id) == before


def test_tasks_that_would_start_are_told_and_pending_ones_are_not(run_of: Made) -> None:
    ex = run_of(Graded, models={"m": scripted("a")})
    ex.step_sync()
    found = ex.what_if({"score": 3, "careful": True})
    assert set(found.gained) >= {"again", "check"} and found.starts == ("again",), "check is behind two phases"
    assert "task #again would be in the plan, and start" in found.text
    assert "task #check would be in the plan  [" in found.text


def test_what_is_the_same_says_so(run_of: Made) -> None:
    ex = graded(run_of)
    found = ex.what_if()
    assert (found.gained, found.lost, found.changed, found.starts) == ((), (), (), ())
    assert "the plan would be the same" in found.text
    assert list(found.df.columns) == [
        "depth", "text", "frame", "phase", "node_id", "source", "table", "row_id", "execution_id", "evidence",
    ]  # fmt: skip


def test_an_earlier_frame_is_rendered_over_what_it_read(run_of: Made) -> None:
    ex = graded(run_of)
    assert ex.what_if(frame=1).gained == ()
    assert "again" in ex.what_if({"score": 1}, frame=1).gained
    with pytest.raises(errors.StoreError, match="no frame 99"):
        ex.what_if(frame=99)


def test_a_wrong_key_is_told_with_the_nearest(run_of: Made) -> None:
    ex = graded(run_of)
    with pytest.raises(errors.StoreError, match=r"no state key 'scoer': .* Did you mean 'score'\?"):
        ex.what_if({"scoer": 7})
    assert "check" in ex.what_if({"careful": True}).gained, "a key that is only read is no wrong one"
    with pytest.raises(errors.NotStorableError):
        ex.what_if({"score": object()})


def test_other_code_is_compared_with_the_recorded_plan(run_of: Made) -> None:
    ex = graded(run_of)

    @component
    def Other(ctx: Any) -> Any:
        return [Task(id="judge", run=work, retries=2), Task(id="new", run=work)]

    found = ex.what_if(app=Other)
    assert found.gained == ("new",) and found.starts == ("new",) and found.changed == ("judge",)
    assert {"again", "draft"} <= set(found.lost)
    assert "task #judge would have another retries and set of handlers" in found.text
    recorded = Store(ex.store.path).open(ex.execution_id)
    assert recorded.what_if(app=Other).gained == ("new",)
    unknown = recorded.what_if({"score": 7})
    assert unknown.gained == () and "not known: a file has no code" in unknown.text
    assert unknown.df["evidence"].isna().all()


def test_code_that_raises_raises_here_too(run_of: Made) -> None:
    ex = graded(run_of)
    with pytest.raises(errors.ComponentError, match="'>' not supported"):
        ex.what_if({"score": "seven"})


def test_a_loop_stands_in_the_iteration_of_its_frame(run_of: Made) -> None:
    @component
    def Loop(ctx: Any) -> Any:
        return Ralph(id="loop", until=ctx.state.get("n", 0) >= 2)[
            Task(id="count", run=work, on_finished=lambda r: ctx.state.update("n", lambda n: (n or 0) + 1)),
            ctx.state.get("more") and Task(id="more", run=work),
        ]

    ex = run_of(Loop)
    ex.run_sync()
    loops = ex.df.loops
    frame = int(loops[loops["iteration"] == 2]["from_frame"].min()) + 1
    found = ex.what_if({"more": True}, frame=frame)
    assert found.gained == ("more",) and found.tree.index["loop"].props["iteration"] == 2
    assert found.lost == () and found.starts == ("more",)
    for number in ex.df.frames.frame:
        assert ex.what_if(frame=int(number)).tree.xml == ex.at(int(number)).xml


def test_volatile_values_are_told_as_not_known(run_of: Made) -> None:
    @component
    def Reads(ctx: Any) -> Any:
        return Task(id="a", run=work) if ctx.vol.get("v") or ctx.state.get("k") else None

    ex = run_of(Reads)
    ex.ctx.vol.set("v", 1)
    ex.step_sync()
    assert "a" in ex.at(1).tree.index and ex.what_if().lost == (), "not recorded: no change, and told"
    assert "not known: Reads reads ctx.vol 'v', which is not recorded" in ex.what_if({"k": 1}).text


def test_a_branch_is_read_along_its_line_and_a_child_by_its_id(run_of: Made) -> None:
    @component
    def Child(ctx: Any) -> Any:
        return Task(id="inner", run=work) if ctx.state.get("on", True) else Task(id="off", run=work)

    @component
    def Parent(ctx: Any) -> Any:
        return [
            Smithers(id="child", component=Child),
            Task(id="k", run=work, on_finished=lambda r: ctx.state.set("k", 1)),
            ctx.state.get("late") and Task(id="late", run=work),
        ]

    ex = run_of(Parent)
    ex.run_sync()
    branch = ex.fork(2)
    branch.run_sync()
    try:
        for frame in (1, 2, branch.recorded):
            assert branch.what_if({"late": True}, frame=frame).gained == ("late",)
    finally:
        branch.close()
    ids = ex.store.sql("SELECT execution_id FROM executions WHERE kind = 'child' LIMIT 1").execution_id
    child = ex.store.open(ids[0])
    found = child.what_if({"on": False}, app=Child())
    assert (found.gained, found.lost) == (("off",), ("inner",))


def test_hostile_text_is_inert(run_of: Made) -> None:
    @component
    def Hostile(ctx: Any) -> Any:
        return Task(id="<script>alert(1)</script>\u202e", run=work) if ctx.state.get("k") else None

    ex = run_of(Hostile)
    ex.step_sync()
    found = ex.what_if({"k": "</bdi><script>x</script>"})
    assert "<script" not in found._repr_html_() and "\u202e" not in found._repr_html_()
    assert "\u202e" not in found.text and all(isinstance(one, Statement) for one in found.statements)
