"""The messages between the stepper's front end and the kernel: panes and replies; ``messages`` has the commands.

Kernel to browser: one synced trait, ``summary`` (small, numbered), and replies as custom messages.
The cursor (live, or at a recorded frame and phase) is the browser's; each request names it. What is asked of a recorded
frame comes from the file alone: nothing is executed.
Browser to kernel: custom messages only, never a trait: ipywidgets' throttle can stop releasing trait syncs
while a cell awaits (ipykernel 7.4), and clicks would be lost.

``widgets/src/model/protocol.gen.ts`` is made from these types by ``make widget``. ``tests/golden/protocol.json``,
written by the Python tests and read by the TypeScript ones, has real messages.

The data of a pane is named ``…Pane``, and an entry of its lists ``…Row``: the bare names (``Task``, ``Problem``) belong
to the components and the records.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ...records import BreakpointKind, Evidence
from ...records.excerpt import VALUE_CHARS as VALUE_CHARS

PROTOCOL = 4
"""The number of the protocol: raised when a message changes its meaning, and checked by the browser."""

# Drawing is what takes time: the first rows are on the screen while the others come.
FIRST_NODES = 500
"""Nodes of the plan that are sent at once; the others are sent on demand."""

TAIL_CHARS = 2048
"""Characters of the newest text that a running task has streamed."""

TAILS_CHARS = 8192
"""Characters of the newest texts of all running tasks together, in a summary."""

# A command without an acknowledgement is sent again under its id: taking it twice would step twice.
TAKEN = "it was taken already"
"""The reason in the acknowledgement of a command that came twice."""

# A search for an edit may take a second: a Pause behind it would come too late.
APART = ("why", "why_not", "needs", "ghosts")
"""Panes that are answered on a thread of their own, after the looks and commands that came behind them."""

TaskCommand = Literal["cancel", "retry", "handle_again", "answer"]
SentenceKind = Literal["rest", "hit", "error", "waiting", "over"]
"""hit: a breakpoint stopped it; error: the frame or the execution failed; waiting: a person has to answer."""
Change = Literal["", "added", "removed", "changed", "moved", "remounted"]


# ---- browser to kernel -----------------------------------------------------------------------------------------

PaneName = Literal[
    "frame", "timeline", "plan", "xml", "pending", "handlers", "state", "tasks", "task", "breakpoints", "output",
    "problems", "node", "value", "search", "last_change", "hit", "compare", "edited", "branches", "notes",
    "why", "why_not", "needs", "ghosts", "gantt",
]  # fmt: skip


class Get(BaseModel):
    """A request for a pane, at a cursor."""

    # A page of an older release may be open in another tab: a field that is not known is refused, not ignored.
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["get"]
    id: str
    pane: PaneName
    # The cursor comes with every request. The kernel remembers none: several pages may look at different places.
    at: int | None = None
    """A recorded frame; None is live."""
    phase: Literal["SNAPSHOT", "RENDER", "RECONCILE", "COMMIT", "EXECUTE", "EFFECTS", "FLUSH"] | None = None
    """The phase after which a recorded frame is shown; None is its rest."""
    base: int | None = None
    """The frame to compare with; None is the one before, 0 is none."""
    other: str | None = Field(default=None, min_length=1, max_length=200)
    """The id or name of another execution of the file, whose matching frame is compared with in place of ``base``."""
    edited: bool = False
    """Compares the plan that the edited code makes of the frame with the recorded one."""
    of: str | None = None
    """The subject: a node, a task, a key, a value's ref, the text to search for."""
    # A step changes few rows of a plan of thousands: those that the page names are not sent again.
    known: int | None = None
    """The version of the plan that the browser has."""
    # A move brings its panes along, and the page can't know beforehand which of them it will change.
    seen: int | None = None
    """The version of the pane that the browser has: a move does not answer it while that is the newest."""
    since: int = Field(default=1, ge=1)
    limit: int = Field(default=500, ge=1, le=100_000)
    before: tuple[int, int] | None = None
    direction: Literal["back", "forward"] = "back"
    full: bool = False
    """The XML uncut, for copying."""


