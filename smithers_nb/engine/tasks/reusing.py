"""The answers that a branch takes from the file: what it may reuse, which ones it has been given, and the calls that it
may not repeat.
"""

from __future__ import annotations

import json

from ...agents.tool_calls import TOLD
from ...errors import RepeatRefusedError
from ...nodes.runnable import Task
from ...nodes.tree import TreeNode
from ...records import Answer, Question, Repeat, Reuse, ReusedAnswer, TaskCall, TaskMade, TaskWrite, ToolCall
from ...records.question import ORPHAN
from ...store.reader import Reader
from ...store.reuse import Family
from ...threads import called


class Reusing:
    """What a branch and its children reuse, in this process."""

    def __init__(self, path: str, execution_id: str, reuse: Reuse) -> None:
        self.reuse = reuse
        self._path = path
        self._execution_id = execution_id
        self._family: Family | None = None
        # Agents that ask the same at the same time are given different answers: the file says it only afterwards.
        self._taken: set[int | str] = set()

    async def answer(self, same: str, node_id: str) -> ReusedAnswer | None:
        """Return the next recorded answer to a request; None if there is none, or answers are not reused."""
        if "agents" not in self.reuse.kinds:
            return None
        for id in await called(self._known.answers, same, node_id):
            if id not in self._taken:
                self._taken.add(id)
                return await called(self._known.answer, id)
        return None

    async def tool_call(self, reused_id: int, tool_call_id: str) -> ToolCall | None:
        """Return the recorded call of a tool that a reused answer asked for; None if its result is not reused."""
        if "tools" not in self.reuse.kinds:
            return None
        return await called(self._known.tool_call, reused_id, tool_call_id)

    async def decision(self, question: Question) -> Answer | None:
        """Return the answer that people gave to the same question; None if it is not reused."""
        # Whether a task that was cut off runs again is a question about this process, not about the work.
        if "approvals" not in self.reuse.kinds or question.kind == ORPHAN:
            return None
        options = json.dumps(question.options, ensure_ascii=False)
        for found in await called(self._known.decisions, question, options):
            if found.reused_from is not None and found.reused_from not in self._taken:
                self._taken.add(found.reused_from)
                return found
        return None

    async def task(self, node: TreeNode, call: TaskCall) -> TaskMade | None:
        """Return the recorded task whose result a task takes; None if its function is called.

        Raises:
            RepeatRefusedError: if its call was made already, and is not to be repeated.
        """
        task = node.node
        if not isinstance(task, Task):
            return None
        repeat = self._repeat(task.repeat, node.id)
        if repeat == "run" and "tasks" not in self.reuse.kinds:
            return None
        made = await called(self._known.tasks, node.id, call)
        for one in made:
            same = repeat == "recorded" or ("tasks" in self.reuse.kinds and one.call.code_hash == call.code_hash)
            # Without a hash of the code the arguments can't be compared, either.
            known = call.code_hash is not None and one.call.args_hash is not None
            if one.result is not None and known and same and one.id not in self._taken:
                self._taken.add(one.id)
                return one
        if repeat == "refuse" and made:
            raise refused_task(node, made[0].execution, f"task {made[0].id.partition('/')[2]}, {made[0].status}")
        return None

    async def writes(self, task: TaskMade) -> list[TaskWrite]:
        """Return the writes to the state that a recorded task made by itself, in order."""
        return await called(self._known.writes, task)

    async def repeated_tool(self, node: TreeNode, tool: str, given: str, *, repeat: Repeat) -> ToolCall | None:
        """Return the recorded call whose result a call of a tool gets; None if the tool is called.

        Raises:
            RepeatRefusedError: if the call was made already, and is not to be repeated.
        """
        repeat = self._repeat(repeat, tool)
        if repeat == "run":
            return None
        made = await called(self._known.tools, tool, given)
        if repeat == "refuse" and made:
            first = made[0]
            raise RepeatRefusedError(
                f"tool {tool} of {node.id} was not called: {first.execution} has called it already with the same "
                f"arguments (task {first.call.task_id}, {first.call.status}), and its repeat is 'refuse'. "
                f"{_allow(tool)}",
                name=tool,
                node_id=node.id,
                source=node.source,
            )
        for one in made:
            id = f"tool call {one.call.reused_id or one.call.id}"
            if one.call.status in TOLD and id not in self._taken:
                self._taken.add(id)
                return one.call
        return None

    def _repeat(self, repeat: Repeat, name: str) -> Repeat:
        """Return the treatment of a repeated call, unless the fork allowed it."""
        return "run" if self.reuse.allows(name) else repeat

    @property
    def _known(self) -> Family:
        # Only when an answer is wanted: a branch without agents reads nothing.
        if self._family is None:
            self._family = Family(Reader(self._path), self._execution_id)
        return self._family


def refused_task(node: TreeNode, execution: str, made: str) -> RepeatRefusedError:
    """Return the error of a task whose call an execution has made already."""
    return RepeatRefusedError(
        f"task {node.id} was not run: {execution} has run it already with the same arguments ({made}), and it has "
        f"repeat='refuse'. {_allow(node.id)} With repeat='recorded' it takes the recorded "
        "result.",
        name=node.id,
        node_id=node.id,
        source=node.source,
    )


def _allow(name: str) -> str:
    return f"If it is to be done twice, make a branch that may do it: fork(…, allow_repeat=[{name!r}])."
