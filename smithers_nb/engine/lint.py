"""What looks wrong in a plan: a pure look at what was rendered, and at what the store says has happened."""

from __future__ import annotations

from collections.abc import Iterator

from ..nodes.control import LoopNode
from ..nodes.tree import TreeNode
from ..records import Problem
from ..store.reader import Reader
from .rendered import Rendered

BOUND = 1000
"""A loop that may run more often than this has no bound to speak of."""


def lint(rendered: Rendered, reader: Reader, execution_id: str) -> list[Problem]:
    """Return the findings: nodes in document order, then state keys in alphabetical order."""
    fired = reader.fired(execution_id)
    found = [problem for node in rendered.tree.walk() for problem in _node(node, fired)]
    read = {key for key, paths in rendered.readers.items() if paths and not key.startswith("\0")}
    written = reader.written_keys(execution_id)
    found += [
        _problem("KeyNeverWritten", f"state key {key!r} is read by a component, and nothing has written it.")
        for key in sorted(read - written)
    ]
    found += [
        _problem("KeyNeverRead", f"state key {key!r} is written, and no component reads it.")
        for key in sorted(written - read)
    ]
    return found


def _node(node: TreeNode, fired: set[tuple[str, str]]) -> Iterator[Problem]:
    if isinstance(node.node, LoopNode) and node.node.max_iterations > BOUND:
        yield _problem(
            "LoopWithoutBound",
            f"<{node.type}> {node.id} may run {node.node.max_iterations:,} times. Give it a max_iterations that it "
            "should never reach.",
            node,
        )
    if node.type in ("claude", "agent") and not node.explicit_id and node.key is None:
        yield _problem(
            "AgentWithoutId",
            f"<{node.type}> at {node.path} has no id: its name changes when the plan around it does, and with it its "
            "history.",
            node,
        )
    for event in node.events:
        if (node.id, event) not in fired:
            yield _problem("HandlerNeverFired", f"{event} of {node.id} has not fired so far.", node)


def _problem(kind: str, message: str, node: TreeNode | None = None) -> Problem:
    return Problem(kind, message, node.id if node else None, None, node.source if node else None)
