"""Scores of branches: a function of a History, or an evaluator of pydantic-evals."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from math import isfinite
from numbers import Integral, Real
from typing import Any, Protocol

from ..bridge import engine
from ..engine.code import code_hash, name_of
from ..errors import clean, kind_of, said
from ..records import BranchOutcome
from ..store.reader import Reader
from .cases import shown_value

SCORE = "score"
"""The name of a score that is no dict."""
FORMS = "a number, True, False, None, or a dict of these"


class Scorable(Protocol):
    """The recorded history of a branch, of which scores are made."""

    @property
    def reader(self) -> Reader:
        """The file."""

    @property
    def result(self) -> Any:  # Any: it is what the user stored
        """The value of the End that was reached."""

    @property
    def state(self) -> Mapping[str, Any]:
        """The values at its end."""


def is_evaluator(score: object) -> bool:
    """Return whether it is an evaluator of pydantic-evals, which need not be installed."""
    # By its method: without pydantic-evals there is no class to ask for.
    return not isinstance(score, type) and callable(getattr(score, "evaluate_async", None))


def wrong_score(score: object) -> str | None:
    """Return why something can't make scores, in words; None if it can."""
    if score is None or is_evaluator(score):
        return None
    if isinstance(score, type) and hasattr(score, "evaluate_async"):
        return f"score={score.__name__} is a class of evaluators; give one of it: score={score.__name__}()"
    if isinstance(score, type) or not callable(score):
        return (
            f"score={score!r:.60} is {kind_of(score)}; it takes a function of a History that returns {FORMS}, or an "
            "evaluator of pydantic-evals"
        )
    return None


def scorer_of(score: Any) -> str:
    """Return the name and hash of a function or evaluator: the scores of a different one are made again."""
    if is_evaluator(score):
        return clean(repr(score))
    return f"{getattr(score, '__name__', name_of(score))} {code_hash(score)}"


def scored(
    score: Any, history: Scorable, outcome: BranchOutcome, name: str, taken: frozenset[str]
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the scores of a branch by name, or the error that there was, in words.

    ``taken`` are the names of columns that a score can't have.
    """
    try:
        given: Any = history
        if is_evaluator(score):
            score, given = score.evaluate, _context(history, outcome, name)
        found = score(given)
        # On the engine's loop: a notebook's own runs already, and clients of models belong to the engine's.
        if isawaitable(found):
            found = engine.call(_awaited(found))
        return _named(found, taken), None
    except Exception as error:  # noqa: BLE001  # the user's function: its row says it, and the others are scored
        return None, said(error)


async def _awaited(found: Any) -> Any:  # Any: what the user's function gives
    return await found


def _named(found: Any, taken: frozenset[str]) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        found = {SCORE: found}
    scores = {}
    for name, value in found.items():
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"a score is named {name!r:.60}; a name is a text with something in it")
        if name in taken:
            raise ValueError(f"a score can't be named {name!r}: df has that column already")
        scores[clean(name)] = _plain(name, value)
    return scores


def _plain(name: str, value: Any) -> bool | int | float | None:
    """Return a score as JSON has it; an ``EvaluationReason`` of pydantic-evals holds one."""
    if hasattr(value, "value") and hasattr(value, "reason"):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    # numpy's are no bool and no int, but compare to them.
    if type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        if not isfinite(value):
            raise ValueError(f"{name} is {float(value)}, which is no number: return None where there is no score")
        return float(value)
    raise TypeError(f"{name} is {value!r:.60}, {kind_of(value)}; a score is {FORMS}")


def _context(history: Scorable, outcome: BranchOutcome, name: str) -> Any:  # Any: pydantic-evals' context
    from pydantic_evals.evaluators import EvaluatorContext
    from pydantic_evals.otel import SpanTree

    branch = outcome.branch
    output = history.result
    # An app without an End is judged by what it leaves.
    if outcome.result is None:
        output = dict(history.state)
    return EvaluatorContext(
        name=f"{name}[{branch.number}]",
        inputs={factor: shown_value(recorded) for factor, recorded in branch.varied.items()},
        metadata={"execution_id": branch.execution_id, "repeat": branch.repeat},
        expected_output=None,
        output=output,
        duration=outcome.seconds,
        _span_tree=SpanTree(),
        attributes={},
        metrics={"frames": outcome.frames, "tokens": outcome.tokens, "cost_usd": outcome.cost_usd},
    )
