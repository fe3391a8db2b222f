"""Nodes that start a task when they have mounted and the plan's order lets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Annotated, Any, ClassVar, Literal, get_origin

from pydantic import AfterValidator, Field

from ..errors import clean, kind_of
from ..records import Repeat
from ..typed import Unstorable, check_declared, return_type
from ..values import storable
from .base import NodeBase
from .given import Count, CountOrNone, InOrder, NoBool, Seconds, Truth


def _tool(value: Any) -> Any:  # Any: it is what the user gave
    known = ("get_tools", "tool_def", "get_native_tools", "unique_id")
    if callable(value) or any(hasattr(value, name) for name in known):
        return value
    raise ValueError("a tool is a function, or a toolset, an MCP server, a native tool or a capability of pydantic-ai")


def _message(value: Any) -> Any:  # Any: it is what the user gave
    if hasattr(value, "parts") and getattr(value, "kind", None) in ("request", "response"):
        return value
    raise ValueError("a history is the id of an agent node, or a list of pydantic-ai's messages (ModelRequest, …)")


Messages = Annotated[list[Annotated[Any, AfterValidator(_message)]], InOrder]
Names = Annotated[list[str], InOrder]
Tools = Annotated[list[Annotated[Any, AfterValidator(_tool)]], InOrder]
Limits = dict[
    Literal["turns", "tokens", "tool_calls", "cost_usd", "seconds"], Annotated[int | float, Field(gt=0), NoBool]
]
ResumeMode = Literal["continue", "restart", "fail"]
# The first that fits counts, as the dict has them: {"send_test": "run", "send_*": "refuse"}.
Repeats = dict[str, Repeat]
"""The treatment of repeated tool calls, by the name of a tool or a pattern."""
Approve = Truth | Names | Callable[[str, dict[str, Any]], Any]
"""True for all tools, names or patterns, or a function of a tool's name and arguments that returns a bool."""


def _output_type(value: Any) -> Any:  # Any: it is what the user gave
    """Return the type of an output unchanged.

    Raises:
        ValueError: if its values could not be stored.
    """
    if why := _no_type(value):
        raise ValueError(why)
    # Refused here and not when the model has replied: by then the reply would have been paid for.
    try:
        for kind in _declared(value):
            check_declared(kind)
    except Unstorable as why:
        raise ValueError(f"the output could not be stored, after it was paid for: {why}") from None
    return value


def _no_type(value: Any) -> str | None:  # Any: it is what the user gave
    """Return why a value is no type of an output, and what to write; None if it may be one."""
    if isinstance(value, list | tuple):
        return next((why for one in value if (why := _no_type(one))), None)
    if isinstance(value, str):
        return f"a text is no type, and what it names is not looked up. Give the type itself, output_type={{{value}}}"
    if isinstance(value, dict):
        return (
            "a dict is no type. Name its fields in a class, as in class City(BaseModel): name: str, and give that "
            "class. For any dict write output_type={dict}, for a JSON schema StructuredDict(…) of pydantic-ai"
        )
    if isinstance(value, set | frozenset):
        return "a set has no order. Of several types give a list, output_type={[City, Country]}; for one, the type"
    if isinstance(value, bool | int | float | bytes) or _is_instance(value):
        kind = type(value).__name__
        return f"this is {kind_of(value)}, and no type. Give the type of the output: output_type={{{kind}}}"
    return None


def _is_instance(value: object) -> bool:
    """Return True for a value of a class that could itself be an output type: a pydantic object or a dataclass."""
    kind = type(value)
    # The wrappers of pydantic-ai, which are dataclasses too, are told by what they wrap.
    wraps = any(hasattr(value, name) for name in ("outputs", "output", "output_function"))
    return not isinstance(value, type) and not wraps and (hasattr(kind, "model_fields") or is_dataclass(value))


def _own_agent(value: Any) -> Any:  # Any: it is what the user gave
    _output_type(getattr(value, "output_type", None))
    return value


def _declared(value: Any) -> Iterator[Any]:  # Any: whatever pydantic-ai takes as an output_type
    """Yield the types in an ``output_type``."""
    # pydantic-ai's wrappers are recognised by their attributes: it must not be imported before
    # an agent runs.
    inner = getattr(value, "outputs", getattr(value, "output", getattr(value, "output_function", None)))
    if isinstance(value, list | tuple):
        for one in value:
            yield from _declared(one)
    elif isinstance(value, type) or get_origin(value) is not None:
        yield value
    elif inner is not None:
        yield from _declared(inner)
    elif callable(value):
        yield return_type(value)


