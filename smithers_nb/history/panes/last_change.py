"""The last change of a key before the cursor."""

from __future__ import annotations

from ...records import Phase
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .pending import write_row
from .values import excerpt_words

FAR = 1 << 40
"""A place after every write of a frame."""


def last_change(source: Source, cursor: Cursor, key: str, before: tuple[int, int] | None) -> p.LastChangePane:
    """Return the write that changed a key last before the cursor, or before the one that was found before."""
    if before is None:
        before = (_written_until(cursor), FAR)
    # The file alone is asked: a write that waits for FLUSH has not changed anything yet.
    found = source.file.write_before(key, *before)
    if found is None:
        first, seq = before
        if seq == FAR:
            first += 1
        return {"found": None, "before": before, "text": f"nothing wrote {key} before frame {first}."}
    old, new = excerpt_words(found.old), excerpt_words(found.new)
    if found.op == "delete":
        new = "deleted"
    names = names_of(source, cursor)
    by, why = names.in_text(found.author), names.in_text(found.trigger)
    text = f"{key} was changed {old} → {new} in frame {found.frame} by {by}, because {why}."
    return {"found": write_row(1, found), "before": (found.frame, found.seq), "text": text}


def _written_until(cursor: Cursor) -> int:
    """Return the last frame whose writes are in the values that the cursor shows."""
    # The live frame shows committed values, which its own FLUSH may just have written.
    if cursor.live:
        return cursor.frame
    return cursor.newest(Phase.FLUSH)
