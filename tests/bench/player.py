"""A run of 1,000 frames with 100 nodes as a page: its size, the time until it is seen, and frames a second in a drag."""

from __future__ import annotations

import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

from smithers_nb import Execution, Phase, Step, Store, Task, component
from tests.bench.table import Row
from tests.browser.lab import browser

FRAMES = 1000
NODES = 100
ROUNDS = 5
PATIENCE_MS = 120_000
SCRUB = """async frames => {
  const slider = document.querySelector("[role=slider]"), box = slider.getBoundingClientRect();
  const paint = () => new Promise(requestAnimationFrame);
  const move = (type, share) => slider.dispatchEvent(new PointerEvent(type, {
    bubbles: true, buttons: 1, clientX: box.left + share * box.width, clientY: box.top + 5}));
  await paint();
  move("pointerdown", 0);
  const times = [];
  for (let at = 0; at < frames; at += 1) {
    const begin = performance.now();
    move("pointermove", at / frames);
    await paint();
    times.push(performance.now() - begin);
  }
  return times;
}"""


@component
def Leaf(ctx: Any, n: int) -> Any:
    return Step(name=f"leaf {n}")[f"value {n}: {ctx.state.get(f'key {n}', 0)}"]


@component
def Board(ctx: Any) -> Any:
    turn = ctx.state.get("turn", 0)

    def turned(_: Any) -> None:
        ctx.state.set("turn", turn + 1)
        ctx.state.set(f"key {turn % 20}", turn)

    return Phase(name="board")[
        [Leaf(n=n, key=n) for n in range(NODES // 2 - 1)],
        Task(key=f"t{turn}", id=f"tick{turn}", run=lambda: turn, on_finished=turned),
    ]


def player() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "t.db"
        with Execution(Board, name="board", store=store) as ex:
            ex.run_sync(max_frames=FRAMES)
        path = Path(folder) / "run.html"
        begin = perf_counter()
        exported = Store(store).open("board").export(path, show=False)
        took = perf_counter() - begin
        size = float(exported.sizes["file"])
        what = f"run.html of {FRAMES:,} frames, {NODES} nodes"
        budget = 400 * 1024.0 + 2 * _rows(store)
        yield Row(f"{what}: size", [size], "400 KB + 2 x its rows at zlib level 9", [budget], 1, "KB", f"{took:.0f} s")
        opened, scrubbed = _looked(path)
        yield Row(f"{what}: opens", opened, "two seconds", [2000.0] * len(opened), 1)
        yield Row(f"{what}: a frame of a drag", scrubbed, "60 a second", [1000 / 60] * len(scrubbed), 1.1)


def _rows(store: Path) -> int:
    """Return the size of the rows, table by table, compressed."""
    with closing(sqlite3.connect(store)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        texts = ["\n".join(map(repr, db.execute(f"SELECT * FROM {table}"))) for table in tables]
    return sum(len(zlib.compress(text.encode("utf-8", "surrogatepass"), 9)) for text in texts)


def _looked(path: Path) -> tuple[list[float], list[float]]:
    """Return the milliseconds until the plan is seen, and those of each frame of a drag along the timeline."""
    opened: list[float] = []
    with browser() as chromium:
        for _ in range(ROUNDS):
            page = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800}).new_page()
            begin = perf_counter()
            page.goto(f"file://{path}")
            page.wait_for_selector("[role=treeitem]", timeout=PATIENCE_MS)
            opened.append((perf_counter() - begin) * 1000)
            scrubbed: list[float] = page.evaluate(SCRUB, 300)
            page.context.close()
    return opened, scrubbed
