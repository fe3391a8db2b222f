"""The schedule of a plan: the nodes that may start now, and the status of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..records import LoopKey, LoopState
from ..records.words import count
from .control import LOOPS, LoopNode, Ralph, While
from .diff import Changes
from .tree import Tree, TreeNode

RUNNABLE = frozenset({"claude", "agent", "task", "approval", "smithers"})
ORDERED = frozenset({"phase", "step", "stop", "end"})
TRANSPARENT = frozenset({"if", "switch", "case", "default", "each"})
"""Nodes whose children take part in the order outside of them."""
DECIDING = LOOPS | TRANSPARENT | {"parallel"}
"""Nodes whose props change what may start."""


class TaskView(Protocol):
    """The part of a task that the schedule depends on."""

    @property
    def status(self) -> str:
        """pending, running, blocked, succeeded, failed, cancelled …"""

    @property
    def settled(self) -> bool:
        """True once the end was handled and flushed."""


@dataclass(slots=True)
class Schedule:
    """The status of a whole tree, in lists in document order. A node is ready if the plan's order lets it start."""

    start: list[TreeNode] = field(default_factory=list)
    """Ready runnables that have no task yet."""
    effects: list[TreeNode] = field(default_factory=list)
    """Ready effects."""
    enders: list[TreeNode] = field(default_factory=list)
    """Ready Stop and End nodes."""
    kept_back: list[TreeNode] = field(default_factory=list)
    """Ready runnables that never start because of an ender."""
    loops: dict[LoopKey, LoopState] = field(default_factory=dict)
    """Loops that begin, continue with their next iteration, or end."""
    status: dict[str, str] = field(default_factory=dict)
    """Status by node id. For runnables that of their task; for phases, steps and sequences pending, running, succeeded,
    failed or skipped; for loops running, done or max_reached."""


def wants_more(loop: TreeNode) -> bool:
    """Return True if a loop wants another iteration: by its props, which a recorded plan has, too."""
    if loop.type == "while":
        return bool(loop.props["condition"])
    return not loop.props.get("until", False)


def bound_of(loop: TreeNode) -> int:
    """Return the number of iterations that a loop has at most."""
    node_class: type[LoopNode] = Ralph
    if loop.type == "while":
        node_class = While
    found = loop.props.get("max_iterations", node_class.model_fields["max_iterations"].default)
    return int(str(found))


def limit_of(loop: TreeNode) -> str:
    """Return the limit of a loop in words. It has one where none is given, too."""
    return f"its limit of {count(bound_of(loop), 'iteration')} (max_iterations)"


def still_valid(changes: Changes, before: Tree, after: Tree) -> bool:
    """Return True if a tree has the schedule of the tree before it, as long as no task has changed."""
    if changes.mounted or changes.unmounted or changes.moved:
        return False
    return not any(after.index[id].type in DECIDING or _skips(before, after, id) for id in changes.updated)


def _skips(before: Tree, after: Tree, id: str) -> bool:
    return before.index[id].props.get("skip_if") != after.index[id].props.get("skip_if")


def schedule(tree: Tree, tasks: Mapping[str, TaskView], loops: Mapping[LoopKey, LoopState] | None = None) -> Schedule:
    """Return the schedule: a pure function of the plan, the tasks, and the loops' iterations."""
    # From the whole plan, not from changes: a schedule that was carried along would have to be recorded and recovered,
    # and would keep its errors. ``still_valid`` saves the walk where nothing can have changed.
    result = Schedule()
    _Walk(tasks, loops or {}, result).children(tree.roots, parent="root", active=True, gate=_Gate())
    if result.enders:  # The execution ends with this frame: no task begins.
        result.start, result.kept_back = [], result.start
    return result


@dataclass(frozen=True, slots=True)
class _Succeeded:
    """The success that foresight assumes for a task."""

    status: str = "succeeded"
    settled: bool = True


def name_of(ender: TreeNode) -> str:
    """Return the name of a Stop or End in messages: ``End``, ``Stop enough``."""
    name = ender.type.capitalize()
    if ender.explicit_id:
        name += f" {ender.id}"
    return name


FORESIGHT = 100
"""The number of rounds of tasks after which the search for an end gives up."""


def foresee_end(tree: Tree, tasks: Mapping[str, TaskView], loops: Mapping[LoopKey, LoopState]) -> Schedule | None:
    """Return the schedule in which the plan ends; None if no Stop or End in it is ever reached.

    That is the present schedule, or a later one if every task succeeds, no loop continues and the plan stays the same.
    """
    found = schedule(tree, tasks, loops)
    if found.enders:
        return found
    if not any(node.type in ("stop", "end") for node in tree.walk()):
        return None
    assumed = dict(tasks)
    # One that has succeeded and is not settled yet is handled by the next frame.
    going_on = ("pending", "running", "blocked", "succeeded")
    assumed |= {id: _Succeeded() for id, task in tasks.items() if task.status in going_on}
    over = dict(loops)
    for _ in range(FORESIGHT):
        found = schedule(tree, assumed, over)
        if found.enders:
            return found
        if not (found.start or found.loops):
            break
        assumed |= {node.id: _Succeeded() for node in found.start}
        over |= {key: LoopState(state.iteration, "done") for key, state in found.loops.items()}
    return None


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
            # With the gate of the parent: a Phase in an If waits for the Phase before the If.
            return self.children(node.children, parent, active, gate)
        already = len(self.result.start)
        settled, failed = True, False
        if node.children:
            settled, failed = self.children(node.children, node.type, active, _Gate())
        if node.type in LOOPS:
            return self.loop(node, active, settled, failed)
        if node.type == "parallel":
            self.limit(node, already)
        elif node.type != "claude":
            self.result.status[node.id] = self.standing(node, active, settled, failed)
        return settled, failed

    def runnable(self, node: TreeNode, active: bool) -> tuple[bool, bool]:
        task = self.tasks.get(node.id)
        if task is None:
            self.result.status[node.id] = "pending"
            if active:
                self.result.start.append(node)
            return False, False
        self.result.status[node.id] = task.status
        # A failure with an on_error is handled like a success: what comes after it may start.
        failed = task.status in ("failed", "cancelled", "abandoned") and "on_error" not in node.events
        return task.settled and not failed, task.settled and failed

    def loop(self, node: TreeNode, active: bool, settled: bool, failed: bool) -> tuple[bool, bool]:
        """Return (settled, failed). A loop continues when all below it has settled, and settles when it ends."""
        key = (node.loop, node.id)
        state = self.loops.get(key)
        if active:
            state = self.turn(key, node, state, settled)
        status = "pending"
        if failed:
            status = "failed"
        elif state:
            status = state.status
        self.result.status[node.id] = status
        # Without a single iteration (its condition was never true) a loop has nothing to wait for.
        over = state is None or state.status != "running" or not node.props["iteration"]
        return settled and over, failed

    def turn(self, key: LoopKey, node: TreeNode, state: LoopState | None, settled: bool) -> LoopState | None:
        """Return the loop's state after this frame, and record it in the result if it changed."""
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
            # Only nodes that would start now are held back, the last ones first: running tasks are never stopped.
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
        if settled:
            return "succeeded"
        return "running"
