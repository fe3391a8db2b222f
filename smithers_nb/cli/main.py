"""The door of the command line: the word, its arguments, its handler, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from ..errors import (
    ApprovalError,
    ExecutionOwnedError,
    RunError,
    SmithersError,
    StoreError,
    UnknownExecutionError,
    did_you_mean,
)
from .codes import FAILED, FINISHED, OWNED, STOPPED, USAGE
from .errors import ProgramRaisedError
from .grammar import parser_of
from .shown import complain, print_text
from .words import WORDS, handler_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute a line of words and return the exit code: 0 finished, 1 failed, 2 wrong usage, 3 waiting for people,
    4 another process has the execution, 5 stopped early, 130 interrupted.
    """
    # A word that the terminal's encoding lacks must not end a listing.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a text stream, unless a test replaced it
    if arguments is None:
        arguments = sys.argv[1:]
    if not arguments:
        print_text(usage(), error=True)
        return USAGE
    word, *rest = arguments
    if word in ("-h", "--help", "help"):
        print_text(usage())
        return FINISHED
    if word not in WORDS:
        return complain(f"{word!r} is no word of smithers.{did_you_mean(word, WORDS)} smithers --help lists them.")
    return _execute(word, rest)


def _execute(word: str, rest: list[str]) -> int:
    try:
        handler = handler_of(word)
        return handler(**vars(parser_of(word, handler).parse_args(rest)))
    # What is wrong with the words or the file is told in a line.
    except KeyboardInterrupt:
        return complain("interrupted", STOPPED)
    except BrokenPipeError:
        # The reader has enough: head, or a pager that was left. Python would complain at its exit otherwise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINISHED
    except ProgramRaisedError as raised:
        traceback.print_exception(raised.__cause__)
        return FAILED
    except ExecutionOwnedError as error:
        return complain(str(error), OWNED)
    except (UnknownExecutionError, StoreError, ApprovalError, RunError, ValueError, LookupError) as error:
        return complain(str(error))
    except SmithersError as error:
        return complain(str(error), FAILED)


def usage() -> str:
    """Return the help text."""
    lines = [f"  {word:<12} {doc}" for word, (_, doc) in WORDS.items()]
    return "\n".join(
        [
            "smithers WORD …: executions of a file, from a shell",
            "",
            *lines,
            "",
            "smithers WORD --help tells its arguments. --db FILE names the file, by default smithers.db;",
            "with --json each line of the output is a JSON object.",
            "Exit codes: 0 finished, 1 failed, 2 wrong usage, 3 waiting for people, 4 another process has the",
            "execution, 5 stopped early by --until or --max-frames, 130 interrupted.",
        ]
    )
