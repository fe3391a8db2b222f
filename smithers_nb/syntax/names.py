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
    # At run time, not in a check of the tree beforehand: only then are the names known that the cell defines.
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
    """Return advice for braces that begin with an undefined name, ``{placeholder}``, and may be text; "" for others."""
    place = _place(error)
    if place is None:
        return ""
    opened = _OPENED.search(place.before)
    if opened is None:
        return ""
    try:
        braces = transpile(place.source).child_at(place.start)
    except SyntaxError:  # It is no source of a cell.
        return ""
    if braces is None or not braces.startswith(opened[0]):
        return ""
    return f" {as_text(braces)}."


def in_scope(frame: FrameType | None) -> Mapping[str, Any]:  # Any: whatever the user has
    """Return the values of the names that a frame can see, builtins and enclosing functions aside."""
    if frame is None:
        return {}
    return {**frame.f_globals, **frame.f_locals}


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
    # A NameError has no position of its own: the one of the failed instruction tells a tag from any other use.
    code, instruction = traceback.tb_frame.f_code, traceback.tb_lasti
    found = next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    line, end_line, column, end_column = found
    if line is None or end_line is None or column is None or end_column is None:
        return None
    source = "".join(linecache.getlines(code.co_filename))
    if not source:
        return None
    start, end = offset_of(source, line, column), offset_of(source, end_line, end_column)
    return _Place(
        name=error.name,
        frame=traceback.tb_frame,
        position=sources.position(code, instruction),
        source=source,
        start=start,
        end=end,
    )


def _known_tags(frame: FrameType) -> list[str]:
    nodes = [node.__name__ for node in TAGS.values()]
    return [*nodes, "Fragment", *(name for name in in_scope(frame) if name[:1].isupper())]
