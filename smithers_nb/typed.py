"""Types beside JSON: values that JSON has no type for are written, and read back unchanged.

The value is written as JSON that people can read, and its type as text beside it:

============================  ======================================================================================
``list``, ``dict``, ``str``   plain JSON
``Decimal``, ``datetime`` …   a standard type
``app:Todo``                  a class by module and name: a pydantic model, dataclass, Enum, NamedTuple, or any other
                              that pydantic can serialise
``app:Page[app:Todo]``        a generic model
``list[app:Todo]``            a list of them
``list[Decimal?]``            a list of these and None
``dict["due": date]``         one value of a dict; the others are plain JSON
``tuple[0: date, 2: set]``    items by position
``datetime[Europe/Berlin]``   a datetime or time in a time zone
``name[app:Planet]``          an Enum member by name, where its value does not tell it
============================  ======================================================================================

Containers are taken apart here; pydantic's ``TypeAdapter`` writes and reads everything else.
"""

from __future__ import annotations

import builtins
import importlib
import json
import math
import re
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID
from weakref import WeakSet
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, TypeAdapter, ValidationError
from typing_extensions import is_typeddict  # typing's own does not know those of typing_extensions

JSON_SCALARS = (str, int, float, bool, NoneType)
IMMUTABLE = (*JSON_SCALARS, bytes, complex, Decimal, date, time, timedelta, UUID, PurePath, Enum)
"""Values that can be handed out more than once. (A datetime is a date.)"""

write_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""Return a value as compact JSON text."""


class Unstorable(ValueError):
    """The reason why a value can't be stored. The caller adds its name and its author."""


class Unreadable(ValueError):
    """The reason why a stored value can't be read in this process. The caller adds its name and advice."""


# ---- the notation ----------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """A type that was read from its text."""

    name: str
    args: tuple[tuple[str | int | None, Shape], ...] = ()
    """The shapes in brackets, each with its key or position; None stands for all."""
    optional: bool = False
    """True if null stands for None."""


_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s\[\],?":]+(?::[^\s\[\],?":]+)?|[\[\],?:])')
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@lru_cache(maxsize=512)
def parse(text: str) -> Shape:
    """Return the type that a text tells.

    Raises:
        Unreadable: if it is none.

    >>> parse('list[Decimal?]')
    Shape(name='list', args=((None, Shape(name='Decimal', args=(), optional=True)),), optional=False)
    """
    tokens = _TOKEN.findall(text)[::-1]
    try:
        shape = _parsed(tokens)
    except (IndexError, ValueError):
        tokens = [text]
    if tokens:
        raise Unreadable(f"{text!r} is not the name of a type")
    return shape


def _parsed(tokens: list[str]) -> Shape:
    name = tokens.pop()
    args: list[tuple[str | int | None, Shape]] = []
    if tokens and tokens[-1] == "[":
        while tokens.pop() != "]":
            key = None
            if tokens[-2] == ":":
                key = json.loads(tokens.pop())
                tokens.pop()
            args.append((key, _parsed(tokens)))
    optional = bool(tokens) and tokens[-1] == "?"
    if optional:
        tokens.pop()
    return Shape(name, tuple(args), optional)


def _container(name: str, inner: Mapping[Any, str], items: Iterable[tuple[Any, object]], size: int) -> str:
    """Return the type of a container: ``inner`` has the types by place of those items that are not plain JSON."""
    if not inner:
        return name
    kinds = set(inner.values())
    nulls = [place for place, item in items if item is None]
    # The short form is what people read most often. It needs all items to be of the one type, or null.
    if len(kinds) == 1 and len(inner) + len(nulls) == size and not inner.keys() & set(nulls):
        every = kinds.pop()
        if nulls:
            every += "?"
        return f"{name}[{every}]"
    return f"{name}[{', '.join(f'{json.dumps(place)}: {kind}' for place, kind in inner.items())}]"


# ---- writing ---------------------------------------------------------------------------------------------------

