"""The class ``Sweep``: many executions that differ in chosen values, to be run, read, compared and drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ..arguments import integer, takes, text
from ..bridge import engine
from ..errors import NamesNearest, SweepError, UnknownExecutionError, did_you_mean
from ..history.compare import Divergences
from ..history.rates import rate
from ..history.static import table
from ..records import BranchOutcome, Rate, SweepRecord
from ..store import plots
from ..store.connection import Database
from ..store.frames import frame_from
from ..store.reader import Reader
from ..store.sweeps import outcomes, paths_of, score_branch, sweep_of
from ..values import legible
from .cases import key_of, shown_value
from .progress import Bar
from .running import SweepRun, Work
from .scores import SCORE, Scorable, scored, scorer_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

H = TypeVar("H", bound=Scorable)

_FIRST = {"branch": "INTEGER", "execution_id": "TEXT"}
_LAST = {
    "repeat": "INTEGER", "status": "TEXT", "reason": "TEXT", "frames": "INTEGER", "tokens": "INTEGER",
    "cost_usd": "REAL", "seconds": "REAL", "result": "OBJECT",
}  # fmt: skip
MEASURES = ("frames", "tokens", "cost_usd", "seconds")
"""The columns besides the scores of which there are rates."""
TAKEN = frozenset({*_FIRST, *_LAST, "diverged_at", "score_error"})
SHOWN = 60
"""The most characters of a value in a table that a notebook keeps."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """The means to run a sweep, beside what the file has of it."""

    work: Work | None
    """None for one that is only read."""
    score: Any = None  # Any: a function or an evaluator
    progress: bool = True


class Sweep(NamesNearest, Generic[H]):
    """A set of executions, its branches, that differ in chosen values. ``sweep[3]`` is the History of one.

    Everything that is shown of it is read from the file, also while it runs, and of one that another process runs.
    """

    def __init__(self, reader: Reader, name: str, means: Means, history: Callable[[str], H]) -> None:
        self.name = name
        """The name of the sweep in the store."""
        self.reader = reader
        self._means = means
        self._history = history

    # ---- running -----------------------------------------------------------------------------------------------

    def resume(self) -> Self:
        """Run the missing branches, and the failed tasks of others once more; return the sweep itself.

        Safe in a notebook cell; Stop ends it and keeps the branches that are done.

        Raises:
            SweepError: if it was opened without its app: ``store.sweep(NAME, app=…)`` has it.
            StoreError: if the file can't be written.
        """
        work = self._means.work
        if work is None:
            raise SweepError(
                f"sweep {self.name!r} was opened to be read, and its code is not in the file. To run what is missing, "
                f"name its app: store.sweep({self.name!r}, app=…).resume()."
            )
        running = SweepRun(work, self._outcomes())
        with ExitStack() as stack:
            bar: Bar | None = None
            if self._means.progress:
                bar = stack.enter_context(Bar(self.name, running.progress))

            def meanwhile() -> None:
                self._score(running.progress.ended)
                if bar is not None:
                    bar.show()

            engine.call(running.run(), meanwhile)
            # Also those that ended in an earlier process, or that another function has scored.
            self._score([one.branch.number for one in self._outcomes() if one.ended])
        return self

    def _score(self, ended: list[int]) -> None:
        """Score branches that have ended, on the thread of the user, and empty the list of their numbers."""
        score = self._means.score
        numbers = set(ended)
        # Not clear(): the engine's thread may add one meanwhile.
        del ended[: len(numbers)]
        if score is None or not numbers:
            return
        scorer = scorer_of(score)
        for one in outcomes(self.reader, self.name, numbers):
            if one.begun and one.scorer != scorer:
                history = self._history(one.branch.execution_id)
                scores, error = scored(score, history, one, name=self.name, taken=TAKEN | {*self._factors})
                engine.call(self._record_score(one.branch.number, scores=scores, error=error, scorer=scorer))

    async def _record_score(
        self, number: int, *, scores: Mapping[str, Any] | None, error: str | None, scorer: str
    ) -> None:
        database = await Database.open(self.reader.path)
        try:
            await database.transaction(score_branch, self.name, number, scores=scores, error=error, scorer=scorer)
        finally:
            await database.close()

    # ---- reading -----------------------------------------------------------------------------------------------

    @property
    def df(self) -> pd.DataFrame:
        """A row per branch: branch, execution_id, the varied columns, repeat, status, reason, frames (its own), tokens,
        cost_usd, seconds, result, the scores, score_error, diverged_at.

        ``status`` is that of the execution; ``pending`` before it begins, and ``failed`` with the limit as its reason
        where the limits of all branches together ended an agent of it, or kept it from beginning. A varied value that
        has a name is shown by it. ``diverged_at`` is the first frame of its own in which the branch differs from what
        it was forked from; of executions of their own, in which it differs from branch 0.
        """
        rows = self._outcomes()
        factors, scores = self._factors, _score_names(rows)
        kinds = {**_FIRST, **dict.fromkeys(factors, "OBJECT"), **_LAST}
        kinds |= {name: _kind(rows, name) for name in scores}
        if any(one.scorer for one in rows):
            kinds["score_error"] = "TEXT"
        kinds["diverged_at"] = "INTEGER"
        found, divergences = [], Divergences(self.reader)
        with self.reader.together():
            for one in rows:
                row = {**self._cells(one), **one.scores, "score_error": one.score_error}
                if one.begun:
                    row["diverged_at"] = self._diverged_at(one, divergences)
                found.append(tuple(row.get(name) for name in kinds))
        return frame_from(found, kinds)

    def rates(self, by: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Return means with their 95 % intervals: a row per group and score, with the columns of ``by``, then score,
        mean, n, low, high.

        ``by`` names varied columns, all of them without it. The interval is Wilson's for scores that are True or
        False, and Student's for numbers; n counts the branches that have the score. Without a score, ``finished`` is
        the share of branches that finished.

        Raises:
            SweepError: if ``by`` names no varied column.
        """
        factors = self._by(by)
        rows = self._outcomes()
        found = []
        for key, group in _grouped(rows, factors):
            for name in _score_names(rows) or ["finished"]:
                if values := _values(group, name):
                    one = rate(values)
                    found.append((*key, name, one.mean, one.n, one.low, one.high))
        kinds = {**dict.fromkeys(factors, "OBJECT"), "score": "TEXT", "mean": "REAL", "n": "INTEGER"}
        return frame_from(found, {**kinds, "low": "REAL", "high": "REAL"})

    def paths(self) -> pd.DataFrame:
        """Return which nodes ran in which order, the most frequent first: path (their ids, by the start of their
        tasks), n, share, branches (their numbers).
        """
        found = self._paths()
        total = sum(len(branches) for branches in found.values())
        rows = [
            (list(path), len(branches), len(branches) / total, branches)
            for path, branches in sorted(found.items(), key=lambda item: (-len(item[1]), item[1]))
        ]
        return frame_from(rows, {"path": "OBJECT", "n": "INTEGER", "share": "REAL", "branches": "OBJECT"})

    @takes(what=text)
    def plot(self, what: str = SCORE, by: str | Iterable[str] | None = None, ax: Axes | None = None) -> Axes:
        """Draw a score, ``frames``, ``tokens``, ``cost_usd``, ``seconds`` or ``"paths"``, and return the axes.

        A score or a number: its mean with the 95 % interval, a row per group of ``by``, which names varied columns (all
        of them without it). ``"paths"``: the nodes from left to right in the order in which they ran, as high as the
        number of branches that ran them there.

        Raises:
            ImportError: if matplotlib is not installed.
            SweepError: if there is no such score, or ``by`` names no varied column.
        """
        if what == "paths":
            return plots.paths({path: len(branches) for path, branches in self._paths().items()}, ax)
        rows = self._outcomes()
        known = [*_score_names(rows), *MEASURES, "finished"]
        if what not in known:
            raise SweepError(
                f"sweep {self.name!r} has no {what!r} to draw.{did_you_mean(what, known)} It has {', '.join(known)} "
                "and paths."
            )
        groups: dict[str, Rate] = {}
        for key, group in _grouped(rows, self._by(by)):
            if values := _values(group, what):
                groups[", ".join(map(str, key)) or self.name] = rate(values)
        return plots.rates(groups, what, ax)

    @takes(score=text)
    def best(self, score: str = SCORE) -> H:
        """Return the History of the branch that has the highest score; the first of those that have.

        Raises:
            SweepError: if there is no such score, or no branch has it.
        """
        rows = self._outcomes()
        known = _score_names(rows)
        scored = [one for one in rows if one.scores.get(score) is not None]
        if not scored:
            there = "It was run without score=."
            if known:
                there = f"It has {', '.join(known)}."
            raise SweepError(f"sweep {self.name!r} has no score {score!r}.{did_you_mean(score, known)} {there}")
        best = max(scored, key=lambda one: one.scores[score])
        return self._history(best.branch.execution_id)

    @property
    def notes(self) -> tuple[str, ...]:
        """The ends of branches that did not finish, in words, each with the number of branches."""
        found = Counter(f"{one.status}: {one.reason}" if one.reason else one.status for one in self._outcomes())
        return tuple(f"{n} {words}" for words, n in found.items() if not words.startswith("finished"))

    def __len__(self) -> int:
        return len(self._outcomes())

    def __getitem__(self, branch: int) -> H:
        number = integer("branch", branch)
        rows = self._outcomes()
        if not -len(rows) <= number < len(rows):
            raise IndexError(f"sweep {self.name!r} has no branch {number}; it has {len(rows)}, from 0.")
        one = rows[number]
        if not one.begun:
            raise UnknownExecutionError(
                f"branch {one.branch.number} of sweep {self.name!r} has no history: it is {one.status} {one.reason}. "
                "resume() runs what is missing."
            )
        return self._history(one.branch.execution_id)

    def __repr__(self) -> str:
        return f"<Sweep {self.name!r}: {self._head()}>"

    def _repr_html_(self) -> str:
        rows = self._outcomes()
        scores = _score_names(rows)
        errors = ["score_error"] * any(one.score_error for one in rows)
        heads = ["branch", *self._factors, "repeat", "status", "reason", "frames", "tokens", "cost_usd", "result"]
        cells = []
        for one in rows:
            row = {**self._cells(one), **one.scores, "score_error": one.score_error}
            cells.append([_short(row.get(name)) for name in (*heads, *scores, *errors)])
        return table(f"Sweep {self.name}: {self._head()}", [*heads, *scores, *errors], cells)

    def _head(self) -> str:
        rows = self._outcomes()
        counts = Counter(one.status for one in rows)
        words = [f"{len(rows)} branches", *(f"{n} {status}" for status, n in counts.items())]
        if cost := sum(one.cost_usd for one in rows):
            words.append(f"${cost:.4f}")
        missing = sum(not one.ended for one in rows)
        if missing:
            words.append(f"{missing} to run: .resume()")
        return ", ".join(words)

    # ---- parts -------------------------------------------------------------------------------------------------

    def _outcomes(self) -> list[BranchOutcome]:
        return outcomes(self.reader, self.name)

    @cached_property
    def _record(self) -> SweepRecord:
        return sweep_of(self.reader, self.name)

    @cached_property
    def _factors(self) -> list[str]:
        """The varied columns."""
        return list(dict.fromkeys(factor for one in self._outcomes() for factor in one.branch.varied))

    def _by(self, by: str | Iterable[str] | None) -> list[str]:
        if by is None:
            return self._factors
        if isinstance(by, str):
            by = [by]
        wanted = list(by)
        for name in wanted:
            if name not in self._factors:
                near = did_you_mean(str(name), self._factors)
                there = ", ".join(self._factors) or "nothing"
                raise SweepError(f"by={name!r:.60} is not varied in sweep {self.name!r}.{near} It varies {there}.")
        return wanted

    def _cells(self, one: BranchOutcome) -> dict[str, Any]:
        """Return the values of the columns that need no look into the execution."""
        branch = one.branch
        return {
            "branch": branch.number,
            "execution_id": branch.execution_id,
            **{factor: shown_value(recorded) for factor, recorded in branch.varied.items()},
            "repeat": branch.repeat,
            "status": one.status,
            "reason": one.reason,
            "frames": one.frames,
            "tokens": one.tokens,
            "cost_usd": one.cost_usd,
            "seconds": one.seconds,
            "result": legible(one.result),
        }

    def _diverged_at(self, one: BranchOutcome, divergences: Divergences) -> int | None:
        record = self._record
        if record.parent_id is not None:
            return divergences.first(record.parent_id, one.branch.execution_id, record.frame or 0)
        first = self._outcomes_first
        if first is None or first == one.branch.execution_id:
            return None
        return divergences.first(first, one.branch.execution_id, 0)

    @cached_property
    def _outcomes_first(self) -> str | None:
        return next((one.branch.execution_id for one in self._outcomes() if one.begun), None)

    def _paths(self) -> dict[tuple[str, ...], list[int]]:
        found: dict[tuple[str, ...], list[int]] = {}
        for number, path in paths_of(self.reader, self.name).items():
            found.setdefault(path, []).append(number)
        return found


