"""``ex.keep("tests/test_report.py")``: a run as a pytest file, with its recording beside it.

The recording is a ``run.html``, as ``export`` writes it: credentials are masked in it, it is small, and a double click
opens it. A database would hold them in plain, and version control would keep them.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from textwrap import indent
from types import ModuleType

from ..errors import StoreError, an, did_you_mean
from ..nodes.element import Component, Element
from ..store.reader import Reader
from ..values import Stored, value_of
from . import container
from .export import Export, export
from .notebook_code import code_of
from .opened import open_page


@dataclass(frozen=True, slots=True)
class Kept:
    """A test that was written, and its recording."""

    test: Path
    recording: Export

    def __repr__(self) -> str:
        return f"<Kept {self.test}, with {self.recording.path.name}: pytest {self.test}>"


def keep(
    reader: Reader,
    execution_id: str,
    app: object,
    path: str | os.PathLike[str],
    *,
    values: Iterable[str] = (),
    replace: bool = False,
    show: bool = True,
) -> Kept:
    """Write the test and the recording; see ``Execution.keep``."""
    test = Path(path)
    _refuse_name(test, replace)
    execution = reader.execution(execution_id)
    if execution.kind == "branch":
        root = reader.execution(reader.line(execution_id)[0].execution_id)
        raise StoreError(
            f"execution {execution.name} ({execution_id}) is a branch, and a test replays from frame 1: its first "
            f"frames are those of {root.name}. Keep the run that it began with, "
            f"store.open({root.execution_id!r}).keep({str(path)!r}, app), or run this code from the beginning, with "
            "the values that the fork gave in state=, and keep that."
        )
    if execution.props is None:
        raise StoreError(
            f"the props of {execution.name} could not be stored, and a test can't give them. Put a component without "
            "props around the app, and keep a run of that."
        )
    wanted = _app_of(app, test)
    recording = test.with_suffix(".html")
    state = _state(reader, execution_id)
    chosen = list(values)
    for key in chosen:
        if key not in state:
            raise ValueError(f"values names {key!r}, and the state has no such key.{did_you_mean(key, state)}")
        _literal(key, state[key])
    # The test last: it is there only with its recording.
    exported = export(reader, execution_id, recording, show=show)
    _, masked = open_page(os.path.abspath(recording))
    text = _text(masked, execution_id, wanted, test=test, values=chosen)
    container.write(test, text.encode())
    return Kept(test, exported)


def _refuse_name(test: Path, replace: bool) -> None:
    if test.suffix != ".py" or not test.name.startswith("test_"):
        raise ValueError(f"path={str(test)!r} is no test: pytest looks for names such as tests/test_report.py.")
    for file in (test, test.with_suffix(".html")):
        if file.exists() and not replace:
            raise ValueError(f"{file} exists already, and was not changed. keep(…, replace=True) writes it again.")
    if not test.parent.is_dir():
        raise StoreError(f"{test} can't be written: there is no folder {test.parent}. Make it, or name another.")


def _state(reader: Reader, execution_id: str) -> dict[str, Stored]:
    after = reader.last_flushed(execution_id) + 1
    return {key: row[0] for key, row in reader.state(execution_id, after).items()}


def _literal(key: str, stored: Stored) -> str:
    """Return a value as it is written in Python.

    Raises:
        ValueError: if it is none that Python can write.
    """
    value = value_of(key, stored)
    text = pformat(value, width=100, sort_dicts=False)
    try:
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise ValueError(
            f"values names {key!r}, which holds {an(stored.type)}: it can't be written as a literal. Leave it out; all "
            "of the state is compared with the recording all the same."
        )
    return text


# ---- the app ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _App:
    """The app, as the test has it."""

    name: str
    imports: tuple[str, ...] = ()
    """The lines that import it."""
    code: str = ""
    """The code of an app that can't be imported."""


def _app_of(app: object, test: Path) -> _App:
    """Return how a test comes by an app: it imports the module of a component, or has the code of a cell.

    Raises:
        ValueError: if it has no name, or code that can't be written.
    """
    if isinstance(app, str):
        module, _, name = app.partition(":")
        if not module or not name.isidentifier():
            raise ValueError(f"app={app!r} names no app: write app='package.module:Name'.")
        return _App(name, (f"from {module} import {name}",))
    if isinstance(app, Element) and not app.children:
        app = app.component
    if not isinstance(app, Component):
        raise ValueError(
            "the app is no component, and a test can't name it: put it into a function with @component above it, or "
            "say where it stands, app='package.module:NAME'."
        )
    function = inspect.unwrap(app.function)
    # A module can be imported by the test, too; what is in __main__ is gone with this process.
    home = sys.modules.get(function.__module__)
    if home is not None and home.__name__ != "__main__":
        bound = next((name for name, value in vars(home).items() if value is app), None)
        if bound is not None:
            return _App(bound, (*_path_to(home, test), f"from {home.__name__} import {bound}"))
    return _App(app.name, code=code_of(app))


def _path_to(module: ModuleType, test: Path) -> Iterator[str]:
    """Yield the lines that let a test import a module which is neither installed nor beside it."""
    top = sys.modules[module.__name__.partition(".")[0]]
    if not getattr(top, "__file__", None):
        return
    file = Path(str(top.__file__)).resolve()
    folder = file.parent
    if file.name == "__init__.py":
        folder = folder.parent
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")]
    if folder in installed or folder == test.parent.resolve():
        return
    # pytest imports what is beside the test, or what the project says; where it says nothing, the test does.
    yield "import sys"
    yield "from pathlib import Path"
    yield ""
    way = os.path.relpath(folder, test.parent.resolve())
    yield f"sys.path.insert(0, str(Path(__file__).parent / {Path(way).as_posix()!r}))  # The folder of {top.__name__}."
    yield ""


# ---- the text --------------------------------------------------------------------------------------------------


def _text(reader: Reader, execution_id: str, app: _App, *, test: Path, values: Sequence[str]) -> str:
    """Return the text of a test, made from its recording: credentials that are masked there are masked here."""
    execution = reader.execution(execution_id)
    last = reader.last_frame(execution_id)
    state = _state(reader, execution_id)
    tree, _ = reader.tree(execution_id, last)
    name = re.sub(r"\W", "_", test.stem)
    lines = [
        f'"""The run {_in_docstring(execution.name)}, replayed as it is recorded: offline, and no model is asked.',
        "",
        f"Written by keep(). The run stands beside it: open {test.stem}.html in a browser.",
        '"""',
        "",
        *app.imports,
        app.code,
        "",
        "",
        f"def {name}(kept_run):",
        f'    run = kept_run("{test.stem}.html", {app.name})',
        f"    assert run.frames == {last}",
        f"    assert run.status == {execution.status!r}",
        "    assert run.plan.splitlines() == [",
        *(f"        {line!r}," for line in tree.xml.splitlines()),
        "    ]",
    ]
    for key in values:
        literal = indent(_literal(key, state[key]), "        ").strip()
        lines.append(f"    assert run.values[{key!r}] == {literal}")
    return "\n".join(lines) + "\n"


def _in_docstring(name: str) -> str:
    return repr(name).replace("\\", "\\\\").replace('"', "'")
