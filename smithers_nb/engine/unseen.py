"""Dependencies of components that the engine can't see: a change of them calls no component again.

The code of a component is looked at, and of the user's functions that it calls; not of the functions that it only hands
over, such as handlers: those run outside of RENDER.
"""

from __future__ import annotations

import builtins
import datetime
import glob
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import getattr_static, unwrap
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from ..captured import CHANGING, UNKNOWN, Chain, attribute, chains, users
from ..errors import whose
from ..nodes import source as sources
from ..nodes.element import Component

READ = "Read it with ctx.fs.read, exists or glob, which see that it changes"
CLOCK = "Use ctx.now(), which is the same in the whole frame"
CHANCE = "Use ctx.rand(), which gives the same numbers when the frame is replayed"
SETTINGS = "Read it once in the notebook, and give it as a prop or in the state"
OUTSIDE = "Ask for it in a <Task>, and let its on_finished set what comes"
VALUE = "Keep it in the state, or give it as a prop"

_BY_WAY: dict[str, dict[str, object]] = {
    SETTINGS: {"os.environ": os.environ, "os.environb": os.environb, "os.getenv()": os.getenv, "input()": input},
    READ: {
        "open()": open,
        "os.listdir()": os.listdir,
        "os.scandir()": os.scandir,
        "os.stat()": os.stat,
        "os.path.exists()": os.path.exists,
        "os.path.isfile()": os.path.isfile,
        "os.path.getmtime()": os.path.getmtime,
        "glob.glob()": glob.glob,
        "glob.iglob()": glob.iglob,
    },
    CLOCK: {
        f"time.{function.__name__}()": function
        for function in (
            *(time.time, time.time_ns, time.monotonic, time.monotonic_ns, time.perf_counter, time.perf_counter_ns),
            *(time.localtime, time.gmtime, time.strftime, time.ctime),
        )
    },
    CHANCE: {"os.urandom()": os.urandom, "uuid.uuid1()": uuid.uuid1, "uuid.uuid4()": uuid.uuid4},
}
CALLS = {id(value): (name, way) for way, named in _BY_WAY.items() for name, value in named.items()}
"""The name of each of these, and the way to replace it, by the identity of the object."""
NETWORK = ("requests", "httpx", "aiohttp", "urllib3", "urllib.request", "socket", "http.client")
MODULES = dict.fromkeys(("random", "secrets", "numpy.random"), CHANCE) | dict.fromkeys(
    (*NETWORK, "subprocess"), OUTSIDE
)
"""Modules of which every function counts."""
METHODS = ("read_text", "read_bytes", "iterdir", "read_csv", "read_json", "read_parquet")
"""Methods that read files by their name alone: the object that they are called on is often known only at run time."""
NOW = ("now", "utcnow", "today")
"""Methods of the classes of ``datetime`` that read the clock."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """A dependency of a component that the engine can't see."""

    what: str
    way: str
    """Advice, as a sentence: another way to get the same."""
    source: str | None


def unseen_by(component: Component) -> list[Unseen]:
    """Return what a component depends on and the engine can't see, each thing once, in the order of its code."""
    function = unwrap(component.function)
    if not isinstance(function, FunctionType):
        return []
    search = _Search(component.function)
    search.function(function)
    return list(search.found.values())


