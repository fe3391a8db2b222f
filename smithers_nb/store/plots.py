"""Plots of an execution, drawn from its DataFrames. The only module that imports matplotlib, which is optional."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from ..errors import did_you_mean
from ..records import Rate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BLUE, ORANGE, PALE_BLUE, PALE_ORANGE = "#0072b2", "#e69f00", "#cfe5f2", "#fbe6bd"
"""Told apart by colour-blind people, and in print."""

LETTERS = 85
"""The number of small letters that fit into the width of the axes."""

FAILED = ("failed", "cancelled", "abandoned")
ROW_IN, MOST_IN = 0.32, 40.0
"""Height in inches of a row, and of all of them at most."""


def _pyplot() -> ModuleType:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "plots are drawn with matplotlib, which is not installed here. pip install 'smithers_nb[plot]', or draw "
            "the DataFrames with what you have."
        ) from error
    return pyplot


def _whole_numbers() -> Any:  # Any: matplotlib's locator
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def _patch(**look: Any) -> Any:  # Any: matplotlib's patch and its keywords
    from matplotlib.patches import Patch

    return Patch(**look)


def _axes(ax: Axes | None, rows: float) -> Axes:
    if ax is not None:
        return ax
    _, made = _pyplot().subplots(figsize=(9, min(1.1 + ROW_IN * rows, MOST_IN)), layout="constrained")
    found: Axes = made
    return found


# ---- tasks -----------------------------------------------------------------------------------------------------


def tasks(
    tasks: pd.DataFrame,
    *,
    name: Callable[[str], str],
    frames: pd.DataFrame,
    by: Literal["frame", "time"],
    ax: Axes | None,
) -> Axes:
    """Draw tasks as bars, a row per node, over frames or seconds. ``name`` returns that of a node, by its id."""
    if by not in ("frame", "time"):
        raise ValueError(f"by={by!r}: a task can be drawn over 'frame' or 'time'.")
    _pyplot()
    rows = list(dict.fromkeys(tasks["node_id"]))
    ax = _axes(ax, max(len(rows), 1))
    bars, left, label = _over_time(tasks), 0.0, "seconds since the first task started"
    if by == "frame":
        bars, left, label = _over_frames(tasks, frames), 0.5, "frame"
    right = max([left + 1e-3, *(start + length for *_, start, length in bars)])
    places = {node: place for place, node in enumerate(rows)}
    for status in dict.fromkeys(bar[1] for bar in bars):
        nodes_of, _, starts, lengths = zip(*(bar for bar in bars if bar[1] == status), strict=True)
        ax.barh([places[node] for node in nodes_of], lengths, left=starts, height=0.7, linewidth=1, **_look(status))
    _say(ax, bars, places, right - left)
    ax.set_yticks(range(len(rows)), [name(node) for node in rows])
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    # Room for the words of the last bar.
    ax.set_xlim(left, right + (right - left) * 0.12)
    if by == "frame":
        ax.xaxis.set_major_locator(_whole_numbers())
    ax.set_xlabel(label)
    if bars:
        labels = {"succeeded": "succeeded", "failed": "failed, cancelled or abandoned", "running": "running"}
        patches = [_patch(label=label, **_look(status)) for status, label in labels.items()]
        ax.legend(handles=patches, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8)
    else:
        ax.text(0.5, 0.5, "no task has begun", transform=ax.transAxes, ha="center", va="center")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _look(status: str) -> dict[str, Any]:  # Any: keywords of functions that take others, too
    if status in FAILED:
        return {"facecolor": ORANGE, "edgecolor": ORANGE}
    if status == "succeeded":
        return {"facecolor": BLUE, "edgecolor": BLUE}
    return {"facecolor": "white", "edgecolor": BLUE}


def _say(ax: Axes, bars: Sequence[Bar], places: dict[str, int], width: float) -> None:
    """Write the status into each bar, or behind it; a success for which there is no room is shown by its colour."""
    starts = sorted((places[node], start) for node, _, start, _ in bars)
    for node, status, start, length in bars:
        place = places[node]
        needed = width * len(status) / LETTERS
        after = bisect_right(starts, (place, start))
        following = float("inf")
        if after < len(starts) and starts[after][0] == place:
            following = starts[after][1]
        if length > needed:
            colour = "black"
            if status == "succeeded":
                colour = "white"
            ax.text(start + length / 2, place, status, ha="center", va="center", fontsize=8, color=colour)
        elif status != "succeeded" or start + length + needed < following:
            ax.annotate(status, (start + length, place), (4, 0), textcoords="offset points", va="center", fontsize=8)


Bar = tuple[str, str, float, float]
"""Node id, status, start and length."""


def _over_frames(tasks: pd.DataFrame, frames: pd.DataFrame) -> list[Bar]:
    """Return spans in frames: from the start of a task to the frame that settled it, or that followed its end."""
    begun = _plain(frames["frame"])
    # A task that no frame has settled yet reaches to the frame that would be the next one.
    numbers = [*begun, max(begun, default=0) + 1]
    ends = []
    for ended_at, settled in zip(tasks["ended_at"], _plain(tasks["settled_at_frame"]), strict=True):
        if settled is not None:
            ends.append(settled)
        elif ended_at != ended_at:  # A missing time equals nothing, not even itself.
            ends.append(numbers[-1])
        else:
            ends.append(numbers[int((frames["created_at"] <= ended_at).sum())])
    columns = (tasks["node_id"], tasks["status"], _plain(tasks["mounted_at_frame"]), ends)
    return [(node, status, since, max(until - since, 0.4)) for node, status, since, until in zip(*columns, strict=True)]


def _over_time(tasks: pd.DataFrame) -> list[Bar]:
    begun = tasks[tasks["started_at"].notna()]
    zero = begun["started_at"].min()
    latest = max((time for name in ("started_at", "ended_at") if (time := begun[name].max()) == time), default=zero)
    since = (begun["started_at"] - zero).dt.total_seconds()
    until = (begun["ended_at"].fillna(latest) - zero).dt.total_seconds()
    return list(zip(begun["node_id"], begun["status"], since, until - since, strict=True))


# ---- state -----------------------------------------------------------------------------------------------------


def state(state: pd.DataFrame, key: str, last: int, ax: Axes | None) -> Axes:
    """Draw a key's values over the frames that read them."""
    versions = state[state["key"] == key]
    if versions.empty:
        raise KeyError(f"state has no key {key!r}, and never had.{did_you_mean(key, set(state['key']))}")
    _pyplot()
    values = versions["value"].tolist()
    # An open version holds in the frame to come, too.
    ends = _plain(versions["to_frame"].fillna(last + 2))
    spans = list(zip(_plain(versions["from_frame"]), ends, values, strict=True))
    spans = [span for span in spans if span[1] > span[0]]
    if not spans:
        raise KeyError(f"no frame has read state key {key!r}: it was deleted before one could.")
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers:
        ax = _axes(ax, 5)
        _line(ax, spans)
    else:
        ax = _axes(ax, 1.5)
        _bands(ax, spans)
    ax.set_xlabel("frame that reads it")
    ax.set_xlim(1, max(last + 1, *(span[1] for span in spans)))
    ax.xaxis.set_major_locator(_whole_numbers())
    if all(isinstance(value, int) for value in values):
        ax.yaxis.set_major_locator(_whole_numbers())
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(key, loc="left", fontsize=10)
    return ax