class Claude(NodeBase):
    """An agent: its children are the prompt, its reply is the result's ``output``. Runs on pydantic-ai."""

    type: Literal["claude"] = "claude"
    model: Any = "sonnet"  # Any: pydantic-ai's Model, which must not be imported before it is needed
    """``haiku``, ``sonnet`` or ``opus``; any model id of pydantic-ai, such as ``openai:gpt-5``; a model object of
    pydantic-ai; or ``scripted(…)``."""
    system: str | Callable[..., Any] | None = None  # Any: its text, or an awaitable of it
    """Instructions that come before the prompt: a text, or a function that returns one, sync or async. It is called
    before each request, with pydantic-ai's ``RunContext`` (``.deps``, ``.messages``, ``.run_step`` …) if it takes an
    argument."""
    settings: dict[str, Any] = Field(default={})  # Any: whatever the provider takes
    """Settings of the model, as in pydantic-ai's ``ModelSettings``: ``temperature``, ``max_tokens``, ``thinking``,
    ``stop_sequences`` …, and the provider's own (``anthropic_…``, ``openai_…``). They are checked when the node
    mounts."""
    deps: Any = None  # Any: whatever the tools take
    """The dependencies that the tools and the function in ``system`` get as ``ctx.deps``. They need not be
    storable."""
    history: str | Messages | None = None
    """The conversation that it continues, before its prompt: that of another agent node, by its id, or its own, which
    is that of its last loop iteration or run; or a list of pydantic-ai's messages. A node's is that of its last run
    that succeeded, without its instructions; none where it has not succeeded yet. An id that no node has is told when
    this node mounts."""
    history_limit: Count | None = None
    """The most prompts of it that are taken over, the last ones, each with all that followed it; None for all."""
    tools: Tools = Field(default=[])
    """The tools that the model may call: functions, and toolsets, MCP servers, native tools (``WebSearchTool()``,
    ``CodeExecutionTool()``) and capabilities (``WebSearch()``) of pydantic-ai. A native tool is called by the provider;
    its calls are recorded with the answer that they are part of, and no one can be asked about them first."""
    allow: Names | None = None
    """Names of the tools that may be called, or patterns such as ``read_*``; None for all. A call of any other tool is
    recorded as denied, and the model gets an error as its result. A native tool, whose name is its kind
    (``web_search``, ``code_execution``), is then not offered to the model."""
    deny: Names = Field(default=[])
    """Names or patterns of tools that may not be called, whatever ``allow`` says."""
    approve: Approve = False
    """Tools that a person is asked about before they are called, besides those that require it themselves
    (``requires_approval=True``, ``ApprovalRequired``): names or patterns, True for all, or a function of a tool's name
    and arguments. A dict that this function returns is shown with the question: ``{"diff": …}``. If the person denies
    the call, the model gets that answer and the comment as the tool's result."""
    output_type: Annotated[Any, AfterValidator(_output_type)] = None  # Any: whatever pydantic-ai takes
    """The type of the output; None for text. A reply that does not fit is sent back to the model. Its values must be
    storable: pydantic models, dataclasses, Enums, standard types, and lists, dicts and unions of these."""
    max_turns: Count = 50
    """The most requests that it may make to the model; retries do not count."""
    limits: Limits = Field(default={})
    """More limits of this agent: ``turns``, ``tokens`` (in and out), ``tool_calls``, ``cost_usd``, ``seconds`` (of
    running). They are checked before each request and tool call; when one is reached the agent fails."""
    retries: CountOrNone = 3
    """The number of retries of a request after a failure that may pass: a rate limit, an overloaded or unreachable
    server, a timeout."""
    timeout_s: Seconds | None = None
    """Seconds until it fails; None for as long as it takes. While it waits to try again, or for a person, they do not
    count."""
    repeat: Repeats = Field(default={})
    """The treatment of tool calls in a branch, by name or pattern, the first that fits: ``{"send_*": "refuse"}``. It
    holds for a call that the run which the branch comes from has made already with equal arguments, and whose result
    the branch does not reuse: the tool is called again (``run``), its ``recorded`` result is taken, or the agent fails
    with ``RepeatRefusedError``, and the model hears nothing of it. ``fork(…, allow_repeat=["send_mail"])`` lets it be
    called again. A tool can say so itself, by its metadata: ``{"repeat": "refuse"}``. A replay calls no tools."""
    resume_mode: ResumeMode = "continue"
    """The way an agent that a crash or a stop cut off is resumed: it continues after the recorded calls, starts over,
    or fails."""
    cache: Truth = False
    """True to answer a request from the file if any execution in it has made the same one before: the same model and
    settings, prompt, instructions, tools, output type and limits. Nothing is sent then and nothing paid for. Tools are
    called all the same; their results are part of the next request. Models that are a function of yours are always
    asked, and answers to an agent that failed are not reused."""

    runnable: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True
    private: ClassVar[frozenset[str]] = frozenset({"deps"})


