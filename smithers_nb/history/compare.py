"""Comparison of two executions: of a replay with its recording, frame by frame; of any two, event by event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from ..credentials import same_but_masked
from ..identity import iteration_of
from ..store.facts import Fact, Facts, What, children, facts_by_frame, facts_by_turn
from ..store.frames import frame_from
from ..store.reader import Reader
from .static import table

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 200
"""The most characters of a value that are shown."""
LINES = 12
"""The most differences that are shown."""

NOTHING = "nothing"
"""The word for a side that has no such thing."""
_PLACES: dict[str, int] = {what: place for place, what in enumerate(get_args(What))}

Pair = tuple[Fact | None, Fact | None]
"""Two facts that are not the same; None for one that is missing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was recorded."""

    execution_id: str
    """The execution of the recording; the child, where it is in a child."""
    frame: int
    what: str
    """``state draft``, ``on_finished of notes`` …"""
    recorded: str
    replayed: str
    node_id: str | None = None
    """The node that it is about, where there is one."""

    def __str__(self) -> str:
        return f"frame {self.frame}, {self.what}: {self.replayed} now, {self.recorded} in the recording"


def differences(reader: Reader, recorded: str, replayed: str) -> list[Difference]:
    """Return the differences of a replay and its recording, and of their children, the earliest first; times do not
    count.
    """
    found = []
    for was, is_now in _unequal(facts_by_frame(reader, recorded), facts_by_frame(reader, replayed)):
        fact = was or is_now
        assert fact is not None
        one, other = _told(was, is_now)
        if same_but_masked(one or "", other or ""):
            continue  # An exported recording has no credentials.
        found.append(
            Difference(
                recorded,
                fact.frame,
                words(fact),
                recorded=_cut(one or NOTHING),
                replayed=_cut(other or NOTHING),
                node_id=fact.node_id,
            )
        )
    found.sort(key=lambda one: one.frame)
    its, now = children(reader, recorded), children(reader, replayed)
    return found + [
        difference for name, id in its.items() if name in now for difference in differences(reader, id, now[name])
    ]


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference between two executions."""

    what: str
    """node, text, prop, task, model call, tool call, handler, effect, write, state or end."""
    node_id: str | None
    """The node; of a text, the node that it stands in."""
    key: str | None
    """The name of the prop or state key, the event of a handler, the tool, the part of a model call …"""
    iteration: int | None
    """The innermost loop iteration that the node stands in."""
    one: str | None
    """The value in the first execution; None if it is not there."""
    other: str | None
    one_frame: int | None
    other_frame: int | None
    child: str | None = None
    """The name of the child execution that it is in, without its parent's."""

    @property
    def frame(self) -> int:
        """The earlier one of the frames."""
        return min(frame for frame in (self.one_frame, self.other_frame) if frame is not None)

    def __str__(self) -> str:
        words = self.what
        if self.key:
            words += f" {self.key}"
        if self.node_id:
            words += f" of {self.node_id}"
        if self.iteration is not None:
            words += f" in iteration {self.iteration}"
        if self.child:
            words += f" (in {self.child})"
        return f"{words}: {_side(self.one, self.one_frame)} | {_side(self.other, self.other_frame)}"

    def cells(self) -> list[object]:
        """Return the cells of its row in a table."""
        frames = " | ".join(str(frame or "") for frame in (self.one_frame, self.other_frame))
        return [self.what, self.node_id, self.key, self.iteration, _cut(self.one), _cut(self.other), frames]