_SEQUENCES: dict[str, Callable[[Iterable[Any]], Collection[Any]]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
_PLAIN = frozenset({*(kind.__name__ for kind in JSON_SCALARS), "list", "dict"})
_STANDARD: dict[str, type] = {
    kind.__name__: kind
    for kind in (bytes, complex, date, Decimal, timedelta, UUID, Path, PurePosixPath, PureWindowsPath)
}
_STANDARD_NAMES = {**{kind: name for name, kind in _STANDARD.items()}, type(Path()): "Path"}
_AS_BASE64 = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


def pack(value: object, place: str) -> tuple[Any, str]:
    """Return a value as JSON data, and its type; ``place`` is its name in errors.

    Raises:
        Unstorable: if it would not come back equal and of the same types, saying what and where.
    """
    kind = type(value)
    if kind in JSON_SCALARS:
        _check_scalar(value, place)
        return value, kind.__name__
    if kind is dict:
        assert isinstance(value, dict)  # for the type checker
        for key in value:
            if type(key) is not str:
                raise Unstorable(
                    f"the key {key!r} in {_there(place)} is {_a(type(key))}: keys are text in JSON. Use str(…)"
                )
            _check_scalar(key, place)
        packed = {key: pack(item, f"{place}[{key!r}]") for key, item in value.items()}
        data: Any = {key: item for key, (item, _) in packed.items()}
        inner = {key: kind for key, (_, kind) in packed.items() if kind not in _PLAIN}
        return data, _container("dict", inner, data.items(), len(data))
    if kind.__name__ in _SEQUENCES and kind.__module__ == "builtins":
        assert isinstance(value, Collection)  # for the type checker
        pieces = [pack(item, f"{place}[{number}]") for number, item in enumerate(value)]
        if isinstance(value, set | frozenset):
            # Their order depends on the process's hash seed.
            pieces.sort(key=lambda piece: (_order(piece[0]), piece[1]))
        data = [item for item, _ in pieces]
        places = {number: kind for number, (_, kind) in enumerate(pieces) if kind not in _PLAIN}
        return data, _container(kind.__name__, places, enumerate(data), len(data))
    if kind is datetime or kind is time:
        return _pack_time(value, place)
    return _pack_leaf(value, place)


def _check_scalar(value: object, place: str) -> None:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unstorable(f"{_there(place)} contains {_SURROGATE}") from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise Unstorable(f"{_there(place)} is {value}; NaN and infinity are not JSON: use None, or text")


def _pack_time(value: Any, place: str) -> tuple[str, str]:  # Any: a datetime or time
    name, zone = type(value).__name__, value.tzinfo
    text: str = value.isoformat()
    if isinstance(zone, ZoneInfo) and zone.key:
        return text, f"{name}[{zone.key}]"
    if zone is not None and zone.utcoffset(None) is None:
        raise Unstorable(f"the time zone of {_there(place)} ({zone!r}) would be lost: use a zoneinfo.ZoneInfo, or UTC")
    return text, name


def _pack_leaf(value: object, place: str) -> tuple[Any, str]:
    kind: type = type(value)
    name = _STANDARD_NAMES.get(kind)
    if name is None:
        if (misfit := _misfit(kind)) is not None:
            raise Unstorable(f"{_what(kind, place)} {misfit}{_advice(value)}")
        name = class_name(kind, place)
    adapter, has_sets = _adapter(kind)
    try:
        text = adapter.dump_json(value, round_trip=True, warnings=False)
        back = adapter.validate_json(text, by_alias=True, by_name=True)
        # Read back at once, and compared: a serializer of the user's may drop or change something, and the place to say
        # so is where the value is set, not where a later process misses it.
        lost, why = _difference(value, back), None
        if lost is not None:
            why = _lost(f"{place}{lost[0]}", *lost[1:])
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001  # the user's validators and serializers; it says why it can't be stored
        _refuse_nan(value, place)
        why = f"{_what(kind, place)} does not accept its own JSON: {_reason(error)}"
    if why is not None:
        if isinstance(value, Enum) and value.name in type(value).__members__:
            return value.name, f"name[{name}]"
        raise Unstorable(why)
    data = json.loads(text)
    if has_sets:
        data = _sorted_sets(adapter.dump_python(value, round_trip=True, warnings=False), data)
    if data is None and isinstance(value, Enum):
        return value.name, f"name[{name}]"
    return data, name


def _refuse_nan(value: object, place: str) -> None:
    """Refuse NaN in a field, which pydantic writes as null."""
    if type(value) is float:
        _check_scalar(value, place)
    kind: type = type(value)
    if (parts_of := _parts_of(kind)) is not None:
        for at, item in parts_of(value).items():
            _refuse_nan(item, f"{place}{_inside(at, kind)}")


_BASES = (str, bytes, int, float, complex, list, tuple, set, frozenset, dict, date, time, timedelta)
_KEPT = (OrderedDict, Counter)


@lru_cache(maxsize=512)
def _misfit(kind: type) -> str | None:
    """Return the reason why pydantic can't store a class, or would give it back as a different one; None if it fits."""
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    own = issubclass(kind, Enum) or is_dataclass(kind) or hasattr(kind, "__get_pydantic_core_schema__")
    if issubclass(kind, _BASES) and not (named_tuple or own or kind in _KEPT):
        return "would come back as something else"
    try:
        known = _adapter(kind)[0].core_schema["type"] != "any"
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001  # the library has many errors for a type that it can't make a schema of
        known = False
    if known:
        return None
    return "is not JSON, and no type that pydantic knows"


@lru_cache(maxsize=256)
def _adapter(kind: type) -> tuple[TypeAdapter[Any], bool]:
    """Return the adapter that writes and reads a type, with True if sets may be in it."""
    # Kept, because pydantic compiles a schema for each.
    declared: Any = kind
    config = None
    if kind is Decimal:
        declared = Annotated[Decimal, Field(allow_inf_nan=True)]
    elif kind is bytes:
        # Its other way, UTF-8, refuses most bytes.
        config = _AS_BASE64
    adapter: TypeAdapter[Any] = TypeAdapter(declared, config=config)
    return adapter, bool(re.search(r"'type': '(frozen)?set'", str(adapter.core_schema)))


def _sorted_sets(value: object, data: Any) -> Any:
    """Return JSON data with the items sorted that are a set in the value."""
    # The order of a set depends on the process's hash seed: unsorted, an equal set would make a different text.
    if isinstance(value, dict) and isinstance(data, dict) and len(value) == len(data):
        return dict(zip(data, map(_sorted_sets, value.values(), data.values()), strict=True))
    if isinstance(value, list | tuple | set | frozenset) and isinstance(data, list) and len(value) == len(data):
        items = list(map(_sorted_sets, value, data))
        if isinstance(value, set | frozenset):
            items.sort(key=_order)
        return items
    return data


def _order(data: Any) -> tuple[int, float, str]:
    """Return a sort key of JSON data: numbers first, then text, then the rest."""
    if isinstance(data, int | float):
        return 0, data, ""
    if isinstance(data, str):
        return 1, 0, data
    return 2, 0, write_json(data)


# ---- comparing a value with itself, read back -------------------------------------------------------------------

_MISSING = object()


def _difference(one: Any, other: Any) -> tuple[str, object, object] | None:
    """Return the first place where two values differ in type or content, with both; None if they are the same."""
    kind = type(one)
    if kind is not type(other):
        return "", one, other
    parts_of = None
    if kind not in JSON_SCALARS:
        parts_of = _parts_of(kind)  # type: ignore[arg-type]  # a class is hashable
    if parts_of is None:
        if _equal(one, other):
            return None
        return "", one, other
    if issubclass(kind, set | frozenset):
        known = {item: item for item in other}
        parts, others = {item: item for item in one}, {item: known.get(item, _MISSING) for item in one}
        same_size = len(one) == len(known)
    else:
        parts, others = parts_of(one), parts_of(other)
        # A key's type counts, too: a member of a StrEnum equals its text.
        same_size = list(parts) == list(others) and all(map(_same_type, parts, others))
    for at, item in parts.items():
        back = others.get(at, _MISSING)
        if type(item) is type(back) is str and item == back:
            continue
        if (found := _difference(item, back)) is not None:
            return f"{_inside(at, kind)}{found[0]}", *found[1:]
    if same_size:
        return None
    return "", one, other


def _same_type(one: object, other: object) -> bool:
    return type(one) is type(other)


def _inside(at: object, kind: type) -> str:
    """Return the suffix that names a part of a value: ``[0]`` or ``.title``."""
    if issubclass(kind, dict | list | tuple | deque) and not hasattr(kind, "_fields"):
        return f"[{at!r}]"
    return f".{at}"


@lru_cache(maxsize=256)
def _parts_of(kind: type) -> Callable[[Any], dict[Any, object]] | None:
    """Return the function that takes a value of a class apart, by name, key or position; None if it is one piece."""
    if issubclass(kind, BaseModel):
        return _fields_of_model
    if is_dataclass(kind):
        names = [field.name for field in fields(kind)]
        return lambda value: {name: getattr(value, name, _MISSING) for name in names}
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return lambda value: dict(zip(kind._fields, value, strict=True))
    if issubclass(kind, dict):
        return dict
    if issubclass(kind, deque):
        return lambda value: {"maxlen": value.maxlen, **dict(enumerate(value))}
    if issubclass(kind, list | tuple | set | frozenset):
        return lambda value: dict(enumerate(value))
    return None


def _fields_of_model(value: BaseModel) -> dict[Any, object]:
    own = {name: value.__dict__.get(name, _MISSING) for name in type(value).model_fields}
    return {**own, **(value.__pydantic_extra__ or {}), **(value.__pydantic_private__ or {})}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float | Decimal):
        return repr(one) == repr(other)  # NaN does not equal itself.
    return one is other or bool(one == other)