# ---- kernel to browser -----------------------------------------------------------------------------------------


class PhaseChip(TypedDict):
    """A chip of the phase strip."""

    name: str
    """SNAPSHOT, RENDER, RECONCILE, COMMIT, EXECUTE, EFFECTS or FLUSH."""
    state: Literal["done", "current", "todo"]
    """``current`` is the phase that the next "Step phase" runs, or the running one."""
    ms: float | None
    """Milliseconds; None while it has not run in this frame."""


class ProblemRow(TypedDict):
    """An error or warning."""

    kind: str
    """The error's class name, e.g. ``HandlerError``."""
    message: str
    node_id: str | None
    phase: str | None
    source: str | None
    """The place in the user's code, e.g. ``report:14:9``."""
    frame: int
    """Of a finding about the plan: the frame that was looked at."""
    advice: str | None
    """The way to mend it, where the message does not say it."""
    severity: Literal["error", "hint"]


class RunningRow(TypedDict):
    """A running task, or one that waits for a person or its next attempt."""

    task_id: str
    node_id: str
    node: str
    """The name of the node."""
    status: str
    """running, blocked, pending."""
    reason: str | None
    """rate_limit, approval, retry …"""
    worker: str | None
    """The worker that has it, in words, with what there is to tell of it; None for a task of the kernel."""
    attempt: int
    max_attempts: int
    started: float | None
    """Milliseconds since the epoch."""
    retry_at: float | None
    """The next attempt, in milliseconds since the epoch."""
    tail: str
    """The end of its streamed text; all tails together have at most ``TAILS_CHARS``."""
    tokens: int | None
    """The tokens that an agent has used so far; None for another task."""
    cost_usd: float | None


class QuestionRow(TypedDict):
    """A question to a person."""

    approval_id: str
    node_id: str
    node: str
    """The id of the node where the user gave it, or else its name."""
    kind: str
    prompt: str
    options: list[str]


class HitRow(TypedDict):
    """A hit of a breakpoint."""

    breakpoint_id: str
    frame: int
    phase: str
    text: str
    """The event: ``n changed 1 → 2``."""
    node_id: str | None
    log_only: bool
    at: float
    """Milliseconds since the epoch; 0 where it was found in the records."""


class Counts(TypedDict):
    nodes: int
    pending: int
    handlers: int
    state: int
    problems: int
    """The errors of all frames so far; hints are not counted."""
    running: int
    """Running tasks."""
    tasks: int
    """All tasks so far."""
    output: int
    """Pieces of the frame in progress."""
    breakpoints: int


class Versions(TypedDict):
    """A number for each pane, raised when a live view of it may have changed."""

    # "May": a version is made of what a pane depends on, not of its contents, which would have to be computed for it.
    # One that is raised for nothing costs a fetch; one that is not raised would leave an old pane on the screen.
    frame: int
    timeline: int
    plan: int
    xml: int
    pending: int
    handlers: int
    state: int
    tasks: int
    breakpoints: int
    output: int
    problems: int
    branches: int


VERSIONED = tuple(Versions.__annotations__)
"""Panes that have a version in the summary."""


class PredictOption(TypedDict):
    """An item of which a learner may say something."""

    item: str
    """``starts:NODE``, ``fires:NODE.on_finished`` or ``writes:KEY``."""
    label: str


class PredictRow(TypedDict):
    """An item that was expected or that happened."""

    item: str
    label: str
    said: str
    was: str | None
    """None until FLUSH computes it."""
    right: bool | None
    because: str
    """The cause of what happened; "" where it did not."""
    ask: str | None
    """The target of a question about it; None where it has no name."""
    happened: bool


