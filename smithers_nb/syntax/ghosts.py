"""Nodes that the code of an app can return, found in the syntax trees of its components; nothing is called.

A component's returned expressions are followed through names, helpers, branches, loops and comprehensions to the tags
and calls that make nodes, and through the elements of other components into these. Each condition on the way is kept.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from ..errors import whose
from ..nodes.base import NodeBase
from ..nodes.element import Component, Element, Fragment, component
from ..records.ghost import Ghost, Ghosts, Guard
from .body import Body, Guards, equal, guard, over
from .create import LOWER_CASE, jsx
from .located import Function, Located, located
from .meaning import Known, Scope, Seen, constant, meaning, object_of, values_of
from .transpile import FRAGMENT, RUNTIME

MOST = 2000
"""The most nodes that are looked for: a helper counts once for each call of it."""
CONDITIONAL = {
    "if": ("condition", True),
    "while": ("condition", True),
    "ralph": ("until", False),
    "phase": ("skip_if", False),
    "step": ("skip_if", False),
    "sequence": ("skip_if", False),
}
"""The prop on which a node's children depend, and its value where it has some, by the type of the node."""


def ghosts_of(app: object) -> Ghosts:
    """Return all nodes that the code of an app can return; nothing is called."""
    walker = _Walker()
    try:
        walker.value(app, ())
    except RecursionError:
        # Names that stand for themselves, x = x, or code as deep as Python allows.
        walker.unknown[MOST] = "the code is nested too deeply to be followed to its end"
    names = {one.id for one in walker.found if one.id} | {one.name for one in walker.found if one.type == "component"}
    return Ghosts(
        tuple(dict.fromkeys(walker.found)), tuple(walker.unknown.values()), frozenset(name for name in names if name)
    )


@dataclass(slots=True)
class _Made:
    """A tag or a call that makes a node or an element."""

    tag: Any  # Any: whatever stands there
    call: ast.Call
    props: dict[str, ast.expr]
    children: list[ast.expr]


