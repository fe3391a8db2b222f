"""Findings about a plan: a pure look at the rendered nodes, and at the history in the store.

Most findings are hints: the plan may be meant so. An error can hardly be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import replace
from difflib import SequenceMatcher

from ..nodes.control import LoopNode
from ..nodes.names import named_in
from ..nodes.schedule import RUNNABLE, Schedule, limit_of, name_of
from ..nodes.tree import Tree, TreeNode
from ..records import Problem, Severity
from ..store.reader import Reader
from .rendered import Rendered
from .state import read_name
from .unseen import unseen_by

BOUND = 1000
"""A loop that may run more often than this has no bound to speak of."""
ALIKE = 0.7
"""Words at least this similar may be one word, misspelt. Names of cities in a plan are less similar."""
SHORT = 3
"""Words with fewer letters are names of their own: ``a_done`` is no misspelt ``b_done``."""

PAIRS = 20_000
"""Among more pairs of names, some are near each other by chance; comparing them would take seconds."""

ScopedKey = tuple[str, str]
"""A scope, and a key in it."""


def lint(rendered: Rendered, end: Schedule | None, reader: Reader, execution_id: str) -> list[Problem]:
    """Return the findings: errors first, then hints; of each, nodes in document order, then keys.

    ``end`` is the schedule in which the plan ends, as far as that can be foreseen.
    """
    history = _History(reader, execution_id)
    found = [problem for node in rendered.tree.walk() for problem in _node(node, history)]
    if end is not None:
        found += _cut_short(rendered.tree, end)
    found += _keys(rendered, reader.written_keys(execution_id))
    found += _unseen(rendered)
    named = [replace(one, message=named_in(one.message, rendered.tree)) for one in found]
    return sorted(named, key=lambda problem: problem.severity != "error")


class _History:
    """The history of the nodes: handlers that were called, and how tasks and loops ended."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.fired = reader.fired(execution_id)
        self.ended = reader.standing(execution_id)
        self.cut_off = {id for id, loop in reader.loops(execution_id).items() if loop.status == "max_reached"}


# ---- nodes -----------------------------------------------------------------------------------------------------


def _node(node: TreeNode, history: _History) -> Iterator[Problem]:
    if isinstance(node.node, LoopNode) and node.node.max_iterations > BOUND:
        yield finding(
            "LoopWithoutBound",
            f"<{node.type}> {node.id} may run {node.node.max_iterations:,} times. Give it a max_iterations that it "
            "should never reach.",
            node,
        )
    if node.id in history.cut_off and isinstance(node.node, LoopNode):
        yield from _cut_off(node, node.node)
    if node.type in ("claude", "agent") and not node.explicit_id and node.key is None:
        yield finding(
            "AgentWithoutId",
            f"<{node.type}> at {node.path} has no id: its name changes when the plan around it does, and with it its "
            "history.",
            node,
        )
    # An on_error that was not needed is no finding, and a task that did not begin or failed is shown by the panes.
    reported = "on_progress" not in node.events or (node.id, "on_progress") in history.fired
    if not reported and history.ended.get(node.id) == "succeeded":
        yield finding(
            "HandlerNeverFired",
            f"on_progress of {node.id} was never called: its task succeeded and reported no progress.",
            node,
        )


def _cut_off(node: TreeNode, loop: LoopNode) -> Iterator[Problem]:
    """Find a loop that wanted more iterations than it may have."""
    given = loop.model_fields_set
    ended = f"{node.type} {node.id} ended at {limit_of(node)}"
    if "max_iterations" not in given:
        advice = f"Give it a max_iterations; without one it is {loop.max_iterations}."
    elif "until" in given or "condition" in given:
        advice = "Give it a higher max_iterations if it should go further."
    else:
        return  # It was to run so often.
    prop, value = {"while": ("condition", "true")}.get(node.type, ("until", "false"))
    yield finding("LoopReachedLimit", f"{ended}: its {prop} was still {value}. {advice}", node)


def _cut_short(tree: Tree, end: Schedule) -> Iterator[Problem]:
    """Find nodes that never start, or are cancelled, because the execution ends beside them."""
    ender = name_of(end.enders[0])
    hint: Severity = "hint"
    error: Severity = "error"
    advice = f"Put it into a Phase or a Sequence before the {ender}, or the {ender} below an If."
    for node in end.kept_back:
        happens, severity = "never starts", hint
        if node.type == "approval":
            # A person who is to be asked is there for a reason: the plan ends without the check that it is made for.
            happens, severity = "is never asked", error
        yield finding(
            "EndsTooEarly",
            f"{node.type} {node.id} {happens}: the {ender} ends the execution when its turn comes. {advice}",
            node,
            severity=severity,
        )
    for id, status in end.status.items():
        if tree.index[id].type in RUNNABLE and status in ("running", "blocked"):
            yield finding(
                "EndsTooEarly",
                f"{tree.index[id].type} {id} is cancelled: the {ender} does not wait for it. {advice}",
                tree.index[id],
            )


