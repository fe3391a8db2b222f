"""COMMIT: the frame, its changed nodes and the tasks to start, in one transaction."""

from __future__ import annotations

from time import perf_counter

from ...nodes.diff import Changes
from ...nodes.tree import Tree, TreeNode
from ...store import writer
from ..draft import Draft
from ..live import Live
from ..schedule import schedule
from ..tasks import TaskEntry


async def commit(live: Live, draft: Draft) -> None:
    """Write the frame; only then does it count in memory, too."""
    gone = set(draft.changes.unmounted)
    tasks = {id: task for id, task in live.tasks.items() if id not in gone} if gone else live.tasks
    draft.schedule = schedule(draft.tree, tasks)
    starting = [TaskEntry(f"{node.id}@{draft.number}", node) for node in draft.schedule.start]
    opened = _versions(draft.tree, draft.changes)
    await live.database.transaction(
        writer.commit_frame,
        live.execution_id,
        live.lease,
        writer.FrameCommit(
            frame=draft.number,
            reason=draft.reason,
            counts=(
                len(draft.changes.mounted),
                len(draft.changes.unmounted),
                len(draft.changes.updated),
                len(draft.changes.moved),
            ),
            closed=_closed(live, draft.changes, opened),
            opened=opened,
            tasks=[writer.TaskStart(entry.task_id, entry.node.id, entry.max_attempts) for entry in starting],
        ),
        draft.ms,
        perf_counter(),
    )
    _remember(live, draft, opened, starting)


def _versions(tree: Tree, changes: Changes) -> list[TreeNode]:
    """Return the nodes that get a new version."""
    changed = {*changes.mounted, *changes.updated, *changes.moved, *changes.shifted}
    return [node for id, node in tree.index.items() if id in changed] if changed else []


def _closed(live: Live, changes: Changes, opened: list[TreeNode]) -> list[tuple[str, int]]:
    ended = dict.fromkeys([*changes.unmounted, *(node.id for node in opened)])
    return [(id, live.since[id]) for id in ended if id in live.since]


def _remember(live: Live, draft: Draft, opened: list[TreeNode], starting: list[TaskEntry]) -> None:
    live.frame = draft.number
    live.tree = draft.tree
    for id in draft.changes.unmounted:
        del live.since[id]
        live.tasks.unmount(id)
    for node in opened:
        live.since[node.id] = draft.number
    for entry in starting:
        live.tasks.add(entry)
