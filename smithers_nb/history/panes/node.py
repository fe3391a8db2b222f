"""A node in detail, and single values whole."""

from __future__ import annotations

import json

from ...errors import StoreError
from ...nodes.tree import TreeNode
from ...records import Excerpt, Phase
from ...records.excerpt import of_text
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .plan import Marks
from .state import HISTORY
from .tasks import task_row
from .values import of_object, place_frame, value, value_or_none

DEFAULT_LIMIT = 500
"""The limit of a request that names none."""
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
    ref = place_frame(cursor)
    props: list[p.NodeProp] = [
        {"name": name, "value": of_object(prop, ("prop", ref, id, name))} for name, prop in found.props.items()
    ]
    text = _text(found, ref)
    if cursor.edited:
        # What the edited code makes is in no file: by its place the recorded value would be loaded.
        for prop in props:
            prop["value"]["ref"] = None
        if text is not None:
            text["ref"] = None
    fired = source.fired(cursor)
    component, reads = source.component(cursor, found.path)
    names = names_of(source, cursor)
    shown_reads = _reads(source, cursor, reads)
    for read in shown_reads:
        read["writer"] = names.in_some(read["writer"])
    return {
        "id": found.id,
        "path": found.path,
        "type": found.type,
        "key": found.key,
        "explicit_id": found.explicit_id,
        "source": found.source,
        "mounted": source.mounted_at(id, cursor.newest(Phase.COMMIT)),
        "status": marks.status.get(id),
        "raised": id in marks.raised,
        "change": marks.change(found, removed),
        "changes": marks.changes(found, removed),
        "why": marks.why.get(id),
        "removed": removed,
        "props": props,
        "text": text,
        "events": [_event(event, *fired.get((id, event), (0, None))) for event in found.events],
        "task": _task(source, cursor, marks.tasks.get(id)),
        "component": component,
        "reads": shown_reads,
        "breakpoints": marks.points.get(id, []),
        "names": names.all([id, *(read["writer_node"] for read in shown_reads)]),
    }


def _text(found: TreeNode, ref: int) -> p.Value | None:
    if not found.legible:
        return None
    return value(of_text(found.legible, ("text", ref, found.id)))


def _task(source: Source, cursor: Cursor, task_id: str | None) -> p.TaskRow | None:
    # A task is recorded by COMMIT, and the plan shows its node before that.
    task = None if task_id is None else source.task(cursor, task_id)
    if task is None:
        return None
    return task_row(source, cursor, task, source.file.nodes_of_tasks([task]).get(task.task_id))


def _event(event: str, calls: int, last: str | None) -> p.NodeEvent:
    return {"event": event, "calls": calls, "last": last}


def _reads(source: Source, cursor: Cursor, wanted: list[tuple[str, str]]) -> list[p.NodeRead]:
    """Return the values that a component reads, with their authors."""
    if not wanted:
        return []
    keys = [key for scope, key in wanted if scope == "state"]
    newest = {key: found[0] for key, found in source.file.versions(keys, cursor.values_frame, HISTORY).items() if found}
    authors = source.file.authors(keys, [version.since - 1 for version in newest.values()])
    found: list[p.NodeRead] = []
    for scope, key in wanted:
        version = newest.get(key)
        if scope == "vol":
            # Volatile values are in no file: they are shown live, and left out of a past frame.
            found += _volatile(source, key)
        elif version is None:
            found.append(_read(key, "state"))
        else:
            read = _read(key, "state", version.value, version.since)
            # A value that frame n is the first to read was written in the frame before.
            author = authors.get((key, version.since - 1))
            if author is not None:
                read["writer"], read["writer_node"] = author.words, author.node_id
            found.append(read)
    return found


def _volatile(source: Source, key: str) -> list[p.NodeRead]:
    found = source.volatile(key)
    if found is None:
        return []
    return [_read(key, "vol", found.value, found.since)]


def _read(key: str, scope: str, shown: Excerpt | None = None, since: int = 0) -> p.NodeRead:
    return {
        "key": key,
        "scope": scope,
        "value": value_or_none(shown),
        "from_frame": since,
        "writer": None,
        "writer_node": None,
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
    # The default is made for rows: a value whose length was not asked for is as long as a message takes.
    if limit == DEFAULT_LIMIT:
        size = PAGE_CHARS
    page = found.text[start : start + size]
    shown: p.Value = {"text": page, "chars": len(found.text), "cut": False, "type": found.type, "ref": None}
    if start + len(page) < len(found.text):
        shown["cut"], shown["ref"] = True, ref
    return shown
