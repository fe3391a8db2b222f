"""Questions of child executions: seen from the parent, and answered there by ids that mean one of them."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Approval, Execution, Smithers, Store, component
from smithers_nb.errors import ApprovalError
from smithers_nb.execution import run_behind


@component
def Chapter(ctx: Any, name: str = "") -> Any:
    return Approval(id="ok", prompt=f"publish {name}?", on_finished=lambda r: ctx.state.set("answer", r.output))


@component
def Part(ctx: Any) -> Any:
    return [Smithers(id="inner", component=Chapter, args={"name": "inner"}), Approval(id="title", prompt="good?")]


def book() -> Any:
    return [Smithers(id=id, component=Chapter, args={"name": id}) for id in ("one", "two")]


def answers(ex: Execution) -> dict[str, Any]:
    """Return by prompt what was answered."""
    return dict(ex.df.approvals[["prompt", "choice"]].itertuples(index=False))


@pytest.fixture
def asking(run_of: Any) -> Execution:
    ex = run_of(book())
    ex.run_sync()
    assert ex.status == "waiting"
    return ex


def test_questions_of_children_are_in_the_parents_approvals_with_whose_they_are(asking: Execution) -> None:
    found = asking.df.approvals
    executions = asking.df.executions if len(asking.df.executions) > 1 else Store(asking.store.path).executions()
    names = dict(executions[["execution_id", "name"]].itertuples(index=False))
    assert sorted(zip(found.execution_id.map(names), found.prompt, strict=True)) == [
        ("execution/one", "publish one?"),
        ("execution/two", "publish two?"),
    ]
    child = Store(asking.store.path).open("execution/one").df.approvals
    assert list(child.prompt) == ["publish one?"]


@pytest.mark.parametrize("id", ["ok", "ok@1"])
def test_an_id_that_two_children_share_is_refused_with_both_full_ids(id: str, asking: Execution) -> None:
    with pytest.raises(ApprovalError, match=r"waits in 2 children.*'one/ok' or 'two/ok'"):
        asking.answer(id, "approve")
    assert set(answers(asking).values()) == {None}


def by_nodes(ex: Execution, number: int) -> str:
    return ("one/ok", "two/ok")[number]


def by_questions(ex: Execution, number: int) -> str:
    names = sorted(run_behind(ex).publish().names)
    return names[0] if len(names) == 1 else names[number]


def by_nodes_and_approval(ex: Execution, number: int) -> str:
    return ("one/ok@1", "two/ok@1")[number]


def by_execution(ex: Execution, number: int) -> str:
    row = ex.df.approvals.sort_values("prompt").iloc[number]
    return f"{row.execution_id}/{row.approval_id}"


@pytest.mark.parametrize("full", [by_nodes, by_nodes_and_approval, by_execution, by_questions])
def test_both_are_answered_by_their_full_ids(full: Any, asking: Execution) -> None:
    first, second = full(asking, 0), full(asking, 1)
    asking.answer(first, "approve")
    asking.answer(second, "deny")
    assert asking.run_sync().status == "finished"
    assert answers(asking) == {"publish one?": "approve", "publish two?": "deny"}


def test_the_last_one_that_waits_needs_no_full_id(asking: Execution) -> None:
    assert sorted(run_behind(asking).publish().names) == ["one/ok", "two/ok"]
    asking.answer("two/ok", "deny")
    assert run_behind(asking).publish().names == ("ok",)
    asking.answer("ok", "approve")
    assert asking.run_sync().status == "finished"
    assert answers(asking) == {"publish one?": "approve", "publish two?": "deny"}


def test_the_parents_own_question_is_meant_by_its_id_and_the_childs_by_its_full_one(run_of: Any) -> None:
    ex = run_of([Approval(id="ok", prompt="mine?"), Smithers(id="one", component=Chapter, args={"name": "one"})])
    ex.run_sync()
    assert run_behind(ex).publish().names == ("ok", "one/ok")
    ex.answer("ok", "approve")
    ex.answer("one/ok", "deny")
    assert ex.run_sync().status == "finished"
    assert answers(ex) == {"mine?": "approve", "publish one?": "deny"}


def test_a_grandchilds_question_is_answered_by_any_end_of_its_full_id(run_of: Any) -> None:
    ex = run_of([Smithers(id=id, component=Part) for id in ("left", "right")])
    ex.run_sync()
    assert sorted(run_behind(ex).publish().names) == ["left/inner/ok", "left/title", "right/inner/ok", "right/title"]
    with pytest.raises(ApprovalError, match="'left/inner/ok' or 'right/inner/ok'"):
        ex.answer("inner/ok", "approve")
    for id in ("left/inner/ok", "left/title", "inner/ok", "title"):
        ex.answer(id, "approve")
    assert ex.run_sync().status == "finished"
    assert list(ex.df.approvals.choice) == ["approve"] * 4


def test_an_id_that_no_one_has_says_which_wait(asking: Execution) -> None:
    with pytest.raises(ApprovalError, match=r"no approval 'nonsense' waits.*one/ok, two/ok"):
        asking.answer("nonsense", "approve")
    with pytest.raises(ApprovalError, match="'maybe' is no choice of ok"):
        asking.answer("one/ok", "maybe")
