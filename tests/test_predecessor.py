"""Every row of the review of smithers_py, and of DESIGN.md section 12: the test that keeps it away, or why it can't come.

A test is named by file and function; that each one exists is a test of its own. Small ones stand here.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
import logging
import re
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pytest

import smithers_nb
from smithers_nb import End, Execution, If, Phase, Task, component, jsx
from smithers_nb.engine.draft import Draft
from smithers_nb.engine.phases.reconcile import reconcile
from smithers_nb.engine.phases.render import render
from smithers_nb.errors import EventPropError
from smithers_nb.execution import run_behind
from smithers_nb.records import Phase as FramePhase

TESTS = Path(__file__).parent
PACKAGE = Path(smithers_nb.__file__).parent

ROWS: dict[str, str] = {
    # ---- P0
    "P0: two SqliteStore classes with two schemas": "here::test_all_sql_is_in_one_folder_and_all_tables_in_one_file",
    "P0: handlers in NodeHandlers, the loop looks at node.on_finished": "here::test_a_handler_given_by_jsx_is_called",
    "P0: task exceptions never retrieved": "here::test_the_exception_of_a_task_is_read",
    "P0: without pydantic_ai the agent is None": (
        "agents/test_scripted_agents.py::test_a_package_that_is_not_installed_is_named_with_the_command"
    ),
    # ---- architecture
    "architecture: two competing database layers": "here::test_all_sql_is_in_one_folder_and_all_tables_in_one_file",
    "architecture: a render context with a writable db": "engine/test_ctx_doors.py::test_a_query_that_writes_is_refused_everywhere",
    "architecture: PhaseRegistry makes its own tables": (
        "here::test_all_sql_is_in_one_folder_and_all_tables_in_one_file"
    ),
    # ---- code quality
    "quality: names that collide": "here::test_no_two_classes_have_one_name",
    "quality: print instead of logging": "test_floors.py::test_nothing_prints",
    "quality: async loop over sync sqlite": "here::test_the_engine_never_runs_sql_on_its_own_thread",
    "quality: Node = Any": "here::test_node_is_a_discriminated_union",
    # ---- error handling
    "errors: task.done() without task.result()": "here::test_the_exception_of_a_task_is_read",
    "errors: no call that acquires the lease": "store/test_leases.py::test_a_second_process_may_read_and_is_told_who_runs_it",
    "errors: a task whose lease is refused": "here::test_a_task_that_is_not_ours_is_not_run",
    "errors: events recorded for execution None": "here::test_every_row_belongs_to_an_execution",
    # ---- test gaps
    "tests: handler wiring and atomic writes": "engine/test_writes.py::test_a_handler_that_raises_rolls_back_only_itself",
    "tests: both spellings of a handler": "nodes/test_node_props.py::test_both_spellings_of_a_handler_end_up_in_one_place",
    "tests: mount, task, handler, flush, render": "here::test_a_handler_given_by_jsx_is_called",
    "tests: a stale result is suppressed": (
        "engine/test_handlers.py::test_a_stale_result_of_a_thread_does_not_fire_its_handler"
    ),
    "tests: audit log of the state": "engine/test_writes.py::test_every_write_knows_the_value_before_and_after",
    "tests: resume and orphans": "crash/test_kill.py::test_an_execution_that_was_killed_goes_on_and_applies_everything_once",
    "tests: XML": "nodes/test_node_xml.py::test_the_xml_is",
    # ---- performance
    "performance: a deep copy of the state per frame": "here::test_a_snapshot_copies_nothing",
    "performance: a SELECT per write in COMMIT": "here::test_a_flush_reads_nothing",
    "performance: sync sqlite stalls the loop": "here::test_the_engine_never_runs_sql_on_its_own_thread",
    # ---- API
    "API: an enormous export surface": "test_public_api.py::test_the_public_names_are_these",
    "API: two places for handlers": "nodes/test_node_props.py::test_both_spellings_of_a_handler_end_up_in_one_place",
    "API: purity not encoded": "engine/test_purity.py::test_a_component_that_does_more_than_render_is_refused",
    # ---- roadmap
    "roadmap 6: execution_id explicit everywhere": "here::test_every_row_belongs_to_an_execution",
    "roadmap 7: a harness around the loop": "reason: tests/conftest.py run_of; every test in tests/engine runs the real loop",
    # ---- guardrails
    "guardrail: callbacks that never fire": "here::test_a_misspelt_event_is_refused",
    "guardrail: warn above 50 ms": "here::test_a_slow_phase_is_logged",
    "guardrail: schema drift": "store/test_schema.py::test_the_schema_is_what_the_migrations_lead_to",
    # ---- DESIGN section 12
    "12.1: built, exported, never called": "test_floors.py::test_every_module_is_reached",
    "12.2: two stores, tables in five places": "here::test_all_sql_is_in_one_folder_and_all_tables_in_one_file",
    "12.2: migrations that log and go on": (
        "store/test_schema.py::test_a_migration_that_fails_leaves_the_file_as_it_was"
    ),
    "12.3: a typo that returns None": "here::test_a_misspelt_event_is_refused",
    "12.4: a result that never comes": "store/test_leases.py::test_a_task_that_ends_while_the_file_is_locked_is_not_lost",
    "12.4: return when a lease is refused": "here::test_a_task_that_is_not_ours_is_not_run",
    "12.5: ctx.db writable in render": "here::test_the_doors_of_ctx_let_nothing_through",
    "12.6: a deep copy of the whole state": "here::test_a_snapshot_copies_nothing",
    "12.7: declared props that nothing reads": "here::test_every_declared_prop_is_read_somewhere",
    "12.7: tools": "agents/test_scripted_agents.py::test_tools_are_called_and_every_request_is_recorded",
    "12.8: node ids as global primary keys": "store/test_history.py::test_two_executions_in_one_file_do_not_touch_each_other",
    "12.9: order by set difference": "property/test_laws.py::test_two_hash_seeds_give_the_same_ids_xml_and_transitions",
    "12.10: If(False) runs its children": "engine/test_sequence.py::test_nothing_below_a_false_if_runs",
    "12.10: loops and endings that do nothing": (
        "engine/test_control_flow.py::test_a_loop_runs_exactly_as_often_as_it_should"
    ),
    "12.10: an End that does nothing": "engine/test_control_flow.py::test_an_ending_ends_the_execution",
    "12.11: a missing package as TypeError": (
        "agents/test_scripted_agents.py::test_a_package_that_is_not_installed_is_named_with_the_command"
    ),
    "12.12: a demo that hangs": "here::test_the_readmes_first_example_runs",
}


@pytest.mark.parametrize("where", ROWS.values(), ids=ROWS)
def test_every_row_has_its_test_or_a_reason(where: str) -> None:
    if where.startswith("reason: "):
        return
    file, name = where.split("::")
    text = Path(__file__).read_text() if file == "here" else (TESTS / file).read_text()
    assert re.search(rf"^def {name}\b", text, re.MULTILINE), f"{where} is gone: who keeps this fault away now?"


def test_every_table_of_the_review_has_its_rows() -> None:
    heads = {row.split(":")[0] for row in ROWS}
    assert {"P0", "architecture", "quality", "errors", "tests", "performance", "API", "guardrail"} <= heads
    assert {head for head in heads if head.startswith("12.")} == {f"12.{n}" for n in range(1, 13)}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_all_sql_is_in_one_folder_and_all_tables_in_one_file() -> None:
    for path in modules():
        text = path.read_text()
        if path.name == "workers.py":
            continue  # The one table in Postgres, which says which workers live; the store is SQLite.
        inside = path.relative_to(PACKAGE).parts[0] == "store"
        if not inside:
            assert not re.search(r"\b(INSERT INTO|DELETE FROM|UPDATE \w+ SET|SELECT .+ FROM)\b", text), path
        assert not re.search(r"CREATE (TABLE|INDEX|TRIGGER|VIEW)\b", text) or path.name == "connection.py", path
    opening = {path.name for path in modules() if "sqlite3.connect" in path.read_text()}
    assert opening <= {"connection.py", "reader.py", "upkeep.py"}


def test_no_two_classes_have_one_name() -> None:
    seen: dict[str, Path] = {}
    for path in modules():
        if path.parent.name == "notebook" or path.name == "protocol.py":
            continue  # What is sent to the page has the names of what it shows, and is imported by nobody else.
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                # The node, and the part of a frame: both are the word that users say.
                assert node.name not in seen or node.name == "Phase", f"{node.name}: {path} and {seen[node.name]}"
                seen[node.name] = path


@pytest.mark.parametrize("event", ["on_finished", "onFinished"])
def test_a_handler_given_by_jsx_is_called(event: str, run_of: Any) -> None:
    """Mounted, started, ended, handled, flushed, and seen by the next render."""

    @component
    def App(ctx: Any) -> Any:
        return jsx(
            "phase",
            {"name": str(ctx.state.get("said"))},
            jsx("task", {"id": "t", "run": lambda: "hello", event: lambda r: ctx.state.set("said", r.output)}),
        )

    ex = run_of(App())
    assert ex.run_sync().status == "finished"
    assert ex.frame.tree.roots[0].props["name"] == "hello"
    assert list(ex.df.handlers.status) == ["ok"]


def test_the_exception_of_a_task_is_read(run_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("on the loop")

    errors: list[str] = []
    with caplog.at_level(logging.ERROR), warnings.catch_warnings():
        warnings.simplefilter("error")
        ex = run_of(
            [Task(id="a", run=fails, on_error=lambda r: errors.append(r.error)), Task(id="b", run=lambda: 1 / 0)]
        )
        result = ex.run_sync()
        ex.close()
        gc.collect()
    assert errors == ["ValueError: on the loop"]
    assert (result.status, "never retrieved" in caplog.text) == ("failed", False)


def test_the_engine_never_runs_sql_on_its_own_thread(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from smithers_nb.store import writer

    threads: set[str] = set()

    def spy(real: Any) -> Any:
        def spied(*args: Any, **named: Any) -> Any:
            threads.add(threading.current_thread().name)
            return real(*args, **named)

        return spied

    for name in ("commit_frame", "flush_frame", "start_tasks", "end_task"):
        monkeypatch.setattr(writer, name, spy(getattr(writer, name)))
    run_of(Task(run=lambda: 1)).run_sync()
    assert threads and "smithers" not in threads and threading.main_thread().name not in threads


def test_node_is_a_discriminated_union() -> None:
    from pydantic import TypeAdapter

    from smithers_nb.nodes import union

    schema = TypeAdapter(union.Node).core_schema
    assert "tagged-union" in str(schema)


def test_a_task_that_is_not_ours_is_not_run(
    run_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from smithers_nb.store import writer

    monkeypatch.setattr(writer, "start_tasks", lambda *_: set())
    ran: list[int] = []
    ex = run_of(Task(id="t", run=lambda: ran.append(1)))
    ex.step_sync()
    assert (ran, ex.tasks["t"]) == ([], "pending")
    assert "not ours" in caplog.text


def test_every_row_belongs_to_an_execution(run_of: Any) -> None:
    ex = run_of(Task(run=lambda: 1, on_finished=lambda r: ex.state.set("x", 1)))
    ex.run_sync()
    with sqlite3.connect(ex.store.path) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = {row[1]: row[3] for row in db.execute(f"PRAGMA table_info({table})")}
            # All executions of a file share the windows in which a provider may be asked, and the bytes of a prompt; a
            # sweep has many of them.
            if table not in ("schema_migrations", "sqlite_sequence", "sqlite_stat1", "rate_windows", "blobs", "sweeps"):
                assert columns.get("execution_id") == 1 or "execution_id" in columns, table
                assert db.execute(f"SELECT count(*) FROM {table} WHERE execution_id IS NULL").fetchone() == (0,)
    db.close()


def test_a_snapshot_copies_nothing(run_of: Any) -> None:
    ex = run_of(Task(run=lambda: 1), state={str(n): n for n in range(1000)})
    ex.step_phase_sync()
    assert run_behind(ex).draft.seen.cells is run_behind(ex).live.committed.cells
    nodes = [node for path in modules() for node in ast.walk(ast.parse(path.read_text()))]
    assert "deepcopy" not in {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}


def test_a_flush_reads_nothing(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old values are in memory: as many writes as one likes cost no SELECT of the state."""
    from smithers_nb.store import writer

    asked: list[str] = []
    real = writer.flush_frame

    def spied(db: Any, *args: Any, **named: Any) -> Any:
        db.set_trace_callback(lambda sql: asked.append(sql) if sql.lstrip().upper().startswith("SELECT") else None)
        try:
            return real(db, *args, **named)
        finally:
            db.set_trace_callback(None)

    monkeypatch.setattr(writer, "flush_frame", spied)

    @component
    def App(ctx: Any) -> Any:
        def many(_: Any) -> None:
            for n in range(50):
                ctx.state.update(f"k{n}", lambda old: (old or 0) + 1)

        return Task(run=lambda: 1, on_finished=many)

    ex = run_of(App())
    ex.run_sync()
    assert len(ex.state) == 50
    assert len([sql for sql in asked if "FROM state" in sql]) == 0
    assert len(asked) <= 3 * len(ex.df.frames), asked


