"""The source of a node or an error names the right file, also where two files or cells have the same text."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Execution, Store
from smithers_nb.errors import ComponentError, ExecutionOwnedError, PropError

TEXT = """
from smithers_nb import Step, Task, component, Phase

@component
def App(ctx):
    return [Step(name="a"), Task(id="t", run=lambda: 1, on_finished=lambda r: 1 / 0)]

@component
def Fails(ctx):
    raise ValueError("no")

@component
def Wrong(ctx):
    return Phase(nam="a")
"""


@pytest.fixture
def twins(tmp_path: Path) -> list[Any]:
    """Two modules of the same text."""
    found = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.py"
        path.write_text(TEXT)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return found


def test_nodes_and_errors_name_the_file_of_their_own_component(twins: list[Any], run_of: Any) -> None:
    for module in twins:
        ex = run_of(module.App())
        result = ex.run_sync()
        assert ex.frame is not None
        sources = [node.source for node in ex.frame.tree.walk()]
        assert sources and all(source.startswith(f"{module.__name__}.py:") for source in sources)
        assert [problem.source.split(":")[0] for problem in result.problems] == [f"{module.__name__}.py"]
        assert all(source.startswith(f"{module.__name__}.py:") for source in ex.df.nodes.source)
        for app, kind in ((module.Fails, ComponentError), (module.Wrong, PropError)):
            with pytest.raises(kind) as error:
                run_of(app()).step_sync()
            assert error.value.source is not None and error.value.source.startswith(f"{module.__name__}.py:")


def test_an_error_of_an_owned_execution_says_who_and_when_as_data(run_of: Any, tmp_path: Path) -> None:
    ex = run_of([])
    ex.step_sync()
    row = Store(tmp_path / "t.db").reader.execution(ex.execution_id)
    with pytest.raises(ExecutionOwnedError) as error:
        Execution.resume([], store=tmp_path / "t.db", id=ex.execution_id)
    assert (error.value.owner, error.value.since) == (row.owner, row.owned_since)
    assert error.value.until is not None and error.value.until >= (row.lease_expires_at or "")
    assert error.value.owner in str(error.value) and error.value.until in str(error.value)
