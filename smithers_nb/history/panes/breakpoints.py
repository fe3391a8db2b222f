"""The breakpoints, and their hits."""

from __future__ import annotations

from collections.abc import Mapping

from ...records import Hit
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .values import epoch_ms

HITS = 200


def breakpoints(source: Source, cursor: Cursor) -> p.BreakpointsPane:
    """Return the breakpoints, and their hits up to the cursor."""
    names = names_of(source, cursor)
    found = hits(source, cursor.frame)
    named = names.all([*(point.target for point in source.breakpoints()), *(one["node_id"] for one in found)])
    for one in found:
        one["text"] = names.in_text(one["text"])
    points: list[p.BreakpointRow] = [
        {
            "id": point.id,
            "kind": point.kind,
            "target": point.target,
            "event": point.event,
            "value": point.value,
            "when": point.when,
            "once": point.once,
            "enabled": point.enabled,
            "log_only": point.log_only,
            "hits": point.hits,
            "after": point.after,
            "text": names.in_text(point.text),
            "error": _errors(source).get(point.id),
        }
        for point in source.breakpoints()
    ]
    return {"breakpoints": points, "hits": found, "names": named}


def _errors(source: Source) -> Mapping[str, str]:
    """Return the error of each condition, by breakpoint id. Only an engine computes conditions."""
    if source.publication is None:
        return {}
    return source.publication.condition_errors


def hits(source: Source, until: int) -> list[p.HitRow]:
    """Return the newest hits up to a frame, newest first."""
    return [hit(found, epoch_ms(at) or 0.0) for found, at in source.hits(until, HITS)]


def hit(found: Hit, at: float = 0.0) -> p.HitRow:
    """Return a hit."""
    return {
        "breakpoint_id": found.breakpoint_id,
        "frame": found.frame,
        "phase": found.phase,
        "text": found.text,
        "node_id": found.node_id,
        "log_only": found.log_only,
        # One that was found in the records and not recorded has no time of its own.
        "at": at,
    }
