"""The root of a cell's tree: its last expression, ``App``, or the last component that it defines."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from ..nodes.base import NodeBase
from ..nodes.element import Component, Element, Fragment
from ..syntax.returned import dropped_elements, first_line
from .options import OptionError

Root = Component | Element | NodeBase | Fragment | list  # type: ignore[type-arg]  # for isinstance


def root_of(source: str, tree: ast.Module, value: object, names: Mapping[str, Any]) -> object:
    """Return what a cell renders that was run.

    ``tree`` is the cell without its last expression, ``value`` what that gave, and ``names`` are the notebook's.

    Raises:
        OptionError: if there is nothing to render, or more than one thing.
    """
    if (dropped := next(dropped_elements(tree, names), None)) is not None:
        raise OptionError(
            f"{first_line(source, dropped)} on line {dropped.lineno} is dropped: a cell renders its last expression. "
            "Put what belongs together into <>…</>, or give the element a name."
        )
    if isinstance(value, Root):
        return value
    bound = list(dict.fromkeys(bound_names(tree)))
    if "App" in bound and isinstance(names.get("App"), Root):
        return names["App"]
    # What is only imported is there to be used, unless it is called App.
    imported = {name for statement in ast.walk(tree) for name in _imported(statement)}
    found = [names[name] for name in bound if name not in imported and isinstance(names.get(name), Component)]
    if not found:
        raise OptionError(f"the cell defines no component. {_what_instead(bound, names)}")
    return found[-1]


def bound_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that code binds outside of functions and classes, in order: by def, assignment or import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from _imported(node)
            yield from bound_names(node)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


def _what_instead(bound: list[str], names: Mapping[str, Any]) -> str:
    plain = next((name for name in reversed(bound) if isinstance(names.get(name), FunctionType)), None)
    if plain is not None:
        return f"{plain} is a plain function: put @component above it. Or end the cell with a tag."
    element = next((name for name in reversed(bound) if isinstance(names.get(name), Root)), None)
    if element is not None:
        return f"To render {element}, end the cell with its name, or call it App."
    return "Put @component above a function that returns nodes, end the cell with a tag, or name the root with --root."
