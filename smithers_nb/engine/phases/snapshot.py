"""SNAPSHOT: what this frame will see."""

from __future__ import annotations

from time import time

from ..draft import Draft
from ..live import Live
from ..purity import Snapshot


def snapshot(live: Live, draft: Draft) -> None:
    """Freeze the state, the tasks that have ended, the clock and the seed.

    Nothing is copied: values change only in FLUSH, and no FLUSH comes before this frame's own.
    """
    live.snapshot_time = time()
    draft.snapshot = Snapshot(draft.number, live.cells, live.snapshot_time, live.seed)
    draft.ended = live.tasks.unsettled
