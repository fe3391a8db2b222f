"""Breakpoints in words: ``break add finished if state.n > 3``, ``watch n written``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..execution import Execution
from ..history.matching import HANDLERS, KEY_EVENTS, NODE_EVENTS
from ..nodes.tree import Tree
from ..records import Phase
from .options import OptionError, words

BREAK = "[NODE [EVENT] | key=KEY | PHASE | on_error | error] [if EXPR] | remove ID"
WATCH = "[KEY [EVENT]]"

Given = dict[str, Any]  # Any: the arguments of ex.breakpoints.add, by name


def set_or_remove(ex: Execution, text: str) -> object:
    """Set the breakpoint that ``ex.breakpoints.add`` would, remove one, or return all of them.

    ``key=n`` names the argument, and a word alone is a node, a phase or a handler.

    Raises:
        OptionError: if a word belongs to none.
        ValueError: if the breakpoint could never hit.
    """
    condition = re.search(r"(?:^|\s)if(?:\s+(.*))?$", text)
    if condition is None:
        plain, named = _split(text)
    else:
        plain, named = _split(text[: condition.start()])
        named["when"] = condition[1] or ""
    if not plain and not named:
        return ex.breakpoints
    if len(plain) == 2 and plain[0] == "remove" and not named:
        ex.breakpoints.remove(plain[1])
        return ex.breakpoints
    return ex.breakpoints.add(**_target(plain), **named)


def watch(ex: Execution, text: str) -> object:
    """Set a breakpoint on a key of the state, or return all breakpoints.

    Raises:
        OptionError, ValueError: as ``set_or_remove`` does.
    """
    plain, named = _split(text)
    key, event = _two(plain, f"watch takes: {WATCH}")
    if key is None and not named:
        return ex.breakpoints
    return ex.breakpoints.add(**{"key": key, "event": event, **named})


def after_break(ex: Execution, before: Sequence[str]) -> Iterable[str]:
    """Return what may follow ``break`` and the words behind it."""
    if list(before) == ["remove"]:
        return [point.id for point in ex.breakpoints]
    if before:
        return NODE_EVENTS
    ids = (node.id for node in _plan(ex).walk() if node.explicit_id)
    return [*ids, *(phase.value for phase in Phase), *HANDLERS, "error", "if", "remove"]


def after_watch(ex: Execution, before: Sequence[str]) -> Iterable[str]:
    """Return what may follow ``watch`` and the words behind it."""
    if before:
        return KEY_EVENTS[:2]  # The third, "equals", needs a value: equals=3 says it by itself.
    return ex.state


def _target(given: list[str]) -> Given:
    """Return the place of a breakpoint: a node, a phase, a handler or any error, and the event."""
    target, event = _two(given, f"break takes: {BREAK}")
    if target is None:
        return {}
    if target == "error" and event is None:
        return {"error": True}
    if target in set(Phase):
        return {"phase": target, "event": event}
    if target in HANDLERS or event in HANDLERS:
        return {"handler": target, "event": event}
    return {"node": target, "event": event}


def _split(text: str) -> tuple[list[str], Given]:
    """Return the plain words of a line, and those that name an argument of ``ex.breakpoints.add``."""
    plain, named = [], {}
    for word in words(text):
        name, is_named, value = word.partition("=")
        if is_named and name in _READ:
            named[name] = _READ[name](value)
        else:
            plain.append(word)
    return plain, named


def _two(given: list[str], usage: str) -> tuple[str | None, str | None]:
    if len(given) > 2:
        raise OptionError(f"{' '.join(given[2:])!r} is more than {usage}")
    one, other, *_ = [*given, None, None]
    return one, other


def _plan(ex: Execution) -> Tree:
    frame = ex.frame
    if frame is None:  # Breakpoints are set before the first frame, too: then the dry plan has the ids.
        return ex.preview()
    return frame.tree


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise OptionError(f"{text!r} is neither true nor false")
    return _SWITCHES[text.lower()]


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise OptionError(f"{text!r} is no number from 1")
    return int(text)


_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READ: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("node", "key", "handler", "phase", "event", "when"), str),
    **dict.fromkeys(("error", "once", "log"), _switch),
    "equals": _literal,
    "hits": _count,
}
"""The arguments of ``ex.breakpoints.add``, and how each is read."""
