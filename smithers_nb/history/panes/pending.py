"""The writes of a frame, which wait for its FLUSH or were resolved by it."""

from __future__ import annotations

from ...records import ReaderRecord, Write, WriteRecord
from ...records.words import author, short
from ...values import readable
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .values import value_or_none

READERS = 10


def pending(source: Source, cursor: Cursor) -> p.PendingPane:
    """Return the writes of the frame in the order in which they apply; after FLUSH with their outcome."""
    writes = [write_row(order, write) for order, write in enumerate(source.writes(cursor), 1)]
    _foresee(writes)
    names = names_of(source, cursor)
    # All keys together: a query for each of a hundred writes is a hundred queries.
    found = source.readers(cursor, [(write["scope"], write["key"]) for write in writes], READERS)
    for write in writes:
        write["readers"] = [reader(one) for one in found.get((write["scope"], write["key"]), [])]
        write["trigger"], write["conflict"] = names.in_text(write["trigger"]), names.in_some(write["conflict"])
    return {
        "frame": cursor.frame,
        "writes": writes,
        "editable": source.editable(cursor),
        "names": names.all(write["node_id"] for write in writes),
    }


def write_row(order: int, write: WriteRecord) -> p.WriteRow:
    """Return a write without its conflicts and readers."""
    row: p.WriteRow = {
        "id": write.id,
        "order": order,
        "frame": write.frame,
        "scope": write.scope,
        "key": write.key,
        "op": write.op,
        "old": value_or_none(write.old),
        "new": value_or_none(write.new),
        "origin": write.origin,
        "origin_id": write.origin_id,
        "node_id": write.node_id,
        "handler": write.handler,
        "trigger": write.trigger,
        "status": write.status,
        "outcome": write.outcome,
        "conflict": None,
        "noop": write.status == "noop",
        "readers": [],
        "edited": None,
    }
    if write.op == "delete":
        row["new"] = None
    if write.status in ("edited", "dropped"):
        # A person's change takes the place of the cause: it says who changed it, and when.
        row["edited"] = write.trigger
    return row


def _foresee(writes: list[p.WriteRow]) -> None:
    """Say which writes lose against which, and which change nothing; of queued ones, how it will be."""
    last: dict[tuple[str, str], p.WriteRow] = {}
    for write in writes:
        place = (write["scope"], write["key"])
        if write["status"] in ("dropped", "rolled_back"):
            continue
        before = last.get(place)
        if before is not None and write["op"] == "update":
            # An update's function gets the value of the write before it: nothing is lost.
            write["conflict"] = f"builds on {before['id']} ({_author(before)})"
        elif before is not None:
            write["conflict"] = f"overrides {before['id']} ({_author(before)})"
            before["conflict"] = f"overridden by {write['id']} ({_author(write)})"
        elif write["status"] == "queued" and write["new"] is not None and write["old"] is not None:
            write["noop"] = write["noop"] or _same(write["new"], write["old"])
        last[place] = write


def _same(one: p.Value, other: p.Value) -> bool:
    # Two long texts with the same beginning and length are taken for the same: the whole ones are not read for this.
    return (one["text"], one["chars"], one["type"]) == (other["text"], other["chars"], other["type"])


def _author(write: p.WriteRow) -> str:
    return author(write["origin"], write["handler"], write["node_id"])


def reader(found: ReaderRecord) -> p.ReaderRow:
    """Return a component that reads a key."""
    return {"component": found.component, "path": found.path, "node_id": found.node_id}


def line_of(write: Write) -> str:
    """Return a write that a step will apply: ``n = 1``."""
    match write.op:
        case "delete":
            return f"{write.key} (deleted)"
        case "update" if write.status == "queued":
            return f"{write.key} = computed at flush"
        case _:
            return f"{write.key} = {short(readable(write.new).text, 60)}"
