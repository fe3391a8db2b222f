"""Files that are removed, renamed or replaced while they are open, and what a file holds without its log."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Effect, Execution, Step, Store, Task, component
from smithers_nb.execution import run_behind
from smithers_nb.store import connection
from smithers_nb.store.presence import StoreLostError
from tests.store.checks import run, sound


@component
def Counting(ctx: Any) -> Any:
    n = ctx.state.get("n", 0)
    return [Step(name=f"step {n}"), Effect(id="e", deps=[n], run=lambda: ctx.state.set("n", n + 1) if n < 40 else None)]


def files(path: Path) -> list[Path]:
    return [file for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if file.exists()]


def removed(path: Path) -> None:
    for file in files(path):
        file.unlink()


def removed_without_its_log(path: Path) -> None:
    path.unlink()


def renamed(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def folder_removed(path: Path) -> None:
    shutil.rmtree(path.parent)


def folder_renamed(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replaced(path: Path) -> None:
    backup(path).rename(path)


def removed_and_copied(path: Path) -> None:
    made = backup(path)
    removed(path)
    shutil.copy(made, path)


def backup(path: Path) -> Path:
    made = path.parent / "backup.db"
    with Execution(Step(), store=made, name="of the backup") as ex:
        assert run(ex).status == "finished"
    return made


GONE = [removed, removed_without_its_log, renamed, folder_removed, folder_renamed]
REPLACED = [replaced, removed_and_copied]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "t.db"


@pytest.fixture
def stepped(run_of: Any, path: Path) -> Execution:
    """An execution at rest in its second frame, with a write pending."""
    ex = run_of(Counting(), store=path, name="counts")
    ex.step_sync()
    ex.step_sync()
    assert len(ex.pending) == 1
    return ex


@pytest.mark.parametrize("lose", [*GONE, *REPLACED])
def test_the_first_transaction_after_it_says_that_the_file_was_lost(
    lose: Callable[[Path], None], stepped: Execution, path: Path
) -> None:
    lose(path)
    before = {file: file.read_bytes() for file in files(path)} if path.exists() else {}
    for _ in range(2):
        words = "is a different file now: it was replaced" if path.exists() else "is gone: it was removed or renamed"
        with pytest.raises(StoreLostError, match=words) as error:
            stepped.step_sync()
        assert str(path) in str(error.value) and "Execution" in str(error.value)
        assert len(stepped.pending) == 1
    assert path.exists() == bool(before)
    if before:
        assert path.read_bytes() == before[path]
        assert list(Store(path).executions().name) == ["of the backup"]
        sound(path)
    stepped.close()


COMMANDS: dict[str, Callable[[Execution], object]] = {
    "step": lambda ex: ex.step_sync(),
    "run": lambda ex: ex.run_sync(),
    "phase": lambda ex: ex.step_phase_sync(),
    "answer": lambda ex: ex.answer("q", "approve"),
    "stop": lambda ex: ex.stop(),
    "swap": lambda ex: ex.swap(Step()),
    "edit": lambda ex: ex.edit_pending(ex.pending[0].id, 7),
    "breakpoint": lambda ex: ex.breakpoints.add(key="n"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_writes_says_it(command: str, run_of: Any, path: Path) -> None:
    @component
    def App(ctx: Any) -> Any:
        return [Approval(id="q", prompt="?"), Effect(id="e", run=lambda: ctx.state.set("n", 1))]

    ex = run_of(App(), store=path)
    ex.step_sync()
    removed(path)
    with pytest.raises(StoreLostError, match="is gone"):
        COMMANDS[command](ex)
    assert not path.exists()
    ex.terminate()  # There is nothing to be said to the file.
    ex.close()
    assert not path.exists()


@pytest.mark.parametrize("lose", [renamed, folder_renamed])
def test_a_file_that_is_put_back_goes_on(lose: Callable[[Path], None], stepped: Execution, path: Path) -> None:
    lose(path)
    with pytest.raises(StoreLostError):
        stepped.step_sync()
    if lose is renamed:
        path.with_name("elsewhere.db").rename(path)
    else:
        path.parent.with_name("elsewhere").rename(path.parent)
    assert run(stepped).status == "finished" and stepped.state["n"] == 40
    assert list(stepped.df.transitions.new) == list(range(1, 41))
    stepped.close()
    sound(path)


def test_a_file_that_was_renamed_is_whole_without_its_log(stepped: Execution, path: Path) -> None:
    renamed(path)
    with pytest.raises(StoreLostError):
        stepped.step_sync()
    assert list(Store(path.with_name("elsewhere.db")).open("counts").df.frames.frame) == [1, 2]


@pytest.mark.parametrize("lose", [removed, removed_without_its_log, renamed, *REPLACED])
@pytest.mark.parametrize("noticed", [True, False])
def test_a_new_execution_under_that_name_has_a_file_of_its_own(
    lose: Callable[[Path], None], noticed: bool, stepped: Execution, path: Path
) -> None:
    lose(path)
    if noticed:
        with pytest.raises(StoreLostError):
            stepped.step_sync()
    with Execution(Counting(), store=path, name="second") as ex:
        assert run(ex).status == "finished" and ex.at(41).state["n"] == 40
        for move in (stepped.step_sync, stepped.run_sync):
            with pytest.raises(StoreLostError, match="is a different file now"):
                move()
        assert path.exists()
        stepped.close()
        ex.state.set("n", 39)
        assert run(ex).status == "finished"
    there = ["of the backup", "second"] if lose in REPLACED else ["second"]
    assert list(Store(path).executions().name) == there
    sound(path)


def test_what_another_process_wrote_into_the_new_file_stays(stepped: Execution, path: Path) -> None:
    replaced(path)
    other = (
        "import sys; from smithers_nb import *; ex = Execution(Step(), store=sys.argv[1], name='other'); "
        "print(ex.run_sync().status, flush=True); sys.stdin.read(); ex.close()"
    )
    arguments = [sys.executable, "-c", other, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "finished\n"
        with pytest.raises(StoreLostError, match="is a different file now"):
            stepped.step_sync()
        stepped.close()
        process.stdin.close()
        assert process.wait(30) == 0
    assert "other" in list(Store(path).executions().name)
    sound(path)


def test_a_task_that_ends_while_the_file_is_gone_is_recorded_when_it_is_back(
    run_of: Any, path: Path, gate: Any, wait_until: Any
) -> None:
    waits = gate()

    async def work() -> int:
        await waits.passed()
        return 7

    ex = run_of(Task(id="t", run=work, on_finished=lambda r, ctx: ctx.state.set("got", r.output)), store=path)
    ex.step_sync()
    waits.reached()
    renamed(path)
    waits.open()
    wait_until(lambda: bool(run_behind(ex).live.inbox.ending))
    path.with_name("elsewhere.db").rename(path)
    assert run(ex).status == "finished" and ex.state["got"] == 7
    assert list(ex.df.tasks.status) == ["succeeded"]


# ---- the log --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [["-wal"], ["-wal", "-shm"], ["-shm"]], ids=["log", "log and index", "index"])
def test_a_log_that_was_removed_alone_is_made_again_and_nothing_is_lost(
    which: list[str], stepped: Execution, path: Path
) -> None:
    for name in which:
        os.remove(f"{path}{name}")
    stepped.step_sync()
    assert list(stepped.df.frames.frame) == [1, 2, 3]
    assert run(stepped).status == "finished" and stepped.state["n"] == 40
    assert list(stepped.df.transitions.new) == list(range(1, 41))
    stepped.close()
    assert list(Store(path).df.transitions.new) == list(range(1, 41))
    sound(path)


def alone(path: Path) -> sqlite3.Connection:
    """Open a copy of the file without its log."""
    copy = shutil.copy(path, path.with_name("copy.db"))
    return sqlite3.connect(copy)


def frames_in(path: Path) -> int:
    with closing(alone(path)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'frames'").fetchone():
            return 0
        return int(db.execute("SELECT count(*) FROM frames").fetchone()[0])


def test_after_a_run_the_file_alone_has_the_frames(run_of: Any, path: Path) -> None:
    ex = run_of(Counting(), store=path)
    assert run(ex).status == "finished"
    assert frames_in(path) == 41
    ex.state.set("n", 39)
    while not ex.over or ex.pending:
        ex.step_sync()
    assert ex.frame is not None and frames_in(path) == ex.frame.number


def test_at_rest_the_file_alone_has_the_frames_after_a_while(
    monkeypatch: pytest.MonkeyPatch, run_of: Any, path: Path, wait_until: Any
) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.05)
    ex = run_of(Counting(), store=path)
    for number in (1, 2, 3):
        ex.step_sync()
        wait_until(lambda number=number: frames_in(path) == number)


def test_a_reader_in_the_way_delays_nothing_and_the_file_has_it_when_he_is_done(
    monkeypatch: pytest.MonkeyPatch, run_of: Any, path: Path, wait_until: Any
) -> None:
    monkeypatch.setattr(connection, "IDLE_S", 0.05)
    ex = run_of(Counting(), store=path)
    ex.step_sync()
    with Store(path).reader.moment() as reading:
        assert reading.execute("SELECT count(*) FROM frames").fetchone() == (1,)
        assert run(ex).status == "finished"
        assert reading.execute("SELECT count(*) FROM frames").fetchone() == (1,)
        assert len(ex.df.frames) == 41
    wait_until(lambda: os.path.getsize(f"{path}-wal") == 0)
    assert frames_in(path) == 41
    ex.close()
    sound(path)
