"""Positions in the user's code: of the call that made a node, of a function, of an error."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from itertools import islice
from os.path import basename, dirname
from types import CodeType, FrameType, TracebackType

from ..errors import whose

_inside = lru_cache(maxsize=1024)(whose)


def caller() -> str | None:
    """Return ``file:line:column`` of the nearest frame of the user's: outside of this package and of libraries.

    In a ``%%smithers`` cell the column is that of the JSX tag, since the cell's positions are the source's.
    """
    found = calling_frame()
    return found and position(found.f_code, found.f_lasti)


def calling_frame() -> FrameType | None:
    """Return the nearest frame of the user's."""
    # Not inspect.stack(), which reads the source of every frame: each node asks for its caller.
    frame: FrameType | None = sys._getframe(1)
    nearest = None
    while frame is not None and (inside := _inside(frame.f_code.co_filename)):
        if inside == "library" and nearest is None:
            nearest = frame
        frame = frame.f_back
    # An app that is itself an installed package has no other place.
    return frame or nearest


def of_function(function: object) -> str | None:
    """Return ``file:line`` of a function's definition; None for a builtin."""
    code = getattr(function, "__code__", None)
    return code and f"{short(code.co_filename)}:{code.co_firstlineno}"


def of_traceback(traceback: TracebackType | None) -> str | None:
    """Return the position of the innermost frame of the user's: outside of this package and of libraries."""
    found: dict[str | None, str] = {}
    while traceback is not None:
        code = traceback.tb_frame.f_code
        found[_inside(code.co_filename)] = position(code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found.get(None) or found.get("library")


def position(code: CodeType, instruction: int) -> str:
    """Return ``file:line:column`` of an instruction, with the column from 1 as in JupyterLab's status bar."""
    # Code objects of equal text compare equal whichever file and lines they are from; so file and lines are in the key.
    return _position(code.co_filename, code.co_linetable, code, instruction)


@lru_cache(maxsize=4096)
def _position(_filename: str, _lines: bytes, code: CodeType, instruction: int) -> str:
    line, _, column, _ = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
    place = f"{short(code.co_filename)}:{line or code.co_firstlineno}"
    if column is None:
        return place
    return f"{place}:{column + 1}"


def short(filename: str) -> str:
    """Return the short name of a file for messages.

    >>> short("<smithers:report:0a1b2c3d>"), short("/tmp/ipykernel_7/123.py"), short("/home/me/app.py")
    ('report', 'cell 123', 'app.py')
    """
    if cell := re.fullmatch(r"<smithers:(.*):[0-9a-f]{8}>", filename):
        return cell[1]
    if re.search(r"ipykernel_\d+", dirname(filename)):
        return f"cell {basename(filename).removesuffix('.py')}"
    return basename(filename) or filename
