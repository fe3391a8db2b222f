"""The statements of a function: its returned expressions, the meaning of its names, and the conditions of both."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..records.ghost import Condition, Guard, Several, StatePart, Test
from .located import Function
from .meaning import Known, Meaning, ReadNames, Scope, Seen, constant, imported, meaning, tested

Guards = tuple[Guard, ...]
ADDING = frozenset({"append", "add", "extend", "insert", "appendleft"})
"""Methods that put their argument into their object."""


@dataclass(slots=True)
class Body:
    """A function's statements, read once."""

    scope: Scope
    returns: list[tuple[ast.expr, Guards]] = field(default_factory=list)
    """The returned and yielded expressions."""
    others: list[tuple[ast.expr, Guards]] = field(default_factory=list)
    """All other expressions, in which nodes may be made that reach a return unseen."""

    @classmethod
    def of(cls, tree: Function, scope: Scope) -> Body:
        """Read a function; its scope gets the names that it assigns."""
        body = cls(scope)
        given = tree.args
        listed = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        scope.parameters = frozenset(one.arg for one in listed if one is not None)
        if isinstance(tree, ast.Lambda):
            body.returns.append((tree.body, ()))
        else:
            body.walk(tree.body, ())
        return body

    def walk(self, statements: Iterable[ast.stmt], guards: Guards) -> Guards:
        """Read statements that run under some conditions; return those of what follows them."""
        for statement in statements:
            match statement:
                case ast.If(test=test, body=body, orelse=orelse):
                    self._expression(test, guards)
                    yes, no = guard(test, self.scope), guard(test, self.scope, wanted=False)
                    after_yes = self.walk(body, (*guards, yes))
                    after_no = self.walk(orelse, (*guards, no))
                    # What follows an early return stands in its else.
                    if leaves(body):
                        guards = after_no
                    elif leaves(orelse):
                        guards = after_yes
                case ast.Match(subject=subject, cases=cases):
                    for case in cases:
                        self.walk(case.body, (*guards, *matched(subject, case, self.scope)))
                case _:
                    self._statement(statement, guards)
        return guards

    def _statement(self, statement: ast.stmt, guards: Guards) -> None:
        match statement:
            case (
                ast.Return(value=ast.expr() as value)
                | ast.Expr(value=ast.Yield(value=ast.expr() as value) | ast.YieldFrom(value=value))
            ):
                self._expression(value, guards, returned=True)
            case ast.Expr(value=value):
                self._expression(value, guards)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value, guards)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
                self._assign(target, value, guards)
            case ast.For(target=target, iter=items, body=body, orelse=orelse):
                self._assign(target, items, guards, item=True)
                self.walk(body, (*guards, over(items, self.scope)))
                self.walk(orelse, guards)
            case ast.While(test=test, body=body, orelse=orelse):
                self.walk(body, (*guards, guard(test, self.scope)))
                self.walk(orelse, guards)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                self.walk([*body, *orelse, *final], guards)
                for handler in handlers:
                    self.walk(handler.body, (*guards, self._caught(handler)))
            case ast.With(body=body):
                self.walk(body, guards)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.scope.functions[statement.name] = statement
            case ast.Import() | ast.ImportFrom():
                self.scope.imported |= imported(statement)

    def _caught(self, handler: ast.ExceptHandler) -> Guard:
        code = self.scope.code
        text = "except"
        if handler.type is not None:
            text = f"except {code.segment(handler.type)}"
        return Guard(text, True, "if", component=self.scope.component, source=code.position(handler))

    def _expression(self, expr: ast.expr, guards: Guards, returned: bool = False) -> None:
        if returned:
            self.returns.append((expr, guards))
        else:
            self.others.append((expr, guards))
        for node in ast.walk(expr):
            match node:
                case ast.NamedExpr(target=ast.Name(id=name), value=value):
                    self._note(name, Seen(value, self.scope, guards=guards))
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[*_, added]):
                    if method in ADDING and name in self.scope.assigned:
                        self._note(name, Seen(added, self.scope, guards=guards))

    def _assign(self, target: ast.expr, value: ast.expr, guards: Guards, item: bool = False) -> None:
        match target, value:
            case ast.Name(id=name), _:
                self._note(name, Seen(value, self.scope, item, guards))
            # What is put into a dict or list may be returned with it.
            case ast.Subscript(value=ast.Name(id=name)), _:
                self._note(name, Seen(value, self.scope, item, guards))
            case ((ast.Tuple(elts=names) | ast.List(elts=names)), (ast.Tuple(elts=parts) | ast.List(elts=parts))) if (
                not item and len(names) == len(parts)
            ):
                for one, part in zip(names, parts, strict=True):
                    self._assign(one, part, guards)
                return
            case ((ast.Tuple(elts=names) | ast.List(elts=names)), _):
                for one in names:
                    self._assign(one, value, guards, item=True)
                return
        self._expression(value, guards)

    def _note(self, name: str, seen: Seen) -> None:
        self.scope.assigned.setdefault(name, []).append(seen)


