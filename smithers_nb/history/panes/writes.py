"""Pending writes, the state with its authors and readers, and the last change of a key."""

from __future__ import annotations

from ...records import Phase, ReaderRecord, ValueRecord, Write, WriteRecord
from ...records.words import author, short
from ...values import readable
from ..cursor import Cursor
from ..recorded import values_frame
from ..source import Source
from . import protocol as p
from .values import value, value_or_none

READERS = 10
HISTORY = 5


def pending(source: Source, cursor: Cursor) -> p.Pending:
    """Return the writes of the frame in the order in which they apply; after FLUSH with their outcome."""
    writes = [_shown(order, write) for order, write in enumerate(source.writes(cursor), 1)]
    _foresee(writes)
    found = source.readers(cursor, [(write["scope"], write["key"]) for write in writes], READERS)
    for write in writes:
        write["readers"] = [reader(one) for one in found.get((write["scope"], write["key"]), [])]
    return {"frame": cursor.frame, "writes": writes, "editable": source.editable(cursor)}


def _shown(order: int, write: WriteRecord) -> p.PendingWrite:
    return {
        "id": write.id,
        "order": order,
        "frame": write.frame,
        "scope": write.scope,
        "key": write.key,
        "op": write.op,
        "old": value_or_none(write.old),
        "new": None if write.op == "delete" else value_or_none(write.new),
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
        "edited": write.trigger if write.status in ("edited", "dropped") else None,
    }


def _foresee(writes: list[p.PendingWrite]) -> None:
    """Say which writes lose against which, and which change nothing; of queued ones, how it will be."""
    last: dict[tuple[str, str], p.PendingWrite] = {}
    for write in writes:
        place = (write["scope"], write["key"])
        if write["status"] in ("dropped", "rolled_back"):
            continue
        before = last.get(place)
        if before is not None:
            builds = write["op"] == "update"
            write["conflict"] = f"{'builds on' if builds else 'overrides'} {before['id']} ({_author(before)})"
            if not builds:
                before["conflict"] = f"overridden by {write['id']} ({_author(write)})"
        elif write["status"] == "queued" and write["new"] is not None and write["old"] is not None:
            write["noop"] = write["noop"] or _same(write["new"], write["old"])
        last[place] = write


def _same(one: p.Value, other: p.Value) -> bool:
    return (one["text"], one["chars"], one["type"]) == (other["text"], other["chars"], other["type"])


def _author(write: p.PendingWrite) -> str:
    return author(write["origin"], write["handler"], write["node_id"])


def reader(found: ReaderRecord) -> p.Reader:
    """Return a component that reads a key."""
    return {"component": found.component, "path": found.path, "node_id": found.node_id}


# ---- state -----------------------------------------------------------------------------------------------------


def state(source: Source, cursor: Cursor, limit: int) -> p.State:
    """Return the values by key: those that the frame read; after FLUSH, those that it left behind."""
    total, found = source.state(cursor, limit)
    entries = [_entry(one) for one in found]
    _tell_history(source, entries, values_frame(cursor))
    readers = source.readers(cursor, [(entry["scope"], entry["key"]) for entry in entries], READERS)
    for entry in entries:
        entry["readers"] = [reader(one) for one in readers.get((entry["scope"], entry["key"]), [])]
    return {"frame": cursor.frame, "total": total, "entries": entries}


def _entry(found: ValueRecord) -> p.StateEntry:
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


def _tell_history(source: Source, entries: list[p.StateEntry], frame: int) -> None:
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


# ---- the last change of a key ----------------------------------------------------------------------------------


def last_change(source: Source, cursor: Cursor, key: str, before: tuple[int, int] | None) -> p.LastChange:
    """Return the write that changed a key last before the cursor, or before the one that was found before."""
    far = 1 << 40
    if before is None:
        # The values that frame n shows were written in n - 1; after its FLUSH, in n.
        flushed = cursor.live or cursor.phase is Phase.FLUSH
        before = (cursor.frame, far) if flushed else (cursor.frame - 1, far)
    found = source.write_before(key, *before)
    if found is None:
        first = before[0] + 1 if before[1] == far else before[0]
        return {"found": None, "before": before, "text": f"nothing wrote {key} before frame {first}."}
    old = short(found.old.text, 60) if found.old else "nothing"
    new = short(found.new.text, 60) if found.new else "nothing"
    new = "deleted" if found.op == "delete" else new
    text = f"{key} was changed {old} → {new} in frame {found.frame} by {found.author}, because {found.trigger}."
    return {"found": _shown(1, found), "before": (found.frame, found.seq), "text": text}


def line_of(write: Write) -> str:
    """Return a write that a step will apply: ``n = 1``."""
    match write.op:
        case "delete":
            return f"{write.key} (deleted)"
        case "update" if write.status == "queued":
            return f"{write.key} = computed at flush"
        case _:
            return f"{write.key} = {short(readable(write.new).text, 60)}"
