"""The base of all nodes: their construction, the check of their props, and their children."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, SkipValidation, ValidationError
from pydantic_core import ErrorDetails

from ..credentials import masked, masked_value
from ..errors import PropError, did_you_mean, kind_of
from ..values import cleaned, shown
from . import handlers as events
from . import source as sources
from .described import describe, sign

MEMORY = re.compile(r" at 0x[0-9a-fA-F]+")
Children = tuple[Any, ...]  # Any: nodes, elements, text, numbers, None, booleans and lists of these


class NodeBase(BaseModel):
    """A node as the user wrote it: its props are typed fields, and nothing else is accepted.

    RENDER gives it a place in the tree (``nodes.tree.TreeNode``: path, id, rendered children).
    """

    # Its schema is built when the first node of a class is made: a program imports all classes, and uses few.
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    type: str
    key: str | None = None
    """The name that keeps it the same node among its siblings, in whatever order they stand."""
    id: str | None = None
    """The id of the node; generated from its path if it is not given."""
    # pydantic would copy the children, and look at each: they are checked where RENDER meets them, with their place.
    children: SkipValidation[Children] = ()
    handlers: SkipValidation[events.Handlers] = events.NONE
    source: SkipValidation[str | None] = None
    """The place in the user's code that made it: ``report:14:9``."""

    declared: ClassVar[tuple[tuple[str, object], ...]] = ()
    """(name, default) of the props that are this node's own."""
    spelled: ClassVar[dict[str, str]] = {}
    """Names of props by the fields that hold them, where the two differ."""
    runnable: ClassVar[bool] = False
    """True if it starts a task when it mounts."""
    takes_text: ClassVar[bool] = False
    """True if its children are text for a model: blank text between them is kept."""

    private: ClassVar[frozenset[str]] = frozenset()
    """Names of props of which only the type is shown and recorded: clients and keys live in them."""

    instead_of_children: ClassVar[str | None] = None
    """Advice for a node that takes no children: they would stand in the plan and never run."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        fields, shared = cls.model_fields, NodeBase.model_fields
        cls.declared = tuple((name, field.default) for name, field in fields.items() if name not in shared)
        describe(cls)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        sign(cls)  # Completing it, pydantic gives it a signature of its own.

    def __init__(self, *unnamed: object, **props: Any) -> None:
        # Taken now: when RENDER finds something wrong, the user's frames are gone.
        source = props.pop("source", None) or sources.caller()
        tag = type(self).model_fields["type"].default
        if unnamed:
            raise PropError(unnamed_prop(type(self).__name__, unnamed[0]), source=source)
        handlers = events.take(tag, props, runnable=self.runnable, source=source)
        children = flat_text(props.pop("children", ()), keep_blank=self.takes_text)
        if children and self.instead_of_children:
            refuse_children(tag, children, self.instead_of_children, source)
        if isinstance(props.get("key"), int):
            props["key"] = str(props["key"])
        try:
            try:
                super().__init__(**props, handlers=handlers, children=children, source=source)
            except ValidationError as error:
                # Texts are cleaned only after a refusal: looking through each text would slow down every node.
                if (texts := _cleaned(props, error)) is None:
                    raise
                super().__init__(**texts, handlers=handlers, children=children, source=source)
        except ValidationError as error:
            raise _prop_error(type(self), tag, error, source) from None
        except RecursionError:
            raise PropError(f"a prop of <{tag}> is nested too deeply for Python.", source=source) from None

    def __getitem__(self, children: object) -> Self:
        """Set the children, ``Phase(name="a")[first, second]``, and return the node."""
        # A list in the brackets stays one child, with a level of slots of its own; flat_text would spread it.
        if not isinstance(children, tuple):
            children = (children,)
        kept = flat_text(children, keep_blank=self.takes_text)
        if kept and self.instead_of_children:
            refuse_children(self.type, kept, self.instead_of_children, self.source)
        self.children = kept
        return self

    def __repr__(self) -> str:
        head = self.type
        if name := self.id or self.key:
            head += f" {name!r}"
        return f"<{head} with {len(self.children)} children>"

    __str__ = __repr__

    def below(self) -> Children:
        """Return the children that exist."""
        return self.children

    def props(self) -> dict[str, object]:
        """Return the declared props that differ from their default, in the order of declaration, as they are shown:
        without the credentials in them.
        """
        values = self.__dict__
        found: dict[str, object] = {}
        for name, default in self.declared:
            value = values[name]
            # Compared by type first: the user's objects may have an == of their own.
            if value is default or (type(value) is type(default) and value == default):
                continue
            if name in self.private:
                found[name] = type(value).__name__
                continue
            # Most props are plain texts, which shown would return as they are: the call is saved for them.
            if type(value) is not str or not value.isascii():
                value = shown(value)
            # Here, because all else is made of it: the XML, the file and the page.
            found[name] = masked_value(value)
        return found


def unnamed_prop(name: str, value: object) -> str:
    """Return the message for a prop that was given without its name."""
    return (
        f"{name}({_short(value)}) gives a prop without its name. Props are named, {name}(name=…), and children stand "
        f"in brackets behind them: {name}(…)[first, second]."
    )


def _short(value: object) -> str:
    try:
        return f"{' '.join(MEMORY.sub('', masked(repr(value))).splitlines()):.80}"
    except RecursionError:
        return f"{kind_of(value)} that is nested too deeply for Python"


def flat_text(children: object, *, keep_blank: bool) -> Children:
    """Return children as a tuple, without the blank text that a container's layout leaves behind."""
    if isinstance(children, list):
        children = tuple(children)
    elif not isinstance(children, tuple):
        children = (children,)
    if keep_blank:
        return children
    return tuple(child for child in children if not (isinstance(child, str) and not child.strip()))


