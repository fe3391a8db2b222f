"""Where in the user's code a node was made."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from itertools import islice
from os.path import basename, dirname
from types import CodeType, TracebackType

PACKAGE = dirname(dirname(__file__))


def caller() -> str | None:
    """Return ``file:line:column`` of the nearest frame outside of this package.

    In a ``%%smithers`` cell the column is that of the JSX tag, since the cell's positions are the source's.
    """
    frame = sys._getframe(1)
    while frame is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back  # type: ignore[assignment]  # None at the outermost frame ends the loop
    return None if frame is None else position(frame.f_code, frame.f_lasti)


def of_function(function: object) -> str | None:
    """Return ``file:line`` of a function's definition; None for a builtin."""
    code = getattr(function, "__code__", None)
    return f"{short(code.co_filename)}:{code.co_firstlineno}" if code else None


def of_traceback(traceback: TracebackType | None) -> str | None:
    """Return the position of the innermost frame outside of this package."""
    found = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not _is_ours(code.co_filename):
            found = position(code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


@lru_cache(maxsize=4096)
def position(code: CodeType, instruction: int) -> str:
    """Return ``file:line:column`` of an instruction, with the column from 1 as in JupyterLab's status bar."""
    line, _, column, _ = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
    place = f"{short(code.co_filename)}:{line or code.co_firstlineno}"
    return place if column is None else f"{place}:{column + 1}"


def short(filename: str) -> str:
    """Return a file name as people say it.

    >>> short("<smithers:report:0a1b2c3d>"), short("/tmp/ipykernel_7/123.py"), short("/home/me/app.py")
    ('report', 'cell 123', 'app.py')
    """
    if cell := re.fullmatch(r"<smithers:(.*):[0-9a-f]{8}>", filename):
        return cell[1]
    if re.search(r"ipykernel_\d+", dirname(filename)):
        return f"cell {basename(filename).removesuffix('.py')}"
    return basename(filename) or filename


@lru_cache(maxsize=1024)
def _is_ours(filename: str) -> bool:
    return filename.startswith(PACKAGE)