@pytest.mark.parametrize("name", ["on_finish", "onfinished", "onComplete", "on_click"])
def test_a_misspelt_event_is_refused(name: str) -> None:
    with pytest.raises(EventPropError):
        Task(run=len, **{name: print})
    with pytest.raises(EventPropError):
        jsx("claude", {name: print}, "hi")


@pytest.mark.parametrize(("phase", "logged"), [("SNAPSHOT", True), ("COMMIT", True), ("RENDER", False)])
def test_a_slow_phase_is_logged(
    phase: str, logged: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import smithers_nb.engine.draft as module

    clock = iter([0.0, 0.051])
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    with Draft("x", 7, ()).timed(FramePhase(phase)):
        pass
    assert ("of frame 7 took 51 ms" in caplog.text) is logged


@pytest.mark.parametrize("door", ["state", "vol", "db", "fs", "artifact"])
def test_the_doors_of_ctx_let_nothing_through(door: str, run_of: Any) -> None:
    ex = run_of(Task(run=len))
    found = getattr(ex.ctx, door)
    for name in ("execute", "executescript", "commit", "connection", "cursor", "anything", "__wrapped__"):
        with pytest.raises(AttributeError):  # A wrapper that forwards what it does not know guards nothing.
            getattr(found, name)


def test_render_and_reconcile_are_handed_no_store_and_no_tasks() -> None:
    assert list(inspect.signature(render).parameters) == ["app", "snapshot", "ctx", "before"]
    assert list(inspect.signature(reconcile).parameters) == ["before", "after"]


def test_every_declared_prop_is_read_somewhere() -> None:
    from smithers_nb.nodes.union import TAGS

    shown_only = {"name", "kind", "payload", "prompt", "message", "key"}
    text = "\n".join(path.read_text() for path in modules())
    for tag, node in TAGS.items():
        for prop, _ in node.declared:
            read = re.search(rf"(\.{prop}\b|[\"']{prop}[\"'])", text)
            assert read or prop in shown_only, f"{prop} of <{tag}> is declared and never read"


def test_the_readmes_first_example_runs(python: Any, tmp_path: Path) -> None:
    blocks = re.findall(r"```\n(%%smithers .*?)```", (TESTS.parent / "README.md").read_text(), re.DOTALL)
    head, _, body = blocks[0].partition("\n")
    (tmp_path / "cell.txt").write_text(f"{head} --run --quiet\n{body}")
    done = python(
        """
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "smithers_nb")
        shell.run_cell(open("cell.txt").read()).raise_error()
        print(shell.user_ns["report"].status)
        """
    )
    assert done.stdout.split()[-1:] == ["finished"], done.stdout + done.stderr


def test_an_execution_can_be_made_and_run_inside_of_a_running_loop(tmp_path: Path) -> None:
    """The predecessor's demo hung where a loop was running already, as in a notebook."""

    async def main() -> str:
        with Execution([If(condition=True)[Phase(name="p")], End()], store=tmp_path / "t.db") as ex:
            return (await asyncio.wait_for(ex.run(), 10)).status

    assert asyncio.run(main()) == "finished"
