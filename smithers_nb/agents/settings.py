"""The settings of a model: the names that exist, and the values that they take."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, get_type_hints

from ..errors import did_you_mean

if TYPE_CHECKING:
    from pydantic_ai.models import Model


def wrong_setting(settings: Mapping[str, Any], model: Model, typed: type) -> str | None:  # Any: the user's
    """Return the mistake in the first setting that a model would not take, in words; None if all are right.
    ``typed`` is pydantic-ai's ``ModelSettings``.

    A name that begins with another provider's, such as ``openai_…`` for a model of Anthropic's, is not looked at:
    pydantic-ai ignores it, so that settings can be shared.
    """
    if not settings:
        return None
    own = {name for one in inner_models(model) for name in _own_names(type(one))}
    common = _hints(typed)
    for name, value in settings.items():
        if name == "max_retries":
            return "'max_retries' is not a setting here: the node retries by itself, and records it. Write retries={…}"
        if name in common:
            if why := _wrong_value(common[name], value):
                return f"{name!r} is {value!r:.80}: {why}"
        elif name not in own and not _of_another_provider(name, own):
            return f"no setting is called {name!r}.{did_you_mean(name, common.keys() | own) or _known(common)}"
    return None


def inner_models(model: Model) -> Iterator[Model]:
    """Yield the models that a model hands its requests to, such as those of a ``FallbackModel``; else itself."""
    inner = getattr(model, "models", None) or ([model.wrapped] if hasattr(model, "wrapped") else [])
    if not inner:
        yield model
    for one in inner:
        yield from inner_models(one)


_hints = lru_cache(get_type_hints)


@lru_cache
def _own_names(model: type) -> frozenset[str]:
    """Return the names of the settings that the module of a model's class defines or imports."""
    names: set[str] = set()
    for kind in model.__mro__:
        for name, found in vars(sys.modules.get(kind.__module__, object)).items():
            if name.endswith("ModelSettings") and isinstance(found, type):
                names.update(getattr(found, "__annotations__", ()))
    return frozenset(names)


def _of_another_provider(name: str, own: set[str]) -> bool:
    prefix = name.partition("_")[0]
    if any(one.startswith(f"{prefix}_") for one in own):
        return False
    return "_" in name and prefix.isidentifier() and find_spec(f"pydantic_ai.models.{prefix}") is not None


def _wrong_value(kind: Any, value: Any) -> str | None:  # Any: a type, and what the user gave
    from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

    try:
        TypeAdapter(kind).validate_python(value)
    except PydanticSchemaGenerationError:
        return None  # Of a class of the HTTP client's, which has no schema.
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).lower()
    return None


def _known(names: Mapping[str, object]) -> str:
    return f" There are {', '.join(sorted(names))}, and those of the provider, such as anthropic_… and openai_…"
