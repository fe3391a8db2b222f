"""Taking an execution up from the file and the app: what had been running, other code, another engine."""

from __future__ import annotations

import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Each, Execution, Phase, Task, component
from smithers_nb.engine.code import code_hash
from smithers_nb.engine.opening import CRASHES
from smithers_nb.errors import AppChangedWarning, EngineVersionError, StoreError, UnknownExecutionError
from smithers_nb.execution import run_behind

DIES = """
import os
from smithers_nb import Execution, Task

def die():
    open("runs.txt", "a").write("x")
    os.kill(os.getpid(), 9)

if os.path.exists("t.db"):
    ex = Execution.resume(Task(id="t", run=die), store="t.db")
else:
    ex = Execution(Task(id="t", run=die), store="t.db")
print(ex.run_sync())
"""


@pytest.fixture
def died(python: Any, tmp_path: Path) -> Path:
    """A folder with the file of a process that died while it ran task t."""
    python(DIES)
    assert (tmp_path / "runs.txt").read_text() == "x"
    return tmp_path / "t.db"


def app(seen: list[Any]) -> Any:
    return Task(id="t", run=lambda: "done", on_finished=seen.append, on_error=seen.append)


@pytest.mark.filterwarnings("ignore::smithers_nb.errors.AppChangedWarning")
class TestOrphans:
    """A task that was running when its process ended."""

    def test_it_is_run_again(self, died: Path, resumed: Any) -> None:
        seen: list[Any] = []
        ex = resumed(app(seen))
        assert ex.df.tasks.reason[0] == "its process ended"
        assert ex.run_sync().status == "finished"
        assert [(r.status, r.output, r.attempts) for r in seen] == [("succeeded", "done", 2)]

    def test_it_fails_if_that_is_asked_for(self, died: Path, resumed: Any) -> None:
        seen: list[Any] = []
        ex = resumed(app(seen), orphans="fail")
        assert ex.run_sync().status == "finished", "on_error has dealt with it"
        assert [r.status for r in seen] == ["failed"] and "orphans='fail'" in seen[0].error

    @pytest.mark.parametrize(("choice", "status"), [("run again", "succeeded"), ("give up", "failed")])
    def test_a_person_is_asked_if_that_is_asked_for(self, choice: str, status: str, died: Path, resumed: Any) -> None:
        seen: list[Any] = []
        ex = resumed(app(seen), orphans="ask")
        assert ex.run_sync().status == "waiting" and seen == []
        asked = ex.df.approvals.iloc[0]
        assert (asked.kind, asked.options, asked.task_id) == ("orphan", ["run again", "give up"], "t@1")
        assert "may have done a part" in asked.prompt
        ex.answer("t", choice)
        assert ex.run_sync().status == "finished"
        assert [r.status for r in seen] == [status]
        assert list(ex.df.approvals.choice) == [choice]

    def test_the_question_is_still_there_after_another_restart(self, died: Path, resumed: Any) -> None:
        resumed(app([]), orphans="ask").close()
        seen: list[Any] = []
        ex = resumed(app(seen), orphans="fail")
        assert run_behind(ex).publish().names == ("t",)
        ex.answer("t", "run again", "go")
        assert ex.run_sync().status == "finished" and [r.output for r in seen] == ["done"]

    def test_what_ends_its_process_again_and_again_is_given_up(
        self, died: Path, python: Any, tmp_path: Path, resumed: Any
    ) -> None:
        for _ in range(CRASHES):
            python(DIES)
        assert len((tmp_path / "runs.txt").read_text()) == 1 + CRASHES
        seen: list[Any] = []
        ex = resumed(app(seen))
        assert ex.df.tasks.status[0] == "abandoned"
        assert ex.run_sync().status == "finished"
        assert [r.status for r in seen] == ["abandoned"] and f"{1 + CRASHES}th time" in seen[0].error
        ex.retry("t")
        assert ex.run_sync().status == "finished" and seen[1].output == "done"

    def test_an_abandoned_task_without_a_handler_fails_the_execution(
        self, died: Path, python: Any, resumed: Any
    ) -> None:
        for _ in range(CRASHES):
            python(DIES)
        result = resumed(Task(id="t", run=lambda: 1)).run_sync()
        assert (result.status, [p.node_id for p in result.problems]) == ("failed", ["t"])

    def test_another_policy_is_refused(self, died: Path) -> None:
        with pytest.raises(ValueError, match="orphans='wait' is none of retry, fail, ask"):
            Execution.resume(app([]), store=died, orphans="wait")  # type: ignore[arg-type]


# ---- other code ------------------------------------------------------------------------------------------------


@component
def Inner(ctx: Any) -> Any:
    return Task(id="inner", run=lambda: 1)


