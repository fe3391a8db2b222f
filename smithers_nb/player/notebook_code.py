"""The code of an app that was written in cells, or in a script, as a test can have it.

Only what the app needs: the statements of the cells that define its names, and theirs, in the order in which they need
each other. JSX is written as the Python that it means.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import os
import re
import sys
from collections.abc import Iterator
from pprint import pformat
from symtable import SymbolTable, symtable
from types import FunctionType, ModuleType
from typing import Any

from ..nodes.element import Component
from ..syntax.transpile import FRAGMENT, RUNTIME, transpile

_PUBLIC = {RUNTIME: "jsx", FRAGMENT: "Fragment"}
"""The names in transpiled cells, and those that users have for the same."""


def code_of(app: Component) -> str:
    """Return the code of a component and of all that it needs: imports, values, functions, classes, components.

    Raises:
        ValueError: naming what can't be written.
    """
    function = inspect.unwrap(app.function)
    if getattr(function, "__closure__", None):
        raise ValueError(f"{app.name} is made inside of a function, whose variables a test does not have. {_INSTEAD}")
    names: dict[str, Any] = function.__globals__
    name = next((name for name, value in names.items() if value is app), app.name)
    gathered = _Gathered(names)
    gathered.need(name)
    if gathered.missing:
        raise ValueError(
            f"the code of {name} can't be written into a test: it uses {', '.join(gathered.missing)}, and no cell "
            f"defines that. {_INSTEAD}"
        )
    return gathered.text


_INSTEAD = "Put the app into a module, and import it where it is run: the test imports it, too."


class _Gathered:
    """The imports and statements that a test needs."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._statements = dict(_statements(names))
        self._public = sys.modules["smithers_nb"]
        self._from_us: set[str] = set()
        self._imports: dict[str, None] = {}
        self._parts: dict[str, None] = {}
        self._seen: set[str] = set()
        self.missing: list[str] = []
        """The names that can't be written."""

    @property
    def text(self) -> str:
        """All of it."""
        # At least component, which stands above each of them.
        ours = f"from smithers_nb import {', '.join(sorted(self._from_us, key=str.casefold))}"
        text = "\n\n\n".join(["\n".join([*self._imports, "", ours]).strip(), *self._parts])
        for name, public in _PUBLIC.items():
            text = text.replace(name, public)
        return text

    def need(self, name: str) -> None:
        """Add what defines a name, after what that needs itself."""
        if name in self._seen:
            return
        self._seen.add(name)
        public = _PUBLIC.get(name, name)
        # Not in the notebook: a builtin, or a name that would not be found there either.
        if name not in self._names and name not in _PUBLIC:
            return
        value = self._names.get(name)
        if public in self._public.__all__ and (name in _PUBLIC or value is getattr(self._public, public)):
            self._from_us.add(public)
        elif line := _import_of(name, value):
            self._imports[line] = None
        # The present value, not the statement that first made it: this is what ran.
        elif (literal := _literal(value)) is not None:
            self._parts[f"{name} = {literal}"] = None
        elif name in self._statements:
            text = self._statements[name]
            for needed in _needs(text):
                self.need(needed)
            self._parts[text] = None
        else:
            self.missing.append(name)


def _import_of(name: str, value: Any) -> str | None:
    """Return the line that imports a value; None for one that was made in the notebook."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" + f" as {name}" * (name != value.__name__)
    made = value
    if isinstance(value, Component):
        made = inspect.unwrap(value.function)
    module, found = getattr(made, "__module__", None), getattr(made, "__qualname__", None)
    if module in (None, "__main__") or not isinstance(found, str) or not found.isidentifier():
        return None
    if getattr(sys.modules.get(str(module)), found, None) is not value or vars(builtins).get(name) is value:
        return None
    return f"from {module} import {found}" + f" as {name}" * (name != found)


def _literal(value: Any) -> str | None:
    """Return a value as it is written in Python: as it is now, whatever a later cell has made of it."""
    if isinstance(value, FunctionType | type | Component):
        return None
    text = pformat(value, width=110, sort_dicts=False)
    try:
        if ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    return None


# ---- the cells -------------------------------------------------------------------------------------------------


def _statements(names: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names that the cells bind, each with its statement; those of later cells later."""
    script = names.get("__file__")
    # Cells are compiled under names of files that are not there, and their sources are kept for tracebacks.
    files = [file for file in linecache.cache if not os.path.exists(file)]
    for file in [*files, *([script] if isinstance(script, str) else [])]:
        code = _code("".join(linecache.getlines(file)), file)
        if code is None:
            continue
        lines = code.splitlines()
        for statement in ast.parse(code).body:
            first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", ()))])
            text = "\n".join(lines[first - 1 : statement.end_lineno]).strip("\n")
            for name in _binds(text):
                yield name, text


def _code(source: str, file: str) -> str | None:
    """Return a cell as Python; None for one that is none."""
    # A line of IPython's, if there is one, defines nothing that an app uses.
    for text in (source, re.sub(r"(?m)^[ \t]*[%!].*$", "", source)):
        try:
            code = transpile(text, file).code
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError):
            continue
        return code
    return None


def _table(text: str) -> SymbolTable | None:
    try:
        return symtable(text, "<cell>", "exec")
    except SyntaxError:  # It awaits outside of a function, as only a cell can.
        return None


def _binds(text: str) -> Iterator[str]:
    table = _table(text)
    if table is not None:
        yield from (one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported())


def _needs(text: str) -> Iterator[str]:
    """Yield the names of the notebook that a statement uses, those in its functions too."""
    waiting = [table for table in [_table(text)] if table is not None]
    while waiting:
        table = waiting.pop()
        for one in table.get_symbols():
            if one.is_global() or (table.get_type() == "module" and one.is_referenced()):
                yield one.get_name()
        waiting += table.get_children()
