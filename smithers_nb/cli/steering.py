"""The registry's commands that write, as words: on an execution that no process has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from ..commands import COMMANDS, Command
from ..steering import STEERING, steer
from .listing import DB, AsJson
from .looking import Id
from .shown import print_json, print_text


def _handler(command: Command) -> Callable[..., int]:
    """Return the handler of a word: the id of an execution, then the arguments of the command."""

    def handler(id: str, *, db: str = "smithers.db", json: bool = False, **given: Any) -> int:  # Any: as declared
        steered = steer(db, id, command, given)
        if json:
            print_json([steered])
        else:
            print_text(steered.text)
        return 0

    own = list(inspect.signature(command.handler).parameters.values())[1:]
    types = get_type_hints(command.handler, include_extras=True)
    first, *last = list(inspect.signature(handler).parameters.values())[:3]
    # A comment or arguments as JSON are options here: a shell quotes them, where a line of words takes the rest.
    needed = [one for one in own if one.default is one.empty]
    named = [one.replace(kind=one.KEYWORD_ONLY) for one in own if one.default is not one.empty]
    handler.__signature__ = inspect.Signature([first, *needed, *named, *last])  # type: ignore[attr-defined]
    handler.__doc__ = command.doc
    handler.__annotations__ = {**{one.name: types[one.name] for one in own}, "id": Id, "db": DB, "json": AsJson}
    return handler


HANDLERS = {COMMANDS[name].word: _handler(COMMANDS[name]) for name in STEERING}
"""The handlers by word."""
