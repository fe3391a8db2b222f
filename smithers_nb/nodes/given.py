"""The types of props for which pydantic's own coercion accepts too much."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool


def _numpys_bool(value: Any) -> Any:  # Any: it is what the user gave
    # Recognised by its names: numpy must not be imported for this.
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return value.item()
    return value


Truth = StrictBool | Annotated[StrictBool, BeforeValidator(_numpys_bool)]
"""True or False, numpy's too. Text and numbers are neither: ``"no"`` is true in Python, and false in pydantic."""

ORDERED = (Sequence, KeysView, ValuesView, ItemsView)


def _in_order(value: Any) -> Any:  # Any: it is what the user gave
    """Return a list of the items of a value that has an order and can be read many times. Text is left to the type.

    Raises:
        ValueError: saying how to make a list.
    """
    if isinstance(value, list | str | bytes | bytearray | memoryview):
        return value
    if isinstance(value, AbstractSet) and not isinstance(value, KeysView | ItemsView):
        raise ValueError(f"this {type(value).__name__} has no order that stays. Give it one: sorted(…)")
    if isinstance(value, ORDERED):
        return list(value)
    raise ValueError(_why_no_list(value))


def _why_no_list(value: object) -> str:
    kind = type(value).__name__
    if value is None:
        return "input should be a list. For none at all give an empty one: … or []"
    if isinstance(value, Mapping):
        return f"this {kind} is no list. Name a part of it: list(….values()), list(….items()) or list(…)"
    if isinstance(value, Iterator):
        return f"this {kind} can be read only once, and a plan is rendered many times. Make a list of it: list(…)"
    if hasattr(value, "to_dicts"):
        return f"this {kind} is read by columns. Give its rows: ….to_dicts()"
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return f'a {kind} is read by columns. Give its rows: ….to_dict("records")'
    if hasattr(value, "tolist"):
        return f"this {kind} is no list. Make one of it: ….tolist()"
    return f"input should be a list, and this {kind} is none"


InOrder = BeforeValidator(_in_order)
"""The check of a list. It refuses sets, whose order changes between processes, and iterators, which are read once."""


def _no_bool(value: Any) -> Any:  # Any: it is what the user gave
    if isinstance(value, bool):
        raise ValueError("input should be a number")
    return value


NoBool = BeforeValidator(_no_bool)
"""The check of a number. It refuses True, which is 1 to Python."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False), NoBool]
"""A time to wait."""
Count = Annotated[int, Field(ge=1), NoBool]
"""A number of things, at least one."""
CountOrNone = Annotated[int, Field(ge=0), NoBool]
"""A number of things, or 0."""
