"""``python -m tests.bench``: one table of ratios, each with its floor and its budget."""

from __future__ import annotations

from tests.bench import frames, imports, plans
from tests.bench.table import Row, print_table


def main() -> None:
    rows: list[Row] = [*imports.measure(), *frames.measure(), *plans.measure()]
    print_table(rows)


main()
