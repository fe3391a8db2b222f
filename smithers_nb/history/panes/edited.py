"""The recorded frames as edited code renders them: which differ, and what a branch with it would cost."""

from __future__ import annotations

from collections.abc import Iterable

from ..baselines import Edited
from . import protocol as p


def edited(found: Edited | None) -> p.EditedPane:
    """Return the frames that edited code renders differently."""
    if found is None:
        return {"text": "", "first": None, "last": 0, "total": 0, "frames": [], "pending": []}
    # Thousands of frames may differ, and most of them stand side by side: the page gets where they begin and end.
    begun = [one.frame for one in found.frames if not one.same and not one.pending]
    return {
        "text": found.text,
        "first": found.first,
        "last": found.frames[-1].frame if found.frames else 0,
        "total": len(begun),
        "frames": spans(begun),
        "pending": spans(one.frame for one in found.frames if not one.same and one.pending),
    }


def spans(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of ascending numbers, each with its first and last.

    >>> spans([1, 2, 3, 7, 9, 10])
    [(1, 3), (7, 7), (9, 10)]
    """
    found: list[tuple[int, int]] = []
    for frame in frames:
        if found and found[-1][1] == frame - 1:
            found[-1] = (found[-1][0], frame)
        else:
            found.append((frame, frame))
    return found
