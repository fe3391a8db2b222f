"""Child executions: a Smithers node runs one, with frames of its own, in the same file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...errors import PropError, RunError, UnknownExecutionError, kind_of
from ...identity import child_id
from ...nodes.element import Component
from ...nodes.runnable import Smithers
from ...records import NewExecution
from ...store.reader import Reader
from ...values import opened
from ...version import __version__
from ..code import code_hash
from ..opening import Opening, create, reopen

if TYPE_CHECKING:
    from ..live import Live
    from ..loop import Loop
    from .entry import TaskEntry


async def run_child(parent: Live, entry: TaskEntry, node: Smithers) -> Any:  # Any: the value of its End
    """Run a child to its end and return the value of its End.

    Its id follows from the task's: after a crash the same child continues.

    Raises:
        RunError: if the child did not finish.
    """
    loop = await _open(parent, entry, node)
    # A run that returned while people are asked would end the task without a result; a patient one waits for them.
    loop.patient = True
    parent.tasks.children[entry.node.id] = loop
    # The parent looks again when the child begins to wait for a person.
    loop.live.services.observers.add(parent.tasks.changed)
    replay = parent.services.replay
    try:
        if replay is not None:
            reason = await replay.child_ran(entry, loop, node.max_frames)
        else:
            reason = (await loop.run(node.max_frames)).reason
    except asyncio.CancelledError:
        # Its node is gone, or it was cancelled by hand: no later task has its id, so nothing will continue it. After an
        # interruption, the same task does.
        if not entry.interrupted:
            await loop.terminate()
        elif not entry.leaving:
            await loop.live.tasks.interrupt()
        raise
    finally:
        del parent.tasks.children[entry.node.id]
        await loop.close()
    if loop.status != "finished":
        raise RunError(
            f"child execution {loop.live.name} ({loop.live.execution_id}) is {loop.status}: {reason or loop.reason}."
        )
    if loop.result is None:
        return None
    return opened(loop.result, f"the value of the End of {loop.live.name}", f"ex.retry({entry.node.id!r})")


async def _open(parent: Live, entry: TaskEntry, node: Smithers) -> Loop:
    component = node.component
    if not isinstance(component, Component):
        raise PropError(
            f"component of <smithers> {entry.node.id} is {kind_of(component)}; it takes a function with "
            "@component above it.",
            source=node.source,
        )
    row = NewExecution(
        execution_id=child_id(parent.services.execution_id, entry.task_id),
        name=f"{parent.services.name}/{entry.node.id}",
        app=component.name,
        code_hash=code_hash(component),
        engine_version=__version__,
        seed=parent.services.seed,
        kind="child",
        parent_id=parent.services.execution_id,
        durability=parent.services.database.shared.durability,
    )
    replay = parent.services.replay
    opening = Opening(
        app=component(**node.args),
        database=parent.services.database.shared,
        runner=parent.services.runner,
        models=parent.services.models,
        strict_effects=parent.services.strict_effects,
        max_agents=parent.services.max_agents,
        budget=parent.services.budget,
        reusing=parent.services.reusing,
        replay=replay.child(entry, child_id) if replay else None,
    )
    # The file says whether it has begun, and not this process: the one that began it may have crashed.
    try:
        Reader(parent.services.database.path).execution(row.execution_id)
    except UnknownExecutionError:
        return await create(row, opening, {})
    return await reopen(row, opening)
