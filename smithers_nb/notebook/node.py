"""One node in detail, and single values whole."""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import StoreError
from ..identity import Path, prefixes_of
from ..nodes.tree import TreeNode
from ..store.moments import Row
from ..values import Stored, readable
from . import protocol as p
from .moment import Moment, Records
from .plan import Marks
from .tasks import task_row
from .values import kind_of, of_object, of_part, of_stored, value
from .writes import HISTORY, words

PAGE_CHARS = 262_144
"""Of one value in one message: jupyter_server drops larger ones when several come."""


def node(records: Records, moment: Moment, id: str) -> p.NodeDetail | None:
    """Return all about a node of the plan, or one that was just removed; None if there is none of that id."""
    marks = Marks(records, moment)
    found = moment.tree.index.get(id)
    removed = found is None
    if found is None:
        found = moment.before.index.get(id)
    if found is None:
        return None
    ref = 0 if moment.live else moment.frame
    fired = records.store.fired(moment.frame)
    row = records.store.task(marks.tasks[id]) if id in marks.tasks else None
    component, reads = _component(records, moment, found)
    text = found.content
    return {
        "id": found.id,
        "path": found.path,
        "type": found.type,
        "key": found.key,
        "explicit_id": found.explicit_id,
        "source": found.source,
        "mounted": records.ex.store.reader.mounted_at(records.ex.execution_id, id, moment.frame),
        "status": marks.status.get(id),
        "change": marks.change(found, removed),
        "changes": marks.changes(found) if id in marks.updated and not removed else [],
        "why": marks.why.get(id),
        "removed": removed,
        "props": [
            {"name": name, "value": of_object(prop, ("prop", ref, id, name))} for name, prop in found.props.items()
        ],
        "text": value(text, len(text), "text", ("text", ref, id)) if text else None,
        "events": [_event(event, fired.get((id, event))) for event in found.events],
        "task": task_row(records, moment, row, None if moment.live else records.store.ended(moment.frame))
        if row
        else None,
        "component": component,
        "reads": _reads(records, moment, reads),
        "breakpoints": marks.points.get(id, []),
    }


def _event(event: str, fired: tuple[int, str] | None) -> p.NodeEvent:
    return {"event": event, "calls": fired[0] if fired else 0, "last": fired[1] if fired else None}


def _component(records: Records, moment: Moment, found: TreeNode) -> tuple[str | None, list[str]]:
    """Return the name of the component that rendered a node, and the keys that it reads."""
    prefixes = prefixes_of(found.path)
    rendered = records.ex.live.rendered
    if moment.live and rendered is not None:
        for prefix in prefixes:
            if instance := rendered.instances.get(Path(prefix)):
                return instance.element.component.name, sorted(instance.reads)
        return None, []
    for prefix in prefixes:
        if name := re.search(r"/([A-Z]\w*)\[[^/]*\]$", prefix):
            return name[1], records.store.read_by(prefix, moment.frame)
    return None, []


def _reads(records: Records, moment: Moment, names: list[str]) -> list[p.NodeRead]:
    plain = [name for name in names if not name.startswith("\0")]
    found: list[p.NodeRead] = []
    frame = moment.frame + 1 if moment.live else moment.frame
    versions = records.store.versions(plain, frame, HISTORY) if plain else {}
    newest = {key: known[0] for key, known in versions.items() if known}
    writers = records.store.writers(plain, [version[0] - 1 for version in newest.values()]) if plain else {}
    cells = records.ex.live.cells
    for key in plain:
        since, text, chars, kind = newest.get(key, (0, None, 0, ""))
        shown = of_part(text, chars, ("state", "value", key, since))
        if shown is not None:
            shown["type"] = kind
        if moment.live and (cell := cells.get(key)) is not None:
            shown = of_stored(cell.stored, ("cell", "state", key))
        writer: Row | None = writers.get((key, since - 1))
        found.append(
            {
                "key": key,
                "scope": "state",
                "value": shown,
                "from_frame": since,
                "writer": words(writer) if writer else None,
                "writer_node": writer["node_id"] if writer else None,
            }
        )
    vol = records.ex.live.vol if moment.live else {}
    for name in names:
        if name.startswith("\0vol ") and (cell := vol.get(key := name[5:])) is not None:
            shown = of_stored(cell.stored, ("cell", "vol", key))
            found.append(
                {
                    "key": key,
                    "scope": "vol",
                    "value": shown,
                    "from_frame": cell.since,
                    "writer": None,
                    "writer_node": None,
                }
            )
    return found


# ---- a value, whole --------------------------------------------------------------------------------------------


def whole(records: Records, ref: str, since: int, limit: int) -> p.Value:
    """Return a page of a value; ``since`` is its first character, from 1.

    Raises:
        StoreError: if it is gone: it was pending, and is not any more.
    """
    found = _find(records, json.loads(ref))
    if found is None:
        raise StoreError("this value is not there any more: look at the pane again.")
    start, size = since - 1, min(limit, PAGE_CHARS)
    page = found.text[start : start + size]
    more = start + len(page) < len(found.text)
    return {"text": page, "chars": len(found.text), "cut": more, "type": found.type, "ref": ref if more else None}


def _find(records: Records, ref: list[Any]) -> Stored | None:  # Any: JSON
    match ref:
        case ["write", str() as id, "old" | "new" as which]:
            draft = records.ex.draft
            known = [*records.ex.pending, *(draft.written if draft is not None else ())]
            write = next((write for write in known if write.id == id), None)
            return None if write is None else readable(getattr(write, which))
        case ["cell", str() as scope, str() as key]:
            cell = records.ex.live.values("vol" if scope == "vol" else "state").get(key)
            return None if cell is None else cell.stored
        case ["prop", int() as frame, str() as id, str() as name]:
            at = records.moment(frame or None).tree.index.get(id)
            return None if at is None or name not in at.props else readable(at.props[name])
        case ["prompt" | "text", int() as frame, str() as id]:
            at = records.moment(frame or None).tree.index.get(id)
            return None if at is None else Stored(at.content, "text")
        case [str() as table, str() as column, *at] if (table, column) in _TABLES:
            row = records.store.whole(table, column, at)
            if row is None:
                return None
            if table == "events":
                return Stored(json.loads(row[0])["text"], "text")
            return Stored(row[0], row[1] or kind_of(row[0]))
    return None


_TABLES = {
    ("state", "value"), ("transitions", "old"), ("transitions", "new"), ("events", "payload"), ("tasks", "result"),
    ("tool_calls", "input"), ("tool_calls", "output"), ("model_calls", "response"), ("approvals", "payload"),
}  # fmt: skip
