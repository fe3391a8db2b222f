"""What is public, and what importing it costs."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import smithers_nb

PUBLIC = [
    "Agent",
    "Approval",
    "Audio",
    "Case",
    "Claude",
    "DELETED",
    "DbosRunner",
    "Default",
    "Document",
    "Each",
    "Effect",
    "End",
    "Execution",
    "Fragment",
    "Frame",
    "If",
    "Image",
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
    "Video",
    "While",
    "__version__",
    "call_tool",
    "classroom",
    "component",
    "errors",
    "jsx",
    "scripted",
    "sweep",
]

MODULES = sorted(found.name for found in pkgutil.walk_packages(smithers_nb.__path__, "smithers_nb."))


def test_the_public_names_are_these() -> None:
    assert sorted(smithers_nb.__all__) == PUBLIC
    assert len(set(smithers_nb.__all__)) == len(smithers_nb.__all__)


def test_an_execution_is_made_with_these_defaults() -> None:
    parameters = inspect.signature(smithers_nb.Execution).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    assert defaults.pop("store") == "smithers.db"
    assert {name: defaults[name] for name in defaults if defaults[name] is not None} == {
        "name": "execution",
        "seed": 0,
        "max_frames": 1000,
        "durability": "normal",
        "max_agents": 32,
        "strict_effects": False,
    }
    assert {"props", "state", "models", "limits", "runner"} == {name for name in defaults if defaults[name] is None}


FIELDS = {
    "Frame": "number execution_id reason phase tree mounted unmounted updated moved handlers effects pending problems ms",
    "Write": "id scope key op old new origin origin_id node_id handler trigger seq status tool_call_id",
    "HandlerCall": "id frame node_id task_id event status writes ms error source",
    "TaskResult": "node_id task_id status output text error attempts usage cost_usd duration_s",
    "RunResult": "status reason frames frame problems",
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_record_has_these_fields_and_is_frozen(name: str) -> None:
    from smithers_nb import records

    record = getattr(records, name)
    assert [field.name for field in dataclasses.fields(record)] == FIELDS[name].split()
    assert record.__dataclass_params__.frozen


PROPS: dict[str, dict[str, object]] = {
    "text": {"text": ...},
    "if": {"condition": ...},
    "switch": {"value": ...},
    "case": {"equals": ...},
    "default": {},
    "each": {"items": ..., "by": ..., "render": ...},  # by is what the prop key is called inside.
    "sequence": {"name": None, "skip_if": False},
    "phase": {"name": ..., "skip_if": False},
    "step": {"name": None, "skip_if": False},
    "parallel": {"max_concurrency": None},
    "while": {"id": ..., "condition": ..., "max_iterations": 100},
    "ralph": {"id": ..., "until": False, "max_iterations": 10},
    "task": {"run": ..., "args": [], "retries": 0, "timeout_s": None},
    "approval": {"prompt": ..., "options": ["approve", "deny"], "kind": "approval", "payload": None},
    "smithers": {"component": ..., "args": {}, "max_frames": 1000},
    "effect": {"run": ..., "deps": [], "cleanup": None},
    "stop": {"reason": "a Stop was reached"},
    "end": {"message": "an End was reached", "value": None},
}
AGENT: dict[str, object] = {
    "allow": None,
    "deny": [],
    "max_turns": 50,
    "limits": {},
    "retries": 3,
    "timeout_s": None,
    "resume_mode": "continue",
}
CLAUDE: dict[str, object] = {"model": "sonnet", "system": None, "tools": [], "output_type": None, **AGENT}
PROPS |= {tag: {"src": ..., "media_type": None} for tag in ("image", "audio", "video", "document")}
PROPS |= {"claude": CLAUDE, "agent": {"agent": ..., "deps": None, **AGENT}}


def test_the_nodes_have_these_props_and_defaults() -> None:
    from smithers_nb.nodes.base import NodeBase
    from smithers_nb.nodes.union import TAGS

    assert set(TAGS) == set(PROPS)
    for tag, node in TAGS.items():
        own = {
            name: ... if field.is_required() else field.default
            for name, field in node.model_fields.items()
            if name not in NodeBase.model_fields or (name == "id" and field.is_required())
        }
        missing = {name: value for name, value in PROPS[tag].items() if own.get(name, "no such prop") != value}
        assert missing == {}, tag


@pytest.mark.parametrize("tag", sorted(PROPS))
def test_help_for_a_node_shows_its_props_and_handlers_and_not_what_pydantic_makes_of_them(tag: str) -> None:
    from smithers_nb.nodes.handlers import EVENTS
    from smithers_nb.nodes.union import TAGS

    node = TAGS[tag]
    shown = inspect.signature(node)
    names = {"key" if (tag, name) == ("each", "by") else name for name in PROPS[tag]}
    assert names | {"key", "id"} <= set(shown.parameters)
    assert (set(EVENTS) <= set(shown.parameters)) == node.runnable
    doc = inspect.getdoc(node) or ""
    for name, parameter in shown.parameters.items():
        default = "" if parameter.default is parameter.empty else f", default {parameter.default!r}"
        assert f"\n{name} : {parameter.annotation}{default}\n" in f"{doc}\n"
    for inner in (
        "Annotated",
        "Validator",
        "unnamed",
        "SkipValidation",
        "typing.",
        "metadata=",
        "model_fields",
        "by :",
    ):
        assert inner not in f"{shown} {doc}"


def test_help_says_what_a_prop_is_for() -> None:
    doc = smithers_nb.Claude.__doc__ or ""
    assert "max_turns : int, default 50\n    The most requests that it may make" in doc
    assert "on_finished : function, default None\n    Called with the result" in doc
    assert "key : str | function\n    The name of the items' field" in (smithers_nb.Each.__doc__ or "")


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


def test_an_execution_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with smithers_nb.Execution(smithers_nb.Step(), store=":memory:") as ex:
        assert ex.run_sync().status == "finished"
        assert list(tmp_path.iterdir()) == []
