"""What looks wrong in a plan: a pure look at what was rendered, and at what the store says has happened.

Most findings are hints: the plan may be meant so. An error is what can hardly be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from difflib import SequenceMatcher

from ..nodes.control import LoopNode
from ..nodes.schedule import RUNNABLE, Schedule, name_of
from ..nodes.tree import Tree, TreeNode
from ..records import Problem, Severity
from ..store.reader import Reader
from .rendered import Rendered
from .state import read_name
from .unseen import unseen_by

BOUND = 1000
"""A loop that may run more often than this has no bound to speak of."""
ALIKE = 0.7
"""Words at least this similar may be one word, misspelt. The cities of a plan are not."""
SHORT = 3
"""Words with fewer letters are names of their own: ``a_done`` is no misspelt ``b_done``."""

PAIRS = 20_000
"""Among more pairs of names, some are near each other by chance; comparing them would take seconds."""

Place = tuple[str, str]
"""A scope, and a key in it."""


def lint(rendered: Rendered, end: Schedule | None, reader: Reader, execution_id: str) -> list[Problem]:
    """Return the findings: errors first, then hints; of each, nodes in document order, then keys.

    ``end`` is the schedule in which the plan ends, as far as that can be foreseen.
    """
    history = _History(reader, execution_id)
    found = [problem for node in rendered.tree.walk() for problem in _node(node, history)]
    found += _cut_short(rendered.tree, end) if end else ()
    found += _keys(rendered, reader.written_keys(execution_id))
    found += _unseen(rendered)
    return sorted(found, key=lambda problem: problem.severity != "error")


class _History:
    """What has happened to the nodes."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.fired = reader.fired(execution_id)
        self.ended = reader.standing(execution_id)


# ---- nodes -----------------------------------------------------------------------------------------------------


def _node(node: TreeNode, history: _History) -> Iterator[Problem]:
    if isinstance(node.node, LoopNode) and node.node.max_iterations > BOUND:
        yield finding(
            "LoopWithoutBound",
            f"<{node.type}> {node.id} may run {node.node.max_iterations:,} times. Give it a max_iterations that it "
            "should never reach.",
            node,
        )
    if node.type in ("claude", "agent") and not node.explicit_id and node.key is None:
        yield finding(
            "AgentWithoutId",
            f"<{node.type}> at {node.path} has no id: its name changes when the plan around it does, and with it its "
            "history.",
            node,
        )
    # An on_error that was not needed is no finding, and a task that did not begin or failed tells of itself.
    reported = "on_progress" not in node.events or (node.id, "on_progress") in history.fired
    if not reported and history.ended.get(node.id) == "succeeded":
        yield finding(
            "HandlerNeverFired",
            f"on_progress of {node.id} was never called: its task succeeded and reported no progress.",
            node,
        )


def _cut_short(tree: Tree, end: Schedule) -> Iterator[Problem]:
    """Find what does not get its turn, or not to its end, because the execution ends beside it."""
    ender = name_of(end.enders[0])
    advice = f"Put it into a Phase or a Sequence before the {ender}, or the {ender} below an If."
    for node in end.kept_back:
        asked = node.type == "approval"
        what = "is never asked" if asked else "never starts"
        yield finding(
            "EndsTooEarly",
            f"{node.type} {node.id} {what}: the {ender} ends the execution when its turn comes. {advice}",
            node,
            severity="error" if asked else "hint",
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
    """Find what components depend on that calls none of them again when it changes."""
    called = {path: instance.element.component for path, instance in rendered.instances.items()}
    anyway = {component for path, component in called.items() if path in rendered.always}
    for component in dict.fromkeys(called.values()):
        for thing in unseen_by(component) if component not in anyway else ():
            yield Problem(
                "UnseenDependency",
                f"{component.name} depends on {thing.what}: when that changes, it is not called again. {thing.way}; or "
                "call it in every frame, @component(always=True).",
                None,
                None,
                thing.source,
                "hint",
            )


# ---- keys ------------------------------------------------------------------------------------------------------


def _keys(rendered: Rendered, written: dict[Place, bool]) -> Iterator[Problem]:
    """Find keys that are misspelt where they are read or written.

    A key that is written and never read is a workflow's result; one that is read and never written may be written
    another time. Two that are near each other, of which one is only read and the other only written, are one key.
    """
    read = {place for name, paths in rendered.readers.items() if paths and (place := _place(name)) is not None}
    unread = written.keys() - read
    missing = read - written.keys()
    for place, near in _nearest(missing, written.keys(), preferred=unread):
        if near is not None or place[0] == "state":
            severity: Severity = "error" if near in unread else "hint"
            yield finding("KeyNeverWritten", _never_written(place, near), severity=severity)
    first_only = {place for place in read & written.keys() if not written[place]}
    for place, near in _nearest({place for place in unread if written[place]}, first_only):
        if near is not None:
            yield finding(
                "KeyNeverRead",
                f"{_name(place)} is written, and no component reads it. Did you mean {_short(near, place)}, which is "
                "read and has only its first value?",
            )


def _place(name: str) -> Place | None:
    """Return the scope and key of a read; None for what is no key."""
    vol = read_name("vol", "")
    if name.startswith(vol):
        return "vol", name.removeprefix(vol)
    return None if name.startswith("\0") else ("state", name)


def _never_written(place: Place, near: Place | None) -> str:
    said = f"{_name(place)} is read by a component, and nothing has written it."
    return f"{said} Did you mean {_short(near, place)}?" if near else said


def _name(place: Place) -> str:
    return f"{'volatile' if place[0] == 'vol' else 'state'} key {place[1]!r}"


def _short(place: Place, beside: Place) -> str:
    return repr(place[1]) if place[0] == beside[0] else _name(place)


def _nearest(
    places: Set[Place], others: Set[Place], preferred: Set[Place] = frozenset()
) -> Iterator[tuple[Place, Place | None]]:
    """Yield each key with the one that it may be, misspelt: a preferred one, the likest one, one of its own scope."""
    compared = sorted(others) if len(places) * len(others) <= PAIRS else []
    for place in sorted(places):
        near = [
            ((other in preferred, _likeness(place[1], other[1]), other[0] == place[0]), other)
            for other in compared
            if _misspelt(place[1], other[1])
        ]
        yield place, max(near)[1] if near else None


def _misspelt(one: str, other: str) -> bool:
    """Whether two names may be one: ``ntoes`` and ``notes``, ``userName`` and ``user_name``. ``a_1`` is not ``a_2``."""
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
    return Problem(kind, message, node.id if node else None, None, node.source if node else None, severity)
