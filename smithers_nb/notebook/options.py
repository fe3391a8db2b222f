"""The options of ``%%smithers``."""

from __future__ import annotations

import argparse
import ast
import builtins
import keyword
import re
import shlex
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import StringIO
from typing import Literal, NoReturn

from ..errors import did_you_mean

FILE = "smithers.db"
"""The default SQLite file."""


class OptionError(ValueError):
    """Something on the ``%%smithers`` or ``%smithers`` line that is no option of it."""


@dataclass(frozen=True, slots=True)
class CellOptions:
    """The options of a ``%%smithers`` line."""

    name: str
    root: str | None
    db: str
    props: str | None
    show: Literal["stepper", "tree", "xml", "code"]
    step: int
    """The number of frames to step at once; 0 for none."""
    run: bool
    keep: bool
    resume: bool
    dry: bool
    branch: str | None
    """The name of the branch; "" for the next free one, None for no branch."""
    allow_repeat: tuple[str, ...]
    """The tasks and tools that the branch may repeat."""
    max_frames: int
    runner: str | None
    """The address of the engine whose workers run the tasks; None for the kernel."""
    send_code: bool
    """True to send them the code of tools and types that they can't import."""
    quiet: bool
    predict: bool
    learner: str | None
    embed: bool


class _Parser(argparse.ArgumentParser):
    """argparse that raises instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message}. See %%smithers?")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise OptionError(message or self.format_help())


def _parser() -> _Parser:
    # Without abbreviations: an option that is added later must not make an old notebook's --re ambiguous.
    parser = _Parser(prog="%%smithers", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "name", nargs="?", default="ex", help="what the execution is called, and bound to (default: ex)"
    )
    parser.add_argument("--root", metavar="C", help="the component to render (default: App, or the cell's last one)")
    parser.add_argument("--db", metavar="PATH", default=FILE, help=f"the SQLite file (default: {FILE})")
    parser.add_argument("--props", metavar="EXPR", help="a Python expression for the root's props: a dict")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--step", metavar="N", type=int, help="step N frames before showing it")
    how.add_argument("--run", action="store_true", help="run it to the end")
    how.add_argument("--show", choices=["stepper", "tree", "xml", "code"], default="stepper", help="what to show")
    old = parser.add_mutually_exclusive_group()
    old.add_argument("--keep", action="store_true", help="put the new code under the running execution's state")
    old.add_argument("--resume", action="store_true", help="go on with the newest unfinished one of this name")
    old.add_argument(
        "--dry", action="store_true", help="show how the recorded frames differ with this code; nothing is changed"
    )
    old.add_argument(
        "--branch",
        nargs="?",
        const="",
        metavar="BRANCH",
        help="fork before the first frame that differs, as BRANCH (default: NAME_2 …)",
    )
    parser.add_argument(
        "--allow-repeat", metavar="NAMES", help="tasks and tools that --branch may repeat, separated by commas"
    )
    parser.add_argument("--max-frames", type=int, default=1000, help="how many frames one run renders at most")
    parser.add_argument(
        "--runner", metavar="URL", help="run agents and functions on workers: postgresql://user@host/database"
    )
    parser.add_argument(
        "--send-code", action="store_true", help="send workers the code of tools, types and functions of this notebook"
    )
    parser.add_argument("--predict", action="store_true", help="ask what the next frame will do before each step")
    parser.add_argument("--learner", metavar="L", help="the name of the one who predicts")
    parser.add_argument("--quiet", action="store_true", help="show nothing")
    parser.add_argument(
        "--embed", action="store_true", help="keep the run in the notebook as a page that needs no kernel: nbconvert's"
    )
    return parser


def cell_options(
    line: str, public: Collection[str] = (), expand: Callable[[str], str] = lambda text: text
) -> CellOptions:
    """Return the options of a ``%%smithers`` line.

    ``expand`` replaces the notebook's variables in it, but not in --props, which is Python. ``public`` are the names
    that the notebook has from this package.

    Raises:
        OptionError: for anything that is not one of them.
    """
    rest, props = _without_props(line)
    found, more = _parser().parse_known_args([*words(expand(rest)), *props])
    if more:
        near = " One name is taken, and no more."
        if more[0].startswith("-"):
            options = [option for action in _parser()._actions for option in action.option_strings]
            near = did_you_mean(more[0], options)
        raise OptionError(f"unrecognized arguments: {' '.join(more)}.{near} See %%smithers?")
    found.name = unicodedata.normalize("NFKC", found.name)
    if why := _no_name(found.name, public):
        raise OptionError(f"{found.name!r} can't be the name of {why}. Write %%smithers report, say.")
    if found.max_frames < 1 or (found.step is not None and found.step < 1):
        raise OptionError("--max-frames and --step take a number from 1")
    if not found.db:
        raise OptionError("--db takes the path of a file, and not an empty text")
    _refuse_senseless(found, public)
    found.step = found.step or 0
    found.allow_repeat = tuple(filter(None, (found.allow_repeat or "").split(",")))
    return CellOptions(**vars(found))


def _refuse_senseless(found: argparse.Namespace, public: Collection[str]) -> None:
    if found.dry and (found.run or found.step or found.quiet or found.show != "stepper"):
        raise OptionError(
            "--dry executes nothing, and shows what differs: it goes without --run, --step, --show, --quiet"
        )
    if found.predict and (found.run or found.quiet or found.dry or found.show != "stepper"):
        raise OptionError(
            "--predict asks before each step of the stepper: it goes without --run, --quiet, --dry and --show"
        )
    if found.learner is not None and not found.predict:
        raise OptionError("--learner names the one who predicts: it goes with --predict")
    if found.allow_repeat is not None and found.branch is None:
        raise OptionError("--allow-repeat says what a branch may repeat: it goes with --branch")
    if found.branch:
        found.branch = unicodedata.normalize("NFKC", found.branch)
        if why := _no_name(found.branch, public):
            raise OptionError(f"{found.branch!r} can't be the name of {why}. Write --branch shorter, say.")
        if found.branch == found.name:
            raise OptionError(f"--branch {found.branch}: the branch takes another name than the execution, which stays")


def offered(line: str) -> list[str]:
    """Return the options that may stand at the end of a ``%%smithers`` line.

    >>> offered("%%smithers report --br")
    ['--branch']
    """
    typed = line.rsplit(None, 1)[-1] if not line.endswith(" ") else ""
    if typed and not typed.startswith("-"):
        return []
    options = [option for action in _parser()._actions for option in action.option_strings]
    return [option for option in options if option.startswith(typed)]


def words(text: str) -> list[str]:
    """Return the words of a line: quotes hold one together, and a backslash is one, as in a path of Windows.

    >>> words(r"--db 'C:\\my files\\x.db' --run")
    ['--db', 'C:\\\\my files\\\\x.db', '--run']

    Raises:
        OptionError: if a quote is not closed.
    """
    try:
        return list(lexer(text))
    except ValueError as error:
        raise OptionError(f"{error} in {text!r}") from None


def lexer(text: str | StringIO) -> shlex.shlex:
    """Return what splits a line into words; an open quote raises ``ValueError`` there."""
    found = shlex.shlex(text, posix=True, punctuation_chars=False)
    found.whitespace_split = True
    # A "#" is no comment here, and a backslash escapes nothing: paths of Windows have them.
    found.commenters = found.escape = ""
    return found


def _no_name(name: str, public: Collection[str]) -> str | None:
    """Return why a variable of this name can't hold the execution."""
    if not name.isidentifier():
        return "a variable"
    if keyword.iskeyword(name):
        return f"a variable: {name} is a keyword of Python"
    if name in public:
        return f"an execution: {name} is one of smithers_nb's own, and cells need it"
    if name.startswith("_") or name in _IPYTHONS:
        return "an execution: IPython and Python have such names for themselves"
    if hasattr(builtins, name):
        return f"an execution: {name} is a builtin of Python, and cells need it"
    return None


