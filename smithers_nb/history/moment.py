"""Records as they stood at a moment: the file has them as they ended, and a cursor before that must not show the end.

These functions undo what came later. They never read: their callers hand in what the file says about the moment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ..records import CallRecord, Excerpt, Phase, QuestionRecord, TaskRecord, WriteRecord
from .cursor import Cursor


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment at which tasks and questions are seen."""

    cursor: Cursor
    until: str | None
    """The time, in ISO 8601; None is now."""
    asking: Collection[str]
    """The ids of the tasks that waited for a person."""

    def task(self, task: TaskRecord) -> TaskRecord:
        """Return a task as it stood, without later records."""
        status = task.status_at(self.until, self.asking)
        if status == task.status and task.ended and task.next_retry_at is None:
            settled = self._settled(task)
            # Most tasks of a long execution ended long ago: a copy of each takes more time than all else.
            return task if settled == task.settled_at_frame else replace(task, settled_at_frame=settled)
        then = replace(task, status=status)
        if then.ended:
            return replace(then, next_retry_at=None, settled_at_frame=self._settled(task))
        then = replace(
            then,
            ended_at=None,
            settled_at_frame=None,
            input_tokens=None,
            output_tokens=None,
            requests=None,
            cost_usd=None,
        )
        if status == "pending":
            then = replace(then, started_at=None)
        if self.until is None:
            return then
        if status != "running" or task.ended_at is not None:
            # The file has the error of the last attempt. Of a running task it belongs to an earlier one, and was known.
            then = replace(then, error=None)
        # The reason and the next attempt are overwritten in the file: of a past moment only a question is known.
        then = replace(then, reason=None, next_retry_at=None)
        if status == "blocked":
            return replace(then, reason="approval")
        if status == "pending":
            return replace(then, attempt=0, tools=0)
        return then

    def questions(self, task_id: str, known: list[QuestionRecord]) -> list[QuestionRecord]:
        """Return the questions of a task that were asked by then, as they stood."""
        if self.until is None:
            return known
        asked = [question for question in known if question.asked_at <= self.until]
        if task_id not in self.asking:
            return asked
        return [self._question(question) for question in asked]

    def _question(self, question: QuestionRecord) -> QuestionRecord:
        if self.until is not None and question.answered_at is not None and question.answered_at < self.until:
            return question
        return replace(question, status="waiting", choice=None, comment=None, answered_at=None)

    def _settled(self, task: TaskRecord) -> int | None:
        """Return the frame that had settled an ended task; None if none had."""
        last = self.cursor.frame
        # FLUSH settles tasks, but for one whose node is gone: that one is settled by its end.
        if task.node_id in self.cursor.tree.index and not self.cursor.live:
            last = self.cursor.newest(Phase.FLUSH)
        if not task.settled_at_frame or task.settled_at_frame > last:
            return None
        return task.settled_at_frame


def unflushed_write(write: WriteRecord, committed: Excerpt | None, fails: bool) -> WriteRecord:
    """Return a recorded write as it was while it waited for FLUSH.

    ``committed`` is the value of its key then; ``fails`` says that FLUSH was to find out that it can't be applied.
    """
    # People decide before FLUSH, and so does the transaction that raises; all other outcomes are FLUSH's own.
    decided = write.status in ("edited", "dropped") or (write.status == "rolled_back" and not fails)
    if decided:
        return replace(write, old=committed)
    if write.op == "update":
        # FLUSH calls the update's function: before, no one knows its value.
        write = replace(write, new=None)
    return replace(write, status="queued", old=committed)


def unflushed_call(found: CallRecord, frame: int, late: Collection[str | None]) -> CallRecord:
    """Return a handler call as it was before the FLUSH of a frame.

    ``late`` has the nodes of whose transactions an update raised, which only that FLUSH found out.
    """
    call = found.call
    if call.frame != frame or call.status != "raised" or call.node_id not in late:
        return found
    return replace(found, call=replace(call, status="ok", error=None))
