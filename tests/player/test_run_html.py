"""A run as one file: what is in it, and the same file as a store."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from smithers_nb import Approval, Claude, Execution, Phase, Smithers, Store, Task, call_tool, component, scripted
from smithers_nb.errors import NewerExportWarning, SchemaVersionError, StoreDamagedError, StoreError
from smithers_nb.store.frames import TABLES

HOSTILE = '</script><!--<script>alert(1)</script> \u2028 ]]> "quoted"\n'


def look(word: str) -> str:
    """Look a word up."""
    return HOSTILE


@component
def Part(ctx: Any) -> Any:
    return Task(id="inner", run=lambda: 7, on_finished=lambda r, ctx: ctx.state.set("inner", r.output))


@component
def App(ctx: Any) -> Any:
    ctx.state.get("found")
    return [
        Phase(name="1")[
            Claude(
                id="c",
                model=scripted(call_tool("look", word="tide"), "done"),
                tools=[look],
                on_finished=lambda r, ctx: ctx.state.set("found", HOSTILE),
            )["Look it up."],
            Smithers(id="part", component=Part),
        ],
        Phase(name="2")[
            Task(id="t", run=lambda: "hi", on_finished=lambda r, ctx: ctx.artifact.markdown(HOSTILE)),
            Approval(id="ok", prompt=HOSTILE),
        ],
    ]


def exported(run_of: Any, path: Path, app: Any = App, **options: Any) -> tuple[Execution, Any]:
    ex = run_of(app, name="report")
    ex.run_sync()
    return ex, ex.export(path, show=False, **options)


def rows(store: Any, table: str) -> list[Any]:
    frame = getattr(store.df, table)
    # The lease of a process does not go out, and each renewal is a time.
    leased = ("owner", "lease_expires_at", "owned_since", "lease_owner", "updated_at")
    return json.loads(
        frame.drop(columns=[name for name in leased if name in frame]).to_json(orient="records", date_format="iso")
    )


def test_the_file_is_a_store_with_the_same_dataframes(run_of: Any, tmp_path: Path) -> None:
    ex, _ = exported(run_of, tmp_path / "run.html")
    run_of(Task(id="other", run=lambda: 1), name="other").run_sync()
    store = Store(tmp_path / "run.html")
    assert store.exported is not None and store.exported.execution_id == ex.execution_id
    assert sorted(store.executions().name) == ["report", "report/part"], "and not the other one of the file"
    for table in TABLES:
        if table != "rate_windows":
            assert rows(store.open("report"), table) == rows(ex, table), table
    for n in range(1, ex.recorded + 1):
        assert store.open("report").at(n).xml == ex.at(n).xml
        assert dict(store.open("report").at(n).state) == dict(ex.at(n).state)
    assert store.check().ok, store.check()
    assert str(store.open("report").why("state:found")) == str(ex.why("state:found"))
    assert ex.compare(store.open("report")).text.endswith("do not differ.")
    assert isinstance(store.sql("select count(*) from frames"), pd.DataFrame)


def test_it_says_what_goes_out_before_it_writes(run_of: Any, tmp_path: Path, capsys: Any) -> None:
    ex, found = exported(run_of, tmp_path / "run.html")
    assert capsys.readouterr().out == "", "show=False"
    assert Path(found) == tmp_path / "run.html" and Path(found).read_bytes()[:15] == b"<!doctype html>"
    assert (found.frames, found.keys, found.calls) == ((1, ex.recorded), ("found", "inner"), 3)
    assert found.executions == ("report", "report/part")
    assert found.sizes["file"] == (tmp_path / "run.html").stat().st_size and found.sizes["database"] > 10_000
    with pytest.raises(StoreError, match="can't be written"):
        ex.export(tmp_path / "nowhere" / "run.html")
    said = capsys.readouterr().out
    assert f"frames 1 to {ex.recorded}" in said and "2 model calls, 1 tool call" in said, (
        "said before the writing failed"
    )
    assert "keys of the state: found, inner" in said and "0 credentials masked" in said


def test_the_same_run_gives_the_same_bytes_but_for_the_time(run_of: Any, tmp_path: Path, parts: Any) -> None:
    ex = run_of(App, name="report", state={key: key for key in "abcdefgh"})
    ex.run_sync()
    for key in "hgfedcba":
        ex.state.set(key, 1)
    ex.step_sync()
    ex.step_sync()
    ex.close()  # Its lease is a time, too.
    ex.store.open("report").export(tmp_path / "one.html", show=False)
    code = f"from smithers_nb import Store; Store({ex.store.path!r}).open('report').export('other.html')"
    # Another process has other hashes, in whose order sets are gone through.
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True)
        one, other = parts(tmp_path / "one.html"), parts(tmp_path / "other.html")
        for name in ("store", "panes", "page"):
            assert one[name] == other[name], name
        headers = [json.loads(found["header"]) for found in (one, other)]
        assert {name for name, value in headers[0].items() if value != headers[1][name]} == {"exported_at"}


def test_what_a_model_wrote_ends_no_block(run_of: Any, tmp_path: Path, parts: Any) -> None:
    ex = run_of(App, name=HOSTILE)
    ex.run_sync()
    ex.export(tmp_path / "run.html", show=False)
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "<!--" not in text and "alert(1)</script>" not in text
    assert text.count("<script") == text.count("</script>")
    without_scripts = re.sub(r"<script\b.*?</script>|<style\b.*?</style>", "", text, flags=re.DOTALL)
    assert "default-src 'none'" in text and not re.search(r"https?://|src=|href=|url\(", without_scripts)
    assert json.loads(parts(tmp_path / "run.html")["header"])["name"] == HOSTILE
    assert HOSTILE.strip() in Store(tmp_path / "run.html").open(ex.execution_id).state["found"]


def test_a_branch_goes_out_with_its_line_and_nothing_that_came_after_it_had_left(run_of: Any, tmp_path: Path) -> None:
    ex = run_of(App, name="report")
    ex.run_sync()
    branch = ex.fork(2, state={"more": "yes"})
    branch.run_sync()
    ex.state.set("late", "parent only")
    ex.step_sync()
    ex.step_sync()
    branch.export(tmp_path / "run.html", show=False)
    branch.close()
    store = Store(tmp_path / "run.html")
    assert store.executions().name.tolist()[:1] == ["report"] and "report~2" in set(store.executions().name)
    there, here = store.open("report~2"), branch
    assert there.df.frames.frame.tolist() == here.df.frames.frame.tolist()
    for n in range(1, here.recorded + 1):
        assert there.at(n).xml == here.at(n).xml and dict(there.at(n).state) == dict(here.at(n).state)
    for table in ("transitions", "tasks", "model_calls", "handlers", "state", "nodes"):
        assert len(getattr(there.df, table)) == len(getattr(here.df, table)), table
    assert "late" not in set(store.df.state.key) and store.open("report").frames == 2
    assert store.check().ok, store.check()


def test_frames_are_cut_at_both_ends(run_of: Any, tmp_path: Path, parts: Any) -> None:
    ex = run_of(App, name="report", state={"before": "only frame 1 to 3 read this"})
    for value in "abcdef":
        ex.state.set("before", f"value {value}")
        ex.step_sync()
    last = ex.recorded - 2
    found = ex.export(tmp_path / "run.html", frames=range(3, last + 1), show=False)
    assert found.frames == (3, last)
    store = Store(tmp_path / "run.html")
    history = store.open("report")
    assert history.df.frames.frame.tolist() == [*range(3, last + 1)]
    assert history.at(3).xml == ex.at(3).xml and dict(history.at(last).state) == dict(ex.at(last).state)
    assert {problem.kind for problem in store.check().problems} <= {"orphan"}, store.check()
    assert (history.status, history.reason) == ("paused", f"the rest is not in this file: it ends with frame {last}")
    with pytest.raises(StoreError, match=r"frames= of an export.* before frame 3"):
        history.at(2)
    database = parts(tmp_path / "run.html")["store"]
    assert [value for value in "abcdef" if f"value {value}".encode() in database] == ["c", "d", "e"]
    with pytest.raises(ValueError, match="no unbroken row"):
        ex.export(tmp_path / "no.html", frames=[1, 4])
    with pytest.raises(StoreError, match="has no frame 99"):
        ex.export(tmp_path / "no.html", frames=[99])
    assert not (tmp_path / "no.html").exists()


def test_frames_of_a_branch_are_cut_on_both_sides_of_its_fork(run_of: Any, tmp_path: Path, parts: Any) -> None:
    ex = run_of(App, name="report", state={"before": "elder zero"})
    for value in "abcde":
        ex.state.set("before", f"elder {value}")
        ex.step_sync()
    branch = ex.fork(3)
    for value in "vwxyz":
        branch.state.set("before", f"branch {value}")
        branch.step_sync()
    last = branch.recorded
    for first, owners, kept in ((2, ["report", "report~2"], "elder b"), (last - 1, ["report~2"], "branch y")):
        found = branch.export(tmp_path / f"{first}.html", frames=range(first, last + 1), show=False)
        assert found.frames == (first, last)
        store = Store(tmp_path / f"{first}.html")
        history = store.open("report~2")
        assert history.df.frames.frame.tolist() == [*range(first, last + 1)]
        # A task that runs in this process has no process in the file.
        assert {problem.kind for problem in store.check().problems} <= {"orphan"}, store.check()
        for n in range(first, last + 1):
            assert history.at(n).xml == branch.at(n).xml and dict(history.at(n).state) == dict(branch.at(n).state)
        with pytest.raises(StoreError, match="was pruned"):
            history.at(first - 1)
        names = store.sql("select distinct name from frames join executions using (execution_id) where kind <> 'child'")
        assert sorted(names.name) == owners
        database = parts(tmp_path / f"{first}.html")["store"]
        assert kept.encode() in database and b"elder zero" not in database
    assert b"branch x" not in database and b"elder" not in database, (
        "of an ancestor without a frame in it nothing is there but its name"
    )
    with pytest.raises(StoreError, match="it is a branch, and shares them with report"):
        branch.export(tmp_path / "no.html", frames=[1, 2])
    branch.close()


def test_nothing_is_written_into_it(run_of: Any, tmp_path: Path) -> None:
    exported(run_of, tmp_path / "run.html")
    before = (tmp_path / "run.html").read_bytes()
    store = Store(tmp_path / "run.html")
    for write in (
        lambda: store.prune(keep_frames=1),
        store.vacuum,
        lambda: Execution(App, store=store),
        lambda: Execution.resume(App, store=tmp_path / "run.html"),
        lambda: Execution(App, store=tmp_path / "new.html"),
        lambda: store.save(tmp_path / "copy.html"),
    ):
        with pytest.raises(StoreError, match=r"html.* is an exported run.*save\('run.db'\)"):
            write()
    with pytest.raises(StoreError, match="a query writes"):
        store.sql("delete from frames")
    assert (tmp_path / "run.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["run.html"]


def test_saved_as_a_database_it_continues(run_of: Any, resumed: Any, tmp_path: Path) -> None:
    ex, _ = exported(run_of, tmp_path / "run.html")
    saved = Store(tmp_path / "run.html").save(tmp_path / "own.db")
    with pytest.raises(StoreError, match="exists already"):
        Store(tmp_path / "run.html").save(tmp_path / "own.db")
    again = resumed(App, store=saved)
    assert again.run_sync().status == "waiting"
    again.answer("ok", "approve")
    assert again.run_sync().status == "finished"
    assert ex.status == "waiting" and Store(tmp_path / "run.html").open("report").status == "waiting"


def test_a_fork_is_in_a_database_beside_it_or_in_one_that_is_named(run_of: Any, tmp_path: Path) -> None:
    ex, _ = exported(run_of, tmp_path / "run.html")
    history = Store(tmp_path / "run.html").open("report")
    made = [history.fork(App, frame=2), history.fork(App)]
    made.append(history.fork(App, frame=1, store=tmp_path / "mine.db"))
    other = run_of(App, name="report", store=tmp_path / "many.db")
    other.run_sync()
    made.append(history.fork(App, frame=2, store=tmp_path / "many.db"))
    made.append(ex.store.open("report").fork(App, frame=2, store=tmp_path / "taken.db"))
    try:
        assert [Path(one.store.path).name for one in made] == ["run.db", "run.db", "mine.db", "many.db", "taken.db"]
        for one in made:
            assert one.run_sync().status == "waiting"
            assert one.df.model_calls.response.tolist() == ex.df.model_calls.response.tolist()
            assert dict(one.state) == dict(ex.state)
            assert one.store.check().ok, one.store.check()
        assert made[0].store.executions().name.tolist().count("report") == 1, "added once"
    finally:
        for one in made:
            one.close()


def test_lines_of_json_are_no_store_and_the_reason_is_said(run_of: Any, tmp_path: Path) -> None:
    exported(run_of, tmp_path / "run.ndjson")
    with pytest.raises(
        StoreError, match=r"lines of JSON.* children, loops and breakpoints .* ex\.export\('run\.html'\)"
    ):
        Store(tmp_path / "run.ndjson")


def damage(text: str) -> str:
    return re.sub(r'(smithers-store">.*?"data": ".{40}).{8}', r"\1AAAAAAAA", text)


@pytest.mark.parametrize(
    ("edit", "kind", "message"),
    [
        (damage, StoreDamagedError, "smithers-store is not whole"),
        (lambda text: text[: text.index("smithers-store") + 300], StoreDamagedError, "smithers-store is missing"),
        (lambda text: text.replace("smithers-header", "header"), StoreError, "no exported run"),
        (lambda text: text.replace('"format": 1', '"format": 2'), SchemaVersionError, "container 2.* Upgrade"),
        (lambda text: text.replace('"code_hash"', '"hash"'), StoreDamagedError, "its header lacks code_hash"),
    ],
)
def test_what_is_no_whole_export_is_said(run_of: Any, tmp_path: Path, edit: Any, kind: Any, message: str) -> None:
    exported(run_of, tmp_path / "run.html")
    (tmp_path / "bad.html").write_text(edit((tmp_path / "run.html").read_text()))
    with pytest.raises(kind, match=message):
        Store(tmp_path / "bad.html")


def with_schema(tmp_path: Path, change: str, version: int) -> Path:
    """Write run.html again, with a changed database."""
    from smithers_nb.player import container

    found = container.read(str(tmp_path / "run.html"))
    (tmp_path / "changed.sqlite").write_bytes(found.database)
    with sqlite3.connect(tmp_path / "changed.sqlite") as db:
        db.executescript(change)
        db.execute("INSERT INTO schema_migrations VALUES (?, 'later', '')", (version,))
    header = {**{name: getattr(found.header, name) for name in found.header.__slots__}, "schema": version}
    data = (tmp_path / "changed.sqlite").read_bytes()
    container.write(tmp_path / "newer.html", container.page(container.Contents(container.Header(**header), data, b"")))
    return tmp_path / "newer.html"


def test_a_newer_export_is_shown_as_far_as_it_is_known(run_of: Any, tmp_path: Path) -> None:
    exported(run_of, tmp_path / "run.html")
    path = with_schema(tmp_path, "ALTER TABLE frames ADD COLUMN mood TEXT; CREATE TABLE dreams (id TEXT)", 99)
    with pytest.warns(NewerExportWarning, match=r"schema version 99.* can't show what is new: dreams.id, frames.mood"):
        store = Store(path)
    assert store.open("report").at(2).xml
    with pytest.raises(SchemaVersionError, match="schema version 99"):
        store.open("report").fork(App, frame=2)
    (tmp_path / "newer.html").unlink()
    path = with_schema(tmp_path, "ALTER TABLE handlers DROP COLUMN source", 100)
    with pytest.raises(SchemaVersionError, match=r"lacks handlers.source"):
        Store(path)
