"""The differences of this execution and a second one of the file, and the executions that there are to choose from."""

from __future__ import annotations

from ...records.words import count, short
from ...store.branches import OtherExecution, others
from ..baselines import Baselines
from ..compare import Comparison, Contrast
from ..cursor import Cursor
from ..names import Names, names_of
from ..recorded import RecordedSource
from ..source import Source
from . import protocol as p
from .values import epoch_ms

CHOICES = 100
"""The number of executions to choose from; others can be named."""
ROWS = 200
"""The most differences in one message."""
SHOWN = 300
"""The most characters of a value."""
BEFORE = 40
"""The number of characters that are shown before the first one that differs."""


def compared(
    source: Source, cursor: Cursor, baselines: Baselines, *, other: RecordedSource | None, limit: int
) -> p.ComparePane:
    """Return the differences from another execution; only the choices without one."""
    found = sorted(others(source.file.reader, source.file.execution_id), key=lambda one: not one.family)
    shown: p.ComparePane = {
        "frame": cursor.frame,
        "execution_id": None,
        "name": "",
        "other_frame": 0,
        "text": "",
        "total": 0,
        "rows": [],
        "choices": [_choice(one) for one in found[:CHOICES]],
        "more": max(0, len(found) - CHOICES),
    }
    if other is None:
        return shown
    comparison = baselines.comparison(other)
    rows = comparison.rows[: min(limit, ROWS)]
    names = (names_of(source, cursor), names_of(other, other.cursor()))
    return {
        **shown,
        "execution_id": other.execution_id,
        "name": comparison.other,
        "other_frame": baselines.match(cursor, other),
        "text": _text(comparison),
        "total": len(comparison.rows),
        "rows": [_row(row, names, baselines, other) for row in rows],
    }


def _text(comparison: Comparison) -> str:
    pair = f"{comparison.one} and {comparison.other}"
    if comparison.first is None:
        return f"{pair} do not differ."
    return f"{pair} differ in {count(len(comparison.rows), 'place')}, the first in frame {comparison.first.frame}."


def _choice(one: OtherExecution) -> p.ChoiceRow:
    return {
        "execution_id": one.execution_id,
        "name": one.name,
        "status": one.status,
        "kind": one.kind,
        "family": one.family,
        "created": epoch_ms(one.created_at),
    }


def _row(row: Contrast, names: tuple[Names, Names], baselines: Baselines, other: RecordedSource) -> p.DifferenceRow:
    here, there = beside(row.one, row.other)
    frame, other_frame = 0, 0
    # The frames of a child are its own: this execution's cursor can't show them.
    if row.child is None:
        frame, other_frame = _frames(row, baselines, other)
    return {
        "what": row.what,
        "node_id": row.node_id,
        "node": _name(row.node_id, *names),
        "key": row.key,
        "iteration": row.iteration,
        "child": row.child,
        "here": here,
        "there": there,
        "frame": frame,
        "other_frame": other_frame,
        "frames": " | ".join(f"f{number}" if number else "—" for number in (row.one_frame, row.other_frame)),
    }


def _name(node_id: str | None, here: Names, there: Names) -> str | None:
    """Return the name of a node that one of the executions has; the id of one that neither has, as in a child."""
    if node_id is None:
        return None
    name = here.of(node_id)
    if name == node_id:
        name = there.of(node_id)
    return name


def _frames(row: Contrast, baselines: Baselines, other: RecordedSource) -> tuple[int, int]:
    """Return the frames to look at: where a side has nothing, the one that matches the other side's."""
    frame, other_frame = row.one_frame, row.other_frame
    if frame is None:
        frame = baselines.reverse(other).match(other_frame or 0)
    if other_frame is None:
        other_frame = baselines.aligned(other).match(frame)
    return frame, other_frame


def beside(here: str | None, there: str | None) -> tuple[str | None, str | None]:
    """Return two values, cut: long ones begin shortly before the first difference.

    >>> beside("a" * 500 + "b", "a" * 500 + "c")[0] == "…" + "a" * 40 + "b"
    True
    """
    if here is None or there is None:
        return here and short(here, SHOWN), there and short(there, SHOWN)
    start = 0
    if max(len(here), len(there)) > SHOWN:
        pairs = zip(here, there, strict=False)
        same = next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(here), len(there)))
        start = max(0, same - BEFORE)
    return _from(here, start), _from(there, start)


def _from(text: str, start: int) -> str:
    cut = short(text[start:], SHOWN)
    return f"…{cut}" if start else cut