_COLUMNS = {
    "what": "TEXT",
    "node_id": "TEXT",
    "key": "TEXT",
    "iteration": "INTEGER",
    "one": "TEXT",
    "other": "TEXT",
    "one_frame": "INTEGER",
    "other_frame": "INTEGER",
    "child": "TEXT",
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The differences of two executions, aligned by node, loop iteration and n-th event: never by time or frame."""

    one: str
    """The name of the first execution."""
    one_id: str
    other: str
    """The name of the second execution."""
    other_id: str
    _unequal: tuple[tuple[str | None, tuple[Pair, ...]], ...] = field(repr=False)
    """The unequal facts by the name of the child that they are in: a row is made when it is asked for."""

    @property
    def same(self) -> bool:
        """True if nothing differs."""
        return self.first is None

    @cached_property
    def first(self) -> Contrast | None:
        """The earliest difference; None if nothing differs."""
        return next(self._rows(), None)

    @cached_property
    def rows(self) -> tuple[Contrast, ...]:
        """The differences, the earliest first; those in children after them."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[Contrast]:
        for child, pairs in self._unequal:
            resized = {_parent(fact) for pair in pairs if None in pair for fact in pair if fact and fact.what == "node"}
            for one, other in pairs:
                for row in _rows(one, other, resized=resized):
                    yield row if child is None else replace(row, child=child)

    @property
    def text(self) -> str:
        """The comparison in words, with the first differences."""
        if self.first is None:
            return f"{self._pair} do not differ."
        count = len(self.rows)
        places = f"{count:,} places" if count > 1 else "1 place"
        lines = [f"{self._pair} differ in {places}, the first in frame {self.first.frame}:"]
        lines += [f"  {row}" for row in self.rows[:LINES]]
        if count > LINES:
            lines.append(f"  … and {count - LINES:,} more: .df")
        return "\n".join(lines)

    @cached_property
    def df(self) -> pd.DataFrame:
        """A row per difference: what, node_id, key, iteration, one, other, one_frame, other_frame, child."""
        return frame_from([tuple(getattr(row, name) for name in _COLUMNS) for row in self.rows], _COLUMNS)

    @property
    def _pair(self) -> str:
        return f"{self.one} ({self.one_id}) and {self.other} ({self.other_id})"

    def __repr__(self) -> str:
        return f"<Comparison: {self.text}>"

    def _repr_html_(self) -> str:
        head = self.text.split("\n")[0]
        heads = ["what", "node", "key", "iteration", self.one, self.other, "frames"]
        return table(head, heads, [row.cells() for row in self.rows])


def compare(one: tuple[Reader, str], other: tuple[Reader, str]) -> Comparison:
    """Return how two executions differ, each given by the reader of its file and its id."""
    names = [reader.execution(id).name for reader, id in (one, other)]
    with one[0].together(), other[0].together():
        unequal = tuple(_parts(one, other, None))
    return Comparison(one=names[0], one_id=one[1], other=names[1], other_id=other[1], _unequal=unequal)


class Divergences:
    """Finds where branches begin to differ from their parents. The facts of a parent are read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._sides: dict[tuple[str, int], _Side] = {}

    def first(self, parent_id: str, branch_id: str, frame: int) -> int | None:
        """Return the first frame after ``frame`` in which a branch differs from what it was forked from; None if it
        has done the same until now. What the fork itself changed is no difference, but all that it leads to is.
        """
        if (parent_id, frame) not in self._sides:
            self._sides[parent_id, frame] = _Side.of(self._reader, parent_id, frame)
        mine, its = self._sides[parent_id, frame], _Side.of(self._reader, branch_id, frame)
        frames = [
            (theirs or ours).frame  # type: ignore[union-attr]  # one of both is there
            for ours, theirs in _unequal(mine.facts, its.facts)
            if (ours or theirs).what not in ("state", "end")  # type: ignore[union-attr]  # as above
            and not mine.may_reach(ours, theirs)
            and not its.may_reach(theirs, ours)
        ]
        return min(frames, default=None)


@dataclass(frozen=True, slots=True)
class _Side:
    """A side of two executions that are compared while they may still run."""

    facts: Facts
    over: bool
    last_frame: int
    running: frozenset[tuple[str | None, str]]
    """The nodes, with their loop iterations, whose tasks have not ended."""

    @classmethod
    def of(cls, reader: Reader, execution_id: str, frame: int) -> _Side:
        facts = facts_by_turn(reader, execution_id, since=frame + 1)
        end = next((fact for fact in facts.values() if fact.what == "end"), None)
        running = frozenset((one.node_id, one.loop) for one in facts.values() if _is_running(one))
        if end is None:  # It has no frame after this one.
            return cls(facts, over=False, last_frame=frame, running=running)
        return cls(facts, over=end.fields[0] != "not over", last_frame=end.frame, running=running)

    def may_reach(self, own: Fact | None, other: Fact | None) -> bool:
        """Return True if this side, which is not over, may still come to be as the other one."""
        if self.over or other is None:
            return False
        if other.what in ("task", "model call", "tool call") and (other.node_id, other.loop) in self.running:
            return True
        if own is None:
            return other.frame > self.last_frame
        return own.what == "node" and bool(own.fields[-1]) and own.fields[:-1] == other.fields[:-1]


def _is_running(fact: Fact) -> bool:
    return fact.what == "task" and fact.fields[0] == "not ended"


def _parts(
    one: tuple[Reader, str], other: tuple[Reader, str], child: str | None
) -> Iterator[tuple[str | None, tuple[Pair, ...]]]:
    """Yield the unequal facts of two executions, the earliest first, and then those of their children."""
    yield child, tuple(sorted(_unequal(facts_by_turn(*one), facts_by_turn(*other)), key=_order))
    its_children = children(*other)
    for turn, id in children(*one).items():
        if turn in its_children:
            below = f"{child}/{turn[0]}" if child else turn[0]
            yield from _parts((one[0], id), (other[0], its_children[turn]), below)


def _order(pair: tuple[Fact | None, Fact | None]) -> tuple[int, int]:
    one, other = pair
    fact = one or other
    assert fact is not None
    frame = fact.frame
    # Not min() over both: where all values differ, there are several pairs a frame.
    if other is not None and other.frame < frame:
        frame = other.frame
    return frame, _PLACES[fact.what]


def _unequal(one: Facts, other: Facts) -> Iterator[Pair]:
    """Yield the facts that are not the same on both sides."""
    for name, fact in one.items():
        match = other.get(name)
        if match is None or match.fields != fact.fields:
            yield fact, match
    for name, fact in other.items():
        if name not in one:
            yield None, fact


# ---- the rows of one difference ----------------------------------------------------------------------------------


def _rows(one: Fact | None, other: Fact | None, *, resized: set[str | None]) -> Iterator[Contrast]:
    fact = one or other
    assert fact is not None
    if fact.what == "model call":
        yield _of_call(one, other)
    elif fact.what != "node":
        yield _contrast(one, other, what=fact.what, key=fact.key, sides=_told(one, other))
    elif one is None or other is None:
        what = "text" if fact.fields[0] == "text" else "node"
        yield _contrast(one, other, what=what, key=None, sides=(_shape(one), _shape(other)))
    else:
        yield from _of_node(one, other, resized)


_NODE = ("type", "key", "parent", "position", "props", "text", "handlers", "end")


def _of_node(one: Fact, other: Fact, resized: set[str | None]) -> Iterator[Contrast]:
    """Yield a row for each part in which two versions of a node differ."""
    for part, mine, its in zip(_NODE, one.fields, other.fields, strict=True):
        if mine == its:
            continue
        if part == "props":
            props, others = json.loads(mine), json.loads(its)
            for name in [*props, *(name for name in others if name not in props)]:
                if props.get(name) != others.get(name):
                    sides = (_json(props, name), _json(others, name))
                    yield _contrast(one, other, what="prop", key=name, sides=sides)
        elif part == "text":
            yield _contrast(one, other, what="text", key=None, sides=(mine, its))
        elif part == "end":
            ends = tuple("stays" if stays else "leaves" for stays in (mine, its))
            yield _contrast(one, other, what="node", key=part, sides=(ends[0], ends[1]))
        # Where siblings are missing, the others only moved up.
        elif part != "position" or _parent(one) not in resized:
            yield _contrast(one, other, what="node", key=part, sides=(str(mine), str(its)))


_CALL = ("model", "request", "history", "settings", "answer", "status", "error")
_MESSAGES = ("request", "history", "answer")


def _of_call(one: Fact | None, other: Fact | None) -> Contrast:
    """Return the row of a call of a model: what was said on each side, where that is all that differs."""
    mine, its = (dict(zip(_CALL, fact.fields, strict=True)) if fact else {} for fact in (one, other))
    # The answer and all that comes after it follow from another request.
    key = "request"
    if one and other:
        key = next(part for part in _CALL if mine[part] != its[part])
    sides = [str(part.get(key) or "nothing") if part else None for part in (mine, its)]
    if key in _MESSAGES:
        said = [side and _said(side) for side in sides]
        if said[0] != said[1]:  # Else they differ in something that is not said, as in the kind of a part.
            sides = said
    return _contrast(one, other, what="model call", key=key, sides=(sides[0], sides[1]))


def _said(text: str) -> str:
    """Return messages, given as JSON, as the texts of their parts.

    >>> _said('[{"parts": [{"content": "Hi"}, {"tool_name": "look", "args": {"at": 1}}]}]')
    'Hi look({"at": 1})'
    """
    if not text.startswith(("[", "{")):
        return text
    found = json.loads(text)
    messages = found if isinstance(found, list) else [found]
    # A number tells how many messages of the call before were kept.
    parts = [part for message in messages if isinstance(message, dict) for part in message.get("parts", ())]
    return " ".join(filter(None, map(_of_part, parts))) or "nothing"


def _of_part(part: dict[str, Any]) -> str:  # Any: JSON
    content = part.get("content", part.get("args"))
    if not isinstance(content, str):
        content = json.dumps(content, ensure_ascii=False)
    return f"{part['tool_name']}({content})" if "args" in part else content


def _json(props: dict[str, Any], name: str) -> str | None:  # Any: JSON
    if name not in props:
        return None
    return json.dumps(props[name], ensure_ascii=False)


def _shape(fact: Fact | None) -> str | None:
    if fact is None:
        return None
    kind, text = fact.fields[0], fact.fields[5]
    return str(text if kind == "text" else kind)


def _parent(fact: Fact) -> str | None:
    parent: str | None = fact.fields[2]
    return parent


def _contrast(
    one: Fact | None, other: Fact | None, *, what: str, key: str | None, sides: tuple[str | None, str | None]
) -> Contrast:
    fact = one or other
    assert fact is not None
    node_id = fact.node_id
    if fact.what == "node" and fact.fields[0] == "text":
        # The id of a text is made from its path: people know the node around.
        node_id = _parent(fact) or node_id
    return Contrast(
        what=what,
        node_id=node_id,
        key=key,
        iteration=iteration_of(fact.loop),
        one=sides[0],
        other=sides[1],
        one_frame=one.frame if one else None,
        other_frame=other.frame if other else None,
    )


def _told(one: Fact | None, other: Fact | None) -> tuple[str | None, str | None]:
    """Return both sides in words, without their common parts; None for a side that is missing."""
    if one is None or other is None:
        return _words(one and one.fields), _words(other and other.fields)
    pairs = [(a, b) for a, b in zip(one.fields, other.fields, strict=True) if a != b]
    if len(pairs) == 1:
        [(mine, its)] = pairs
        return _word(mine), _word(its)
    return _words(tuple(a for a, _ in pairs)), _words(tuple(b for _, b in pairs))


def _words(values: tuple[Any, ...] | None) -> str | None:  # Any: SQLite's values
    if values is None:
        return None
    return ", ".join(str(value) for value in values if value is not None) or "nothing"


def _word(value: object) -> str:
    return str(value) if value not in (None, "") else "nothing"


def _side(text: str | None, frame: int | None) -> str:
    if text is None:
        return "not there"
    return f"{_cut(text)} (frame {frame})"


def _cut(text: str | None) -> str:
    if text is None:
        return ""
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN]}…"


def words(fact: Fact) -> str:
    """Return the name of a fact in words: ``state draft``, ``on_finished of notes`` …"""
    match fact.what:
        case "frame":
            return "the frame itself"
        case "node":
            return f"the plan's {fact.fields[0]} {fact.node_id}"
        case "state":
            return f"state {fact.key}"
        case "handler":
            return f"{fact.key} of {fact.node_id}"
        case "effect":
            return f"{fact.key} of effect {fact.node_id}"
        case "tool call":
            return f"tool {fact.key} of {fact.node_id}"
        case "write":
            by = f"a write of {fact.key} by {fact.name[2] or fact.name[1]}"
            return f"{by} of {fact.node_id}" if fact.node_id else by
        case "end":
            return "the end"
    return f"{fact.what} of {fact.node_id}"
