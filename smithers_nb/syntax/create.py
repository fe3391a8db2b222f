"""``jsx``: what a tag in a cell compiles to."""

from __future__ import annotations

import linecache
from itertools import islice
from typing import Any

from ..errors import PropError, UnknownTagError, did_you_mean
from ..nodes import source as sources
from ..nodes.base import NodeBase
from ..nodes.element import Component, Element, Fragment
from ..nodes.structure import Text
from ..nodes.union import TAGS

Built = NodeBase | Element | Fragment


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
    given = dict(props or {})
    if children:
        if "children" in given:
            raise PropError("children were given twice: between the tags and as a prop. Keep one.")
        given["children"] = children
    if isinstance(tag, str):
        tag = TAGS.get(tag) or (Fragment if tag == "fragment" else tag)
    if isinstance(tag, Component) or tag is Fragment or (isinstance(tag, type) and issubclass(tag, NodeBase)):
        if tag is Text and children:
            given["text"] = "".join(str(child) for child in given.pop("children"))
        try:
            return tag(**given)
        except TypeError as error:
            if tag is not Fragment:
                raise
            raise PropError(f"<Fragment> takes only key and children: {error}", source=sources.caller()) from None
    raise unknown_tag(tag)


def unknown_tag(tag: object) -> UnknownTagError:
    """Return the error for something that can't be a tag."""
    where = sources.caller()
    if isinstance(tag, str):
        names = [*TAGS, "fragment"]
        return UnknownTagError(
            f"<{tag}> is not a node.{did_you_mean(tag, names)} The nodes are {', '.join(sorted(names))}; "
            "a component's name begins with a capital letter.",
            source=where,
        )
    if callable(tag):
        name = getattr(tag, "__name__", repr(tag))
        return UnknownTagError(f"<{name}> is a plain function. Put @component above it.", source=where)
    return UnknownTagError(f"{tag!r:.80} is not a node or a component.", source=where)


def misspelt_tag(error: NameError, known: list[str]) -> UnknownTagError | None:
    """Return the error for a NameError that comes from a tag, ``<Cluade …>``; None if it comes from elsewhere."""
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    if traceback is None or not error.name:
        return None
    code = traceback.tb_frame.f_code
    line, _, column, _ = next(islice(code.co_positions(), traceback.tb_lasti // 2, None), (None,) * 4)
    if line is None or column is None:
        return None
    before = linecache.getline(code.co_filename, line).encode()[:column]
    if not before.endswith(b"<"):
        return None
    return UnknownTagError(
        f"<{error.name}> is not defined.{did_you_mean(error.name, known) or ' Define the component, or import it.'}",
        source=sources.position(code, traceback.tb_lasti),
    )
