"""Every noun of the house, once: frozen, typed records without I/O. Users and tests rely on these names.

``frame``       Phase, Frame, RunResult, Problem, Event, and the status of an execution
``write``       Write: a change to the state, queued or applied
``call``        HandlerCall and EffectRun
``task``        TaskStart, TaskEnd, TaskResult and TaskRecord
``agent``       ModelCall, ToolCall, Decision and Piece: the audit of an agent
``question``    Question: a request to a person
``breakpoint``  Breakpoint and Hit
``execution``   NewExecution, ExecutionRecord, and the iterations of loops
``words``       the author of a write, and shortened values, in words
"""

from .agent import AnsweredBy, BlockReason, Decision, ModelCall, Piece, RateWindow, ToolCall, ToolStatus, Usage
from .breakpoint import HIT, Breakpoint, BreakpointKind, Hit
from .call import EffectRun, HandlerCall
from .execution import Durability, ExecutionRecord, LoopKey, LoopState, NewExecution
from .frame import Event, Frame, Phase, Problem, RunResult, Severity, Status
from .question import Question
from .task import TaskEnd, TaskRecord, TaskResult, TaskStart, TaskStatus
from .write import Op, Origin, Scope, Write, WriteStatus

__all__ = [
    "HIT",
    "AnsweredBy",
    "BlockReason",
    "Breakpoint",
    "BreakpointKind",
    "Decision",
    "Durability",
    "EffectRun",
    "Event",
    "ExecutionRecord",
    "Frame",
    "HandlerCall",
    "Hit",
    "LoopKey",
    "LoopState",
    "ModelCall",
    "NewExecution",
    "Op",
    "Origin",
    "Phase",
    "Piece",
    "Problem",
    "Question",
    "RateWindow",
    "RunResult",
    "Scope",
    "Severity",
    "Status",
    "TaskEnd",
    "TaskRecord",
    "TaskResult",
    "TaskStart",
    "TaskStatus",
    "ToolCall",
    "ToolStatus",
    "Usage",
    "Write",
    "WriteStatus",
]