class PredictResult(TypedDict):
    """The outcome of a prediction."""

    frame: int
    right: int
    of: int
    """The number of items whose answer is known."""
    rows: list[PredictRow]
    quiet: int
    """The number of items that were rightly not expected."""
    reached: bool
    """False if the execution ended before the frame."""


class Predicting(TypedDict):
    """The form for the prediction of the next frame, and the result of the last one."""

    learner: str
    frame: int | None
    """The frame that has to be predicted before a step; None while a step is free."""
    nodes: list[PredictOption]
    handlers: list[PredictOption]
    keys: list[PredictOption]
    more: int
    """The number of items that the form leaves out."""
    result: PredictResult | None


class Summary(TypedDict):
    """The synced trait: the contents of the header, the toolbar, the strip and the sentence. At most 64 KiB."""

    protocol: int
    # ipywidgets may leave out a value of a trait, and the end of a command brings one as well: order has to be told.
    seq: int
    """Raised by one with each push; a gap makes the browser send ``hello``."""
    name: str
    execution_id: str
    status: Literal["ready", "running", "paused", "waiting", "finished", "failed", "stopped", "stalled", "terminated"]
    reason: str
    """The reason for this status, in words; "" where there is none."""
    standing: str
    """The status as people read it: at rest, where a step has left it so."""
    over: bool
    """True when it has ended, and a step would do nothing."""
    frame: int
    """The number of the newest frame; 0 before the first."""
    phase: str | None
    """The last phase of that frame that is done."""
    phases: list[PhaseChip]
    """Always seven, in order."""
    sentence: str
    """What the newest frame did, and the effect of the next step, in words."""
    kind: SentenceKind
    did: list[str]
    """What the newest frame did so far, in words."""
    busy: str | None
    """The running command, if any. Its buttons are off meanwhile; Pause and Stop are on."""
    counts: Counts
    tokens: int
    cost_usd: float | None
    problems: list[ProblemRow]
    """The first 20."""
    error: str | None
    """An error of the stepper itself or of the last command, to be shown in the widget."""
    recorded: int
    """The newest frame in the file: a cursor may point to 1 up to this one."""
    versions: Versions
    running: list[RunningRow]
    """The first 20."""
    questions: list[QuestionRow]
    """The first 10."""
    hit: HitRow | None
    """The breakpoint that stopped it."""
    breakpoints: int
    """The number of enabled breakpoints."""
    read_only: str | None
    """The reason why nothing can be executed here, in words; None where an engine runs the execution."""
    edited: int
    """The number of times that edited code was given for the recorded frames; 0 where there is none."""
    predict: Predicting | None
    """The predictions of a learner; None where this stepper asks for none."""
    limits: list[str]
    """The limits of this kernel, in words."""
    # The clocks of the page and the kernel may differ: durations are counted from this.
    now: float
    """The time of this summary, in milliseconds since the epoch."""


class Value(TypedDict):
    """A value of the user's or a model's: shown as text, never as markup."""

    # A pane has hundreds of values, and each may have megabytes: the page asks for the one that is looked at.
    text: str
    """JSON, cut after ``VALUE_CHARS`` characters unless all of it was asked for."""
    chars: int
    """The length of the whole text, in characters."""
    cut: bool
    type: str
    """``str``, ``int``, ``list`` … as in the state table."""
    ref: str | None
    """The subject to ask the pane ``value`` for, where this is cut."""


class FrameCounts(TypedDict):
    """Numbers of the events of a frame."""

    mounted: int
    unmounted: int
    updated: int
    moved: int
    writes: int
    handlers: int
    problems: int
    output: int


class FramePane(TypedDict):
    """The header, the strip and the sentence at a frame."""

    frame: int
    recorded: bool
    status: Literal["done", "open", "dry"]
    """open: in progress, or abandoned."""
    phase: str | None
    """The phase that is shown."""
    last_phase: str | None
    """The last phase that is done."""
    phases: list[PhaseChip]
    sentence: str
    kind: SentenceKind
    did: list[str]
    """What the frame did up to the cursor, in words."""
    reason: list[str]
    created: float | None
    counts: FrameCounts
    hits: list[HitRow]


