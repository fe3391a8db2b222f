"""``jsx``: the function that a tag in a cell compiles to."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from ..errors import PropError, UnknownTagError, did_you_mean, kind_of
from ..nodes import source as sources
from ..nodes.base import NodeBase
from ..nodes.element import Component, Element, Fragment
from ..nodes.structure import Text
from ..nodes.union import TAGS
from .names import in_scope
from .transpile import as_text

Built = NodeBase | Element | Fragment

LOWER_CASE: dict[str, type[NodeBase | Fragment]] = {**TAGS, "fragment": Fragment}


def jsx(tag: object, props: dict[str, Any] | None = None, *children: object) -> Built:
    """Return the node, element or fragment that a tag stands for.

    ``tag`` is a node class (``Claude``), its lower-case name (``"claude"``), a component, or ``Fragment``.
    Nothing is called or run: components are called by RENDER.

    Raises:
        UnknownTagError: if ``tag`` is none of these.
        PropError: if the node or component does not take these props.

    >>> jsx("phase", {"name": "a"}, jsx("task", {"run": print}))
    <phase with 1 children>
    """
    try:
        given = dict(props or {})
    except (TypeError, ValueError):
        raise PropError(f"the props of an element are a dict, and not {kind_of(props)}.") from None
    if children:
        if "children" in given:
            raise PropError("children were given twice: between the tags and as a prop. Keep one.")
        given["children"] = children
    if isinstance(tag, str):
        tag = LOWER_CASE.get(tag, tag)
    if isinstance(tag, Component) or tag is Fragment or (isinstance(tag, type) and issubclass(tag, NodeBase)):
        if tag is Text and children:
            given["text"] = "".join(str(child) for child in given.pop("children"))
        try:
            return tag(**given)
        except TypeError as error:
            # Nodes and components name a wrong prop themselves. Fragment is a plain class, whose error names no tag.
            if tag is not Fragment:
                raise
            raise PropError(f"<Fragment> takes only key and children: {error}", source=sources.caller()) from None
    raise unknown_tag(tag)


def unknown_tag(tag: object) -> UnknownTagError:
    """Return the error for something that can't be a tag."""
    where = sources.caller()
    if isinstance(tag, str):
        return UnknownTagError(f"<{tag}> is not a node.{_instead(tag)} {as_text(f'<{tag}>')}.", source=where)
    if isinstance(tag, type):
        return UnknownTagError(f"<{tag.__name__}> is a class, and not a node or a component.", source=where)
    if callable(tag):
        name = getattr(tag, "__name__", repr(tag))
        return UnknownTagError(f"<{name}> is a plain function. Put @component above it.", source=where)
    return UnknownTagError(f"{tag!r:.80} is not a node or a component.", source=where)


def _instead(tag: str) -> str:
    """Return advice for a lower-case tag that is no node."""
    scope = in_scope(sources.calling_frame())
    capital = "".join(f"{part[:1].upper()}{part[1:]}" for part in tag.replace("-", "_").split("_")) or tag
    if isinstance(scope.get(capital), Component):
        return f" Components begin with a capital letter: write <{capital} />."
    if isinstance(found := scope.get(tag), Component | FunctionType):
        above = ", with @component above it"
        if isinstance(found, Component):
            above = ""
        return f" Components begin with a capital letter: call {tag} {capital}{above}, and write <{capital} />."
    return (
        f"{did_you_mean(tag, LOWER_CASE)} The nodes are {', '.join(sorted(LOWER_CASE))}; "
        "a component's name begins with a capital letter."
    )
