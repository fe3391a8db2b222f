"""Values and panes in columns: what the page reads back, written here as it reads."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smithers_nb.player.codec import Pool, Tracks, column, runs
from tests.golden import codec

VALUES: list[Any] = [
    "tick12 in frame 24", "tick13 in frame 26", "007 and 0", "12345678901", "٣ is no digit of ours", "", "\x00",
    1, 1.0, True, None, 2**60, -3, [], [1], [1.0], [True], {}, {"a": 1}, {"a": 1.0}, {"a": True},
    [*range(20)], {"ref": "x", "text": "y"},
]  # fmt: skip


def test_equal_values_have_one_place_and_unlike_ones_none_in_common() -> None:
    pool = Pool(lambda ref: ref)
    places = [pool.place(value) for value in VALUES]
    assert len(set(places)) == len(places), "1, 1.0 and True are equal, and not the same"
    assert [pool.place(json.loads(json.dumps(value))) for value in VALUES] == places


# A machine that is busy is no fault of the lists.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 12)))
def test_runs_make_the_list_again(before: list[int], places: list[int]) -> None:
    made: list[int] = []
    for start, count, fresh in runs(before, places):
        made += [*before[start : start + count], *fresh]
    assert made == places


def test_what_grows_steadily_takes_next_to_no_room() -> None:
    pool = Pool(lambda ref: ref)
    tracks = Tracks(pool)
    for n in range(1000):
        rows = [{"id": f"tick{m}@{2 * m + 1}", "frame": m} for m in range(max(0, n - 20), n)]
        tracks.add("", 7 * n, n, {"frame": n, "rows": rows, "said": f"tick{n} settled in frame {n + 1}"})
    size = len(zlib.compress(json.dumps({**pool.packed(), "tracks": tracks.packed()}).encode(), 9))
    assert size < 1500


@pytest.mark.parametrize("cells", [[2, None, 4], [3, 5, None], [2, 3, None]])
def test_a_column_has_numbers_or_places_or_both(cells: list[Any]) -> None:
    kind, apart, values = column(cells)
    if apart:
        last = 0
        values = [None if one is None else (last := last + one) for one in values]
    as_cell = [lambda one: 2 * one, lambda one: 2 * one + 1, lambda one: one][kind]
    assert [None if one is None else as_cell(one) for one in values] == cells


def test_the_golden_columns_are_what_is_written_and_the_page_reads_them_back() -> None:
    assert codec.FILE.read_text(encoding="utf-8") == codec.text(), "run: python -m tests.golden.codec"
