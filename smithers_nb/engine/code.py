"""The name of an app's code, and hashes by which another process, or a branch, sees that code or a call is the same."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

from ..captured import PLAIN, Inside, captured_by, read_by
from ..errors import whose
from ..nodes.base import NodeBase
from ..nodes.element import Component, Element, Fragment
from ..nodes.handlers import Handlers
from ..nodes.runnable import Task
from ..records import TaskCall
from ..values import Unstorable, encode, shown


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


def texts_of(app: object) -> set[str]:
    """Return the texts and names that stand in the code of an app, its components and the functions that it names, and
    those in its nodes and props: every key and model that is named there, and more.
    """
    found: set[str] = set()
    waiting, seen = [app], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.add(value)
        elif id(value) not in seen:
            seen.add(id(value))
            waiting.extend(_inside(value))
    return found


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Component):
        return [value.function]
    if isinstance(value, Element):
        return [value.component, *value.children, *value.props.values()]
    if isinstance(value, Fragment):
        return value.children
    if isinstance(value, NodeBase | Handlers):
        return value.__dict__.values()
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, CodeType):
        return [*value.co_consts, *value.co_names]
    if isinstance(value := inspect.unwrap(value) if callable(value) else value, FunctionType):
        captured = (one for one in captured_by(value) if isinstance(one, Component | NodeBase | FunctionType | str))
        return [value.__code__, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *captured]
    return ()


_sources: WeakKeyDictionary[FunctionType, tuple[CodeType, str]] = WeakKeyDictionary()
"""The sources of functions that were hashed, with the code that they had."""


def _source(function: Any) -> str:
    plain = inspect.unwrap(function)
    # Finding a source reads it token by token: a twentieth of a small execution. IPython's autoreload puts new code
    # into the same function.
    if isinstance(plain, FunctionType) and (known := _sources.get(plain)) is not None and known[0] is plain.__code__:
        return known[1]
    try:
        found = inspect.getsource(function)
    except (OSError, TypeError):  # Made by hand, or in a place without a file.
        found = str(getattr(function, "__qualname__", type(function).__qualname__))
    if isinstance(plain, FunctionType):
        _sources[plain] = plain.__code__, found
    return found


def call_of(task: Task) -> TaskCall:
    """Return what the function of a task is called with, in short."""
    function = _hash(*_of_function(task.run, set()))
    try:
        args = encode(task.args)
    except Unstorable:
        # Equal in what is shown of them need not be equal: the result of one call is not that of the other.
        return TaskCall(_hash(json.dumps(shown(task.args))), None)
    return TaskCall(_hash(args.text, args.type), function)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def _of_function(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield what tells one function from another: its code, and the functions and values that it sees."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, MethodType):
        yield from _of_function(value.__func__, seen)
        yield Inside([value.__self__]).text
        return
    if isinstance(value, partial):
        yield from _of_function(value.func, seen)
        yield Inside([value.args, value.keywords]).text
        return
    plain = inspect.unwrap(value)
    code = getattr(plain, "__code__", None)
    if code is None or whose(code.co_filename) is not None:
        # A library's, or an object that can be called.
        yield f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
        return
    yield _of_code(code)
    yield Inside([plain.__defaults__, plain.__kwdefaults__]).text
    values = captured_by(plain)
    read = read_by(plain, values)
    for place, captured in enumerate(values):
        if inspect.isroutine(captured) or isinstance(captured, partial):
            yield from _of_function(captured, seen)
        elif type(captured) in PLAIN or place in read:
            # What it only adds to, such as a log, differs after each call.
            yield Inside([captured]).text


@lru_cache(maxsize=4096)
def _of_code(code: CodeType) -> str:
    """Return what code does, without the lines that it stands in."""
    parts = [code.co_code.hex(), *code.co_names, *code.co_varnames, *code.co_freevars]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            parts.append(_of_code(constant))
        elif isinstance(constant, frozenset):
            parts.append(repr(sorted(map(repr, constant))))  # Its own order differs from process to process.
        else:
            parts.append(repr(constant))
    return _hash(*parts)
