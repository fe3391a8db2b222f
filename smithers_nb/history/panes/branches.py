"""The family of an execution: its branches, and the line of those that it stands on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from ...store.branches import family
from ..notes import notes_of
from ..source import Source
from . import protocol as p


def branches(source: Source, holder: Callable[[str], str | None]) -> p.BranchesPane:
    """Return the family of an execution, and its line; ``holder`` gives the variable that holds a running one."""
    file = source.file
    reader = file.reader
    rows = [_row(row, holder) for row in family(reader, file.execution_id)]
    names = {row["execution_id"]: row["name"] for row in rows}
    return {
        "family": _in_order(rows),
        "line": [
            {
                "execution_id": part.execution_id,
                "name": names[part.execution_id],
                "first": part.first,
                "last": None if part.last == sys.maxsize else part.last,
            }
            for part in file.line
        ],
        "store": f"Store({reader.name!r})",
        "app": reader.execution(file.execution_id).app,
    }


def notes(source: Source) -> p.NotesPane:
    """Return what a branch has to know of its parent; it reads the files that the line wrote."""
    return {"notes": list(notes_of(source.file.reader, source.file.execution_id))}


def _row(row: tuple[object, ...], holder: Callable[[str], str | None]) -> p.BranchRow:
    name, id, parent_id, at, changed, status, reason, last, _created_at = row
    variable = holder(str(id))
    return {
        "execution_id": str(id),
        "name": str(name),
        "parent_id": None if parent_id is None else str(parent_id),
        "depth": 0,
        "at": at if isinstance(at, int) else None,
        "status": str(status),
        "reason": str(reason or ""),
        "changed": _in_words(json.loads(str(changed))),
        "last": last if isinstance(last, int) else 0,
        "runs": variable is not None,
        "variable": variable or "",
    }


def _in_words(changed: dict[str, object]) -> list[str]:
    said = []
    for what, names in changed.items():
        if isinstance(names, list):
            said += [f"{what.removesuffix('s')} {name}" for name in names]
        else:  # The hash of the new code says nothing to a person.
            said.append(what)
    return said


def _in_order(rows: list[p.BranchRow]) -> list[p.BranchRow]:
    """Return the rows as a tree is read: each parent, then its branches by their frame."""
    below: dict[str | None, list[p.BranchRow]] = {}
    for row in rows:
        below.setdefault(row["parent_id"], []).append(row)
    found: list[p.BranchRow] = []
    # Not recursive: a sweep may branch from a branch a thousand times.
    left = [(row, 0) for row in reversed(below.get(None, []))]
    while left:
        row, depth = left.pop()
        found.append({**row, "depth": depth})
        children = sorted(below.get(row["execution_id"], []), key=lambda one: one["at"] or 0, reverse=True)
        left += [(child, depth + 1) for child in children]
    return found
