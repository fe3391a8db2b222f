"""One schema; a file that is not ours, or newer than we are, is refused and left as it was."""

from __future__ import annotations

import gc
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Execution, Step, Store
from smithers_nb.errors import SchemaVersionError, StoreDamagedError, StoreError, UnknownExecutionError
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


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_durability_is_what_was_asked_for(durability: str, run_of: Any) -> None:
    ex = run_of(Step(), durability=durability)
    from smithers_nb.bridge import engine

    async def pragma() -> int:
        return await ex._live.database.transaction(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])

    assert engine.call(pragma()) == {"normal": 1, "full": 2}[durability]
