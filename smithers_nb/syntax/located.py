"""The syntax tree of a function, with the positions of its source: of a cell, a module, or a lambda in either."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterator
from functools import lru_cache
from tokenize import TokenError
from types import CodeType, FunctionType
from typing import NamedTuple

from ..nodes import source as sources
from .compile import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Located(NamedTuple):
    """A function in the text that it was compiled from."""

    tree: Function
    text: str
    filename: str

    def position(self, node: ast.expr | ast.stmt | ast.pattern | ast.excepthandler) -> str:
        """Return ``file:line:column``, as nodes have it."""
        return f"{sources.short(self.filename)}:{node.lineno}:{node.col_offset + 1}"

    def segment(self, node: ast.AST) -> str:
        """Return the source of a node in one line."""
        return " ".join((ast.get_source_segment(self.text, node) or ast.unparse(node)).split())


def located(function: FunctionType) -> Located | str:
    """Return where a function stands; in words why that can't be told."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        return "its source is not there"
    for text in ("".join(lines), _alone(function, lines)):
        tree = _parsed(text, code.co_filename)
        if isinstance(tree, ast.Module):
            break
    else:
        return f"its source can't be parsed: {tree}"
    found = next(_matching(tree, code), None)
    if found is None:
        return "its source has changed since it was defined"
    return Located(found, text, code.co_filename)


def _alone(function: FunctionType, lines: list[str]) -> str:
    """Return the text without all but the function: what else stands in a notebook cell may be no Python."""
    try:
        block, first = inspect.getsourcelines(function)
    except (OSError, TypeError, SyntaxError, TokenError):
        return "".join(lines)
    above = ["\n"] * (first - 1)
    # An inner function keeps its columns below a line that opens a block.
    if above and block[0][:1].isspace():
        above[-1] = "if 1:\n"
    return "".join([*above, *block])


@lru_cache(maxsize=64)
def _parsed(text: str, filename: str) -> ast.Module | str:
    try:
        return parse(text, filename)
    except SyntaxError as error:
        return str(error.msg)


def _matching(tree: ast.Module, code: CodeType) -> Iterator[Function]:
    places = None
    for node in ast.walk(tree):
        if not isinstance(node, FUNCTIONS):
            continue
        if isinstance(node, ast.Lambda):
            if code.co_name != "<lambda>" or node.lineno != code.co_firstlineno:
                continue
            places = places or {position[0::2] for position in code.co_positions()}
            # Several lambdas may begin on one line.
            if (node.body.lineno, node.body.col_offset) in places:
                yield node
        elif node.name == code.co_name and code.co_firstlineno == _first_line(node):
            yield node


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
