"""The search for nodes, keys, handlers, tasks and output."""

from __future__ import annotations

from ..cursor import Cursor
from ..names import Names, names_of
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
    # Of the newest frame, wherever the cursor is: what is found may have come later.
    names = names_of(source, source.cursor())
    names.learn(one["node_id"] for one in shown if one["node_id"] is not None)
    for one in shown:
        one["label"] = label_of(names, one["kind"], one["label"], one["node_id"])
    return {"total": len(found), "found": shown}


def label_of(names: Names, kind: str, label: str, node_id: str | None) -> str:
    """Return the label of a match, with names in place of generated ids."""
    if kind == "node" and node_id is not None and names.word(node_id) != node_id:
        return names.of(node_id)  # Its label begins with its type, and so does its name.
    return names.in_text(label)
