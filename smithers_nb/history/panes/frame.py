"""The head of a frame: its reason, phase strip, sentence and counts."""

from __future__ import annotations

from typing import Literal

from ...records import Phase
from ..cursor import Cursor
from ..source import Source
from . import protocol as p
from .breakpoints import hits
from .sentence import sentence
from .values import epoch_ms

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


def chips(cursor: Cursor, ms: dict[Phase, float], over: bool) -> list[p.PhaseChip]:
    """Return the phase strip. After FLUSH the next phase is the next frame's first."""
    current = cursor.live and not (over and cursor.phase is Phase.FLUSH)
    found: list[p.PhaseChip] = []
    for phase in Phase:
        if cursor.reached(phase):
            taken = ms.get(phase)
            found.append({"name": str(phase), "state": "done", "ms": None if taken is None else round(taken, 3)})
        else:
            taken = None if cursor.live else ms.get(phase)
            found.append(
                {
                    "name": str(phase),
                    "state": "current" if current else "todo",
                    "ms": None if taken is None else round(taken, 3),
                }
            )
            current = False
    return found


def frame_head(source: Source, cursor: Cursor) -> p.FramePane:
    """Return the contents of header, strip and sentence at a cursor."""
    found = source.frame(cursor.frame)
    totals = found.counts if found else {}
    counts = {name: totals.get(name, 0) if cursor.reached(since) else 0 for name, since in COUNTED.items()}
    _, problems = source.problems(cursor, EVENTS)
    _, printed = source.output(cursor, EVENTS)
    status: Literal["done", "open", "dry"] = "dry"
    if found is not None:
        status = "done" if found.status == "done" else "open"
    last = cursor.phase if cursor.live or found is None else found.phase
    return {
        "frame": cursor.frame,
        "recorded": not cursor.live,
        "status": status,
        "phase": str(cursor.phase) if cursor.phase else None,
        "last_phase": str(last) if last else None,
        "phases": chips(cursor, dict(found.ms) if found else {}, source.head.over),
        "sentence": sentence(source, cursor),
        "reason": list(found.reason) if found else [],
        "created": epoch_ms(found.created_at) if found else None,
        "counts": {
            "mounted": counts["mounted"],
            "unmounted": counts["unmounted"],
            "updated": counts["updated"],
            "moved": counts["moved"],
            "handlers": counts["handlers"],
            "writes": len(source.writes(cursor)),
            "problems": sum(event.kind == "problem" and event.frame == cursor.frame for event in problems),
            "output": sum(event.frame == cursor.frame for event in printed),
        },
        "hits": [one for one in hits(source, cursor.frame) if one["frame"] == cursor.frame],
    }
