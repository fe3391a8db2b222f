"""``classroom("handed_in/*")``: the predictions and exercises of a class, from all of its files."""

from __future__ import annotations

import glob
import json
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arguments import takes, text
from .errors import NamesNearest, StoreError
from .history.static import inert, safe
from .predicting import LEARNER
from .recording import Store
from .records import ExerciseCheck
from .records.words import count
from .store import exercises, plots
from .store import predictions as stored
from .store.frames import frame_from

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = {
    "file": "TEXT",
    "execution_id": "TEXT",
    "name": "TEXT",
    "learner": "TEXT",
    "frame": "INTEGER",
    "item": "TEXT",
    "said": "OBJECT",
    "was": "OBJECT",
    "right": "BOOLEAN",
}
"""The columns of a classroom's DataFrame."""
EXERCISE_COLUMNS = {
    "file": "TEXT",
    "learner": "TEXT",
    "exercise": "TEXT",
    "seat": "INTEGER",
    "attempts": "INTEGER",
    "solved": "BOOLEAN",
    "missed": "OBJECT",
}
"""The columns of the DataFrame of its exercises."""
CELLS = 40
"""The most frames and items of the static table: a saved notebook keeps it for ever."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The learners' answers to an item of a frame."""

    yes: int
    """The number of those who expected it."""
    of: int
    """The number of those who said something of the frame."""
    was: bool | None
    """The records' answer; None where it is not known, or differs between the files."""

    @property
    def share(self) -> float:
        """The share of those who expected it."""
        return self.yes / self.of


@dataclass(frozen=True, slots=True)
class Attempts:
    """A learner's attempts at an exercise, up to the first that solved it."""

    file: str
    learner: str
    exercise: str
    seat: int
    checks: tuple[ExerciseCheck, ...]

    @property
    def solved(self) -> bool:
        """True if the last of them solved it."""
        return bool(self.checks) and self.checks[-1].solved

    @property
    def missed(self) -> list[str]:
        """The statements that did not hold in the last of them."""
        return [one.says for check in self.checks[-1:] for one in check.held if not one.holds]


class Classroom(NamesNearest):
    """The predictions and exercises of a class. ``df`` has a row for each prediction, ``plot()`` draws how many
    expected what, frame by item, and ``exercises`` has a row for each learner and exercise.

    A file that can't be read is in ``broken``, with the reason; the others are read all the same.
    """

    def __init__(
        self,
        rows: list[tuple[object, ...]],
        broken: dict[str, str],
        files: int,
        attempts: list[Attempts],
    ) -> None:
        self._rows = rows
        self._attempts = attempts
        self.broken = broken
        """The reason why a file could not be read, by its path."""
        self.files = files
        """The number of files that were read."""

    @property
    def df(self) -> pd.DataFrame:
        """A row per item and learner: file, execution_id, name, learner, frame, item, said, was, right.

        A frame that was skipped has one row, with the item ``skipped``.
        """
        # Made when it is asked for: the table of a large class is drawn without pandas.
        return frame_from(self._rows, COLUMNS)

    @property
    def exercises(self) -> pd.DataFrame:
        """A row per learner and exercise that was begun: file, learner, exercise, seat, attempts, solved, missed.

        ``attempts`` is the number of those up to the first that solved it, and ``missed`` the list of statements that
        did not hold in the last of them.
        """
        rows = [
            (one.file, one.learner, one.exercise, one.seat, len(one.checks), one.solved, one.missed)
            for one in self._attempts
        ]
        return frame_from(rows, EXERCISE_COLUMNS)

    def expected(self) -> dict[tuple[int, str], Expected]:
        """Return by frame and item how many expected it, of how many; without values and skipped frames."""
        said: dict[tuple[int, str], list[bool]] = defaultdict(list)
        was: dict[tuple[int, str], set[bool]] = defaultdict(set)
        for *_, frame, item, one, answer, _ in self._rows:
            place = (int(str(frame)), str(item))
            # A value, or nothing of a frame that was skipped, is neither a yes nor a no.
            if isinstance(one, bool):
                said[place].append(one)
            if isinstance(answer, bool):
                was[place].add(answer)
        found = {}
        for place in sorted(said):
            # Models and times differ between learners: what happened in one file need not have happened in all.
            answers = was[place]
            truth = answers.pop() if len(answers) == 1 else None
            found[place] = Expected(sum(said[place]), len(said[place]), truth)
        return found

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the heat map and return its axes: a row per item, a column per frame, as dark as the share of learners
        who expected it. A frame around a cell says that it happened.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        cells = {place: (one.share, f"{one.yes}/{one.of}", one.was) for place, one in self.expected().items()}
        return plots.heat({(frame, inert(item)): cell for (frame, item), cell in cells.items()}, ax)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Classroom: {self._head()}>"

    def _head(self) -> str:
        learners = {(row[0], row[3]) for row in self._rows} | {(one.file, one.learner) for one in self._attempts}
        words = f"{count(len(learners), 'learner')} in {count(self.files, 'file')}"
        if self.broken:
            words += f"; {count(len(self.broken), 'file')} could not be read"
        return words

    def _repr_html_(self) -> str:
        expected = self.expected()
        frames = sorted({frame for frame, _ in expected})
        items = sorted({item for _, item in expected})
        heads = "".join(f"<th>frame {frame}</th>" for frame in frames[:CELLS])
        parts = [f"<div><p>Who expected what: {safe(self._head())}. ✓ marks what happened.</p>"]
        parts += [f"<p>✗ {safe(path)}: {safe(why)}</p>" for path, why in self.broken.items()]
        parts.append(f'<table><thead><tr><th style="text-align:left">item</th>{heads}</tr></thead><tbody>')
        for item in items[:CELLS]:
            cells = "".join(_cell(expected.get((frame, item))) for frame in frames[:CELLS])
            parts.append(f'<tr><td style="text-align:left">{safe(item)}</td>{cells}</tr>')
        parts.append("</tbody></table>")
        if len(items) > CELLS or len(frames) > CELLS:
            parts.append("<p>… and more: .df has all.</p>")
        return "".join([*parts, *self._solved_html(), "</div>"])

    def _solved_html(self) -> list[str]:
        """Return a line for each exercise: the numbers of those who have begun and solved it."""
        by_exercise: dict[str, list[Attempts]] = defaultdict(list)
        for one in self._attempts:
            by_exercise[one.exercise].append(one)
        lines = []
        for name, those in sorted(by_exercise.items()):
            solved = [len(one.checks) for one in those if one.solved]
            words = f"{name}: begun by {count(len(those), 'learner')}, solved by {len(solved)}"
            if solved:
                words += f", with {sum(solved) / len(solved):.1f} attempts"
            lines.append(f"<p>{safe(words)}.</p>")
        return lines


