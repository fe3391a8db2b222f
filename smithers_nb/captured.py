"""Values that a function sees besides its arguments: globals that it names, and variables that it closes over."""

from __future__ import annotations

import dis
import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain as joined
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from .errors import whose
from .values import same

LEAVES = 200
"""The most values that are compared in all that a function sees. Larger containers count by length and ends."""
ENDS = 20
"""The number of items that are compared at each end of a larger container."""
CHANGING = (list, dict, set, deque, bytearray)
SEQUENCES = (list, tuple, set, frozenset, deque)
ADDING = [[name] for name in ("append", "add", "extend", "insert", "update", "appendleft", "put", "put_nowait")]
"""Methods that change their object and return nothing about its content."""
UNKNOWN = object()
"""A value that can't be told without running the code."""
PLAIN = frozenset({str, int, float, bool, type(None), bytes})
"""Types whose values can't be changed: they are compared."""


def captured_by(function: Callable[..., Any]) -> list[object]:
    """Return their present values, in an order that stays; a global that is not defined, or a builtin, is None.

    The functions inside of it count, too. An object without Python code, such as a builtin, captures nothing.
    """
    plain = _unwrapped(function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return []
    names = getattr(plain, "__globals__", {})
    cells = getattr(plain, "__closure__", None) or ()
    return [*(names.get(name) for name in _names(code)), *(_content(cell) for cell in cells)]


def _unwrapped(function: Callable[..., Any]) -> Any:  # Any: a function, or an object that can be called
    # Most functions have no decorator, and inspect takes its time to find that out.
    if type(function) is FunctionType and not function.__dict__:
        return function
    return inspect.unwrap(function)


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[str, ...]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return (*code.co_names, *joined.from_iterable(inner))


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # Not filled yet.
        return None


@lru_cache(maxsize=1024)
def read_in(code: CodeType) -> frozenset[str]:
    """Return the names that code reads, and the functions in it do: not those that it only adds to, such as a log."""
    found = {chain.base for chain in chains(code, {}, {}) if chain.base and chain.attributes[:1] not in ADDING}
    inner = (read_in(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(found).union(*inner)


def read_by(function: Callable[..., Any], values: list[object]) -> list[int]:
    """Return the places of those values that can be changed in place and that the function reads; they are the values
    of ``captured_by``.
    """
    code = getattr(_unwrapped(function), "__code__", None)
    changing = [place for place, value in enumerate(values) if changes(type(value))]
    if code is None or not changing:
        return []
    names = [*_names(code), *code.co_freevars]
    read = read_in(code)
    return [place for place in changing if names[place] in read]


class Inside:
    """The present content of values that can change in place: two of these are equal if nothing has changed.

    Lists, dicts and sets are looked into, and so are the attributes of objects whose class is the user's own. Anything
    else is the same as long as it is the same object: its inside is out of sight.
    """

    __slots__ = ("_leaves", "_types")

    def __init__(self, values: Iterable[object]) -> None:
        self._leaves: list[object] = []
        try:
            for value in values:
                self._look(value)
        except BaseException:  # noqa: BLE001  # another thread changes it at this moment, or it is the user's own __len__
            self._leaves.append(_Opaque(object()))
        # 1, 1.0 and True are equal, and not the same.
        self._types = list(map(type, self._leaves))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inside) and self._types == other._types and self._leaves == other._leaves

    __hash__ = None  # type: ignore[assignment]  # it holds what can't be hashed

    @property
    def text(self) -> str:
        """The content as text, the same in every process; an object that is not looked into counts by its type."""
        return repr([_as_text(leaf) for leaf in self._leaves])

    def _look(self, value: object) -> None:
        kind = type(value)
        if kind in PLAIN:
            self._leaves.append(value)
            return
        parts = _parts(value)
        if parts is None:
            self._leaves.append(_Opaque(value))
            return
        length = None
        if isinstance(value, (dict, *SEQUENCES)):
            length = len(value)
        # The type and the length, because the leaves of [[1], 2] and [1, [2]] would be the same.
        self._leaves += (kind, length)
        if len(self._leaves) > LEAVES:
            return
        if PLAIN.issuperset(map(type, parts)):
            self._leaves += parts
        else:
            for part in parts:
                self._look(part)


def _as_text(leaf: object) -> str:
    if type(leaf) in PLAIN:
        return repr(leaf)
    if isinstance(leaf, _Opaque):
        leaf = type(leaf.value)
    return getattr(leaf, "__qualname__", "")


class _Opaque:
    """An object whose inside is out of sight."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opaque) and same(self.value, other.value)

    __hash__ = None  # type: ignore[assignment]  # never needed


def _parts(value: Any) -> list[object] | None:
    """Return the parts of a value; None for one that is not looked into."""
    if isinstance(value, dict):
        return [*_ends(value), *_ends(value.values())]
    if isinstance(value, SEQUENCES):
        return _ends(value)
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if users(type(value)):
        # Not dir(): a property would run the user's code, in the middle of a frame.
        own = list(getattr(value, "__dict__", {}).values())
        for kind in type(value).__mro__:
            own += [getattr(value, name, None) for name in _slots(kind)]
        return own
    return None


def _ends(items: Any) -> list[object]:
    """Return the items of a container; of a large one, the first, and the last where it is a list."""
    if len(items) <= LEAVES:
        return list(items)
    first = list(islice(items, ENDS))
    if isinstance(items, list | tuple):
        return [*first, *items[-ENDS:]]
    return first


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    if isinstance(slots, str):
        return (slots,)
    return tuple(slots)


def _users(kind: type) -> bool:
    """Return True if the user has written a class."""
    module = sys.modules.get(kind.__module__)
    if module is None or issubclass(kind, type):
        return False
    # A notebook has no file, and neither have modules that are part of the interpreter.
    file = getattr(module, "__file__", None)
    if not file:
        return kind.__module__ == "__main__"
    return whose(file) is None


def _changes(kind: type) -> bool:
    """Return True if values of a type can be changed in place and looked into."""
    return issubclass(kind, (*SEQUENCES, dict, MethodType)) or users(kind)


@dataclass(slots=True)
class Chain:
    """A name with the attributes that are read of it: ``os.environ.get``."""

    base: str | None
    """None for the outcome of an expression."""
    is_global: bool
    offset: int
    called: bool = False
    attributes: list[str] = field(default_factory=list)


def chains(code: CodeType, local: dict[str, Any], inner: dict[str, CodeType]) -> Iterator[Chain]:
    """Yield the names that code reads; ``local`` gets its imports, ``inner`` the functions that it defines."""
    # The bytecode, not the source: a lambda has no statement of its own, and a function of exec has no source. Opcodes
    # differ between releases: LOAD_METHOD and PRECALL are those of 3.11, two names in one instruction those of 3.13.
    chain: Chain | None = None
    module = made = before = None
    pushed = False
    for instruction in dis.get_instructions(code):
        name, value = instruction.opname, instruction.argval
        if name in ("CACHE", "EXTENDED_ARG", "RESUME"):
            continue
        if name in ("LOAD_ATTR", "LOAD_METHOD"):
            chain = chain or Chain(None, False, instruction.offset)
            chain.attributes.append(value)
            chain.called = chain.called or name == "LOAD_METHOD"
            continue
        if chain is not None:
            chain.called = chain.called or name == "PUSH_NULL" or name in ("CALL", "PRECALL")
            yield chain
            chain = None
        if name in ("LOAD_GLOBAL", "LOAD_NAME"):
            chain = Chain(value, True, instruction.offset, "NULL" in instruction.argrepr)
        elif name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")):
            base = value
            if isinstance(value, tuple):
                base = value[-1]
            chain = Chain(base, False, instruction.offset, pushed)
        elif name == "IMPORT_NAME":
            module = value
        elif name == "IMPORT_FROM":
            made = _imported(module, value)
        elif name == "LOAD_CONST" and isinstance(value, CodeType):
            before = value
        elif name in ("STORE_FAST", "STORE_DEREF"):
            if module is not None:
                if made is not None:
                    local[value] = made  # "from module import a, b" stores several names of one module.
                else:
                    local[value] = _imported(module, None)
                    module = None
                made = None
            elif before is not None:
                inner[value] = before
            before = None
        elif name == "POP_TOP":
            module = None
        pushed = name == "PUSH_NULL"
    if chain is not None:
        yield chain


def _imported(module: str | None, name: str | None) -> Any:
    """Return what an import inside of a function gives, without importing anything."""
    found: Any = sys.modules.get(module or "", UNKNOWN)
    if name is None:
        return sys.modules.get((module or "").partition(".")[0], UNKNOWN)
    return attribute(found, name)


def attribute(value: Any, name: str) -> Any:
    """Return an attribute without running the user's code for it."""
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(value, ModuleType):
        return vars(value).get(name, UNKNOWN)
    found = inspect.getattr_static(value, name, UNKNOWN)
    if isinstance(found, staticmethod | classmethod):
        return found.__func__
    return found


# mypy takes a class for something that has no hash.
users = cast(Callable[[type], bool], lru_cache(maxsize=1024)(_users))
changes = cast(Callable[[type], bool], lru_cache(maxsize=1024)(_changes))