def refuse_children(name: str, children: Children, instead: str, source: str | None) -> None:
    """Refuse children that would vanish.

    Raises:
        PropError: naming the first, unless all of them are nothing.
    """
    if (first := next(_something(children), None)) is not None:
        raise PropError(f"<{name}> takes no children, and was given {_short(first)}. {instead}", source=source)


def _something(children: Iterable[Any]) -> Iterator[Any]:
    """Yield the children that are not None, a bool, blank text or a list of these."""
    for child in children:
        if isinstance(child, list | tuple):
            yield from _something(child)
        elif not (child is None or isinstance(child, bool) or (isinstance(child, str) and not child.strip())):
            yield child


def _cleaned(props: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """Return the props with U+FFFD for the lone surrogates in texts that pydantic has refused because of them; None if
    it refused none.
    """
    refused = {one["loc"][0] for one in error.errors(include_url=False) if one["type"] == "string_unicode"}
    if not refused:
        return None
    return props | {name: cleaned(props[name]) for name in props if name in refused}


def _prop_error(node: type[NodeBase], tag: str, error: ValidationError, source: str | None) -> PropError:
    found = error.errors(include_url=False)
    # A misspelt prop also makes the right one missing; the misspelling is the cause. Of the types that a prop may have,
    # the one that says in our words why it does not fit says most.
    telling = ("extra_forbidden", "value_error")
    first = next((one for kind in telling for one in found if one["type"] == kind), found[0])
    field = next(iter(map(str, first["loc"])), tag)
    prop = node.spelled.get(field, field)
    known = [node.spelled.get(name, name) for name, _ in node.declared]
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(prop, [*known, "key", "id"]) or _owners(prop)
        if not hint and known:
            hint = f" It has: {', '.join(known)}."
        elif not hint:
            hint = " It has none of its own."
        message = f"<{tag}> has no prop {prop!r}.{hint}"
    elif first["type"] == "missing":
        message = f"<{tag}> needs the prop {prop!r}: {prop}={{…}}."
    else:
        why = first["msg"].removeprefix("Value error, ")
        message = f"prop {prop!r} of <{tag}>: {why[:1].lower()}{why[1:]}, got {_short(first['input'])}."
        if first["type"].startswith("bool"):
            message += _advice(prop, first)
    return PropError(message, source=source)


def _owners(prop: str) -> str:
    """Return which nodes have the prop; "" if none has."""
    owners = sorted(one.model_fields["type"].default for one in NodeBase.__subclasses__() if prop in _props_of(one))
    return f" It is a prop of <{'>, <'.join(owners)}>." if owners else ""


def _props_of(node: type[NodeBase]) -> set[str]:
    return {node.spelled.get(name, name) for name, _ in node.declared}


def _advice(prop: str, found: ErrorDetails) -> str:
    """Return how to write what should be true or false."""
    if isinstance(found["input"], str):
        return f' Text is neither true nor false. Compare it, {prop}={{answer == "yes"}}, or write {prop}={{True}}.'
    return f" To ask whether there is something, write {prop}={{bool(…)}}."
