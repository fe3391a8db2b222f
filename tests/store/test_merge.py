"""Two files become one: every execution with all of its rows, once."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import (
    Approval,
    Claude,
    Each,
    End,
    Execution,
    Image,
    Smithers,
    Step,
    Store,
    Task,
    call_tool,
    component,
    scripted,
    sweep,
)
from smithers_nb.errors import StoreError
from smithers_nb.store import merge as merging
from smithers_nb.store.cut import TABLES

TABLES_OF_SWEEPS = ("sweeps", "sweep_branches")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def look(n: int) -> int:
    """Look something up."""
    return 2 * n


@component
def Inner(ctx: Any) -> Any:
    return End(value="inner")


@component
def App(ctx: Any, picture: str) -> Any:
    said = ctx.state.get("said", [])
    return [
        Each(items=range(2), key=str, render=lambda n: Step(id=f"s{n}", name=f"{len(said)}")),
        Claude(
            id="c",
            model=scripted(call_tool("look", n=1), "answer"),
            tools=[look],
            on_finished=lambda r: ctx.state.update("said", lambda before: [*(before or []), r.output]),
        )["what?", Image(src=picture)],
        Smithers(id="inner", component=Inner, on_finished=lambda r: ctx.state.set("inner", r.output)),
        Task(id="t", run=look, args=[len(said)]),
        Approval(id="ok", prompt="go on?") if said else None,
    ]


def picture_in(folder: Path) -> dict[str, str]:
    picture = folder / "picture.png"
    picture.write_bytes(PNG)
    return {"picture": str(picture)}


def waiting(path: Path, name: str) -> None:
    ex = Execution(App, store=path, name=name, props=picture_in(path.parent))
    assert ex.run_sync().status == "waiting"
    ex.close()


def contents(path: Path | str) -> dict[str, list[Any]]:
    """Return all rows of a file, but for the process that had an execution."""
    with closing(sqlite3.connect(path)) as db:
        return {
            table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in (*TABLES, *TABLES_OF_SWEEPS, "blobs", "blob_uses")
        }


def test_two_files_become_one_with_the_same_timelines(tmp_path: Path) -> None:
    for name in ("one", "two"):
        waiting(tmp_path / f"{name}.db", name)
    before = hashlib.sha256((tmp_path / "two.db").read_bytes()).hexdigest()
    store, other = Store(tmp_path / "one.db"), Store(tmp_path / "two.db")
    merged = store.merge(other.path)
    ids = other.executions().execution_id.tolist()
    assert list(merged.executions) == ids and merged.there == () and merged.skipped == {}
    assert f"{len(ids)} executions added" in repr(merged)
    assert store.check().ok, store.check()
    for name in ("one", "two"):
        alone = Store(tmp_path / f"{name}.db")
        assert store.open(name).df.timeline().text.tolist() == alone.open(name).df.timeline().text.tolist()
        assert store.open(name).transcript("c").text == alone.open(name).transcript("c").text
    assert hashlib.sha256((tmp_path / "two.db").read_bytes()).hexdigest() == before
    once = contents(store.path)
    again = store.merge(other.path)
    assert again.executions == () and list(again.there) == ids and contents(store.path) == once
    assert f"{len(ids)} were there" in repr(again)


def test_a_merged_execution_continues_where_it_was(tmp_path: Path) -> None:
    waiting(tmp_path / "one.db", "one")
    store = Store(tmp_path / "new.db")
    store.merge(tmp_path / "one.db")
    ex = Execution.resume(App, store=store, id="one", props=picture_in(tmp_path))
    [question] = ex.df.approvals.approval_id
    ex.answer(question, "approve")
    assert ex.run_sync().status == "finished"
    assert len(ex.df.model_calls) == 2, "nothing was asked again"
    ex.close()
    assert store.check().ok


def test_branches_come_with_what_they_were_forked_from(tmp_path: Path) -> None:
    waiting(tmp_path / "one.db", "one")
    waiting(tmp_path / "two.db", "two")
    store, other = Store(tmp_path / "one.db"), Store(tmp_path / "two.db")
    store.merge(other.path)
    branch = other.open("two").fork(App, frame=1, name="branch", props=picture_in(tmp_path))
    assert branch.run_sync().status == "waiting"
    branch.close()
    merged = store.merge(other.path)
    assert len(merged.executions) == 2 and len(merged.there) == 2, "the branch and its child"
    assert store.check().ok, store.check()
    assert store.open("branch").df.timeline().text.tolist() == other.open("branch").df.timeline().text.tolist()
    sql = "SELECT p.execution_id, p.turn FROM model_calls c JOIN model_calls p ON p.id = c.reused_id ORDER BY 2"
    assert store.sql(sql).to_numpy().tolist() == other.sql(sql).to_numpy().tolist() != []


def test_the_same_id_with_other_rows_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    waiting(tmp_path / "two.db", "two")
    store, other = Store(tmp_path / "one.db"), Store(tmp_path / "two.db")
    store.merge(other.path)
    waiting(tmp_path / "two.db", "third")
    before = contents(store.path)
    with closing(sqlite3.connect(other.path)) as db, db:
        db.execute("UPDATE state SET value = '[\"other\"]' WHERE key = 'said' AND execution_id = ?", (id_of(other),))
    with pytest.raises(StoreError, match=rf"nothing was changed: both have {id_of(other)} \(state\), with different"):
        store.merge(other.path)
    assert contents(store.path) == before


def id_of(store: Store) -> str:
    return store.open("two").execution_id


def test_what_a_process_runs_is_left_out_and_comes_later(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "one.db"), Store(tmp_path / "two.db")
    waiting(tmp_path / "two.db", "done")
    ex = Execution(App, store=other, name="open", props=picture_in(tmp_path))
    ex.step_sync()
    merged = store.merge(other.path)
    assert len(merged.executions) == 2 and ex.execution_id in merged.skipped
    assert "'open' is" in repr(merged) and "close it there" in repr(merged)
    assert store.check().ok
    ex.run_sync()
    ex.close()
    assert ex.execution_id in store.merge(other.path).executions
    assert store.check().ok


def test_an_exported_run_is_merged_like_a_file(tmp_path: Path) -> None:
    waiting(tmp_path / "one.db", "one")
    Store(tmp_path / "one.db").open("one").export(tmp_path / "run.html", show=False)
    store = Store(tmp_path / "class.db")
    assert len(store.merge(tmp_path / "run.html").executions) == 2
    assert store.merge(tmp_path / "run.html").executions == () and store.check().ok


def test_a_file_is_not_merged_into_itself(tmp_path: Path) -> None:
    waiting(tmp_path / "one.db", "one")
    with pytest.raises(StoreError, match="into itself"):
        Store(tmp_path / "one.db").merge(tmp_path / "one.db")
    with pytest.raises(StoreError, match="there is no file"):
        Store(tmp_path / "one.db").merge(tmp_path / "none.db")


@component
def Double(ctx: Any, n: int) -> Any:
    return End(value=2 * n)


def double(path: Path, values: list[int], **more: Any) -> Any:
    return sweep(Double, {"props.n": values}, store=path, progress=False, score=lambda h: h.result, **more)


def test_a_sweep_comes_with_its_scores_and_can_be_taken_up(tmp_path: Path) -> None:
    there = double(tmp_path / "one.db", [1, 2, 3])
    store = Store(tmp_path / "two.db")
    assert len(store.merge(tmp_path / "one.db").executions) == 3
    assert store.sweep("Double sweep").df.to_dict() == there.df.to_dict()
    assert len(double(tmp_path / "two.db", [1, 2, 3])) == 3
    assert len(store.executions()) == 3, "the same call finds all of it"


def test_sweeps_of_one_name_and_different_calls_are_refused(tmp_path: Path) -> None:
    double(tmp_path / "one.db", [1, 2])
    double(tmp_path / "two.db", [3, 4])
    with pytest.raises(StoreError, match="both have a sweep 'Double sweep'"):
        Store(tmp_path / "one.db").merge(tmp_path / "two.db")
    assert len(Store(tmp_path / "one.db").executions()) == 2


def test_the_ends_of_branches_that_ran_elsewhere_are_taken_over(tmp_path: Path) -> None:
    double(tmp_path / "one.db", [1, 2])
    Store(tmp_path / "one.db").save(tmp_path / "two.db")
    with closing(sqlite3.connect(tmp_path / "two.db")) as db, db:
        # As after the end of a process in the middle.
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(
            "DELETE FROM executions WHERE execution_id IN (SELECT execution_id FROM sweep_branches WHERE branch)"
        )
        db.execute("UPDATE sweep_branches SET status = NULL, scores = NULL, ended_at = NULL WHERE branch")
    store = Store(tmp_path / "two.db")
    assert store.sweep("Double sweep").df.status.tolist() == ["finished", "pending"]
    assert len(store.merge(tmp_path / "one.db").executions) == 1
    assert store.sweep("Double sweep").df.score.tolist() == [2, 4]


def test_a_merge_that_is_cut_off_has_whole_executions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double(tmp_path / "one.db", [1, 2, 3])
    before: Callable[..., None] = merging._add
    tables: list[str] = []

    def add(db: sqlite3.Connection, table: str, ids: list[str]) -> None:
        tables.append(table)
        if len(tables) > len(TABLES) * 1.5:
            raise sqlite3.OperationalError("disk I/O error")
        before(db, table, ids)

    monkeypatch.setattr(merging, "_add", add)
    store = Store(tmp_path / "two.db")
    with pytest.raises(StoreError, match="disk I/O"):
        store.merge(tmp_path / "one.db")
    assert len(store.executions()) == 1 and store.check().ok
    monkeypatch.undo()
    merged = store.merge(tmp_path / "one.db")
    assert (len(merged.executions), len(merged.there)) == (2, 1)
    assert len(store.sweep("Double sweep")) == 3


def test_two_processes_that_merge_the_same_file_at_once_add_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = Store(tmp_path / "source.db"), Store(tmp_path / "target.db")
    for store in (source, target):
        with Execution(Inner, store=store.path) as ex:
            ex.run_sync()
    refuse, others = merging._refuse_others, []

    def meanwhile(*args: Any) -> None:
        refuse(*args)
        if not others:  # The other process is faster.
            others.append(None)
            others[0] = target.merge(source.path)

    monkeypatch.setattr(merging, "_refuse_others", meanwhile)
    found = target.merge(source.path)
    [other] = others
    assert found.executions == () and found.there == other.executions and len(found.there) == 1
    assert len(target.executions()) == 2 and target.check().ok
