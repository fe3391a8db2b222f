"""Expressions of breakpoints: a small part of Python, checked when it is set, that can only look.

It is interpreted here, not handed to ``eval``: no call but of the functions below, no name but those that are given,
no attribute that begins with an underscore, and values that are plain JSON. It can neither change anything nor run
without end.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import kind_of, said

LONGEST = 1_000_000
"""The greatest length of a text or list that an expression makes."""
LARGEST = 2**256
"""The largest number that ``**``, ``<<`` or ``*`` makes."""
STEPS = 1_000_000
"""Parts of expressions that one evaluation looks at."""

FUNCTIONS: dict[str, Callable[..., Any]] = {  # Any: JSON
    "len": len,
    "any": any,
    "all": all,
    "sum": sum,
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "sorted": sorted,
}
CONSTANTS: dict[str, Any] = {"None": None, "True": True, "False": False, "null": None, "true": True, "false": False}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
SIGNS: dict[type, Callable[[Any], Any]] = {ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos}
PLAIN = (ast.Expression, ast.Constant, ast.BoolOp, ast.IfExp, ast.List, ast.Tuple, ast.Slice, ast.expr_context)


EXAMPLE = "Write one such as state.n == 3 or len(state.notes) > 2."


class ExpressionError(ValueError):
    """A text that is no expression of a breakpoint, or one that has no value."""


class Facts(Mapping[str, Any]):
    """Read-only values that are looked up when they are needed; one that is missing is None."""

    def __init__(self, look: Callable[[str], Any], keys: Callable[[], Sequence[str]]) -> None:
        self._look = look
        self._keys = keys

    def __getitem__(self, key: str) -> Any:  # Any: JSON
        return self._look(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __contains__(self, key: object) -> bool:
        return key in self._keys()


class Expression:
    """A checked expression.

    Parameters
    ----------
    text : str
        ``"state.n > 3 and any(w.key == 'notes' for w in writes)"``. ``state.n`` and ``state['n']`` are the same; a key
        that is missing is None.
    names : collection of str
        The names that it may use.

    Raises
    ------
    ExpressionError
        Naming the part that is not allowed.

    Examples
    --------
    >>> Expression("state.n > 3", {"state"}).value({"state": {"n": 4}})
    True
    """

    def __init__(self, text: str, names: Sequence[str] | set[str]) -> None:
        self.text = text
        if len(text) > 1000:
            raise ExpressionError(f"an expression has at most 1,000 characters; this one has {len(text):,}.")
        try:
            self._tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            # A RecursionError or a MemoryError of the parser may have no text.
            why = str(error) or "it is nested too deeply"
            if isinstance(error, SyntaxError):
                why = error.msg
            raise ExpressionError(f"{_short(text)} is no Python expression: {why}. {EXAMPLE}") from None
        try:
            self.named = _check(self._tree.body, set(names), set())
            """The given names that it uses."""
        except RecursionError:
            raise ExpressionError("it is nested too deeply.") from None

    def value(self, names: Mapping[str, Any]) -> Any:  # Any: JSON
        """Return its value.

        Raises:
            ExpressionError: in words, if it can't be computed: a text compared with a number, say.
        """
        try:
            return _Evaluation(dict(names)).of(self._tree.body)
        except ExpressionError:
            raise
        except RecursionError:
            raise ExpressionError("it is nested too deeply.") from None
        except BaseException as error:  # noqa: BLE001  # of whatever values the state holds
            raise ExpressionError(said(error)) from None


def _short(text: str) -> str:
    """Return a text in quotes, on one line."""
    if len(text) > 80:
        text = f"{text[:80]}…"
    return repr(text)


def _check(node: ast.AST, given: set[str], bound: set[str]) -> set[str]:
    """Return the given names that are used.

    Raises:
        ExpressionError: for a part that is not allowed.
    """
    # A list of what is allowed, not of what is forbidden: syntax of later Pythons is refused until it is looked at.
    match node:
        case ast.Name(id=name):
            if name not in given and name not in bound and name not in FUNCTIONS and name not in CONSTANTS:
                raise ExpressionError(
                    f"there is no {name!r} here. There are {', '.join(sorted(given))}; a key of the state is "
                    f"state.{name}."
                )
            return {name} & (given - bound)
        case ast.Attribute(attr=name) if name.startswith("_"):
            raise ExpressionError(f".{name} can't be looked at: it begins with an underscore.")
        case ast.Call(func=func, args=args, keywords=keywords):
            getter = isinstance(func, ast.Attribute) and func.attr == "get" and 1 <= len(args) <= 2
            if keywords or not (getter or (isinstance(func, ast.Name) and func.id in FUNCTIONS)):
                raise ExpressionError(
                    f"{ast.unparse(func)}(…) can't be called: an expression only looks. It may call "
                    f"{', '.join(FUNCTIONS)} and .get(key)."
                )
        case ast.GeneratorExp() | ast.ListComp():
            return _check_comprehension(node, given, bound)
        case ast.BinOp(op=op) if type(op) not in ARITHMETIC:
            raise ExpressionError(f"{type(op).__name__} is no arithmetic of an expression: + - * / // % are.")
        case ast.UnaryOp(op=op) if type(op) not in SIGNS:
            raise ExpressionError(f"{type(op).__name__} is no sign of an expression.")
        case ast.Compare() | ast.Attribute() | ast.Subscript() | ast.BinOp() | ast.UnaryOp():
            pass
        case _ if isinstance(node, (*PLAIN, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)):
            pass
        case _:
            part = _short(ast.unparse(node))
            raise ExpressionError(f"{part} is not allowed: an expression only looks and compares. {EXAMPLE}")
    return set().union(*(_check(child, given, bound) for child in ast.iter_child_nodes(node)))


def _check_comprehension(node: ast.GeneratorExp | ast.ListComp, given: set[str], bound: set[str]) -> set[str]:
    loop = node.generators[0]
    if len(node.generators) > 1 or not isinstance(loop.target, ast.Name) or loop.is_async:
        raise ExpressionError("a loop in an expression is `… for name in …`, and only one.")
    inside = bound | {loop.target.id}
    used = _check(loop.iter, given, bound)
    return used.union(*(_check(part, given, inside) for part in [node.elt, *loop.ifs]))


class _Evaluation:
    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.steps = 0

    def of(self, node: ast.expr | None) -> Any:  # Any: JSON
        self.steps += 1
        if self.steps > STEPS:
            raise ExpressionError("it takes too long.")
        match node:
            case None:
                return None
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if name in self.names:
                    return self.names[name]
                return CONSTANTS.get(name, FUNCTIONS.get(name))
            case ast.BoolOp(op=op, values=values):
                return self.boolean(isinstance(op, ast.And), values)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self.compared(left, ops, comparators)
            case ast.BinOp(left=left, op=op, right=right):
                return _bounded(op, self.of(left), self.of(right))
            case ast.UnaryOp(op=op, operand=operand):
                return SIGNS[type(op)](self.of(operand))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                if self.of(test):
                    return self.of(body)
                return self.of(orelse)
            case ast.Attribute(value=value, attr=name):
                return _item(self.of(value), name)
            case ast.Subscript(value=value, slice=index):
                return _item(self.of(value), self.of(index))
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(self.of(lower), self.of(upper), self.of(step))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self.of(part) for part in parts]
            case ast.GeneratorExp() | ast.ListComp():
                return list(self.loop(node))
            case ast.Call(func=ast.Attribute(value=value), args=args):
                found = _item(self.of(value), self.of(args[0]))
                if found is None and len(args) > 1:
                    return self.of(args[1])
                return found
            case ast.Call(func=func, args=args):
                return self.of(func)(*(self.of(arg) for arg in args))
        raise ExpressionError(f"{type(node).__name__} is not allowed.")  # _check refused it already

    def boolean(self, all_of: bool, values: list[ast.expr]) -> Any:
        found: Any = all_of
        for value in values:
            found = self.of(value)
            if bool(found) is not all_of:
                break
        return found

    def compared(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> Any:
        one = self.of(left)
        for op, comparator in zip(ops, comparators, strict=True):
            other = self.of(comparator)
            if not COMPARISONS[type(op)](one, other):
                return False
            one = other
        return True

    def loop(self, node: ast.GeneratorExp | ast.ListComp) -> Iterator[Any]:
        made = node.generators[0]
        assert isinstance(made.target, ast.Name)  # for the type checker: _check saw to it
        name = made.target.id
        missing = object()
        before = self.names.get(name, missing)
        try:
            for item in self.of(made.iter):
                self.names[name] = item
                if all(self.of(test) for test in made.ifs):
                    yield self.of(node.elt)
        finally:
            if before is missing:
                self.names.pop(name, None)
            else:
                self.names[name] = before


def _bounded(op: ast.operator, one: Any, other: Any) -> Any:
    # A text or a list is refused before it is made; a number of one multiplication can't take much room.
    if isinstance(op, ast.Mult):
        for sized, times in ((one, other), (other, one)):
            if isinstance(sized, str | list) and isinstance(times, int) and len(sized) * times > LONGEST:
                raise ExpressionError(f"it makes something longer than {LONGEST:,}.")
    if isinstance(op, ast.Mod) and isinstance(one, str):
        raise ExpressionError("% is for numbers.")  # "%999999999d" makes a text of a gigabyte.
    found = ARITHMETIC[type(op)](one, other)
    if (isinstance(found, int) and abs(found) > LARGEST) or (isinstance(found, str | list) and len(found) > LONGEST):
        raise ExpressionError("it makes something too large.")
    return found


def _item(value: Any, index: Any) -> Any:
    """Return an item. A missing key of a dict, and any item of None, is None."""
    if value is None:
        return None
    if isinstance(value, Facts):
        return value[index]
    if isinstance(value, Mapping):
        return value.get(index)
    if isinstance(value, str | list) and isinstance(index, int | slice):
        return value[index]
    raise ExpressionError(f"{kind_of(value)} has no {index!r}")
