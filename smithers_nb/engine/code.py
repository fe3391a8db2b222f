"""The name of an app's code, and a hash of it, by which a later process sees whether it has the same code."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from typing import Any

from ..captured import captured_by
from ..nodes.base import NodeBase
from ..nodes.element import Component, Element, Fragment
from ..nodes.handlers import Handlers


def name_of(app: object) -> str:
    """Return the component's name, or the node's type."""
    if isinstance(app, Element):
        app = app.component
    if isinstance(app, Component):
        return app.name
    return str(getattr(app, "type", type(app).__name__))


def code_hash(app: object) -> str:
    """Return 12 hex digits of the source of an app, with the components and functions that it names."""
    try:
        text = "\n".join(_parts(app, set()))
    except RecursionError:  # RENDER says what is wrong with it.
        text = name_of(app)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield what tells one app from another; nothing that differs from process to process, such as an address."""
    if value is None or isinstance(value, str | int | float):
        yield repr(value)
    elif id(value) in seen:
        return
    elif isinstance(value, Component):
        seen.add(id(value))
        yield _source(value.function)
        for captured in captured_by(value.function):
            if isinstance(captured, Component | Element | NodeBase) or inspect.isfunction(captured):
                yield from _parts(captured, seen)
    elif isinstance(value, Element):
        yield from _parts([value.component, *value.children], seen)  # Props are data.
    elif isinstance(value, Fragment):
        yield from _parts(value.children, seen)
    elif isinstance(value, NodeBase | Handlers):
        yield type(value).__name__
        for name, part in value.__dict__.items():
            if name != "source" and not isinstance(part, list | dict):  # Lists and dicts are data, and may grow.
                yield name
                yield from _parts(part, seen)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _parts(part, seen)
    elif callable(value):
        seen.add(id(value))
        yield _source(value)
    else:
        yield type(value).__qualname__


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # Made by hand, or in a place without a file.
        return str(getattr(function, "__qualname__", type(function).__qualname__))
