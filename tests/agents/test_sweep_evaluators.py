"""Evaluators of pydantic-evals as the scores of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_evals.evaluators import EvaluationReason, Evaluator, EvaluatorContext, IsInstance

from smithers_nb import End, component, sweep


@component
def Double(n: int) -> Any:
    return End(value=2 * n)


@dataclass
class Large(Evaluator[Any, Any, Any]):
    least: int

    def evaluate(self, ctx: EvaluatorContext[Any, Any, Any]) -> dict[str, Any]:
        assert ctx.metrics["frames"] == 1 and ctx.metadata is not None and ctx.metadata["repeat"] == 1
        return {"large": EvaluationReason(ctx.output >= self.least, "by its size"), "n": ctx.inputs["props.n"]}


@dataclass
class Later(Evaluator[Any, Any, Any]):
    async def evaluate(self, ctx: EvaluatorContext[Any, Any, Any]) -> float:
        return ctx.output / 4


def test_an_evaluator_scores_each_branch(tmp_path: Path) -> None:
    options: dict[str, Any] = {"store": tmp_path / "e.db", "progress": False}
    df = sweep(Double, {"props.n": [1, 2, 3]}, score=Large(4), **options).df
    assert [*df.large] == [False, True, True] and [*df.n] == [1, 2, 3] and {*df.score_error} == {None}
    df = sweep(Double, {"props.n": [1, 2, 3]}, score=Large(6), **options).df
    assert [*df.large] == [False, False, True]
    assert [*sweep(Double, {"props.n": [1, 2, 3]}, score=Later(), **options).df.score] == [0.5, 1, 1.5]


def test_an_evaluator_of_the_package_itself_scores_too(tmp_path: Path) -> None:
    found = sweep(Double, {"props.n": [1]}, score=IsInstance("int"), store=tmp_path / "e.db", progress=False)
    assert found.df.score[0] and found.df.score_error[0] is None