Span = tuple[int, int, Any]
"""First frame, end frame, and value (Any: the user's)."""


def _plain(column: pd.Series[Any]) -> list[Any]:  # Any: int or None
    return column.astype("object").where(column.notna(), None).tolist()


def _line(ax: Axes, spans: Sequence[Span]) -> None:
    for since, until, value in spans:
        ax.hlines(value, since, until, color=BLUE, linewidth=2)
    for (_, end, before), (start, _, after) in pairwise(spans):
        if end == start:  # Else it was deleted in between.
            ax.vlines(start, *sorted((before, after)), color=BLUE, linewidth=1)


def _bands(ax: Axes, spans: Sequence[Span]) -> None:
    whole = max(until for _, until, _ in spans) - min(since for since, _, _ in spans)
    for place, (since, until, value) in enumerate(spans):
        ax.barh(
            0, until - since, left=since, height=1, align="edge", color=(PALE_BLUE, PALE_ORANGE)[place % 2],
            edgecolor="white",
        )  # fmt: skip
        room = int(90 * (until - since) / whole)
        shown = json.dumps(value, ensure_ascii=False)
        if len(shown) > room:
            # Fewer than three characters would say nothing of the value.
            shown = f"{shown[: room - 1]}…" if room > 2 else ""
        # A dollar sign would begin a formula.
        ax.text(since, 0.5, f" {shown}", va="center", fontsize=8, parse_math=False, clip_on=True)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


# ---- sweeps ----------------------------------------------------------------------------------------------------


