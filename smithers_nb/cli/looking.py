"""The records, and the causes in them: the words that only look, and those that look after the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from json import loads
from pathlib import Path
from typing import Annotated

from ..recording import History, Store
from ..store import listed
from ..store import timeline as times
from .listing import DB, AsJson
from .shown import print_json, print_rows, print_text

Id = Annotated[str, "the id of an execution, or its name for the newest of that name"]
Target = Annotated[str | None, "a node, node.prop, node.on_finished, state:KEY, component, frame or id"]
AtFrame = Annotated[int | None, "the frame that is asked about, by default the last one"]
App = Annotated[str | None, "the app, MODULE:App, for what only rendering can tell"]


def show(
    id: Id, *, frame: Annotated[int | None, "a recorded frame"] = None, db: DB = "smithers.db", json: AsJson = False
) -> int:
    """Shows how an execution stands, or the plan and the state of a frame."""
    history = Store(db).open(id)
    if frame is None:
        _show_standing(history, json)
        return 0
    view = history.at(frame)
    # As stored: the classes of the values may not be importable here.
    state = {key: stored.text for key, (stored, _) in history.reader.state(view.execution_id, frame).items()}
    if json:
        print_json([{"frame": frame, "xml": view.xml, "state": {key: loads(text) for key, text in state.items()}}])
        return 0
    print_text(view.xml)
    for key, text in state.items():
        print_text(f"{key} = {text}")
    return 0


def _show_standing(history: History, json: bool) -> None:
    found = history.reader.execution(history.execution_id)
    asked = history.reader.questions(history.execution_id)
    waits = [one.approval_id for one in asked]
    if json:
        # As stored, not read back: the class of a value may not be importable in this process.
        result = found.result and loads(found.result.text)
        print_json([{**asdict(found), "result": result, "frames": history.frames, "waits_for": waits}])
        return
    print_text(f"{found.name} ({found.execution_id}): {found.status}, {history.frames} frames")
    if found.reason:
        print_text(f"reason: {found.reason}")
    if found.result is not None:
        print_text(f"result: {found.result.text}")
    for one in asked:
        print_text(f"waits for approval {one.approval_id}: {one.prompt}")
        print_text(f"  smithers answer {found.execution_id} {one.approval_id} {'|'.join(one.options)}")


def timeline(
    id: Id,
    *,
    first: Annotated[int, "the first frame"] = 0,
    last: Annotated[int | None, "the last frame"] = None,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Lists what happened, in order."""
    history = Store(db).open(id)
    rows = [row._asdict() for row in times.timeline(history.reader, history.execution_id)]
    within = [row for row in rows if first <= row["frame"] <= (last or history.frames)]
    print_rows(within, ("frame", "phase", "what", "text"), json)
    return 0


