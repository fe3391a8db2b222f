"""A node in detail, and single values whole."""

from __future__ import annotations

import json

from ...errors import StoreError
from ...records import Author, Phase
from ...records.excerpt import of_text
from ..cursor import Cursor
from ..recorded import values_frame
from ..source import Source
from . import protocol as p
from .plan import Marks
from .state import HISTORY
from .tasks import task_row
from .values import of_object, value, value_or_none

PAGE_CHARS = 262_144
"""The most of one value in one message: jupyter_server drops larger ones when several come."""


def node(source: Source, cursor: Cursor, id: str) -> p.NodePane | None:
    """Return all about a node of the plan, or one that was just removed; None if there is none of that id."""
    marks = Marks(source, cursor)
    found = cursor.tree.index.get(id)
    removed = found is None
    if found is None:
        found = cursor.before.index.get(id)
    if found is None:
        return None
    ref = 0 if cursor.live else cursor.frame
    fired = source.fired(cursor)
    task = source.task(cursor, marks.tasks[id]) if id in marks.tasks else None
    component, reads = source.component(cursor, found.path)
    text = found.content
    return {
        "id": found.id,
        "path": found.path,
        "type": found.type,
        "key": found.key,
        "explicit_id": found.explicit_id,
        "source": found.source,
        # A node is mounted by COMMIT.
        "mounted": source.mounted_at(id, cursor.frame if cursor.reached(Phase.COMMIT) else cursor.frame - 1),
        "status": marks.status.get(id),
        "change": marks.change(found, removed),
        "changes": marks.changes(found) if id in marks.updated and not removed else [],
        "why": marks.why.get(id),
        "removed": removed,
        "props": [
            {"name": name, "value": of_object(prop, ("prop", ref, id, name))} for name, prop in found.props.items()
        ],
        "text": value(of_text(text, ("text", ref, id))) if text else None,
        "events": [_event(event, fired.get((id, event))) for event in found.events],
        "task": None if task is None else task_row(source, cursor, task),
        "component": component,
        "reads": _reads(source, cursor, reads),
        "breakpoints": marks.points.get(id, []),
    }


def _event(event: str, fired: tuple[int, str] | None) -> p.NodeEvent:
    return {"event": event, "calls": fired[0] if fired else 0, "last": fired[1] if fired else None}


def _reads(source: Source, cursor: Cursor, wanted: list[tuple[str, str]]) -> list[p.NodeRead]:
    """Return the values that a component reads, with their authors."""
    frame = values_frame(cursor)
    keys = [key for scope, key in wanted if scope == "state"]
    newest = {key: found[0] for key, found in source.versions(keys, frame, HISTORY).items() if found}
    authors = source.authors(keys, [version.since - 1 for version in newest.values()])
    found: list[p.NodeRead] = []
    for scope, key in wanted:
        if scope == "vol":
            if one := source.volatile(key):
                found.append(_read("vol", key, value(one.value), one.since, None))
            continue
        version = newest.get(key)
        author = authors.get((key, version.since - 1)) if version else None
        shown = value_or_none(version.value) if version else None
        found.append(_read("state", key, shown, version.since if version else 0, author))
    return found


def _read(scope: str, key: str, shown: p.Value | None, since: int, author: Author | None) -> p.NodeRead:
    return {
        "key": key,
        "scope": scope,
        "value": shown,
        "from_frame": since,
        "writer": author.words if author else None,
        "writer_node": author.node_id if author else None,
    }


# ---- a value, whole --------------------------------------------------------------------------------------------


def whole(source: Source, ref: str, since: int, limit: int) -> p.Value:
    """Return a page of a value; ``since`` is its first character, from 1.

    Raises:
        StoreError: if it is gone: it was pending, and is not any more.
    """
    found = source.whole(json.loads(ref))
    if found is None:
        raise StoreError("this value is not there any more: look at the pane again.")
    start, size = since - 1, min(limit, PAGE_CHARS)
    page = found.text[start : start + size]
    more = start + len(page) < len(found.text)
    return {"text": page, "chars": len(found.text), "cut": more, "type": found.type, "ref": ref if more else None}
