"""The code of a cell: parsed as JSX in Python, and run in a namespace. IPython is not needed for it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..bridge import engine
from ..errors import PlanError
from ..nodes.element import Fragment
from ..syntax.compile import parse, remember
from ..syntax.create import jsx
from ..syntax.names import meant_as_text, misspelt_tag
from ..syntax.transpile import FRAGMENT, RUNTIME


@dataclass(frozen=True, slots=True)
class ParsedCell:
    """A parsed cell."""

    filename: str
    tree: ast.Module
    """The cell without its last expression."""
    expression: ast.Expression | None
    """The last expression. Compiled by itself: exec() gives nothing back, and the cell's value may be its root."""


def parsed(source: str, filename: str, transform: Callable[[str], str] = str) -> ParsedCell:
    """Return a cell, and remember its source for tracebacks; ``transform`` is IPython's, for its own syntax.

    Raises:
        SyntaxError: with the cell's own lines.
    """
    remember(filename, source)
    tree = parse(source, filename, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, transform=transform)
    expression = None
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        expression = ast.Expression(last.value)
        tree.body.pop()
    return ParsedCell(filename, tree, expression)


def executed(cell: ParsedCell, names: dict[str, Any]) -> object:  # Any: a user's namespace
    """Run a cell with these names, and return the value of its last expression.

    Raises:
        UnknownTagError, PlanError: for a tag or braces that name nothing.
    """
    names[RUNTIME] = jsx
    names[FRAGMENT] = Fragment
    value = None
    try:
        _execute(compile(cell.tree, cell.filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if cell.expression is not None:
            value = _execute(compile(cell.expression, cell.filename, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    except NameError as error:
        if told := misspelt_tag(error) or _placeholder(error):
            raise told from error
        raise
    return value


def _execute(code: Any, names: dict[str, Any]) -> Any:
    """Run compiled code in the user's namespace; its awaits run on the engine's loop."""
    __tracebackhide__ = "__ipython_bottom__"  # IPython's tracebacks begin below this frame: with the user's cell.
    value = eval(code, names)  # it is the cell's own code
    if code.co_flags & inspect.CO_COROUTINE:
        return engine.call(value)
    return value


def _placeholder(error: NameError) -> PlanError | None:
    """Return the error for ``{placeholder}`` in the text of an element at the root of the cell."""
    if text := meant_as_text(error):
        return PlanError(f"{error}.{text}")
    return None