class Agent(NodeBase):
    """An agent that you have made with pydantic-ai: its own model, instructions, tools and output type."""

    type: Literal["agent"] = "agent"
    agent: Annotated[Any, AfterValidator(_own_agent)]  # Any: a pydantic_ai.Agent, which must not be imported yet
    """A ``pydantic_ai.Agent``, or the place of one, ``"module:variable"``, by which workers find it, too."""
    deps: Any = None  # Any: whatever that agent takes
    """The dependencies that its tools and instructions get as ``ctx.deps``. They need not be storable."""
    history: str | Messages | None = None
    """The same as for ``Claude``, like all props that follow."""
    history_limit: Count | None = None
    allow: Names | None = None
    deny: Names = Field(default=[])
    approve: Approve = False
    max_turns: Count = 50
    limits: Limits = Field(default={})
    retries: CountOrNone = 3
    timeout_s: Seconds | None = None
    repeat: Repeats = Field(default={})
    resume_mode: ResumeMode = "continue"
    cache: Truth = False

    runnable: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True
    private: ClassVar[frozenset[str]] = frozenset({"deps"})


AGENTS = (Claude, Agent)
"""The nodes that a runner runs."""
AGENT_TYPES = frozenset(node.model_fields["type"].default for node in AGENTS)
"""The types of the nodes that a runner runs."""


class Task(NodeBase):
    """A Python function as a node: async on the engine's loop, or sync in a thread of its own.

    It is called with ``ctx`` if its signature names it, then with ``args``; its return value is the result's
    ``output``, and must be storable. A task that was running when its process died is run again.

    At most 1,000 sync functions of an execution run together; further ones stay pending. To let fewer run, put them
    into a ``Parallel`` with ``max_concurrency``: functions that compute share one interpreter lock.
    """

    type: Literal["task"] = "task"
    run: Callable[..., Any]
    args: Annotated[list[Any], InOrder] | dict[str, Any] = Field(default=[])
    """Positional arguments as a list, or keyword arguments as a dict."""
    retries: CountOrNone = 0
    """The number of retries after it raised."""
    timeout_s: Seconds | None = None
    """Seconds that one attempt may take; None for as long as it takes."""
    repeat: Repeat = "run"
    """The treatment of its call in a branch, or in a replay with ``tasks="run"``, where the run that it comes from has
    made it already, in this node and with equal ``args``: it is called again, unless the branch reuses tasks; it takes
    the ``recorded`` result of the call that succeeded; or it fails with ``RepeatRefusedError``, for a payment, an order
    or a mail. ``fork(…, allow_repeat=["its id"])`` lets it be called again. What the function closes over is no
    argument: give all that counts as ``args``."""

    runnable: ClassVar[bool] = True
    instead_of_children: ClassVar[str | None] = "Its code is a function: run={…}. Put nodes that follow it behind it."


class Approval(NodeBase):
    """A question to a person, who answers it in the stepper or by ``ex.answer(id, choice)``. It survives a restart.

    The result's ``output`` is the choice, its ``text`` the comment, or the choice if there is none.
    """

    type: Literal["approval"] = "approval"
    prompt: str
    options: Annotated[list[Annotated[str, AfterValidator(clean)]], InOrder] = Field(
        default=["approve", "deny"], min_length=1
    )
    kind: str = "approval"
    """The sort of decision, in a word, to filter questions by."""
    payload: Annotated[Any, AfterValidator(storable)] = None  # Any: anything storable; the matter to decide on

    runnable: ClassVar[bool] = True
    instead_of_children: ClassVar[str | None] = (
        "Its question is a prop: prompt={…}. Put nodes that follow it behind it."
    )


class Smithers(NodeBase):
    """A child execution of a component, with frames of its own, linked to this one by its parent_id.

    The result's ``output`` is the value of the child's ``End``. It is cancelled with its parent.
    """

    type: Literal["smithers"] = "smithers"
    component: Any  # Any: a component; nodes must not import the renderer to check it
    args: dict[str, Any] = Field(default={})
    """The component's props."""
    max_frames: Count = 1000

    runnable: ClassVar[bool] = True
    instead_of_children: ClassVar[str | None] = "Its content is a component: component={…}, with args={…}."
