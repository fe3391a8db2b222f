"""What the stepper's front end and the kernel say to each other.

Kernel to browser: one synced trait, ``summary`` (small, numbered), and replies as custom messages.
Browser to kernel: custom messages only, never a trait: ipywidgets' throttle can stop releasing trait syncs
while a cell awaits (ipykernel 7.4), and clicks would be lost.

``widgets/src/model/protocol.ts`` says the same in TypeScript; ``tests/golden/protocol.json``, written by the
Python tests and read by the TypeScript ones, keeps the two from drifting apart.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

PROTOCOL = 1
"""Raised when a message changes its meaning; the browser says so when it meets another number."""

FIRST_NODES = 500
"""Nodes of the plan that are sent at once; the rest come on demand."""

VALUE_CHARS = 2048
"""Characters of one value that are sent before "load all"."""

CommandName = Literal["step_phase", "step_frame", "until_idle", "pause", "stop"]
PaneName = Literal["plan", "xml", "pending", "handlers", "state"]


# ---- kernel to browser -----------------------------------------------------------------------------------------


class PhaseChip(TypedDict):
    """One of the seven chips of the phase strip."""

    name: str
    """SNAPSHOT, RENDER, RECONCILE, COMMIT, EXECUTE, EFFECTS or FLUSH."""
    state: Literal["done", "current", "todo"]
    """``current`` is the phase that the next "Step phase" runs, or the one that is under way."""
    ms: float | None
    """How long it took, in milliseconds; None while it has not run in this frame."""


class Problem(TypedDict):
    """An error or warning of the frame under the cursor."""

    kind: str
    """The error's class name, e.g. ``HandlerError``."""
    message: str
    node_id: str | None
    phase: str | None
    source: str | None
    """Where in the user's code, e.g. ``report:14:9``."""


class Counts(TypedDict):
    nodes: int
    pending: int
    handlers: int
    state: int
    problems: int
    running: int
    """Tasks under way."""


class Summary(TypedDict):
    """The synced trait: all that the header, the toolbar, the strip and the sentence need. At most 64 KiB."""

    protocol: int
    seq: int
    """Grows by one with each push; a gap makes the browser send ``resync``."""
    name: str
    execution_id: str
    status: Literal["ready", "running", "paused", "waiting", "finished", "failed", "stopped", "stalled", "terminated"]
    reason: str
    """Why it has this status, in words; "" when there is nothing to say."""
    over: bool
    """It has ended, and nothing is left that a step could do."""
    frame: int
    """The number of the newest frame; 0 before the first."""
    phase: str | None
    """The last phase that was done in it."""
    phases: list[PhaseChip]
    """Always seven, in order."""
    sentence: str
    """What just happened, and what the next step will do."""
    busy: str | None
    """The command that is under way, if any. Its buttons are off meanwhile; Pause and Stop are on."""
    counts: Counts
    tokens: int
    cost_usd: float | None
    problems: list[Problem]
    """The first 20."""
    error: str | None
    """An error of the stepper itself or of the last command, to be shown in the widget."""


class Value(TypedDict):
    """A value of the user's or a model's: shown as text, never as markup."""

    text: str
    """Its JSON; cut after ``VALUE_CHARS`` characters unless all of it was asked for."""
    chars: int
    """How many characters the whole has."""
    cut: bool
    type: str
    """``str``, ``int``, ``list`` … as in the state table."""


class PropChange(TypedDict):
    prop: str
    """A prop's name, or ``text``, ``events``."""
    old: str | None
    new: str | None


class PlanNode(TypedDict):
    """A row of the plan tree, in document order (parents first)."""

    id: str
    parent: str | None
    depth: int
    """0 for a root."""
    type: str
    key: str | None
    explicit_id: bool
    """True when the user gave the id; a generated one is not shown in the tree's label."""
    attrs: list[tuple[str, str]]
    """The XML attributes in their order."""
    text: str | None
    """Of a text node."""
    events: list[str]
    status: str | None
    """pending, running, succeeded, failed, cancelled … of a runnable or a phase; None for the rest."""
    change: Literal["", "added", "removed", "changed", "moved"]
    """Against the frame before."""
    changes: list[PropChange]
    """What changed, when ``change`` is "changed"."""
    children: int
    """How many children it has, sent or not."""
    source: str | None
    path: str


class Plan(TypedDict):
    frame: int
    dry: bool
    """True for the dry render before the first frame: nothing was executed or stored."""
    total: int
    nodes: list[PlanNode]
    """The first ``FIRST_NODES`` unless ``full`` was asked for; removed ones stand where they were."""


class Xml(TypedDict):
    frame: int
    dry: bool
    text: str
    chars: int
    cut: bool


class PendingWrite(TypedDict):
    id: str
    order: int
    """1 is applied first."""
    scope: str
    key: str
    op: Literal["set", "update", "delete", "init"]
    old: Value | None
    new: Value | None
    """None for ``delete``, and for ``update`` until it is computed at FLUSH."""
    origin: str
    origin_id: str | None
    node_id: str | None
    handler: str | None
    trigger: str
    """What made it fire, in words."""
    status: str
    """queued, applied, noop, overridden, rolled_back, edited, dropped."""


class Pending(TypedDict):
    frame: int
    writes: list[PendingWrite]


class Call(TypedDict):
    id: str
    frame: int
    node_id: str
    task_id: str
    event: str
    status: Literal["ok", "raised", "stale"]
    writes: int
    ms: float
    error: str | None
    """The traceback, when it raised."""
    source: str | None


class Handlers(TypedDict):
    frame: int
    calls: list[Call]
    """Newest frame first, within a frame in the order in which they fired; the last 200."""


class StateEntry(TypedDict):
    key: str
    value: Value
    from_frame: int
    """The first frame that could read this value."""
    changed: bool
    """True when the newest flush changed it."""
    writer: str | None
    """Who wrote it last, in words: ``on_finished of notes``, ``operator``, ``init``."""


class State(TypedDict):
    frame: int
    total: int
    entries: list[StateEntry]
    """The first 500 by key unless ``full`` was asked for."""


class Reply(TypedDict):
    type: Literal["reply"]
    id: str
    pane: str
    seq: int
    """The summary's ``seq`` when this was read."""
    data: Plan | Xml | Pending | Handlers | State | None
    error: str | None


class Ack(TypedDict):
    """Sent at once: the command was taken, or why it was not."""

    type: Literal["ack"]
    id: str
    name: str
    accepted: bool
    why: str


class Done(TypedDict):
    """Sent when an accepted command has ended."""

    type: Literal["done"]
    id: str
    name: str
    ok: bool
    error: str | None


# ---- browser to kernel -----------------------------------------------------------------------------------------


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hello(_Message):
    """A view was opened, or saw a gap in ``seq``: the kernel pushes a fresh summary."""

    type: Literal["hello"]
    protocol: int


class Command(_Message):
    type: Literal["command"]
    id: str
    name: CommandName


class Get(_Message):
    type: Literal["get"]
    id: str
    pane: PaneName
    full: bool = False
    """Everything, uncut: "load all", and copying the XML."""


Message = Annotated[Hello | Command | Get, Field(discriminator="type")]

incoming: TypeAdapter[Hello | Command | Get] = TypeAdapter(Message)
"""Checks a message of the browser's; raises ``pydantic.ValidationError``."""
