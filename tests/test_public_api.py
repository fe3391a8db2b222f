"""What is public, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import Any

import pytest

import smithers_nb

PUBLIC = [
    "Agent",
    "Approval",
    "Case",
    "Claude",
    "Default",
    "Each",
    "Effect",
    "End",
    "Execution",
    "Fragment",
    "Frame",
    "If",
    "Parallel",
    "Phase",
    "Ralph",
    "RunResult",
    "Sequence",
    "Smithers",
    "Step",
    "Stepper",
    "Stop",
    "Store",
    "Switch",
    "Task",
    "Text",
    "While",
    "__version__",
    "call_tool",
    "component",
    "errors",
    "jsx",
    "scripted",
]

MODULES = sorted(found.name for found in pkgutil.walk_packages(smithers_nb.__path__, "smithers_nb."))


def test_the_public_names_are_these() -> None:
    assert sorted(smithers_nb.__all__) == PUBLIC
    assert len(set(smithers_nb.__all__)) == len(smithers_nb.__all__)


EACH_FIRST = """
import os, sys
for name in sys.argv[1:]:
    if os.fork() == 0:
        exec(f"from smithers_nb import {name}")
        os._exit(0)
    print(name, os.wait()[1], flush=True)
"""


def test_every_public_name_can_be_the_first_that_is_imported(python: Any) -> None:
    done = python(EACH_FIRST, *PUBLIC)
    assert done.stdout.splitlines() == [f"{name} 0" for name in PUBLIC], done.stderr


@pytest.mark.parametrize(
    "first",
    [
        "import smithers_nb.syntax.compile",
        "from smithers_nb import Execution",
        "import smithers_nb.engine.pipeline",
        "from smithers_nb import *",
        "import smithers_nb.notebook.magics",
    ],
)
def test_jsx_is_the_function_whatever_was_imported_before(first: str, python: Any) -> None:
    """There is a package of the same name."""
    done = python(f"{first}\nfrom smithers_nb import jsx\nprint(jsx('phase', {{'name': 'a'}}))")
    assert done.stdout == "<phase with 0 children>\n", done.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = smithers_nb.nothing_of_this_name  # type: ignore[attr-defined]


def test_dir_lists_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(smithers_nb))


HEAVY = ["pandas", "pydantic_ai", "ipywidgets", "IPython", "anywidget", "nest_asyncio", "anthropic"]


def loaded(script: str, python: Any) -> list[str]:
    done = python(f"{script}\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_importing_the_package_loads_nothing_heavy(python: Any) -> None:
    assert loaded("import smithers_nb", python) == []


def test_a_run_without_agents_loads_no_agent_library_and_no_notebook(python: Any) -> None:
    script = """
from smithers_nb import Execution, Phase, Task, component
@component
def App(ctx):
    return Phase(name="a")[Task(run=lambda: 1, on_finished=lambda r: ctx.state.set("x", r.output))]
ex = Execution(App(), store="t.db")
assert ex.run_sync().status == "finished"
"""
    assert loaded(script, python) == []


def test_pandas_comes_with_the_first_data_frame(python: Any) -> None:
    script = "from smithers_nb import Execution\nex = Execution([], store='t.db')\nex.df.frames"
    assert loaded(script, python) == ["pandas"]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_there_are_examples_to_run() -> None:
    finder = doctest.DocTestFinder()
    found = [test for module in MODULES for test in finder.find(importlib.import_module(module)) if test.examples]
    assert len(found) >= 10


def test_the_package_ships_its_types() -> None:
    from importlib.resources import files

    assert (files("smithers_nb") / "py.typed").is_file()
