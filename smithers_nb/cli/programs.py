"""Programs: the app of ``MODULE:App``, and that of a notebook's ``%%smithers`` cell."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import did_you_mean
from ..notebook.cells import ParsedCell, executed, parsed
from ..notebook.options import CellOptions, OptionError, cell_options
from ..notebook.root import Root, root_of
from ..syntax.compile import cell_filename
from .errors import ProgramError, ProgramRaisedError

MAGIC = "%%smithers"


@dataclass(frozen=True, slots=True)
class Program:
    """An app, and the name of its executions."""

    app: object
    name: str
    props: dict[str, Any] | None = None  # Any: the user's
    """The props of the cell's line."""


def load(target: str) -> Program:
    """Return the program of ``MODULE:App``, ``FILE.ipynb``, or ``FILE.ipynb:NAME`` for one cell of several.

    Raises:
        ProgramError: if there is none.
        ProgramRaisedError: if the module, or a cell, raised.
    """
    # As python -m does: modules of the current folder are found.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    place, _, name = target.partition(":")
    if place.endswith(".ipynb"):
        return _of_notebook(Path(place), name)
    if not place or not name:
        raise ProgramError(f"{target!r} is no app: write MODULE:App, such as reports:App, or FILE.ipynb.")
    return _of_module(place, name)


def _of_module(place: str, name: str) -> Program:
    with _users_code():
        try:
            module = import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not place.startswith(error.name):
                raise  # A module that the user's own imports.
            raise ProgramError(f"there is no module {place!r}, seen from {os.getcwd()}.") from None
    found = getattr(module, name, None)
    if not isinstance(found, Root):
        apps = [each for each, value in vars(module).items() if isinstance(value, Root)]
        near = did_you_mean(name, apps) or f" It has {', '.join(apps) or 'none'}."
        raise ProgramError(f"{place} has no component or node {name!r}.{near}")
    return Program(found, name.lower())


@contextmanager
def _users_code() -> Iterator[None]:
    """Tell errors of the user's code apart from those of the words."""
    try:
        yield
    except (ProgramError, OptionError):
        raise
    except Exception as error:
        raise ProgramRaisedError from error


def _of_notebook(path: Path, wanted: str) -> Program:
    """Return the program of a cell: the cells before it are run, without Jupyter."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec("from smithers_nb import *", names)  # As %load_ext smithers_nb provides them.
    # All cells before it: they define what it uses, and an earlier %%smithers cell is only code here.
    cells = list(_cells(path))
    last = _place_of(path, cells, wanted)
    program = None
    for number, source in cells[: last + 1]:
        program = _run_cell(path, number, source, names)
    assert program is not None  # The last of them is a %%smithers cell.
    return program


def _cells(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the code cells of a notebook with their numbers."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except FileNotFoundError:
        raise ProgramError(f"there is no file {path}.") from None
    except (ValueError, KeyError, TypeError):
        raise ProgramError(f"{path} is no notebook: a JSON file with cells, of format 4.") from None
    for number, cell in enumerate(cells, 1):
        if cell.get("cell_type") == "code":
            yield number, "".join(cell["source"])


def _place_of(path: Path, cells: list[tuple[int, str]], wanted: str) -> int:
    """Return the place of the cell that is run: that of a name, or the only one."""
    found = {_options(source).name: place for place, (_, source) in enumerate(cells) if source.startswith(MAGIC)}
    if wanted in found:
        return found[wanted]
    listed = ", ".join(f"{path}:{name}" for name in found)
    if wanted:
        raise ProgramError(f"{path} has no %%smithers cell {wanted!r}.{did_you_mean(wanted, found)} It has {listed}.")
    if len(found) != 1:
        raise ProgramError(f"{path} has {len(found)} %%smithers cells. Name one: {listed or 'there is none'}.")
    return next(iter(found.values()))


def _options(source: str) -> CellOptions:
    return cell_options(source.partition("\n")[0].removeprefix(MAGIC))


def _run_cell(path: Path, number: int, source: str, names: dict[str, Any]) -> Program | None:
    """Run a cell in the namespace of the notebook; return its program if it is a %%smithers cell."""
    line, _, body = source.partition("\n")
    if not line.startswith(MAGIC):
        text = _plain(path, number, source)
        with _users_code():
            executed(parsed(text, cell_filename(f"{path.stem}_{number}", text)), names)
        return None
    try:
        options = _options(source)
        text = _plain(path, number, f"\n{body}")
        with _users_code():
            app = _root(options, text, parsed(text, cell_filename(options.name, text)), names)
            # An expression of the user's on the line of the cell, as the magic evaluates it.
            props = options.props and eval(options.props, names)
    except OptionError as error:
        raise ProgramError(f"cell {number} of {path}: {error}") from None
    return Program(app, options.name, props or None)


def _root(options: CellOptions, text: str, cell: ParsedCell, names: dict[str, Any]) -> object:
    value = executed(cell, names)
    if options.root is None:
        return root_of(text, cell.tree, value, names)
    if not isinstance(names.get(options.root), Root):
        raise OptionError(f"--root {options.root} is no component or node of this notebook")
    return names[options.root]


def _plain(path: Path, number: int, source: str) -> str:
    """Return a cell as Python; the line that loads the extension is left out.

    Raises:
        ProgramError: if it has another line that only Jupyter understands.
    """
    # Lines keep their numbers, so that a traceback shows those of the cell.
    lines = source.split("\n")
    for place, line in enumerate(lines):
        if line.strip() == "%load_ext smithers_nb":
            lines[place] = ""
        elif line.lstrip().startswith(("%", "!")):
            raise ProgramError(
                f"cell {number} of {path} has the line {line.strip()!r}, which only Jupyter understands. Run the "
                "notebook there, or move the line into a cell behind the %%smithers cell."
            )
    return "\n".join(lines)
