"""Values that would meet a condition of the code: the edits of the state that a search for the smallest one tries."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from .records import DELETED, MISSING, Condition, Exists, StatePart
from .records.ghost import part

MOST = 12
"""The most values of one key that are tried for one condition."""


def meeting(test: Condition | Exists, state: dict[str, Any], recorded: Iterable[Any]) -> list[Any]:
    """Return values of the tested key that may meet a condition, likely ones first.

    ``recorded`` are values that the key had in other frames: an edit to one of them is one that could happen.
    """
    if isinstance(test, Exists):
        return [*recorded, True][:MOST] if test.wanted else [DELETED]
    # For a length the value of which it is the length is made.
    now = dataclasses.replace(test.part, length=False).value(state)
    if now is MISSING:
        now = None
    constant = test.value
    if isinstance(constant, StatePart):
        constant = constant.value(state)
    whole = state.get(test.part.key, test.part.default)
    found = []
    for value in _values(test, now, constant):
        made = _put(whole, test.part.path, value)
        if made is not MISSING:
            found.append(made)
    if test.op in ("true", "false", "!="):
        found += [value for value in recorded if not test.part.path and not test.part.length]
    # A candidate that surely fails is not worth a rendering; one of which nothing is sure may be.
    fitting = [value for value in found if test.holds({**state, test.part.key: value}) is not False]
    return fitting[:MOST]


def _values(test: Condition, now: Any, constant: Any) -> Iterator[Any]:
    """Yield values of the tested part."""
    if test.part.length:
        if isinstance(constant, int):
            for length in _numbers(test.op, constant):
                yield from _of_length(now, length)
        return
    match test.op:
        case "==":
            yield constant
        case "!=" | "not in":
            yield from _others(constant)
        case "<" | "<=" | ">" | ">=":
            if isinstance(constant, int | float):
                yield from _numbers(test.op, constant)
            else:
                yield constant
        case "in":
            yield from list(constant)[:MOST]
        case "holds" | "lacks":
            yield from _held(now, constant, test.op == "holds")
        case "true":
            yield from _true(now)
        case "false":
            yield from (_empty(now), None)


def _numbers(op: str, constant: float) -> Iterator[Any]:
    step = {"<": -1, ">": 1, "!=": 1}.get(op, 0)
    yield constant + step


def _others(constant: Any) -> Iterator[Any]:
    match constant:
        case bool():
            yield not constant
        case int() | float():
            yield from (constant + 1, constant - 1)
        case str():
            yield f"{constant}…"
            yield None
        case None:
            yield from (True, 1, "…", [])
        case _:
            yield None


def _held(now: Any, constant: Any, inside: bool) -> Iterator[Any]:
    """Yield a container with a value in it, or without it."""
    match now:
        case dict():
            rest = {key: value for key, value in now.items() if key != constant}
            yield {**rest, constant: True} if inside else rest
        case list() | tuple():
            kept = [one for one in now if one != constant]
            yield type(now)([*now, constant] if inside else kept)
        case set() | frozenset():
            yield now | {constant} if inside else now - {constant}
        case str() if isinstance(constant, str):
            yield f"{now} {constant}".strip() if inside else now.replace(constant, "")
        # Nothing is there yet: a list and a dict both hold what is in them.
        case None if inside:
            yield from ([constant], {constant: True})


def _true(now: Any) -> Iterator[Any]:
    match now:
        case bool() | None:
            yield from (True, 1, "…", ["…"])
        case int() | float():
            yield 1
        case str():
            yield "…"
        case list() | tuple() | set():
            yield type(now)(["…"])
        case dict():
            yield {"…": True}


def _empty(now: Any) -> Any:
    if isinstance(now, bool | int | float | str | list | tuple | set | dict):
        return type(now)()
    return None


def _of_length(now: Any, length: int) -> Iterator[Any]:
    """Yield a container of a length: the present one, cut, or filled up with its last item."""
    if length < 0:
        return
    if isinstance(now, str):
        yield now[:length].ljust(length, "…")
        return
    items: list[Any] = []
    if isinstance(now, list | tuple):
        items = list(now[:length])
    filler = items[-1:] or ["…"]
    yield [*items, *filler * (length - len(items))]


def _put(whole: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a value with a part replaced; ``MISSING`` where it has no such part and can't get one."""
    # From the outside in, and back: each container around the part is replaced by a copy.
    if not path:
        return value
    step, rest = path[0], path[1:]
    inner = _put(part(whole, step), rest, value)
    if inner is MISSING:
        return MISSING
    match whole:
        case dict():
            return {**whole, step: inner}
        case list() if isinstance(step, int) and -len(whole) <= step < len(whole):
            changed = list(whole)
            changed[step] = inner
            return changed
        # A copy: what the other frames read must stay as it was.
        case BaseModel() if isinstance(step, str) and step in type(whole).model_fields:
            return whole.model_copy(update={step: inner})
        case None if isinstance(step, str):
            return {step: inner}
    if dataclasses.is_dataclass(whole) and not isinstance(whole, type) and isinstance(step, str):
        changed_one = copy.copy(whole)
        object.__setattr__(changed_one, step, inner)
        return changed_one
    return MISSING