def leaves(statements: list[ast.stmt]) -> bool:
    """Return whether nothing that follows these statements runs after them."""
    match statements[-1:]:
        case [ast.Return() | ast.Raise() | ast.Continue() | ast.Break()]:
            return True
        case [ast.If(body=body, orelse=[_, *_] as orelse)]:
            return leaves(body) and leaves(orelse)
        case [ast.With(body=body)]:
            return leaves(body)
    return False


# ---- conditions --------------------------------------------------------------------------------------------------


def guard(expr: ast.expr, scope: Scope, *, wanted: bool = True, text: str | None = None) -> Guard:
    """Return the condition that an expression is true, or false."""
    # "not notes is false" reads worse than "notes is true".
    while isinstance(expr, ast.UnaryOp) and isinstance(expr.op, ast.Not) and text is None:
        expr, wanted = expr.operand, not wanted
    return _guard(expr, scope, wanted, tested(expr, scope, wanted), text=text)


def over(items: ast.expr, scope: Scope) -> Guard:
    """Return the condition that there are items."""
    test = tested(items, scope, True)
    return replace(_guard(items, scope, True, test), kind="items")


def equal(value: ast.expr, option: ast.expr, scope: Scope, *, wanted: bool = True) -> Guard:
    """Return the condition of a Case: that two expressions are equal."""
    # The code has no expression for it: one is made of the two.
    code = scope.code
    comparison = ast.Compare(value, [ast.Eq()], [option])
    found = _guard(
        option,
        scope,
        wanted,
        tested(comparison, scope, wanted),
        text=f"{code.segment(value)} == {code.segment(option)}",
    )
    reads = _reads(scope, value, option)
    return replace(found, keys=tuple(reads.keys), props=tuple(reads.props))


def matched(subject: ast.expr, case: ast.match_case, scope: Scope) -> Guards:
    """Return the conditions of a case of a match statement."""
    # A wildcard takes what the cases before it leave: they are not repeated as its conditions.
    found: Guards = ()
    if not (isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None):
        text = f"match {scope.code.segment(subject)}: case {scope.code.segment(case.pattern)}"
        test = _fits(meaning(subject, scope), case.pattern, scope)
        found = (replace(_guard(subject, scope, True, test, text=text), source=scope.code.position(case.pattern)),)
    if case.guard is not None:
        found = (*found, guard(case.guard, scope))
    return found


def _fits(place: Meaning | None, pattern: ast.pattern, scope: Scope) -> Test | None:
    if not isinstance(place, StatePart):
        return None
    match pattern:
        case ast.MatchValue(value=value):
            if isinstance(found := meaning(value, scope), Known):
                return Condition(place, "==", found.value)
        case ast.MatchSingleton(value=value):
            return Condition(place, "==", value)
        case ast.MatchOr(patterns=patterns):
            return Several(False, tuple(_fits(place, one, scope) for one in patterns))
        case ast.MatchMapping(keys=keys, patterns=patterns, rest=None):
            parts: list[Test | None] = []
            for key, inner in zip(keys, patterns, strict=True):
                part = replace(place, path=(*place.path, constant(meaning(key, scope))))
                parts.append(_fits(part, inner, scope))
            return Several(True, tuple(parts))
    return None


def _guard(expr: ast.expr, scope: Scope, wanted: bool, test: Test | None, *, text: str | None = None) -> Guard:
    reads = _reads(scope, expr)
    return Guard(
        text or scope.code.segment(expr),
        wanted,
        "if",
        scope.component,
        source=scope.code.position(expr),
        keys=tuple(reads.keys),
        props=tuple(reads.props),
        test=test,
    )


def _reads(scope: Scope, *exprs: ast.expr) -> ReadNames:
    reads = ReadNames()
    for expr in exprs:
        reads.add(expr, scope)
    return reads
