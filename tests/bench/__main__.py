"""``python -m tests.bench``: the budgets of the store and the frame in one table of ratios, each with its floor.

``--only NAME`` measures one of them. The table is also left in ``test-output/bench.txt``. A missed budget is told in
the table; the exit code is 0 all the same, because a machine that does other work misses some now and then.
"""

from __future__ import annotations

import argparse
import gc
import logging
from collections.abc import Callable, Iterable
from time import perf_counter

from tests.bench import (
    agents,
    branches,
    causes,
    dataframes,
    frames,
    growth,
    imports,
    peers,
    plans,
    player,
    readback,
    recorded,
    sweeps,
)
from tests.bench.table import Missing, Row, Table

MEASURES: dict[str, Callable[[], Iterable[Row | Missing]]] = {
    "import": imports.imports,
    "first-step": imports.first_step,
    "one-key": frames.one_key,
    "many-keys": frames.many_keys,
    "history": frames.much_history,
    "leaf": plans.leaf,
    "anew": plans.anew,
    "growth": growth.growth,
    "readback": readback.readback,
    "recorded": recorded.recorded,
    "branches": branches.branches,
    "causes": causes.causes,
    "agent": agents.one_turn,
    "tokens": agents.gaps,
    "sweep": sweeps.futures,
    "transitions": dataframes.transitions,
    "player": player.player,
    "peers": peers.peers,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MEASURES, help="measure this one")
    only = parser.parse_args().only
    # On a busy machine the engine warns of slow COMMITs, in the middle of the table.
    logging.getLogger("smithers_nb").setLevel(logging.ERROR)
    begin = perf_counter()
    table = Table()
    for name, measure in MEASURES.items():
        if only in (None, name):
            for row in measure():
                table.add(row)
            gc.collect()
    table.line(f"{table.sum}; {perf_counter() - begin:.0f} s")


main()
