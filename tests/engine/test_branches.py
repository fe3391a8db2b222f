"""Branches: a fork begins with what held at a frame, and its parent stays as it was."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from smithers_nb import Approval, Effect, Execution, Ralph, Sequence, Store, Task, component, errors
from smithers_nb.bridge import engine
from smithers_nb.execution import run_behind
from smithers_nb.fork import forked
from smithers_nb.store import fork as forking
from smithers_nb.store.connection import Database
from tests.history import programs

Made = Callable[..., Execution]


def save(key: str) -> Callable[..., None]:
    return lambda result, ctx: ctx.state.set(key, result.output)


@component
def Steps(ctx: Any, by: int = 1) -> Any:
    """Adds a task a step, with the result of the one before."""
    n = ctx.state.get("n", 0)
    return [
        Task(id=f"t{i}", run=lambda i=i: i, on_finished=lambda r: ctx.state.set("n", r.output + by))
        for i in range(min(n + 1, 4))
    ]


def rows(path: str, execution_id: str) -> dict[str, list[Any]]:
    """Everything that a file has of an execution, but who holds it."""
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for table in tables:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            if "execution_id" in columns and table != "executions":
                found[table] = db.execute(f"SELECT * FROM {table} WHERE execution_id = ?", (execution_id,)).fetchall()
    return found


@pytest.fixture
def branch_of(run_of: Made) -> Iterator[Callable[..., Execution]]:
    made: list[Execution] = []

    def fork(ex: Any, *args: Any, **kwargs: Any) -> Execution:
        made.append(ex.fork(*args, **kwargs))
        return made[-1]

    yield fork
    for ex in made:
        ex.close()


PROGRAMS = [
    programs.Sequences, programs.Loops, programs.Items, programs.Reader, programs.Values,
    programs.Unmounts, programs.Children, programs.Ends,
]  # fmt: skip


@pytest.mark.parametrize("app", PROGRAMS, ids=lambda app: app.name)
def test_a_fork_at_any_frame_ends_as_its_parent_did(app: Any, run_of: Made, branch_of: Any) -> None:
    ex = run_of(app)
    outcome = programs.ran(ex)
    before = rows(ex.store.path, ex.execution_id)
    for frame in range(ex.recorded + 1):
        branch = branch_of(ex, frame)
        ended = branch.run_sync()
        assert (ended.status, dict(branch.state)) == (outcome.status, dict(ex.state)), frame
        assert branch.frame is not None and ex.frame is not None
        assert branch.frame.xml == ex.frame.xml, frame
        assert list(branch.df.frames.frame) == list(range(1, branch.recorded + 1))
        branch.close()
    assert rows(ex.store.path, ex.execution_id) == before
    assert ex.store.check().ok, ex.store.check()


def test_edits_are_writes_of_an_operator_that_the_first_frame_reads(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps())
    ex.run_sync()
    branch = branch_of(ex, 2, state={"n": 3, "new": {"a": [1]}})
    assert branch.recorded == 2 and dict(branch.state) == {"n": 3, "new": {"a": [1]}}
    branch.step_sync()
    assert branch.at(3).state == {"n": 3, "new": {"a": [1]}} and branch.at(2).state == {}
    written = branch.df.transitions.query("trigger == 'fork'")
    assert written[["frame", "key", "old", "new", "origin", "status"]].values.tolist() == [
        [2, "n", 1, 3, "operator", "applied"],
        [2, "new", None, {"a": [1]}, "operator", "applied"],
    ]
    assert branch.df.why("n").text.tolist()[1] == "the fork set n to 3 after frame 2"


def test_a_parent_that_writes_to_the_frame_of_its_fork_leaves_the_branch_whole(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps(), state={"k": "y", "gone": 1})
    for frame in (0, 3):
        while ex.recorded < frame:
            ex.step_phase_sync()
        while frame and ex.frame is not None and ex.frame.phase != "FLUSH":
            ex.step_phase_sync()
        branch = branch_of(ex)
        ex.state.set("k", f"after {frame}")
        if frame:
            ex.state.delete("gone")
        ex.step_sync()
        assert ex.store.check().ok, ex.store.check()
        assert branch.state["gone"] == 1 and branch.state["k"] == ("after 0" if frame else "y")


def test_the_value_before_an_edit_stays_on_the_line(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps(), state={"kept": (1, 2), "n": 0})
    ex.run_sync()

    def versions(branch: Execution, key: str) -> list[Any]:
        found = branch.df.state.query("key == @key")
        return found.astype({"to_frame": object})[["value", "from_frame", "to_frame"]].values.tolist()

    # Frame 2 writes n, read from 3 on; "kept" holds from the beginning.
    branch = branch_of(ex, 2, state={"n": 7, "kept": "new", "added": 1})
    assert versions(branch, "kept")[0] == [[1, 2], 1, 3] and versions(branch, "kept")[1][:2] == ["new", 3]
    assert versions(branch, "n")[0] == [0, 1, 3] and versions(branch, "n")[1][:2] == [7, 3]
    assert [row[:2] for row in versions(branch, "added")] == [[1, 3]]
    later = branch_of(branch, 2, state={"kept": "newest"})
    branch.run_sync()
    assert [row[0] for row in versions(later, "kept")] == [[1, 2], "newest"]
    for one in (branch, later):
        assert all(one.at(frame).state["kept"] == (1, 2) for frame in (1, 2))
    changed = branch.df.transitions.query("key == 'kept' and trigger == 'fork'").iloc[0]
    assert (changed.old, changed.new, changed.execution_id) == ([1, 2], "new", branch.execution_id)
    assert branch.df.why("kept").text.iloc[1] == 'the fork set kept to "new" after frame 2'
    both = ex.store.df.state
    assert not both.duplicated(["execution_id", "key", "from_frame"]).any()
    assert len(both.query("key == 'kept'")) == 3, "each version once: the parent's, and one of each branch"
    assert ex.store.check().ok, ex.store.check()


def test_what_was_settled_does_not_run_again_and_what_was_not_starts(run_of: Made, branch_of: Any) -> None:
    ran: list[str] = []

    @component
    def App(ctx: Any) -> Any:
        return Sequence()[
            Task(id="a", run=lambda: ran.append("a"), on_finished=save("a")),
            Task(id="b", run=lambda: ran.append("b"), on_finished=save("b")),
        ]

    ex = run_of(App())
    ex.run_sync()
    branch_of(ex, 2).run_sync()
    assert ran == ["a", "b", "b"]
    branch_of(ex).run_sync()
    assert ran == ["a", "b", "b"]


def test_a_loop_continues_with_the_iteration_of_the_frame(run_of: Made, branch_of: Any) -> None:
    turns: list[int] = []

    @component
    def App(ctx: Any) -> Any:
        return Ralph(id="loop", max_iterations=3)[
            Task(id="t", run=lambda: turns.append(ctx.iteration("loop")), on_finished=save("t"))
        ]

    ex = run_of(App())
    ex.run_sync()
    assert turns == [1, 2, 3]
    [frame] = ex.df.handlers.query("task_id == @ex.df.tasks.task_id[0]").frame
    branch_of(ex, int(frame)).run_sync()
    assert turns == [1, 2, 3, 2, 3]


def test_an_effect_does_not_run_again_for_the_same_deps(run_of: Made, branch_of: Any) -> None:
    ran: list[int] = []

    @component
    def App(ctx: Any) -> Any:
        n = ctx.state.get("n", 0)
        return [
            Effect(id="e", run=lambda: ran.append(n), deps=[n > 1]),
            Task(id="t", run=lambda: 1, on_finished=save("n")),
        ]

    ex = run_of(App())
    ex.run_sync()
    assert ran == [0]
    branch_of(ex).run_sync()
    assert ran == [0]
    branch_of(ex, state={"n": 2}).run_sync()
    assert ran == [0, 2]


def test_a_branch_of_a_branch_reads_along_its_line(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps(), name="x")
    ex.run_sync()
    one = branch_of(ex, 4)
    one.run_sync()
    two = branch_of(one, 6, state={"n": 9})
    two.run_sync()
    assert (one.name, two.name) == ("x~2", "x~3")
    owners = two.df.frames.set_index("frame").execution_id
    assert [owners[n] for n in (1, 4, 5, 6)] == [ex.execution_id] * 2 + [one.execution_id] * 2
    assert set(owners[owners.index > 6]) == {two.execution_id}
    for table in ("nodes", "state", "tasks", "transitions", "handlers", "reads"):
        df = getattr(two.df, table)
        keys = [c for c in ("node_id", "task_id", "key", "component", "from_frame", "frame", "seq", "id") if c in df]
        assert not df.duplicated(keys).any(), table
    early = branch_of(two, 1)
    assert two.store.sql(
        "SELECT parent_id, forked_at_frame FROM executions WHERE execution_id = ?", [early.execution_id]
    ).values.tolist() == [[ex.execution_id, 1]]


def test_the_file_has_each_row_once(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps())
    ex.run_sync()
    branch = branch_of(ex)
    counts = {table: len(getattr(ex.df, table)) for table in ("nodes", "state", "tasks", "effects", "reads")}
    assert {table: len(getattr(ex.store.df, table)) for table in counts} == counts
    assert branch.store.df.executions.kind.tolist() == ["run", "branch"]


def test_a_branch_is_resumed_and_forked_without_its_parent_being_open(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps)
    ex.run_sync()
    branch = branch_of(ex, 2)
    branch.step_sync()
    branch.close()
    again = Execution.resume(Steps, store=ex.store, id=branch.execution_id)
    assert again.run_sync().status == "finished" and again.state["n"] == 4
    again.close()
    ex.close()
    recorded = Store(ex.store.path).open(branch.execution_id)
    third = branch_of(recorded, Steps, frame=1, props={"by": 2})
    third.run_sync()
    assert third.state["n"] == 5


def test_an_answer_of_a_person_is_carried_over(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Sequence()[Approval(id="ask", prompt="?", on_finished=save("said")), Task(id="after", run=lambda: 1)])
    ex.run_sync()
    ex.answer("ask", "approve", "well")
    ex.run_sync()
    branch = branch_of(ex)
    assert branch.run_sync().status == "finished"
    assert branch.df.approvals.status.tolist() == ["answered"]


def test_an_app_that_has_none_of_the_carried_nodes_is_told_with_their_names(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps())
    ex.run_sync()

    def told(branch: Execution) -> list[str]:
        return [note for note in branch.notes if "none of the nodes" in note]

    other = branch_of(ex, 4, app=Task(id="other", run=lambda: 1))
    assert told(other) == [], "its plan is not known before its first frame"
    assert other.run_sync().status == "finished"
    assert told(other)[0].startswith("the app of the branch has none of the nodes that ")
    assert told(other)[0].endswith("nothing but the state was carried over: t0, t1.")
    for branch in (
        branch_of(ex, 4),
        branch_of(ex, 4, app=[Task(id="t1", run=lambda: 1), Task(id="other", run=lambda: 1)]),
        branch_of(ex, 0, app=Task(id="other", run=lambda: 1)),
    ):
        branch.run_sync()
        assert told(branch) == []


def test_props_are_recorded_and_taken_over(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps, props={"by": 1})
    ex.run_sync()
    again = branch_of(ex.store.open(ex.execution_id), Steps, frame=0)
    again.run_sync()
    assert again.state["n"] == 4 and again.df.executions.props.tolist() == [{"by": {"value": 1, "type": "int"}}]
    other = branch_of(ex, 0, props={"by": 2})
    other.run_sync()
    assert other.state["n"] == 5


@component
def Takes(ctx: Any, what: Any) -> Any:
    return Task(id="t", run=lambda: 1)


def test_props_that_were_not_recorded_are_asked_for(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Takes, props={"what": object()})
    ex.run_sync()
    with pytest.raises(errors.PropError, match=r"fork\(Takes, props=\{…\}\)"):
        ex.store.open(ex.execution_id).fork(Takes)
    branch_of(ex.store.open(ex.execution_id), Takes, props={"what": 1})


@pytest.mark.parametrize("frame", [5, 10**12])
def test_a_frame_that_is_not_there_is_told_with_the_nearest(frame: int, run_of: Made) -> None:
    ex = run_of(Task(id="t", run=lambda: 1))
    ex.run_sync()
    with pytest.raises(errors.StoreError, match=rf"frame {frame} of '\w+' is not there. The nearest .* is fra"):
        ex.fork(frame)


def test_a_frame_at_rest_is_not_flushed(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps())
    ex.step_sync()
    with pytest.raises(errors.StoreError, match="not flushed yet: its writes are pending"):
        ex.fork(1)
    assert branch_of(ex).recorded == 0


def test_a_pruned_frame_is_told(run_of: Made) -> None:
    ex = run_of(Steps())
    ex.run_sync()
    ex.close()
    ex.store.prune(keep_frames=2)
    with pytest.raises(errors.StoreError, match="was pruned"):
        ex.store.open(ex.execution_id).fork(Steps(), frame=2)


def test_state_that_cannot_be_stored_leaves_no_branch(run_of: Made) -> None:
    ex = run_of(Steps())
    ex.run_sync()
    with pytest.raises(errors.NotStorableError, match="state key 'n'"):
        ex.fork(state={"n": object()})
    assert len(ex.store.df.executions) == 1


def test_a_fork_that_is_cut_off_leaves_nothing(run_of: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    ex = run_of(Steps())
    ex.run_sync()

    def cut(*_: object) -> None:
        raise RuntimeError("cut")

    monkeypatch.setattr(forking, "_copy_tasks", cut)
    with pytest.raises(RuntimeError, match="cut"):
        ex.fork()
    assert len(ex.store.df.executions) == 1 and len(ex.store.df.nodes) == len(ex.df.nodes)
    monkeypatch.undo()
    ex.fork().close()


def test_volatile_values_are_shared_at_the_frame_of_now(run_of: Made, branch_of: Any) -> None:
    shared = object()

    @component
    def App(ctx: Any) -> Any:
        return Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.vol.set("v", shared))

    ex = run_of(App())
    ex.run_sync()
    assert branch_of(ex).ctx.vol["v"] is shared
    assert "v" not in branch_of(ex, 1).ctx.vol


def test_prune_keeps_what_a_branch_stands_on(run_of: Made, branch_of: Any) -> None:
    ex = run_of(Steps())
    ex.run_sync()
    branch = branch_of(ex, 4)
    branch.run_sync()
    done = ex.store.prune(keep_frames=1)
    assert branch.name in done.skipped[ex.execution_id]
    assert branch.at(2).state == ex.at(2).state


def test_a_fork_is_one_transaction_and_opens_no_connection(run_of: Made, branch_of: Any, monkeypatch: Any) -> None:
    ex = run_of(Steps)
    ex.run_sync()
    made: list[str] = []
    transaction = Database.transaction

    async def counted(self: Database, work: Any, *args: Any, **named: Any) -> Any:
        made.append(f"transaction {work.__name__}")
        return await transaction(self, work, *args, **named)

    def connect(*_: Any, **__: Any) -> Any:
        made.append("connection")
        raise AssertionError("a connection was opened")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", counted)
        patch.setattr(sqlite3, "connect", connect)
        branch = branch_of(ex, 2)
    assert len(made) == 1 and made[0].startswith("transaction"), made
    branch.run_sync()
    assert branch.state["n"] == ex.state["n"]


def test_forks_at_the_same_moment_get_names_of_their_own(run_of: Made) -> None:
    ex = run_of(Steps)
    ex.run_sync()

    async def at_once() -> list[str]:
        runs = await asyncio.gather(*(forked(run_behind(ex), 2, {}) for _ in range(5)))
        for run in runs:
            await run.close()
        return sorted(run.name for run in runs)

    assert engine.call(at_once()) == [f"{ex.name}~{n}" for n in range(2, 7)]