class TimelinePane(TypedDict):
    """Frames ``since`` to ``to``, column by column. Dense columns have an entry a frame, the others (frame, count)."""

    since: int
    to: int
    writes: list[int]
    handlers: list[int]
    changes: list[int]
    """Nodes mounted, unmounted, updated and moved."""
    ms: list[int]
    # Most frames have none of these.
    errors: list[tuple[int, int]]
    hits: list[tuple[int, int]]
    tasks: list[tuple[int, int]]
    """Tasks that began."""
    output: list[tuple[int, int]]
    keys: list[tuple[int, list[str]]]
    """Up to 3 keys that were changed, of the newest 200 frames."""


class GanttPane(TypedDict):
    """The tasks by the frames of the timeline, oldest first."""

    nodes: list[str]
    """The names of their nodes, each once."""
    tasks: list[tuple[str, int, str, int, int | None]]
    """Task id, place in ``nodes``, status, first frame, and the frame that dealt with its end: None until then."""
    more: bool
    """True if there are older tasks than these."""


class PropChange(TypedDict):
    prop: str
    """A prop's name, or ``text``, ``events``."""
    old: str | None
    new: str | None


class PlanRow(TypedDict):
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
    """The text of a text node."""
    events: list[str]
    # A text, as releases add statuses: the page shows one that it does not know by its name.
    status: str | None
    """pending, running, succeeded, failed, cancelled … of a runnable or a phase; None for the rest."""
    raised: bool
    """True if the last call of one of its handlers raised."""
    change: Change
    """The mark against the frame before, or the one that is compared with."""
    moved: bool
    """True where it moved; it may have changed as well."""
    why: str | None
    """The reason why it was mounted again, when ``change`` is "remounted"; also for the removed node of such a pair."""
    changes: list[PropChange]
    """The props that changed, when ``change`` is "changed"."""
    children: int
    """The number of its children, sent or not."""
    source: str | None
    path: str
    status_before: str | None
    """The status in the frame that is compared with, where it differs."""
    mounted: int
    """The frame in which it was mounted, if that is this one; else 0."""
    breakpoints: list[str]
    """Ids of the breakpoints on this node."""
    task_id: str | None
    """The newest task of the node."""


class PlanPane(TypedDict):
    frame: int
    dry: bool
    """True for the dry render before the first frame: nothing was executed or stored."""
    total: int
    """The number of rows, removed ones included."""
    version: int
    """The name of this list of rows, for ``Get.known``."""
    base: int
    """The frame that the marks compare with; 0 for none."""
    against: str | None
    """The execution that the marks compare with, where it is not this one."""
    nodes: list[PlanRow | tuple[int, int]]
    """The first ``limit`` rows; removed ones stand where they were. (start, count) stands for rows of the list that the
    browser said it has."""


class XmlPane(TypedDict):
    frame: int
    dry: bool
    text: str
    chars: int
    cut: bool
    base: int
    against: str | None
    """As in the plan."""
    marks: list[tuple[int, str, str]]
    """(line from 0, change, node id)."""


class ReaderRow(TypedDict):
    """A component that reads a key."""

    component: str
    path: str
    node_id: str | None


class WriteRow(TypedDict):
    id: str
    order: int
    """The order of application, from 1."""
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
    """The cause, in words."""
    status: str
    """queued, applied, noop, overridden, rolled_back, edited, dropped."""
    frame: int
    outcome: str | None
    """The status of a recorded write after FLUSH."""
    # Foreseen before FLUSH, as that is when a person can still change it.
    conflict: str | None
    """The other write of the same key that wins, or loses."""
    noop: bool
    """True where it sets the present value."""
    readers: list[ReaderRow]
    """The first 10 readers of the key."""
    edited: str | None
    """The change that a person made to it."""


