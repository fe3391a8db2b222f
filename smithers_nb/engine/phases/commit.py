"""COMMIT: the frame, its changed nodes, the loops and the tasks to start, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import replace
from time import perf_counter

from ...identity import Path
from ...nodes.control import LOOPS
from ...nodes.diff import Changes
from ...nodes.schedule import Schedule, limit_of, schedule, still_valid
from ...nodes.tree import Tree, TreeNode
from ...records import Event, TaskStart
from ...store import writer
from ..draft import Draft
from ..live import Live
from ..rendered import Rendered
from ..tasks.entry import TaskEntry
from ..user_code.purity import loop_read


async def commit(live: Live, draft: Draft) -> None:
    """Write the frame. Only then does it count in memory, too: a frame that the file refused has not happened."""
    draft.schedule = _scheduled(live, draft)
    starting = [TaskEntry(f"{node.id}@{draft.number}", node) for node in draft.schedule.start]
    opened = _versions(draft.tree, draft.changes)
    reads_closed, reads_opened = _reads(live.committed.reads, draft.rendered)
    status = None
    if live.recorded_as != (live.moves_as, ""):
        status = live.moves_as
    await live.services.database.transaction(
        writer.commit_frame,
        live.services.execution_id,
        writer.FrameCommit(
            frame=draft.number,
            began_at=draft.seen.now,
            reason=draft.reason,
            counts=(
                len(draft.changes.mounted),
                len(draft.changes.unmounted),
                len(draft.changes.updated),
                len(draft.changes.moved),
            ),
            closed=_closed(live, draft.changes, opened),
            opened=opened,
            reads_closed=reads_closed,
            reads_opened=reads_opened,
            tasks=[TaskStart(entry.task_id, entry.node.id, entry.max_attempts) for entry in starting],
            loops=[(id, state) for (_, id), state in draft.schedule.loops.items()],
            status=status,
            events=_file_reads(live, draft),
            loops_gone=[id for id in draft.changes.unmounted if draft.before.index[id].type in LOOPS],
        ),
        ms=draft.ms,
        started=perf_counter(),
    )
    live.recorded_as = live.moves_as, ""
    # Nothing is awaited from here on: a cancellation can't come between the file and memory.
    _remember(live, draft, opened, starting)
    for path, key, _ in reads_closed:
        del live.committed.reads[path][key]
        if not live.committed.reads[path]:
            del live.committed.reads[path]
    for path, key in reads_opened:
        live.committed.reads.setdefault(path, {})[key] = draft.number


def _scheduled(live: Live, draft: Draft) -> Schedule:
    """Return how the tree stands; as before, where neither the plan nor a task has changed."""
    if live.committed.schedule_of == live.tasks.version and still_valid(draft.changes, draft.before, draft.tree):
        now, last = draft.tree.index, live.committed.schedule
        return Schedule(
            effects=[now[node.id] for node in last.effects],
            enders=[now[node.id] for node in last.enders],
            kept_back=[now[node.id] for node in last.kept_back],
            status=last.status,
        )
    gone = set(draft.changes.unmounted)
    tasks: Mapping[str, TaskEntry] = live.tasks
    if gone:
        # Memory still has the tasks of the nodes that this frame removes. A new node of the same id, but of another
        # type, must not be taken for one that has run.
        tasks = {id: task for id, task in live.tasks.items() if id not in gone}
    return schedule(draft.tree, tasks, live.committed.loops)


def _versions(tree: Tree, changes: Changes) -> list[TreeNode]:
    """Return the nodes that get a new version."""
    changed = dict.fromkeys([*changes.mounted, *changes.updated, *changes.moved, *changes.shifted])
    return [tree.index[id] for id in changed]


def _closed(live: Live, changes: Changes, opened: list[TreeNode]) -> list[tuple[str, int]]:
    ended = dict.fromkeys([*changes.unmounted, *(node.id for node in opened)])
    return [(id, live.committed.since[id]) for id in ended if id in live.committed.since]


def _reads(
    known: Mapping[Path, Mapping[str, int]], rendered: Rendered | None
) -> tuple[list[tuple[Path, str, int]], list[tuple[Path, str]]]:
    """Return the reads that have ended, as (component, key, from_frame), and those that are new."""
    if rendered is None:
        rendered = Rendered()
    instances = rendered.instances
    touched: Set[Path] = known.keys() | instances.keys() if rendered.touched is None else rendered.touched
    gone, anew = [], []
    for path in touched:
        before = known.get(path, {})
        now: set[str] = set()
        if path in instances:
            # A name that begins with NUL is no key of the state, but a loop's iteration and the like.
            now = {key for key in instances[path].reads if key[:1] != "\0"}
        gone += [(path, key, since) for key, since in before.items() if key not in now]
        anew += [(path, key) for key in sorted(now - before.keys())]
    return gone, anew


def _file_reads(live: Live, draft: Draft) -> list[Event]:
    """Return an event for each file that a component looked at for the first time, or found changed."""
    # Not for each look: such a component is called in every frame.
    found = []
    for look in live.watch.news(draft.seen.looks):
        seen = draft.seen.looks[look]
        payload: dict[str, object] = {"path": look.path, "look": look.kind, "component": draft.seen.lookers[look]}
        if look.kind == "read":
            payload["sha256"] = seen
        found.append(Event(draft.number, "file_read", None, json.dumps(payload, ensure_ascii=False)))
    return found


def _remember(live: Live, draft: Draft, opened: list[TreeNode], starting: list[TaskEntry]) -> None:
    """Replace the committed value; its mappings are changed in place, at the cost of what this frame changed."""
    committed = live.committed
    live.watch.on(draft.seen.looks)
    for id in draft.changes.unmounted:
        del committed.since[id]
        live.tasks.unmount(id)
        committed.loops.pop((draft.before.index[id].loop, id), None)
    committed.since.update(dict.fromkeys((node.id for node in opened), draft.number))
    for entry in starting:
        live.tasks.add(entry)
    changed = set()
    for (loop, id), state in draft.schedule.loops.items():
        committed.loops[loop, id] = state
        changed.add(loop_read(id))
        if state.status == "max_reached":
            live.inbox.cause(f"loop {id}: {limit_of(draft.tree.index[id])}")
        elif state.status != "running":
            live.inbox.cause(f"loop {id}: {state.status}")
        elif state.iteration > 1:
            # This frame has rendered the first iteration already; a later one is rendered by the next frame.
            live.inbox.cause(f"loop {id}: iteration {state.iteration}")
    live.committed = replace(
        committed,
        frame=draft.number,
        tree=draft.tree,
        rendered=draft.rendered,
        changed=changed,
        generation=draft.generation,
        schedule=draft.schedule,
        # Read last: the tasks that were added and unmounted above have counted it up.
        schedule_of=live.tasks.version,
    )
