"""The help that ``Claude?`` and ``help(Claude)`` show: a node's props with types and defaults, and its handlers."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from functools import lru_cache
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from .handlers import EVENTS, Handlers

if TYPE_CHECKING:
    from .base import NodeBase

SHARED = ("key", "id")
"""Props that every node has."""


class Prop(NamedTuple):
    """A prop or a handler of a node, for its help."""

    name: str
    kind: str
    default: object
    says: str
    """The attribute's docstring; "" where there is none, or no source code is installed."""

    def __str__(self) -> str:
        head = f"{self.name} : {self.kind}"
        if self.default is not Parameter.empty:
            head += f", default {self.default!r}"
        return "\n".join([head, *(f"    {line.strip()}" for line in self.says.splitlines())])


def describe(node: type[NodeBase]) -> None:
    """Give a node class a signature and a docstring that list its props."""
    text = node.__doc__ or ""
    sign(node)
    node.__doc__ = _WhenRead(lambda node: _docstring(node, text))  # type: ignore[assignment]  # a text when it is read


def sign(node: type[NodeBase]) -> None:
    """Give a node class a signature that lists its props."""
    node.__signature__ = _WhenRead(_signature)  # type: ignore[assignment]  # a Signature when it is read


class _WhenRead:
    """An attribute of a class that is made when it is read.

    Few programs read these texts, and all import the nodes: making them at import would cost each program the time.
    """

    def __init__(self, make: Callable[[type[NodeBase]], object]) -> None:
        self.make = make

    def __get__(self, _node: object, node: type[NodeBase]) -> object:
        return self.make(node)


def _signature(node: type[NodeBase]) -> Signature:
    given = [
        Parameter(prop.name, Parameter.KEYWORD_ONLY, default=prop.default, annotation=_Written(prop.kind))
        for prop in _props(node)
    ]
    return Signature(sorted(given, key=lambda one: one.default is not Parameter.empty))


def _docstring(node: type[NodeBase], text: str) -> str:
    props = list(_props(node))
    sections = [inspect.cleandoc(text)]
    for title, shown in (
        ("Props", [str(prop) for prop in props if prop.name not in EVENTS]),
        ("Handlers", [str(prop) for prop in props if prop.name in EVENTS]),
    ):
        if shown:
            sections.append("\n".join([title, "-" * len(title), *shown]))
    return "\n\n".join(sections)


class _Written(str):
    """A type in a signature, which shows it without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _props(node: type[NodeBase]) -> Iterator[Prop]:
    names = [*(name for name, _ in node.declared), *SHARED]
    for name, field in ((name, node.model_fields[name]) for name in names):
        if name not in node.spelled.values():
            yield Prop(node.spelled.get(name, name), written(field.annotation), _default(field), _says(node, name))
    if node.runnable:
        for event in EVENTS:
            yield Prop(event, "function", None, _says(Handlers, event))


def _default(field: FieldInfo) -> object:
    if field.is_required():
        return Parameter.empty
    return field.get_default(call_default_factory=True)


def written(annotation: Any) -> str:  # Any: whatever a type annotation may be
    """Return the name of a type as a person would write it, without the checks that pydantic adds to it.

    >>> written(Annotated[list[int], "at least one"]), written(Literal["a", "b"] | None), written(Callable[..., Any])
    ('list[int]', "'a' | 'b' | None", 'function')
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return written(inner[0])
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(written(one) for one in inner))
    if origin is Literal:
        return " | ".join(repr(one) for one in inner)
    if origin is not None and issubclass(origin, Callable):  # type: ignore[arg-type]  # an abstract class
        return "function"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(written(one) for one in inner)}]"
    if annotation in (None, type(None)):
        return "None"
    return getattr(annotation, "__name__", str(annotation))


def _says(owner: type, name: str) -> str:
    """Return the docstring below an attribute of a class, or of one that it inherits from."""
    found = (_attribute_docstrings(base.__module__).get((base.__name__, name), "") for base in owner.__mro__)
    return next((text for text in found if text), "")


@lru_cache
def _attribute_docstrings(module: str) -> dict[tuple[str, str], str]:
    """Return the docstrings of the attributes of a module's classes, by class and name."""
    if not module.startswith(__package__):
        return {}
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # Installed without its source.
        return {}
    classes = [statement for statement in tree.body if isinstance(statement, ast.ClassDef)]
    return {
        (owner.name, one.target.id): inspect.cleandoc(below.value.value)
        for owner in classes
        for one, below in zip(owner.body, owner.body[1:], strict=False)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }
