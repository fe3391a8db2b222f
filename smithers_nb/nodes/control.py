"""Nodes that decide what exists, how often, and when it ends."""

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
"""Types of the nodes whose children come again and again."""


class If(NodeBase):
    """Its children exist only where the condition is true; nothing below a false one is rendered or run."""

    type: Literal["if"] = "if"
    condition: Truth

    def below(self) -> Children:
        return self.children if self.condition else ()


class Case(NodeBase):
    """Its children exist where it is the first of its Switch that equals the value."""

    type: Literal["case"] = "case"
    equals: Any  # Any: compared with the Switch's value


class Default(NodeBase):
    """Its children exist where no Case of its Switch equals the value."""

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
    """Yield the children, those in lists and fragments too, but for what renders nothing."""
    for child in children:
        if isinstance(child, list | tuple | Fragment):
            yield from _flat(child.children if isinstance(child, Fragment) else child)
        elif child is not None and not isinstance(child, bool):
            yield child


def _only(chosen: Any, children: Iterable[Any]) -> Children:
    """Return the children with None in the places of all but one, which thus keeps its own."""
    return tuple(_kept(chosen, child) for child in children)


def _kept(chosen: Any, child: Any) -> Any:  # Any: as in Children
    if child is chosen:
        return child
    if isinstance(child, Fragment):
        return Fragment(key=child.key, children=_only(chosen, child.children), source=child.source)
    return _only(chosen, child) if isinstance(child, list | tuple) else None


class Each(NodeBase):
    """One child per item; an item that keeps its key stays the same node, wherever it moves."""

    type: Literal["each"] = "each"
    items: Annotated[list[Any], InOrder]
    by: str | Callable[[Any], Any]
    """The name of the items' field that tells them apart, or a function of an item. Each key once."""
    render: Callable[[Any], Any]
    """Returns what is rendered for an item."""

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
        # Its key is not its own, but says how to get the items'.
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
        if isinstance(child, Element):
            return child if child.key is not None else child.with_key(key)
        if isinstance(child, NodeBase):
            return child if child.key is not None else child.model_copy(update={"key": key})
        return Fragment(key=key, children=(child,), source=self.source)

    def _key(self, item: Any, place: int) -> str:
        by = self.by
        try:
            key = by(item) if callable(by) else item[by] if isinstance(item, dict) else getattr(item, by)
        except (KeyError, AttributeError, TypeError, IndexError):
            key = None
        if key is None:
            raise MissingKeyError(
                f"item {place} of <each> ({item!r:.60}) has no key by {by if isinstance(by, str) else 'key='}. Each "
                'item needs one that stays the same while it moves: key="id", or key={lambda item: …}.',
                source=self.source,
            )
        return str(key)


class LoopNode(NodeBase):
    """What loops share: an id, and a bound."""

    id: str
    max_iterations: CountOrNone = 100
    """How often it runs at most; reached, its status is ``max_reached``."""

    @property
    def goes_on(self) -> bool:
        """Whether another iteration is wanted."""
        raise NotImplementedError


class While(LoopNode):
    """Runs its children again and again while the condition holds: the next iteration begins when all tasks of the
    one before have settled. Each iteration mounts anew.
    """

    type: Literal["while"] = "while"
    condition: Truth

    @property
    def goes_on(self) -> bool:
        return self.condition


class Ralph(LoopNode):
    """Runs its children again and again until ``until`` is true."""

    type: Literal["ralph"] = "ralph"
    until: Truth = False
    max_iterations: CountOrNone = 10

    @property
    def goes_on(self) -> bool:
        return not self.until


class Stop(NodeBase):
    """Ends the execution as ``stopped`` when its turn comes; running tasks are cancelled."""

    type: Literal["stop"] = "stop"
    reason: str = "a Stop was reached"

    instead_of_children: ClassVar[str | None] = "It ends the execution; put what is to run before it."


class End(NodeBase):
    """Ends the execution as ``finished`` when its turn comes; running tasks are cancelled."""

    type: Literal["end"] = "end"
    message: str = "an End was reached"
    value: Annotated[Any, AfterValidator(storable)] = None  # Any: anything storable; the execution's result

    instead_of_children: ClassVar[str | None] = "It ends the execution; put what is to run before it."
