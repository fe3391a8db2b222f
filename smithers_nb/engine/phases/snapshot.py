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
    recorded = live.services.replay.began(draft.number) if live.services.replay else None
    live.snapshot_time = time() if recorded is None else recorded
    draft.generation = generation()
    before = live.committed
    known = before.changed is not None and before.generation == draft.generation
    draft.snapshot = Snapshot(
        frame=draft.number,
        cells=before.cells,
        now=live.snapshot_time,
        seed=live.seed,
        loops=before.loops,
        changed=frozenset(before.changed or ()) if known else None,
        vol=before.vol,
    )
    draft.ended = live.tasks.unsettled
    draft.stood = live.standing
