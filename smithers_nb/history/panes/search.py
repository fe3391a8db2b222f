"""The search for nodes, keys, handlers, tasks and output."""

from __future__ import annotations

from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p

FOUND = 50


def search(source: Source, cursor: Cursor, text: str) -> p.SearchPane:
    """Return nodes, keys, handlers, tasks and output with a text in their name; the nodes of the plan come first."""
    if not text.strip():
        return {"total": 0, "found": []}
    index = cursor.tree.index
    found: list[p.FoundRow] = [
        {"kind": one.kind, "id": one.id, "label": one.label, "frame": one.frame, "node_id": one.node_id}
        for one in source.file.search(text.strip(), 10 * FOUND)
    ]
    # One looks for what is on the page: the nodes of the plan that is shown, then keys. The sort is stable.
    found.sort(key=lambda one: (not (one["kind"] == "node" and one["id"] in index), one["kind"] != "key"))
    shown = found[:FOUND]
    names = names_of(source, cursor)
    names.learn(one["node_id"] for one in shown if one["node_id"] is not None)
    for one in shown:
        one["label"] = names.in_text(one["label"])
    return {"total": len(found), "found": shown}
