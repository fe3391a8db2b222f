"""Every noun of the house, once: frozen, typed records without I/O. Users and tests rely on these names.

``frame``       Phase, Frame, RunResult, Problem, Event, and the status of an execution
``write``       Write: a change to the state, queued or applied
``call``        HandlerCall and EffectRun
``task``        TaskStart, TaskEnd, TaskResult and TaskRecord
``agent``       ModelCall, ToolCall, Decision and Piece: the audit of an agent
``conversation`` TaskConversation, Exchange and Part: what an agent and its models said
``occurrence``  Occurrence: a place in the record that holds a text
``question``    Question: a request to a person
``prediction``  Prediction: what a learner expects of a frame, and Offer: what there is to expect
``exercise``    ExerciseCheck: an attempt at an exercise, and CheckedStatement: a statement of it
``breakpoint``  Breakpoint and Hit
``statement``   Statement: a sentence of an answer to "why"
``execution``   NewExecution, NewBranch, ExecutionRecord, and the iterations of loops
``ghost``       Ghost: a node that code can return, and the guards around it there
``sweep``       SweepRecord, SweepBranch and BranchOutcome: many executions that differ in chosen values
``edit``        DELETED, and the state after an edit
``excerpt``     Excerpt: a text of which only the beginning was read
``words``       the author of a write, and shortened texts, in words

A name that ends in ``Record`` is what a reader of the history sees: values cut, times in ISO 8601, nothing decoded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .agent import (
    AnsweredBy,
    BlockReason,
    CallStatus,
    Decision,
    ModelCall,
    ModelCallRecord,
    Piece,
    RateWindow,
    StallReason,
    ToolCall,
    ToolCallRecord,
    ToolStatus,
    Usage,
)
from .breakpoint import HIT, Breakpoint, BreakpointKind, Hit
from .call import CallRecord, EffectRun, HandlerCall, HandlerOutcome
from .edit import DELETED, Deletion, edited
from .excerpt import Excerpt
from .execution import (
    Durability,
    ExecutionKind,
    ExecutionRecord,
    LoopKey,
    LoopState,
    NewBranch,
    NewExecution,
    Stretch,
)
from .exercise import CheckedStatement, ExerciseCheck
from .frame import (
    PROBLEMS,
    Event,
    EventRecord,
    Frame,
    FrameRecord,
    FrameTotals,
    LastNode,
    NodeVersion,
    Phase,
    Problem,
    RunResult,
    SearchHit,
    Severity,
    Status,
)
from .prediction import NEW, SKIPPED, Offer, Prediction
from .question import Answer, Question, QuestionRecord
from .reuse import REUSED, Repeat, Reusable, Reuse, ReusedAnswer, TaskMade, TaskWrite, ToolMade
from .task import REPEAT_REFUSED, TaskCall, TaskEnd, TaskFrames, TaskRecord, TaskResult, TaskStart, TaskStatus
from .write import (
    Author,
    Op,
    Origin,
    ReaderRecord,
    ReplacedValue,
    Scope,
    ValueRecord,
    ValueVersion,
    Write,
    WriteRecord,
    WriteStatus,
)

if TYPE_CHECKING:
    from .conversation import Exchange, Part, Role, TaskConversation
    from .ghost import (
        MISSING,
        Condition,
        Exists,
        Ghost,
        Ghosts,
        Guard,
        Several,
        StatePart,
        Test,
        conditions,
    )
    from .occurrence import Holding, Occurrence
    from .statement import Evidence, Statement
    from .sweep import BranchOutcome, Rate, SweepBranch, SweepOptions, SweepRecord, Varied

__all__ = [
    "DELETED",
    "HIT",
    "MISSING",
    "NEW",
    "PROBLEMS",
    "REPEAT_REFUSED",
    "REUSED",
    "SKIPPED",
    "Answer",
    "AnsweredBy",
    "Author",
    "BlockReason",
    "BranchOutcome",
    "Breakpoint",
    "BreakpointKind",
    "CallRecord",
    "CallStatus",
    "CheckedStatement",
    "Condition",
    "Decision",
    "Deletion",
    "Durability",
    "EffectRun",
    "Event",
    "EventRecord",
    "Evidence",
    "Excerpt",
    "Exchange",
    "ExecutionKind",
    "ExecutionRecord",
    "ExerciseCheck",
    "Exists",
    "Frame",
    "FrameRecord",
    "FrameTotals",
    "Ghost",
    "Ghosts",
    "Guard",
    "HandlerCall",
    "HandlerOutcome",
    "Hit",
    "Holding",
    "LastNode",
    "LoopKey",
    "LoopState",
    "ModelCall",
    "ModelCallRecord",
    "NewBranch",
    "NewExecution",
    "NodeVersion",
    "Occurrence",
    "Offer",
    "Op",
    "Origin",
    "Part",
    "Phase",
    "Piece",
    "Prediction",
    "Problem",
    "Question",
    "QuestionRecord",
    "Rate",
    "RateWindow",
    "ReaderRecord",
    "Repeat",
    "ReplacedValue",
    "Reusable",
    "Reuse",
    "ReusedAnswer",
    "Role",
    "RunResult",
    "Scope",
    "SearchHit",
    "Several",
    "Severity",
    "StallReason",
    "StatePart",
    "Statement",
    "Status",
    "Stretch",
    "SweepBranch",
    "SweepOptions",
    "SweepRecord",
    "TaskCall",
    "TaskConversation",
    "TaskEnd",
    "TaskFrames",
    "TaskMade",
    "TaskRecord",
    "TaskResult",
    "TaskStart",
    "TaskStatus",
    "TaskWrite",
    "Test",
    "ToolCall",
    "ToolCallRecord",
    "ToolMade",
    "ToolStatus",
    "Usage",
    "ValueRecord",
    "ValueVersion",
    "Varied",
    "Write",
    "WriteRecord",
    "WriteStatus",
    "conditions",
    "edited",
]

# Each dataclass takes half a millisecond of every program's start. These are for answers that few programs ask for.
_LATE = {
    "smithers_nb.records.conversation": ("Exchange", "Part", "Role", "TaskConversation"),
    "smithers_nb.records.ghost": (
        "Condition",
        "Exists",
        "Ghost",
        "Ghosts",
        "Guard",
        "MISSING",
        "Several",
        "StatePart",
        "Test",
        "conditions",
    ),
    "smithers_nb.records.occurrence": ("Holding", "Occurrence"),
    "smithers_nb.records.statement": ("Evidence", "Statement"),
    "smithers_nb.records.sweep": ("BranchOutcome", "Rate", "SweepBranch", "SweepOptions", "SweepRecord", "Varied"),
}


def __getattr__(name: str) -> Any:
    for home, names in _LATE.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
