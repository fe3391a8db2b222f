"""A kept run, replayed in a test: offline, and held against its recording."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ..agents.cassette import difference
from ..agents.runner import Request
from ..errors import ReplayMismatchError, SmithersError
from ..history.compare import NOTHING, Difference, differences
from ..nodes.tree import Tree
from ..recording import History, Replay, Store
from ..records import ModelCall, Status
from ..replay import Tasks
from ..store.reader import Reader
from ..store.recorded import replay_of, requests_of
from .opened import copy_of

SHOWN = 5
"""The most differences that a failure shows."""
COMPARED = 4000
"""The most characters of a request by which the nearest one is found."""
PLAN = "the plan's "
"""The beginning of the name of a difference in the plan."""
AGENTS = ("claude", "agent")


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A kept run as the code of now repeats it. All of it is as recorded: what differs fails the test."""

    frames: int
    """The number of frames."""
    replay: Replay
    """The replay, with ``.history``."""

    @property
    def status(self) -> Status:
        """The status of the execution after the last frame."""
        return self.replay.history.status

    @property
    def plan(self) -> str:
        """The plan of the last frame, as XML; "" without a frame."""
        if not self.frames:
            return ""
        return self.replay.history.at(self.frames).xml

    @property
    def values(self) -> Mapping[str, Any]:  # Any: it is what the user stored
        """The state after the last frame."""
        return self.replay.history.state


class Differs(AssertionError):
    """The code of now does something else than is recorded."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording, and the replay that is in the same file with it."""

    path: Path
    reader: Reader
    execution_id: str
    name: str

    @property
    def replay_id(self) -> str | None:
        """The id of the replay; None if it has not begun."""
        return replay_of(self.reader, self.execution_id)


def replayed(
    recording: Path,
    app: object,
    *,
    props: Mapping[str, Any] | None = None,
    tasks: Tasks = "recorded",
    players: Path | None = None,
) -> KeptRun:
    """Return a kept run as ``app`` repeats it. ``players`` is a folder for the pages of both runs, if they differ.

    Raises:
        Differs: naming frame, node and the first thing that differs.
        StoreError: if there is no such recording, or it is damaged.
    """
    store = Store(recording)
    if store.exported is None:
        raise ValueError(f"{recording} is no exported run: ex.keep(…) writes one beside each test.")
    # A copy: the replay is written beside the recording, and the page stays as it is under version control.
    kept = _Recording(recording, copy_of(store.reader), store.exported.execution_id, store.exported.name)
    history = History(kept.reader, kept.execution_id)
    try:
        replay = history.replay(app, props=props, tasks=tasks)
    except SmithersError as error:
        raise Differs(_told(kept, error, _differing(kept), players)) from error
    if replay.differences:
        raise Differs(_told(kept, None, replay.differences, players))
    return KeptRun(replay.frames, replay)


def _differing(kept: _Recording) -> list[Difference]:
    """Return the differences of a replay that has stopped, as far as it came."""
    if kept.replay_id is None:
        return []
    last = kept.reader.last_frame(kept.replay_id)
    # The frame in which it stopped has not had its FLUSH: of that one, only the plan can be compared.
    whole = kept.reader.last_flushed(kept.replay_id)
    return [
        one
        for one in differences(kept.reader, kept.execution_id, kept.replay_id)
        if one.frame <= whole or (one.frame == last and one.what.startswith(PLAN))
    ]


def _rank(one: Difference) -> tuple[int, int]:
    """Return the place of a difference: a node that is new or gone comes with its text, and moves those beside it."""
    if not one.what.startswith(PLAN) or NOTHING not in (one.recorded, one.replayed):
        return one.frame, 2
    return one.frame, int(one.what.startswith(f"{PLAN}text "))


# ---- words -----------------------------------------------------------------------------------------------------


