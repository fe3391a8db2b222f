"""One schema; a file that is not ours, or newer than we are, is refused and left as it was."""

from __future__ import annotations

import gc
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Execution, If, Smithers, Step, Store, Task, component
from smithers_nb.bridge import engine
from smithers_nb.errors import SchemaVersionError, StoreDamagedError, StoreError, UnknownExecutionError
from smithers_nb.execution import run_behind
from smithers_nb.store import connection


def described(db: sqlite3.Connection) -> list[Any]:
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [
        (
            name,
            db.execute(f"PRAGMA table_xinfo({name})").fetchall(),
            db.execute(f"PRAGMA foreign_key_list({name})").fetchall(),
            sorted(row[1:] for row in db.execute(f"PRAGMA index_list({name})").fetchall()),
            [
                db.execute(f"PRAGMA index_xinfo({index[1]})").fetchall()
                for index in sorted(db.execute(f"PRAGMA index_list({name})").fetchall(), key=lambda row: row[1])
            ],
            "WITHOUT ROWID" in db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0],
        )
        for name in tables
    ]


def test_the_schema_is_what_the_migrations_lead_to() -> None:
    built = []
    for scripts in ([connection.schema()], [sql for _, _, sql in connection.migrations()]):
        db = sqlite3.connect(":memory:")
        for script in scripts:
            db.executescript(script)
        built.append(described(db))
        db.close()
    assert built[0] == built[1]
    assert len(built[0]) >= 9


def test_migrations_are_numbered_without_holes() -> None:
    assert [version for version, _, _ in connection.migrations()] == list(range(1, len(connection.migrations()) + 1))


def test_a_new_file_says_which_migrations_it_has(run_of: Any) -> None:
    ex = run_of(Step())
    rows = ex.store.sql("SELECT version, name FROM schema_migrations ORDER BY version")
    assert list(rows.itertuples(index=False, name=None)) == [(v, name) for v, name, _ in connection.migrations()]


LATER = "CREATE TABLE later (\n  a TEXT -- a comment; with a semicolon\n);\nINSERT INTO later VALUES ('x;y');\n"


def add_migration(monkeypatch: pytest.MonkeyPatch, sql: str) -> int:
    known = connection.migrations()
    version = len(known) + 1
    monkeypatch.setattr(connection, "migrations", lambda: [*known, (version, "later", sql)])
    return version