@dataclass(slots=True)
class _Search:
    component: Callable[..., Any]
    found: dict[str, Unseen] = field(default_factory=dict)
    """The findings by their ``what``, so that each is named once."""
    seen: set[CodeType] = field(default_factory=set)
    inner: int = 0
    """The depth of calls: 0 in the component itself, whose globals and closed-over names the engine does look at."""

    def function(self, function: FunctionType) -> None:
        closed = {}
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = _content(cell)
            if value is not UNKNOWN:
                closed[name] = value
        self.code(function.__code__, {**vars(builtins), **function.__globals__}, closed)

    def code(self, code: CodeType, names: Mapping[str, Any], closed: Mapping[str, Any]) -> None:
        # Functions that call each other would be followed for ever.
        if code in self.seen:
            return
        self.seen.add(code)
        local: dict[str, Any] = {}  # What the function imports.
        inner: dict[str, CodeType] = {}  # The functions that it defines.
        constants = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        for chain in chains(code, local, inner):
            base = self.base(chain, names, closed, local)
            if chain.called and chain.base in inner and not chain.attributes:
                self.code(inner[chain.base], names, closed)
            self.look(chain, base, sources.position(code, chain.offset))
        # Code of its own up to Python 3.11; it runs where it stands, unlike an inner function.
        for constant in constants:
            if constant.co_name in ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"):
                self.code(constant, names, {**closed, **local})

    @staticmethod
    def base(chain: Chain, names: Mapping[str, Any], closed: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
        if chain.base is None:
            return UNKNOWN
        if chain.is_global:
            return names.get(chain.base, UNKNOWN)
        return local.get(chain.base, closed.get(chain.base, UNKNOWN))

    def look(self, chain: Chain, base: Any, source: str | None) -> None:
        """Look at one name with its attributes: ``os``, ``environ``, ``get``."""
        value, dotted = base, chain.base or "…"
        # A method of the user's is looked at instead of its object.
        is_method = bool(chain.attributes) and isinstance(attribute(base, chain.attributes[0]), FunctionType)
        if not is_method and self.is_changing(base, dotted, source):
            return
        for name in chain.attributes:
            parent, value, dotted = value, attribute(value, name), f"{dotted}.{name}"
            if name in METHODS and (value is UNKNOWN or not _is_users(value)):
                self.add(f"{dotted}()", READ, source)
                return
            if name in NOW and isinstance(parent, type) and issubclass(parent, datetime.date):
                self.add(f"{dotted}()", CLOCK, source)
                return
            if self.is_known(value, dotted, source):
                return
            if isinstance(parent, ModuleType) and callable(value) and (way := MODULES.get(parent.__name__)):
                self.add(f"{dotted}()", way, source)
                return
            if isinstance(parent, ModuleType | type) and isinstance(value, CHANGING) and _is_users(parent):
                self.add(f"the {type(value).__name__} {dotted}", VALUE, source)
                return
        if not chain.attributes and self.is_known(value, dotted, source):
            return
        if chain.called and _is_users(value):
            self.follow(value)

    def is_known(self, value: Any, dotted: str, source: str | None) -> bool:
        """Return whether it is one of ``CALLS`` or a function of ``MODULES``, and add it if it is."""
        # By identity: two names may lead to it, and a user's own function may have the same name.
        if found := CALLS.get(id(value)):
            self.add(*found, source)
            return True
        owner = getattr(value, "__self__", None)
        module = _text(value, "__module__") or type(owner).__module__
        if callable(value) and (way := MODULES.get(module) or MODULES.get(module.partition(".")[0])):
            self.add(f"{dotted}()", way, source)
            return True
        return False

    def is_changing(self, value: Any, name: str, source: str | None) -> bool:
        """Return whether it is a value that may be changed in place; add it if the engine does not look there."""
        if not isinstance(value, CHANGING) and not users(type(value)) and not _is_data(value):
            return False
        if isinstance(value, FunctionType | Component):
            return False
        if self.inner or _is_data(value):
            self.add(f"what stands in {name} ({type(value).__name__})", VALUE, source)
        return True

    def follow(self, value: Any) -> None:
        """Look at a function of the user's that is called."""
        if isinstance(value, MethodType):
            value = value.__func__
        plain = unwrap(value)
        if isinstance(plain, FunctionType) and whose(plain.__code__.co_filename) is None:
            self.inner += 1
            self.function(plain)
            self.inner -= 1

    def add(self, what: str, way: str, source: str | None) -> None:
        self.found.setdefault(what, Unseen(what, way, source))


def _text(value: Any, name: str) -> str:
    # Static: __getattr__ of a user's object may do anything. A module may have one that imports.
    if isinstance(value, ModuleType):
        return ""
    found = getattr_static(value, name, "")
    if isinstance(found, str):
        return found
    return getattr(value, name, "") or ""


def _is_users(value: Any) -> bool:
    """Return whether the user has written a module, class or function, or the class of an object."""
    if isinstance(value, ModuleType):
        file = getattr(value, "__file__", None)
        return bool(file) and whose(file or "") is None
    if isinstance(value, FunctionType | MethodType):
        return whose(unwrap(value).__code__.co_filename) is None
    if not isinstance(value, type):
        value = type(value)
    return users(value)


def _is_data(value: Any) -> bool:
    """Return whether it is an array, a DataFrame or the like, whose contents the engine does not look at."""
    return (
        not isinstance(value, type)
        and type(value).__module__.partition(".")[0] in ("numpy", "pandas", "polars")
        and hasattr(value, "__len__")
    )


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # Not filled yet.
        return UNKNOWN