def _told(kept: _Recording, error: SmithersError | None, found: Sequence[Difference], players: Path | None) -> str:
    """Return what differs, the first thing first."""
    lines = [f"{kept.name} does not run as it is recorded in {kept.path.name}."]
    if found:
        first, *more = sorted(found, key=_rank)
        lines += ["", f"The first difference is in frame {first.frame}, {_place(kept, first)}:"]
        lines += [f"  - {first.recorded}", f"  + {first.replayed}"]
        lines += [f"  frame {one.frame}, {_place(kept, one)}" for one in more[:SHOWN]]
        if len(more) > SHOWN:
            lines.append(f"  … and {len(more) - SHOWN} more")
    if isinstance(error, ReplayMismatchError):
        lines += ["", f"It stops in frame {error.frame or 1}, at {_first_line(error)}", *_indented(error.difference)]
        lines += _nearest_told(kept, error)
    elif error is not None:
        lines += ["", f"It stops: {type(error).__name__}: {error}"]
    lines += ["", "If the change is meant, record it: a new run, and ex.keep(…, replace=True)."]
    lines += _players(kept, players)
    return "\n".join(lines)


def _first_line(error: ReplayMismatchError) -> str:
    """Return which node stops, and why, without the difference, which has lines of its own."""
    what, _, _ = str(error).partition(f". {error.difference}")
    return f"{what}."


def _indented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"  {line}"


def _place(kept: _Recording, one: Difference) -> str:
    """Return the name of a difference, with the node that a text stands in."""
    if one.node_id is None or not one.what.startswith("the plan's text "):
        return one.what
    for id in filter(None, (kept.replay_id, one.execution_id)):
        tree = _tree(kept.reader, id, one.frame)
        node = tree.index.get(one.node_id)
        while node is not None and node.parent_id is not None:
            node = tree.index[node.parent_id]
            if node.explicit_id or node.type in AGENTS:
                return f"the text of {node.type} {node.id}"
    return one.what


def _tree(reader: Reader, execution_id: str, frame: int) -> Tree:
    tree, _ = reader.tree(execution_id, frame)
    return tree


# ---- the nearest request ---------------------------------------------------------------------------------------


def _nearest_told(kept: _Recording, error: ReplayMismatchError) -> Iterator[str]:
    """Yield which recorded request is the nearest to the one that has no answer."""
    asked = error.asked or _first_request(kept, error)
    if asked is None:
        return
    requests = requests_of(kept.reader, kept.execution_id)
    best = max(requests, key=lambda one: _likeness(asked, one[2]), default=None)
    if best is None:
        yield "  No request is recorded at all."
        return
    node_id, frame, call = best
    yield f"  The nearest recorded request is turn {call.turn} of {node_id}, whose task began in frame {frame}."
    if node_id != error.node_id or call.turn != error.turn:
        yield from _indented(difference(call, asked) or "It asks the same.")


def _first_request(kept: _Recording, error: ReplayMismatchError) -> Request | None:
    """Return what an agent that is not recorded would ask first, as far as its node tells it."""
    if kept.replay_id is None or error.node_id is None:
        return None
    node = _tree(kept.reader, kept.replay_id, kept.reader.last_frame(kept.replay_id)).index.get(error.node_id)
    if node is None or node.type not in AGENTS:
        return None
    prompt = {"parts": [{"part_kind": "user-prompt", "content": re.sub(r"\s+", " ", node.content).strip()}]}
    return Request("", "", (json.dumps(prompt, ensure_ascii=False),), "")


def _likeness(asked: Any, call: ModelCall) -> float:  # Any: a request, made or recorded
    one, other = (" ".join(_texts(request.messages[-1:]))[:COMPARED] for request in (asked, call))
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _texts(messages: tuple[str, ...]) -> Iterator[str]:
    for message in map(json.loads, messages):
        for part in message["parts"]:
            yield json.dumps(part.get("content", part.get("args")), ensure_ascii=False)


# ---- the pages -------------------------------------------------------------------------------------------------


def _players(kept: _Recording, folder: Path | None) -> Iterator[str]:
    """Yield where the pages of both runs are."""
    if folder is None:
        yield "pytest --smithers-player DIR writes the pages of both runs there."
        return
    folder.mkdir(parents=True, exist_ok=True)
    for what, words, id in (
        ("recorded", "The recorded run", kept.execution_id),
        ("now", "The run of now", kept.replay_id),
    ):
        if id is not None:  # A plan that can't be rendered at all has no replay.
            path = folder / f"{kept.path.stem}-{what}.html"
            History(kept.reader, id).export(path, show=False)
            yield f"{words}: {os.path.abspath(path)}"
