"""Names that are not defined: misspelt tags, and text in braces that was not meant as Python."""

from __future__ import annotations

import linecache
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from types import FrameType
from typing import Any

from ..errors import UnknownTagError, did_you_mean
from ..nodes import source as sources
from ..nodes.union import TAGS
from .compile import offset_of
from .transpile import as_text, transpile


def misspelt_tag(error: NameError) -> UnknownTagError | None:
    """Return the error for a NameError that comes from a tag, ``<Cluade …>``, or from a call, ``Cluade(…)``, whose name
    is near to that of a node or a component; None if it comes from elsewhere.
    """
    place = _place(error)
    if place is None:
        return None
    name = place.name
    near = did_you_mean(name, _known_tags(place.frame))
    if place.before.endswith("<"):
        instead = near or f" Define the component, or import it. {as_text(f'<{name}>')}."
        return UnknownTagError(f"<{name}> is not defined.{instead}", source=place.position)
    if near and name[0].isupper() and place.after.startswith(("(", "[")):
        return UnknownTagError(f"{name} is not defined.{near}", source=place.position)
    return None


def meant_as_text(error: NameError) -> str:
    """Return how braces that begin with an undefined name, ``{placeholder}``, are written as text; "" for none."""
    place = _place(error)
    opened = _OPENED.search(place.before) if place is not None else None
    if place is None or opened is None:
        return ""
    try:
        braces = transpile(place.source).child_at(place.start)
    except SyntaxError:  # It is no source of a cell.
        return ""
    return f" {as_text(braces)}." if braces is not None and braces.startswith(opened[0]) else ""


def in_scope(frame: FrameType | None) -> Mapping[str, Any]:  # Any: whatever the user has
    """Return what the names of a frame stand for."""
    return {**frame.f_globals, **frame.f_locals} if frame is not None else {}


_OPENED = re.compile(r"\{[{\s]*$")


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of an undefined name in the user's code."""

    name: str
    frame: FrameType
    position: str
    source: str
    start: int
    end: int

    @property
    def before(self) -> str:
        return self.source[: self.start]

    @property
    def after(self) -> str:
        return self.source[self.end :]


def _place(error: NameError) -> _Place | None:
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    if traceback is None or not error.name:
        return None
    code, instruction = traceback.tb_frame.f_code, traceback.tb_lasti
    found = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    line, end_line, column, end_column = found
    if line is None or end_line is None or column is None or end_column is None:
        return None
    source = "".join(linecache.getlines(code.co_filename))
    if not source:
        return None
    start, end = offset_of(source, line, column), offset_of(source, end_line, end_column)
    return _Place(error.name, traceback.tb_frame, sources.position(code, instruction), source, start, end)


def _known_tags(frame: FrameType) -> list[str]:
    nodes = [node.__name__ for node in TAGS.values()]
    return [*nodes, "Fragment", *(name for name in in_scope(frame) if name[:1].isupper())]
