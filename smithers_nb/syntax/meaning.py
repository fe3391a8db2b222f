"""Expressions of a component's code, led back to their meaning: keys of the state, constants, objects."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ..captured import UNKNOWN, attribute
from ..records.ghost import Comparison, Condition, Exists, Several, StatePart, Test
from .located import Function, Located

VOLATILE = "vol:"
"""The beginning of the key of a volatile value."""
DEPTH = 30
"""The most names that are followed from one to the next."""
SAME = frozenset({"bool", "int", "float", "str", "list", "tuple", "set", "sorted"})
"""Functions whose argument is tested where their outcome is."""
OF_TEXT = frozenset({"strip", "lower", "upper", "casefold", "items", "values", "keys"})
"""Methods whose object is tested where their outcome is."""
OPS: dict[type[ast.cmpop], tuple[Comparison, Comparison]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("==", "!="),
    ast.IsNot: ("!=", "=="),
    ast.Lt: ("<", ">="),
    ast.LtE: ("<=", ">"),
    ast.Gt: (">", "<="),
    ast.GtE: (">=", "<"),
}
"""Each comparison, and the one that holds where it does not."""
FLIPPED: dict[Comparison, Comparison] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Seen(NamedTuple):
    """An expression that a name stands for, in the code where it is written."""

    expr: ast.expr
    scope: Scope
    item: bool = False
    """True if the name stands for the items of the expression, one after the other."""
    guards: tuple[Any, ...] = ()  # Any: Guards, with what this module need not know


class Known(NamedTuple):
    """A value that the code has, whatever the state."""

    value: Any


Meaning = StatePart | Known


@dataclass(slots=True)
class Scope:
    """The names that a piece of code sees."""

    code: Located
    component: str
    parent: Scope | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """The globals and the closed-over names of a function object."""
    bound: dict[str, Seen | Known] = field(default_factory=dict)
    """The arguments that it is called with."""
    assigned: dict[str, list[Seen]] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    """The functions that it defines."""
    imported: dict[str, Any] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()

    def find(self, name: str) -> list[Seen] | Known | None:
        """Return the expressions that a name may stand for here, or its value; None if nothing is known of it."""
        if name in self.assigned:
            return self.assigned[name]
        if name in self.bound:
            found = self.bound[name]
            if isinstance(found, Known):
                return found
            return [found]
        if name in self.imported:
            return Known(self.imported[name])
        if name in self.parameters or name in self.functions:
            return None
        if self.parent is not None:
            return self.parent.find(name)
        if name in self.values:
            return Known(self.values[name])
        return None

    def function(self, name: str) -> tuple[Function, Scope] | None:
        """Return an inner function with the scope that it is defined in."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name], scope
            if name in scope.assigned or name in scope.bound or name in scope.parameters:
                return None
            scope = scope.parent
        return None


def values_of(function: FunctionType) -> dict[str, Any]:
    """Return the globals and closed-over names of a function."""
    closed = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            closed[name] = cell.cell_contents
        except ValueError:  # Not filled yet.
            continue
    return {**function.__globals__, **closed}


def imported(statement: ast.Import | ast.ImportFrom) -> dict[str, Any]:
    """Return what an import inside of a function gives, without importing anything."""
    found = {}
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            # "import a.b" gives a, "import a.b as c" gives a.b.
            module = alias.name
            if not alias.asname:
                module = alias.name.partition(".")[0]
            value = sys.modules.get(module, UNKNOWN)
        else:
            value = attribute(sys.modules.get(statement.module or "", UNKNOWN), alias.name)
        found[alias.asname or alias.name.partition(".")[0]] = value
    return found


def object_of(expr: ast.expr, scope: Scope) -> Any:
    """Return the object that a name or a dotted name stands for; ``UNKNOWN`` if the code does not tell."""
    if isinstance(expr, ast.Name):
        found = scope.find(expr.id)
        if isinstance(found, list):
            if len(found) == 1 and not found[0].item and isinstance(found[0].expr, ast.Name | ast.Attribute):
                return object_of(found[0].expr, found[0].scope)
            return UNKNOWN
        return UNKNOWN if found is None else found.value  # A name that nothing is known of has no value, not None.
    if isinstance(expr, ast.Attribute):
        base = object_of(expr.value, scope)
        # Of other objects the attributes may change, or be the user's code.
        if isinstance(base, ModuleType | type):
            return attribute(base, expr.attr)
    return UNKNOWN


# ---- values ------------------------------------------------------------------------------------------------------


