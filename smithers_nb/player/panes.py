"""The panes of an exported run: what the page shows at each cursor."""

from __future__ import annotations

from ..store.reader import Reader


def panes_of(reader: Reader, execution_id: str, frames: tuple[int, int]) -> bytes:
    """Return the panes of frames ``first`` to ``last`` as the page reads them; b"" where it has none."""
    return b""
