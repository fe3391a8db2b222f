"""The tool calls of an agent as its conversation hears of them: checked, asked about, made, and ended.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic_ai import ApprovalRequired, CallDeferred, ToolApproved, ToolDenied, ToolFailed

from ..errors import AgentError, BudgetExceededError, UserCodeError, said
from ..records import ToolCall
from ..user_code import awaited, guarded
from .conversation import Conversation
from .inner import Caller, called_by
from .runner import ToolQuestion
from .tool_calls import Asked
from .tool_results import asked_by, end_of, output_of, recalled


class AuditedTools:
    """Each tool call of an agent: what the node and people say about it, and what its function does."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._schemas: dict[str, str] = {}
        """The JSON schemas of the arguments of tools that were called, by name."""

    # ---- before a call -----------------------------------------------------------------------------------------

    def check(self, ctx: Any, call: Any, tool_def: Any, args: Any) -> None:
        """Look whether a person is asked about a call whose arguments are valid.

        Raises:
            ApprovalRequired: if one is.
        """
        policy, id, tool = self._conversation.policy, call.tool_call_id, call.tool_name
        if ctx.tool_call_approved or tool_def.kind == "external":
            return
        if policy.denied(tool) or self._conversation.tools.ended(id):
            return
        self._schemas[tool] = json.dumps(tool_def.parameters_json_schema)
        # With a decision the function in approve= is not called again: it may have effects, or change its mind.
        shown: dict[str, Any] | None = {}
        if decision := policy.decision(id):
            if decision.external:
                return
        else:
            shown = policy.asked_about(tool, args)
        if shown is not None:
            raise ApprovalRequired(shown)

    async def deferred(self, requests: Any) -> Any:
        """Return what is decided about calls that the library can't make by itself.

        Raises:
            ApprovalRequired: ours, if people have still to decide about some.
        """
        questions: list[ToolQuestion] = []
        approvals, calls = {}, {}
        for call in requests.approvals:
            found = await self._approval(call, requests)
            if isinstance(found, ToolQuestion):
                questions.append(found)
            else:
                approvals[call.tool_call_id] = found
        for call in requests.calls:
            found = await self._result_of_another(call, requests)
            if isinstance(found, ToolQuestion):
                questions.append(found)
            else:
                calls[call.tool_call_id] = found
        if questions:
            raise await self._conversation.tools.ask(questions)
        return requests.build_results(approvals=approvals, calls=calls)

    async def _approval(self, call: Any, requests: Any) -> Any:  # Any: the library's word for it, or a question
        policy, asked = self._conversation.policy, asked_by(call)
        if why := policy.denied(asked.tool) or policy.refused(asked.id):
            await self._conversation.tools.never_called(asked, "denied", why)
            return ToolDenied(why)
        if decision := policy.decision(asked.id):
            return ToolApproved(override_args=json.loads(decision.args) if decision.args else None)
        return self._question(asked, requests.metadata.get(asked.id), schema=self._schemas.get(asked.tool))

    async def _result_of_another(self, call: Any, requests: Any) -> Any:  # Any: likewise
        policy, tools, asked = self._conversation.policy, self._conversation.tools, asked_by(call)
        if why := policy.denied(asked.tool):
            await tools.never_called(asked, "denied", why)
            return ToolFailed(why)
        if decision := policy.result_of_another(asked.id):
            try:
                return recalled(await tools.made_elsewhere(asked, decision))
            except ToolFailed as failed:
                return failed
        return self._question(asked, requests.metadata.get(asked.id), external=True)

    def _question(
        self, asked: Asked, shown: dict[str, Any] | None, *, external: bool = False, schema: str | None = None
    ) -> ToolQuestion:
        return ToolQuestion(
            turn=self._conversation.turns.now,
            tool_call_id=asked.id,
            tool=asked.tool,
            input=asked.input,
            shown=shown or {},
            schema=schema,
            external=external,
        )

    # ---- a call ------------------------------------------------------------------------------------------------

    async def execute(self, ctx: Any, call: Any, tool_def: Any, *, args: Any, handler: Callable[..., Any]) -> Any:
        """Return the result of a call: that of its record where there is one, else what its function returns."""
        asked = asked_by(call)
        if past := await self._not_made_here(asked, tool_def):
            return recalled(past)
        conversation, tools = self._conversation, self._conversation.tools
        row = await tools.start(asked)
        if conversation.cassette is not None:
            past = conversation.cassette.tool(row)
            await tools.end(row, past.status, past.output, past.error)
            return recalled(past)
        try:
            with called_by(Caller(conversation, asked.id)), conversation.ledger.in_tool(asked.id):
                result = await awaited(handler(args))
            output = guarded(output_of, asked.tool, result, conversation.task)
        except (ApprovalRequired, CallDeferred) as wants:
            return await self._waits(row, wants, approved=ctx.tool_call_approved)
        except BaseException as error:
            await self._raised(row, error)
            raise
        await tools.end(row, "ok", output)
        return result

    async def _not_made_here(self, asked: Asked, tool_def: Any) -> ToolCall | None:  # Any: pydantic-ai's ToolDefinition
        """Return the record of a call that has ended, is denied or made elsewhere, or that a branch has in the file."""
        policy, tools = self._conversation.policy, self._conversation.tools
        if past := tools.ended(asked.id):
            return past
        if why := policy.denied(asked.tool):
            return await tools.never_called(asked, "denied", why)
        # The function has said that the call is made elsewhere, and may have begun it: it is not called again.
        if decision := policy.result_of_another(asked.id):
            return await tools.made_elsewhere(asked, decision)
        return await tools.reuse(asked, policy.repeat(asked.tool, tool_def.metadata))

    async def _waits(self, row: ToolCall, wants: ApprovalRequired | CallDeferred, *, approved: bool) -> None:
        """Record that a function wants people to decide about its call, or to bring its result.

        Raises:
            ApprovalRequired: the library's, as the function did; likewise CallDeferred.
            AgentError: if it asks for approval although it has it.
        """
        conversation = self._conversation
        if isinstance(wants, ApprovalRequired) and approved:
            await conversation.tools.end(row, "raised", error="it asks for approval although it has it")
            raise self._error(
                row,
                "raised ApprovalRequired although it was approved: let it go on where ctx.tool_call_approved is true.",
            ) from None
        await conversation.tools.end(row, "waiting")
        if not approved:
            raise wants
        # The library asks no second time about a call that was approved: people are asked before the next request.
        asked = Asked(row.tool_call_id, row.tool, row.input)
        conversation.tools.asked_later.append(self._question(asked, wants.metadata, external=True))

    async def _raised(self, row: ToolCall, error: BaseException) -> None:
        """Record what a function raised.

        Raises:
            BudgetExceededError: if an agent that it ran has reached a limit of this one.
            AgentError: for what can't be passed on as it is.
        """
        status, why = end_of(error)
        await self._conversation.tools.end(row, status, error=why)
        if isinstance(error, UserCodeError):
            if isinstance(error.raised, BudgetExceededError):
                raise error.raised from None
            raise self._error(row, f"raised {said(error.raised)}.") from error.raised

    def _error(self, row: ToolCall, words: str) -> AgentError:
        task = self._conversation.task
        return AgentError(f"tool {row.tool} of {task.node_id} {words}", node_id=task.node_id, source=task.source)
