"""Predictions of the next frame: asked, locked until they are said, scored from the records, and kept."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, Execution, Phase, Stepper, Store, component, scripted
from tests.notebook.kernel import run_cells
from tests.notebook.test_stepper_commands import Browser


@component
def Report(ctx):
    notes = ctx.state.get("notes")
    return [
        Phase(name="research")[
            Claude(id="notes", model=scripted("1. tides"), on_finished=lambda r: _note(ctx, r))["Go"],
        ],
        Phase(name="write")[notes and Claude(id="draft", model=scripted("Done."))[notes]],
    ]


def _note(ctx: Any, result: Any) -> None:
    ctx.state.set("notes", result.output)
    ctx.state.update("count", lambda n: (n or 0) + 1)


class Learner(Browser):
    """A page whose stepper asks for predictions."""

    def __init__(self, ex: Execution, learner: str | None = None) -> None:
        super().__init__(ex)
        self.stepper = Stepper(ex, predict=True, learner=learner)
        self.stepper.send = self._take  # type: ignore[method-assign]  # the page's end of the comm

    @property
    def asked(self) -> dict[str, Any]:
        return self.stepper._summary()["predict"] or {}

    def refused(self, name: str) -> str:
        ack = self.answer("ack", self.post(name=name))
        assert not ack["accepted"]
        return str(ack["why"])

    def predict(self, **said: Any) -> dict[str, Any]:
        items = {name.replace("__", ":"): value for name, value in said.items()}
        asked = self.asked
        return self.do("predict", frame=asked["frame"], said=json.dumps(items), learner=asked["learner"])

    def step(self) -> None:
        assert self.do("step_frame")["ok"]


@pytest.fixture
def ex(tmp_path: Path):
    with Execution(Report, name="report", store=tmp_path / "t.db", seed=1) as ex:
        yield ex


def rows(ex: Execution, frame: int) -> dict[str, tuple[Any, Any, Any]]:
    """The predictions of a frame, once all that its rest tells is in the file."""
    for _ in range(200):
        df = ex.df.predictions
        found = df[df.frame == frame]
        if len(found) and found[~found.item.str.startswith("value:")].right.notna().all():
            break
        time.sleep(0.02)
    return {row.item: (row.said, row.was, row.right) for row in found.itertuples()}


def test_a_step_is_locked_until_the_learner_has_said_what_the_frame_does(ex):
    page = Learner(ex)
    assert page.asked["frame"] == 1
    assert "predict frame 1 first" in page.refused("step_frame")
    assert "predict frame 1 first" in page.refused("step_phase")
    assert "one at a time" in page.refused("continue")
    assert page.predict(starts__notes=True)["ok"]
    page.step()
    assert ex.frame.number == 1
    assert rows(ex, 1)["starts:notes"] == (True, True, 1)
    assert "predict frame 2 first" in page.refused("step_frame")


def test_hits_and_misses_are_scored_from_the_records_each_with_its_cause(ex):
    page = Learner(ex)
    page.predict(starts__notes=True)
    page.step()
    page.predict(starts__notes=True)
    page.step()
    found = rows(ex, 2)
    assert found["fires:notes.on_finished"] == (False, True, 0)
    assert found["starts:notes"] == (True, False, 0)
    assert found["writes:notes"] == (False, True, 0)
    result = page.asked["result"]
    told = {row["item"]: row for row in result["rows"]}
    assert result["frame"] == 2
    assert not told["writes:notes"]["right"]
    assert "on_finished of notes, because notes succeeded" in told["writes:notes"]["because"]
    assert told["fires:notes.on_finished"]["ask"] == "notes.on_finished"


def test_a_value_is_compared_and_that_of_an_update_is_known_after_flush(ex):
    page = Learner(ex)
    page.do("predict", frame=1)  # skipped
    page.step()
    page.predict(writes__notes=True, value__notes="1. tides")
    page.step()
    assert rows(ex, 2)["value:notes"] == ("1. tides", "1. tides", 1)
    page.predict(starts__notes=False, **{"starts__(new)": True})
    page.step()
    assert rows(ex, 3)["starts:(new)"] == (True, True, 1)


def test_what_is_offered_does_not_depend_on_what_will_happen(ex):
    page = Learner(ex)
    page.do("predict", frame=1)
    page.step()
    asked = page.asked
    assert page.stepper._summary()["sentence"] == "Predict frame 2 below, or skip it; then Step runs it."
    items = [option["item"] for kind in ("nodes", "handlers", "keys") for option in asked[kind]]
    # Nothing that frame 2 does is told apart: the node that has begun is offered, too, and the key that was only read.
    assert items == ["starts:notes", "starts:(new)", "fires:notes.on_finished", "writes:notes", "writes:(new)"]


def test_phases_of_a_frame_are_free_once_it_was_predicted(ex):
    page = Learner(ex)
    page.predict()
    for _ in range(6):
        assert page.do("step_phase")["ok"]
    assert "predict frame 2 first" in page.refused("step_phase")
    page.predict()
    assert page.do("step_phase")["ok"]  # FLUSH of frame 1, with which frame 2 begins to come
    assert page.do("step_phase")["ok"]


def test_a_cells_run_scores_what_was_predicted_and_asks_nothing(ex):
    page = Learner(ex)
    page.predict(starts__notes=True)
    ex.run_sync()
    assert rows(ex, 1)["starts:notes"] == (True, True, 1)
    assert page.asked["frame"] is None


def test_two_steppers_of_one_run_share_a_learners_prediction_and_keep_learners_apart(ex):
    one, two, other = Learner(ex, "ada"), Learner(ex, "ada"), Learner(ex, "ben")
    one.predict(starts__notes=True)
    assert two.asked["frame"] is None
    assert other.asked["frame"] == 1
    assert "already predicted" in two.do("predict", frame=1, learner="ada")["error"]
    other.predict()
    two.step()
    df = ex.df.predictions
    assert set(df.learner) == {"ada", "ben"}


WRONG = {
    "no JSON": ({"said": "{"}, "is no JSON"),
    "a list": ({"said": "[]"}, "a JSON object"),
    "no item": ({"said": '{"starts:nots": true}'}, "Did you mean"),
    "no truth": ({"said": '{"starts:notes": 3}'}, "true or false"),
    "a later frame": ({"frame": 7}, "is not the next one"),
    "a value of nothing": ({"said": '{"value:zzz": 3}'}, "no item of this frame"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_prediction_is_refused_and_nothing_is_recorded(ex, case):
    given, words = WRONG[case]
    done = Learner(ex).do("predict", **{"frame": 1, **given})
    assert words in done["error"]
    assert ex.df.predictions.empty


def test_a_frame_that_has_begun_takes_no_prediction(ex):
    page = Learner(ex)
    page.predict()
    page.step()
    assert "has begun" in page.do("predict", frame=1, learner="late")["error"]


def test_a_prediction_survives_the_kernel_and_the_export(tmp_path, ex):
    page = Learner(ex, "ada")
    page.predict(starts__notes=True)
    page.step()
    page.predict(**{"fires__notes.on_finished": True})
    ex.close()
    again = Execution.resume(Report, store=tmp_path / "t.db", name="report")
    with again:
        later = Learner(again, "ada")
        assert later.asked["frame"] is None
        later.step()
        # The task of notes may have been cut short: whether its handler fires now is for the records to say.
        fired = bool(again.frame.handlers)
        assert rows(again, 2)["fires:notes.on_finished"] == (True, fired, int(fired))
        again.export(tmp_path / "run.html")
        here = again.df.predictions
    there = Store(tmp_path / "run.html").open("report").df.predictions
    assert there.drop(columns="at").equals(here.drop(columns="at"))
    recorded = Stepper(Store(tmp_path / "run.html").open("report"), predict=True, learner="ada")
    assert recorded.summary["predict"]["result"]["frame"] == 2


def test_an_ended_execution_asks_nothing_and_answers_what_never_came(ex):
    page = Learner(ex)
    while (frame := page.asked["frame"]) is not None:
        page.do("predict", frame=frame, said="{}", learner="learner")
        page.do("step_frame")
    assert ex.status == "finished"
    df = ex.df.predictions
    for _ in range(100):
        if df[df.frame == df.frame.max()].right.notna().all():
            break
        time.sleep(0.02)
        df = ex.df.predictions
    assert df[df.frame == df.frame.max()].right.notna().all()


def test_the_cell_magic_asks_for_predictions(tmp_path):
    cell = "%%smithers report --predict --learner ada\n@component\ndef App(ctx):\n    return <Task id='a' run={lambda: 1}/>"
    out = run_cells(
        tmp_path,
        cell,
        '%smithers predict 1 {"starts:a": true}',
        "%smithers step",
        "report.df.predictions[['learner', 'item', 'right']]",
        "%%smithers report --predict --run\nx = 1",
        "%%smithers report --learner ada\nx = 1",
    )
    assert not out.failed(0), out.text(0)
    assert "starts:a" in out.text(3)
    assert "--predict asks before each step" in out.text(4)
    assert "it goes with --predict" in out.text(5)