@dataclass(slots=True)
class _Walker:
    found: list[Ghost] = field(default_factory=list)
    unknown: dict[object, str] = field(default_factory=dict)
    inside: list[object] = field(default_factory=list)
    """The code that is being looked at: a component that contains itself would be followed for ever."""
    places: dict[FunctionType, Located | str] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    """The sources of the nodes around what is looked at, outermost first."""
    visited: set[ast.Call] = field(default_factory=set)
    """The calls that make nodes and were reached."""

    # ---- objects ---------------------------------------------------------------------------------------------------

    def value(self, value: Any, guards: Guards) -> None:
        """Look at an object that a component may return: the app itself, or a global."""
        if isinstance(value, list | tuple):
            for one in value:
                self.value(one, guards)
        elif isinstance(value, Fragment):
            self.value(value.children, guards)
        elif isinstance(value, Component):
            self.component(value, {}, guards)
        elif isinstance(value, Element):
            props: dict[str, Seen | Known] = {name: Known(prop) for name, prop in value.props.items()}
            self.component(value.component, props | {"children": Known(value.children)}, guards)
        elif isinstance(value, NodeBase):
            source = value.source or "?"
            self.add(value.type, "", source, value.id, name=value.key, guards=guards)
            prop, wanted = CONDITIONAL.get(value.type, ("", True))
            if prop and getattr(value, prop) is not wanted:
                guards = (*guards, Guard(prop, wanted, "if", component="", source=source))
            self.nodes.append(source)
            self.value(value.children, guards)
            if value.type == "each" and isinstance(render := getattr(value, "render", None), FunctionType):
                items = Guard("items", True, "items", component="", source=source)
                self.function(render, {}, (*guards, items), name="<each>")
            self.nodes.pop()

    def add(self, type: str, component: str, source: str, id: str | None, **known: Any) -> None:
        """Note a node, with the node that is around it."""
        around = self.nodes[-1] if self.nodes else None
        self.found.append(Ghost(type, component, source, id, around=around, **known))

    def component(self, called: Component, bound: dict[str, Seen | Known], guards: Guards) -> bool:
        """Look at a component's code; return False if it can't be read."""
        function = inspect.unwrap(called.function)
        if not isinstance(function, FunctionType):
            self.unknown[called] = f"{called.name}: it is no Python function"
            return False
        return self.function(function, bound, guards, name=called.name)

    def function(
        self,
        function: FunctionType,
        bound: dict[str, Seen | Known],
        guards: Guards,
        *,
        name: str,
        component: str | None = None,
    ) -> bool:
        """Look at the code of a function object; return False if it can't be read."""
        if function not in self.places:
            self.places[function] = located(function)
        where = self.places[function]
        if isinstance(where, str):
            self.unknown[function] = f"{name}: {where}"
            return False
        self.body(where.tree, Scope(where, component or name, values=values_of(function), bound=bound), guards)
        return True

    def body(self, tree: Function, scope: Scope, guards: Guards) -> None:
        """Look at what a function returns, and at nodes in it that nothing leads to."""
        if len(self.found) >= MOST:
            self.unknown[MOST] = f"the code can return more than {MOST:,} nodes: the rest is not looked at"
        if tree in self.inside or MOST in self.unknown:
            return
        self.inside.append(tree)
        try:
            body = Body.of(tree, scope)
            for expr, around in body.returns:
                self.visit(expr, scope, combined(guards, around))
            for expr, around in body.others:
                for call in _calls(expr):
                    if call not in self.visited and self.is_made(call, scope):
                        self.visit(call, scope, combined(guards, around))
        finally:
            self.inside.pop()

    # ---- expressions -----------------------------------------------------------------------------------------------

    def visit(self, expr: ast.expr, scope: Scope, guards: Guards) -> None:
        """Look at an expression that is returned, or is a child."""
        match expr:
            case ast.Call() | ast.Subscript():
                self.call(expr, scope, guards)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.visit(body, scope, (*guards, guard(test, scope)))
                self.visit(orelse, scope, (*guards, guard(test, scope, wanted=False)))
            case ast.BoolOp(op=op, values=values):
                for value in values:
                    self.visit(value, scope, guards)
                    guards = (*guards, guard(value, scope, wanted=isinstance(op, ast.And)))
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.Dict(values=parts):
                for part in parts:
                    self.visit(part, scope, guards)
            case ast.BinOp(left=left, right=right):
                self.visit(left, scope, guards)
                self.visit(right, scope, guards)
            case ast.Starred(value=value) | ast.NamedExpr(value=value) | ast.Attribute(value=value):
                self.visit(value, scope, guards)
            case ast.ListComp(elt=part, generators=loops) | ast.SetComp(elt=part, generators=loops):
                self.comprehension(part, loops, scope, guards)
            case ast.GeneratorExp(elt=part, generators=loops) | ast.DictComp(value=part, generators=loops):
                self.comprehension(part, loops, scope, guards)
            case ast.Name(id=name):
                self.name(name, scope, guards)

    def name(self, name: str, scope: Scope, guards: Guards) -> None:
        found = scope.find(name)
        if isinstance(found, Known):
            self.value(found.value, guards)
        if not isinstance(found, list):
            return
        for seen in found:
            # A list that is added to itself would be followed for ever.
            if seen.expr in self.inside:
                continue
            self.inside.append(seen.expr)
            self.visit(seen.expr, seen.scope, combined(guards, seen.guards))
            self.inside.pop()

    def comprehension(self, part: ast.expr, loops: list[ast.comprehension], scope: Scope, guards: Guards) -> None:
        inner = Scope(scope.code, scope.component, parent=scope)
        for loop in loops:
            guards = (*guards, over(loop.iter, inner))
            for name in ast.walk(loop.target):
                if isinstance(name, ast.Name):
                    inner.assigned[name.id] = [Seen(loop.iter, scope, item=True)]
            guards = (*guards, *(guard(test, inner) for test in loop.ifs))
        self.visit(part, inner, guards)

    def call(self, expr: ast.Call | ast.Subscript, scope: Scope, guards: Guards) -> None:
        """Look at a call, at a node with its children in brackets, or at a choice out of a dict."""
        made = self.made(expr, scope)
        if made is not None:
            self.visited.add(made.call)
            self.element(made, scope, guards)
            return
        match expr:
            case (
                ast.Subscript(value=ast.Dict() as options, slice=key)
                | ast.Call(func=ast.Attribute(value=ast.Dict() as options, attr="get"), args=[key, *_])
            ):
                self.options(options, key, scope, guards)
            case ast.Subscript(value=ast.Name(id=name), slice=key) if (named := _dict(name, scope)) is not None:
                self.options(named, key, scope, guards)
            case ast.Subscript(value=value):
                self.visit(value, scope, guards)
            case ast.Call(func=ast.Attribute(attr="use_effect"), args=[name, *_]):
                id, pattern = id_of(name, scope)
                self.add("effect", scope.component, scope.code.position(expr), id, pattern=pattern, guards=guards)
            case ast.Call(func=ast.Name(id="map"), args=[function, items, *_]):
                item = Seen(items, scope, item=True)
                self.follow(Seen(function, scope), [item], {}, (*guards, over(items, scope)))
            case ast.Call(func=function, args=args, keywords=keywords):
                if not self.helper(expr, scope, guards):
                    # What it returns may hold what it is given: list(…), sorted(…), chosen.values().
                    if isinstance(function, ast.Attribute):
                        self.visit(function.value, scope, guards)
                    for part in (*args, *(keyword.value for keyword in keywords)):
                        self.visit(part, scope, guards)

    def options(self, options: ast.Dict, key: ast.expr, scope: Scope, guards: Guards) -> None:
        """Look at the values of a dict of which one is chosen."""
        for option, value in zip(options.keys, options.values, strict=True):
            around = guards
            if option is not None:
                around = (*guards, equal(key, option, scope))
            self.visit(value, scope, around)

    def helper(self, call: ast.Call, scope: Scope, guards: Guards) -> bool:
        """Look into a function of the user's that is called; return False for any other."""
        args = [Seen(arg, scope) for arg in call.args if not isinstance(arg, ast.Starred)]
        named: dict[str, Seen | Known] = {}
        for keyword in call.keywords:
            # The wrapper of a decorator hands on what it is given: function(**props).
            if keyword.arg is None:
                named |= scope.bound
            else:
                named[keyword.arg] = Seen(keyword.value, scope)
        return self.follow(Seen(call.func, scope), args, named, guards)

    def follow(self, function: Seen, args: list[Seen], named: dict[str, Seen | Known], guards: Guards) -> bool:
        """Look into the function that an expression stands for; return False if it is none of the user's."""
        expr, scope = function.expr, function.scope
        if isinstance(expr, ast.Lambda):
            self.inner(expr, scope, (args, named), guards)
            return True
        if isinstance(expr, ast.Name):
            inner = scope.function(expr.id)
            if inner is not None:
                self.inner(*inner, (args, named), guards)
                return True
            found = scope.find(expr.id)
            if isinstance(found, list):
                # Of several functions under one name, it is not told which is called.
                if len(found) != 1 or found[0].item or found[0].expr in self.inside:
                    return False
                return self.follow(found[0], args, named, guards)
        value = inspect.unwrap(object_of(expr, scope))
        # Code of libraries is not the user's: what it does with nodes is not looked at.
        if not isinstance(value, FunctionType) or whose(value.__code__.co_filename) is not None:
            return False
        names = value.__code__.co_varnames[: value.__code__.co_argcount]
        self.function(value, _bound(names, args, named), guards, name=value.__name__, component=scope.component)
        return True

    def inner(
        self, tree: Function, scope: Scope, given: tuple[list[Seen], dict[str, Seen | Known]], guards: Guards
    ) -> None:
        """Look into a function that is defined in another function."""
        parameters = [one.arg for one in (*tree.args.posonlyargs, *tree.args.args)]
        bound = _bound(parameters, *given)
        self.body(tree, Scope(scope.code, scope.component, parent=scope, bound=bound), guards)

    # ---- elements --------------------------------------------------------------------------------------------------

    def is_made(self, call: ast.Call, scope: Scope) -> bool:
        effect = isinstance(call.func, ast.Attribute) and call.func.attr == "use_effect"
        return effect or self.made(call, scope) is not None

    def made(self, expr: ast.expr, scope: Scope) -> _Made | None:
        """Return the node or element that an expression makes."""
        if isinstance(expr, ast.Subscript):
            made = self.made(expr.value, scope)
            if made is not None:
                made.children = [expr.slice]
                if isinstance(expr.slice, ast.Tuple):
                    made.children = expr.slice.elts
            return made
        if not isinstance(expr, ast.Call):
            return None
        given = [keyword for keyword in expr.keywords if keyword.arg is not None]
        props = {str(keyword.arg): keyword.value for keyword in given}
        children: list[ast.expr] = []
        # The name that a tag compiles to is bound only while its cell is, so the name tells it.
        is_tag = isinstance(expr.func, ast.Name) and expr.func.id == RUNTIME
        if is_tag or (expr.args and object_of(expr.func, scope) is jsx):
            tag = self.tag(expr.args[0], scope)
            if isinstance(tag, str):
                tag = LOWER_CASE.get(tag, tag)
            if len(expr.args) > 1 and isinstance(expr.args[1], ast.Dict):
                pairs = zip(expr.args[1].keys, expr.args[1].values, strict=True)
                props = {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}
            children = expr.args[2:]
        else:
            tag = self.tag(expr.func, scope)
        if not (isinstance(tag, Component | _Inner) or tag is Fragment or _is_node(tag)):
            return None
        if not children and "children" in props:
            children = [props["children"]]
        return _Made(tag, expr, props, children)

    def tag(self, expr: ast.expr, scope: Scope) -> Any:
        """Return what a tag stands for: the class of a node, a component, or its name."""
        if isinstance(expr, ast.Constant):
            return expr.value
        if isinstance(expr, ast.Name):
            if expr.id == FRAGMENT:
                return Fragment
            inner = scope.function(expr.id)
            if inner is not None and _is_component(inner[0], inner[1]):
                return _Inner(expr.id, *inner)
        return object_of(expr, scope)

    def element(self, made: _Made, scope: Scope, guards: Guards) -> None:
        """Look at a node with its children, or into the component of an element."""
        if made.tag is Fragment:
            self.children(made, scope, guards)
            return
        position = scope.code.position(made.call)
        if isinstance(made.tag, Component | _Inner):
            self.add("component", scope.component, position, None, name=made.tag.name, guards=guards)
            self.into(made, scope, guards)
            return
        kind = made.tag.model_fields["type"].default
        given, pattern = None, None
        if "id" in made.props:
            given, pattern = id_of(made.props["id"], scope)
        name = self.text(made, scope, "name") or self.text(made, scope, "key")
        self.add(kind, scope.component, position, given, pattern=pattern, name=name, guards=guards)
        self.nodes.append(position)
        self.below(kind, made, scope, guards)
        self.nodes.pop()

    def below(self, kind: str, made: _Made, scope: Scope, guards: Guards) -> None:
        """Look at what stands in a node."""
        if kind == "switch":
            self.switch(made, scope, guards)
        elif kind == "each":
            self.each(made, scope, guards)
        else:
            prop, wanted = CONDITIONAL.get(kind, ("", True))
            if prop in made.props:
                guards = (*guards, guard(made.props[prop], scope, wanted=wanted))
            self.children(made, scope, guards)

    def children(self, made: _Made, scope: Scope, guards: Guards) -> None:
        for child in made.children:
            self.visit(child, scope, guards)

    def into(self, made: _Made, scope: Scope, guards: Guards) -> None:
        """Look into the component of an element. Its children stand where it places them."""
        bound: dict[str, Seen | Known] = {name: Seen(value, scope) for name, value in made.props.items()}
        # As one list, which its code finds under its own name: "children" in a component stands for what it is given.
        bound["children"] = Seen(ast.List(made.children, ast.Load()), scope)
        if isinstance(made.tag, _Inner):
            inner = Scope(made.tag.scope.code, made.tag.name, parent=made.tag.scope, bound=bound)
            self.body(made.tag.tree, inner, guards)
        elif not self.component(made.tag, bound, guards):
            self.children(made, scope, guards)

    def switch(self, made: _Made, scope: Scope, guards: Guards) -> None:
        """Look at the cases of a Switch, each under its own condition, and the Default under none of these."""
        value = made.props.get("value")
        # A Case stands where no Case before it is equal.
        others: Guards = ()
        for child in made.children:
            case = self.made(child, scope)
            around = guards
            if case is not None and value is not None and "equals" in case.props:
                around = (*guards, *others, equal(value, case.props["equals"], scope))
                others = (*others, equal(value, case.props["equals"], scope, wanted=False))
            elif case is not None and _is_node(case.tag):
                around = (*guards, *others)
            self.visit(child, scope, around)

    def each(self, made: _Made, scope: Scope, guards: Guards) -> None:
        items, render = made.props.get("items"), made.props.get("render")
        args = []
        if items is not None:
            guards = (*guards, over(items, scope))
            args = [Seen(items, scope, item=True)]
        if render is not None:
            self.follow(Seen(render, scope), args, {}, guards)

    def text(self, made: _Made, scope: Scope, prop: str) -> str | None:
        """Return a prop that is a text in the code."""
        if prop not in made.props:
            return None
        found = meaning(made.props[prop], scope)
        if isinstance(found, Known) and isinstance(found.value, str):
            return found.value
        return None


