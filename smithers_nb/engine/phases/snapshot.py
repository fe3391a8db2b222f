"""SNAPSHOT: what this frame will see."""

from __future__ import annotations

from time import time

from ..draft import Draft
from ..live import Live
from ..user_code.purity import Snapshot, generation


def snapshot(live: Live, draft: Draft) -> None:
    """Freeze the state, the tasks that have ended, the clock and the seed.

    Nothing is copied: values change only in FLUSH, and no FLUSH comes before this frame's own.
    """
    recorded = live.replay.began(draft.number) if live.replay else None
    live.snapshot_time = time() if recorded is None else recorded
    draft.generation = generation()
    known = live.changed is not None and live.generation == draft.generation
    changed = frozenset(live.changed or ()) if known else None
    draft.snapshot = Snapshot(draft.number, live.cells, live.snapshot_time, live.seed, live.loops, changed, live.vol)
    draft.ended = live.tasks.unsettled
    draft.stood = live.standing