_IPYTHONS = frozenset({"In", "Out", "exit", "quit", "get_ipython"})


def _without_props(line: str) -> tuple[str, list[str]]:
    """Take ``--props EXPR`` out of a line. An expression has quotes, spaces and dashes of its own: it ends before an
    option, or at the end of the line, as soon as it is whole; else it is the longest part that is whole.
    """
    found = re.search(r"(?<!\S)--props(?:=[ \t]*|[ \t]+)(?=\S)", line)
    if found is None:
        return line, []
    text = line[found.end() :].rstrip()
    options = [mark.start() for mark in re.finditer(r"\s+--[a-z]", text)]
    others = [mark.start() for mark in re.finditer(r"\s+", text)]
    ends = [*options, len(text), *reversed(others)]
    end = next((end for end in ends if _is_expression(text[:end])), (*options, len(text))[0])
    expression = text[:end]
    if expression[0] in "\"'" and expression[-1] == expression[0]:
        expression = expression[1:-1]  # Quoted as for a shell.
    return f"{line[: found.start()]} {text[end:]}", [f"--props={expression}"]


def _is_expression(text: str) -> bool:
    try:
        compile(text, "<props>", "eval", ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError):
        return False
    return True


def usage() -> str:
    """Return the help text."""
    return _parser().format_help()