class PendingPane(TypedDict):
    frame: int
    writes: list[WriteRow]
    editable: bool
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class CallRow(TypedDict):
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
    seq: int
    """The place in the frame, from 1."""
    phase: str
    trigger: str
    """The cause, in words."""


class NeverFiredRow(TypedDict):
    """A handler of the plan that was not called so far."""

    node_id: str
    event: str
    type: str
    source: str | None
    why: str


class HandlersPane(TypedDict):
    frame: int
    calls: list[CallRow]
    """Newest frame first, within a frame in the order in which they fired; the last 200."""
    never: list[NeverFiredRow]
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class VersionRow(TypedDict):
    """A value that a key had."""

    frame: int
    """The first frame that read it."""
    value: str
    """JSON, at most 60 characters."""
    writer: str | None


class StateRow(TypedDict):
    scope: Literal["state", "vol"]
    key: str
    value: Value
    from_frame: int
    """The first frame that could read this value."""
    changed: bool
    """True when the newest flush changed it."""
    writer: str | None
    """The last author, in words: ``on_finished of notes``, ``operator``, ``init``."""
    writer_node: str | None
    writer_id: str | None
    """The handler call that wrote it; None where no handler did."""
    old: Value | None
    """The value before."""
    readers: list[ReaderRow]
    history: list[VersionRow]
    """Newest first, at most 5."""


class StatePane(TypedDict):
    frame: int
    total: int
    entries: list[StateRow]
    """The first ``limit`` by key, and all that changed."""
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class TaskRow(TypedDict):
    task_id: str
    node_id: str
    type: str | None
    iteration: int | None
    """The iteration of the loop around it."""
    attempt: int
    max_attempts: int
    status: str
    reason: str | None
    worker: str | None
    """The worker that has it, in words, with what there is to tell of it; None for a task of the kernel."""
    frame: int
    """The frame in which it was mounted."""
    settled_frame: int | None
    started: float | None
    ended: float | None
    retry_at: float | None
    requests: int | None
    tokens: int | None
    cost_usd: float | None
    tools: int
    """The number of its tool calls."""
    tail: str
    error: str | None
    """The message: the last line of the traceback; of a blocked task, what it waits for."""
    # The kernel decides, and not the page: a button must not be on for what would be refused.
    can: list[TaskCommand]
    """The commands that apply to it; none in a recorded frame."""
    options: list[str]
    """The options of an approval that waits."""


class TasksPane(TypedDict):
    frame: int
    now: float
    tasks: list[TaskRow]
    """Newest first, 200."""
    windows: list[WindowRow]
    """The windows of the models that have refused a request; empty in a recorded frame."""
    names: dict[str, str]
    """The names of the nodes by id, and by the ids of their tasks: in a loop, each in the iteration of its own."""


class WindowRow(TypedDict):
    """The times at which all agents of the file may ask a model of a provider."""

    name: str
    """``provider:model``."""
    opens: float | None
    """The end of the pause, in milliseconds since the epoch."""
    apart_ms: float
    """The interval between requests, in milliseconds."""
    refused: int


class AskedRow(TypedDict):
    """A question of a task to a person."""

    approval_id: str
    kind: str
    prompt: str
    options: list[str]
    payload: Value | None
    """The payload of the question, without its diff."""
    diff: str | None
    """The first 20,000 characters."""
    status: str
    """waiting, answered or withdrawn."""
    choice: str | None
    comment: str | None
    args: str | None
    """The tool's arguments as JSON, to be edited while it waits; then those that it was called with. None if the
    question is about none, or they have over 20,000 characters."""
    edited: bool
    """True if a person wrote the arguments."""
    result: Value | None
    """The result of a tool call that was made elsewhere, as a person gave it."""


