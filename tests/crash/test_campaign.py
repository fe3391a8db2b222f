"""kill -9 at random times, after every phase and in every transaction, up to three times a run: nothing is lost,
nothing is written twice, and no model is asked again what it has answered.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smithers_nb.records import Phase
from tests.crash.campaign import ROOT, Run, campaign, table


def survived(kills: int, folder: Path, seed: int) -> list[Run]:
    started = time.monotonic()
    runs = campaign(kills, folder, seed)
    text = f"{table(runs)}\nseed {seed}, {time.monotonic() - started:.0f} s\n"
    output = ROOT / "test-output"
    output.mkdir(exist_ok=True)
    (output / f"crash_campaign{'_long' if kills >= 300 else ''}.txt").write_text(text)
    print(text)
    assert not [run for run in runs if not run.clean], text
    return runs


def test_thirty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    runs = survived(30, tmp_path, seed=4)
    assert sum(len(run.kills) for run in runs) >= 30


@pytest.mark.long
def test_four_hundred_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    runs = survived(400, tmp_path, seed=int(time.time()))
    kinds = [kind for run in runs for kind in run.kills]
    assert len(kinds) >= 400
    assert {f"after {phase}" for phase in Phase} <= set(kinds)
    assert {
        f"{when} COMMIT of {name}" for when in ("before", "after") for name in ("commit_frame", "flush_frame")
    } <= set(kinds)
    assert max(len(run.kills) for run in runs) == 3
