"""Elements that a function makes and does not return: a missing ``return``."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..nodes.base import NodeBase
from ..nodes.element import Component, Fragment
from .compile import parse
from .transpile import RUNTIME


class Dropped(NamedTuple):
    """An element that stands as a statement of its own."""

    text: str
    """The beginning of its first line."""
    line: int


# Components that return None on purpose do so in many frames.
@lru_cache(maxsize=256)
def dropped_element(function: Callable[..., Any]) -> Dropped | None:
    """Return the last element that a function makes and drops; None if there is none, or its source can't be read."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = parse(source, "<source>")
    except (OSError, TypeError, SyntaxError):
        return None
    found: list[ast.expr] = []
    # A lambda's source is the statement around it, whose elements are not its own.
    if tree.body and isinstance(first := tree.body[0], ast.FunctionDef):
        found = list(dropped_elements(first, function.__globals__))
    if not found:
        return None
    above = function.__code__.co_firstlineno - 1
    return Dropped(first_line(source, found[-1]), above + found[-1].lineno)


def dropped_elements(tree: ast.AST, names: Mapping[str, Any]) -> Iterator[ast.expr]:
    """Yield the elements that stand as statements of their own below ``tree``, but not in inner functions."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and _is_element(child.value, names):
            yield child.value
        elif not isinstance(child, ast.expr | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from dropped_elements(child, names)


def first_line(source: str, node: ast.expr) -> str:
    """Return the first line of a node, shortened."""
    text = (ast.get_source_segment(source, node) or "").split("\n", 1)[0]
    if len(text) <= 60:
        return text
    return f"{text[:59]}…"


def _is_element(value: ast.expr, names: Mapping[str, Any]) -> bool:
    """Return whether an expression gives an element, whatever else it may give."""
    match value:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            return any(_is_element(part, names) for part in parts)
        case ast.IfExp(body=one, orelse=other):
            return _is_element(one, names) or _is_element(other, names)
        case ast.Subscript(value=inner):
            return _is_element(inner, names)
        case ast.Call(func=ast.Name(id=name)):
            maker = names.get(name)
            node = isinstance(maker, type) and issubclass(maker, NodeBase | Fragment)
            return name in {RUNTIME, "jsx"} or node or isinstance(maker, Component)
    return False
