"""A law: what every pane shows live at the end of a phase is what it shows, recorded, at the same cursor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from smithers_nb import Execution
from smithers_nb.errors import StoreError
from smithers_nb.execution import run_behind
from smithers_nb.history.panes import protocol as p
from smithers_nb.history.panes.view import View
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of
from smithers_nb.records import Phase
from tests.conftest import PATIENCE_S

from .programs import PROGRAMS

ANSWERED_FROM = {"Waits": 3, "Unmounts": 100, "Ends": 100}
"""The frame from which on people answer, after its EXECUTE; 1 for the other programs."""
PANES = ("frame", "plan", "xml", "pending", "handlers", "state", "tasks", "breakpoints", "output", "problems")
BASED = ("plan", "xml", "compare")
"""The panes that can show another execution beside this one."""
OTHER = "other"
BEFORE_COMMIT = ("SNAPSHOT", "RENDER", "RECONCILE")

LIVE_ONLY = {
    ("frame", "recorded"): "it says which of the two it is",
    ("frame", "sentence"): "live it tells what the next step will do",
    ("frame", "kind"): "live it says what a step waits for",
    ("frame", "status"): "a frame is open until its FLUSH",
    ("frame", "created"): "the time of a frame is written by its COMMIT",
    ("frame", "last_phase"): "a recorded frame has phases after the cursor",
    ("frame", "phases", "*", "state"): "only live one phase is the next",
    ("frame", "phases", "*", "ms"): "a recorded frame has times of the phases after the cursor",
    ("pending", "editable"): "only what waits can be edited",
    ("pending", "writes", "*", "outcome"): "a recorded write tells beforehand what became of it",
    ("plan", "version"): "it counts the answers",
    ("tasks", "now"): "it is the time of the answer",
    ("tasks", "windows"): "when a model may be asked is not recorded by frame",
    ("tasks", "tasks", "*", "can"): "a recorded task takes no commands",
    ("tasks", "tasks", "*", "options"): "a recorded task takes no answers",
    ("tasks", "tasks", "*", "tail"): "what streams is shown live",
    ("tasks", "tasks", "*", "requests"): "the requests of a task are recorded with its end",
    ("compare", "text"): "it is about all frames, also those after the cursor",
    ("compare", "total"): "it counts the differences in all frames",
    ("compare", "rows"): "it lists the differences in all frames",
    ("output", "entries", "*", "id"): "output is written to the file in batches",
    ("output", "entries", "*", "at"): "output is written to the file in batches",
}
"""What may differ, with the reason. ``node`` and ``task`` show a task as ``tasks`` does."""


@pytest.fixture(autouse=True)
def machine_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow phase is a hint in Problems, and a busy machine has some."""
    monkeypatch.setattr("smithers_nb.engine.draft.SLOW_MS", float("inf"))


def ask(view: View, pane: str, **options: Any) -> Any:
    return view.pane(m.incoming.validate_python({"type": "get", "id": "r1", "pane": pane, **options}))


@dataclass
class Look:
    """All panes at one cursor."""

    cursor: tuple[int, str]
    shown: dict[str, Any]
    tasks: dict[str, str] = field(default_factory=dict)
    """Status by task id."""


def look(view: View, cursor: tuple[int, str], like: Look | None = None) -> Look:
    """Return all panes live, or recorded: those that another look has."""
    with view.together():
        return _look(view, cursor, like)


def _look(view: View, cursor: tuple[int, str], like: Look | None) -> Look:
    at = {"at": cursor[0], "phase": cursor[1]} if like else {}
    shown = {pane: whole(view, ask(view, pane, **at)) for pane in PANES}
    shown |= {f"{pane}@{OTHER}": whole(view, ask(view, pane, other=OTHER, **at)) for pane in BASED}
    if like:
        about = [name.split(" ", 1) for name in like.shown if " " in name]
    else:
        about = [["node", row["id"]] for row in shown["plan"]["nodes"]]
        about += [["task", row["task_id"]] for row in shown["tasks"]["tasks"]]
        about += [["last_change", row["key"]] for row in shown["state"]["entries"] if row["scope"] == "state"]
    for pane, of in about:
        shown[f"{pane} {of}"] = whole(view, ask(view, pane, of=of, **at))
    return Look(cursor, shown, {row["task_id"]: row["status"] for row in shown["tasks"]["tasks"]})


def whole(view: View, shown: Any) -> Any:
    """Return what is shown with each cut value whole: the names by which it is asked for differ."""
    if isinstance(shown, list | tuple):
        return [whole(view, one) for one in shown]
    if not isinstance(shown, dict):
        return shown
    if shown.get("ref") and "chars" in shown:
        return {**shown, "text": ask(view, "value", of=shown["ref"])["text"], "ref": None}
    return {name: whole(view, one) for name, one in shown.items() if name != "ref"}


@pytest.fixture
def beside(run_of: Any) -> Callable[[str], None]:
    """Run a program for two frames, as the other execution of the file."""

    def run(name: str) -> None:
        ex = run_of(PROGRAMS[name](), state={"old": [1], "k": "y"}, name=OTHER)
        ex.run_sync(max_frames=2)
        ex.close()

    return run


def stepped(name: str, ex: Execution, view: View) -> list[Look]:
    """Step an execution to its end by phases, and look at it after each, when its tasks have come to rest."""
    looks = []
    while not ex.over:
        ex.step_phase_sync()
        assert ex.frame is not None and ex.frame.number < 30
        at_rest(ex)
        if ex.frame.phase is Phase.EXECUTE and ex.frame.number >= ANSWERED_FROM.get(name, 1):
            for question in run_behind(ex).publish().names:
                ex.answer(question, "deny" if question == "no" else "approve", "because")
            at_rest(ex)
        looks.append(look(view, (ex.frame.number, str(ex.frame.phase))))
    return looks


