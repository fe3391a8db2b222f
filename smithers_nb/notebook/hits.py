"""The nearest hit of a breakpoint in the records, for going backward and forward. Nothing executes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from ..engine.breakpoints import NAMES, STANDING, say, say_change
from ..engine.expression import Expression, ExpressionError, Facts
from ..engine.schedule import RUNNABLE
from ..identity import loop_of
from ..records import Breakpoint, Hit, Phase
from ..store import breakpoints as stored
from ..store.moments import Moments, Row
from . import protocol as p
from .journal import hit
from .moment import Moment, Records
from .values import epoch_ms
from .writes import APPLIED, PHASE_OF, words

PHASES = list(Phase)
FRAMES = 5_000
"""How far back an expression is computed."""
STOOD = 500
"""Frames of which it is computed how phases, steps and loops stood."""
STATE_ONLY = frozenset({"state", "prev"})


def nearest(records: Records, moment: Moment, forward: bool, before: tuple[int, int] | None) -> p.HitFound:
    """Return the nearest hit before or after the cursor: recorded, or found by the present breakpoints."""
    if before is None:
        before = (moment.frame, PHASES.index(moment.phase) if moment.phase else -1)
    ex = records.ex
    recorded = stored.hits(ex.store.reader, ex.execution_id, ex.recorded, 100_000)
    found = {_place(one): one for one, _ in recorded}
    times = {_place(one): epoch_ms(at) or 0.0 for one, at in recorded}
    for point in ex.live.breakpoints.all:
        if point.enabled:
            for one in evaluated(records, point):
                found.setdefault(_place(one), one)
    places = [place for place in found if (place > before if forward else place < before)]
    if not places:
        where = "after" if forward else "before"
        return {"found": None, "before": before, "text": f"no hit {where} here in the records."}
    place = min(places) if forward else max(places)
    return {"found": hit(found[place], times.get(place, 0.0)), "before": place, "text": found[place].text}


def _place(one: Hit) -> tuple[int, int]:
    return one.frame, PHASES.index(Phase(one.phase))


def evaluated(records: Records, point: Breakpoint) -> Iterator[Hit]:
    """Yield what a breakpoint would have hit, as far as the records tell: nothing of one with a condition."""
    if point.when and point.kind != "expression":
        return
    for frame, phase, text, node_id in _of(records, point):
        if 1 <= frame <= records.ex.recorded:
            yield Hit(point.id, frame, str(phase), text, node_id, point.log_only, False)


def _of(records: Records, point: Breakpoint) -> Iterable[tuple[int, Phase, str, str | None]]:
    store, target = records.store, point.target or ""
    match point.kind:
        case "phase":
            phase = Phase(target)
            return [
                (row[0], phase, f"{phase} of frame {row[0]} is done", None)
                for row in store.dense(1)
                if row[1] == "done" or phase not in PHASES[4:]
            ]
        case "handler":
            return [
                (frame, Phase.EXECUTE, f"{event} of {node} {'was called' if status == 'ok' else status}", node)
                for frame, node, event, status in store.called(point.target, point.event)
            ]
        case "error":
            rows = store.events("problem", records.ex.recorded, 100_000)
            return [_error(row) for row in rows]
        case "key":
            return _key(store, point)
        case "node":
            return _node(records, target, point.event or "")
        case _:
            return _expression(records, point)


def _error(row: Row) -> tuple[int, Phase, str, str | None]:
    found = json.loads(row["payload"])
    phase = Phase(found["phase"]) if found["phase"] else Phase.FLUSH
    return row["frame"], phase, f"{found['kind']}: {found['message']}", row["node_id"]


def _key(store: Moments, point: Breakpoint) -> Iterator[tuple[int, Phase, str, str | None]]:
    rows = store.written(point.target or "")
    if point.event == "written":
        for write in rows:
            text = f"{write['key']} is written by {words(write)}"
            yield write["frame"], PHASE_OF.get(write["origin"], Phase.FLUSH), text, write["node_id"]
        return
    applied = (row for row in rows if row["status"] in APPLIED)
    for (frame, _), together in groupby(applied, key=lambda row: (row["frame"], row["scope"])):
        found = list(together)
        old, new = found[0]["old"], found[-1]["new"]
        if old != new and (point.event == "changed" or _equal(new, point.value)):
            text = say_change(point.target or "", None if old in (None, "null") else _said(old), _said(new))
            yield frame, Phase.FLUSH, text, found[-1]["node_id"]


def _equal(text: str | None, value: str | None) -> bool:
    try:
        return bool(json.loads(text or "null") == json.loads(value or "null"))
    except ValueError:  # It was cut; what is so long is looked at by its beginning only.
        return False


def _said(text: str | None) -> str:
    try:
        return say(None) if text is None else say(json.loads(text))
    except ValueError:  # It was cut.
        return f"{(text or '')[:60]}…"


def _node(records: Records, id: str, event: str) -> Iterator[tuple[int, Phase, str, str | None]]:
    store = records.store
    versions: list[Row | None] = [*store.node_versions(id), None]
    if event in STANDING:
        last = next((row for row in reversed(versions) if row is not None), None)
        if last is not None and last["type"] in RUNNABLE:
            yield from _task(store, last["type"], id, event)
        elif last is not None:
            yield from _standing(records, id, event)
        return
    before: Row | None = None
    for row in versions:
        goes_on = (
            row is not None
            and before is not None
            and before["to_frame"] == row["from_frame"]
            and (before["type"], loop_of(before["path"])) == (row["type"], loop_of(row["path"]))
        )
        if not goes_on and before is not None and before["to_frame"] is not None and event == "unmount":
            yield before["to_frame"], Phase.RECONCILE, f"{before['type']} {id} was unmounted", id
        if not goes_on and row is not None and event == "mount":
            yield row["from_frame"], Phase.RECONCILE, f"{row['type']} {id} was mounted", id
        before = row


def _task(store: Moments, type: str, id: str, event: str) -> Iterator[tuple[int, Phase, str, str | None]]:
    for task in store.tasks_of(id):
        if event == "start" and task["started_frame"]:
            yield task["started_frame"], Phase.EXECUTE, f"{type} {id} started", id
        elif event != "start" and task["settled_at_frame"] and task["status"] in STANDING[event]:
            yield task["settled_at_frame"], Phase.SNAPSHOT, f"{type} {id} {task['status']}", id


def _standing(records: Records, id: str, event: str) -> Iterator[tuple[int, Phase, str, str | None]]:
    """Phases, steps and loops: how they stood is computed for the newest frames in which a task began or settled."""
    before: str | None = None
    for frame in records.store.turns(STOOD):
        tree = records.tree(frame)
        now = records.stood_at(frame, tree).get(id)
        node = tree.index.get(id)
        if node is not None and now in STANDING[event] and before not in STANDING[event]:
            said = "started" if event == "start" else now
            yield frame, Phase.COMMIT, f"{node.type} {node.props.get('name', id)} {said}", id
        before = now


def _expression(records: Records, point: Breakpoint) -> Iterator[tuple[int, Phase, str, str | None]]:
    """Walk back through the writes, from the state as it is now."""
    condition = Expression(point.when or "", NAMES)
    if not condition.named <= STATE_ONLY:
        return
    live = records.ex.live
    texts: dict[str, str | None] = {key: cell.stored.text for key, cell in list(live.cells.items())}
    last = live.frame
    by_frame: dict[int, list[Row]] = {}
    for row in records.store.transitions(max(1, last - FRAMES), last):
        by_frame.setdefault(row["frame"], []).append(row)
    later: tuple[int, bool] | None = None
    for frame in range(last, max(0, last - FRAMES), -1):
        before = dict(texts) if frame in by_frame else texts
        for row in by_frame.get(frame, ()):
            before[row["key"]] = row["old"]
        true = _true(condition, texts, before)
        if "prev" in condition.named:
            if true:
                yield frame, Phase.FLUSH, f"{point.when} is true", None
        elif later is not None and later[1] and not true:
            yield later[0], Phase.FLUSH, f"{point.when} is true", None
        later = (frame, true)
        texts = before
    if later is not None and later[1] and "prev" not in condition.named:
        yield later[0], Phase.FLUSH, f"{point.when} is true", None


def _true(condition: Expression, texts: Mapping[str, str | None], before: Mapping[str, str | None]) -> bool:
    try:
        return bool(condition.value({"state": _facts(texts), "prev": _facts(before)}))
    except ExpressionError:
        return False


def _facts(texts: Mapping[str, str | None]) -> Facts:
    def look(key: str) -> object:
        text = texts.get(key)
        return None if text is None else json.loads(text)

    return Facts(look, lambda: sorted(key for key, text in texts.items() if text is not None))
