"""The values of the state, with their authors, readers and earlier values."""

from __future__ import annotations

from ...records import ValueRecord
from ...records.words import short
from ..cursor import Cursor
from ..recorded import values_frame
from ..source import Source
from . import protocol as p
from .pending import READERS, reader
from .values import value

HISTORY = 5


def state(source: Source, cursor: Cursor, limit: int) -> p.StatePane:
    """Return the values by key: those that the frame read; after FLUSH, those that it left behind."""
    total, found = source.state(cursor, limit)
    entries = [_entry(one) for one in found]
    _tell_history(source, entries, values_frame(cursor))
    readers = source.readers(cursor, [(entry["scope"], entry["key"]) for entry in entries], READERS)
    for entry in entries:
        entry["readers"] = [reader(one) for one in readers.get((entry["scope"], entry["key"]), [])]
    return {"frame": cursor.frame, "total": total, "entries": entries}


def _entry(found: ValueRecord) -> p.StateRow:
    return {
        "scope": found.scope,
        "key": found.key,
        "value": value(found.value),
        "from_frame": found.since,
        "changed": found.changed,
        "writer": None,
        "writer_node": None,
        "writer_id": None,
        "old": None,
        "readers": [],
        "history": [],
    }


def _tell_history(source: Source, entries: list[p.StateRow], frame: int) -> None:
    """Fill in the author of each value, and the values before it."""
    stored = [entry for entry in entries if entry["scope"] == "state"]
    keys = [entry["key"] for entry in stored]
    versions = source.versions(keys, frame, HISTORY + 1)
    frames = {version.since - 1 for found in versions.values() for version in found}
    authors = source.authors(keys, frames)
    for entry in stored:
        known = versions.get(entry["key"], [])
        writer = authors.get((entry["key"], entry["from_frame"] - 1))
        if writer is not None:
            entry["writer"] = writer.words
            entry["writer_node"] = writer.node_id
            entry["writer_id"] = writer.origin_id if (writer.handler or "").startswith("on_") else None
        entry["history"] = [
            {
                "frame": version.since,
                "value": short(version.value.text, 60),
                "writer": found.words if (found := authors.get((entry["key"], version.since - 1))) else None,
            }
            for version in known[:HISTORY]
        ]
        older = [version for version in known if version.since < entry["from_frame"]]
        if older:
            entry["old"] = value(older[0].value)
