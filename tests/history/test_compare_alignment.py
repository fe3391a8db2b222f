"""Hard cases of alignment: what comes after a loop, a remount, a retry, a child or a reorder is compared with its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_ai.exceptions import ModelHTTPError

from smithers_nb import Claude, Each, Execution, Sequence, Smithers, Task, While, component, scripted
from smithers_nb.history.compare import Comparison

Made = Callable[..., Execution]
CUT = ModelHTTPError(503, "m", None, headers={"retry-after": "0.01"})


def ran(run_of: Made, app: object, **options: Any) -> Execution:
    ex = run_of(app, **options)
    ex.run_sync()
    return ex


def told(compared: Comparison, what: str) -> list[tuple[Any, ...]]:
    return [(row.node_id, row.iteration, row.one, row.other) for row in compared.rows if row.what == what]


@component
def Nested(ctx: Any, inner: dict[int, int], say: str = "x") -> Any:
    """An outer loop of two turns, around one of so many turns as the outer one is given."""
    outer, n = ctx.state.get("outer", 1), ctx.state.get("n", 0)

    def next_outer(_: Any) -> None:
        ctx.state.set("outer", outer + 1)
        ctx.state.set("n", 0)

    return While(id="outer", condition=outer <= 2)[
        Sequence()[
            While(id="inner", condition=n < inner[outer] if outer in inner else False)[
                Task(id="in", run=lambda: f"{outer}.{n}", on_finished=lambda _: ctx.state.set("n", n + 1))
            ],
            Task(id="out", run=lambda: f"{outer} {say}", on_finished=next_outer),
        ]
    ]


def test_a_longer_inner_loop_shifts_no_turn_of_the_outer_one(run_of: Made) -> None:
    one = ran(run_of, Nested, props={"inner": {1: 1, 2: 2}})
    other = ran(run_of, Nested, props={"inner": {1: 3, 2: 2}})
    assert one.run_sync().status == other.run_sync().status == "finished"
    compared = one.compare(other)
    assert told(compared, "task") == [
        ("in", 2, None, 'succeeded, "1.1", str'),
        ("in", 3, None, 'succeeded, "1.2", str'),
    ]
    said = one.compare(ran(run_of, Nested, props={"inner": {1: 3, 2: 2}, "say": "y"}))
    assert [row for row in told(said, "task") if row[0] == "out"] == [
        ("out", 1, '"1 x"', '"1 y"'), ("out", 2, '"2 x"', '"2 y"'),
    ]  # fmt: skip


@component
def Remounted(ctx: Any, times: int = 2, last: str = "end") -> Any:
    """A task that mounts again each time that its key in state changes."""
    n = ctx.state.get("n", 1)
    gone = ctx.state.get("gone", False)

    def done(_: Any) -> None:
        ctx.state.set("gone", n < times)

    return [
        None if gone else Task(id="t", run=lambda: f"{n}" if n < times else last, on_finished=done),
        Task(id="back", key=n, run=lambda: 1, on_finished=lambda _: [ctx.state.set("n", n + 1), ctx.state.set("gone", False)])
        if gone
        else None,
    ]  # fmt: skip


def test_a_node_that_mounts_again_is_its_nth_mount_whatever_the_frames(run_of: Made) -> None:
    twice, thrice = ran(run_of, Remounted), ran(run_of, Remounted, props={"times": 3})
    assert sorted(told(twice.compare(thrice), "task"), key=str) == [
        ("back", None, None, "succeeded, 1, int"), ("t", None, '"end"', '"2"'),
        ("t", None, None, 'succeeded, "end", str'),
    ]  # fmt: skip
    other = ran(run_of, Remounted, props={"last": "other"})
    assert told(twice.compare(other), "task") == [("t", None, '"end"', '"other"')]


def test_an_attempt_more_shifts_no_later_turn(run_of: Made) -> None:
    def app(*replies: Any) -> Any:
        model = scripted(*replies)
        return Sequence()[Claude(id="c", model=model, retries=2)["Say"], Claude(id="d", model=scripted("after"))["On"]]

    at_once, later = ran(run_of, app("said")), ran(run_of, app(CUT, "said"))
    compared = at_once.compare(later)
    assert {(row.what, row.node_id) for row in compared.rows} == {("model call", "c")}, compared
    again = ran(run_of, app(CUT, "said"))
    assert later.compare(again).same


@component
def Runs(ctx: Any, fails: list[bool]) -> Any:
    """A child a turn: the n-th one that runs fails or not, as it is given."""
    turn, n = ctx.state.get("turn", 1), ctx.state.get("n")

    def run() -> int:
        if fails.pop(0):
            raise ValueError("no luck")
        return n or turn

    return While(id="turns", condition=turn <= 2)[
        Smithers(id="child", component=Runner, args={"run": run}, on_finished=lambda _: ctx.state.set("turn", turn + 1))
    ]


@component
def Runner(ctx: Any, run: Callable[[], int]) -> Any:
    return Task(id="inner", run=run)


def in_children(compared: Comparison) -> list[tuple[Any, ...]]:
    return [(row.child, row.one, row.other) for row in compared.rows if row.child is not None and row.what == "task"]


def test_children_are_compared_within_their_iteration(run_of: Made) -> None:
    one, other = (
        ran(run_of, Runs, props={"fails": [False, False]}),
        ran(run_of, Runs, props={"fails": [True, False, False]}),
    )
    assert other.status == "failed"
    other.retry("child")
    assert other.run_sync().status == one.status == "finished"
    # The first child of the first turn failed; that of the second turn is the same, though it was the third.
    assert in_children(one.compare(other)) == [("child", "succeeded, 1, int", "failed, ValueError: no luck")]


def test_a_branch_has_the_children_of_its_line(run_of: Made) -> None:
    ex = ran(run_of, Runs, props={"fails": [False] * 4})
    frame = int(ex.df.transitions.query("key == 'turn'").frame.iloc[0])
    with ex.fork(frame, state={"n": 5}) as branch:
        branch.run_sync()
        # Its own first child is the second one of its line.
        assert in_children(ex.compare(branch)) == [("child", "2", "5")], ex.compare(branch)


def test_the_order_of_an_each_shifts_no_item(run_of: Made) -> None:
    def app(*items: str) -> Any:
        return Each(items=list(items), key=str, render=lambda item: Task(run=lambda: item.upper()))

    one, other = ran(run_of, app("a", "b", "c")), ran(run_of, app("c", "a", "b", "d"))
    compared = one.compare(other)
    [added] = told(compared, "task")
    assert added[2:] == (None, 'succeeded, "D", str')
    moved = {(row.what, row.key) for row in compared.rows if row.one is not None}
    assert moved <= {("node", "position"), ("prop", "count")}, compared


def test_a_task_that_was_retried_by_hand_is_its_second_run(run_of: Made) -> None:
    def run(bad: bool) -> int:
        if bad:
            raise ValueError("no luck")
        return 1

    made = []
    for outcomes in (iter([True, False]), iter([True, True, False])):
        made.append(ran(run_of, Task(id="t", run=lambda outcomes=outcomes: run(next(outcomes)), on_error=print)))
        for _ in range(1 if len(made) == 1 else 2):
            made[-1].retry("t")
            made[-1].run_sync()
    assert told(made[0].compare(made[1]), "task") == [
        ("t", None, "succeeded, 1, int", "failed, ValueError: no luck"), ("t", None, None, "succeeded, 1, int"),
    ]  # fmt: skip


def test_attempts_of_a_first_task_shift_none_of_the_second(run_of: Made) -> None:
    made = []
    for replies in (["said", CUT, "again"], [CUT, "said", "again"]):
        made.append(ran(run_of, Claude(id="c", model=scripted(*replies), retries=2)["Say"]))
        made[-1].retry("c")
        made[-1].run_sync()
    answers = [(row.one, row.other) for row in made[0].compare(made[1]).rows if row.what == "model call"]
    # In each task one of the two has a failed attempt first: four rows, and no answer is beside the other task's.
    assert len(answers) == 4, answers
    for mine, its in answers:
        assert not ("said" in str(mine) and "again" in str(its)), answers
