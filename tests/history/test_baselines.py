"""Another execution as a baseline: the frame that matches a cursor, the plan's marks against it, and the differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb import Execution, Phase, Store, Task, component
from smithers_nb.errors import StoreError, UnknownExecutionError
from smithers_nb.history.aligned import Aligned
from smithers_nb.history.panes.view import View
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of
from smithers_nb.store import facts
from smithers_nb.store.facts import Fact

Made = Callable[..., Execution]


def ask(view: View, pane: str, **options: Any) -> Any:
    return view.pane(m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **options}))


@component
def Steps(ctx: Any, words: list[str], late: int = 0, end: str = "end") -> Any:
    """Empty frames first, as many as wanted; then a task for each word, one after the other."""
    waited, n = ctx.state.get("waited", 0), ctx.state.get("n", 0)
    if waited < late:
        return Task(id=f"wait-{waited}", run=lambda: 1, on_finished=lambda _: ctx.state.set("waited", waited + 1))
    return [
        [
            Task(id=f"t{at}", run=str, args=[word], on_finished=lambda _: ctx.state.update("n", lambda n: (n or 0) + 1))
            for at, word in enumerate(words)
            if at <= n
        ],
        Phase(id="p", name=end if n >= len(words) else "on"),
    ]


def ran(run_of: Made, *words: str, **options: Any) -> Execution:
    name = options.pop("name", "execution")
    ex = run_of(Steps, name=name, props={"words": list(words), **options})
    ex.run_sync()
    return ex


def matches(one: Execution, other: Execution) -> list[int]:
    view = view_of(one)
    return [
        ask(view, "compare", at=frame, other=other.execution_id)["other_frame"]
        for frame in range(1, one.recorded + 1)
    ]  # fmt: skip


def aligned(one: facts.Facts, other: facts.Facts, last: int) -> Aligned:
    return Aligned(one, other, oldest=1, last=last)


def test_each_frame_matches_itself_in_a_run_that_is_the_same(run_of: Made) -> None:
    one = ran(run_of, "a", "b", "c")
    assert matches(one, ran(run_of, "a", "b", "c")) == list(range(1, one.recorded + 1))


def test_frames_that_only_one_has_shift_no_match(run_of: Made) -> None:
    one, late = ran(run_of, "a", "b", "c"), ran(run_of, "a", "b", "c", late=4)
    shift = late.recorded - one.recorded
    assert shift > 0
    assert matches(one, late) == [frame + shift for frame in range(1, one.recorded + 1)]
    # The frames that are only here match the one before what both have.
    back = matches(late, one)
    assert back[shift:] == list(range(1, one.recorded + 1)) and set(back[:shift]) == {1}


def test_a_frame_past_the_end_of_the_other_matches_its_last(run_of: Made) -> None:
    one, short = ran(run_of, "a", "b", "c", "d"), ran(run_of, "a")
    assert matches(one, short)[-1] == short.recorded
    assert max(matches(one, short)) <= short.recorded


def test_a_match_depends_on_nothing_that_comes_later(run_of: Made) -> None:
    """Live, the later frames are not there yet: what is shown must not move when they come."""
    one, other = ran(run_of, "a", "b", "x", "d"), ran(run_of, "a", "b", "c", "d", late=2)
    mine, its = (facts.facts_by_turn(ex.store.reader, ex.execution_id, of_frames=True) for ex in (one, other))
    for frame in range(1, one.recorded + 1):
        until = {turn: fact for turn, fact in mine.items() if fact.frame <= frame}
        assert aligned(until, its, other.recorded).match(frame) == aligned(mine, its, other.recorded).match(frame)


def test_parallel_events_in_another_order_lead_to_the_frame_that_has_all_of_them() -> None:
    def at(**frames: int) -> dict[tuple[Any, ...], Fact]:
        return {("node", name): Fact("node", frame, (), name) for name, frame in frames.items()}

    found = aligned(at(a=1, b=2, c=3), at(a=1, c=2, b=3, d=6), 9)
    assert [found.match(frame) for frame in (0, 1, 2, 3, 4, 5, 6, 20)] == [0, 1, 3, 3, 4, 5, 5, 5]
    assert aligned({}, at(a=4), 5).match(9) == 1
    assert aligned({}, {}, 0).match(3) == 0


def test_the_plan_is_marked_against_the_matching_frame(run_of: Made) -> None:
    ran(run_of, "a", "b", "c", late=1, end="fin", name="second")
    one = ran(run_of, "a", "b")
    view = view_of(one)
    plan = ask(view, "plan", other="second")
    changes = {row["id"]: row["change"] for row in plan["nodes"] if row["change"]}
    assert changes == {"p": "changed"} or changes == {"p": "changed", "t2": "removed"}, changes
    [change] = next(row["changes"] for row in plan["nodes"] if row["id"] == "p")
    assert (change["prop"], change["new"]) == ("name", "end") and change["old"] in ("on", "fin")
    assert (plan["against"], plan["base"]) == ("second", ask(view, "compare", other="second")["other_frame"])
    assert ask(view, "xml", other="second")["against"] == "second"
    node = ask(view, "node", other="second", of="p")
    assert node["change"] == "changed" and node["changes"] == [change]
    assert {row["change"] for row in ask(view, "plan", other=one.execution_id)["nodes"]} == {""}


def test_a_status_stands_beside_that_of_the_matching_frame(run_of: Made) -> None:
    for name, run in (("bad", len), ("good", str)):
        run_of(Task(id="t", run=run, args=[1], on_error=print, on_finished=print), name=name).run_sync()
    store = Store(run_of(Task(id="u", run=int)).store.path)
    view = View(RecordedSource(store.reader, store.open("good").execution_id))
    [row] = ask(view, "plan", other="bad")["nodes"]
    assert (row["status"], row["status_before"]) == ("succeeded", "failed")


def test_the_differences_lead_to_frames_on_both_sides(run_of: Made) -> None:
    one, other = ran(run_of, "a", "b"), ran(run_of, "a", "x", "c", late=2)
    shown = ask(view_of(one), "compare", other=other.execution_id)
    rows = {(row["what"], row["node_id"]): row for row in shown["rows"]}
    task = rows["task", "t1"]
    assert (task["here"], task["there"]) == ('"b"', '"x"')
    assert one.at(task["frame"]).tree.index["t1"] and other.at(task["other_frame"]).tree.index["t1"]
    gone = rows["task", "t2"]
    assert gone["here"] is None and gone["frames"].startswith("— | f")
    # Where this side has nothing, its frame is the one that matches.
    assert 1 <= gone["frame"] <= one.recorded and gone["other_frame"] > gone["frame"]
    assert shown["total"] == len(one.compare(other).rows) == len(shown["rows"])
    assert shown["text"] == f"execution and execution differ in {shown['total']} places, the first in frame 1."


def test_nothing_is_read_of_another_execution_that_is_not_asked_for(run_of: Made, monkeypatch: Any) -> None:
    one, other = ran(run_of, "a"), ran(run_of, "b")
    view, read = view_of(one), []
    for name in ("smithers_nb.history.compare.facts_by_turn", "smithers_nb.history.baselines.facts_by_turn"):
        monkeypatch.setattr(name, lambda *a, **k: read.append(a) or facts.facts_by_turn(*a, **k))
    for pane in ("plan", "xml", "compare", "frame", "timeline"):
        ask(view, pane)
    assert read == []
    for _ in range(2):
        ask(view, "plan", other=other.execution_id)
    assert len(read) == 2, "both are read once"


def test_the_choices_are_the_family_first_and_then_the_file(run_of: Made) -> None:
    far, one = ran(run_of, "z", name="far"), ran(run_of, "a", "b", name="one")
    with one.fork(1, name="again") as branch:
        shown = ask(view_of(one), "compare")
        assert [(row["name"], row["family"], row["kind"]) for row in shown["choices"]] == [
            ("again", True, "branch"), ("far", False, "run"),
        ]  # fmt: skip
        assert ask(view_of(branch), "compare")["choices"][0]["name"] == "one"
        assert (shown["execution_id"], shown["rows"], shown["more"]) == (None, [], 0)
    alone = View(RecordedSource(Store(far.store.path).reader, far.execution_id))
    assert ask(alone, "compare", other="one")["total"] > 0


def test_an_execution_that_is_not_there_is_an_error_that_names_the_others(run_of: Made) -> None:
    view = view_of(ran(run_of, "a"))
    with pytest.raises(UnknownExecutionError, match=r"no execution 'nothing'\. It has execution"):
        ask(view, "plan", other="nothing")


def test_a_matching_frame_that_was_pruned_is_an_error_and_no_half_plan(run_of: Made) -> None:
    one, other = ran(run_of, "a"), ran(run_of, *"abcdefgh", name="long")
    path = one.store.path
    one.close()
    other.close()
    Store(path).prune(keep_frames=4)
    view = View(RecordedSource(Store(path).reader, one.execution_id))
    with pytest.raises(StoreError, match=r"pruned"):
        ask(view, "plan", at=2, other="long")
    assert ask(view, "compare", other="long")["total"] > 0


def test_before_the_first_frame_there_is_no_match(run_of: Made) -> None:
    other = ran(run_of, "a")
    view = view_of(run_of(Steps, props={"words": ["a"]}))
    assert ask(view, "compare", other=other.execution_id)["other_frame"] == 0
    assert ask(view, "plan", other=other.execution_id)["dry"]


def test_long_values_are_cut_to_the_difference(run_of: Made) -> None:
    one, other = ran(run_of, "a" * 2000 + "b"), ran(run_of, "a" * 2000 + "<script>alert(1)</script>")
    rows = ask(view_of(one), "compare", other=other.execution_id)["rows"]
    [task] = [row for row in rows if row["what"] == "task"]
    assert task["here"] == "…" + "a" * 40 + 'b"' and "<script>" in task["there"] and len(task["there"]) < 400
