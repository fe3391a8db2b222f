"""Pending writes, the state with who wrote and who reads it, and the last change of a key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..engine.state import read_name
from ..identity import prefixes_of
from ..nodes.tree import Tree
from ..records import Phase, Write
from ..store.moments import Row
from ..values import readable
from . import protocol as p
from .moment import Moment, Records
from .values import of_object, of_part, of_stored, short, value

READERS = 10
HISTORY = 5
PHASE_OF = {"handler": Phase.EXECUTE, "init": Phase.RENDER, "effect": Phase.EFFECTS}
"""The phase that queues the writes of an origin; those of people and tasks come in between."""
APPLIED = frozenset({"applied", "overridden", "edited"})


def pending(records: Records, moment: Moment) -> p.Pending:
    """Return the writes of the frame in the order in which they apply; after FLUSH with what came of them."""
    ex, draft = records.ex, records.ex.draft
    under_way = draft is not None and draft.number == moment.frame and draft.phase is not Phase.FLUSH
    if moment.live or under_way:
        done = draft.written if draft is not None and draft.phase is Phase.FLUSH else ()
        waiting = ex.pending
        if not moment.live:
            waiting = tuple(write for write in waiting if _queued_at(write.origin, moment))
        writes = [_live_write(records, moment.frame, order, write) for order, write in enumerate([*done, *waiting], 1)]
        editable = moment.live and bool(waiting)
    else:
        rows = [row for row in records.store.writes(moment.frame) if _queued_at(row["origin"], moment)]
        writes = [_recorded_write(order, row, moment) for order, row in enumerate(rows, 1)]
        editable = False
    _foresee(writes)
    found = readers(records, moment, [(write["scope"], write["key"]) for write in writes])
    for write in writes:
        write["readers"] = found.get((write["scope"], write["key"]), [])
    return {"frame": moment.frame, "writes": writes, "editable": editable}


def _queued_at(origin: str, moment: Moment) -> bool:
    phase = PHASE_OF.get(origin)
    return moment.phase is Phase.FLUSH if phase is None else moment.since(phase)


def _live_write(records: Records, frame: int, order: int, write: Write) -> p.PendingWrite:
    known = not (write.op == "delete" or (write.op == "update" and write.status == "queued"))
    return {
        "id": write.id,
        "order": order,
        "frame": frame,
        "scope": write.scope,
        "key": write.key,
        "op": write.op,
        "old": None if write.old is None else of_object(write.old, ("write", write.id, "old")),
        "new": of_object(write.new, ("write", write.id, "new")) if known else None,
        "origin": write.origin,
        "origin_id": write.origin_id,
        "node_id": write.node_id,
        "handler": write.handler,
        "trigger": write.trigger,
        "status": write.status,
        "outcome": None if write.seq == 0 else write.status,
        "conflict": None,
        "noop": write.status == "noop",
        "readers": [],
        "edited": write.trigger if write.status in ("edited", "dropped") else None,
    }


def _recorded_write(order: int, row: Row, moment: Moment) -> p.PendingWrite:
    flushed = moment.phase is Phase.FLUSH
    known = flushed or row["status"] in ("edited", "dropped", "rolled_back")
    status = row["status"] if known else "queued"
    computed = flushed or row["op"] != "update"
    return {
        "id": row["id"],
        "order": order,
        "frame": row["frame"],
        "scope": row["scope"],
        "key": row["key"],
        "op": row["op"],
        "old": of_part(row["old"], row["old_chars"], ("transitions", "old", row["frame"], row["seq"])),
        "new": (
            of_part(row["new"], row["new_chars"], ("transitions", "new", row["frame"], row["seq"]))
            if computed and row["op"] != "delete"
            else None
        ),
        "origin": row["origin"],
        "origin_id": row["origin_id"],
        "node_id": row["node_id"],
        "handler": row["handler"],
        "trigger": row["trigger"],
        "status": status,
        "outcome": row["status"],
        "conflict": None,
        "noop": row["status"] == "noop",
        "readers": [],
        "edited": row["trigger"] if row["status"] in ("edited", "dropped") else None,
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
            write["conflict"] = f"{'builds on' if builds else 'overrides'} {before['id']} ({_who(before)})"
            if not builds:
                before["conflict"] = f"overridden by {write['id']} ({_who(write)})"
        elif write["status"] == "queued" and write["new"] is not None and write["old"] is not None:
            write["noop"] = write["noop"] or (write["new"]["text"], write["new"]["chars"], write["new"]["type"]) == (
                write["old"]["text"],
                write["old"]["chars"],
                write["old"]["type"],
            )
        last[place] = write


def _who(write: p.PendingWrite) -> str:
    return f"{write['handler']} of {write['node_id']}" if write["handler"] else write["node_id"] or write["origin"]


# ---- who reads -------------------------------------------------------------------------------------------------


def readers(
    records: Records, moment: Moment, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[p.Reader]]:
    """Return by (scope, key) the components that read it: live as RENDER remembers, else as it is recorded."""
    places = list(dict.fromkeys(wanted))
    rendered = records.ex.live.rendered
    if moment.live and rendered is not None:
        found = {}
        for scope, key in places:
            name = read_name("vol" if scope == "vol" else "state", key)
            paths = sorted(rendered.readers.get(name, ()))[:READERS]
            known = [(path, rendered.instances.get(path)) for path in paths]
            found[scope, key] = [_reader(path, instance) for path, instance in known if instance is not None]
        return found
    recorded = records.store.readers([key for scope, key in places if scope == "state"], moment.frame)
    shown = {key: paths[:READERS] for key, paths in recorded.items()}
    first = _first_nodes(moment.tree, {path for paths in shown.values() for path in paths})
    return {
        ("state", key): [
            {"component": path.rpartition("/")[2].partition("[")[0], "path": path, "node_id": first.get(path)}
            for path in paths
        ]
        for key, paths in shown.items()
    }


def _first_nodes(tree: Tree, components: set[str]) -> dict[str, str]:
    """Return the id of the first node that each of these components rendered."""
    found: dict[str, str] = {}
    for node in tree.walk():
        if len(found) == len(components):
            break
        for prefix in prefixes_of(node.path):
            if prefix in components:
                found.setdefault(prefix, node.id)
    return found


def _reader(path: str, instance: Any) -> p.Reader:  # Any: engine.rendered.Instance
    ids = instance.ids
    return {"component": instance.element.component.name, "path": str(path), "node_id": ids[0] if ids else None}


# ---- state -----------------------------------------------------------------------------------------------------


def state(records: Records, moment: Moment, limit: int) -> p.State:
    """Return the values by key: what the frame read; after FLUSH, what it left behind."""
    if moment.live:
        entries, total, frame = _live_state(records, limit)
    else:
        frame = moment.frame + 1 if moment.phase is Phase.FLUSH else moment.frame
        total, rows = records.store.state(frame, limit)
        entries = [_recorded_entry(row, frame) for row in rows]
    _tell_history(records, entries, frame)
    found = readers(records, moment, [(entry["scope"], entry["key"]) for entry in entries])
    for entry in entries:
        entry["readers"] = found.get((entry["scope"], entry["key"]), [])
    return {"frame": moment.frame, "total": total, "entries": entries}


def _live_state(records: Records, limit: int) -> tuple[list[p.StateEntry], int, int]:
    live = records.ex.live
    newest = live.frame + 1
    entries = []
    total = 0
    for scope in ("state", "vol"):
        cells = dict(live.values("vol" if scope == "vol" else "state"))
        # What has changed since the newest frame read it; at rest, since the frame before did.
        since = max((cell.since for cell in cells.values()), default=0)
        keys = sorted(cells)
        total += len(keys)
        changed = {key for key in keys if cells[key].since == since > 1}
        for key in [*keys[:limit], *(key for key in keys[limit:] if key in changed)]:
            shown = of_stored(cells[key].stored, ("cell", scope, key))
            entries.append(_entry(scope, key, shown, cells[key].since, key in changed))
    return entries, total, newest


def _recorded_entry(row: Row, frame: int) -> p.StateEntry:
    ref = ("state", "value", row["key"], row["from_frame"])
    shown = value(row["text"], row["chars"], row["type"], ref)
    return _entry("state", row["key"], shown, row["from_frame"], row["from_frame"] == frame > 1)


def _entry(scope: str, key: str, shown: p.Value, since: int, changed: bool) -> p.StateEntry:
    return {
        "scope": scope,
        "key": key,
        "value": shown,
        "from_frame": since,
        "changed": changed,
        "writer": None,
        "writer_node": None,
        "writer_id": None,
        "old": None,
        "readers": [],
        "history": [],
    }


def _tell_history(records: Records, entries: list[p.StateEntry], frame: int) -> None:
    """Fill in who wrote each value, and which ones there were before."""
    stored = [entry for entry in entries if entry["scope"] == "state"]
    keys = [entry["key"] for entry in stored]
    versions = records.store.versions(keys, frame, HISTORY + 1) if keys else {}
    frames = {since - 1 for found in versions.values() for since, _, _, _ in found}
    writers = records.store.writers(keys, frames) if keys else {}
    for entry in stored:
        known = versions.get(entry["key"], [])
        writer = writers.get((entry["key"], entry["from_frame"] - 1))
        if writer is not None:
            entry["writer"] = words(writer)
            entry["writer_node"] = writer["node_id"]
            entry["writer_id"] = writer["origin_id"] if (writer["handler"] or "").startswith("on_") else None
        entry["history"] = [
            {
                "frame": since,
                "value": short(text, 60) or "",
                "writer": words(found) if (found := writers.get((entry["key"], since - 1))) else None,
            }
            for since, text, _, _ in known[:HISTORY]
        ]
        older = [version for version in known if version[0] < entry["from_frame"]]
        if older:
            since, text, chars, kind = older[0]
            entry["old"] = of_part(text, chars, ("state", "value", entry["key"], since))
            if entry["old"] is not None:
                entry["old"]["type"] = kind


def words(row: Row) -> str:
    """Return who wrote: ``on_finished of notes``, ``effect tick``, ``operator``."""
    if row["origin"] == "handler":
        return f"{row['handler']} of {row['node_id']}"
    return f"{row['origin']} {row['node_id']}" if row["node_id"] else str(row["origin"])


# ---- the last change of a key ----------------------------------------------------------------------------------


def last_change(records: Records, moment: Moment, key: str, before: tuple[int, int] | None) -> p.LastChange:
    """Return the write that changed a key last before the cursor, or before the one that was found before."""
    far = 1 << 40
    if before is None:
        # What frame n shows was written in n - 1; after its FLUSH, in n.
        flushed = moment.live or moment.phase is Phase.FLUSH
        before = (moment.frame, far) if flushed else (moment.frame - 1, far)
    row = records.store.write_before(key, *before)
    if row is None:
        first = before[0] + 1 if before[1] == far else before[0]
        return {"found": None, "before": before, "text": f"nothing wrote {key} before frame {first}."}
    found = _recorded_write(1, row, replace(moment, phase=Phase.FLUSH))
    old = short(row["old"], 60) or "nothing"
    new = "deleted" if row["op"] == "delete" else short(row["new"], 60) or "nothing"
    text = f"{key} was changed {old} → {new} in frame {row['frame']} by {words(row)}, because {row['trigger']}."
    return {"found": found, "before": (row["frame"], row["seq"]), "text": text}


def line_of(write: Write) -> str:
    """Return what a step will apply: ``n = 1``."""
    match write.op:
        case "delete":
            return f"{write.key} (deleted)"
        case "update" if write.status == "queued":
            return f"{write.key} = computed at flush"
        case _:
            return f"{write.key} = {short(readable(write.new).text, 60)}"
