"""The grammar of ``%smithers``: words become the arguments of a command, and arguments its usage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ..commands import InWords
from ..records.publication import Publication
from .options import OptionError, lexer


def read(word: str, model: type[BaseModel], text: str) -> BaseModel:
    """Return the arguments in what follows a word: in their order, or by name as ``name=value``.

    Raises:
        OptionError: if one is missing, wrong or too many.
    """
    given = dict(_pairs(word, model, text))
    missing = [name for name, field in model.model_fields.items() if field.is_required() and not given.get(name)]
    if missing:
        description = model.model_fields[missing[0]].description or missing[0]
        raise OptionError(f"{word} needs {description}: {word} {takes(model)}")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise OptionError(_wrong(model, first)) from None


def takes(model: type[BaseModel]) -> str:
    """Return the arguments for the help: ``APPROVAL CHOICE [COMMENT …]``."""
    return " ".join(_placeholder(name, field) for name, field in model.model_fields.items())


def offered(model: type[BaseModel], before: int, now: Publication) -> Iterable[str]:
    """Return the suggestions for the argument that has ``before`` others in front of it."""
    fields = list(model.model_fields.values())
    if before >= len(fields):
        return ()
    offers = _in_words(fields[before]).offers
    if offers is not None:
        return offers(now)
    return _choices(fields[before])


def _pairs(word: str, model: type[BaseModel], text: str) -> Iterator[tuple[str, str]]:
    """Yield the arguments by name.

    Raises:
        OptionError: if something is left over.
    """
    left = dict(model.model_fields)
    while text := text.strip():
        # Only the name of an argument makes "x=1" a named one: "n=3" in an expression is a part of it.
        by_name = re.match(r"(\w+)=", text)
        if by_name is not None and by_name[1] in left:
            name, text = by_name[1], text[by_name.end() :]
        elif left:
            name = next(iter(left))
        else:
            raise OptionError(_too_much(word, model, text))
        if _in_words(left.pop(name)).rest:
            # An expression or JSON is not split into words: its quotes and spaces belong to it.
            yield name, text
            return
        value, text = _first_word(text)
        yield name, value


def _first_word(text: str) -> tuple[str, str]:
    """Return the first word of a line without its quotes, and the rest of the line as it is.

    Raises:
        OptionError: if a quote is not closed.
    """
    source = StringIO(text)
    try:
        word = lexer(source).get_token()
    except ValueError as error:
        raise OptionError(f"{error} in {text!r}") from None
    return word or "", source.read()


def _too_much(word: str, model: type[BaseModel], text: str) -> str:
    if not model.model_fields:
        return f"{text!r} is neither the variable of an execution nor anything that belongs here"
    return f"{text!r} is more than {word} takes: {takes(model)}"


def _wrong(model: type[BaseModel], error: Any) -> str:  # Any: pydantic's ErrorDetails
    """Return the message for a value that the model does not take."""
    text, kind = error["input"], error["type"]
    if kind in ("int_parsing", "greater_than_equal"):
        least = error.get("ctx", {}).get("ge", 1)
        return f"{text!r} is no number from {least}"
    if kind == "bool_parsing":
        return f"{text!r} is neither true nor false"
    if kind == "literal_error":
        field = model.model_fields[error["loc"][0]]
        return f"{text!r} is none of {', '.join(_choices(field))}"
    return f"{text!r}: {error['msg']}"


def _placeholder(name: str, field: FieldInfo) -> str:
    shown = name.upper()
    if _in_words(field).rest:
        shown += " …"
    if field.is_required():
        return shown
    return f"[{shown}]"


def _in_words(field: FieldInfo) -> InWords:
    return next((found for found in field.metadata if isinstance(found, InWords)), InWords())


def _choices(field: FieldInfo) -> tuple[str, ...]:
    if get_origin(field.annotation) is not Literal:
        return ()
    return get_args(field.annotation)