@component
def Outer(ctx: Any) -> Any:
    return [Phase(name="a")[Inner()], Task(id="other", run=lambda: 2)]


def other_inner() -> Any:
    @component
    def Inner(ctx: Any) -> Any:
        return Task(id="renamed", run=lambda: 1)

    return Inner


APPS = {
    "a component": lambda: Outer,
    "an element": lambda: Outer(),
    "nodes": lambda: Phase(name="a")[Task(id="t", run=len, args=["x"], on_finished=lambda r: None)],
    "a list": lambda: [Task(id="a", run=lambda: 1), Outer(), "text", 3, None],
    "an each": lambda: Each(items=[1], key=str, render=lambda item: Task(id=f"t{item}", run=lambda: item)),
}


@pytest.mark.parametrize("what", APPS)
def test_the_same_code_has_the_same_hash_in_another_process(what: str) -> None:
    assert code_hash(APPS[what]()) == code_hash(APPS[what]())


def test_every_app_has_a_hash_of_its_own() -> None:
    hashes = {code_hash(app()) for name, app in APPS.items() if name != "an element"}
    assert len(hashes) == len(APPS) - 1


def test_a_component_below_the_root_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_hash(Outer)
    monkeypatch.setitem(globals(), "Inner", other_inner())
    assert code_hash(Outer) != before


def test_code_that_is_put_into_the_same_function_counts() -> None:
    """As IPython's autoreload does it."""

    def before() -> int:
        return 1

    def after() -> int:
        return 2

    first = code_hash(Task(id="t", run=before))
    assert code_hash(Task(id="t", run=before)) == first
    before.__code__ = after.__code__
    assert code_hash(Task(id="t", run=before)) != first


def test_other_code_is_noticed_and_said_what_it_means(
    run_of: Any, resumed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ex = run_of(Outer)
    ex.run_sync()
    ex.close()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", AppChangedWarning)
        resumed(Outer).close()
    assert said == [], "the same code"
    monkeypatch.setitem(globals(), "Inner", other_inner())
    with pytest.warns(
        AppChangedWarning, match=r"2 of 3 go on with their tasks, gone .*: inner, new: renamed\."
    ) as told:
        ex = resumed(Outer)
    assert "arguments.py" not in told[0].filename, "the warning names the caller's line"
    assert ex.run_sync().status == "finished"
    assert ex.df.executions.code_hash[0] == code_hash(Outer)
    assert list(ex.df.events.kind) == ["swap"]
    assert ["resumed with other code"] in list(ex.df.frames.reason)


def test_code_that_can_not_be_rendered_is_said_and_the_execution_waits_for_better(run_of: Any, resumed: Any) -> None:
    ex = run_of(Outer)
    ex.run_sync()
    ex.close()

    @component
    def Broken(ctx: Any) -> Any:
        raise ZeroDivisionError("oops")

    with pytest.warns(AppChangedWarning, match="can't be rendered: Broken raised ZeroDivisionError"):
        ex = resumed(Broken)
    ex.swap(Outer)
    assert ex.run_sync().status == "finished"


# ---- another engine --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "newer"), [("0.0.9", False), ("0.1.0", False), ("0.1.1", True), ("10.0", True)])
def test_an_execution_of_a_newer_engine_is_refused_and_not_touched(
    version: str, newer: bool, run_of: Any, resumed: Any
) -> None:
    ex = run_of(Outer)
    ex.run_sync()
    ex.close()
    with sqlite3.connect(ex.store.path) as db:
        db.execute("UPDATE executions SET engine_version = ?", (version,))
    db.close()
    if newer:
        with pytest.raises(EngineVersionError, match=f"last run by smithers_nb {version}.*Upgrade"):
            resumed(Outer)
        assert ex.store.df.executions.owner[0] is None
        assert issubclass(EngineVersionError, StoreError)
    else:
        again = resumed(Outer)
        assert again.df.executions.engine_version[0] == "0.1.0"


# ---- a file that was being made --------------------------------------------------------------------------------

HALF_MADE = """
import os
from smithers_nb import Execution, Step
from smithers_nb.store import connection

def killed(*_):
    os.kill(os.getpid(), 9)

connection._apply = killed
Execution(Step(), store="t.db")
"""


def test_a_process_that_was_killed_while_it_made_the_file_leaves_one_without_executions(
    python: Any, tmp_path: Path
) -> None:
    python(HALF_MADE)
    assert (tmp_path / "t.db").exists()
    with pytest.raises(UnknownExecutionError, match="has no execution yet"):
        Execution.resume(Outer, store=tmp_path / "t.db")
    with Execution(Outer, store=tmp_path / "t.db") as ex:
        assert ex.run_sync().status == "finished"
