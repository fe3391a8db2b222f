"""Edits of the state: values by key, or the mark for a key that is removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Deletion:
    """The class of ``DELETED``, the mark for a key that an edit of the state removes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DELETED"


DELETED = Deletion()
"""Removes a key: ``ex.fork(state={"draft": DELETED})``, ``ex.what_if({"draft": DELETED})``."""


def edited(state: Mapping[str, Any], edit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state after an edit.

    >>> edited({"a": 1, "b": 2}, {"a": 3, "b": DELETED})
    {'a': 3}
    """
    return {key: value for key, value in {**state, **edit}.items() if value is not DELETED}
