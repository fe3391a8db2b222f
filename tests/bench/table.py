"""The table that ``make bench`` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One budget: what was measured, beside what."""

    what: str
    ours_ms: float
    floor: str
    floor_ms: float
    budget: float
    """The ratio that it may have at most."""

    @property
    def ratio(self) -> float:
        return self.ours_ms / self.floor_ms


def print_table(rows: list[Row]) -> None:
    print(f"{'what':<58} {'ours ms':>9} {'floor ms':>9} {'ratio':>6} {'budget':>7}  floor")
    for row in rows:
        verdict = "ok" if row.ratio <= row.budget else "MISSED"
        print(
            f"{row.what:<58} {row.ours_ms:9.3f} {row.floor_ms:9.3f} {row.ratio:6.2f} {row.budget:7.1f}  "
            f"{row.floor} {verdict}"
        )
