"""The words that load nothing heavy: a shell's prompt may call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from ..store import listed
from ..store.reader import Reader
from ..version import __version__
from .shown import print_json, print_rows, print_text

DB = Annotated[str, "the SQLite file"]
AsJson = Annotated[bool, "print a JSON object a line"]


def list_(*, db: DB = "smithers.db", json: AsJson = False) -> int:
    """Lists the executions of the file, the oldest first, and what each waits for."""
    columns = ("execution_id", "name", "kind", "status", "frame", "waits_for", "updated_at")
    print_rows(listed.executions(Reader(db)), columns, json)
    return 0


def version(*, json: AsJson = False) -> int:
    """Shows the version of smithers_nb."""
    if json:
        print_json([{"version": __version__}])
    else:
        print_text(__version__)
    return 0


HANDLERS: dict[str, Callable[..., int]] = {"list": list_, "version": version}
"""The handlers by word."""
