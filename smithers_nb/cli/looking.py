"""The words that only look, made from ``looks``, and those that look after the file."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from ..looks import LOOKS, Look, LookResult
from ..recording import Store
from ..store import listed
from .listing import DB, AsJson
from .shown import print_json, print_rows, print_text

Id = Annotated[str, "the id of an execution, or its name for the newest of that name"]
App = Annotated[str | None, "the app, MODULE:App, for what only rendering can tell"]


def _handler(look: Look) -> Callable[..., int]:
    """Return the handler of a word: the id of an execution, then the arguments of the question."""

    def handler(id: str, *, db: str = "smithers.db", json: bool = False, **given: Any) -> int:  # Any: as the look takes
        if given.get("app") is not None:
            from .programs import load

            given["app"] = load(given["app"]).app
        seen = look(Store(db).open(id), **given)
        print_seen(seen, json)
        return int(not seen.same)

    types = {**get_type_hints(look, include_extras=True), "app": App, "id": Id, "db": DB, "json": AsJson}
    own = list(inspect.signature(look).parameters.values())[1:]
    first, *others = list(inspect.signature(handler).parameters.values())[:3]
    parameters = sorted([first, *own, *others], key=lambda one: one.kind)
    handler.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    handler.__annotations__ = {one.name: types[one.name] for one in parameters}
    handler.__doc__ = look.__doc__
    return handler


def print_seen(seen: LookResult, as_json: bool) -> None:
    """Print an answer: as text, as a table, or as rows of JSON."""
    if as_json:
        print_json(seen.rows)
    elif seen.text is not None:
        print_text(seen.text)
    else:
        print_rows(seen.rows, seen.columns, as_json)


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


def merge(
    path: Annotated[str, "the second file, or an exported run; it is only read"],
    *,
    db: DB = "smithers.db",
    json: AsJson = False,
) -> int:
    """Adds the executions of a second file to the file."""
    merged = Store(db).merge(path)
    if json:
        print_json([merged])
    else:
        print_text(repr(merged))
    return 0


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
    **{name.replace("_", "-"): _handler(look) for name, look in LOOKS.items()},
    "export": export,
    "check": check,
    "merge": merge,
    "prune": prune,
    "sql": sql,
}
"""The handlers by word."""
