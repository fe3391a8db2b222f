"""The options of ``%%smithers``."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass
from typing import Literal, NoReturn

FILE = "smithers.db"
"""The SQLite file, unless another one is named."""


class OptionError(ValueError):
    """Something on the ``%%smithers`` or ``%smithers`` line that is no option of it."""


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What stands on the ``%%smithers`` line."""

    name: str
    root: str | None
    db: str
    props: str | None
    show: Literal["stepper", "tree", "xml", "code"]
    step: int
    """How many frames to step at once."""
    run: bool
    keep: bool
    resume: bool
    max_frames: int
    quiet: bool


class _Parser(argparse.ArgumentParser):
    """argparse that raises instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"%%smithers: {message}. See %%smithers?")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise OptionError(message or self.format_help())


def _parser() -> _Parser:
    parser = _Parser(prog="%%smithers", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "name", nargs="?", default="ex", help="what the execution is called, and bound to (default: ex)"
    )
    parser.add_argument("--root", metavar="C", help="the component to render (default: App, or the cell's last one)")
    parser.add_argument("--db", metavar="PATH", default=FILE, help=f"the SQLite file (default: {FILE})")
    parser.add_argument("--props", metavar="EXPR", help="a Python expression for the root's props: a dict")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--step", metavar="N", type=int, default=0, help="step N frames before showing it")
    how.add_argument("--run", action="store_true", help="run it to the end")
    how.add_argument("--show", choices=["stepper", "tree", "xml", "code"], default="stepper", help="what to show")
    old = parser.add_mutually_exclusive_group()
    old.add_argument("--keep", action="store_true", help="put the new code under the running execution's state")
    old.add_argument("--resume", action="store_true", help="go on with the newest unfinished one of this name")
    parser.add_argument("--max-frames", type=int, default=1000, help="how many frames one run renders at most")
    parser.add_argument("--quiet", action="store_true", help="show nothing")
    return parser


def cell_options(line: str) -> CellOptions:
    """Return the options of a ``%%smithers`` line.

    Raises:
        OptionError: for anything that is not one of them.
    """
    try:
        rest, props = _without_props(line)
        words = shlex.split(rest)
    except ValueError as error:
        raise OptionError(f"%%smithers: {error} in {line!r}") from None
    found = _parser().parse_args([*words, *props])
    if not found.name.isidentifier():
        raise OptionError(f"%%smithers: {found.name!r} can't be the name of a variable. Write %%smithers report, say.")
    if found.max_frames < 1 or found.step < 0:
        raise OptionError("%%smithers: --max-frames and --step take a number from 1")
    return CellOptions(**vars(found))


def _without_props(line: str) -> tuple[str, list[str]]:
    """Take ``--props EXPR`` out of a line: an expression has quotes and spaces of its own, up to the next option."""
    found = re.search(r"(?<!\S)--props[ =]+(\S.*?)(?=\s+--[a-z]|\s*$)", line)
    if found is None:
        return line, []
    text = found[1]
    if text[0] in "\"'" and text[-1] == text[0]:
        text = " ".join(shlex.split(text))  # Quoted as for a shell.
    return line[: found.start()] + line[found.end() :], ["--props", text]


def usage() -> str:
    """Return the help text."""
    return _parser().format_help()
