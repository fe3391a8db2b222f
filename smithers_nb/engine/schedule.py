"""Whose turn it is: which nodes of the plan may start, and how each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..nodes.tree import Tree, TreeNode

RUNNABLE = frozenset({"claude", "task"})
ORDERED = frozenset({"phase", "step"})
TRANSPARENT = frozenset({"if"})
"""What stands inside of these takes part in the order outside."""


class TaskView(Protocol):
    """What is needed to know of a task."""

    @property
    def status(self) -> str:
        """pending, running, succeeded, failed, cancelled …"""

    @property
    def settled(self) -> bool:
        """Its end was handled and flushed."""


@dataclass(slots=True)
class Schedule:
    """The standing of a whole tree."""

    start: list[TreeNode] = field(default_factory=list)
    """Runnables whose turn it is and that have no task yet, in document order."""
    effects: list[TreeNode] = field(default_factory=list)
    """Effects whose turn it is, in document order."""
    status: dict[str, str] = field(default_factory=dict)
    """By node id: of runnables their task's status, of phases, steps and sequences pending, running, succeeded or
    failed."""


@dataclass(slots=True)
class _Gate:
    """Closes behind the first of ordered siblings that has not settled."""

    open: bool = True


def schedule(tree: Tree, tasks: Mapping[str, TaskView]) -> Schedule:
    """Return how the tree stands. A pure function of the plan and the tasks."""
    result = Schedule()
    _Walk(tasks, result).children(tree.roots, "root", True, _Gate())
    return result


@dataclass(slots=True)
class _Walk:
    tasks: Mapping[str, TaskView]
    result: Schedule

    def children(self, nodes: tuple[TreeNode, ...], parent: str, active: bool, gate: _Gate) -> tuple[bool, bool]:
        """Return (settled, failed) of all of them together."""
        settled, failed = True, False
        for node in nodes:
            ordered = parent == "sequence" or (node.type in ORDERED and parent != "parallel")
            one_settled, one_failed = self.node(node, parent, active and (gate.open or not ordered), gate)
            if ordered and not one_settled:
                gate.open = False
            settled, failed = settled and one_settled, failed or one_failed
        return settled, failed

    def node(self, node: TreeNode, parent: str, active: bool, gate: _Gate) -> tuple[bool, bool]:
        if node.type in RUNNABLE:
            return self.runnable(node, active)
        if node.type == "effect":
            if active:
                self.result.effects.append(node)
            return True, False
        if node.type in TRANSPARENT:
            return self.children(node.children, parent, active, gate)
        already = len(self.result.start)
        settled, failed = self.children(node.children, node.type, active, _Gate())
        if node.type == "parallel":
            self.limit(node, already)
        else:
            self.result.status[node.id] = self.standing(active, settled, failed)
        return settled, failed

    def runnable(self, node: TreeNode, active: bool) -> tuple[bool, bool]:
        task = self.tasks.get(node.id)
        self.result.status[node.id] = task.status if task else "pending"
        if task is None:
            if active:
                self.result.start.append(node)
            return False, False
        failed = task.status in ("failed", "cancelled") and "on_error" not in node.events
        return task.settled and not failed, task.settled and failed

    def limit(self, node: TreeNode, already: int) -> None:
        most = node.props.get("max_concurrency")
        if isinstance(most, int):
            running = sum(
                1
                for below in node.walk()
                if (task := self.tasks.get(below.id)) and task.status in ("pending", "running", "blocked")
            )
            del self.result.start[already + max(0, most - running) :]

    @staticmethod
    def standing(active: bool, settled: bool, failed: bool) -> str:
        if failed:
            return "failed"
        if not active:
            return "pending"
        return "succeeded" if settled else "running"
