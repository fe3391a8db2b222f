"""SNAPSHOT: the values, the ended tasks, the clock and the seed that this frame sees."""

from __future__ import annotations

from time import time

from ..draft import Draft
from ..live import Live
from ..user_code.purity import Snapshot, generation


def snapshot(live: Live, draft: Draft) -> None:
    """Freeze the state, the tasks that have ended, the clock and the seed.

    Nothing is copied: values change only in FLUSH, and no FLUSH comes before this frame's own.
    """
    live.snapshot_time = time()
    if live.services.replay is not None:
        # A replay sees the recorded time: components that read the clock plan what they planned then.
        recorded = live.services.replay.began(draft.number)
        if recorded is not None:
            live.snapshot_time = recorded
    draft.generation = generation()
    before = live.committed
    changed = None
    # A notebook cell that has run since may have redefined anything that components use.
    if before.changed is not None and before.generation == draft.generation:
        changed = frozenset(before.changed)
    draft.snapshot = Snapshot(
        frame=draft.number,
        cells=before.cells,
        now=live.snapshot_time,
        seed=live.seed,
        loops=before.loops,
        changed=changed,
        vol=before.vol,
    )
    draft.ended = live.tasks.unsettled
    draft.stood = live.standing
