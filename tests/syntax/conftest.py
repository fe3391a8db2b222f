"""What JSX evaluates to, as plain data: `(tag, props, children)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smithers_nb.syntax.compile import parse
from smithers_nb.syntax.transpile import FRAGMENT, RUNTIME, transpile


def _evaluate(source: str, **names: Any) -> Any:
    """Return what `source` binds to `x`, and check on the way that it kept its line breaks."""
    assert transpile(source).code.count("\n") == source.count("\n")
    space = {RUNTIME: lambda tag, props, *children: (tag, props, list(children)), FRAGMENT: "<>", **names}
    exec(compile(parse(source, "<case>"), "<case>", "exec", dont_inherit=True), space)
    return space.get("x")


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., Any]:
    return _evaluate
