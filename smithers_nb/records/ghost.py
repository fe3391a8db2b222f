"""Nodes that code could return and did not, with the conditions that stand around them in the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Comparison = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "holds", "lacks", "true", "false"]
"""``holds`` and ``lacks`` ask for the constant in the value; ``in`` and ``not in`` for the value in the constant."""

MISSING: Any = object()
"""The value of a key that is not in the state, or of a part that is not in a value."""

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda value, constant: value == constant,
    "!=": lambda value, constant: value != constant,
    "<": lambda value, constant: value < constant,
    "<=": lambda value, constant: value <= constant,
    ">": lambda value, constant: value > constant,
    ">=": lambda value, constant: value >= constant,
    "in": lambda value, constant: value in constant,
    "not in": lambda value, constant: value not in constant,
    "holds": lambda value, constant: constant in value,
    "lacks": lambda value, constant: constant not in value,
    "true": lambda value, _: bool(value),
    "false": lambda value, _: not value,
}


@dataclass(frozen=True, slots=True)
class StatePart:
    """A value of the state, or a part of one."""

    key: str
    path: tuple[str | int, ...] = ()
    """The way into the value: keys of dicts, indexes, attributes."""
    length: bool = False
    """True if its length is meant."""
    default: Any = None
    """The value that the code takes where the key is missing."""

    def value(self, state: Mapping[str, Any]) -> Any:
        """Return the value in a state; the default for a key that is missing, ``MISSING`` for a part that is."""
        # As the code sees it: a default counts where the key is missing, and only there.
        value = state.get(self.key, MISSING)
        if value is MISSING:
            value = self.default
        for step in self.path:
            value = part(value, step)
        if not self.length or value is MISSING:
            return value
        return len(value)


def part(value: Any, step: str | int) -> Any:
    """Return a part of a value, by its key, index or attribute; ``MISSING`` without one."""
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        # Looked up on the object alone: a property would be the user's code.
        return getattr(value, "__dict__", {}).get(step, MISSING)


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of a value of the state."""

    part: StatePart
    op: Comparison
    value: Any = None
    """The constant that it is compared to, or another place."""

    def holds(self, state: Mapping[str, Any]) -> bool | None:
        """Return the outcome in a state; None if it can't be told."""
        try:
            constant = self.value
            if isinstance(constant, StatePart):
                constant = constant.value(state)
            value = self.part.value(state)
            if value is MISSING or constant is MISSING:
                return None
            return bool(_COMPARED[self.op](value, constant))
        except Exception:  # noqa: BLE001  # the == and len of a user's class
            return None


@dataclass(frozen=True, slots=True)
class Exists:
    """A test for a key in the state."""

    part: StatePart
    wanted: bool

    def holds(self, state: Mapping[str, Any]) -> bool | None:
        """Return the outcome in a state."""
        return (self.part.key in state) == self.wanted


@dataclass(frozen=True, slots=True)
class Several:
    """Tests of which all must hold, or any."""

    all: bool
    parts: tuple[Test | None, ...]

    def holds(self, state: Mapping[str, Any]) -> bool | None:
        """Return the outcome in a state; None if it depends on a part that can't be told."""
        found = [None if one is None else one.holds(state) for one in self.parts]
        # One false decides an "and", and one true an "or", whatever else can't be told.
        if (not self.all) in found:
            return not self.all
        if None in found:
            return None
        return self.all


Test: TypeAlias = Condition | Exists | Several


def conditions(test: Test | None) -> Iterator[Condition | Exists]:
    """Yield the single tests of a test."""
    # What a person or a search may change one by one.
    if isinstance(test, Several):
        for one in test.parts:
            yield from conditions(one)
    elif test is not None:
        yield test


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition in the code that a node depends on."""

    text: str
    """The condition as it stands in the source: ``score > 6``."""
    wanted: bool
    """True if it must be true for the node to be returned, False for a node in an ``else`` or after a return."""
    kind: Literal["if", "items"]
    """items: one node is returned for each item of the value that ``text`` stands for."""
    component: str
    source: str
    """``file:line:column``."""
    keys: tuple[str, ...] = ()
    """The state keys that it reads; a volatile one as ``vol:KEY``."""
    props: tuple[str, ...] = ()
    """The props of the component that it reads."""
    test: Test | None = field(default=None, compare=False)
    """The same as a test of the state; None if it can't be told from the code."""

    @property
    def words(self) -> str:
        """The condition as it must be: ``score > 6 is true``, ``notes has items``."""
        if self.kind == "items":
            return f"{self.text} has items"
        return f"{self.text} is {str(self.wanted).lower()}"

    def holds(self, state: Mapping[str, Any]) -> bool | None:
        """Return whether a state lets the node through here; None if that can't be told from the code."""
        # Nothing of the user's is called to find out.
        if self.test is None:
            return None
        return self.test.holds(state)


@dataclass(frozen=True, slots=True)
class Ghost:
    """A node that the code of a component can return, or a call of a component that it can make."""

    type: str
    """The type of the node; ``component`` for the call of a component."""
    component: str
    """The component whose code makes it."""
    source: str
    """``file:line:column`` of the tag or call."""
    id: str | None = None
    """The id, where the code tells it."""
    pattern: str | None = None
    """The id of an f-string, with ``*`` for each part that only a call tells: ``draft-*``."""
    name: str | None = None
    """The name or key of a node, or the component that is called, where the code tells it."""
    guards: tuple[Guard, ...] = ()
    """The conditions around it, outermost first, those of the components around it, too."""
    around: str | None = field(default=None, compare=False)
    """The source of the node around it; None where it would stand at the top of the plan."""

    @property
    def label(self) -> str:
        """The id, the pattern of ids, or the type with its name or place."""
        return self.id or self.pattern or f"{self.type} {self.name or f'at {self.source}'}"

    def named(self, target: str) -> bool:
        """Return whether a target names it: its id, the component that it calls, or its label."""
        if self.id is not None:
            return self.id == target
        # The constant parts must fit exactly: an id may hold any sign of a pattern.
        if self.pattern is not None:
            pieces = map(re.escape, self.pattern.split("*"))
            return re.fullmatch(".*".join(pieces), target, re.DOTALL) is not None
        # Without an id, the label is the only name that there is.
        return target == self.label or (self.type == "component" and self.name == target)


@dataclass(frozen=True, slots=True)
class Ghosts:
    """All nodes that the code of an app can return, in the order of the code, components within their callers."""

    all: tuple[Ghost, ...] = ()
    unknown: tuple[str, ...] = ()
    """The components and helpers whose code can't be read, in words, and why."""
    names: frozenset[str] = field(default_factory=frozenset)
    """The ids that the code tells, and the names of components: for the nearest of a misspelt one."""

    def named(self, target: str) -> list[Ghost]:
        """Return the nodes or calls that a target names; without one of that name, the nodes of that type: ``end``."""
        named = [one for one in self.all if one.named(target)]
        return named or [one for one in self.all if one.type == target != "component"]
