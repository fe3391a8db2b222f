"""Who takes the room, what can go, what must stay, and whether the file is as it should be."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import tempfile
from collections import UserList  # Not part of an app's code, as a list among its props is.
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smithers_nb import (
    Approval,
    Claude,
    Each,
    Effect,
    Execution,
    Phase,
    Ralph,
    Smithers,
    Step,
    Store,
    Task,
    component,
    scripted,
)  # fmt: skip
from smithers_nb.errors import StoreBusyError, StoreError
from smithers_nb.store import connection, upkeep


@component
def Worker(ctx: Any, name: str, runs: UserList[str]) -> Any:
    """A runnable whose props change while it stands in the plan."""
    return Task(
        id=f"work-{name}",
        run=lambda: runs.append(name),
        args=[] if not ctx.state.get("label") else {},
        on_finished=lambda r: ctx.state.update("done", lambda n: (n or 0) + 1),
    )


@component
def App(ctx: Any, runs: UserList[str]) -> Any:
    n = ctx.state.get("n", 0)
    return [
        Step(id="s", name=f"n is {n}"),
        Each(items=ctx.state.get("items", []), key=str, render=lambda item: Worker(name=item, runs=runs)),
        Phase(name="a")[
            Claude(id="c", model=scripted("x"), on_finished=lambda r: ctx.state.set("said", r.output))["go"]
        ],
        Task(id="quiet", run=int, on_finished=lambda r: None),
        Phase(name="b")[
            Ralph(id="loop", until=ctx.state.get("turns", 0) >= 3)[
                Task(id="turn", run=lambda: runs.append("turn"), on_finished=lambda r: ctx.state.update("turns", more))
            ]
        ],
        Phase(name="c")[
            Approval(id="ask", prompt=f"go on with {n}?", on_finished=lambda r: ctx.state.set("choice", r.output))
        ],
        Effect(id="e", deps=[ctx.state.get("items", [])], run=lambda: runs.append("effect")),
    ]


def more(n: int | None) -> int:
    return (n or 0) + 1


def written(ex: Any, times: int) -> None:
    """So many frames in which little changes."""
    for n in range(1, times + 1):
        ex.state.set("n", n)
        ex.run_sync()


def frames_of(store: Store, id: str, numbers: Any) -> list[Any]:
    df = store.open(id).df
    return [(n, df.state_at(n).to_dict("records"), df.tree_at(n).to_dict("records")) for n in numbers]


def raw(path: str, *statements: str) -> None:
    """What someone does to the file by hand."""
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


# ---- size and vacuum -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counted", [True, False])
def test_the_sizes_add_up_to_the_file_and_the_larger_execution_is_larger(
    counted: bool, run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upkeep.has_dbstat(run_of(Step(), name="small").store.reader), "else the other way is never tested"
    if not counted:
        monkeypatch.setattr(upkeep, "has_dbstat", lambda reader: False)
    large = run_of(Step(), name="large", state={f"k{n}": "x" * 1000 for n in range(100)})
    small, store = large.store.executions().execution_id[0], large.store
    raw(store.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    size = store.size()
    assert list(size.columns) == ["table", "execution_id", "rows", "bytes"]
    assert (str(size.rows.dtype), str(size.bytes.dtype)) == ("Int64", "Int64")
    assert size.bytes.sum() == os.path.getsize(store.path)
    by = size.groupby("execution_id").bytes.sum()
    assert by[large.execution_id] > 20 * by[small]
    state = size[(size.table == "state") & (size.execution_id == large.execution_id)]
    assert state.rows.tolist() == [100]
    assert state.bytes.iloc[0] > 100_000


@pytest.mark.parametrize("method", ["size", "vacuum", "check", lambda store: store.prune(keep_frames=1)])
def test_upkeep_of_a_file_that_is_not_there_makes_none(method: Any, tmp_path: Path) -> None:
    store = Store(tmp_path / "none.db")
    with pytest.raises(StoreError, match="there is no file"):
        getattr(store, method)() if isinstance(method, str) else method(store)
    assert not list(tmp_path.iterdir())


def test_vacuum_gives_the_room_of_what_was_pruned_back(run_of: Any) -> None:
    ex = run_of(App(runs=UserList()), state={"text": ""})
    for n in range(40):
        ex.state.set("text", f"{n}" * 4000)
        ex.run_sync()
    store = ex.store
    pruned = store.prune(keep_frames=2)
    assert pruned.rows["state"] > 30
    done = store.vacuum()
    assert (done.after, os.path.exists(store.path + "-wal") and os.path.getsize(store.path + "-wal")) == (
        os.path.getsize(store.path),
        0,
    )
    assert done.after < done.before / 2
    assert f"{done.after:,} after" in repr(done)
    assert store.check().ok
    ex.state.set("n", 1)
    assert ex.run_sync().status == "waiting"
    assert store.check().ok


@pytest.mark.parametrize("method", [Store.vacuum, lambda store: store.prune(keep_frames=1)])
def test_while_another_writes_it_says_so_and_changes_nothing(
    method: Callable[[Store], object], run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ex = run_of(App(runs=UserList()))
    written(ex, 3)
    frames = len(ex.df.frames)
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(ex.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="locked"):
            method(ex.store)
        other.execute("ROLLBACK")
    assert len(ex.df.frames) == frames
    method(ex.store)


# ---- prune: frames ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"keep_frames": 0}, {"keep_executions": 0}, {"keep_frames": -3, "keep_executions": 1}]
)
def test_prune_must_be_told_what_to_keep(options: dict[str, int], run_of: Any) -> None:
    ex = run_of(Step())
    with pytest.raises(ValueError, match="keep"):
        ex.store.prune(**options)


def test_what_was_pruned_is_gone_and_what_was_kept_is_as_it_was(run_of: Any) -> None:
    ex = run_of(App(runs=UserList()), state={"items": ["a", "b"]})
    written(ex, 10)
    id, last = ex.execution_id, ex.recorded
    kept = range(last - 3, last + 1)
    before = frames_of(ex.store, id, kept)
    tables = ("frames", "nodes", "state", "transitions", "handlers", "effects", "loops", "artifacts")
    rows = sum(len(getattr(ex.df, table)) for table in tables)
    pruned = ex.store.prune(keep_frames=4)
    assert frames_of(ex.store, id, kept) == before
    left = sum(len(getattr(ex.df, table)) for table in tables)
    assert rows - left == sum(
        count
        for table, count in pruned.rows.items()
        if table not in ("model_calls", "stream_events", "events", "reads")
    )
    assert pruned.rows["frames"] == last - 4
    assert f"frames: {last - 4}" in repr(pruned)
    assert list(ex.df.frames.frame) == list(kept)
    for look in (ex.df.state_at, ex.df.tree_at):
        with pytest.raises(StoreError, match=rf"frame {last - 4} .* was pruned: .* before frame {last - 3} .* Ask for"):
            look(last - 4)
    assert ex.store.check().ok
    assert ex.store.prune(keep_frames=4).rows.get("frames", 0) == 0, "there is nothing more to remove"
    ex.store.prune(keep_frames=2)
    assert list(ex.df.frames.frame) == list(kept)[-2:]
    with pytest.raises(StoreError, match=f"before frame {last - 1} "):
        ex.df.state_at(last - 2)


def test_a_kept_value_can_be_followed_back_although_it_was_made_before(run_of: Any) -> None:
    ex = run_of(App(runs=UserList()))
    written(ex, 8)
    ex.store.prune(keep_frames=1)
    chain = ex.df.why("said")
    assert chain.table.tolist() == ["state", "transitions", "handlers", "tasks", "tasks"]
    assert chain.text[1] == 'on_finished of claude #c wrote said = "x"'
    assert "said" not in set(ex.df.transitions[ex.df.transitions.frame >= ex.recorded].key)


def test_what_was_spent_stays_known_and_what_runs_keeps_its_calls(run_of: Any) -> None:
    ex = run_of(App(runs=UserList()))
    written(ex, 4)
    cost = ex.df.tasks.input_tokens.sum()
    assert ex.store.prune(keep_frames=2).rows["model_calls"] == 1
    assert ex.df.tasks.input_tokens.sum() == cost > 0
    raw(
        ex.store.path,
        "UPDATE tasks SET settled_at_frame = NULL, ended_at = NULL, status = 'pending' WHERE node_id = 'c'",
    )
    raw(
        ex.store.path,
        "INSERT INTO model_calls (execution_id, task_id, turn, attempt, model, request, response, ms)"
        " SELECT execution_id, task_id, 1, 1, 'm', '[]', '{}', 1.0 FROM tasks WHERE node_id = 'c'",
    )
    assert "model_calls" not in ex.store.prune(keep_frames=1).rows


def test_what_lint_says_is_the_same_after_a_prune(run_of: Any) -> None:
    ex = run_of(App(runs=UserList()))
    written(ex, 4)
    before = ex.lint()
    ex.store.prune(keep_frames=1)
    assert ex.lint() == before


def test_a_resumed_execution_does_nothing_again(run_of: Any, resumed: Any) -> None:
    """Its tasks were started long ago, and their nodes have had other props since."""
    runs = UserList[str]()
    ex = run_of(App(runs=runs), state={"items": ["a", "b"]})
    ex.run_sync()
    for label in ("x", "", "y"):
        ex.state.set("label", label)
        written(ex, 3)
    versions = ex.df.nodes[ex.df.nodes.node_id == "work-a"]
    assert len(versions) >= 4
    assert versions.from_frame.max() > ex.df.tasks.mounted_at_frame[ex.df.tasks.node_id == "work-a"].max()
    ex.close()
    before = list(runs)
    assert ex.store.prune(keep_frames=1).rows["nodes"] > 0
    assert ex.store.prune(keep_frames=1).rows.get("nodes", 0) == 0
    again = resumed(App(runs=runs))
    assert again.run_sync().status == "waiting"
    assert runs == before
    again.answer("ask", "approve")
    assert again.run_sync().status == "finished"
    assert (again.state["choice"], again.state["turns"], again.state["done"]) == ("approve", 3, 2)
    assert runs == before
    assert again.store.check().ok


def test_an_execution_of_this_process_can_be_pruned_between_any_two_phases(run_of: Any) -> None:
    runs = UserList[str]()
    ex = run_of(App(runs=runs), state={"items": ["a"]})
    for n in range(60):
        if n % 5 == 0:
            ex.state.set("n", n)
        ex.step_phase_sync()
        ex.store.prune(keep_frames=1)
    ex.run_sync()
    ex.answer("ask", "deny")
    assert ex.run_sync().status == "finished"
    assert sorted(runs) == ["a", "effect", "turn", "turn", "turn"]
    assert ex.state["turns"] == 3
    assert ex.store.check().ok


def test_an_execution_that_another_process_runs_is_left_alone(run_of: Any) -> None:
    ex = run_of(App(runs=UserList()))
    written(ex, 3)
    ex.close()
    frames = len(ex.df.frames)
    owner = f"pid {os.getppid()} on {socket.gethostname()} (abcdef)"
    for until, pruned in (("2200-01-01", False), ("2000-01-01", True)):
        raw(ex.store.path, f"UPDATE executions SET owner = '{owner}', lease_expires_at = '{until}'")
        done = ex.store.prune(keep_frames=1)
        assert (len(ex.df.frames) == 1) is pruned
        assert list(done.skipped) == ([] if pruned else [ex.execution_id])
        assert pruned or (owner in repr(done) and len(ex.df.frames) == frames)


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("n"), st.integers(0, 3)),
        st.tuples(st.just("items"), st.lists(st.sampled_from("abc"), unique=True, max_size=3)),
        st.tuples(st.just("label"), st.sampled_from(["", "x", "y"])),
        st.tuples(st.just("turns"), st.integers(0, 2)),
        st.tuples(st.just("gone"), st.sampled_from(["n", "label", "said"])),
        st.tuples(st.just("phase"), st.integers(1, 7)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    min_size=1,
    max_size=8,
)


def happens(ex: Any, ops: list[Any], app: Any) -> Any:
    for op, value in ops:
        if op == "phase":
            for _ in range(value):
                if not ex.over and ex.status != "waiting":
                    ex.step_phase_sync()
            continue
        if op == "reopen":
            ex.close()
            ex = Execution.resume(app, store=ex.store, id=ex.execution_id)
        elif op == "gone":
            ex.state.delete(value)
        else:
            ex.state.set(op, value)
        ex.run_sync()
    return ex


def outcome(path: str, id: str, after: list[Any], runs: UserList[str]) -> Any:
    """What a process makes of the file."""
    before = len(runs)
    ex = happens(Execution.resume(App(runs=runs), store=path, id=id), after, App(runs=runs))
    ex.run_sync()
    try:
        statuses = sorted(zip(ex.df.tasks.node_id, ex.df.tasks.status, strict=True))
        report = ex.store.check()
        assert report.ok, report
        return sorted(runs[before:]), ex.frame and ex.frame.xml, dict(ex.state), statuses, ex.status
    finally:
        ex.close()


@settings(max_examples=25, deadline=None)
@given(before=OPS, keep=st.integers(1, 6), after=OPS)
@example(before=[("items", ["a"]), ("label", "x"), ("label", "y"), ("n", 1)], keep=1, after=[("label", "")])
@example(before=[("items", ["a"]), ("items", []), ("items", ["a"]), ("n", 1)], keep=2, after=[("turns", 0)])
def test_whatever_ran_the_kept_frames_are_equal_and_what_follows_is_the_same(
    before: Any, keep: int, after: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, runs = os.path.join(folder, "a.db"), UserList[str]()
        ex = happens(Execution(App(runs=runs), store=path), [*before, ("n", 9)], App(runs=runs))
        id, last = ex.execution_id, ex.recorded
        ex.close()
        assert (report := Store(path).check()).ok, report
        pruned = Store(shutil.copy(path, os.path.join(folder, "b.db")))
        kept = range(max(1, last - keep + 1), last + 1)
        shown = frames_of(Store(path), id, kept)
        done = pruned.prune(keep_frames=keep)
        assert frames_of(pruned, id, kept) == shown, done
        assert (report := pruned.check()).ok, report
        if last > keep:
            with pytest.raises(StoreError, match="was pruned"):
                pruned.open(id).df.state_at(last - keep)
        assert outcome(path, id, after, runs) == outcome(pruned.path, id, after, runs)


# ---- prune: executions -----------------------------------------------------------------------------------------


@component
def Parent(ctx: Any) -> Any:
    return Smithers(id="child", component=Child)


@component
def Child(ctx: Any) -> Any:
    return Task(id="t", run=lambda: 1)


def closed(run_of: Any, app: Any, name: str, run: bool = True) -> str:
    ex = run_of(app, name=name)
    if run:
        ex.run_sync()
    ex.close()
    return str(ex.execution_id)


def test_the_newest_executions_stay_and_a_child_goes_with_its_parent(run_of: Any) -> None:
    old, middle, new = (closed(run_of, Parent(), name) for name in ("old", "middle", "new"))
    store = Store(run_of(Step(), name="last").store.path)
    assert len(store.executions()) == 7
    done = store.prune(keep_executions=3)
    assert (len(done.executions), done.skipped) == (2, {})
    assert old in done.executions
    assert list(store.executions().name) == ["middle", "middle/child", "new", "new/child", "last"]
    left = store.df
    for table in ("frames", "nodes", "tasks", "transitions"):
        assert set(getattr(left, table).execution_id) <= set(store.executions().execution_id)
    assert "2 whole executions among them" in repr(done)
    assert store.check().ok
    assert {middle, new} <= set(store.executions().execution_id)


def fork(run_of: Any, path: str) -> str:
    """One that was made from the first, as a fork is."""
    made = closed(run_of, Step(), "fork")
    raw(
        path,
        "UPDATE executions SET kind = 'branch', parent_id = (SELECT execution_id FROM executions ORDER BY created_at LIMIT 1),"
        f" forked_at_frame = 0 WHERE execution_id = '{made}'",
    )
    return made


@pytest.mark.parametrize(
    ("case", "unfinished", "stays", "why"),
    [
        ("finished", False, False, None),
        ("not begun", False, False, None),
        ("waiting", False, True, "can be resumed; with unfinished=True"),
        ("waiting", True, False, None),
        ("open here", True, True, "this process has it open"),
        ("open there", True, True, "another process has it open"),
        ("forked, and the fork stays", False, True, "was forked from it"),
    ],
)
def test_an_older_execution_stays_if_it_is_needed(
    case: str, unfinished: bool, stays: bool, why: str | None, run_of: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "t.db")
    app = Approval(id="ask", prompt="?") if case == "waiting" else Step()
    ex = run_of(app, name="old")
    if case != "not begun":
        ex.run_sync()
    if case != "open here":
        ex.close()
    if case == "open there":
        owner = f"pid {os.getppid()} on {socket.gethostname()} (abcdef)"
        raw(path, f"UPDATE executions SET owner = '{owner}', lease_expires_at = '2200-01-01'")
    if case.startswith("forked"):
        fork(run_of, path)
    closed(run_of, Step(), "new")
    done = Store(path).prune(keep_executions=2 if case.startswith("forked") else 1, unfinished=unfinished)
    assert ("old" in set(Store(path).executions().name)) is stays
    assert list(done.skipped) == ([ex.execution_id] if stays else [])
    assert why is None or why in repr(done)
    assert Store(path).check().ok


def test_a_fork_that_goes_takes_no_parent_with_it_but_lets_it_go(run_of: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "t.db")
    closed(run_of, Parent(), "old")
    fork(run_of, path)
    closed(run_of, Step(), "new")
    assert len(Store(path).prune(keep_executions=1).executions) == 3
    assert list(Store(path).executions().name) == ["new"]


# ---- check -----------------------------------------------------------------------------------------------------


@pytest.fixture
def sound(run_of: Any) -> Iterator[Any]:
    ex = run_of(App(runs=UserList()), state={"items": ["a"], "first": 1})
    written(ex, 4)
    ex.state.delete("first")
    ex.run_sync()
    ex.close()
    report = ex.store.check()
    assert report.ok, report
    assert repr(report) == f"<Check of {ex.store.path}: ok; 1 executions, {len(ex.df.frames)} frames>"
    return ex


DEAD = "pid 999999999 on " + socket.gethostname() + " (abcdef)"
TASK = "(SELECT task_id FROM tasks WHERE node_id = 'c')"
BROKEN = [
    ("frames", ["DELETE FROM frames WHERE frame = 3"], "frame 3 is missing"),
    ("frames", ["DELETE FROM frames WHERE frame IN (3, 4)"], "frames 3 to 4 are missing"),
    ("frames", ["DELETE FROM frames WHERE frame = 1"], "frame 1 is missing"),
    ("intervals", ["UPDATE state SET to_frame = to_frame + 1 WHERE key = 'n' AND to_frame IS NOT NULL"], "although the next"),
    ("intervals", ["UPDATE state SET to_frame = NULL WHERE key = 'n'"], "is open, although the next one begins"),
    ("intervals", ["UPDATE nodes SET to_frame = from_frame - 1 WHERE node_id = 's' AND from_frame = 1"], "before it begins"),
    ("intervals", ["UPDATE nodes SET from_frame = 900 WHERE node_id = 'e'"], "reaches beyond frame"),
    ("intervals", ["UPDATE reads SET to_frame = 900 WHERE key = 'n'"], "reaches beyond frame"),
    ("plan", ["DELETE FROM nodes WHERE node_id = 's' AND to_frame IS NULL"], "mounted 0 nodes and unmounted 0, but by"),
    ("plan", ["UPDATE nodes SET to_frame = 5 WHERE type = 'ralph'"], "is open, but its parent loop has ended"),
    ("state", ["UPDATE state SET value = '77' WHERE key = 'n' AND to_frame IS NULL"], "'n' .* is 77 from .* make it 4"),
    ("state", ["DELETE FROM state WHERE key = 'said'"], "'said' .* is missing from frame .* make it \"x\""),
    ("state", ["DELETE FROM transitions WHERE key = 'turns' AND new = '2'"], "'turns' .* is 2 from .* make it 1"),
    ("state", ["DELETE FROM transitions WHERE key = 'first' AND op = 'delete'"], "'first' .* is missing .* make it 1"),
    ("orphan", [f"UPDATE tasks SET status = 'running', ended_at = NULL, lease_owner = '{DEAD}' WHERE node_id = 'c'"], f"{DEAD[:14]}.*, which has its lease, no longer runs"),
    ("orphan", ["UPDATE tasks SET status = 'running', ended_at = NULL WHERE node_id = 'c'"], "but no process, which has its lease"),
    ("orphan", ["UPDATE tasks SET status = 'running' WHERE node_id = 'c'"], "has ended, but is still marked"),
    ("orphan", ["UPDATE model_calls SET response = NULL"], "1 model calls of task c@1 have neither"),
    ("orphan", [f"INSERT INTO tool_calls SELECT 1, execution_id, {TASK}, 1, 1, 'id', 'rm', '{{}}', NULL, 'running', '2026-01-01', NULL, NULL, NULL, NULL, NULL FROM executions"], "tool rm of task c@1 was called and has no end"),
    ("orphan", ["UPDATE tasks SET ended_at = '2026-01-01', status = 'cancelled' WHERE node_id = 'ask'"], "approval ask@.* waits for an answer, but its task"),
    ("foreign key", ["PRAGMA foreign_keys = OFF", "DELETE FROM tasks WHERE node_id = 'c'"], "1 rows of model_calls belong to no row of tasks"),
    ("schema", ["DELETE FROM schema_migrations WHERE version > 1"], "schema version 1, this release"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "statements", "message"), BROKEN)
def test_what_is_broken_by_hand_is_named(kind: str, statements: list[str], message: str, sound: Any) -> None:
    raw(sound.store.path, *statements)
    report = sound.store.check()
    assert not report.ok
    said = [problem.message for problem in report.problems if problem.kind == kind]
    assert any(re.search(message, one) for one in said), report
    assert all(str(problem) in repr(report) for problem in report.problems)


@pytest.mark.filterwarnings("ignore::smithers_nb.errors.AppChangedWarning")
def test_what_a_killed_process_left_is_named_until_it_is_resumed(python: Any, resumed: Any, tmp_path: Path) -> None:
    python(
        """
        import os
        from smithers_nb import *
        ex = Execution(Task(id="t", run=lambda: os._exit(0)), store="t.db")
        ex.run_sync()
        """
    )
    report = Store(tmp_path / "t.db").check()
    assert [problem.kind for problem in report.problems] == ["orphan"]
    assert "task t@1 is marked as running" in repr(report)
    assert "Execution.resume(app" in repr(report)
    ex = resumed(Task(id="t", run=lambda: 1))
    ex.run_sync()
    assert ex.store.check().ok


def test_damage_is_reported_and_nothing_else_is_believed(sound: Any) -> None:
    path = sound.store.path
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "r+b") as file:
        for page in range(10, 20):
            file.seek(page * connection.PAGE_BYTES)
            file.write(b"\xff" * 600)
    report = sound.store.check()
    assert {problem.kind for problem in report.problems} == {"integrity"}
    assert ".recover" in repr(report)


def test_many_problems_of_one_kind_are_counted(run_of: Any) -> None:
    ex = run_of(Step(), state={f"k{n}": n for n in range(50)})
    ex.run_sync()
    ex.close()
    raw(ex.store.path, "UPDATE state SET value = '-1'")
    report = ex.store.check()
    assert len(report.problems) == 5
    assert report.problems[-1].message == "… and 46 more of this kind."


def test_a_process_that_is_at_work_is_no_problem(run_of: Any, gate: Any) -> None:
    one = gate()
    ex = run_of(Task(id="t", run=one.passed))
    ex.step_sync()
    one.reached()
    assert ex.store.check().ok
    one.open()
    ex.run_sync()
    assert ex.store.check().ok