def at_rest(ex: Execution) -> None:
    """Wait until no task runs: one that ends between two looks is in the records of the first of them."""
    until = time.monotonic() + PATIENCE_S
    while ex.running:
        assert time.monotonic() < until, "a task does not end"
        time.sleep(0.002)


def differences(one: Any, other: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differences(one[name], other[name], (*path, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for mine, its in zip(one, other, strict=True):
            yield from differences(mine, its, (*path, "*"))
    elif one != other:
        yield path, one, other


def reason_of(name: str, path: tuple[str, ...]) -> str | None:
    """Return why two looks may differ in a place; None where they must not."""
    place = (name.split(" ")[0].split("@")[0], *path)
    if place[:2] == ("node", "task"):
        place = ("tasks", "tasks", "*", *place[2:])
    elif place[0] == "task":
        place = ("tasks", "tasks", "*", *place[1:])
    return next((why for known, why in LIVE_ONLY.items() if place[: len(known)] == known), None)


def without(shown: dict[str, Any], late: set[str], phase: str) -> dict[str, Any]:
    """Return what is shown without volatile values, findings of lint, and tasks that ended after the look.

    Volatile values are in memory only, lint looks at the present plan, and a file does not tell when a phase ended:
    after EXECUTE a recorded task is shown as it stood when the next frame began.
    """
    nodes = {task.rpartition("@")[0] for task in late}
    found = {name: pane for name, pane in shown.items() if name.split(" ", 1)[-1] not in late | nodes}
    found["tasks"] = {**shown["tasks"], "tasks": [row for row in shown["tasks"]["tasks"] if row["task_id"] not in late]}
    for name in ("plan", f"plan@{OTHER}"):
        plan = [
            {**row, "status": None, "status_before": None} if row["id"] in nodes else row
            for row in shown[name]["nodes"]
        ]
        found[name] = {**shown[name], "nodes": plan}
    never = [row for row in shown["handlers"]["never"] if row["node_id"] not in nodes]
    found["handlers"] = {**shown["handlers"], "never": never}
    problems = [row for row in shown["problems"]["problems"] if row["phase"]]
    found["problems"] = {"frame": shown["problems"]["frame"], "problems": problems}
    entries = [entry for entry in shown["state"]["entries"] if entry["scope"] == "state"]
    found["state"] = {"frame": shown["state"]["frame"], "entries": entries}
    writes = [_without_memory(write) for write in shown["pending"]["writes"]]
    found["pending"] = {**shown["pending"], "writes": writes}
    for name, pane in found.items():
        if name.startswith("node "):
            found[name] = {**pane, "reads": [read for read in pane["reads"] if read["scope"] == "state"]}
    return found


def _without_memory(write: dict[str, Any]) -> dict[str, Any]:
    return {**write, "old": None, "new": None, "readers": []} if write["scope"] == "vol" else write


def late_at(looks: list[Look], place: int) -> set[str]:
    """Return the tasks that changed after a look, and before the next frame was looked at, or the run was over."""
    mine = looks[place]
    if mine.cursor[1] in (*BEFORE_COMMIT, "COMMIT"):
        return set()
    later = [one for one in looks[place:] if one.cursor[0] > mine.cursor[0]][:1] or looks[-1:]
    return {task for task, status in mine.tasks.items() if later[0].tasks.get(task) != status}


def compare(live: Look, other: Look, late: set[str]) -> list[tuple[Any, ...]]:
    phase = live.cursor[1]
    mine, its = without(live.shown, late, phase), without(other.shown, late, phase)
    return [
        (live.cursor, name, *found)
        for name in mine
        for found in differences(mine[name], its[name])
        if reason_of(name, found[0]) is None
    ]


@pytest.mark.logs_errors
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_shown_live_is_what_is_recorded(name: str, run_of: Any, beside: Callable[[str], None]) -> None:
    beside(name)
    ex = run_of(PROGRAMS[name](), state={"old": [1], "k": "x" * 3000})
    view = view_of(ex)
    looks = stepped(name, ex, view)
    found = []
    for place, live in enumerate(looks):
        found += compare(live, look(view, live.cursor, like=live), late_at(looks, place))
    assert found == []


@pytest.mark.logs_errors
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_the_file_shows_does_not_need_the_engine(name: str, run_of: Any, beside: Callable[[str], None]) -> None:
    """The same cursors, looked at backwards, when the execution is closed."""
    beside(name)
    ex = run_of(PROGRAMS[name](), state={"old": [1]})
    view = view_of(ex)
    looks = stepped(name, ex, view)
    again = [look(view, live.cursor, like=live) for live in looks]
    ex.close()
    alone = View(RecordedSource(ex.store.reader, ex.execution_id))
    found = []
    for known in reversed(again):
        found += compare(known, look(alone, known.cursor, like=known), set())
    assert found == []


def test_every_place_that_may_differ_is_one_that_panes_have() -> None:
    """A table that names what is not there would hide nothing, and mislead."""
    fields = {
        "frame": p.FramePane, "pending": p.PendingPane, "plan": p.PlanPane, "tasks": p.TasksPane, "output": p.OutputPane,
        "compare": p.ComparePane,
    }  # fmt: skip
    assert all(place[1] in fields[place[0]].__annotations__ for place in LIVE_ONLY)


def test_a_recorded_cursor_names_a_frame_that_is_not_there(run_of: Any) -> None:
    view = view_of(run_of(PROGRAMS["Phases"]()))
    with pytest.raises(StoreError, match="there is no frame 1"):
        ask(view, "plan", at=1)
