"""Reasons that keep a node of the plan from starting: the order, a limit, a person, a time, or an end in the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...nodes.schedule import ORDERED, RUNNABLE
from ...nodes.tree import Tree, TreeNode
from ...records import TaskRecord
from .book import About, Book
from .facts import Matter, NodeAt, TaskStands, Told
from .tasks import AGENTS, waits

MOST = 3
"""The most tasks that are named as those that a phase waits for."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A plan, and how its nodes stand."""

    book: Book
    tree: Tree
    status: Mapping[str, str]


def in_the_way(book: Book, id: str, frame: int) -> Iterator[Matter | Told]:
    """Yield what a node waits for, outermost first."""
    source = book.source
    cursor = source.cursor() if frame >= book.last else source.cursor(frame)
    standing, _ = source.standing(cursor)
    plan = _Plan(book, cursor.tree, standing)
    for node in reversed(_around(cursor.tree.index.get(id), cursor.tree.index)):
        yield from _order(plan, node)
        yield from _concurrency(plan, node, id)
    yield from _own(plan, id, frame)
    if standing.get(id) in (None, "pending"):
        # A Stop or End that is reached keeps back everything that has not started.
        for node in cursor.tree.walk():
            if node.type in ("stop", "end") and source.head.over:
                text = f"{book.name(node.id, frame)} ended the execution before it could start"
                about: About = {"table": "nodes", "row_id": node.id, "frame": frame, "node_id": node.id}
                yield Told(book.say(text, **about), (NodeAt(book, node.id, frame),))


def _around(node: TreeNode | None, index: dict[str, TreeNode]) -> list[TreeNode]:
    found = []
    while node is not None:
        found.append(node)
        node = index.get(node.parent_id or "")
    return found


def _order(plan: _Plan, node: TreeNode) -> Iterator[Told]:
    """Yield the sibling before a node that has not settled, if the order lets the node wait for it."""
    book, index, status = plan.book, plan.tree.index, plan.status
    parent = index.get(node.parent_id or "")
    siblings = plan.tree.roots
    in_sequence = False
    if parent is not None:
        siblings, in_sequence = parent.children, parent.type == "sequence"
    if parent is not None and parent.type == "parallel":
        return
    if not in_sequence and node.type not in ORDERED:
        return
    for before in siblings[: node.position]:
        if not in_sequence and before.type not in ORDERED:
            continue
        left = [one for one in before.walk() if one.type in RUNNABLE and status.get(one.id) != "succeeded"]
        tasks = [book.rows.newest_task(one.id, book.last) for one in left]
        open_ones = [task for task in tasks if task is None or task.settled_at_frame is None or _lost(task, index)]
        if status.get(before.id) in ("succeeded", "skipped", "done", "max_reached") or not open_ones:
            continue
        yield _waits(book, node, before, [task for task in open_ones if task is not None])
        return


def _lost(task: TaskRecord, index: dict[str, TreeNode]) -> bool:
    """Return whether a task ended badly, and nothing handles that: what comes after it never starts."""
    node = index.get(task.node_id)
    return task.status in ("failed", "cancelled", "abandoned") and node is not None and "on_error" not in node.events


def _waits(book: Book, node: TreeNode, before: TreeNode, tasks: list[TaskRecord]) -> Told:
    text = f"{book.name(node.id, book.last)} waits for {book.name(before.id, book.last)}, which has not settled"
    about: About = {"table": "nodes", "row_id": before.id, "frame": book.last, "node_id": node.id}
    about["source"] = before.source
    causes: list[Matter | Told] = [TaskStands(book, task.task_id) for task in tasks[:MOST]]
    return Told(book.say(text, **about), tuple(causes))


def _concurrency(plan: _Plan, node: TreeNode, id: str) -> Iterator[Told]:
    """Yield the limit of a Parallel around a node that is reached."""
    book, status = plan.book, plan.status
    most = node.props.get("max_concurrency")
    if node.type != "parallel" or not isinstance(most, int) or node.id == id:
        return
    busy = [one for one in node.walk() if one.type in RUNNABLE and status.get(one.id) in ("running", "blocked")]
    if len(busy) < most or status.get(id) not in (None, "pending"):
        return
    text = f"{book.name(node.id, book.last)} runs at most {most} at a time (max_concurrency), and {len(busy)} run"
    about: About = {"table": "nodes", "row_id": node.id, "frame": book.last, "node_id": node.id}
    tasks = [book.rows.newest_task(one.id, book.last) for one in busy[:MOST]]
    yield Told(book.say(text, **about), tuple(TaskStands(book, one.task_id) for one in tasks if one is not None))


def _own(plan: _Plan, id: str, frame: int) -> Iterator[Matter | Told]:
    """Yield what the node's own task waits for: a person, a time, or other agents."""
    book = plan.book
    found = book.rows.newest_task(id, frame)
    if found is None:
        return
    task = book.task(found.task_id) or found
    about: About = {"table": "tasks", "row_id": task.task_id, "frame": task.mounted_at_frame, "node_id": id}
    if task.status == "blocked":
        yield from (Told(one) for one in waits(book, task))
    elif task.status == "pending":
        yield from _agents(plan, task, about)


def _agents(plan: _Plan, task: TaskRecord, about: About) -> Iterator[Told]:
    """Yield the agents that run, for one that is ready and has not started: it waits for one of them to end."""
    book, index, status = plan.book, plan.tree.index, plan.status
    node = index.get(task.node_id)
    if node is None or node.type not in AGENTS:
        return
    busy = [id for id, how in status.items() if how == "running" and id in index and index[id].type in AGENTS]
    if busy:
        names = ", ".join(book.name(id, book.last) for id in busy[:MOST])
        text = f"it is ready, and as many agents run as may run together (max_agents): {names}"
        yield Told(book.say(text, **about))