def why(id: Id, target: Target = None, *, frame: AtFrame = None, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Tells why a node, value, handler call, frame or the execution is as it is: its causes, down to the roots."""
    found = Store(db).open(id).why(as_target(target), frame)
    _show_answer(found.text, found.statements, json)
    return 0


def why_not(
    id: Id,
    target: Target = None,
    *,
    frame: AtFrame = None,
    app: App = None,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Tells what keeps a node, task, handler, write or frame from being there, outermost first."""
    from .programs import load

    loaded = app and load(app).app
    found = Store(db).open(id).why_not(as_target(target), frame, app=loaded)
    _show_answer(found.text, found.statements, json)
    return 0


def follow(
    id: Id,
    text: Annotated[str, "a text, the id of a node, or a key of the state"],
    *,
    frame: AtFrame = None,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Tells where a text or value came from, and all that holds it."""
    found = Store(db).open(id).follow(text, frame)
    _show_answer(found.text, found.statements, json)
    return 0


def as_target(text: str | None) -> str | int | None:
    """Return a target as it is typed: a number is that of a frame."""
    # As %smithers why reads it: a node whose id is a number is asked for as node.prop.
    if text is not None and text.isdigit():
        return int(text)
    return text or None


def _show_answer(text: str, statements: Iterable[object], json: bool) -> None:
    if json:
        print_json(statements)
    else:
        print_text(text)


def diff(
    id: Id,
    one: Annotated[int, "a frame"],
    other: Annotated[int, "a later frame"],
    *,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Lists the nodes that mounted, unmounted, changed or moved from one frame to another."""
    changes = asdict(Store(db).open(id).diff(one, other))
    rows = [{"node_id": node_id, "change": change} for change, ids in changes.items() for node_id in ids]
    if rows or json:
        print_rows(rows, ("change", "node_id"), json)
    else:
        print_text(f"The plans of the frames {one} and {other} are the same.")
    return 0


def compare(id: Id, other: Id, *, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Lists the differences of two executions, by node, iteration and event; 1 is the exit code if they differ."""
    store = Store(db)
    found = store.open(id).compare(store.open(other))
    if json:
        print_json(found.rows)
    else:
        print_text(found.text)
    return int(not found.same)


def tasks(id: Id, *, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Lists the tasks of an execution."""
    reader = Store(db).reader
    found = listed.tasks(reader, reader.execution_id(id))
    print_rows(found, ("task_id", "status", "attempt", "error", "cost_usd"), json)
    return 0


def approvals(id: Id, *, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Lists the questions to people, and their answers."""
    reader = Store(db).reader
    found = listed.questions(reader, reader.execution_id(id))
    print_rows(found, ("approval_id", "status", "prompt", "options", "choice"), json)
    return 0


def transcript(
    id: Id,
    node: Annotated[str, "the id of the agent's node"],
    *,
    iteration: Annotated[int | None, "the iteration of its loop"] = None,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Shows the conversation of an agent with its model."""
    found = Store(db).open(id).transcript(node, iteration)
    if json:
        print_json([{"node_id": node, "text": found.text}])
    else:
        print_text(found.text)
    return 0


def export(
    id: Id,
    path: Annotated[str, "run.html, a page that is a store, or run.ndjson, lines"],
    *,
    redact: Annotated[list[str], "what is left out of run.html: a key of the state, or TABLE.COLUMN"] = (),  # type: ignore[assignment]  # argparse gives a list
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Writes an execution to a file, and tells what goes out."""
    # The export prints what goes out by itself; for a program it is the object of the one line.
    found = Store(db).open(id).export(path, redact=redact, show=not json)
    if isinstance(found, Path):
        print_rows([{"path": str(found)}], ("path",), json)
    elif json:
        print_json([found])
    return 0


def check(*, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Checks the file against the rules that the store keeps; 1 is the exit code if one is broken."""
    report = Store(db).check()
    if json:
        print_json([report])
    else:
        print_text(repr(report))
    return int(not report.ok)


def prune(
    *,
    keep_frames: Annotated[int | None, "the newest frames that each execution keeps"] = None,
    keep_executions: Annotated[int | None, "the newest executions that stay"] = None,
    unfinished: Annotated[bool, "remove executions that can be resumed, too"] = False,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Removes history for good."""
    pruned = Store(db).prune(keep_frames=keep_frames, keep_executions=keep_executions, unfinished=unfinished)
    if json:
        print_json([pruned])
    else:
        print_text(repr(pruned))
    return 0


def sql(query: Annotated[str, "a query"], *, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Queries the file, read-only."""
    columns, rows = listed.answer(Store(db).reader, query)
    print_rows(rows, columns, json)
    return 0


HANDLERS: dict[str, Callable[..., int]] = {
    "show": show,
    "timeline": timeline,
    "why": why,
    "why-not": why_not,
    "follow": follow,
    "diff": diff,
    "compare": compare,
    "tasks": tasks,
    "transcript": transcript,
    "approvals": approvals,
    "export": export,
    "check": check,
    "prune": prune,
    "sql": sql,
}
"""The handlers by word."""
