"""Approvals wait for a person, say so, take only what they offer, and survive a restart."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Approval, If, Parallel, Phase, Task, component
from smithers_nb.errors import ApprovalError, PropError
from smithers_nb.records import Answer
from smithers_nb.store import writer


@component
def Asks(ctx: Any, **props: Any) -> Any:
    return [
        Phase(name="ask")[
            Approval(
                id="ok", prompt="Ship it?", on_finished=lambda r: ctx.state.set("said", [r.output, r.text]), **props
            )
        ],
        Phase(name="then")[Task(id="ship", run=lambda: "shipped")],
    ]


def approvals(ex: Any) -> list[tuple[Any, ...]]:
    return ex.store.reader.query(
        "SELECT approval_id, node_id, kind, prompt, payload, options, status, choice, comment FROM approvals"
    ).rows


def test_a_run_that_only_waits_for_a_person_returns_and_says_so(run_of: Any) -> None:
    ex = run_of(Asks(kind="release", payload={"v": 1}))
    result = ex.run_sync()
    assert (result.status, ex.status) == ("waiting", "waiting")
    assert "ok" in result.reason and "answer" in result.reason
    assert (ex.tasks["ok"], ex.tasks["ship"]) == ("blocked", "pending")
    row = ex.df.tasks.iloc[0]
    assert (row.status, row.reason) == ("blocked", "approval")
    assert approvals(ex) == [
        ("ok@1", "ok", "release", "Ship it?", '{"v":1}', '["approve", "deny"]', "waiting", None, None)
    ]


@pytest.mark.parametrize("by", ["ok", "ok@1"], ids=["node id", "task id"])
@pytest.mark.parametrize(
    ("choice", "comment", "said"), [("approve", None, ["approve", "approve"]), ("deny", "not yet", ["deny", "not yet"])]
)
def test_an_answer_is_the_result(by: str, choice: str, comment: Any, said: Any, run_of: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    ex.answer(by, choice, comment)
    assert ex.run_sync().status == "finished"
    assert (ex.state["said"], ex.tasks["ship"]) == (said, "succeeded")
    assert approvals(ex)[0][6:] == ("answered", choice, comment)
    row = ex.df.tasks.set_index("node_id").loc["ok"]
    assert (row.status, row.result) == ("succeeded", choice)


def test_options_are_the_users(run_of: Any) -> None:
    ex = run_of(Asks(options=["red", "green", "blue"]))
    ex.run_sync()
    with pytest.raises(ApprovalError, match=r"'approve' is no choice of ok.*red"):
        ex.answer("ok", "approve")
    ex.answer("ok", "blue")
    ex.run_sync()
    assert ex.state["said"] == ["blue", "blue"]


def test_no_options_are_refused() -> None:
    with pytest.raises(PropError, match="options"):
        Approval(prompt="?", options=[])


WRONG: dict[str, tuple[str, str, str]] = {
    "an unknown id": ("nope", "approve", "Waiting: ok"),
    "a task that is no approval": ("ship", "approve", "Waiting: ok"),
    "a wrong choice": ("ok", "maybe", "approve"),
    "an empty choice": ("ok", "", "approve"),
}


@pytest.mark.parametrize(("id", "choice", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_refused_and_changes_nothing(id: str, choice: str, says: str, run_of: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    with pytest.raises(ApprovalError, match=says):
        ex.answer(id, choice)
    assert ex.tasks["ok"] == "blocked"
    assert approvals(ex)[0][7] is None
    assert ex.run_sync().status == "waiting"


def test_an_answer_counts_once(run_of: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    ex.answer("ok", "approve")
    with pytest.raises(ApprovalError, match="Waiting: none"):
        ex.answer("ok", "deny")
    ex.run_sync()
    with pytest.raises(ApprovalError):
        ex.answer("ok", "deny")
    assert ex.state["said"][0] == "approve"


def test_others_go_on_while_one_waits(run_of: Any) -> None:
    ran: list[str] = []
    ex = run_of(
        Parallel()[
            Approval(id="ok", prompt="?"),
            [Phase(name="1")[Task(id="a", run=lambda: ran.append("a"))]],
            Phase(name="2")[Task(id="b", run=lambda: ran.append("b"))],
        ]
    )
    assert ex.run_sync().status == "waiting"
    assert sorted(ran) == ["a", "b"]


def test_an_approval_in_a_later_phase_is_not_asked_before_its_turn(run_of: Any, gate: Any) -> None:
    one = gate()
    ex = run_of([Phase(name="1")[Task(id="a", run=one.passed)], Phase(name="2")[Approval(id="ok", prompt="?")]])
    ex.step_sync()
    assert (approvals(ex), ex.tasks["ok"]) == ([], "pending")
    with pytest.raises(ApprovalError):
        ex.answer("ok", "approve")
    one.open()
    assert ex.run_sync().status == "waiting"
    assert len(approvals(ex)) == 1


def test_an_approval_survives_a_restart(run_of: Any, resumed: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    ex.close()
    again = resumed(Asks())
    assert again.run_sync().status == "waiting"
    assert len(approvals(again)) == 1, "it is asked once"
    again.answer("ok", "deny", "after lunch")
    assert again.run_sync().status == "finished"
    assert again.state["said"] == ["deny", "after lunch"]


def test_an_answer_right_before_a_restart_is_not_lost(run_of: Any, resumed: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    ex.answer("ok", "deny", "why not")
    ex.close()
    again = resumed(Asks())
    assert again.run_sync().status == "finished"
    assert again.state["said"] == ["deny", "why not"], "the comment is the result's text, after a restart too"


def test_an_answer_before_the_first_step_after_a_restart(run_of: Any, resumed: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    ex.close()
    again = resumed(Asks())
    again.answer("ok", "approve")
    assert again.run_sync().status == "finished"
    assert again.state["said"][0] == "approve"


def test_an_approval_whose_node_is_gone_no_longer_waits(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return If(condition=ctx.state.get("on", True))[Approval(id="ok", prompt="?")]

    ex = run_of(App())
    ex.run_sync()
    ex.state.set("on", False)
    assert ex.run_sync().status == "finished"
    assert list(ex.df.tasks.status) == ["cancelled"]
    with pytest.raises(ApprovalError):
        ex.answer("ok", "approve")
    assert approvals(ex)[0][6] not in ("waiting", "pending", "open"), "nobody is to be asked any more"


@pytest.mark.parametrize("handled", [True, False])
def test_an_approval_can_be_cancelled(handled: bool, run_of: Any) -> None:
    errors: list[Any] = []
    ex = run_of(Approval(id="ok", prompt="?", **({"on_error": errors.append} if handled else {})))
    ex.run_sync()
    ex.cancel("ok")
    assert ex.run_sync().status == ("finished" if handled else "failed")
    assert [e.status for e in errors] == (["cancelled"] if handled else [])


def test_an_approval_can_be_asked_again(run_of: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    ex.answer("ok", "deny")
    ex.run_sync()
    ex.retry("ok")
    assert ex.run_sync().status == "waiting"
    ex.answer("ok", "approve")
    ex.run_sync()
    assert ex.state["said"][0] == "approve"
    assert [row[6:8] for row in approvals(ex)] == [("answered", "deny"), ("answered", "approve")]


def test_an_answer_while_a_run_returns_does_not_change_how_it_ended(run_of: Any, monkeypatch: Any) -> None:
    ex = run_of(Asks())
    loop = ex._run.loop
    recorded = loop._record

    async def answered_meanwhile() -> None:
        if loop.live.tasks.asking:
            await loop.live.tasks.answer("ok", Answer("approve"))
        await recorded()

    monkeypatch.setattr(loop, "_record", answered_meanwhile)
    result = ex.run_sync()
    assert (result.status, result.reason) == ("waiting", "approval ok waits for an answer")
    assert ex.status == "paused"
    assert ex.run_sync().status == "finished"


def test_nothing_waits_for_an_answer_that_is_being_recorded(run_of: Any, monkeypatch: Any) -> None:
    ex = run_of(Asks())
    ex.run_sync()
    seen: list[Any] = []
    record = writer.answer

    def watched(*args: Any, **named: Any) -> None:
        seen.append((ex.status, ex.reason))
        record(*args, **named)

    monkeypatch.setattr(writer, "answer", watched)
    ex.answer("ok", "approve")
    assert seen == [("paused", "")]
