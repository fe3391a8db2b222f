"""The memory of RENDER from frame to frame, and the components that it leaves to be called again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from ..captured import PLAIN, Inside, captured_by, changes, read_by
from ..identity import NodeId, Path
from ..nodes.element import Component, Element
from ..nodes.tree import Tree
from ..records import ReaderRecord
from ..values import Stored
from .state import key_of, read_name
from .user_code.purity import Snapshot

MANY = 8
"""If more than one in ``MANY`` components is to be called again, all are: splicing so often costs more."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place of children in the tree."""

    parent_id: NodeId | None
    loop: str
    """Path of the innermost loop iteration around."""
    prompt_of: str | None
    """Type of the node whose prompt they are; it takes only text."""
    around: tuple[tuple[str, int], ...] = ()
    """Id and iteration of the loops around, outermost first."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A component in its place, as it was last called."""

    element: Element
    path: Path
    inside: Path | None
    """The path of the component that it stands in."""
    place: Place
    ids: tuple[NodeId, ...]
    """Ids of the nodes that it rendered, among the children of its place's parent."""
    whole: bool
    """False if it begins or ends with text, which is one node with its neighbours' text, or rendered nothing."""
    reads: frozenset[str]
    seen: Inside | None
    """The contents of those props that can be changed in place; None if none can."""
    always: bool
    """Call it in every frame: it asked for that, or it read something that is not tracked."""


@dataclass(frozen=True, slots=True)
class Captured:
    """The values that a component's function sees besides its arguments, as they were at its last call."""

    values: list[object]
    read: list[int]
    """Places of those that can be changed in place."""
    inside: Inside | None
    """The contents of these; None if there are none."""

    @classmethod
    def of(cls, component: Component) -> Captured:
        """Return the values as they are now."""
        values = captured_by(component.function)
        read = read_by(component.function, values)
        inside = None
        if read:
            inside = Inside([values[place] for place in read])
        return cls(values, read, inside)

    def holds(self, component: Component) -> bool:
        """Return whether the component sees the same values now."""
        now = captured_by(component.function)
        # By identity first: the == of a user's object may be slow, raise, or have no bool, such as an array's.
        if len(now) != len(self.values) or not all(map(is_, now, self.values)):
            return False
        return self.inside is None or self.inside == Inside([now[place] for place in self.read])


def inside_of_props(element: Element) -> Inside | None:
    """Return the contents of those props of an element that can be changed in place; None if none can."""
    return inside_of(element.props.values())


def inside_of(values: Collection[Any]) -> Inside | None:
    """Return the contents of those values that can be changed in place; None if none can."""
    # Most components have text and numbers as props: for them this is one C call.
    if PLAIN.issuperset(map(type, values)):
        return None
    changing = [value for value in values if changes(type(value))]
    if not changing:
        return None
    return Inside(changing)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The outcome of RENDER, and what the next one needs to do less."""

    tree: Tree = field(default_factory=Tree)
    inits: dict[str, tuple[Stored, str]] = field(default_factory=dict)
    """First values that components asked for, with the component's name."""
    instances: dict[Path, Instance] = field(default_factory=dict)
    below: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    """The components that stand directly in a component, by its path."""
    readers: dict[str, frozenset[Path]] = field(default_factory=dict)
    """The components that read a key, by its name (``read_name``)."""
    always: frozenset[Path] = frozenset()
    given: frozenset[Path] = frozenset()
    """The components in no other one that have props which can be changed in place: nothing else would notice that."""
    touched: frozenset[Path] | None = None
    """The components that were placed again, or are gone, since the frame before; None if any may have been."""
    globals: dict[Component, Captured] = field(default_factory=dict)
    """The globals and closed-over names that a component's function reads, by component."""

    def read_by(self, scope: str, key: str, most: int) -> list[ReaderRecord]:
        """Return the components that read a key, at most ``most`` of them."""
        name = read_name("vol" if scope == "vol" else "state", key)
        found = []
        for path in sorted(self.readers.get(name, ()))[:most]:
            instance = self.instances.get(path)
            if instance is not None:
                first = self._first(path, instance)
                found.append(ReaderRecord(instance.element.component.name, str(path), first))
        return found

    def _first(self, path: Path, instance: Instance) -> NodeId | None:
        """Return the first node that a component rendered: not the text before it, which ended where it began."""
        return next((id for id in instance.ids if self.tree.index[id].path.startswith(f"{path}/")), None)

    def component(self, paths: Sequence[str]) -> tuple[str, list[tuple[str, str]]] | None:
        """Return the name of the first component at one of these paths, and the (scope, key) that it reads."""
        for path in paths:
            if (instance := self.instances.get(Path(path))) is not None:
                reads = [key_of(name) for name in sorted(instance.reads)]
                return instance.element.component.name, [read for read in reads if read is not None]
        return None


def to_call_again(before: Rendered, snapshot: Snapshot) -> tuple[list[Path], set[Path]] | None:
    """Return the components to begin with, none below another, and all that must be called; None for everything."""
    if snapshot.changed is None:
        return None
    found = set(before.always)
    found |= {path for path in before.given if _changed(before.instances[path])}
    for key in snapshot.changed:
        found |= before.readers.get(key, frozenset())
    stale = {component for component, captured in before.globals.items() if not captured.holds(component)}
    if stale:
        found |= {path for path, instance in before.instances.items() if instance.element.component in stale}
    # A call of one component places all that stands in it, so what stands in another one of these is left out.
    first = {_outermost(path, before, found) for path in found}
    outermost = {path for path in first if first.isdisjoint(list(upwards(path, before))[1:])}
    if len(outermost) * MANY > len(before.instances) and len(outermost) > MANY:
        return None
    if not all(before.instances[path].whole for path in outermost):
        return None
    return sorted(outermost), found


def _changed(instance: Instance) -> bool:
    return instance.seen != inside_of_props(instance.element)


def _outermost(path: Path, before: Rendered, found: set[Path]) -> Path:
    """Return the component whose call places this one, too: itself, or one around it."""
    best, at = path, before.instances[path]
    whole = at.whole
    # A component that is not whole can't be spliced: its text may join the text beside it, or part from it.
    while at.inside is not None:
        if not whole or at.inside in found:
            best, whole = at.inside, before.instances[at.inside].whole
        at = before.instances[at.inside]
    return best


def upwards(path: Path, before: Rendered) -> Iterator[Path]:
    """Yield a component's path, and those of the components around it."""
    at: Path | None = path
    while at is not None:
        yield at
        at = before.instances[at].inside
