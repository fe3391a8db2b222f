"""The head of a frame: its reason, phase strip, sentence and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ...records import FrameRecord, Phase
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .breakpoints import hits
from .did import did, reasons
from .sentence import kind_of, sentence
from .values import epoch_ms, phase_name, rounded

COUNTED = {
    "mounted": Phase.RECONCILE,
    "unmounted": Phase.RECONCILE,
    "updated": Phase.RECONCILE,
    "moved": Phase.RECONCILE,
    "handlers": Phase.EXECUTE,
}
"""The counts of a frame, with the phase that makes each."""
EVENTS = 200
"""The most problems and pieces of output that are counted in a frame: they are read one by one."""
# Counted in SQL they would be those at the frame's end: that of a phase is only in the payload.


NOT_MADE = FrameRecord(
    number=0,
    reason=(),
    status="dry",
    phase=Phase.SNAPSHOT,
    created_at=None,
    counts={},
    ms={},
)
"""The record that stands for a frame before the first."""


def chips(cursor: Cursor, ms: Mapping[Phase, float]) -> list[p.PhaseChip]:
    """Return the phase strip. A recorded frame has no current phase: no step would run one of its phases."""
    following = None
    if cursor.live:
        following = next((phase for phase in Phase if not cursor.reached(phase)), None)
    return [_chip(phase, cursor, ms, following) for phase in Phase]


def _chip(phase: Phase, cursor: Cursor, ms: Mapping[Phase, float], following: Phase | None) -> p.PhaseChip:
    if cursor.reached(phase):
        return {"name": phase.value, "state": "done", "ms": rounded(ms.get(phase))}
    if phase is following:
        return {"name": phase.value, "state": "current", "ms": None}
    # Of a recorded frame the times of all phases are known, whatever the cursor shows of it. Those of the frame in
    # progress are of its phases so far, and one that is to come has none.
    taken = None if cursor.live else ms.get(phase)
    return {"name": phase.value, "state": "todo", "ms": rounded(taken)}


def frame_head(source: Source, cursor: Cursor) -> p.FramePane:
    """Return the contents of header, strip and sentence at a cursor."""
    found = source.frame(cursor.frame) or NOT_MADE
    _, problems = source.problems(cursor, EVENTS)
    _, printed = source.output(cursor, EVENTS)
    names = names_of(source, cursor)
    last: Phase | None = found.phase
    if cursor.live or found is NOT_MADE:
        last = cursor.phase
    return {
        "frame": cursor.frame,
        "recorded": not cursor.live,
        "status": _status(found),
        "phase": phase_name(cursor.phase),
        "last_phase": phase_name(last),
        "phases": chips(cursor, found.ms),
        "sentence": sentence(source, cursor),
        "kind": kind_of(source, cursor),
        "did": did(source, cursor, names),
        "reason": reasons(found.reason, names),
        "created": epoch_ms(found.created_at),
        "counts": {
            "mounted": _count(found, cursor, "mounted"),
            "unmounted": _count(found, cursor, "unmounted"),
            "updated": _count(found, cursor, "updated"),
            "moved": _count(found, cursor, "moved"),
            "handlers": _count(found, cursor, "handlers"),
            "writes": len(source.writes(cursor)),
            "problems": sum(event.kind == "problem" and event.frame == cursor.frame for event in problems),
            "output": sum(event.frame == cursor.frame for event in printed),
        },
        "hits": [one for one in hits(source, cursor.frame) if one["frame"] == cursor.frame],
    }


def _status(found: FrameRecord) -> Literal["done", "open", "dry"]:
    if found is NOT_MADE:
        return "dry"
    # A frame that was abandoned was never flushed: it has stayed open.
    if found.status == "done":
        return "done"
    return "open"


def _count(found: FrameRecord, cursor: Cursor, name: str) -> int:
    """Return a count of the frame; 0 until the phase that makes it is done: the file has the frame's last counts."""
    if not cursor.reached(COUNTED[name]):
        return 0
    return found.counts.get(name, 0)
