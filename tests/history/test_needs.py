"""The smallest edit of the state after which something is in the plan: found in the code, confirmed by rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from smithers_nb import (
    DELETED,
    Case,
    Claude,
    Default,
    Each,
    End,
    Execution,
    If,
    Phase,
    Store,
    Switch,
    Task,
    component,
    errors,
)
from smithers_nb.notebook.subcommands import SUBCOMMANDS
from smithers_nb.store.moments import Moments
from tests.engine.test_branches import rows

Made = Callable[..., Execution]


class Review(BaseModel):
    score: int = 0
    tags: list[str] = []


@dataclass
class Vote:
    yes: bool = False


def work() -> int:
    return 6


def leaf(id: str) -> Task:
    return Task(id=id, run=work)


@component
def Judged(ctx: Any, score: Any) -> Any:
    if score is None:
        return leaf("wait")
    if score > 6:
        return End(id="end")
    return leaf("again")


@component
def Plan(ctx: Any) -> Any:
    get = ctx.state.get
    review, tags, seen = get("review", {}), get("tags", []), get("seen")
    fields = get("model")
    vote = get("vote")
    mood = ctx.signal("mood", "fair")
    return [
        Task(id="judge", run=work, on_finished=lambda r: ctx.state.set("score", r.output)),
        Judged(score=get("score")),
        If(condition=review.get("n", 0) >= 5)[leaf("dict")],
        If(condition="x" in tags)[leaf("member")],
        If(condition=len(tags) == 3)[leaf("length")],
        If(condition="flag" in ctx.state)[leaf("exists")],
        If(condition=seen is not None)[leaf("not-none")],
        If(condition=get("n", 1) != 1)[leaf("other")],
        If(condition=get("n", 1) < 0)[leaf("less")],
        If(condition=not get("on", True))[leaf("off")],
        If(condition=bool(get("a") and not get("b", True)))[leaf("two")],
        If(condition=bool(get("a") or get("b2")))[leaf("either")],
        If(condition=mood.get() in ("good", "fine"))[leaf("in")],
        If(condition=fields is not None and fields.score > 3)[leaf("field")],
        If(condition=vote is not None and vote.yes)[leaf("dataclass")],
        Switch(value=get("verdict"))[Case(equals="yes")[leaf("yes")], Default()[leaf("no")]],
        Each(items=get("items", []), key=str, render=lambda item: leaf(f"item-{item}")),
        Phase(name="later")[Phase(name="hidden", skip_if=get("skip", True))[leaf("skipped")]],
        get("low", 3) > get("high", 9) and leaf("crossed"),
        If(condition="lock" not in ctx.state)[leaf("unlocked")],
        If(condition="y" not in get("held", ["y", "z"]))[leaf("lacks")],
        If(condition=mood.get() not in ("fair", "fine"))[leaf("not-in")],
    ]


NEEDED: dict[str, dict[str, Any]] = {
    "end": {"score": 7},
    "wait": {"score": None},
    "Judged": {},
    "dict": {"review": {"n": 5}},
    "member": {"tags": ["x"]},
    "length": {"tags": ["…", "…", "…"]},
    "exists": {"flag": True},
    "not-none": {"seen": True},
    "other": {"n": 2},
    "less": {"n": -1},
    "off": {"on": False},
    "two": {"a": True, "b": False},
    "either": {"a": True},
    "in": {"mood": "good"},
    "field": {"model": Review(score=4)},
    "dataclass": {"vote": Vote(yes=True)},
    "yes": {"verdict": "yes"},
    "item-…": {"items": ["…"]},
    "skipped": {"skip": False},
    "crossed": {"low": 9},
    "unlocked": {"lock": DELETED},
    "lacks": {"held": ["z"]},
    "not-in": {"mood": None},
    "judge": {},
}


@pytest.fixture
def ex(run_of: Made) -> Execution:
    made = run_of(Plan, state={"model": Review(score=1), "vote": Vote(), "lock": True})
    made.run_sync()
    return made


@pytest.mark.parametrize("target", NEEDED)
def test_the_edit_is_the_smallest_and_its_plan_has_the_target(target: str, ex: Execution) -> None:
    found = ex.needs(target)
    expected = NEEDED[target] if target != "crossed" else found.state
    assert (found.found, found.state) == (True, expected), found
    tree = ex.what_if(found.state).tree
    assert target in tree.index or target == "Judged"
    assert len(found.state) == len(NEEDED[target])


def test_the_sentence_tells_what_is_there_and_who_wrote_it(ex: Execution) -> None:
    before = rows(ex.store.path, ex.execution_id)
    found = ex.needs("end")
    frame = int(ex.df.transitions.set_index("key").loc["score"].frame)
    expected = f"end would be in the plan if score were 7 (it is 6, written in frame {frame} by judge's on_finished)"
    assert found.statements[0].text == expected and found.statements[0].evidence == "derived"
    write = found.statements[-1]
    assert (write.table, write.evidence) == ("transitions", "recorded")
    row = ex.df.transitions.set_index("id").loc[write.row_id]
    assert (row.key, row.new, row.handler) == ("score", 6, "on_finished")
    guard = found.statements[1]
    assert guard.text == "score > 6 is true then" and str(guard.source).startswith("test_needs.py:")
    assert rows(ex.store.path, ex.execution_id) == before


def test_a_branch_with_the_edit_has_it_in_its_plan(ex: Execution) -> None:
    branch = ex.needs("end").fork()
    try:
        family = ex.store.branches(ex.execution_id).set_index("execution_id")
        assert family.loc[branch.execution_id].forked_at_frame == ex.recorded - 1
        assert branch.run_sync().status == "finished"
        assert "end" in branch.at(branch.recorded).tree.index and branch.state["score"] == 7
        again = branch.needs("end", frame=ex.recorded - 1)
        assert again.found and again.state == {"score": 7}, "frames before the fork are read along the line"
        assert branch.needs("end").state == {}, "it is in the plan of the branch as it is"
    finally:
        branch.close()


def test_a_recorded_file_answers_with_the_app(ex: Execution) -> None:
    recorded = Store(ex.store.path).open(ex.execution_id)
    found = recorded.needs("end", app=Plan)
    assert found.state == {"score": 7} and found.text == ex.needs("end").text
    unknown = recorded.needs("end")
    assert not unknown.found and "not known: a file has no code" in unknown.text
    with pytest.raises(errors.StoreError, match="no edit was found"):
        unknown.fork()
    branch = found.fork()
    branch.close()
    assert branch.store.sql("SELECT new FROM transitions WHERE trigger = 'fork'").new.tolist() in ([7], ["7"])


def test_a_value_that_was_there_in_another_frame_is_tried(run_of: Made) -> None:
    @component
    def Opaque(ctx: Any) -> Any:
        text = ctx.state.get("text", "")
        return [
            Task(id="write", run=work, on_finished=lambda r: ctx.state.set("text", "it is GOOD")),
            sum(map(ord, text)) == sum(map(ord, "it is GOOD")) and leaf("checked"),
        ]

    ex = run_of(Opaque)
    ex.run_sync()
    found = ex.needs("checked", frame=1)
    assert found.state == {"text": "it is GOOD"} and "it is missing" in found.text


def test_what_was_not_found_is_told(run_of: Made) -> None:
    @component
    def Never(ctx: Any) -> Any:
        n = ctx.state.get("n", 1)
        return [leaf("there"), n * n == -1 and leaf("never"), ctx.frame == 0 and leaf("unguarded")]

    ex = run_of(Never, state={"n": 3})
    ex.run_sync()
    found = ex.needs("never")
    assert not found.found and found.state == {} and found.statements[0].evidence is None
    assert "nothing was found: 2 renderings with other values, of n" in found.text
    assert "n * n == -1 is true, it needs" in found.text
    assert "no component can return nevre. Did you mean 'never'?" in ex.needs("nevre").text


def test_the_search_ends_after_its_renderings(run_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smithers_nb.needs.RENDERS", 20)

    @component
    def Many(ctx: Any) -> Any:
        values = [ctx.state.get(f"k{n}", 0) for n in range(9)]
        get = ctx.state.get
        return (
            get("a") == 1 and get("b") == 2 and get("c") == 3 and get("d") == 4 and get("e") == 5 and get("f") == 6
            and get("g") == 7 and get("h") == 8 and sum(values) > 99 and leaf("far")
        )  # fmt: skip

    ex = run_of(Many)
    ex.run_sync()
    found = ex.needs("far")
    assert not found.found and found.renders == 20
    assert "which is as many as are made (20, or 1 s)" in found.text


def test_the_search_ends_after_its_time(ex: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smithers_nb.needs.SECONDS", -1.0)
    found = ex.needs("end")
    assert (found.found, found.renders) == (False, 0)
    assert "which is as many as are made (500, or -1 s)" in found.text


def test_a_candidate_over_which_the_code_raises_is_none(run_of: Made) -> None:
    @component
    def Raising(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        if n != 0:
            if n == 1:
                raise ValueError("one")
            return leaf("there")
        return None

    ex = run_of(Raising)
    ex.step_sync()
    found = ex.needs("there")
    assert found.found and found.state["n"] != 1


def test_nodes_without_an_id_are_named_by_type_or_name(run_of: Made) -> None:
    @component
    def Named(ctx: Any) -> Any:
        return ctx.state.get("k") == 2 and Phase(name="write")[Claude(model="m")["x"]]

    ex = run_of(Named)
    ex.step_sync()
    assert ex.needs("write").state == ex.needs("claude").state == {"k": 2}


def test_it_would_be_pending_is_told(run_of: Made) -> None:
    @component
    def Late(ctx: Any) -> Any:
        return [
            Phase(name="a")[leaf("first"), leaf("second")],
            Phase(name="b")[ctx.state.get("k") and leaf("late")],
        ]

    ex = run_of(Late)
    ex.step_sync()
    assert "late would not start in this frame: it would be pending" in ex.needs("late").text


def test_tab_offers_the_nodes_that_are_absent(ex: Execution) -> None:
    offered = set(SUBCOMMANDS["needs"].offered(ex, []))
    assert {"end", "dict", "two"} <= offered and "judge" not in offered
    assert not [*SUBCOMMANDS["needs"].offered(ex, ["end"])]


def test_hostile_values_are_inert(run_of: Made) -> None:
    @component
    def Hostile(ctx: Any) -> Any:
        return ctx.state.get("<img src=x>") == "<script>alert(1)</script>\u202e" and leaf("t")

    ex = run_of(Hostile)
    ex.step_sync()
    found = ex.needs("t")
    html = found._repr_html_()
    assert found.found and "<script" not in html and "<img" not in html and "\u202e" not in html


def test_the_values_of_a_key_are_those_of_the_line(ex: Execution) -> None:
    file = Moments(ex.store.reader, ex.execution_id)
    assert [one.text for one in file.values_of("score", 4)] == ["6"]


def test_an_edit_that_removes_a_key_is_told_tried_and_branched_with(ex: Execution, resumed: Made) -> None:
    found = ex.needs("unlocked")
    assert "if lock were not in the state (it is True, given with the first state)" in found.text
    assert "if lock were not in the state?" in ex.what_if(found.state).question
    with found.fork() as branch:
        branch.run_sync()
        assert "lock" not in branch.state and "unlocked" in branch.at(branch.recorded).tree.index
        assert branch.why("state:lock").roots[0].text.startswith("the fork deleted lock after frame")
        first = ex.recorded - 1
        assert "lock" in branch.at(first).state and "lock" not in branch.at(first + 1).state
    assert ex.state["lock"] is True, "the parent is as it was"
    again = resumed(Plan, id=branch.execution_id)
    assert "lock" not in again.state
    with again.fork(state={"lock": False, "score": DELETED}) as third:
        assert (third.state["lock"], "score" in third.state) == (False, False)
    with pytest.raises(errors.NotStorableError, match="lock"):
        Execution(Plan, store=ex.store, state={"lock": DELETED})