def _cell(one: Expected | None) -> str:
    if one is None:
        return "<td></td>"
    mark = "✓" if one.was else ""
    # A pale ground under the text of the theme: it can be read in the light and in the dark.
    ground = f"background:rgba(0,114,178,{0.45 * one.share:.2f})"
    return f'<td style="{ground};text-align:right">{mark} {one.yes}/{one.of}</td>'


@takes(pattern=text)
def classroom(pattern: str) -> Classroom:
    """Return the predictions and exercises of all files that a pattern of paths names: databases and exported runs.

    ``classroom("handed_in/*")``. An exported run has the checks of the cell that made it. A learner without a name has
    that of the file.

    Raises:
        FileNotFoundError: if the pattern names no file.
    """
    paths = [path for path in sorted(glob.glob(os.path.expanduser(pattern), recursive=True)) if _may_be_a_run(path)]
    if not paths:
        raise FileNotFoundError(f'{pattern!r} names no file. A pattern such as "handed_in/*" names all of a folder.')
    rows: list[tuple[object, ...]] = []
    attempts: list[Attempts] = []
    broken: dict[str, str] = {}
    for path in paths:
        try:
            rows += _rows_of(path)
            attempts += _attempts_in(path)
        except StoreError as error:
            # One file that was cut short in the mail must not hide the work of a class.
            broken[path] = str(error)
    return Classroom(rows, broken, len(paths) - len(broken), attempts)


def _may_be_a_run(path: str) -> bool:
    # SQLite keeps two files beside a database that is open, or was left so.
    return os.path.isfile(path) and not path.endswith(("-wal", "-shm", "-journal"))


def _attempts_in(path: str) -> list[Attempts]:
    """Return the attempts of a file, by learner and exercise.

    Raises:
        StoreError: if it can't be read.
    """
    by_learner: dict[tuple[str, str, int], list[ExerciseCheck]] = defaultdict(list)
    for check in exercises.in_file(Store(path).reader):
        learner = os.path.basename(path) if check.learner == LEARNER else check.learner
        known = by_learner[learner, check.exercise, check.seat]
        # A check of a solved exercise is no attempt any more; number 0 is its beginning.
        if check.attempt and not (known and known[-1].solved):
            known.append(check)
    return [Attempts(path, *of, checks=tuple(checks)) for of, checks in by_learner.items()]


def _rows_of(path: str) -> list[tuple[object, ...]]:
    """Return the rows of a file.

    Raises:
        StoreError: if it can't be read.
    """
    store = Store(path)
    rows: list[tuple[object, ...]] = []
    for id, name, one in stored.in_file(store.reader):
        learner = os.path.basename(path) if one.learner == LEARNER else one.learner
        said, was = (None if text is None else json.loads(text) for text in (one.said, one.was))
        rows.append((path, id, name, learner, one.frame, one.item, said, was, one.right))
    return rows
