"""Nodes that control the plan: branches, lists, loops, and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from ..errors import MissingKeyError, PlanError, PropError, an
from ..values import storable
from . import source as sources
from .base import Children, NodeBase
from .element import Element, Fragment
from .given import CountOrNone, InOrder, Truth

LOOPS = frozenset({"while", "ralph"})
"""Types of the nodes that render their children once per iteration."""


class If(NodeBase):
    """A branch: children exist only where the condition is true; nothing below a false one is rendered or run."""

    type: Literal["if"] = "if"
    condition: Truth

    def below(self) -> Children:
        if not self.condition:
            return ()
        return self.children


class Case(NodeBase):
    """A branch of a Switch: children exist where it is the first that equals the value."""

    type: Literal["case"] = "case"
    equals: Any  # Any: compared with the Switch's value


class Default(NodeBase):
    """The last branch of a Switch: children exist where no Case equals the value."""

    type: Literal["default"] = "default"


class Switch(NodeBase):
    """Renders the first Case that equals the value, or else the Default."""

    type: Literal["switch"] = "switch"
    value: Any  # Any: compared with each Case

    def below(self) -> Children:
        """Return the one child that exists, in its own slot.

        Raises:
            PlanError: for a child that is neither Case nor Default.
        """
        cases = list(_flat(self.children))
        for child in cases:
            if not isinstance(child, Case | Default):
                name = getattr(child, "type", type(child).__name__)
                raise PlanError(
                    f"{an(name)} stands directly in a <switch>, which takes only <case equals={{…}}> and <default>. "
                    "Put it into one of them.",
                    source=self.source,
                )
        equal = (case for case in cases if isinstance(case, Case) and case.equals == self.value)
        chosen = next(equal, None) or next((case for case in cases if isinstance(case, Default)), None)
        return _only(chosen, self.children)


def _flat(children: Iterable[Any]) -> Iterator[Any]:
    """Yield the children, those in lists and fragments too, without the ones that render nothing."""
    for child in children:
        if isinstance(child, Fragment):
            yield from _flat(child.children)
        elif isinstance(child, list | tuple):
            yield from _flat(child)
        elif child is not None and not isinstance(child, bool):
            yield child


def _only(chosen: Any, children: Iterable[Any]) -> Children:
    """Return the children with None in the places of all but one, which thus keeps its own."""
    # A node without a key is known by its place: alone in a list, every Case would be the same node as the one before.
    return tuple(_kept(chosen, child) for child in children)


def _kept(chosen: Any, child: Any) -> Any:  # Any: as in Children
    if child is chosen:
        return child
    if isinstance(child, Fragment):
        return Fragment(key=child.key, children=_only(chosen, child.children), source=child.source)
    if isinstance(child, list | tuple):
        return _only(chosen, child)
    return None


class Each(NodeBase):
    """A list: one child per item; an item that keeps its key stays the same node, wherever it moves."""

    type: Literal["each"] = "each"
    items: Annotated[list[Any], InOrder]
    by: str | Callable[[Any], Any]
    """The name of the items' field that tells them apart, or a function of an item. Each key once."""
    render: Callable[[Any], Any]
    """A function of an item that returns its child: a node, an element, text, a list of these."""

    instead_of_children: ClassVar[str | None] = "They are made by render={lambda item: …}, one for each item."

    spelled: ClassVar[dict[str, str]] = {"by": "key"}

    def __init__(self, *unnamed: object, **props: Any) -> None:
        if "by" in props:
            raise PropError("<each> has no prop 'by'. Did you mean 'key'?", source=sources.caller())
        if props.get("key") is None and not unnamed:
            raise MissingKeyError(
                'an <each> needs key=: the name of the items\' field that tells them apart, key="id", or a function '
                "of the item.",
                source=sources.caller(),
            )
        # The prop key= of an <each> is no key of its own but says how to get the items' keys; NodeBase must not see it.
        super().__init__(*unnamed, by=props.pop("key", None), **props)

    def props(self) -> dict[str, object]:
        return {"count": len(self.items)}

    def below(self) -> Children:
        """Return the rendered items, each with its key.

        Raises:
            MissingKeyError: if an item has none.
        """
        return tuple(self._keyed(item, place) for place, item in enumerate(self.items))

    def _keyed(self, item: Any, place: int) -> object:
        key = self._key(item, place)
        child = self.render(item)
        if isinstance(child, Element | NodeBase) and child.key is not None:
            return child
        if isinstance(child, Element):
            return child.with_key(key)
        if isinstance(child, NodeBase):
            # A copy: render may return the same node for several items.
            return child.model_copy(update={"key": key})
        return Fragment(key=key, children=(child,), source=self.source)

    def _key(self, item: Any, place: int) -> str:
        by = self.by
        try:
            if callable(by):
                key = by(item)
            elif isinstance(item, dict):
                key = item[by]
            else:
                key = getattr(item, by)
        except (KeyError, AttributeError, TypeError, IndexError):
            key = None
        if key is not None:
            return str(key)
        named = "key="
        if isinstance(by, str):
            named = by
        raise MissingKeyError(
            f"item {place} of <each> ({item!r:.60}) has no key by {named}. Each item needs one that stays the same "
            'while it moves: key="id", or key={lambda item: …}.',
            source=self.source,
        )


class LoopNode(NodeBase):
    """The base of the loops: an id, and a bound."""

    id: str
    max_iterations: CountOrNone = 100
    """The most iterations that run; when they have, the loop's status is ``max_reached``."""

    @property
    def continues(self) -> bool:
        """True if one more iteration is wanted."""
        raise NotImplementedError


class While(LoopNode):
    """A loop that runs its children while the condition holds. The next iteration begins when all tasks of the one
    before have settled, and mounts nodes of its own.
    """

    type: Literal["while"] = "while"
    condition: Truth

    @property
    def continues(self) -> bool:
        return self.condition


class Ralph(LoopNode):
    """A loop that runs its children until ``until`` is true."""

    type: Literal["ralph"] = "ralph"
    until: Truth = False
    max_iterations: CountOrNone = 10

    @property
    def continues(self) -> bool:
        return not self.until


class Stop(NodeBase):
    """A node that ends the execution as ``stopped`` when it is reached; running tasks are cancelled."""

    type: Literal["stop"] = "stop"
    reason: str = "a Stop was reached"

    instead_of_children: ClassVar[str | None] = "It ends the execution; put the nodes that should run before it."


class End(NodeBase):
    """A node that ends the execution as ``finished`` when it is reached; running tasks are cancelled."""

    type: Literal["end"] = "end"
    message: str = "an End was reached"
    value: Annotated[Any, AfterValidator(storable)] = None  # Any: anything storable; the execution's result

    instead_of_children: ClassVar[str | None] = "It ends the execution; put the nodes that should run before it."