class ToolCallRow(TypedDict):
    id: int
    tool: str
    agent: str | None
    """The agent that made it, where a tool of the node's agent ran that one."""
    turn: int
    attempt: int
    status: str
    input: Value
    output: Value | None
    ms: float | None
    error: str | None


class ModelCallRow(TypedDict):
    id: int
    turn: int
    attempt: int
    model: str
    agent: str | None
    """The agent that made it, where a tool of the node's agent ran that one."""
    answered_by: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    ms: float
    error: str | None
    response: Value | None


class PartRow(TypedDict):
    """A part of a message."""

    role: Literal["system", "user", "assistant", "tool"]
    kind: str
    label: str
    """``user``, ``calls weather``, ``weather returned (ok)``."""
    text: Value
    ms: float | None


class ExchangeRow(TypedDict):
    """A request to a model in one attempt, with the parts that are new in it and those of its answer."""

    id: int
    heading: str
    """``turn 2, attempt 2 after 1.2 s · MODEL``."""
    ending: str
    """The finish reason or the error, tokens and cost."""
    ms: float
    status: Literal["running", "ok", "failed", "cancelled", "interrupted"]
    parts: list[PartRow]
    results: list[PartRow]
    """The results of its tool calls that no request has yet."""


class TaskPane(TaskRow):
    prompt: Value | None
    result: Value | None
    trace: str | None
    source: str | None
    asked: list[AskedRow]
    """Oldest first."""
    earlier: int
    """The number of requests before those of ``conversation``."""
    conversation: list[ExchangeRow]
    """The newest requests to models, oldest first."""
    tool_calls: list[ToolCallRow]
    model_calls: list[ModelCallRow]
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class BreakpointRow(TypedDict):
    id: str
    kind: BreakpointKind
    target: str | None
    event: str | None
    value: str | None
    when: str | None
    once: bool
    enabled: bool
    log_only: bool
    hits: int
    after: int
    text: str
    error: str | None
    """The last error of its expression."""


class BreakpointsPane(TypedDict):
    breakpoints: list[BreakpointRow]
    hits: list[HitRow]
    """Newest first, 200."""
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class PrintedRow(TypedDict):
    id: int
    """0 while it is not in the file."""
    frame: int
    phase: str | None
    """None: a task printed it, whatever the frame was doing."""
    node_id: str | None
    where: str
    """``Report``, ``on_finished of notes``, ``task notes``."""
    stream: Literal["stdout", "stderr"]
    text: str
    cut: bool
    ref: str | None
    at: float


class OutputPane(TypedDict):
    frame: int
    total: int
    entries: list[PrintedRow]
    """Oldest first, the last ``limit`` of them."""
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class ProblemsPane(TypedDict):
    frame: int
    total: int
    problems: list[ProblemRow]
    """Errors first, then hints; of each the newest frame first."""
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class NodeProp(TypedDict):
    name: str
    value: Value


class NodeEvent(TypedDict):
    event: str
    calls: int
    last: str | None


class NodeRead(TypedDict):
    key: str
    scope: str
    value: Value | None
    from_frame: int
    writer: str | None
    writer_node: str | None


class NodePane(TypedDict):
    id: str
    path: str
    type: str
    key: str | None
    explicit_id: bool
    source: str | None
    mounted: int
    status: str | None
    raised: bool
    """As in the plan."""
    change: Change
    changes: list[PropChange]
    why: str | None
    removed: bool
    props: list[NodeProp]
    text: Value | None
    """All text in it: the prompt of an agent."""
    events: list[NodeEvent]
    task: TaskRow | None
    component: str | None
    """The component that rendered it."""
    reads: list[NodeRead]
    """The values that the component reads."""
    breakpoints: list[str]
    names: dict[str, str]
    """The names of the nodes that it tells of, by id."""


