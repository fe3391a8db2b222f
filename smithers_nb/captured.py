"""What a function sees besides its arguments: the globals that it names, and the variables that it closes over."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any


def captured_by(function: Callable[..., Any]) -> list[object]:
    """Return their present values, in an order that stays; a global that is not defined, or a builtin, is None.

    The functions inside of it count, too. An object without Python code, such as a builtin, captures nothing.
    """
    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return []
    names = getattr(plain, "__globals__", {})
    cells = getattr(plain, "__closure__", None) or ()
    return [*(names.get(name) for name in _names(code)), *(_content(cell) for cell in cells)]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # Not filled yet.
        return None
