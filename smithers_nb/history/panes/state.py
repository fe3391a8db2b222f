"""The values of the state, with their authors, readers and earlier values."""

from __future__ import annotations

from ...records import Author, ValueRecord
from ...records.words import short
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .pending import READERS, reader
from .values import value, words_of

HISTORY = 5


def state(source: Source, cursor: Cursor, limit: int) -> p.StatePane:
    """Return the values by key: those that the frame read; after FLUSH, those that it left behind."""
    total, found = source.state(cursor, limit)
    entries = [_entry(one) for one in found]
    _tell_history(source, entries, cursor.values_frame)
    readers = source.readers(cursor, [(entry["scope"], entry["key"]) for entry in entries], READERS)
    for entry in entries:
        entry["readers"] = [reader(one) for one in readers.get((entry["scope"], entry["key"]), [])]
    names = names_of(source, cursor)
    named = names.all(entry["writer_node"] for entry in entries)
    for entry in entries:
        entry["writer"] = names.in_some(entry["writer"])
        for version in entry["history"]:
            version["writer"] = names.in_some(version["writer"])
    return {"frame": cursor.frame, "total": total, "entries": entries, "names": named}


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
    if not stored:
        return
    keys = [entry["key"] for entry in stored]
    versions = source.file.versions(keys, frame, HISTORY + 1)
    # A value that frame n is the first to read was written in frame n - 1.
    frames = {version.since - 1 for found in versions.values() for version in found}
    authors = source.file.authors(keys, frames)
    for entry in stored:
        known = versions.get(entry["key"], [])
        _tell_author(entry, authors.get((entry["key"], entry["from_frame"] - 1)))
        entry["history"] = [
            {
                "frame": version.since,
                "value": short(version.value.text, 60),
                "writer": words_of(authors.get((entry["key"], version.since - 1))),
            }
            for version in known[:HISTORY]
        ]
        # Live, the newest version is of the engine's, and may not be in the file yet: the value before is looked for by
        # its frame, not by its place in the list.
        older = [version for version in known if version.since < entry["from_frame"]]
        if older:
            entry["old"] = value(older[0].value)


def _tell_author(entry: p.StateRow, author: Author | None) -> None:
    if author is None:
        return
    entry["writer"], entry["writer_node"] = author.words, author.node_id
    # Only a handler's call has a row of its own that the page can lead to.
    if (author.handler or "").startswith("on_"):
        entry["writer_id"] = author.origin_id
