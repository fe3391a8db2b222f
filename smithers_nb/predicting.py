"""Predictions of a running execution: taken before a frame begins, and scored from its records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import clean, did_you_mean
from .history.live import LiveSource
from .history.predictions import offer, scored, wanted
from .history.recorded import RecordedSource
from .nodes.tree import EMPTY
from .records import SKIPPED, Prediction
from .records.words import count
from .store import predictions as stored

if TYPE_CHECKING:
    from .run import Run

LEARNER = "learner"
"""The name of a learner without one."""


class Predictions:
    """The predictions of one run, on the engine's loop."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._recorded = RecordedSource(run.reader, run.execution_id)
        self._open: dict[tuple[int, str, str], Prediction] = {}
        """Those without an answer, by frame, learner and item."""
        self.watch()

    def watch(self) -> None:
        """Score all predictions after each phase from now on, also those of an earlier process."""
        # An observer of its own beside the stepper's: cells run frames where no page is open.
        self._keep(stored.load(self._run.reader, self._run.execution_id, unscored=True))
        self._run.observe(self._score)

    async def add(self, frame: int, learner: str, said: Mapping[str, object] | None) -> None:
        """Record what a learner expects of the next frame; None skips it. An item that is left out is not expected.

        Raises:
            ValueError: if the frame is not the next one, has begun, was predicted, or an item is not in the plan.
        """
        dry = EMPTY if self._run.recorded else await self._run.preview()
        source = LiveSource(self._recorded, self._run.publish(), self._run.name, dry)
        if wanted(source, learner) != frame:
            raise ValueError(self._refused(frame, learner))
        given = [Prediction(frame, learner, SKIPPED, None)]
        if said is not None:
            items = offer(source).items
            _check(said, items)
            # A row for each item that was offered: of a class, one counts those who did not expect it, too.
            full = {**dict.fromkeys(items, False), **said}
            given = [Prediction(frame, learner, item, _text(item, value)) for item, value in full.items()]
        # The primary key keeps two pages of one learner from both predicting a frame at the same moment.
        services = self._run.live.services
        await services.database.transaction(stored.add, self._run.execution_id, given)
        self._keep(given)

    def _refused(self, frame: int, learner: str) -> str:
        run = self._run
        if run.over:
            return f"{run.name} is {run.status}: there is no frame {frame} to predict."
        begun = run.draft.number if run.draft is not None else run.recorded
        following = begun + 1
        if frame == following and any(
            one.learner == learner for one in stored.load(run.reader, run.execution_id, frame)
        ):
            return f"{learner} has already predicted frame {frame}; step, and see what came of it."
        if frame <= begun:
            return f"frame {frame} has begun: a prediction is made before it. The next one is frame {following}."
        return f"frame {frame} is not the next one, which is frame {following}."

    def _keep(self, predictions: list[Prediction]) -> None:
        self._open.update({(one.frame, one.learner, one.item): one for one in predictions if one.said is not None})

    def _score(self) -> None:
        """Score what the records can answer by now; after each phase, on the engine's thread."""
        if not self._open:
            return
        run = self._run
        # Not in the frame's own transaction: what is expected of it must not be able to hold a frame up.
        source = LiveSource(self._recorded, run.publish(), run.name, EMPTY)
        done = list(scored(source, self._open.values()))
        if not done:
            return
        # Before the write: the next phase, which may end while that is in progress, must not score them again.
        for one in done:
            del self._open[one.frame, one.learner, one.item]
        run.live.record(lambda db: stored.score(db, run.execution_id, done))


def said_in(text: str) -> Mapping[str, object]:
    """Return a prediction that was given as JSON.

    Raises:
        ValueError: if it is no JSON object.
    """
    # JSON, so that a line of words, a page and a shell can all say it.
    try:
        said = json.loads(text)
    except ValueError as error:
        raise ValueError(f'{text[:60]!r} is no JSON ({error}). Write {{"starts:notes": true}}, say.') from None
    if not isinstance(said, dict):
        raise ValueError(f'a prediction is a JSON object such as {{"starts:notes": true}}, not {text[:60]}.')
    return said


def _check(said: Mapping[str, object], items: tuple[str, ...]) -> None:
    """Refuse items that are not offered, and answers that are none."""
    for item, value in said.items():
        # A value is of a key, and only the keys are offered: which of them gets one is the learner's to say.
        of_value = item.startswith("value:")
        if (f"writes:{item[6:]}" if of_value else item) not in items:
            raise ValueError(
                f"{item!r} is no item of this frame.{did_you_mean(item, items)} An item is starts:NODE, "
                f"fires:NODE.on_finished, writes:KEY or value:KEY, of {count(len(items), 'item')} that the plan has."
            )
        if not of_value and not isinstance(value, bool):
            raise ValueError(f"{item} is answered by true or false, not by {json.dumps(value)[:60]}.")


def _text(item: str, value: object) -> str:
    try:
        return clean(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{item} is expected to be something that JSON can't hold: {error}.") from None
