"""Checks of the arguments of public functions, before anything is done with them.

Without them, a wrong argument raises somewhere in the engine or in SQLite, long after the call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from operator import index
from typing import Any, ParamSpec, TypeVar

from .errors import clean, did_you_mean, kind_of

P = ParamSpec("P")
R = TypeVar("R")

Check = Callable[[str, Any], Any]
"""A check gets the name and the value of an argument, and returns the value that the function is called with."""

INT64 = 2**63 - 1
"""The largest whole number that SQLite holds."""


def takes(**checks: Check) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check the arguments of these names whenever the function is called.

    Raises:
        TypeError: if an argument is of another type.
        ValueError: if it is of the right type and can't be used.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = signature(function).parameters
        assert checks.keys() <= parameters.keys(), f"{function.__qualname__} has no such parameters"
        positional = [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        call: Callable[..., R] = function

        @wraps(function)
        def checked(*args: P.args, **named: P.kwargs) -> R:
            # Too many arguments, and wrong names, are passed on: Python's own error is the one that people know.
            given = [_checked(name, value) for name, value in zip(positional, args, strict=False)]
            rest = args[len(positional) :]
            return call(*given, *rest, **{name: _checked(name, value) for name, value in named.items()})

        def _checked(name: str, value: object) -> object:
            if name not in checks:
                return value
            return checks[name](name, value)

        return checked

    return decorate


def optional(check: Check) -> Check:
    """Return a check that takes None, too."""

    def check_or_none(name: str, value: Any) -> Any:
        if value is None:
            return None
        return check(name, value)

    return check_or_none


def instance(what: str, *kinds: type) -> Check:
    """Return a check for objects of these classes; ``what`` names them in the error."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, kinds):
            raise wrong(name, value, what)
        return value

    return check


def text(name: str, value: Any) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def full_text(name: str, value: Any) -> str:
    """Take a text that is not empty, as it is recorded."""
    if not text(name, value).strip():
        raise ValueError(f"{name}={value!r} is empty; it takes a text with something in it.")
    return clean(value)


def integer(name: str, value: Any, what: str = "a whole number") -> int:
    """Take a whole number, one of numpy too; True and False are none."""
    # index(), because numpy's integers are no int, and int() would take 2.7 and "2".
    try:
        number = index(value)
    except TypeError:
        raise wrong(name, value, what) from None
    # True is an int to Python. As a number of frames it is a mistake: run(True) was meant to be something else.
    if isinstance(value, bool):
        raise wrong(name, value, what)
    return number


def whole(least: int = -INT64 - 1) -> Check:
    """Return a check for whole numbers from ``least`` on that SQLite can hold."""
    what = "a whole number"
    if least >= -INT64:
        what = f"a whole number from {least}"

    def check(name: str, value: Any) -> int:
        number = integer(name, value, what)
        if number < least:
            raise ValueError(f"{name}={number} is too small; it takes {what}.")
        if number > INT64:
            raise ValueError(f"{name}={number} is too large; it takes at most {INT64:,}.")
        return number

    return check


def seconds(name: str, value: Any) -> float:
    """Take a time in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, value, "a number of seconds")
    return value


def flag(name: str, value: Any) -> bool:
    """Take True or False."""
    if not isinstance(value, bool):
        raise wrong(name, value, "True or False")
    return value


def function(name: str, value: Any) -> Any:
    """Take a function."""
    if not callable(value):
        raise wrong(name, value, "a function")
    return value


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """Take a dict."""
    if not isinstance(value, Mapping):
        raise wrong(name, value, "a dict")
    return value


def named(name: str, value: Any) -> Mapping[str, Any]:
    """Take a dict whose keys are texts."""
    for key in mapping(name, value):
        if not isinstance(key, str):
            raise TypeError(f"{name} has the key {key!r:.60}, which is {kind_of(key)}; its keys are texts.")
    return dict(value)


def parameters(name: str, value: Any) -> Any:
    """Take the parameters of a query: a list or a tuple for ``?``, a dict for ``:name``."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | Mapping):
        raise wrong(name, value, "a list for the ? of the query, or a dict for its :names")
    return value


def choice(*options: str) -> Check:
    """Return a check for one of a few words."""

    def check(name: str, value: Any) -> str:
        if value not in options:
            raise ValueError(f"{name}={value!r:.60} is none of {', '.join(options)}.")
        return str(value)

    return check


def choices(*options: str) -> Check:
    """Return a check for several of a few words."""

    def check(name: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise wrong(name, value, f"a list of {', '.join(map(repr, options))}; () for none")
        found = tuple(dict.fromkeys(value))
        for one in found:
            if one not in options:
                near = did_you_mean(str(one), options)
                raise ValueError(
                    f"{name}={found!r:.120} can't be used: {one!r:.60} is none of {', '.join(options)}.{near}"
                )
        return found

    return check


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Take a list of texts."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise wrong(name, value, "a list of texts; () for none")
    return tuple(dict.fromkeys(full_text(name, one) for one in value))


def path(name: str, value: Any) -> Any:
    """Take the path of a file."""
    if not isinstance(value, str | os.PathLike) or not isinstance(found := os.fspath(value), str):
        raise wrong(name, value, "the path of a file")
    # A lone surrogate (clean) or a NUL fails in the system call, with an error that does not name the argument.
    if not found.strip() or "\0" in found or clean(found) != found:
        raise ValueError(
            f"{name}={found!r:.60} is no path of a file: it is empty, or has a character that no path has. Write "
            f"{name}='runs/a.db', say."
        )
    return value


def wrong(name: str, value: Any, what: str) -> TypeError:
    """Return the error for an argument of another type than ``what``."""
    return TypeError(f"{name}={value!r:.60} is {kind_of(value)}; it takes {what}.")
