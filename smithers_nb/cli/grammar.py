"""A parser for the arguments of a word, made from the signature of its handler.

A parameter without a default is positional; one with a default is too, unless it is keyword-only: then it is an
option. A description is a text in ``Annotated``, or that of pydantic's ``Field``, as the registry's commands have it.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints


def parser_of(word: str, handler: Callable[..., object]) -> argparse.ArgumentParser:
    """Return the parser of a word; ``--db`` and ``--json`` are options of each."""
    doc = " ".join((inspect.getdoc(handler) or "").split())
    parser = argparse.ArgumentParser(prog=f"smithers {word}", description=doc, allow_abbrev=False)
    types = get_type_hints(handler, include_extras=True)
    for parameter in inspect.signature(handler).parameters.values():
        _add(parser, parameter, types[parameter.name])
    return parser


def _add(parser: argparse.ArgumentParser, parameter: inspect.Parameter, declared: object) -> None:
    kind, help = _kind(declared), _description(declared)
    name = parameter.name.rstrip("_")
    settings: dict[str, Any] = {"help": help}  # Any: what argparse takes
    given = parameter.default is not parameter.empty
    if given:
        settings["default"] = parameter.default
    if parameter.kind is not parameter.KEYWORD_ONLY:
        if given:
            settings["nargs"] = "?"
        # By the name of the parameter, with which the handler is called.
        parser.add_argument(parameter.name, type=kind, metavar=name.upper(), **settings)
        return
    option = f"--{name.replace('_', '-')}"
    settings |= {"dest": parameter.name, "required": not given}
    if kind is bool:
        parser.add_argument(option, action="store_true", **settings)
    elif kind is list:
        parser.add_argument(option, action="append", metavar=name.upper(), **(settings | {"default": []}))
    else:
        parser.add_argument(option, type=kind, metavar=name.upper(), **settings)


def _kind(declared: object) -> Callable[[str], object]:
    """Return the type of an argument, of which None is left out."""
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    if isinstance(declared, UnionType):
        declared = next(one for one in get_args(declared) if one is not type(None))
    kind: Callable[[str], object] = get_origin(declared) or declared  # type: ignore[assignment]  # a class
    return kind


def _description(declared: object) -> str:
    if get_origin(declared) is not Annotated:
        return ""
    for one in get_args(declared)[1:]:
        if isinstance(one, str):
            return one
        if found := getattr(one, "description", None):
            return str(found)
    return ""