def _score_names(rows: Iterable[BranchOutcome]) -> list[str]:
    return list(dict.fromkeys(name for one in rows for name in one.scores))


def _kind(rows: Iterable[BranchOutcome], score: str) -> str:
    """Return the type of a score's column."""
    values = [one.scores.get(score) for one in rows]
    # A column of True and False with a number among them is one of numbers.
    if all(isinstance(value, bool | None) for value in values):
        return "BOOLEAN"
    return "REAL"


def _grouped(rows: Iterable[BranchOutcome], factors: list[str]) -> list[tuple[tuple[Any, ...], list[BranchOutcome]]]:
    """Return the branches by their values of some factors, in order; 1, "1" and True are three values."""
    groups: dict[str, tuple[tuple[Any, ...], list[BranchOutcome]]] = {}
    for one in rows:
        varied = {factor: one.branch.varied[factor] for factor in factors if factor in one.branch.varied}
        # In a list of cases, one need not name every factor.
        shown = tuple(shown_value(varied.get(factor, {})) for factor in factors)
        groups.setdefault(key_of(varied), (shown, []))[1].append(one)
    return list(groups.values())


def _values(rows: Iterable[BranchOutcome], name: str) -> list[Any]:  # Any: a bool or a number
    """Return the values of a score, or of a column of numbers, of the branches that have one."""
    if name == "finished":
        return [one.status == "finished" for one in rows if one.ended]
    if name in MEASURES:
        return [getattr(one, name) for one in rows if one.ended]
    return [value for one in rows if (value := one.scores.get(name)) is not None]


def _short(value: object) -> object:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    shown = str(value)
    if len(shown) <= SHOWN:
        return shown
    return f"{shown[:SHOWN]}…"