def test_a_later_migration_is_applied_once_and_keeps_what_is_there(
    run_of: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = run_of(Step(name="old"), name="old")
    old.run_sync()
    old.close()
    version = add_migration(monkeypatch, LATER)
    for _ in range(2):
        run_of(Step()).close()
    store = Store(tmp_path / "t.db")
    assert list(store.sql("SELECT a FROM later").a) == ["x;y"]
    assert list(store.sql("SELECT max(version) AS v, count(*) AS n FROM schema_migrations").iloc[0]) == [version] * 2
    assert store.open("old").at(1).xml == '<step name="old"/>'


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    run_of: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_of(Step()).close()
    before = Store(tmp_path / "t.db").sql("SELECT sql FROM sqlite_master ORDER BY name").values.tolist()
    add_migration(monkeypatch, LATER + "INSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(StoreError, match="nowhere"):
        run_of(Step())
    monkeypatch.undo()
    store = Store(tmp_path / "t.db")
    assert store.sql("SELECT sql FROM sqlite_master ORDER BY name").values.tolist() == before
    assert run_of(Step()).run_sync().status == "finished"


def as_of(version: int, new: Path, old: Path) -> None:
    """Write what a file holds into another one, as the release with that schema version would have had it."""
    with sqlite3.connect(old) as db:
        for _, _, sql in connection.migrations()[:version]:
            db.executescript(sql)
        db.execute("ATTACH ? AS new", (str(new),))
        for (table,) in db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            there = {row[1] for row in db.execute(f"PRAGMA new.table_info({table})")}
            both = ", ".join(f'"{row[1]}"' for row in db.execute(f"PRAGMA main.table_info({table})") if row[1] in there)
            db.execute(f"INSERT INTO main.{table} ({both}) SELECT {both} FROM new.{table}")
        db.execute("DELETE FROM schema_migrations WHERE version > ?", (version,))
    db.close()


@pytest.mark.parametrize("version", range(1, len(connection.migrations())))
def test_a_file_of_an_earlier_version_is_migrated_and_its_execution_goes_on(
    version: int, run_of: Any, tmp_path: Path
) -> None:
    asks = version > 1  # The first release had no approvals.
    app = [
        Task(id="done", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("n", 1)),
        If(condition=asks)[Approval(id="ok", prompt="Go?", on_finished=lambda r, ctx: ctx.state.set("ok", r.output))],
    ]
    ex = run_of(app)
    assert ex.run_sync().status == ("waiting" if asks else "finished")
    ex.close()
    as_of(version, tmp_path / "t.db", tmp_path / "old.db")
    with Execution.resume(app, store=tmp_path / "old.db") as again:
        if asks:
            assert list(again.df.approvals.task_id) == list(again.df.approvals.approval_id) == ["ok@1"]
            again.answer("ok", "approve")
        again.state.set("more", 1)
        assert again.run_sync().status == "finished"
        assert dict(again.state) == {"n": 1, "more": 1, **({"ok": "approve"} if asks else {})}
        assert list(again.df.handlers.node_id) == ["done", *(["ok"] if asks else [])]
        assert again.store.check().ok, again.store.check()


def newer(path: Path) -> None:
    Execution(Step(), store=path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO schema_migrations VALUES (99, 'future', '2030-01-01T00:00:00.000000+00:00')")
        db.execute("DELETE FROM executions")
    db.close()


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE customers (name TEXT)")
        db.execute("INSERT INTO customers VALUES ('Ada')")
    db.close()


def of_a_framework_with_the_same_ledger(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE schema_migrations (version VARCHAR PRIMARY KEY)")
        db.execute("CREATE TABLE customers (name TEXT)")
    db.close()


def no_database(path: Path) -> None:
    path.write_text("Dear diary, this is a text that is longer than a header of SQLite. " * 50)


REFUSED: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "newer": (newer, SchemaVersionError, ["99", "Upgrade"]),
    "another program": (of_another_program, StoreError, ["another program", "customers", "name another file"]),
    "same ledger": (of_a_framework_with_the_same_ledger, StoreError, []),
    "no database": (no_database, StoreDamagedError, ["not a", "database"]),
}


@pytest.mark.parametrize(("make", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_not_for_us_is_refused_and_not_changed(
    make: Any, error: type[Exception], words: list[str], tmp_path: Path, run_of: Any
) -> None:
    path = tmp_path / "other.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(error) as caught:
        run_of(Step(), store=path)
    assert [word for word in ["other.db", *words] if word not in str(caught.value)] == []
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


@pytest.mark.parametrize("version", [1, 9, len(connection.migrations()) - 1])
def test_a_file_of_an_earlier_version_is_exported_and_stays_as_it_is(version: int, run_of: Any, tmp_path: Path) -> None:
    ex = run_of(Task(id="done", run=lambda: 1, on_finished=lambda r, ctx: ctx.state.set("n", 1)), name="old")
    ex.run_sync()
    ex.close()
    as_of(version, tmp_path / "t.db", tmp_path / "old.db")
    before = (tmp_path / "old.db").read_bytes()
    Store(tmp_path / "old.db").open("old").export(tmp_path / "run.html", show=False)
    assert (tmp_path / "old.db").read_bytes() == before
    exported = Store(tmp_path / "run.html")
    assert exported.open("old").state["n"] == 1 and exported.check().ok
    # Each export is the same: what it added to the schema has no time of its own.
    ledgers = [
        store.sql("SELECT DISTINCT applied_at FROM schema_migrations")
        for store in (Store(tmp_path / "old.db"), exported)
    ]
    assert ledgers[0].equals(ledgers[1])


def test_a_folder_is_refused(tmp_path: Path, run_of: Any) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        run_of(Step(), store=tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path, run_of: Any) -> None:
    with pytest.raises(StoreError, match="folder exists"):
        run_of(Step(), store=tmp_path / "no" / "t.db")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written_is_refused(what: str, run_of: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "t.db"
        if what == "file":
            Execution(Step(), store=path).close()
            path.chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            with pytest.raises(StoreError, match=r"t\.db can't be (written|opened)"):
                run_of(Step(), store=path)
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_reading_a_file_that_is_not_there_says_so_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no file"):
        _ = Store(tmp_path / "none.db").df.frames
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_execution_is_named_with_those_that_there_are(run_of: Any, resumed: Any) -> None:
    ex = run_of(Step(), name="report")
    with pytest.raises(UnknownExecutionError, match=f"report \\({ex.execution_id}\\)"):
        ex.store.open("reprot")
    with pytest.raises(UnknownExecutionError, match="reprot"):
        resumed(Step(), name="reprot")


def test_a_memory_store_is_gone_when_nobody_has_it() -> None:
    ex = Execution(Step(), store=":memory:")
    path = ex.store.path
    assert ex.run_sync().status == "finished"
    ex.close()
    assert os.path.exists(path)
    del ex
    gc.collect()
    assert not os.path.exists(path)


def synchronous(ex: Execution) -> int:
    """Return what SQLite does at a commit: 1 is NORMAL, 2 is FULL."""

    async def pragma() -> int:
        return await run_behind(ex).live.services.database.transaction(
            lambda db: db.execute("PRAGMA synchronous").fetchone()[0]
        )

    return engine.call(pragma())


@pytest.mark.parametrize(("durability", "expected"), [("normal", 1), ("full", 2)])
def test_durability_is_what_was_asked_for(durability: str, expected: int, run_of: Any) -> None:
    ex = run_of(Step(), durability=durability)
    assert synchronous(ex) == expected
    assert list(ex.df.executions.durability) == [durability]


def test_an_execution_that_asks_for_full_has_it_in_a_file_that_is_open_already(run_of: Any) -> None:
    before = run_of(Step())
    assert synchronous(before) == 1
    full = run_of(Step(), durability="full")
    assert synchronous(full) == synchronous(before) == 2
    assert synchronous(run_of(Step())) == 2, "another one that asks for less does not take it away"


@pytest.mark.parametrize("beside", [False, True])
def test_a_resumed_execution_has_the_durability_that_it_was_made_with(beside: bool, run_of: Any, resumed: Any) -> None:
    run_of(Step(), name="full", durability="full").close()
    if beside:
        run_of(Step())
    assert synchronous(resumed(Step(), name="full")) == 2


def test_a_resume_asks_for_another_durability_and_the_file_remembers_it(run_of: Any, resumed: Any) -> None:
    run_of(Step(), name="x").close()
    for asked, expected in ((None, 1), ("full", 2), (None, 2), ("normal", 1), (None, 1)):
        ex = resumed(Step(), name="x", durability=asked)
        assert synchronous(ex) == expected, asked
        ex.close()


def test_a_child_is_as_durable_as_its_parent(run_of: Any) -> None:
    @component
    def Inner() -> Any:
        return Step()

    ex = run_of(Smithers(id="child", component=Inner), durability="full")
    ex.run_sync()
    assert list(ex.store.df.executions.durability) == ["full", "full"]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("way", ["make", "resume"])
def test_a_durability_that_there_is_not_is_refused(way: str, beside: bool, run_of: Any, resumed: Any) -> None:
    ex = run_of(Step(), name="x")
    if not beside:
        ex.close()
    with pytest.raises(ValueError, match=r"durability='nonsense' is none of normal, full"):
        (run_of if way == "make" else resumed)(Step(), name="x", durability="nonsense")
    assert len(ex.store.df.executions) == 1