# ---- components ------------------------------------------------------------------------------------------------


def _unseen(rendered: Rendered) -> Iterator[Problem]:
    """Find dependencies of components that the engine can't see: a change of them calls no component again."""
    called = {path: instance.element.component for path, instance in rendered.instances.items()}
    # Called in every frame, a component misses nothing.
    anyway = {component for path, component in called.items() if path in rendered.always}
    for component in dict.fromkeys(called.values()):
        if component in anyway:
            continue
        for thing in unseen_by(component):
            yield Problem(
                "UnseenDependency",
                f"{component.name} depends on {thing.what}: when that changes, it is not called again. {thing.way}; or "
                "call it in every frame, @component(always=True).",
                node_id=None,
                phase=None,
                source=thing.source,
                severity="hint",
            )


# ---- keys ------------------------------------------------------------------------------------------------------


def _keys(rendered: Rendered, written: dict[ScopedKey, bool]) -> Iterator[Problem]:
    """Find keys that are misspelt where they are read or written.

    A key that is written and never read is a workflow's result; one that is read and never written may be written
    another time. Two that are near each other, of which one is only read and the other only written, are one key.
    """
    read = {place for name, paths in rendered.readers.items() if paths and (place := _scoped_key(name)) is not None}
    unread = written.keys() - read
    missing = read - written.keys()
    for place, near in _nearest(missing, written.keys(), preferred=unread):
        if near is None and place[0] != "state":
            continue
        severity: Severity = "hint"
        if near in unread:
            severity = "error"
        yield finding("KeyNeverWritten", _never_written(place, near), _reader_of(rendered, place), severity=severity)
    first_only = {place for place in read & written.keys() if not written[place]}
    for place, near in _nearest({place for place in unread if written[place]}, first_only):
        if near is not None:
            yield finding(
                "KeyNeverRead",
                f"{_name(place)} is written, and no component reads it. Did you mean {_short(near, place)}, which is "
                "read and has only its first value?",
            )


def _reader_of(rendered: Rendered, place: ScopedKey) -> TreeNode | None:
    """Return the first node of a component that reads a key."""
    for one in rendered.read_by(*place, most=1):
        if one.node_id is not None:
            return rendered.tree.index[one.node_id]
    return None


def _scoped_key(name: str) -> ScopedKey | None:
    """Return the scope and key of a read; None for a read of something else, such as a loop's iteration."""
    vol = read_name("vol", "")
    if name.startswith(vol):
        return "vol", name.removeprefix(vol)
    if name.startswith("\0"):
        return None
    return "state", name


def _never_written(place: ScopedKey, near: ScopedKey | None) -> str:
    text = f"{_name(place)} is read by a component, and nothing has written it."
    if near is None:
        return text
    return f"{text} Did you mean {_short(near, place)}?"


def _name(place: ScopedKey) -> str:
    scope, key = place
    if scope == "vol":
        scope = "volatile"
    return f"{scope} key {key!r}"


def _short(place: ScopedKey, beside: ScopedKey) -> str:
    if place[0] == beside[0]:
        return repr(place[1])
    return _name(place)


def _nearest(
    places: Set[ScopedKey], others: Set[ScopedKey], preferred: Set[ScopedKey] = frozenset()
) -> Iterator[tuple[ScopedKey, ScopedKey | None]]:
    """Yield each key with the one that it may be, misspelt: a preferred one, the likest one, one of its own scope."""
    compared: list[ScopedKey] = []
    if len(places) * len(others) <= PAIRS:
        compared = sorted(others)
    for scope, key in sorted(places):
        near = [other for other in compared if _misspelt(key, other[1])]
        # The key itself comes last: of two that are equally near, every run of the lint names the same one.
        ranked = [(other in preferred, _likeness(key, other[1]), other[0] == scope, other) for other in near]
        best = None
        if ranked:
            *_, best = max(ranked)
        yield (scope, key), best


def _misspelt(one: str, other: str) -> bool:
    """Return whether two names may be one, as ``ntoes`` and ``notes``, or ``userName`` and ``user_name``.

    ``a_1`` and ``a_2`` are two: numbers are compared as a whole.
    """
    words, others = (re.findall(r"[^\W\d_]+|\d+", name.lower()) for name in (one, other))
    if "".join(words) == "".join(others):
        return True
    return len(words) == len(others) and all(map(_alike, words, others))


def _alike(word: str, other: str) -> bool:
    if word == other:
        return True
    spelt = min(len(word), len(other)) >= SHORT and not (word.isdigit() or other.isdigit())
    return spelt and _likeness(word, other) >= ALIKE


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def finding(kind: str, message: str, node: TreeNode | None = None, severity: Severity = "hint") -> Problem:
    """Return a finding about a node, or about the whole app."""
    node_id, source = None, None
    if node is not None:
        node_id, source = node.id, node.source
    return Problem(kind, message, node_id=node_id, phase=None, source=source, severity=severity)
