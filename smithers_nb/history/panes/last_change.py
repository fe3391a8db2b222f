"""The last change of a key before the cursor."""

from __future__ import annotations

from ...records import Phase
from ...records.words import short
from ..cursor import Cursor
from ..source import Source
from . import protocol as p
from .pending import write_row


def last_change(source: Source, cursor: Cursor, key: str, before: tuple[int, int] | None) -> p.LastChangePane:
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
    return {"found": write_row(1, found), "before": (found.frame, found.seq), "text": text}
