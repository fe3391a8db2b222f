"""Encoding of values that can be stored: JSON text beside the name of its type (``typed`` has the notation).

A value is storable when it comes back equal and of the same types, at every depth: JSON, and what pydantic can write
and read without loss. Anything else is refused when it is set, not when it is missed.
"""

from __future__ import annotations

import json
import marshal
from typing import Any, NamedTuple

from pydantic_core import from_json

from .errors import StoreError, clean
from .typed import IMMUTABLE, JSON_SCALARS, Unreadable, Unstorable, pack, read, write_json

LONGEST = 400_000_000
"""Bytes of a value's JSON that are stored: a row of SQLite's holds 1,000,000,000, and one of a write the old value and
the new one.
"""

__all__ = [
    "IMMUTABLE",
    "JSON_SCALARS",
    "Held",
    "Stored",
    "Unreadable",
    "Unstorable",
    "cleaned",
    "decode",
    "encode",
    "legible",
    "like",
    "opened",
    "readable",
    "same",
    "shown",
    "storable",
    "value_of",
]


class Stored(NamedTuple):
    """A value as the store keeps it."""

    text: str
    """JSON."""
    type: str
    """``str``, ``int``, ``float``, ``bool``, ``NoneType``, ``list``, ``dict`` of plain JSON; else as ``typed`` says."""


class Held(Stored):
    """A volatile value: the object itself, with a JSON text to show. It equals one that holds the same object, or one
    that is equal and of the same type.
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

    __hash__ = None  # type: ignore[assignment]  # the object may have none


_JSON = frozenset({*(kind.__name__ for kind in JSON_SCALARS), "list", "dict", "json"})


def encode(value: object, place: str = "") -> Stored:
    """Return the value as JSON text and the name of its type; ``place`` is how it is called in errors.

    Raises:
        Unstorable: if it would not come back equal and of the same types.

    >>> encode({"a": [1, 2.5, None]})
    Stored(text='{"a":[1,2.5,null]}', type='dict')
    >>> encode({"a": (1, b"text"), "b": 2})
    Stored(text='{"a":[1,"dGV4dA=="],"b":2}', type='dict["a": tuple[1: bytes]]')
    """
    kind = type(value)
    if kind in JSON_SCALARS or kind is dict or kind is list:
        plain: Any = value
        try:
            text = write_json(plain)
            # marshal tells exact types apart (a StrEnum from a str), at a tenth of the cost of looking at each.
            if kind in JSON_SCALARS or marshal.dumps(plain, _VALUES) == marshal.dumps(_loaded(text), _VALUES):
                return _sized(text, kind.__name__)
        except Unstorable:
            raise
        except (TypeError, ValueError, RecursionError):
            pass  # The slow way below finds out which part it is, and where.
    try:
        data, name = pack(value, place)
        return _sized(write_json(data), name)
    except RecursionError:
        raise Unstorable("it is nested too deeply, or contains itself") from None
    except (TypeError, ValueError) as error:
        if isinstance(error, Unstorable):
            raise
        if "Out of range float" in str(error):
            raise Unstorable("NaN and infinity are not JSON: use None, or text") from None
        raise Unstorable(f"{error}") from None


def _sized(text: str, kind: str) -> Stored:
    # A lone surrogate passes the encoder and fails in SQLite.
    if (size := len(text.encode())) > LONGEST:
        raise Unstorable(
            f"it has {size:,} bytes, at most {LONGEST:,} are stored: write it to a file, and store its name"
        )
    return Stored(text, kind)


def _loaded(text: str) -> Any:  # Any: JSON
    try:
        return from_json(text)  # In half the time of json.loads, but not as deep.
    except ValueError:
        return json.loads(text)


_VALUES = 2
"""The version of marshal's format that depends on the values alone: later ones tell objects apart."""


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


def decode(stored: Stored) -> Any:  # Any: it is what the user stored
    """Return a fresh value; changing it in place changes nothing else. One that is held is the object itself.

    Raises:
        Unreadable: if its class is not there, or does not accept the stored JSON.
    """
    if isinstance(stored, Held):
        return stored.value
    if stored.type in _JSON:
        return json.loads(stored.text)
    return read(stored.text, stored.type)


def like(plain: Stored, kind: str) -> Stored:
    """Return plain JSON as a value of a type, as that type writes it; JSON itself, and null, stay as they are.

    Raises:
        Unreadable: if the class is not there, or does not accept the JSON.
        Unstorable: if the value that it makes can't be stored.

    >>> like(Stored('"2026-11-29"', "str"), "date")
    Stored(text='"2026-11-29"', type='date')
    """
    if kind in _JSON or plain.type == "NoneType":
        return plain
    return encode(read(plain.text, kind))


def opened(stored: Stored, what: str, instead: str) -> Any:  # Any: it is what the user stored
    """Return a value that was read from the file; ``instead`` is what to do where the class can't be mended.

    Raises:
        StoreError: if it can't be read, naming ``what``, its class, and what to do.
    """
    try:
        return decode(stored)
    except Unreadable as why:
        raise StoreError(
            f"{what} can't be read: {why}. Mend the class (a new field needs a default), or {instead}. Nothing else is "
            "affected; the stored JSON is in ex.df."
        ) from why


def value_of(key: str, stored: Stored) -> Any:  # Any: it is what the user stored
    """Return the value of a state key.

    Raises:
        StoreError: if it can't be read, naming key, class and what to do.
    """
    # The words are only needed where it fails, and this is called for each read.
    if stored.type in _JSON or isinstance(stored, Held):
        return decode(stored)
    again = f"write the key again: ex.state.set({key!r}, …) or ex.state.delete({key!r})"
    return opened(stored, f"state key {key!r}", again)


def legible(stored: Stored | None) -> Any:  # Any: it is what the user stored
    """Return a value for a record that is looked at: where it can't be read, its JSON as plain data."""
    if stored is None:
        return None
    try:
        return decode(stored)
    except Unreadable:
        return json.loads(stored.text)


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
        # NaN (which differs from itself) and infinity are not JSON.
        if value != value or abs(value) == float("inf"):
            return str(value)
        return value
    if isinstance(value, dict):
        return {clean(str(key)): shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        name = "…"
    return f"{type(value).__name__}({name})"


def cleaned(value: Any) -> Any:  # Any: what a program made
    """Return the value with lone surrogates replaced in the texts that its lists, tuples and dicts hold.

    >>> cleaned([1, {"a": "b\\ud800"}])
    [1, {'a': 'b�'}]
    """
    if isinstance(value, str):
        # A subclass, such as a StrEnum, would lose its type.
        if type(value) is str:
            return clean(value)
        return value
    if type(value) is dict:
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(cleaned(item) for item in value)
    return value


def readable(value: object) -> Stored:
    """Return the value as it is stored; one that can't be stored is held, with a text to show.

    >>> readable(len)
    Held(text='"builtin_function_or_method(len)"', type='builtin_function_or_method')
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
        if text.isprintable():
            return text
        return json.dumps(json.loads(text))
    except Exception:  # noqa: BLE001  # the user's object: it may contain itself, or raise in its own methods
        return json.dumps(f"{type(value).__name__}(…)")


def same(one: object, other: object) -> bool:
    """Return True if two values are one object, or equal ones of one type."""
    if one is other:
        return True
    try:
        # An array's == gives an array, which is neither true nor false.
        return type(one) is type(other) and (one == other) is True
    except Exception:  # noqa: BLE001  # the user's __eq__; what can't be compared counts as another value
        return False
