"""The table that ``make bench`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

OUTPUT = Path("test-output/bench.txt")
BLOCKS = 5
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

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return median(self.ours) / median(self.beside)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio of up to five parts of the run."""
        parts = min(BLOCKS, len(self.ours), len(self.beside))
        ratios = [median(_part(self.ours, n, parts)) / median(_part(self.beside, n, parts)) for n in range(parts)]
        return min(ratios), max(ratios)

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return "told"
        return "ok" if self.ratio <= self.budget else "MISSED"

    def __str__(self) -> str:
        scale = UNITS[self.unit]
        low, high = self.spread
        return (
            f"{self.what:<72} {median(self.ours) / scale:10.3f} {median(self.beside) / scale:10.3f} {self.unit:<2}"
            f" {self.ratio:7.2f} {f'{low:.2f}-{high:.2f}':>13} {'-' if self.budget is None else self.budget:>6}"
            f" {self.verdict:<6} {self.floor}{f'; {self.note}' if self.note else ''}"
        )


@dataclass(frozen=True)
class Missing:
    """A row that could not be measured here, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what:<72} not measured: {self.why}"


HEAD = (
    f"{'what':<72} {'ours':>10} {'floor':>10} {'':<2} {'ratio':>7} {'spread':>13} {'budget':>6} {'':<6} floor\n"
    f"(medians; spread: the ratio in the {BLOCKS} parts of the run, lowest and highest)"
)


class Table:
    """Printed as it comes, and kept in ``test-output/bench.txt``."""

    def __init__(self, path: Path = OUTPUT) -> None:
        self._path = path
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text("")
        self.missed: list[Row] = []
        self.line(HEAD)

    def line(self, text: str) -> None:
        print(text, flush=True)
        with self._path.open("a") as file:
            file.write(text + "\n")

    def add(self, row: Row | Missing) -> None:
        self.line(str(row))
        if isinstance(row, Row) and row.verdict == "MISSED":
            self.missed.append(row)


def _part(values: Sequence[float], n: int, parts: int) -> Sequence[float]:
    return values[len(values) * n // parts : len(values) * (n + 1) // parts]
