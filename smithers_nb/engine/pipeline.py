"""THE SEVEN PHASES. One frame is one run of this generator; stepping is ``anext``, running is a loop over it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..errors import ExecutionOwnedError, StoreError
from ..records import Phase
from .draft import Draft
from .live import Live
from .phases.commit import commit
from .phases.effects import effects
from .phases.execute import execute
from .phases.flush import flush
from .phases.reconcile import reconcile
from .phases.render import render
from .phases.snapshot import snapshot
from .state import first_values
from .user_code.output import keeping


async def frame(live: Live, draft: Draft) -> AsyncGenerator[Phase | StoreError]:
    """Take the draft of a frame through its phases, and yield after each.

    A step rests after EFFECTS, with the frame's writes pending. Abandoning the generator leaves a frame row that says
    ``open``; a task whose handler was called and not flushed is handled again by a later frame. A FLUSH that the file
    did not take is yielded as its error, and tried again by the next ``anext``.
    """
    # A generator, so that stepping and running share one body: between two phases the frame is this suspended code,
    # and nothing else has to remember how far it came.
    with draft.timed(Phase.SNAPSHOT):
        snapshot(live, draft)
    yield Phase.SNAPSHOT

    with draft.timed(Phase.RENDER), keeping(live.printed, draft):
        rendered = draft.rendered = render(live.app, draft.seen, live.context, live.committed.rendered)
        draft.tree = rendered.tree
        draft.transactions += first_values(
            rendered.inits, draft.next_write_id, live.committed.cells, live.committed.vol
        )
    yield Phase.RENDER

    with draft.timed(Phase.RECONCILE):
        draft.changes = reconcile(live.committed.tree, draft.tree)
    yield Phase.RECONCILE

    with draft.timed(Phase.COMMIT):
        await commit(live, draft)
    yield Phase.COMMIT

    with draft.timed(Phase.EXECUTE):
        await execute(live, draft)
    yield Phase.EXECUTE

    with draft.timed(Phase.EFFECTS):
        await effects(live, draft)
    yield Phase.EFFECTS

    while draft.phase is not Phase.FLUSH:
        try:
            with draft.timed(Phase.FLUSH):
                await flush(live, draft)
        except ExecutionOwnedError:
            # Another process has the execution, and goes its own way from the last committed frame: trying again would
            # never succeed.
            raise
        except StoreError as failed:
            # The file is locked, the disk is full. Raised, it would end the generator and lose what handlers wrote;
            # they must not be called twice for a task. So the same writes are tried again.
            yield failed
    yield Phase.FLUSH
