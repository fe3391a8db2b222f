"""Components, and the elements that describe a call of one until RENDER makes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, overload

from ..arguments import flag
from ..errors import PropError, did_you_mean, kind_of
from . import source as sources
from .base import Children, flat_text, refuse_children, unnamed_prop


@dataclass(frozen=True, slots=True)
class Element:
    """A component with its arguments. RENDER calls it; making an element calls nothing."""

    component: Component
    props: dict[str, Any] = field(default_factory=dict)  # Any: they are the user's
    key: str | None = None
    children: Children = ()
    source: str | None = None

    def with_key(self, key: str) -> Element:
        """Return the same element with this key."""
        return replace(self, key=key)

    def __getitem__(self, children: object) -> Element:
        """Return the same element with these children."""
        if not isinstance(children, tuple):
            children = (children,)
        return replace(self, children=self.component.accepted(children, self.source))

    def __repr__(self) -> str:
        name = self.component.name
        if self.key:
            name += f" {self.key!r}"
        return f"<{name} element>"


class Fragment:
    """Groups children and adds no node."""

    # A plain class, and no pydantic model as nodes are: one is made for every item of an Each.
    __slots__ = ("children", "key", "source")

    def __init__(self, *, key: str | int | None = None, children: object = (), source: str | None = None) -> None:
        if key is not None:
            key = str(key)
        self.key = key
        self.children = flat_text(children, keep_blank=False)
        self.source = source or sources.caller()

    def __getitem__(self, children: object) -> Fragment:
        """Set the children and return the fragment."""
        if not isinstance(children, tuple):
            children = (children,)
        self.children = flat_text(children, keep_blank=False)
        return self

    def __repr__(self) -> str:
        return f"<fragment with {len(self.children)} children>"


class Component:
    """A function that returns nodes. Calling it makes an element; only RENDER calls the function."""

    def __init__(self, function: Callable[..., Any], *, always: bool = False) -> None:
        if not callable(function):
            raise TypeError(
                f"@component stands above a function that returns nodes, and not above {kind_of(function)}."
            )
        self.function = function
        self.always = always
        """True if it is called in every frame, even if nothing that it reads has changed."""
        self.name: str = getattr(function, "__name__", type(function).__name__)
        self.source = sources.of_function(function)
        parameters = inspect.signature(function).parameters.values()
        named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        # Read here once: inspect.signature is too slow for each call.
        self.wants_ctx = any(p.name == "ctx" for p in named)
        self.wants_children = any(p.name == "children" for p in named)
        self._known = [p.name for p in named if p.name not in ("ctx", "children")]
        self._needed = [p.name for p in named if p.default is p.empty and p.name in self._known]
        self.takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        """True if it has ``**props``, which get the children, too, if any are given."""
        self.__doc__ = function.__doc__
        self.__name__ = self.name
        self.__wrapped__ = function  # For inspect.getsource and editors, which follow it.

    def __call__(self, *unnamed: object, key: str | int | None = None, children: object = (), **props: Any) -> Element:
        """Describe a call with these props.

        Raises:
            PropError: for a prop that the function does not take, or one that it needs and was not given.
        """
        source = sources.caller()
        if unnamed:
            raise PropError(unnamed_prop(self.name, unnamed[0]), source=source)
        for name in props:
            if not self.takes(name):
                takes = f" It takes: {', '.join(self._known)}."
                if not self._known:
                    takes = " It takes none."
                elif self._known == ["props"]:  # As in React, where a component gets all props in one object.
                    takes = f" Each prop is an argument of its own: def {self.name}({', '.join(props)})."
                raise PropError(
                    f"<{self.name}> has no prop {name!r}.{did_you_mean(name, self._known) or takes}", source=source
                )
        if missing := [name for name in self._needed if name not in props]:
            raise PropError(f"<{self.name}> needs the prop {missing[0]!r}: {missing[0]}={{…}}.", source=source)
        if key is not None:
            key = str(key)
        return Element(component=self, props=props, key=key, children=self.accepted(children, source), source=source)

    @property
    def props(self) -> list[str]:
        """The names of the props that the function takes."""
        return self._known

    def takes(self, prop: str) -> bool:
        """Return whether the function takes a prop of this name."""
        return self.takes_any or prop in self._known

    def accepted(self, children: object, source: str | None) -> Children:
        """Return children as they are kept.

        Raises:
            PropError: if the function would not get them.
        """
        kept = flat_text(children, keep_blank=True)
        if kept and not (self.wants_children or self.takes_any):
            taken = [*self._known, "children"]
            if self.wants_ctx:
                taken.insert(0, "ctx")
            way = f"To take them, name them: def {self.name}({', '.join(taken)})."
            refuse_children(self.name, kept, way, source)
        return kept

    def __repr__(self) -> str:
        return f"<component {self.name}>"


@overload
def component(function: Callable[..., Any]) -> Component: ...
@overload
def component(*, always: bool) -> Callable[[Callable[..., Any]], Component]: ...
def component(
    function: Callable[..., Any] | None = None, *, always: bool = False
) -> Component | Callable[[Callable[..., Any]], Component]:
    """Make a component of a function.

    The function takes ``ctx`` if its signature names it, its props as keywords, and ``children`` if it names them, or
    in ``**props`` if there are any. It returns a node, a list of nodes, text, a number or None, and does nothing else:
    it is called again in any frame in which its props, a state key or a global that it reads may have changed.
    ``@component(always=True)`` is called in every frame.
    """
    flag("always", always)
    if function is None:
        return lambda function: Component(function, always=always)
    return Component(function, always=always)
