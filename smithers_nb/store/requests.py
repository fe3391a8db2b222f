"""Requests to models as they are stored: what a request adds to an earlier one, its base.

A list of messages is stored as pieces: a message, ``[start, stop]`` for those of the base that are the same, or
``{"at": n, …}`` for the n-th of the base with changed fields. The base's messages end with the answer that it got.
A request without a base is stored whole, as every request was before 0005.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records import ModelCall

Json = Any  # Any: what a JSON text holds


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier request of the same task, which later ones are stored against."""

    id: int
    messages: tuple[str, ...]
    """Each as JSON; the last one is the answer, where there was one."""
    history: tuple[str, ...]
    """Likewise the conversation of the agent, which can hold more than the model was given."""
    parameters: str
    """A JSON object."""


def base_of(call: ModelCall, id: int) -> Base:
    """Return a request with its end, in the row of that id, as the base of later ones."""
    answer = () if call.response is None else (call.response,)
    before = call.messages if call.history is None else call.history
    return Base(id, (*call.messages, *answer), (*before, *answer), call.parameters)


def stored(call: ModelCall, base: Base | None) -> tuple[str, str | None, str | None]:
    """Return request, history and parameters of a call as their columns have them."""
    messages: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    parameters = "{}"
    if base is not None:
        messages, before, parameters = base.messages, base.history, base.parameters
    history = None
    if call.history is not None:
        history = shortened(call.history, (*call.messages, *before))
    settings = None
    if call.parameters != parameters:
        settings = compact(patch(json.loads(call.parameters), json.loads(parameters)))
    return shortened(call.messages, messages), history, settings


def shortened(now: Sequence[str], base: Sequence[str]) -> str:
    """Return a list of JSON texts as pieces of a second list.

    >>> shortened(['{"a":1}', '{"b":2}', '{"c":3}'], ['{"a":1}', '{"b":2}'])
    '[[0,2],{"c":3}]'
    """
    places: dict[str, int] | None = None
    pieces: list[str] = []
    run: list[int] = []
    expected = 0
    for text in now:
        at: int | None = expected
        if expected >= len(base) or base[expected] != text:
            if places is None:
                places = {one: place for place, one in reversed(list(enumerate(base)))}
            at = places.get(text)
        if at is not None and run and run[1] == at:
            run[1] = at + 1
        else:
            _close(run, pieces)
            if at is not None:
                run = [at, at + 1]
            else:
                run = []
                piece, of = _changed(text, base, expected)
                pieces.append(piece)
                expected += of == expected
        if at is not None:
            expected = at + 1
    _close(run, pieces)
    return f"[{','.join(pieces)}]"


def whole(pieces: Iterable[Json], base: Sequence[Json]) -> list[Json]:
    """Return the list that ``shortened`` made pieces of; both as what their JSON holds.

    >>> whole([[0, 2], {"c": 3}], [{"a": 1}, {"b": 2}])
    [{'a': 1}, {'b': 2}, {'c': 3}]
    """
    found: list[Json] = []
    for piece in pieces:
        if isinstance(piece, list):
            found += base[piece[0] : piece[1]]
        elif "at" in piece and piece.keys() <= _PATCH:
            found.append(patched(piece, base[piece["at"]]))
        else:
            found.append(piece)
    return found


def patch(now: dict[str, Json], base: dict[str, Json]) -> dict[str, Json]:
    """Return the difference of two objects, which ``patched`` takes back."""
    found: dict[str, Json] = {}
    for name, value in now.items():
        text = compact(value)
        old = base.get(name)
        if name in base and compact(old) == text:
            continue
        if name in _LISTS and isinstance(value, list) and isinstance(old, list):
            pieces = shortened([compact(one) for one in value], [compact(one) for one in old])
            found.setdefault("lists", {})[name] = json.loads(pieces)
        else:
            found.setdefault("but", {})[name] = value
    if gone := [name for name in base if name not in now]:
        found["without"] = gone
    return found


def patched(difference: dict[str, Json], base: dict[str, Json]) -> dict[str, Json]:
    """Return the object of which ``patch`` made a difference."""
    without = difference.get("without", ())
    found = {name: value for name, value in base.items() if name not in without}
    found |= difference.get("but", {})
    for name, pieces in difference.get("lists", {}).items():
        found[name] = whole(pieces, base[name])
    return found


def compact(value: Json) -> str:
    """Return a value as the JSON that messages are written in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_PATCH = {"at", "but", "lists", "without"}
_LISTS = {"parts", "function_tools", "output_tools", "native_tools"}
"""The fields whose lists are stored in pieces: no element of theirs looks like a piece."""


def _close(run: list[int], pieces: list[str]) -> None:
    if run:
        pieces.append(f"[{run[0]},{run[1]}]")


def _changed(text: str, base: Sequence[str], at: int) -> tuple[str, int | None]:
    """Return a text as a change of one of the base, and its place; the text itself and None if that is no shorter."""
    now = json.loads(text)
    if not isinstance(now, dict):
        return text, None
    # The one in this place, or the newest of its kind: two requests of an agent have the same instructions.
    for place in (at, len(base) - 1, len(base) - 2):
        old = json.loads(base[place]) if 0 <= place < len(base) else None
        if isinstance(old, dict) and old.get("kind") == now.get("kind"):
            change = compact({"at": place, **patch(now, old)})
            if len(change) < len(text):
                return change, place
            break
    return text, None


@dataclass(frozen=True, slots=True)
class Whole:
    """A request as it was made; its fields are what their JSON holds."""

    messages: list[Json]
    history: list[Json] | None
    """None if it is the same."""
    parameters: dict[str, Json]


class Assembled:
    """Puts the requests of a task, or of many, together again, read in the order of their ids."""

    def __init__(self) -> None:
        self._bases: dict[int, Whole] = {}

    def read(self, row: Mapping[str, Json]) -> Whole:
        """Return the request of a row, given what its columns id, base_id, request, history, parameters and response
        hold.
        """
        base = self._bases.get(row["base_id"] or 0, Whole([], [], {}))
        messages = whole(row["request"], base.messages)
        told = None
        if row["history"] is not None:
            told = whole(row["history"], [*messages, *(base.history or ())])
        settings = base.parameters
        if row["parameters"] is not None:
            settings = patched(row["parameters"], settings)
        answer = [] if row["response"] is None else [row["response"]]
        before = messages if told is None else told
        self._bases[row["id"]] = Whole([*messages, *answer], [*before, *answer], settings)
        return Whole(messages, told, settings)


def decoded(row: Mapping[str, Json]) -> dict[str, Json]:
    """Return the columns that ``Assembled.read`` takes, with what their JSON holds."""
    return {name: json.loads(value) if isinstance(value, str) else value for name, value in row.items()}


class Texts:
    """Writes messages as JSON; those that several requests share, once."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Json, str]] = {}

    def of(self, messages: Iterable[Json]) -> tuple[str, ...]:
        """Return the JSON of messages."""
        found = []
        for message in messages:
            # The message is kept with its text: an id is used again when its object is gone.
            known = self._texts.setdefault(id(message), (message, ""))[1]
            if not known:
                known = compact(message)
                self._texts[id(message)] = message, known
            found.append(known)
        return tuple(found)