@dataclass(frozen=True, slots=True)
class _Inner:
    """A component that is defined inside of another function."""

    name: str
    tree: Function
    scope: Scope


def combined(guards: Guards, more: Guards) -> Guards:
    """Return conditions and further ones, each once."""
    return (*guards, *(one for one in more if one not in guards))


def _bound(parameters: Iterable[str], args: list[Seen], named: dict[str, Seen | Known]) -> dict[str, Seen | Known]:
    return {**dict(zip(parameters, args, strict=False)), **named}


def id_of(expr: ast.expr, scope: Scope) -> tuple[str | None, str | None]:
    """Return an id, or the pattern of ids that an f-string makes; neither where the code tells nothing."""
    if isinstance(given := constant(meaning(expr, scope)), str):
        return given, None
    if isinstance(expr, ast.Name):
        found = scope.find(expr.id)
        # The argument of a helper: leaf(f"item-{item}").
        if isinstance(found, list) and len(found) == 1 and not found[0].item:
            return id_of(found[0].expr, found[0].scope)
    if not isinstance(expr, ast.JoinedStr):
        return None, None
    text, known = "", True
    for part in expr.values:
        if isinstance(part, ast.FormattedValue):
            part = part.value
        value = meaning(part, scope)
        if isinstance(value, Known):
            text += str(value.value)
        else:
            text, known = f"{text}*", False
    if known:
        return text, None
    # A pattern that fits every id tells nothing.
    return None, (text if text.strip("*") else None)


def _calls(expr: ast.expr) -> Iterator[ast.Call]:
    """Yield the calls in an expression, outermost first, but not those in functions that it makes."""
    if isinstance(expr, ast.Call):
        yield expr
    for child in ast.iter_child_nodes(expr):
        if isinstance(child, ast.keyword):
            child = child.value
        if isinstance(child, ast.expr) and not isinstance(child, ast.Lambda):
            yield from _calls(child)


def _dict(name: str, scope: Scope) -> ast.Dict | None:
    found = scope.find(name)
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0].expr, ast.Dict):
        return found[0].expr
    return None


def _is_node(tag: object) -> bool:
    return isinstance(tag, type) and issubclass(tag, NodeBase)


def _is_component(tree: Function, scope: Scope) -> bool:
    for decorator in getattr(tree, "decorator_list", ()):
        if isinstance(decorator, ast.Call):
            decorator = decorator.func
        if object_of(decorator, scope) is component:
            return True
    return False
