"""A recorded execution in the stepper: from the file alone, without an engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from smithers_nb import Approval, Claude, Execution, Phase, Stepper, Store, Task, component, scripted
from smithers_nb.errors import StoreError
from smithers_nb.history.cursor import PHASES
from smithers_nb.history.panes import protocol as p
from smithers_nb.history.panes.view import View
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.static_view import as_html, as_text
from smithers_nb.notebook.view_of import view_of
from tests.notebook.test_stepper_commands import Browser

ABOUT = {"task": "notes@1", "node": "notes", "search": "notes", "last_change": "notes", "needs": "notes"}
"""What the panes that need a name are asked for."""


CODE = ("needs", "ghosts", "why_not")
"""The panes that tell more where there is code, or an engine."""


@component
def Report(ctx):
    notes = ctx.state.get("notes")
    print("rendering")
    return [
        Phase(name="research")[
            Claude(id="notes", model=scripted("1. tides"), on_finished=lambda r: ctx.state.set("notes", r.output))["Go"]
        ],
        Phase(name="write")[Task(id="draft", run=lambda: f"on {notes}", on_error=lambda r: None)],
        Phase(name="ask")[Approval(id="ok", prompt="Send it?")],
    ]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    file = tmp_path / "t.db"
    with Execution(Report, name="report", store=file) as ex:
        ex.breakpoints.add(key="notes")
        ex.run_sync()
        ex.run_sync()
    return file


def get(pane: str, **options: Any) -> p.Get:
    found = m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, "of": ABOUT.get(pane), **options})
    assert isinstance(found, p.Get)
    return found


def shown(view: View, wanted: p.Get) -> Any:
    try:
        return view.pane(wanted)
    except StoreError as error:
        return str(error)


def test_every_pane_of_every_frame_is_shown_from_the_file_alone(made):
    view = view_of(Store(made).open("report"))
    last = view.summary(1, None, None)["recorded"]
    assert last > 3
    for pane in get_args(p.PaneName):
        for at in [None, *range(1, last + 1)] if pane != "value" else []:
            assert view.pane(get(pane, at=at)) is not None, (pane, at)


def test_a_recorded_execution_looks_at_every_cursor_as_it_does_beside_its_engine(made):
    alone = view_of(Store(made).open("report"))
    panes = [pane for pane in get_args(p.PaneName) if pane not in ("value", "tasks", "frame", "breakpoints", *CODE)]
    with Execution.resume(Report, store=made) as ex:
        beside = view_of(ex)
        for at in range(1, ex.recorded):
            for phase in PHASES:
                for pane in panes:
                    wanted = get(pane, at=at, phase=phase)
                    assert shown(alone, wanted) == shown(beside, wanted), (pane, at, phase)


def test_a_stepper_of_a_recorded_execution_shows_it_and_executes_nothing(made):
    before = made.read_bytes()
    page = Browser(Store(made).open("report"))
    summary = page.stepper.summary
    assert (summary["over"], [question["node_id"] for question in summary["questions"]]) == (False, ["ok"])
    assert summary["read_only"].startswith("This execution is recorded: nothing runs here.")
    assert page.get("plan", at=1)["nodes"][0]["attrs"] == [("name", "research")]
    for name, options in [
        ("step_frame", {}),
        ("stop", {}),
        ("answer", {"approval": "ok", "choice": "approve"}),
        ("break_add", {"kind": "key", "target": "notes"}),
    ]:
        refused = page.answer("ack", page.post(name=name, **options))
        assert (refused["accepted"], refused["why"]) == (False, summary["read_only"])
    assert made.read_bytes() == before


def test_its_static_pages_say_that_it_is_recorded(made):
    view = view_of(Store(made).open("report"))
    assert "You are at frame" in as_text(view) and "Nothing executes here." in as_html(view)


def test_no_engine_is_started_for_it(made):
    code = f"""
import sys, threading
from smithers_nb import Stepper, Store
Stepper(Store({str(made)!r}).open("report"))
assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("smithers")]
print("shown")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "shown", done.stderr


def test_an_execution_without_frames_is_shown_too(tmp_path):
    with Execution(Report, name="empty", store=tmp_path / "t.db"):
        pass
    stepper = Stepper(Store(tmp_path / "t.db").open("empty"))
    assert stepper.summary["sentence"].startswith("A recorded execution without frames.")
