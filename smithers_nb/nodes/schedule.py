"""Whose turn it is: which nodes of the plan may start, and how each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..records import LoopKey, LoopState
from .control import LOOPS, Ralph, While
from .diff import Changes
from .tree import Tree, TreeNode

RUNNABLE = frozenset({"claude", "agent", "task", "approval", "smithers"})
ORDERED = frozenset({"phase", "step", "stop", "end"})
TRANSPARENT = frozenset({"if", "switch", "case", "default", "each"})
"""What stands inside of these takes part in the order outside."""
DECIDING = LOOPS | TRANSPARENT | {"parallel"}
"""Other props of these change whose turn it is."""


class TaskView(Protocol):
    """What is needed to know of a task."""

    @property
    def status(self) -> str:
        """pending, running, blocked, succeeded, failed, cancelled …"""

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
    enders: list[TreeNode] = field(default_factory=list)
    """Stop and End nodes whose turn it is, in document order."""
    kept_back: list[TreeNode] = field(default_factory=list)
    """Runnables whose turn it is, too, and that never start because of an ender, in document order."""
    loops: dict[LoopKey, LoopState] = field(default_factory=dict)
    """Loops that begin, go on to their next iteration, or end."""
    status: dict[str, str] = field(default_factory=dict)
    """By node id: of runnables their task's status, of phases, steps and sequences pending, running, succeeded, failed
    or skipped, of loops running, done or max_reached."""


def wants_more(loop: TreeNode) -> bool:
    """Return whether a loop wants another iteration: by its props, which a recorded plan has, too."""
    return bool(loop.props["condition"]) if loop.type == "while" else not loop.props.get("until", False)


def bound_of(loop: TreeNode) -> int:
    """Return the number of iterations that a loop has at most."""
    node_class = While if loop.type == "while" else Ralph
    found = loop.props.get("max_iterations", node_class.model_fields["max_iterations"].default)
    return int(str(found))


def still_valid(changes: Changes, before: Tree, after: Tree) -> bool:
    """Whether a tree's schedule is that of the tree before, as long as no task has changed."""
    if changes.mounted or changes.unmounted or changes.moved:
        return False
    return not any(after.index[id].type in DECIDING or _skips(before, after, id) for id in changes.updated)


def _skips(before: Tree, after: Tree, id: str) -> bool:
    return before.index[id].props.get("skip_if") != after.index[id].props.get("skip_if")


def schedule(tree: Tree, tasks: Mapping[str, TaskView], loops: Mapping[LoopKey, LoopState] | None = None) -> Schedule:
    """Return how the tree stands. A pure function of the plan, the tasks, and how far the loops have come."""
    result = Schedule()
    _Walk(tasks, loops or {}, result).children(tree.roots, "root", True, _Gate())
    if result.enders:  # The execution ends with this frame: no task begins.
        result.start, result.kept_back = [], result.start
    return result


@dataclass(frozen=True, slots=True)
class _Succeeded:
    """A task as it is hoped for."""

    status: str = "succeeded"
    settled: bool = True


def name_of(ender: TreeNode) -> str:
    """Return what a Stop or End is called: ``End``, ``Stop enough``."""
    return f"{ender.type.capitalize()} {ender.id}" if ender.explicit_id else ender.type.capitalize()


FORESIGHT = 100
"""How many turns ahead an end is looked for."""


def foresee_end(tree: Tree, tasks: Mapping[str, TaskView], loops: Mapping[LoopKey, LoopState]) -> Schedule | None:
    """Return the schedule in which the plan ends; None if it has no Stop or End whose turn comes.

    That is the present one, or, if every task succeeds, no loop goes on and the plan stays as it is, a later one.
    """
    found = schedule(tree, tasks, loops)
    if found.enders or not any(node.type in ("stop", "end") for node in tree.walk()):
        return found if found.enders else None
    hoped: dict[str, TaskView] = {
        id: _Succeeded() if task.status in ("pending", "running", "blocked") else task for id, task in tasks.items()
    }
    over = dict(loops)
    for _ in range(FORESIGHT):
        found = schedule(tree, hoped, over)
        if found.enders or not (found.start or found.loops):
            break
        hoped |= {node.id: _Succeeded() for node in found.start}
        over |= {key: LoopState(state.iteration, "done") for key, state in found.loops.items()}
    return found if found.enders else None


@dataclass(slots=True)
class _Gate:
    """Closes behind the first of ordered siblings that has not settled."""

    open: bool = True


@dataclass(slots=True)
class _Walk:
    tasks: Mapping[str, TaskView]
    loops: Mapping[LoopKey, LoopState]
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
        if node.type == "text":
            return True, False
        if node.type in ("effect", "stop", "end"):
            if active and node.type == "effect":
                self.result.effects.append(node)
            elif active:
                self.result.enders.append(node)
                gate.open = False
            return True, False
        if node.type in TRANSPARENT:
            return self.children(node.children, parent, active, gate)
        already = len(self.result.start)
        settled, failed = self.children(node.children, node.type, active, _Gate()) if node.children else (True, False)
        if node.type in LOOPS:
            return self.loop(node, active, settled, failed)
        if node.type == "parallel":
            self.limit(node, already)
        elif node.type != "claude":
            self.result.status[node.id] = self.standing(node, active, settled, failed)
        return settled, failed

    def runnable(self, node: TreeNode, active: bool) -> tuple[bool, bool]:
        task = self.tasks.get(node.id)
        self.result.status[node.id] = task.status if task else "pending"
        if task is None:
            if active:
                self.result.start.append(node)
            return False, False
        failed = task.status in ("failed", "cancelled", "abandoned") and "on_error" not in node.events
        return task.settled and not failed, task.settled and failed

    def loop(self, node: TreeNode, active: bool, settled: bool, failed: bool) -> tuple[bool, bool]:
        """A loop goes on when all below it has settled; it has settled when it does not go on."""
        key = (node.loop, node.id)
        state = self.loops.get(key)
        if active:
            state = self.turn(key, node, state, settled)
        self.result.status[node.id] = "failed" if failed else state.status if state else "pending"
        over = state is None or state.status != "running" if node.props["iteration"] else True
        return settled and over, failed

    def turn(self, key: LoopKey, node: TreeNode, state: LoopState | None, settled: bool) -> LoopState | None:
        """Return where the loop stands after this frame, and put down what changed."""
        iteration = node.props["iteration"]
        if not isinstance(iteration, int) or not iteration:
            return state
        found = state or LoopState(iteration)
        if found.status == "running" and found.iteration == iteration and settled:
            if not wants_more(node):
                found = LoopState(iteration, "done")
            elif iteration >= bound_of(node):
                found = LoopState(iteration, "max_reached")
            else:
                found = LoopState(iteration + 1)
        if found != state:
            self.result.loops[key] = found
        return found

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
    def standing(node: TreeNode, active: bool, settled: bool, failed: bool) -> str:
        if failed:
            return "failed"
        if not active:
            return "pending"
        if node.props.get("skip_if"):
            return "skipped"
        return "succeeded" if settled else "running"
