"""A branch is read along its line: up to the fork all panes are its ancestor's, and after it live equals recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smithers_nb import Execution, Task, component
from smithers_nb.history.panes.view import View
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.notebook.view_of import view_of
from smithers_nb.store.moments import Moments

from .programs import PROGRAMS
from .test_live_and_recorded import OTHER, Look, ask, compare, differences, late_at, look, stepped, whole

OF_THE_WHOLE = {
    ("frame", "sentence"): "it tells how the execution stands now",
    ("plan", "version"): "it counts the answers",
    ("plan@other", "version"): "it counts the answers",
    ("tasks", "now"): "it is the time of the answer",
    ("compare@other", "text"): "it compares all frames of two executions",
    ("compare@other", "total"): "it counts the differences of all frames",
    ("compare@other", "choices"): "an execution is no choice beside itself",
    ("compare@other", "rows"): "they are the differences of all frames",
}
"""What is not of a frame, with the reason."""


@pytest.fixture(autouse=True)
def machine_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smithers_nb.engine.draft.SLOW_MS", float("inf"))


@pytest.fixture
def branch_of() -> Iterator[Callable[..., Execution]]:
    made: list[Execution] = []

    def fork(ex: Execution, *args: Any, **kwargs: Any) -> Execution:
        made.append(ex.fork(*args, **kwargs))
        return made[-1]

    yield fork
    for ex in reversed(made):
        ex.close()


def recorded(ex: Execution) -> View:
    return View(RecordedSource(ex.store.reader, ex.execution_id))


def at(view: View, cursor: tuple[int, str]) -> Look:
    """Return all panes at a recorded cursor, those of its nodes, tasks and keys too."""
    options = {"at": cursor[0], "phase": cursor[1]}
    rows = {pane: ask(view, pane, **options) for pane in ("plan", "tasks", "state")}
    about = [f"node {row['id']}" for row in rows["plan"]["nodes"]]
    about += [f"task {row['task_id']}" for row in rows["tasks"]["tasks"]]
    about += [f"last_change {row['key']}" for row in rows["state"]["entries"]]
    return look(view, cursor, like=Look(cursor, dict.fromkeys(about)))


@pytest.mark.logs_errors
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_branch_shows_what_its_ancestor_shows_and_then_live_is_recorded(
    name: str, run_of: Any, branch_of: Any
) -> None:
    other = run_of(PROGRAMS[name](), state={"old": [1], "k": "y"}, name=OTHER)
    other.run_sync(max_frames=2)
    other.close()
    ex = run_of(PROGRAMS[name](), state={"old": [1], "k": "x" * 3000})
    stepped(name, ex, view_of(ex))
    parent = recorded(ex)
    last = ex.recorded
    found = []
    for n in sorted({last // 2, last} - {0}):
        branch = branch_of(ex, n)
        view = recorded(branch)
        for k in sorted({1, n}):
            for phase in ("SNAPSHOT", "EFFECTS", "FLUSH"):
                mine, its = at(parent, (k, phase)), at(view, (k, phase))
                assert mine.shown.keys() == its.shown.keys()
                found += [
                    (n, mine.cursor, pane, *one)
                    for pane in mine.shown
                    for one in differences(mine.shown[pane], its.shown[pane])
                    if (pane, *one[0][:1]) not in OF_THE_WHOLE
                ]
        view = view_of(branch)
        looks = stepped(name, branch, view)
        for place, live in enumerate(looks):
            found += compare(live, look(view, live.cursor, like=live), late_at(looks, place))
        branch.close()
    assert found == []


def save(key: str) -> Callable[..., None]:
    return lambda result, ctx: ctx.state.set(key, result.output)


@component
def Counts(ctx: Any) -> Any:
    """Runs a task for each number up to 5."""
    return [
        Task(
            id=f"t{i}",
            run=lambda i=i: i,
            # The largest, so that a task that ends late takes no other out of the plan.
            on_finished=lambda r: ctx.state.update("n", lambda n: max(n or 0, r.output)),
        )
        for i in range(min(ctx.state.get("n", 0) + 2, 6))
    ]


def test_the_line_of_a_branch_of_a_branch_has_each_row_once(run_of: Any, branch_of: Any) -> None:
    ex = run_of(Counts())
    ex.run_sync()
    one = branch_of(ex, 3, state={"n": 2})
    one.run_sync()
    two = branch_of(one, 4)
    two.run_sync()
    file = Moments(two.store.reader, two.execution_id)
    last = two.recorded
    assert [total.number for total in file.totals(1)] == list(range(1, last + 1))
    assert [file.owner(frame) for frame in (1, 3, 4, 5)] == [ex.execution_id] * 2 + [one.execution_id, two.execution_id]
    tasks = file.tasks(last, 100)
    assert len({task.task_id for task in tasks}) == len(tasks) == 6
    calls = file.handlers(last, 100)
    assert sorted(call.call.node_id for call in calls) == [f"t{i}" for i in range(6)]
    assert sum(count for count, _ in file.fired(last).values()) == 6
    writes = [(write.frame, write.seq) for write in file.written("n")]
    assert len(set(writes)) == len(writes) == 7
    assert len(file.versions(["n"], last + 1, 100)["n"]) == len(set(file.versions(["n"], last + 1, 100)["n"]))
    assert sum(count for _, count in file.tasks_by_frame(1)) == 6
    hits = file.search("t", 100)
    assert len({(hit.kind, hit.id) for hit in hits}) == len(hits)


def test_an_edit_of_the_fork_is_a_write_of_its_frame(run_of: Any, branch_of: Any) -> None:
    ex = run_of(Counts())
    ex.run_sync()
    branch = branch_of(ex, 2, state={"n": 3})
    view = recorded(branch)
    writes = ask(view, "pending", at=2, phase="FLUSH")["writes"]
    assert [(row["key"], row["trigger"]) for row in writes][-1] == ("n", "fork")
    assert [(row["key"], row["trigger"]) for row in ask(view_of(ex), "pending", at=2, phase="FLUSH")["writes"]] == [
        (row["key"], row["trigger"]) for row in writes[:-1]
    ]
    new = whole(view, writes[-1]["new"])
    assert new["text"] == "3"
    # After FLUSH the frame shows its outcome, with the edit.
    [entry] = ask(view, "state", at=2, phase="FLUSH")["entries"]
    assert entry["value"]["text"] == "3" and entry["writer"] == "operator"
    found = ask(view, "last_change", of="n", at=2, phase="FLUSH")
    assert "because fork" in found["text"]
    assert "because fork" not in ask(view, "last_change", of="n", before=found["before"])["text"]


def test_what_the_parent_writes_between_its_frames_after_the_fork_is_its_own(run_of: Any, branch_of: Any) -> None:
    ex = run_of(Counts())
    ex.run_sync()
    n = ex.recorded
    ex.state.set("before", 1)
    ex.step_sync()
    before = branch_of(ex)
    at_fork = before.recorded
    ex.state.set("late", 1)
    ex.state.set("n", 9)
    ex.step_sync()
    assert at_fork >= n
    for branch in (before, branch_of(before)):
        file = Moments(branch.store.reader, branch.execution_id)
        assert [write.key for write in file.writes(at_fork)].count("late") == 0
        assert file.state(at_fork + 1, 100)[1] and "late" not in branch.state
        assert "late" not in set(branch.df.transitions.key) | set(branch.df.state.key)
        assert "late" not in set(branch.df.timeline().key.dropna())
        assert not branch.df.state.duplicated(["key", "from_frame"]).any()
    branch = before
    branch.state.set("mine", 1)
    branch.step_sync()
    assert not branch.df.transitions.duplicated(["frame", "seq"]).any()
    assert "mine" in set(branch.df.transitions.key)


def test_a_task_that_went_on_in_the_parent_is_shown_as_each_of_both_has_it(run_of: Any, branch_of: Any) -> None:
    ran: list[int] = []

    @component
    def App(ctx: Any) -> Any:
        return Task(id="t", run=lambda: ran.append(1) or f"{len(ran)} {'x' * 3000}", on_finished=save("t"))

    ex = run_of(App())
    ex.run_sync()
    branch = branch_of(ex, 1)
    branch.run_sync()
    views = {"parent": recorded(ex), "branch": recorded(branch)}
    [then] = ask(views["branch"], "tasks", at=1)["tasks"]
    assert then == ask(views["parent"], "tasks", at=1)["tasks"][0]
    [now] = ask(views["branch"], "tasks")["tasks"]
    assert (then["task_id"], then["node_id"]) == (now["task_id"], "t")
    shown = [ask(views["branch"], "task", of="t@1", **at)["result"] for at in ({"at": 1}, {})]
    assert [json.loads(whole(views["branch"], value)["text"])[:2] for value in shown] == ["1 ", "2 "]


def test_reverse_continue_and_search_go_back_over_the_fork(run_of: Any, branch_of: Any) -> None:
    ex = run_of(Counts())
    ex.run_sync()
    branch = branch_of(ex, 4, state={"n": 7})
    branch.breakpoints.add(key="n")
    branch.step_sync()
    view, frames = view_of(branch), []
    place: Any = None
    for _ in range(20):
        found = ask(view, "hit", direction="back", **({} if place is None else {"before": place}))
        if found["found"] is None:
            break
        place = found["before"]
        frames.append(place[0])
    shared = [write.frame for write in Moments(ex.store.reader, ex.execution_id).written("n") if write.frame < 4]
    assert [frame for frame in frames if frame < 4] == sorted({*shared}, reverse=True)[
        : len([f for f in frames if f < 4])
    ]
    assert frames[-1] == min(shared) and 4 in frames
    assert {one["frame"] for one in ask(view, "search", of="t0")["found"]} <= set(range(1, branch.recorded + 1))


def test_a_pane_of_a_branch_costs_no_more_queries(run_of: Any, branch_of: Any, monkeypatch: Any) -> None:
    ex = run_of(Counts())
    ex.run_sync()
    branch = branch_of(ex, 3)
    branch.run_sync()
    counts = []
    for one in (ex, branch):
        view, reader = recorded(one), one.store.reader
        ask(view, "plan", at=5)
        asked: list[str] = []
        query = type(reader).query
        monkeypatch.setattr(
            reader, "query", lambda sql, *a, q=query, r=reader, out=asked: (out.append(sql), q(r, sql, *a))[1]
        )
        for pane in ("frame", "plan", "pending", "handlers", "state", "tasks", "output", "problems", "timeline"):
            ask(view, pane, at=5)
        counts.append(len(asked))
        monkeypatch.undo()
    assert counts[0] == counts[1]