def rates(groups: Mapping[str, Rate], what: str, ax: Axes | None) -> Axes:
    """Draw means as points with their intervals as lines, a row per group."""
    _pyplot()
    ax = _axes(ax, max(len(groups), 1) + 1)
    for place, one in enumerate(groups.values()):
        if one.low is not None and one.high is not None:
            ax.hlines(place, one.low, one.high, color=BLUE, linewidth=2)
        ax.plot([one.mean], [place], "o", color=BLUE)
        ax.annotate(f"n = {one.n}", (one.mean, place), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    # Names that users wrote: a dollar sign would begin a formula.
    ax.set_yticks(range(len(groups)), [_cut(name) for name in groups], parse_math=False)
    ax.set_ylim(max(len(groups), 1) - 0.5, -0.5)
    ax.set_xlabel(f"{what}: mean and 95 % interval", parse_math=False)
    if not groups:
        ax.text(0.5, 0.5, "no branch has it", transform=ax.transAxes, ha="center", va="center")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _cut(name: str) -> str:
    if len(name) <= LETTERS // 2:
        return name
    return f"{name[: LETTERS // 2]}…"


Place = tuple[int, str]
"""The place of a node in a path, from 0, and its id."""


def paths(paths: Mapping[tuple[str, ...], int], ax: Axes | None) -> Axes:
    """Draw the nodes of paths from left to right, as high as the number of branches that ran them there."""
    _pyplot()
    longest = max((len(path) for path in paths), default=0)
    heights: dict[Place, int] = {}
    flows: dict[tuple[Place, Place], int] = {}
    # Sorted by their nodes, paths that begin alike are neighbours, and their flows cross less.
    for path, count in sorted(paths.items()):
        places = list(enumerate(path))
        for place in places:
            heights[place] = heights.get(place, 0) + count
        for pair in pairwise(places):
            flows[pair] = flows.get(pair, 0) + count
    bottoms = _stacked(heights)
    tallest = max((bottoms[place] + height for place, height in heights.items()), default=1.0)
    ax = _axes(ax, max(6.0, 2 * max(Counter(step for step, _ in heights).values(), default=1)))
    _flows(ax, flows, bottoms)
    for (step, node), height in heights.items():
        bottom = bottoms[step, node]
        ax.bar([step], [height], bottom=[bottom], width=2 * HALF, color=BLUE)
        # Outside of its bar where there is no room inside.
        name = f"{_cut(node)} ({height})"
        ax.text(step, bottom + height + tallest / 100, name, ha="center", va="bottom", fontsize=8, parse_math=False)
    if not heights:
        ax.text(0.5, 0.5, "no task has begun", transform=ax.transAxes, ha="center", va="center")
    ax.set_xlim(-0.5, max(longest, 1) - 0.5)
    ax.set_ylim(0, tallest * 1.08)
    ax.set_xticks(range(longest), [str(step + 1) for step in range(longest)])
    ax.set_xlabel("task, in the order of their starts")
    ax.set_ylabel("branches")
    ax.yaxis.set_major_locator(_whole_numbers())
    ax.spines[["top", "right"]].set_visible(False)
    return ax


HALF = 0.08
"""Half of the width of a node, where the steps are 1 apart."""


def _stacked(heights: Mapping[Place, int]) -> dict[Place, float]:
    """Return the bottom of each node: those of a step stand on each other, with room for their names."""
    most: Counter[int] = Counter()
    for (step, _), height in heights.items():
        most[step] += height
    gap = max(most.values(), default=1) / 10
    tops: dict[int, float] = {}
    found = {}
    for (step, node), height in heights.items():
        found[step, node] = tops.get(step, 0.0)
        tops[step] = found[step, node] + height + gap
    return found


def _flows(ax: Axes, flows: Mapping[tuple[Place, Place], int], bottoms: Mapping[Place, float]) -> None:
    """Draw a band from each node to the next, as high as the number of branches that went there."""
    left, right = dict(bottoms), dict(bottoms)
    for (one, other), count in flows.items():
        start, end = left[one], right[other]
        xs = [one[0] + HALF, other[0] - HALF]
        ax.fill_between(xs, [start, end], [start + count, end + count], color=PALE_BLUE, linewidth=0)
        left[one], right[other] = start + count, end + count


# ---- predictions -----------------------------------------------------------------------------------------------


def heat(cells: Mapping[tuple[int, str], tuple[float, str, bool | None]], ax: Axes | None) -> Axes:
    """Draw a cell for each column and row: its share from 0 to 1, its text, and whether it has a frame around it."""
    _pyplot()
    columns = sorted({column for column, _ in cells})
    rows = sorted({row for _, row in cells}, reverse=True)
    ax = _axes(ax, max(len(rows), 1))
    for (column, row), (share, text, framed) in cells.items():
        x, y = columns.index(column), rows.index(row)
        edge = ORANGE if framed else "none"
        ax.add_patch(_cell(x, y, share, edge))
        ax.text(x, y, text, ha="center", va="center", fontsize=8, color="white" if share > 0.6 else "black")
    ax.set_xlim(-0.5, max(len(columns), 1) - 0.5)
    ax.set_ylim(-0.5, max(len(rows), 1) - 0.5)
    ax.set_xticks(range(len(columns)), [str(column) for column in columns])
    # A dollar sign would begin a formula.
    ax.set_yticks(range(len(rows)), [row.replace("$", r"\$") for row in rows])
    ax.set_xlabel("frame")
    ax.set_title("learners who expected it; a frame around what happened", fontsize=9)
    return ax


def _cell(x: int, y: int, share: float, edge: str) -> Any:  # Any: matplotlib's patch
    from matplotlib.patches import Rectangle

    ground = (0.0, 0.45, 0.70, share)
    return Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=ground, edgecolor=edge, linewidth=2)
