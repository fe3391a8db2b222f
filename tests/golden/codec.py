"""Write ``codec.json``: values and panes as ``player/codec.py`` packs them, which the TypeScript tests read back.

``tests/player/test_codec.py`` fails when the file is not what this would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smithers_nb.player.codec import Pool, Tracks

FILE = Path(__file__).with_name("codec.json")
VALUES: list[Any] = [
    "tick12 in frame 24", "tick13 in frame 26", "007 and 0", "12345678901", "٣ is no digit of ours", "", "\x00",
    "</script><!-- \u2028 \ud800 \U0001f30a", None, True, False, 0, 1, -3, 1.5, 2**50 - 1, 2**60, -(2**49),
    [], [1], ["a", None, True], [[1, "a"], [2, "b"]], [*range(20)], [*map(str, range(20))], {},
    {"a": 1, "b": None}, {"a": "x", "b": 2**40}, {"a": 1.5, "b": [{"c": "tick14 in frame 28"}]}, {"__proto__": 1},
]  # fmt: skip
"""A value of each kind, and of each kind of column."""


def written() -> dict[str, Any]:
    """Return values with their places, the values of subjects from cursors on, and all of it packed."""
    pool = Pool(lambda ref: ref)
    places = [pool.place(value) for value in VALUES]
    tracks = Tracks(pool)
    cursors = _cursors()
    for one in cursors:
        tracks.add(**one)
    return {"values": VALUES, "places": places, "cursors": cursors, "tracks": tracks.packed(), **pool.packed()}


def _cursors() -> list[dict[str, Any]]:
    """Return the values of three subjects; each holds up to the next one of its subject."""
    found: list[dict[str, Any]] = []
    for n in range(1, 40):
        found.append({"of": "", "at": 7 * n, "frame": n, "value": _shown(n)})
        if n % 5 == 0:
            found.append({"of": "node", "at": 7 * n + 2, "frame": n, "value": _shown(n % 3)})
        # It leaves, and comes back.
        if n in (3, 9, 21, 33):
            found.append({"of": "task", "at": 7 * n + 3, "frame": n, "value": _shown(n) if n in (3, 21) else None})
    return found


def _shown(n: int) -> dict[str, Any]:
    """Return a pane: rows that come, go and change places, lines of a long text, and pairs of the user's words."""
    rows = [{"id": f"tick{m}", "status": "running" if m == n else "done"} for m in range(max(0, n - 6), n + 1)]
    if n % 4 == 0:
        rows.reverse()
    return {
        "frame": n,
        "base": None if n % 7 == 0 else n - 1,
        "said": f"tick{n} settled in frame {n + 1}",
        "score": [n / 2, None, n, "none"][n % 4],
        "rows": [] if n % 6 == 0 else rows,
        "text": "short" if n % 5 == 0 else "\n".join(f"line {m} of a text" for m in range(n % 3, 20)),
        "names": {f"tick{m}": f"task {m}" for m in range(n % 4)},
    }


def text() -> str:
    """Return the file's content: ASCII, because a lone half of a pair has no encoding."""
    return json.dumps(written(), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