def meaning(expr: ast.expr, scope: Scope, depth: int = 0) -> Meaning | None:
    """Return the part of the state, or the constant, that an expression stands for; None for anything else."""
    if depth > DEPTH:
        return None

    def inner(part: ast.expr) -> Meaning | None:
        return meaning(part, scope, depth + 1)

    match expr:
        case ast.Constant(value=value):
            return Known(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return Known(-value)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return _constants(inner(part) for part in parts)
        case ast.NamedExpr(value=value):
            return inner(value)
        case ast.Name(id=name):
            return _named(name, scope, depth)
        case ast.IfExp(body=one, orelse=other) | ast.BoolOp(op=ast.Or(), values=[one, other]):
            # "ctx.state.get(key) or []" is about the key.
            if isinstance(found := inner(one), StatePart):
                return found
            return inner(other)
        case ast.Call():
            return _called(expr, scope, inner)
        case ast.Subscript(value=base, slice=key):
            if area_of(base, scope):
                return _key(area_of(base, scope), inner(key))
            return _part(inner(base), inner(key))
        case ast.Attribute(value=base, attr="value") if (call := _made(base, scope, "signal")) is not None:
            return _signal(*call)
        case ast.Attribute(value=base, attr=name):
            # A field of a model, or a constant of a module.
            if isinstance(found := inner(base), StatePart):
                return _part(found, Known(name))
            value = object_of(expr, scope)
            if value is not UNKNOWN:
                return Known(value)
    return None


def _named(name: str, scope: Scope, depth: int) -> Meaning | None:
    found = scope.find(name)
    if isinstance(found, Known) or found is None:
        return found
    for seen in found:
        if seen.item:
            continue
        place = meaning(seen.expr, seen.scope, depth + 1)
        # Of a name that is assigned several times, no constant is sure.
        if isinstance(place, StatePart) or len(found) == 1:
            return place
    return None


def _constants(found: Iterator[Meaning | None]) -> Known | None:
    values = []
    for one in found:
        if not isinstance(one, Known):
            return None
        values.append(one.value)
    return Known(values)


def _called(call: ast.Call, scope: Scope, inner: Callable[[ast.expr], Meaning | None]) -> Meaning | None:
    match call:
        case ast.Call(func=ast.Name(id="len"), args=[value]):
            found = inner(value)
            if isinstance(found, StatePart):
                return StatePart(found.key, found.path, length=True, default=found.default)
            return None
        case ast.Call(func=ast.Name(id=name), args=[value]) if name in SAME:
            return inner(value)
        case ast.Call(func=ast.Name(id=name)) if (method := _method(name, scope)) is not None:
            return inner(ast.Call(method, call.args, call.keywords))
        case ast.Call(func=ast.Attribute(value=base, attr="get"), args=[key, *rest]):
            area = area_of(base, scope)
            if not area:
                return _part(inner(base), inner(key))
            defaults = [*rest, *(one.value for one in call.keywords if one.arg == "default")]
            return _key(area, inner(key), *(constant(inner(default)) for default in defaults[:1]))
        case ast.Call(func=ast.Attribute(value=base, attr="get"), args=[]):
            if (made := _made(base, scope, "signal")) is not None:
                return _signal(*made)
            if (made := _made(base, scope, "computed")) and made[0].args and isinstance(made[0].args[0], ast.Lambda):
                return meaning(made[0].args[0].body, made[1])
        case ast.Call(func=ast.Attribute(value=base, attr=name)) if name in OF_TEXT:
            return inner(base)
    return None


def _method(name: str, scope: Scope) -> ast.Attribute | None:
    """Return the method that a name stands for: ``get = ctx.state.get``."""
    found = scope.find(name)
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0].expr, ast.Attribute):
        return found[0].expr
    return None


def _key(area: str, key: Meaning | None, default: Any = None) -> StatePart | None:
    if not isinstance(key, Known) or not isinstance(key.value, str):
        return None
    # No key of the state begins so by chance: that of a volatile value is told apart, and never tested.
    name = f"{VOLATILE}{key.value}"
    if area == "state":
        name = key.value
    return StatePart(name, default=default)


def constant(found: Meaning | None) -> Any:
    """Return the value that the code tells; None for anything else."""
    if isinstance(found, Known):
        return found.value
    return None


def _plain(found: Meaning) -> Any:
    if isinstance(found, Known):
        return found.value
    return found


def _part(whole: Meaning | None, step: Meaning | None) -> StatePart | None:
    if not isinstance(whole, StatePart) or not isinstance(step, Known) or not isinstance(step.value, str | int):
        return None
    return StatePart(whole.key, (*whole.path, step.value), default=whole.default)


def _signal(call: ast.Call, scope: Scope) -> StatePart | None:
    if not call.args:
        return None
    return _key("state", meaning(call.args[0], scope), *(constant(meaning(arg, scope)) for arg in call.args[1:2]))


def _made(expr: ast.expr, scope: Scope, maker: str) -> tuple[ast.Call, Scope] | None:
    """Return the call ``ctx.signal(…)`` or ``ctx.computed(…)`` that an expression stands for."""
    if isinstance(expr, ast.Name):
        found = scope.find(expr.id)
        if isinstance(found, list) and len(found) == 1:
            return _made(found[0].expr, found[0].scope, maker)
    elif isinstance(expr, ast.Call) and isinstance(expr.func, ast.Attribute) and expr.func.attr == maker:
        return expr, scope
    return None


