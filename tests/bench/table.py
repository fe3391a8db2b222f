"""The table that ``make bench`` prints.

Both sides of a row are measured in turn, and a time is compared with the one that was taken beside it: the budget is about
the median of these ratios. These machines run at half speed for seconds at a time, and the tenth percentile of either
side catches its own quick moments: in six runs in a row "1,000 nodes anew" had from 2.50 to 3.69 by tenth percentiles,
from 2.48 to 2.64 by medians, and in the three of them that were looked at in pairs 2.52, 2.52 and 2.53. The ratio of the
tenth percentiles is shown, too. Bytes don't depend on who else is at work, and are compared by their means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

OUTPUT = Path("test-output/bench.txt")
UNITS = {"ms": 1.0, "KB": 1024.0}


@dataclass(frozen=True)
class Row:
    """One budget: what was measured, beside what. Both sides were measured in turn, so the samples go together."""

    what: str
    ours: Sequence[float]
    """Milliseconds, or bytes."""
    floor: str
    """What stands beside it."""
    beside: Sequence[float]
    budget: float | None
    """The ratio that it may have at most; None for a figure that nothing is asked of."""
    unit: str = "ms"
    note: str = ""

    def typical(self, values: Sequence[float]) -> float:
        """Return the one figure that stands for these samples."""
        return low(values) if self.unit == "ms" else mean(values)

    @property
    def ratio(self) -> float:
        """Which the budget is about."""
        return median(self.pairs) if self.unit == "ms" else mean(self.ours) / mean(self.beside)

    @property
    def pairs(self) -> list[float]:
        """The ratio of each two that were measured together, ordered."""
        return sorted(one / other for one, other in zip(self.ours, self.beside, strict=True))

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return "told"
        return "ok" if self.ratio <= self.budget else "MISSED"

    def __str__(self) -> str:
        scale = UNITS[self.unit]
        pairs = self.pairs
        least, most = pairs[len(pairs) // 4], pairs[len(pairs) * 3 // 4]
        budget = "-" if self.budget is None else f"{self.budget:g}"
        return (
            f"{self.what:<78} {self.typical(self.ours) / scale:10.3f} {self.typical(self.beside) / scale:10.3f} "
            f"{self.unit:<2} {self.ratio:7.2f} {f'{least:.2f}-{most:.2f}':>13} "
            f"{self.typical(self.ours) / self.typical(self.beside):8.2f} {budget:>6} {self.verdict:<6} "
            f"{self.floor}{f'; {self.note}' if self.note else ''}"
        )


@dataclass(frozen=True)
class Missing:
    """A row that could not be measured here, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what:<78} not measured: {self.why}"


HEAD = (
    f"{'what':<78} {'ours':>10} {'floor':>10} {'':<2} {'ratio':>7} {'spread':>13} {'of lows':>8} {'budget':>6} {'':<6}"
    " floor\n"
    "(ours, floor: tenth percentiles of times, means of bytes; ratio: the median of those of each two times that were"
    " measured together, and its\n quartiles, or that of the means; of lows: that of ours and floor)"
)


class Table:
    """Printed as it comes, and kept in ``test-output/bench.txt``."""

    def __init__(self, path: Path = OUTPUT) -> None:
        self._path = path
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text("")
        self._missed = 0
        self._missing = 0
        self.line(HEAD)

    def line(self, text: str) -> None:
        print(text, flush=True)
        with self._path.open("a") as file:
            file.write(text + "\n")

    def add(self, row: Row | Missing) -> None:
        self.line(str(row))
        self._missed += isinstance(row, Row) and row.verdict == "MISSED"
        self._missing += isinstance(row, Missing)

    @property
    def sum(self) -> str:
        """How it came out, in words."""
        missed = f"{self._missed} MISSED" if self._missed else "no measured budget was missed"
        return f"{missed}, {self._missing} not measured" if self._missing else missed


def low(values: Sequence[float]) -> float:
    """Return the tenth percentile; of fewer than ten the least."""
    return sorted(values)[len(values) // 10]
