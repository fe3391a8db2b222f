"""Branches in the stepper without a page: made, listed, shown instead of their parent, and back."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date
from typing import Any

import pytest

from smithers_nb import Execution, Store, Task, component
from smithers_nb.bridge import engine
from smithers_nb.notebook import stepper
from smithers_nb.notebook.view_of import notebook_names
from tests.notebook.test_stepper_commands import Browser, Counter, browse

__all__ = ["browse"]  # A fixture: pytest finds it by its name here.


@pytest.fixture
def names(monkeypatch) -> dict[str, Any]:
    """The variables of the notebook."""
    main = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    return notebook_names()


def rows_of(ex: Execution) -> list[tuple[Any, ...]]:
    """All rows of an execution but those of other executions."""
    reader = ex.store.reader
    tables = [name for (name,) in reader.query("SELECT name FROM sqlite_schema WHERE type = 'table'").rows]
    found: list[tuple[Any, ...]] = []
    for table in tables:
        columns = {row[1] for row in reader.query(f"SELECT * FROM pragma_table_info('{table}')").rows}
        if "execution_id" in columns:
            query = f"SELECT '{table}', * FROM {table} WHERE execution_id = ?"
            found += reader.query(query, (ex.execution_id,)).rows
    return found


def show(page: Browser, execution_id: str) -> None:
    page.stepper._received(page.stepper, {"type": "show", "execution_id": execution_id}, None)


def family(page: Browser) -> list[tuple[str, int, int | None, str, str, bool]]:
    return [
        (row["name"], row["depth"], row["at"], ", ".join(row["changed"]), row["variable"], row["runs"])
        for row in page.get("branches")["family"]
    ]


def test_a_branch_is_made_of_a_recorded_frame_and_held_by_a_variable_and_the_parent_stays(browse, names):
    ex, page = browse(Counter, name="report")
    names["report"] = ex
    ex.run_sync()
    before = rows_of(ex)
    done = page.do("fork", frame=2, branch=None, state='{"n": 2}', reuse="agents", execution_id=ex.execution_id)
    branch = names["report_2"]
    assert (done["ok"], done["result"]) == (True, branch.execution_id)
    assert (branch.name, branch.recorded, branch.state["n"]) == ("report~2", 2, 2)
    reuse = ex.store.sql("SELECT reuse FROM executions WHERE execution_id = ?", (branch.execution_id,)).reuse[0]
    assert json.loads(reuse)["kinds"] == ["agents"]
    assert rows_of(ex) == before
    assert family(page) == [("report", 0, None, "", "report", True), ("report~2", 1, 2, "state n", "report_2", True)]
    branch.close()


def test_the_stepper_shows_a_branch_and_steps_it_and_shows_its_parent_again(browse, names):
    ex, page = browse(Counter, name="report")
    ex.run_sync()
    branch = page.do("fork", frame=2)["result"]
    show(page, branch)
    assert page.summaries[-1]["name"] == "report~2"
    assert (page.summaries[-1]["execution_id"], page.summaries[-1]["recorded"]) == (branch, 2)
    page.do("step_frame", execution_id=branch)
    assert (names["report_2"].recorded, page.stepper._summary()["frame"]) == (3, 3)
    parts = [(part["name"], part["first"], part["last"]) for part in page.get("branches")["line"]]
    assert parts == [("report", 1, 2), ("report~2", 3, None)]
    show(page, ex.execution_id)
    assert (page.summaries[-1]["name"], page.summaries[-1]["frame"]) == ("report", ex.recorded)
    names["report_2"].close()
    show(page, branch)
    assert page.summaries[-1]["read_only"] is not None  # It is closed here: its records are shown.
    assert family(page)[1][-1] is False


def test_a_command_for_an_execution_that_is_shown_no_more_is_refused(browse, names):
    ex, page = browse(Counter, name="report")
    ex.step_sync()
    ex.step_sync()
    branch = page.do("fork")["result"]
    show(page, branch)
    id = page.post(name="step_frame", execution_id=ex.execution_id)
    assert page.answer("ack", id)["why"] == "this stepper shows report~2 by now"
    assert (ex.frame.number, names["report_2"].recorded) == (2, 1)
    names["report_2"].close()


def test_a_move_of_the_parent_goes_on_while_a_branch_is_shown_and_its_error_is_there_again(browse, names, gate):
    held = gate()

    @component
    def App(ctx):
        if ctx.state.get("done"):
            raise ValueError("no luck")
        return Task(id="t", run=held.passed, on_finished=lambda r: ctx.state.set("done", True))

    ex, page = browse(App, name="report")
    ex.step_sync()
    move = page.post(name="continue", execution_id=ex.execution_id)
    page.answer("ack", move)
    branch = page.do("fork", frame=0)["result"]
    show(page, branch)
    assert (page.stepper._summary()["busy"], page.stepper._summary()["status"]) == (None, "ready")
    show(page, ex.execution_id)
    assert page.stepper._summary()["busy"] == "continue"
    show(page, branch)
    held.open()
    done = page.answer("done", move)
    assert done["error"].startswith("report: ComponentError")
    assert (done["summary"]["name"], done["summary"]["error"]) == ("report~2", None)
    show(page, ex.execution_id)
    assert "no luck" in page.stepper._summary()["error"]
    names["report_2"].close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"frame": 99}, "The nearest that can be forked is frame"),
        ({"reuse": "agent"}, "agents"),
        ({"allow_repeat": "pay"}, "allow_repeat names 'pay'"),
        ({"state": "[1]"}, "the state of a branch is a JSON object"),
        ({"state": '{"n": }'}, "is no JSON"),
        ({"state": '{"n": "\\ud800"}'}, "state key 'n' can't hold this str"),
        ({"state": '{"day": "2026-02-31"}'}, "state key 'day' holds a date: date does not accept"),
        ({"state": '{"day": {"a": 1}}'}, "state key 'day' holds a date: date does not accept"),
    ],
)
def test_a_branch_that_can_not_be_made_says_why_and_leaves_nothing(browse, names, arguments, words):
    ex, page = browse(Counter, name="report", state={"day": date(2026, 11, 29)})
    ex.run_sync()
    done = page.do("fork", **arguments)
    assert (done["ok"], done["result"]) == (False, None)
    assert words in done["error"]
    assert "Traceback" not in done["error"]
    assert len(page.get("branches")["family"]) == 1
    assert page.stepper._summary()["error"] is None


def test_a_key_keeps_its_class_when_a_branch_changes_its_value(browse, names):
    ex, page = browse(Counter, name="report", state={"day": date(2026, 11, 29), "tags": {"a"}})
    ex.run_sync()
    page.do("fork", frame=2, state='{"day": "2026-12-01", "tags": ["b", "c"], "n": null}')
    branch = names["report_2"]
    assert (branch.state["day"], branch.state["tags"], branch.state["n"]) == (date(2026, 12, 1), {"b", "c"}, None)
    branch.close()


def test_a_recorded_stepper_shows_a_branch_that_code_has_made_and_steps_it(browse, names, tmp_path):
    ex, _ = browse(Counter, name="report")
    ex.run_sync()
    ex.close()
    history = Store(tmp_path / "t.db").open("report")
    page = Browser(history)
    assert page.answer("ack", page.post(name="fork"))["accepted"] is False
    pane = page.get("branches")
    assert (pane["store"], pane["app"]) == (f"Store({str(tmp_path / 't.db')!r})", "Counter")
    seen = len(page.summaries)
    page.post(type="ping")
    assert len(page.summaries) == seen
    names["branch"] = history.fork(Counter, frame=2)
    page.post(type="ping")  # At rest the page hears of it by this.
    assert (len(page.summaries), page.summaries[-1]["versions"]["branches"]) == (seen + 1, 2)
    assert family(page)[1] == ("report~2", 1, 2, "", "branch", True)
    show(page, names["branch"].execution_id)
    page.do("step_frame")
    assert names["branch"].recorded == 3
    names["branch"].close()


def test_an_execution_that_is_not_there_is_an_error_of_the_stepper(browse, names):
    _, page = browse(Counter, name="report")
    show(page, "nobody")
    summary = page.stepper._summary()
    assert (summary["name"], "has no execution 'nobody'" in summary["error"]) == ("report", True)
    assert "Traceback" not in summary["error"]


def test_the_notes_of_a_branch_are_shown_and_a_run_has_none(browse, names):
    ex, page = browse(Counter, name="report")
    ex.run_sync()
    assert page.get("notes") == {"notes": []}
    show(page, page.do("fork", frame=2)["result"])
    assert any("ran tasks after frame 2" in note for note in page.get("notes")["notes"])
    names["report_2"].close()


def test_a_branch_of_a_cell_is_a_change_to_the_page(browse, names):
    ex, page = browse(Counter, name="report")
    ex.run_sync()
    engine.call(asyncio.sleep(3 * stepper.PUSH_S))  # The run has been told.
    before = page.summaries[-1]["versions"]["branches"]
    with ex.fork(2):
        engine.call(asyncio.sleep(3 * stepper.PUSH_S))  # Nothing else of the parent moves: the fork itself tells.
        assert page.summaries[-1]["versions"]["branches"] == before + 1


def test_a_stepper_hears_no_more_of_an_execution_that_it_does_not_show(browse, names, monkeypatch):
    ex, page = browse(Counter, name="report")
    show(page, page.do("fork", frame=0)["result"])
    heard: list[float] = []
    monkeypatch.setattr(page.stepper, "_push", lambda: heard.append(1.0))
    ex.step_sync()
    engine.call(asyncio.sleep(2 * stepper.PUSH_S))
    assert heard == []
    names["report_2"].step_sync()
    engine.call(asyncio.sleep(2 * stepper.PUSH_S))
    assert heard == [1.0]
    names["report_2"].close()
