"""``ex.follow``: a value both ways: back to the key, call, tool or person it came from, forward to its holders."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf
from typing import Any, ClassVar, Literal

from pydantic_core import from_json

from ..errors import StoreError, did_you_mean
from ..nodes.tree import TreeNode
from ..records import Occurrence, Phase, Statement
from ..records.words import author, count, short
from ..store.occurrences import MOST, SHORTEST, Sought, occurrences
from ..store.prune import refuse_missing
from ..store.reader import Reader
from .causes.explanation import Explanation

Direction = Literal["back", "forward"]

SOURCES = frozenset({"result", "output", "answer", "comment"})
"""Columns in which a text comes into an execution."""
OUTSIDE = frozenset({"init", "operator"})
"""Origins of writes that come from a person, or from the code that made the execution."""
TEXTS = 20
"""The most texts inside of a value that are followed."""
SHOWN = 80

_WORDS = {
    "prompt": "the prompt of {node}",
    "prop": "the prop {key} of {node}",
    "write": "the value that was written to {key}",
    "result": "the result of {node}",
    "argument": "the arguments of a call of {key} by {node}",
    "output": "the output of a call of {key} by {node}",
    "request": "a request of {node} to {key}",
    "answer": "an answer of {key} to {node}",
    "question": "a question of {node}",
    "comment": "the answer of a person to {node}",
    "artifact": "the artifact {key}",
    "file": "the file {key}",
    "event": "an event, {key}",
}
_PHASES: dict[str, Phase] = {"prompt": Phase.RENDER, "prop": Phase.RENDER, "write": Phase.FLUSH}
"""The phase in which a place gets its text; the calls of models and tools belong to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowStep(Statement):
    """A place that holds what is followed."""

    direction: Direction
    where: str
    """prompt, prop, write, result, argument, output, request, answer, question, comment, artifact, file or event."""
    key: str | None = None
    """The key of the state, the name of the prop, tool, model or artifact, the path of the file, the kind of event."""


@dataclass(frozen=True, repr=False)
class Follow(Explanation):
    """The places that a value came from, and those that it went to."""

    COLUMNS: ClassVar[dict[str, str]] = {**Explanation.COLUMNS, "direction": "TEXT", "where": "TEXT", "key": "TEXT"}

    followed: str
    """The text that was looked for; of a value that is no text, its JSON."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The value that is followed."""

    name: str
    sought: tuple[Sought, ...]
    frame: int | None = None
    """The frame in which it came to be; None for a text of which only the search tells that."""
    key: str | None = None
    """The key of the state whose value it is."""


def follow(reader: Reader, execution_id: str, target: str, frame: int | None) -> Follow:
    """Return where a value or text came from, and where it went; see ``History.follow``.

    Raises:
        StoreError: if there is no such frame, key or prop, or nothing holds the text.
    """
    if frame is not None:
        refuse_missing(reader, execution_id, frame)
    anchor = _anchor(reader, execution_id, target, frame)
    places: dict[tuple[str, ...], tuple[Occurrence, Sought]] = {}
    for sought in anchor.sought:
        for one in occurrences(reader, execution_id, sought):
            # A value may hold several texts: a place that holds them counts once.
            places.setdefault((one.execution_id, one.table, one.row_id, one.where, str(one.key)), (one, sought))
    found = sorted(places.values(), key=lambda place: place[0].frame)
    if not found:
        raise StoreError(_nothing_holds(execution_id, target))
    # A text by itself has no frame: it came to be where something from outside held it first.
    since = anchor.frame
    if since is None:
        since = min((one.frame for one, _ in found if _is_source(one)), default=found[0][0].frame)
    steps: dict[Direction, list[Statement]] = {"back": [], "forward": []}
    for one, sought in found:
        own = one.where == "write" and one.key == anchor.key and one.frame == since
        direction: Direction = "forward"
        if own or (_is_source(one) and one.frame <= since):
            direction = "back"
        steps[direction].append(_step(one, sought, direction, own=own))
    return Follow(
        question=f"Where did {anchor.name} come from, and where did it go?",
        statements=(*steps["back"], *steps["forward"], *_left_out(found)),
        followed=anchor.sought[0].text,
    )


def _nothing_holds(execution_id: str, target: str) -> str:
    text = f"nothing that is recorded of execution {execution_id} holds {short(target, SHOWN)!r}"
    if len(target) < SHORTEST:
        # It may well stand in a longer text, where the reader sees it.
        text += f" as its whole value, and inside of longer texts only {SHORTEST} characters or more are looked for"
    return f"{text}. Follow a text, 'state:KEY', the id of a node, whose result is meant, or 'NODE.PROP'."


def _is_source(one: Occurrence) -> bool:
    return one.where in SOURCES or (one.where == "write" and one.origin in OUTSIDE)


def _left_out(found: list[tuple[Occurrence, Sought]]) -> Iterator[Statement]:
    # Cut lists must not look like whole ones.
    for (where, _), number in Counter((one.where, sought) for one, sought in found).items():
        if number >= MOST:
            yield FollowStep(
                text=f"only the first {MOST:,} places of this kind are told: {where}",
                evidence=None,
                direction="forward",
                where=where,
            )