def area_of(expr: ast.expr, scope: Scope) -> str:
    """Return "state" or "vol" for ``ctx.state``, ``ctx.vol`` and names for them; "" for anything else."""
    if isinstance(expr, ast.Attribute) and expr.attr in ("state", "vol"):
        return expr.attr
    if isinstance(expr, ast.Name):
        found = scope.find(expr.id)
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0].expr, ast.Attribute):
            return area_of(found[0].expr, found[0].scope)
    return ""


# ---- tests -------------------------------------------------------------------------------------------------------


def tested(expr: ast.expr, scope: Scope, wanted: bool, depth: int = 0) -> Test | None:
    """Return an expression that must be true, or false, as a test of the state; None where the code does not tell."""
    if depth > DEPTH:
        return None
    match expr:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return tested(operand, scope, not wanted, depth + 1)
        case ast.BoolOp(op=op, values=values):
            parts = tuple(tested(value, scope, wanted, depth + 1) for value in values)
            return Several(isinstance(op, ast.And) == wanted, parts)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            lefts = [left, *rights[:-1]]
            pairs = zip(lefts, ops, rights, strict=True)
            parts = tuple(_compared(one, op, other, scope=scope, wanted=wanted) for one, op, other in pairs)
            if len(parts) == 1:
                return parts[0]
            return Several(wanted, parts)
        case ast.NamedExpr(value=value) | ast.Call(func=ast.Name(id="bool"), args=[value]):
            return tested(value, scope, wanted, depth + 1)
    place = meaning(expr, scope)
    if isinstance(place, StatePart):
        # A frame's volatile values are not recorded.
        if place.key.startswith(VOLATILE):
            return None
        return Condition(place, "true" if wanted else "false")
    if isinstance(expr, ast.Name) and isinstance(found := scope.find(expr.id), list) and len(found) == 1:
        if found[0].item:
            return None
        return tested(found[0].expr, found[0].scope, wanted, depth + 1)
    # A plain constant only: the truth of other objects is the user's code.
    if isinstance(place, Known) and isinstance(place.value, str | int | float | list | tuple | dict | None):
        return Several(bool(place.value) == wanted, ())
    return None


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, *, scope: Scope, wanted: bool) -> Test | None:
    one, other = meaning(left, scope), meaning(right, scope)
    if isinstance(op, ast.In | ast.NotIn):
        inside = isinstance(op, ast.In) == wanted
        return _member(one, right, other, scope=scope, inside=inside)
    comparison = OPS[type(op)][not wanted]
    if not isinstance(one, StatePart) and isinstance(other, StatePart):
        one, other, comparison = other, one, FLIPPED[comparison]
    if not isinstance(one, StatePart) or other is None or one.key.startswith(VOLATILE):
        return None
    return Condition(one, comparison, _plain(other))


def _member(one: Meaning | None, right: ast.expr, other: Meaning | None, *, scope: Scope, inside: bool) -> Test | None:
    area = right
    if isinstance(right, ast.Call) and isinstance(right.func, ast.Attribute) and right.func.attr == "keys":
        area = right.func.value
    # Of a key in the state, its presence is asked for, and not its value.
    if area_of(area, scope) == "state" and isinstance(one, Known) and isinstance(one.value, str):
        return Exists(StatePart(one.value), inside)
    if isinstance(one, Known) and isinstance(other, StatePart):
        return Condition(other, "holds" if inside else "lacks", one.value)
    if isinstance(one, StatePart) and other is not None:
        return Condition(one, "in" if inside else "not in", _plain(other))
    return None


# ---- reads -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ReadNames:
    """The state keys and props that expressions read, names followed."""

    keys: dict[str, None] = field(default_factory=dict)
    props: dict[str, None] = field(default_factory=dict)
    _names: set[tuple[int, str]] = field(default_factory=set)

    def add(self, expr: ast.expr, scope: Scope) -> None:
        """Add what an expression reads."""
        if isinstance(expr, ast.Call | ast.Subscript | ast.Attribute | ast.Compare):
            self._note(expr, scope)
        if isinstance(expr, ast.Name):
            self._name(expr.id, scope)
        for child in ast.iter_child_nodes(expr):
            if isinstance(child, ast.expr):
                self.add(child, scope)
            elif isinstance(child, ast.comprehension):
                for part in (child.iter, *child.ifs):
                    self.add(part, scope)

    def _note(self, expr: ast.expr, scope: Scope) -> None:
        if isinstance(place := meaning(expr, scope), StatePart):
            self.keys[place.key] = None
        elif isinstance(expr, ast.Compare) and isinstance(found := tested(expr, scope, True), Exists):
            self.keys[found.part.key] = None

    def _name(self, name: str, scope: Scope) -> None:
        if (id(scope), name) in self._names:
            return
        self._names.add((id(scope), name))
        holder: Scope | None = scope
        while holder is not None and name not in holder.assigned and name not in holder.bound:
            if name in holder.parameters:
                break
            holder = holder.parent
        if holder is not None and name in holder.parameters and name not in ("ctx", "children"):
            self.props[name] = None
        found = scope.find(name)
        if isinstance(found, list):
            for seen in found:
                self.add(seen.expr, seen.scope)
