"""The printed output up to the cursor."""

from __future__ import annotations

import json
from time import time

from ...records import EventRecord
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .values import epoch_ms


def output(source: Source, cursor: Cursor, limit: int) -> p.OutputPane:
    """Return the output up to the cursor."""
    total, found = source.output(cursor, limit)
    names = names_of(source, cursor)
    named = names.all(event.node_id for event in found)
    entries = [_printed(event) for event in found]
    for entry in entries:
        entry["where"] = names.in_text(entry["where"])
    return {"frame": cursor.frame, "total": total, "entries": entries, "names": named}


def _printed(event: EventRecord) -> p.PrintedRow:
    found = json.loads(event.payload)
    text = found["text"]
    cut, ref = len(text) > p.VALUE_CHARS, None
    # What is not in the file yet has no id to ask for: it is cut for now, and whole after FLUSH.
    if cut and event.id:
        ref = json.dumps(("events", "payload", event.id))
    return {
        "id": event.id,
        "frame": event.frame,
        "phase": found["phase"],
        "node_id": event.node_id,
        "where": found["where"],
        "stream": found["stream"],
        "text": text[: p.VALUE_CHARS],
        "cut": cut,
        "ref": ref,
        "at": epoch_ms(event.created_at) or time() * 1000,
    }
