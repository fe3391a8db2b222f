"""Calls that a branch or a replay would make again: they are made, take the recorded result, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from smithers_nb import Execution, Ralph, Sequence, Smithers, Task, component, errors
from tests.engine.test_branches import rows, save

Made = Callable[..., Execution]


class Order(BaseModel):
    item: str
    price: int


class Shop:
    """An app that pays and looks things up, and what it did outside."""

    def __init__(self, **repeat: str) -> None:
        self.paid: list[int] = []
        self.looked: list[str] = []
        self.repeat = repeat

    def app(self) -> Any:
        paid, looked = self.paid, self.looked

        def pay(price: int) -> str:
            paid.append(price)
            return f"paid {price}"

        def look(ctx: Any, what: str) -> tuple[str, int]:
            looked.append(what)
            ctx.state.set("seen", (what, 1))
            ctx.state.update("n", lambda n: (n or 0) + 1)
            return what, 1

        @component
        def App(ctx: Any) -> Any:
            price = ctx.state.get("price", 5)
            return Sequence()[
                Task(id="pay", run=pay, args=[price], repeat=self.repeat.get("pay", "run"), on_finished=save("paid")),
                Task(
                    id="look",
                    run=look,
                    args={"what": "sea"},
                    repeat=self.repeat.get("look", "run"),
                    on_finished=save("looked"),
                ),
            ]

        return App


@pytest.fixture
def branch_of() -> Iterator[Callable[..., Execution]]:
    made: list[Execution] = []

    def fork(ex: Any, *args: Any, **kwargs: Any) -> Execution:
        made.append(ex.fork(*args, **kwargs))
        return made[-1]

    yield fork
    for ex in made:
        ex.close()


def test_a_call_that_is_not_to_be_repeated_fails_its_task_and_says_how_to_allow_it(
    run_of: Made, branch_of: Any
) -> None:
    shop = Shop(pay="refuse")
    ex = run_of(shop.app())
    ex.run_sync()
    before = rows(ex.store.path, ex.execution_id)
    branch = branch_of(ex, 0)
    assert branch.run_sync().status == "failed" and shop.paid == [5]
    task = branch.df.tasks.iloc[0]
    assert (task.status, task.reason) == ("failed", "repeat: refuse")
    for said in ("RepeatRefusedError", "task pay was not run", f"{ex.name} has run it", "allow_repeat=['pay']"):
        assert said in task.error
    assert "Traceback" not in task.error
    allowed = branch_of(ex, 0, allow_repeat=["pay"])
    assert allowed.run_sync().status == "finished" and shop.paid == [5, 5]
    # Twice now, by the parent and by a branch: a third branch may not, whichever it is forked from.
    for other in (ex, branch):
        assert branch_of(other, 0).run_sync().status == "failed" and shop.paid == [5, 5]
    assert rows(ex.store.path, ex.execution_id) == before


def test_other_arguments_are_another_call(run_of: Made, branch_of: Any) -> None:
    shop = Shop(pay="refuse")
    ex = run_of(shop.app())
    ex.run_sync()
    assert branch_of(ex, 0, state={"price": 6}).run_sync().status == "finished"
    assert shop.paid == [5, 6]


def test_arguments_that_look_alike_are_compared_by_value(run_of: Made, branch_of: Any) -> None:
    bought: list[Order] = []

    @component
    def App(ctx: Any) -> Any:
        order = Order(item="tea", price=ctx.state.get("price", 1))
        return Task(id="buy", run=bought.append, args=[order], repeat="refuse", on_finished=save("b"))

    ex = run_of(App)
    ex.run_sync()
    assert branch_of(ex, 0, state={"price": 2}).run_sync().status == "finished"
    assert branch_of(ex, 0).run_sync().status == "failed"
    assert [order.price for order in bought] == [1, 2]


def test_what_a_branch_shares_with_its_parent_is_no_repetition(run_of: Made, branch_of: Any) -> None:
    paid: list[int] = []

    @component
    def App(ctx: Any) -> Any:
        return Ralph(id="loop", max_iterations=ctx.state.get("times", 2))[
            Task(id="pay", run=paid.append, args=[5], repeat="refuse", on_finished=save("p"))
        ]

    ex = run_of(App)
    ex.run_sync()
    assert paid == [5, 5]
    # After the first, the second is one that the parent has made; on the line of a branch at the end are both.
    frame = int(ex.df.handlers.frame.iloc[0])
    assert branch_of(ex, frame).run_sync().status == "failed" and paid == [5, 5]
    branch = branch_of(ex, frame, allow_repeat=["pay"])
    assert branch.run_sync().status == "finished" and paid == [5, 5, 5]
    assert branch_of(branch).run_sync().status == "finished" and paid == [5, 5, 5]


def test_a_call_that_the_parent_has_not_made_is_made(run_of: Made, branch_of: Any) -> None:
    shop = Shop(pay="refuse", look="recorded")
    ex = run_of(shop.app())
    ex.run_sync()
    branch = branch_of(ex)
    branch.retry("pay")
    branch.retry("look")
    assert branch.run_sync().status == "finished"
    assert (shop.paid, shop.looked) == ([5, 5], ["sea", "sea"])


def test_a_recorded_result_is_taken_with_its_writes(run_of: Made, branch_of: Any) -> None:
    shop = Shop(look="recorded")
    ex = run_of(shop.app())
    ex.run_sync()
    branch = branch_of(ex, 0)
    assert branch.run_sync().status == "finished"
    assert (shop.paid, shop.looked) == ([5, 5], ["sea"])
    assert dict(branch.state) == dict(ex.state) and branch.state["seen"] == ("sea", 1)
    task = branch.df.tasks.set_index("node_id").loc["look"]
    assert (task.reused_from, task.status) == (f"{ex.execution_id}/{task.task_id}", "succeeded")
    written = branch.df.transitions.query("key == 'seen'").iloc[0]
    assert (written.origin, written.origin_id) == ("task", task.task_id)
    assert branch.notes[-1] == "taken from the file and not asked or called again: the results of the tasks look."
    allowed = branch_of(ex, 0, allow_repeat=["l*k"])
    allowed.run_sync()
    assert shop.looked == ["sea", "sea"] and allowed.df.tasks.reused_from.isna().all()


def test_notes_say_what_is_not_repeated(run_of: Made, branch_of: Any) -> None:
    shop = Shop(pay="refuse", look="recorded")
    ex = run_of(shop.app())
    ex.run_sync()
    notes = branch_of(ex, 0).notes
    assert not any("ran tasks" in note for note in notes)
    assert any("called pay after frame 0" in note and "fails there" in note for note in notes)
    assert any("called look after frame 0" in note and "takes the recorded result" in note for note in notes)
    assert "may do so again: pay." in branch_of(ex, 0, allow_repeat=["pay"]).notes[0]


def test_tasks_are_reused_where_the_fork_says_so(run_of: Made, branch_of: Any) -> None:
    shop = Shop(pay="refuse")
    ex = run_of(shop.app())
    ex.run_sync()
    branch = branch_of(ex, 0, reuse=("tasks",))
    assert branch.run_sync().status == "finished"
    assert (shop.paid, shop.looked, dict(branch.state)) == ([5], ["sea"], dict(ex.state))
    assert branch.df.tasks.reused_from.notna().all()
    assert ex.store.check().ok, ex.store.check()
    branch = branch_of(ex, 0, reuse=("tasks",), state={"price": 7})
    branch.run_sync()
    assert (shop.paid, shop.looked) == ([5, 7], ["sea"])


@pytest.mark.parametrize("edited", ["code", "seen", "callee"])
def test_a_task_with_other_code_is_run(edited: str, run_of: Made, branch_of: Any) -> None:
    ran: list[str] = []

    def app(code: str) -> Any:
        rate = 2 if code == "seen" else 1

        def inner(n: int) -> int:
            return n * 1

        def other(n: int) -> int:
            return n * 2

        callee = other if code == "callee" else inner

        def work(n: int) -> int:
            ran.append(code)
            return callee(n) * rate

        def edited_work(n: int) -> int:
            ran.append(code)
            return callee(n) * rate + 1

        @component
        def App(ctx: Any) -> Any:
            run = edited_work if code == "code" else work
            return Task(id="work", run=run, args=[3], on_finished=save("w"))

        return App

    ex = run_of(app("as it was"))
    ex.run_sync()
    same = branch_of(ex, 0, app=app("as it was"), reuse=("tasks",))
    same.run_sync()
    assert ran == ["as it was"] and same.state["w"] == 3
    branch = branch_of(ex, 0, app=app(edited), reuse=("tasks",))
    branch.run_sync()
    assert ran == ["as it was", edited] and branch.state["w"] != 3


def test_the_nth_call_takes_the_nth_result(run_of: Made, branch_of: Any) -> None:
    drawn: list[int] = []

    def draw() -> int:
        drawn.append(0)
        return len(drawn)

    @component
    def App(ctx: Any) -> Any:
        return Ralph(id="loop", max_iterations=3)[
            Task(
                id="draw",
                run=draw,
                repeat="recorded",
                on_finished=lambda r: ctx.state.update("all", lambda found: [*(found or []), r.output]),
            )
        ]

    ex = run_of(App)
    ex.run_sync()
    assert ex.state["all"] == [1, 2, 3]
    for frame in range(ex.recorded + 1):
        branch = branch_of(ex, frame)
        branch.run_sync()
        assert branch.state["all"] == [1, 2, 3] and len(drawn) == 3, frame
        branch.close()


def test_a_task_that_failed_is_run_again_but_a_refused_one_is_not(run_of: Made, branch_of: Any) -> None:
    paid: list[str] = []

    def pay() -> None:
        paid.append("paid")
        raise OSError("the line broke")

    def app(repeat: str) -> Any:
        return Task(id="pay", run=pay, repeat=repeat, on_error=lambda r, ctx: ctx.state.set("why", r.error))

    ex = run_of(app("refuse"))
    ex.run_sync()
    refused = branch_of(ex, 0)
    refused.run_sync()
    # It may have been paid although it failed.
    assert len(paid) == 1 and "RepeatRefusedError" in refused.state["why"]
    branch_of(ex, 0, app=app("recorded")).run_sync()
    assert len(paid) == 2


def test_children_are_held_to_it_too(run_of: Made, branch_of: Any) -> None:
    shop = Shop(pay="refuse", look="recorded")
    ex = run_of(Smithers(id="child", component=shop.app(), on_error=lambda r, ctx: ctx.state.set("why", r.error)))
    ex.run_sync()
    branch = branch_of(ex, 0)
    branch.run_sync()
    assert "pay failed" in branch.state["why"]
    assert "RepeatRefusedError" in ex.store.df.tasks.error.dropna().to_string()
    assert (shop.paid, shop.looked) == ([5], ["sea"])
    branch_of(ex, 0, allow_repeat=["pay"]).run_sync()
    assert (shop.paid, shop.looked) == ([5, 5], ["sea"])


def test_the_choice_is_kept_by_a_branch_that_is_resumed(run_of: Made, resumed: Any, branch_of: Any) -> None:
    shop = Shop(pay="refuse", look="recorded")
    app = shop.app()
    ex = run_of(app)
    ex.run_sync()
    for allowed, status, paid in ([], "failed", 1), (["pay"], "finished", 2):
        branch = branch_of(ex, 0, allow_repeat=allowed)
        branch.close()
        again = resumed(app, id=branch.execution_id)
        assert (again.run_sync().status, len(shop.paid)) == (status, paid)
    assert shop.looked == ["sea"]


@pytest.mark.parametrize("tasks", ["recorded", "run"])
def test_a_replay_repeats_only_what_may_be_repeated(tasks: Any, run_of: Made) -> None:
    shop = Shop(pay="refuse", look="recorded")
    ex = run_of(shop.app())
    ex.run_sync()
    replay = ex.replay(tasks=tasks)
    assert (shop.paid, shop.looked) == ([5], ["sea"])
    failed = ex.store.open(replay.execution_id).df.tasks.query("status == 'failed'")
    assert failed.node_id.tolist() == (["pay"] if tasks == "run" else [])
    if tasks == "run":
        assert "RepeatRefusedError" in failed.error.iloc[0]


def test_a_rerender_branches_with_the_same_choice(run_of: Made) -> None:
    shop = Shop(pay="refuse")
    ex = run_of(shop.app())
    ex.run_sync()

    @component
    def Edited(ctx: Any) -> Any:
        return [Sequence()[Task(id="pay", run=shop.paid.append, args=[5], repeat="refuse", on_finished=save("paid"))]]

    with ex.rerender(Edited).fork("edited", allow_repeat=["pay"], reuse=()) as branch:
        assert branch.run_sync().status == "finished" and shop.paid == [5, 5]
    with ex.rerender(Edited).fork() as branch:
        assert branch.run_sync().status == "failed" and shop.paid == [5, 5]


@pytest.mark.parametrize(
    "allow, message",
    [
        (["pya"], "allow_repeat names 'pya', and no task of .* Did you mean 'pay'?"),
        (["pay", "send_*"], "allow_repeat names 'send_.', .* There are look, pay."),
        ("pay", "allow_repeat='pay' is a str; it takes a list of texts"),
        ([3], "allow_repeat=3"),
    ],
)
def test_wrong_names_are_told_before_there_is_a_branch(allow: Any, message: str, run_of: Made) -> None:
    ex = run_of(Shop(pay="refuse").app())
    ex.run_sync()
    for fork in (ex.fork, lambda **named: ex.store.open(ex.execution_id).fork(Shop().app(), **named)):
        with pytest.raises((ValueError, TypeError), match=message):
            fork(allow_repeat=allow)
    assert len(ex.store.branches(ex.name)) == 1


def test_a_result_whose_class_has_changed_fails_the_task_with_its_reason(run_of: Made, branch_of: Any) -> None:
    def result(fields: dict[str, Any]) -> Any:
        kind = type("Reply", (BaseModel,), {"__annotations__": fields, "__module__": __name__})
        globals()["Reply"] = kind
        return kind

    kind = result({"n": int})
    ex = run_of(Task(id="t", run=lambda: kind(n=1), repeat="recorded"))
    ex.run_sync()
    result({"m": str})
    branch = branch_of(ex, 0)
    assert branch.run_sync().status == "failed"
    assert "the recorded output of t" in branch.df.tasks.error.iloc[0]
    assert isinstance(errors.RepeatRefusedError("x", name="t"), errors.RunError)