def _step(one: Occurrence, sought: Sought, direction: Direction, *, own: bool) -> FollowStep:
    words = {
        "equal": "is exactly this",
        "contains": "contains it",
        "cut": "contains the first {} of its {}: it is cut there",
    }[one.holding].format(f"{one.characters:,}", count(len(sought.text), "character"))
    if one.origin is not None:
        words += f", by {author(one.origin, one.origin, one.node)}"
    # Equal texts are one value; a short one, or one inside of another text, may be there by chance.
    same = one.holding == "equal" and len(sought.text) >= SHORTEST
    return FollowStep(
        text=f"{_WORDS[one.where].format(node=one.node or 'no node', key=one.key)} {words}",
        frame=one.frame,
        phase=_PHASES.get(one.where),
        node_id=one.node_id,
        table=one.table,
        row_id=one.row_id,
        execution_id=one.execution_id,
        evidence="recorded" if own or same else "inferred",
        direction=direction,
        where=one.where,
        key=one.key,
    )


# ---- what is followed --------------------------------------------------------------------------------------------


def _anchor(reader: Reader, execution_id: str, target: str, frame: int | None) -> _Anchor:
    """Return the value that a target stands for: of a node first, then of a key, else the text itself."""
    at = reader.last_frame(execution_id) if frame is None else frame
    owner = reader.owner(execution_id, max(at, 1))
    if not target.startswith("state:") and (found := _of_node(reader, owner, target, at=at, frame=frame)) is not None:
        return found
    return _of_key(reader, owner, target, at) or _Anchor(repr(short(target, SHOWN)), _as_typed(target))


def _of_node(reader: Reader, owner: str, target: str, at: int, frame: int | None) -> _Anchor | None:
    tree, _ = reader.tree(owner, at)
    # From the right: an id may have dots of its own.
    id, _, prop = target.rpartition(".")
    if target not in tree.index:
        if frame is None and (began := _began(reader, owner, id)) is not None:
            # Without a frame people mean what was sent, and not what the plan says by now.
            at = began
            tree, _ = reader.tree(owner, at)
        return None if id not in tree.index else _of_prop(tree.index[id], prop, at)
    # The newest one: a node in a loop has a task in each iteration.
    ended = [task for task in reader.tasks(owner) if task.node_id == target and task.result is not None]
    if not ended or ended[-1].result is None:
        raise StoreError(f"{target} has no result up to frame {at}. Follow its prompt: {f'{target}.prompt'!r}.")
    return _Anchor(f"the result of {target}", _sought(json.loads(ended[-1].result.text)), ended[-1].settled_at_frame)


def _began(reader: Reader, owner: str, node_id: str) -> int | None:
    """Return the frame in which the newest task of a node began; None if none has."""
    begun = [task.mounted_at_frame for task in reader.tasks(owner) if task.node_id == node_id and task.started_at]
    return max(begun, default=None)


def _of_prop(node: TreeNode, prop: str, at: int) -> _Anchor:
    # Pieces of text beside each other are one node; a prompt has several only around images and files.
    texts = [str(child.text) for child in node.children if child.type == "text"]
    if prop == "prompt" and texts:
        return _Anchor(f"the prompt of {node.id}", tuple(map(Sought.of, texts)), at)
    if prop not in node.props:
        raise StoreError(f"{node.id} has no prop {prop!r} in frame {at}.{did_you_mean(prop, ['prompt', *node.props])}")
    return _Anchor(f"the prop {prop} of {node.id}", _sought(node.props[prop]), at)


def _of_key(reader: Reader, owner: str, target: str, at: int) -> _Anchor | None:
    # What the last FLUSH has written is read by no frame yet: it is the value that the key has now.
    state = {**reader.state(owner, at), **reader.state(owner, at + 1)}
    key = target.removeprefix("state:")
    if key in state:
        stored, since = state[key]
        return _Anchor(f"the value of {key}", _sought(json.loads(stored.text)), since - 1, key)
    if target.startswith("state:"):
        raise StoreError(f"the state of frame {at} has no key {key!r}.{did_you_mean(key, state)}")
    return None


def _sought(value: Any) -> tuple[Sought, ...]:
    """Return a value as it is looked for: itself, and the texts in it that are long enough to be found again."""
    # Of a dict, its JSON is found only where it stands whole; prompts hold the texts in it.
    inner = [Sought.of(text) for text in _texts(value) if len(text) >= SHORTEST]
    return tuple(dict.fromkeys([Sought.of(value), *inner]))[:TEXTS]


def _as_typed(text: str) -> tuple[Sought, ...]:
    """Return a text as it is looked for: itself, and the number that it spells."""
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:
        return (Sought.of(text),)
    # true, false and null are the whole value of many columns by chance, and 1e400 is infinite.
    if isinstance(value, bool) or not isinstance(value, int | float) or isinf(value):
        return (Sought.of(text),)
    return Sought.of(text), Sought.of(value)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list():
            for one in value:
                yield from _texts(one)