class FoundRow(TypedDict):
    kind: Literal["node", "key", "handler", "task", "output"]
    id: str
    label: str
    frame: int
    node_id: str | None


class SearchPane(TypedDict):
    total: int
    found: list[FoundRow]


class LastChangePane(TypedDict):
    found: WriteRow | None
    before: tuple[int, int] | None
    """The place to pass as ``before`` to continue."""
    text: str


class HitPane(TypedDict):
    found: HitRow | None
    before: tuple[int, int] | None
    text: str


class ChoiceRow(TypedDict):
    """An execution that can be compared with."""

    execution_id: str
    name: str
    status: str
    kind: str
    """run, branch or replay."""
    family: bool
    """True for a branch, a parent or a sibling of this execution."""
    created: float | None


class DifferenceRow(TypedDict):
    """Something that is not the same in both executions."""

    what: str
    """node, text, prop, task, model call, tool call, handler, effect, write, state or end."""
    node_id: str | None
    node: str | None
    """The node in words."""
    key: str | None
    iteration: int | None
    child: str | None
    """The node whose child execution it is in."""
    here: str | None
    """The value in this execution, cut around the difference; None where it is not there."""
    there: str | None
    frame: int
    """The frame to look at in this execution; 0 in a child, or where there is none."""
    other_frame: int
    frames: str
    """The frames of both sides, in words."""


class ComparePane(TypedDict):
    """The differences of this execution and the other, of all recorded frames."""

    frame: int
    execution_id: str | None
    """The other execution; None while none is chosen."""
    name: str
    other_frame: int
    """Its frame that matches the cursor; 0 for none."""
    text: str
    total: int
    rows: list[DifferenceRow]
    """The earliest first; the first ``limit`` of them."""
    choices: list[ChoiceRow]
    """The newest executions of the file, those of the family first."""
    more: int
    """The number of executions that are not among the choices."""


class BranchRow(TypedDict):
    """An execution of the family."""

    execution_id: str
    name: str
    parent_id: str | None
    """The execution that it was forked from; None for the first of the family."""
    depth: int
    """The number of forks between it and the first of the family."""
    at: int | None
    """The last frame that it shares with its parent."""
    status: str
    reason: str
    changed: list[str]
    """What the fork changed, in words: ``state n``, ``code``, ``prop topic``, ``model sonnet``."""
    last: int
    """The number of its newest frame."""
    runs: bool
    """True if this kernel runs it: it can be stepped."""
    variable: str
    """The variable of the notebook that holds it; "" without one."""


class StretchRow(TypedDict):
    """Frames of the line that belong to one execution."""

    execution_id: str
    name: str
    first: int
    last: int | None
    """None for the execution at the end of the line."""


class BranchesPane(TypedDict):
    family: list[BranchRow]
    """Each parent before its branches, which are in the order of their forks."""
    line: list[StretchRow]
    """The executions that the frames belong to, oldest first: the last one is shown."""
    store: str
    """The expression that opens the file, in Python."""
    app: str
    """The name of the app."""


class NotesPane(TypedDict):
    notes: list[str]
    """What a branch has to know of its parent, in words."""


class EditedPane(TypedDict):
    """The recorded frames as edited code renders them, after ``%%smithers NAME --dry``."""

    text: str
    """The first frame that differs, the answers that a branch reuses and asks again, and their cost."""
    first: int | None
    """The first frame that differs; a branch begins before it."""
    last: int
    """The newest frame that was rendered; 0 for none."""
    total: int
    """The number of frames that differ."""
    frames: list[tuple[int, int]]
    """The frames that differ, as (first, last)."""
    pending: list[tuple[int, int]]
    """The frames that differ only in phases that have not begun."""


