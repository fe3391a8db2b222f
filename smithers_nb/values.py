"""What can be stored, and how it is written: JSON text beside a type name.

A value is storable when it comes back equal: None, bool, int, finite float, str, lists and dicts (with str keys)
of these, and pydantic models. Anything else is refused when it is set, not when it is missed.
"""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from .errors import clean

logger = logging.getLogger(__name__)

IMMUTABLE = (str, int, float, bool, type(None))
LONGEST = 400_000_000
"""Bytes of a value's JSON that are stored: a row of SQLite's holds 1,000,000,000, and one of a write the old value and
the new one.
"""


class Stored(NamedTuple):
    """A value as the store keeps it."""

    text: str
    """JSON."""
    type: str
    """``str``, ``int``, ``float``, ``bool``, ``NoneType``, ``list``, ``dict``, or ``module:Class`` of a model."""


class Held(Stored):
    """A volatile value: the object itself, beside what is shown of it. It equals one that holds the same object, or an
    equal one of the same type.
    """

    value: Any  # Any: it is what the user set

    @classmethod
    def of(cls, value: object) -> Held:
        """Return any value, held; nothing is refused."""
        held = cls(_shown_text(value), type(value).__qualname__)
        held.value = value
        return held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and same(self.value, other.value)

    def __ne__(self, other: object) -> bool:  # A tuple has its own.
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # what it holds may have none


class Unstorable(ValueError):
    """Why a value can't be stored, in words. The caller adds which one it was and who set it."""


def encode(value: object) -> Stored:
    """Return the value as JSON text and type name.

    Raises:
        Unstorable: if it would not come back equal.

    >>> encode({"a": [1, 2.5, None]})
    Stored(text='{"a":[1,2.5,null]}', type='dict')
    """
    try:
        if isinstance(value, BaseModel):
            return _checked(value, value.model_dump_json(), f"{type(value).__module__}:{type(value).__qualname__}")
        kind = type(value)
        if kind not in (str, int, float, bool, type(None), list, dict):
            name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
            raise Unstorable(f"a {name} is not JSON{_advice(value)}")
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return _checked(value, text, kind.__name__)
    except RecursionError:
        raise Unstorable("it is nested too deeply, or contains itself") from None
    except UnicodeEncodeError:
        raise Unstorable(
            "it contains a lone surrogate, which is no valid text: decode it with errors='replace' where it comes from"
        ) from None
    except (TypeError, ValueError) as error:
        if isinstance(error, Unstorable):
            raise
        if "Out of range float" in str(error):
            raise Unstorable("NaN and infinity are not JSON: use None, or text") from None
        raise Unstorable(f"{error}") from None


def _checked(value: object, text: str, kind: str) -> Stored:
    # A lone surrogate passes json.dumps and fails in SQLite.
    if (size := len(text.encode())) > LONGEST:
        raise Unstorable(
            f"it has {size:,} bytes, at most {LONGEST:,} are stored: write it to a file, and store its name"
        )
    if not isinstance(value, IMMUTABLE) and decode(Stored(text, kind), strict=value) != value:
        raise Unstorable(f"it would come back different, because of {_culprit(value)}")
    return Stored(text, kind)


def storable(value: Any) -> Any:  # Any: it is what the user gave
    """Return the value if it can be stored: a check for the props of nodes.

    Raises:
        ValueError: saying why not.
    """
    try:
        encode(value)
    except Unstorable as why:
        raise ValueError(f"it must be storable: {why}") from None
    return value


def _culprit(value: object, where: str = "") -> str:
    """Say what in a value is not JSON, and where: a tuple, or a key that is not text."""
    here = f" at {where}" if where else ""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                return f"the key {key!r}{here}: keys are text in JSON"
            if found := _culprit(item, f"{where}[{key!r}]"):
                return found
    elif isinstance(value, list | tuple):
        if isinstance(value, tuple):
            return f"the tuple{here}: use a list"
        for place, item in enumerate(value):
            if found := _culprit(item, f"{where}[{place}]"):
                return found
    elif isinstance(value, BaseModel):
        return f"the {type(value).__name__}{here}: its own JSON reads back as something else"
    return ""


def _advice(value: object) -> str:
    if isinstance(value, tuple | set | frozenset):
        return ": use list(…)"
    if hasattr(value, "to_dict"):
        return ": store its .to_dict(), or a file name"
    return ": store its fields as a dict, or use a pydantic model"


def decode(stored: Stored, strict: object = None) -> Any:  # Any: it is what the user stored
    """Return a fresh value; changing it in place changes nothing else. One that is held is the object itself.

    A pydantic model whose class can't be found in this process comes back as a dict, with a warning.
    ``strict`` is a model to take the class from.
    """
    if isinstance(stored, Held):
        return stored.value
    if ":" not in stored.type:
        return json.loads(stored.text)
    model = type(strict) if isinstance(strict, BaseModel) else _model(stored.type)
    if model is None:
        logger.warning("%s is not defined in this process: its value is read as a dict", stored.type)
        return json.loads(stored.text)
    try:
        return model.model_validate_json(stored.text)
    except ValidationError as error:
        raise Unstorable(f"{stored.type} does not accept its own JSON: {error}") from None


def _model(name: str) -> type[BaseModel] | None:
    module, _, qualname = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def shown(value: object) -> object:
    """Return the value with everything that is not JSON replaced by ``TypeName(…)``, never a memory address.

    This is how props appear in the XML and in the store.

    >>> shown({"f": len, "n": 1, "t": (1, object())})
    {'f': 'builtin_function_or_method(len)', 'n': 1, 't': [1, 'object(…)']}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, int | float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, dict):
        return {clean(str(key)): shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    name = getattr(value, "__name__", None)
    return f"{type(value).__name__}({name if isinstance(name, str) else '…'})"


def cleaned(value: Any) -> Any:  # Any: what a program made
    """Return the value with lone surrogates replaced in the texts that its lists, tuples and dicts hold.

    >>> cleaned([1, {"a": "b\\ud800"}])
    [1, {'a': 'b�'}]
    """
    if isinstance(value, str):
        return clean(value) if type(value) is str else value
    if type(value) is dict:
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(cleaned(item) for item in value)
    return value


def readable(value: object) -> Stored:
    """Return the value as it is stored; of one that can't be, what is shown of it.

    >>> readable({1, 2})
    Held(text='"set(…)"', type='set')
    """
    try:
        return encode(value)
    except Unstorable:
        return Held.of(value)


def _shown_text(value: object) -> str:
    try:
        text = json.dumps(shown(value), ensure_ascii=False)
        if len(text) > LONGEST // 4:
            return json.dumps(f"{type(value).__name__}(…)")
        return text if text.isprintable() else json.dumps(json.loads(text))
    except Exception:  # noqa: BLE001  # the user's object: it may contain itself, or fail to say what it is
        return json.dumps(f"{type(value).__name__}(…)")


def same(one: object, other: object) -> bool:
    """Whether two values are one object, or equal ones of one type."""
    if one is other:
        return True
    try:
        # An array's == gives an array, which is neither true nor false.
        return type(one) is type(other) and (one == other) is True
    except Exception:  # noqa: BLE001  # the user's __eq__; what can't be compared counts as another value
        return False