def _lost(place: str, one: object, other: object) -> str:
    if type(one) is type(other):
        return f"{_there(place)} would come back different: its own JSON does not hold all of this {_name(type(one))}"
    if other is _MISSING:
        return f"{_there(place)} would be lost: it is not in its own JSON"
    return (
        f"{_there(place)} holds {_a(type(one))}, which would come back as {_a(type(other))}: declare the "
        f"field with that type{_advice(one, ', or')}"
    )


# ---- words -----------------------------------------------------------------------------------------------------


_SURROGATE = "a lone surrogate, which is no valid text: decode it with errors='replace' where it comes from"


def _there(place: str) -> str:
    return place or "it"


def _what(kind: type, place: str) -> str:
    if not place:
        return _a(kind)
    return f"the {_name(kind)} at {place}"


def _a(kind: type) -> str:
    """Return the name of a class with its article."""
    name = _name(kind)
    if name[0] in "aeiouAEIOU":
        return f"an {name}"
    return f"a {name}"


def _name(kind: type) -> str:
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _advice(value: object, before: str = ":") -> str:
    """Return advice on storing a value that can't be stored unchanged."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy":
        if getattr(value, "shape", ()):
            return f"{before} use .tolist()"
        return f"{before} use .item()"
    for base in (str, bytes, int, float, complex, list, tuple, frozenset, set, dict):
        if isinstance(value, base) and kind is not base:
            return f"{before} use {base.__name__}(…)"
    if isinstance(value, bytearray | memoryview):
        return f"{before} use bytes(…)"
    if isinstance(value, date | time):
        return f"{before} use .isoformat()"
    if hasattr(value, "to_dict"):
        return f"{before} store its .to_dict(), or a file name"
    if isinstance(value, Enum):
        return f"{before} use .value"
    if before != ":":
        return ""
    return f"{before} use a pydantic model or a dataclass"


def _reason(error: Exception) -> str:
    """Return a validation error in one line."""
    if not isinstance(error, ValidationError):
        text = str(error)
        if "surrogates not allowed" in text:
            return f"it contains {_SURROGATE}"
        if "invalid utf-8" in text:
            setting = 'ser_json_bytes="base64" and val_json_bytes="base64"'
            return f"it holds bytes that are no text. Set {setting} in its config"
        return f"{type(error).__name__}: {text}"
    found = [
        f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    if len(found) > 3:
        found[3:] = ["…"]
    return "; ".join(found)


# ---- classes by name -------------------------------------------------------------------------------------------


def class_name(kind: Any, place: str = "") -> str:  # Any: a class, or an argument of a generic one
    """Return the text under which a class can be imported in a later process.

    Raises:
        Unstorable: if it can't be.
    """
    parameters = getattr(kind, "__pydantic_generic_metadata__", None)
    if parameters and parameters["origin"] is not None:
        arguments = [_argument(argument, place) for argument in parameters["args"]]
        name = f"{class_name(parameters['origin'], place)}[{', '.join(arguments)}]"
        found = _type_of(parse(name))
    else:
        name = f"{kind.__module__}:{kind.__qualname__}"
        found = None
        if _NAME.fullmatch(name):  # Not "<locals>": a class that a function makes.
            found = _lookup(name)
    # A cell that was run again has put a new class of the same name in its place.
    if found is not kind and getattr(found, "__qualname__", None) != kind.__qualname__:
        instead = ""
        if issubclass(kind, Enum):
            instead = ", or store its .value"
        raise Unstorable(
            f"the class of {_there(place)}, {_name(kind)}, can't be found again by its name. Define it at the top "
            f"level of a cell or module, under its own name{instead}"
        )
    return name


def _argument(kind: Any, place: str) -> str:  # Any: whatever stands in the brackets of a generic class
    if kind in (None, NoneType, Any, ...):
        return {None: "None", NoneType: "None", Any: "Any", ...: "..."}[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal and all(isinstance(arg, JSON_SCALARS) and type(arg) in JSON_SCALARS for arg in args):
        return f"Literal[{', '.join(map(json.dumps, args))}]"
    if origin in (Union, UnionType):
        # pydantic makes one class of A | B, and another of Union[A, B].
        return f"{origin.__name__}[{', '.join(_argument(arg, place) for arg in args)}]"
    if isinstance(origin, type):
        return f"{_argument(origin, place)}[{', '.join(_argument(arg, place) for arg in args)}]"
    if isinstance(kind, type):
        if kind.__module__ == "builtins":
            return kind.__name__
        return class_name(kind, place)
    raise Unstorable(
        f"the class of {_there(place)} can't be found again by its name, because of {kind}. Give it one: class Name("
        "Page[…]): pass"
    )


def _type_of(shape: Shape) -> Any:  # Any: a class, or an argument of a generic one
    """Return the type of a name.

    Raises:
        Unreadable: if it is not there.
    """
    if shape.name == "Literal":  # Its arguments are values, and no types.
        return Literal[tuple(json.loads(arg.name) for _, arg in shape.args)]
    args = tuple(_type_of(arg) for _, arg in shape.args)
    match shape.name:
        case "None" | "Any" | "...":
            return {"None": None, "Any": Any, "...": ...}[shape.name]
        case "Union":
            return Union[args]  # noqa: UP007  # the types are known at run time only
        case "UnionType":
            return reduce(or_, args)
    found = _lookup(shape.name) if ":" in shape.name else getattr(builtins, shape.name, None)
    if not isinstance(found, type):
        raise Unreadable(
            f"its class {shape.name} is not defined in this process. Import its module, or run the cell that defines it"
        )
    if not args:
        return found
    return found[args]  # type: ignore[index]  # it is generic


def _lookup(name: str) -> Any:
    """Return the object with the name ``module:qualname``; None if there is none."""
    module, _, qualname = name.partition(":")
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


# ---- reading ---------------------------------------------------------------------------------------------------


def read(text: str, kind: str) -> Any:  # Any: it is what the user stored
    """Return the value of a JSON text and its type.

    Raises:
        Unreadable: if its class is not there, or does not accept it.
    """
    shape = parse(kind)
    try:
        if ":" in shape.name:
            return _validated(_type_of(shape), text)
        return _unpack(json.loads(text), shape)
    except Unreadable:
        raise
    except Exception as error:
        # The user's validators, a member that is gone, or a row that was changed by hand.
        raise Unreadable(f"{kind} does not accept the stored value ({text:.80}): {_reason(error)}") from error


def _unpack(data: Any, shape: Shape) -> Any:
    if data is None and shape.optional:
        return None
    name = shape.name
    if name in _PLAIN and not shape.args:
        return data
    if name == "dict":
        return _unpack_items(data, shape)
    if name in _SEQUENCES:
        return _SEQUENCES[name](_unpack_items(dict(enumerate(data)), shape).values())
    if name in ("datetime", "time"):
        return _unpack_time(data, shape)
    if name == "name":
        return _type_of(shape.args[0][1])[data]
    if name in _STANDARD:
        return _validated(_STANDARD[name], write_json(data))
    return _validated(_type_of(shape), write_json(data))


def _unpack_items(items: dict[Any, Any], shape: Shape) -> dict[Any, Any]:
    """Return the items of a container by key or position, those with a type of their own unpacked."""
    kinds: dict[Any, Shape] = dict(shape.args)
    if None in kinds:
        kinds = dict.fromkeys(items, kinds[None])
    return items | {place: _unpack(items[place], kind) for place, kind in kinds.items()}


def _unpack_time(text: str, shape: Shape) -> datetime | time:
    zone = None
    if shape.args:
        zone = ZoneInfo(shape.args[0][1].name)
    if shape.name == "time":
        at = time.fromisoformat(text)
        if zone is None:
            return at
        return at.replace(tzinfo=zone)
    moment = datetime.fromisoformat(text)
    if zone is None:
        return moment
    # The offset in the text tells which of the two equal hours it is when the clocks go back. An hour that the clocks
    # skip is kept, too: as an instant it would come back an hour later.
    for fold in (0, 1):
        local = moment.replace(tzinfo=zone, fold=fold)
        if local.utcoffset() == moment.utcoffset():
            return local
    return moment.astimezone(zone)  # The zone's rules are others now than when it was stored.


def _validated(kind: Any, text: str) -> Any:
    return _adapter(kind)[0].validate_json(text, by_alias=True, by_name=True)


# ---- declared types --------------------------------------------------------------------------------------------

_CONTAINERS = (list, dict, tuple, set, frozenset)
_PLAIN_CLASSES: tuple[type, ...] = (*JSON_SCALARS, *_STANDARD_NAMES, *_CONTAINERS, datetime, time, object)
_SOUND: dict[bool, WeakSet[type]] = {True: WeakSet(_PLAIN_CLASSES), False: WeakSet(_PLAIN_CLASSES)}
"""Classes that are known to be storable: by True as the type of a field, by False on their own."""


def check_declared(kind: Any, inside: bool = False) -> None:  # Any: whatever can be an annotation
    """Refuse an annotation whose values can't be stored, as far as it shows. ``inside`` is True for that of a field.

    Raises:
        Unstorable: naming the class, and what to do.
    """
    kind = getattr(kind, "__value__", getattr(kind, "__supertype__", kind))
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return
    if origin is Annotated:
        check_declared(args[0], inside)
        return
    if not inside and isinstance(origin, type) and issubclass(origin, Mapping) and not _is_text(args[0]):
        raise Unstorable(f"the keys of {kind} are not text, and keys are text in JSON. Use a list of pairs")
    for arg in args:
        check_declared(arg, inside)
    found = origin or kind
    if isinstance(found, type) and found is not UnionType and found not in _SOUND[inside]:
        _SOUND[inside].add(found)  # It may contain itself.
        try:
            _check_class(found, inside)
        except BaseException:
            _SOUND[inside].discard(found)
            raise


def _is_text(kind: Any) -> bool:  # Any: an annotation
    if get_origin(kind) in (Annotated, Literal):
        return _is_text(get_args(kind)[0])
    return kind in (str, Any) or type(kind) in (str, TypeVar)


def _check_class(kind: type, inside: bool) -> None:
    if issubclass(kind, SecretStr | SecretBytes):
        raise Unstorable(f"{_a(kind)} is written as asterisks. Use str, and keep secrets out of the output")
    if kind.__module__ in ("collections.abc", "typing"):
        return
    by_name = issubclass(kind, BaseModel | Enum | tuple) or is_dataclass(kind)
    if not inside and by_name:
        class_name(kind)
    if not inside and issubclass(kind, _BASES) and not is_typeddict(kind):
        # A class without any schema is left to the agent, which can't be made with it and says why.
        misfit = _misfit(kind)  # type: ignore[arg-type]  # a class is hashable
        if misfit is not None:
            raise Unstorable(f"{_a(kind)} {misfit}: use a pydantic model or a dataclass")
    for name, field in getattr(kind, "__pydantic_fields__", {}).items():
        if field.exclude:
            raise Unstorable(f"the field {name} of {_name(kind)} is excluded from its JSON, and would be lost")
        check_declared(field.annotation, inside=True)
    if (by_name and not issubclass(kind, BaseModel)) or is_typeddict(kind):
        for hint in _hints(kind).values():
            check_declared(hint, inside or by_name)


def _hints(kind: type) -> dict[str, Any]:
    try:
        return {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}
    except (NameError, TypeError):
        return {}  # They name classes that are defined nowhere, or later.


def return_type(function: Callable[..., Any]) -> Any:
    """Return the annotation of a function's result; None if it has none."""
    try:
        return get_type_hints(function).get("return")
    except (NameError, TypeError):
        return None