class StatementRow(TypedDict):
    """A sentence of an answer. One that is one deeper than the sentence before it is a cause of that one."""

    text: str
    depth: int
    frame: int | None
    phase: str | None
    node_id: str | None
    source: str | None
    table: str | None
    """The table of the row that says it; None where no row does."""
    row_id: str | None
    execution: str | None
    """The name of the execution whose row it is, where the cursor can't go to its frame: of a child, say."""
    evidence: Evidence | None
    """recorded, derived or inferred; None for a sentence that names a gap in the records."""
    link: str | None
    """The target of a further question, in the same frame: the prompt of an answer."""


class AnswerRow(TypedDict):
    """A question and the sentences of its answer."""

    question: str
    negative: bool
    """True for a "why not"."""
    statements: list[StatementRow]
    more: int
    """The number of sentences that are not sent."""


class WhyPane(TypedDict):
    """The answers to a question about a target: the first one is the one that it asks for."""

    of: str | None
    answers: list[AnswerRow]
    takes: str | None
    """The target of ``needs``, where something is absent that an edit of the state may bring."""


class NeedsPane(TypedDict):
    """The smallest edit of the state after which something is in the plan of a frame."""

    of: str
    frame: int
    answer: AnswerRow
    found: bool
    after: int
    """The frame after which a branch with the edit begins."""
    state: str | None
    """The edit as the text of a JSON object, as the command ``fork`` takes it; None where there is nothing to edit, or
    JSON can't say it."""
    code: str
    """The expression that branches with it, in Python."""


class GhostRow(TypedDict):
    """A node that the code can return, and that is not in the plan."""

    of: str
    """The target of ``why_not``."""
    type: str
    name: str
    component: str
    source: str
    guards: list[str]
    """The conditions around it in the code, in words, outermost first."""
    depth: int
    parent: str | None
    """The node of the plan that it would stand in; None for the top of the plan."""
    after: str | None
    """The node of the plan behind which it would stand; None where it would be the first in its parent."""


class GhostsPane(TypedDict):
    frame: int
    total: int
    nodes: list[GhostRow]
    """In the order of the code; those below a ghost follow it, one deeper."""
    unknown: list[str]
    """The components whose code can't be read, and why."""


class Reply(TypedDict):
    type: Literal["reply"]
    id: str
    pane: str
    at: int | None
    phase: str | None
    """The frame and phase of the request."""
    data: Any  # Any: the pane's type, as in PANES
    error: str | None


class Replies(TypedDict):
    """The answers to a look, in one message: the page draws them together."""

    type: Literal["replies"]
    replies: list[Reply]


PANES: dict[str, Any] = {  # Any: TypedDicts
    "frame": FramePane,
    "timeline": TimelinePane,
    "gantt": GanttPane,
    "plan": PlanPane,
    "xml": XmlPane,
    "pending": PendingPane,
    "handlers": HandlersPane,
    "state": StatePane,
    "tasks": TasksPane,
    "task": TaskPane,
    "breakpoints": BreakpointsPane,
    "output": OutputPane,
    "problems": ProblemsPane,
    "node": NodePane,
    "value": Value,
    "search": SearchPane,
    "last_change": LastChangePane,
    "hit": HitPane,
    "compare": ComparePane,
    "branches": BranchesPane,
    "notes": NotesPane,
    "edited": EditedPane,
    "why": WhyPane,
    "why_not": WhyPane,
    "needs": NeedsPane,
    "ghosts": GhostsPane,
}
"""The data of each pane's reply."""


class Pong(TypedDict):
    """The answer to a ping."""

    type: Literal["pong"]
    id: str


class Ack(TypedDict):
    """The acknowledgement of a command, or its refusal: sent at once; for an accepted move only when it lasts."""

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
    result: str | None
    """The id of the new breakpoint, for ``break_add``, or of the branch, for ``fork`` and ``branch_edited``."""
    summary: Summary | None
    """The new value of the trait; None where there were too many: it follows."""
    # With the end of the move and not after it: else every step would take a second round trip through a busy kernel.
    replies: list[Reply]
    """The answers to the requests of a move, to be read after ``summary``."""
