"""Tasks as one JSON text, for a runner whose work is done in another process.

A tool, or another part that is no JSON, goes as ``module:name`` if the name leads back to it. Otherwise it is refused,
or its code is sent where the runner allows it (``send_code``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from pydantic import __version__ as pydantic_version

from ..errors import AgentConfigError, said, whose
from ..nodes.element import Element
from ..values import Stored, Unstorable, encode, opened

if TYPE_CHECKING:
    from .runner import AgentTask, ExecutionTask, FarTask, FunctionTask

FORMAT = 1
"""The number of this format. Both sides name it: a worker of a different one takes no task of this one."""
Sent = Any  # Any: ``module:name``, an object with a pickle, or None
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PYDANTIC = ".".join(pydantic_version.split(".")[:2])


# ---- references ------------------------------------------------------------------------------------------------


def resolve(reference: str) -> Any:  # Any: whatever has that name
    """Return what ``module:name`` names.

    Raises:
        ImportError, AttributeError, ValueError: if there is no such thing.

    >>> resolve("json:JSONDecoder.decode") is json.JSONDecoder.decode
    True
    """
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise ValueError(f"{reference!r} is no reference: it is written module:name, as in 'research.agents:writer'")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def reference(thing: object) -> str | None:
    """Return the ``module:name`` that leads back to a thing; None if none does.

    >>> reference(json.dumps), reference(list[int]), reference("text".upper), reference(lambda: 1)
    ('json:dumps', None, None, None)
    """
    # A component is named like its function, in whose place it stands.
    named = thing if hasattr(thing, "__qualname__") else getattr(thing, "__wrapped__", thing)
    module, name = getattr(named, "__module__", None), getattr(named, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    try:
        # list[int] names list, and a bound method its function: only what comes back is what the worker would get.
        found = resolve(f"{module}:{name}")
    except (ImportError, AttributeError, ValueError):
        return None
    return f"{module}:{name}" if found is thing else None


def code_of(module: str) -> str | None:
    """Return a hash of a module's source; None for a library's, and for one that has no file."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not file.endswith(".py") or whose(file) is not None:
        return None
    try:
        return _hash_of(file, Path(file).stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _hash_of(file: str, _changed: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]


# ---- tasks to JSON ---------------------------------------------------------------------------------------------


def to_json(task: FarTask, *, send_code: bool = False, strict_code: bool = False) -> str:
    """Return a task for another process; ``strict_code`` lets it refuse one whose modules are not the same there.

    Raises:
        AgentConfigError: naming the part that can't leave this process, and what to do.
    """
    from .runner import AgentTask, ExecutionTask

    kind: str
    if isinstance(task, ExecutionTask):
        kind, body = "execution", execution_as_dict(task, send_code)
    elif isinstance(task, AgentTask):
        if task.cache:
            raise stays(task, "cache=True", "leave it out: the answers are in a file that workers can't read")
        kind, body = "agent", agent_as_dict(task, send_code)
    else:
        kind, body = "function", function_as_dict(task, send_code)
    sent = {"format": FORMAT, "kind": kind, "task": body, "code": _code(body), "strict_code": strict_code}
    return json.dumps(sent, ensure_ascii=False)


def agent_as_dict(task: AgentTask, send_code: bool = False) -> dict[str, Any]:  # Any: JSON
    """Return an agent's task as what JSON can hold.

    Raises:
        AgentConfigError: naming the part that can't leave this process, and what to do.
    """
    from .runner import Local

    local = task.local
    if local.parts is not None:
        raise stays(task, "an image or another file of the prompt", "give a tool that reads it")
    if local.history is not None:
        raise stays(task, "history", "name the node whose conversation it is")
    deps = None if local.deps is None else _stored(task, "deps", local.deps)
    if local.agent is not None and local.reference is None:
        raise stays(task, "agent", "name it by where it is, Agent(agent='module:variable')")
    parts = {
        "model": _model(task, local.model, send_code),
        "agent": local.reference,
        "tools": [_sent(task, f"tool {_named(tool)}", tool, send_code) for tool in local.tools],
        "output_type": _sent(task, "output_type", local.output_type, send_code),
        "approve": _sent(task, "approve", local.approve, send_code),
        "system": _sent(task, "system", local.system, send_code),
        "deps": deps,
    }
    try:
        json.dumps(task.settings)
    except TypeError as why:
        raise stays(task, "settings", f"make them JSON ({why})") from None
    return {**asdict(replace(task, local=Local())), "local": parts}


def function_as_dict(task: FunctionTask, send_code: bool = False) -> dict[str, Any]:  # Any: JSON
    """Return the task of a function as what JSON can hold.

    Raises:
        AgentConfigError: naming the part that can't leave this process, and what to do.
    """
    own = {"execution_id": task.execution_id, "task_id": task.task_id, "node_id": task.node_id, "leg": task.leg}
    return {
        **own,
        "source": task.source,
        "timeout_s": task.timeout_s,
        "run": _sent(task, f"run={_named(task.run)}", task.run, send_code),
        "args": _stored(task, "args", task.args),
    }


def execution_as_dict(task: ExecutionTask, send_code: bool = False) -> dict[str, Any]:  # Any: JSON
    """Return a whole execution as what JSON can hold.

    Raises:
        AgentConfigError: naming the part that can't leave this process, and what to do.
    """
    root, until = task.root, task.until
    sent: Sent
    if isinstance(root, Element) and not root.children:
        props = {name: _stored(task, f"the prop {name!r}", value) for name, value in root.props.items()}
        app = _sent(task, f"the app {root.component.name}", root.component, send_code)
        sent = {"component": app, "props": props}
    else:
        sent = {"plan": _sent(task, "the app", root, send_code)}
    return {
        "execution_id": task.execution_id,
        "node_id": task.node_id,
        "root": sent,
        "models": {name: _model(task, model, send_code) for name, model in task.models.items()},
        "until": {"text": until} if isinstance(until, str) else {"function": _sent(task, "until", until, send_code)},
        "options": task.options,
    }


def stays(task: FarTask, what: str, fix: str) -> AgentConfigError:
    """Return the error for a part of a task that can't leave this process."""
    return AgentConfigError(
        f"{what} of {task.node_id} can't leave this process, and its runner is in another one: {fix}, or run the "
        "execution with the runner of this process, which is the default.",
        node_id=task.node_id,
        source=task.source,
    )


def _model(task: FarTask, wanted: object, send_code: bool) -> Sent:
    if isinstance(wanted, str | None):
        return wanted and {"id": wanted}
    if not send_code:
        raise stays(task, "model", "name it by its id, or let the runner send it (send_code=True)")
    return _pickled(task, "model", wanted)


def _sent(task: FarTask, what: str, thing: object, send_code: bool) -> Sent:
    """Return ``module:name`` of something that another process can import, or its code; None for None."""
    if thing is None:
        return None
    name = reference(thing)
    if name is not None:
        return name
    if send_code:
        return _pickled(task, what, thing)
    raise stays(
        task,
        what,
        "define it at the top of a module that can be imported there, or let the runner send its code (send_code=True)",
    )


def _pickled(task: FarTask, what: str, thing: object) -> Sent:
    import cloudpickle  # type: ignore[import-not-found,import-untyped,unused-ignore]  # with the extra only

    try:
        code = cloudpickle.dumps(thing)
    except Exception as error:  # whatever an object raises that can't be pickled
        raise stays(task, what, f"its code can't be sent ({said(error)}), so define it in a module") from error
    return {"pickle": base64.b64encode(code).decode(), "python": PYTHON, "pydantic": PYDANTIC}


def _stored(task: FarTask, what: str, value: object) -> list[str]:
    try:
        found = encode(value)
    except Unstorable as why:
        raise stays(task, what, f"make it JSON or a pydantic model ({why})") from None
    if "__main__" in found.type:
        raise stays(task, what, "define its class in a module that can be imported there")
    return [*found]


def _named(thing: object) -> str:
    return getattr(thing, "__qualname__", None) or f"{thing!r:.60}"


def _code(body: dict[str, Any]) -> dict[str, str]:  # Any: JSON
    """Return the hash of each module that a task names."""
    local = body.get("local", {})
    app = body.get("root", {}).get("component")
    sent = [
        app,
        body.get("run"),
        local.get("agent"),
        local.get("output_type"),
        local.get("approve"),
        local.get("system"),
    ]
    named = {one.partition(":")[0] for one in [*sent, *local.get("tools", [])] if isinstance(one, str)}
    return {module: code for module in sorted(named) if (code := code_of(module)) is not None}


# ---- JSON to tasks ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """A task as it came from another process."""

    task: FarTask
    other_code: list[str] = field(default_factory=list)
    """The modules that are not the same here."""


def from_json(text: str) -> Item:
    """Return the task that was sent, with what its references stand for here.

    Raises:
        AgentConfigError: if it has a different format, needs what can't be imported here, or was pickled by a different
            Python; also if a module is not the same here, where the sender wants it to be.
    """
    sent = json.loads(text)
    if sent.get("format") != FORMAT:
        raise AgentConfigError(
            f"the task has format {sent.get('format')}, and this worker understands format {FORMAT}: use the same "
            "release of smithers_nb on both sides."
        )
    body, where = sent["task"], f"a worker of {sent['task']['node_id']}"
    task = _MAKES[sent["kind"]](body, where)
    other = [module for module, code in sent["code"].items() if code_of(module) != code]
    if other and sent["strict_code"]:
        raise AgentConfigError(
            f"{where} has different code of {', '.join(other)}, and strict_code=True refuses that. Put the same files "
            "on both sides, and restart the worker."
        )
    return Item(task, other)


def _agent(body: dict[str, Any], where: str) -> AgentTask:  # Any: JSON
    from .runner import AgentTask, Local

    local = body.pop("local")
    model = _model_here(local["model"], where)
    agent = _here(local["agent"], where)
    parts = {name: _here(local[name], where) for name in ("output_type", "approve", "system")}
    deps = None
    if local["deps"] is not None:
        deps = _opened(local["deps"], f"deps of {body['node_id']}")
    tools = [_here(tool, where) for tool in local["tools"]]
    here = Local(model=model, agent=agent, reference=local["agent"], tools=tools, deps=deps, **parts)
    try:
        return TypeAdapter(AgentTask).validate_python({**body, "local": here})
    except ValidationError as error:
        raise AgentConfigError(f"the task was written by a different release of smithers_nb: {error}") from error


def _function(body: dict[str, Any], where: str) -> FunctionTask:  # Any: JSON
    from .runner import FunctionTask

    args = _opened(body.pop("args"), f"args of {body['node_id']}")
    return FunctionTask(**{**body, "run": _here(body["run"], where), "args": args})


def _execution(body: dict[str, Any], where: str) -> ExecutionTask:  # Any: JSON
    from .runner import ExecutionTask

    sent, until = body.pop("root"), body.pop("until")
    if "component" in sent:
        component = _here(sent["component"], where)
        props = {name: _opened(stored, f"the prop {name!r}") for name, stored in sent["props"].items()}
        root = replace(component(**props), source=component.source)
    else:
        root = _here(sent["plan"], where)
    models = {name: _model_here(model, where) for name, model in body.pop("models").items()}
    ends = until["text"] if "text" in until else _here(until["function"], where)
    return ExecutionTask(**body, root=root, models=models, until=ends)


def _model_here(sent: Sent, where: str) -> Any:  # Any: as ``Local`` has it
    return sent["id"] if isinstance(sent, dict) and "id" in sent else _here(sent, where)


def _opened(stored: list[str], what: str) -> Any:  # Any: it is the user's
    return opened(Stored(*stored), what, "restart the worker with the same code")


def _here(sent: Sent, where: str) -> Any:  # Any: whatever was sent
    """Return the thing that a reference names here, or the pickled one.

    Raises:
        AgentConfigError: if it can't be made here.
    """
    if sent is None:
        return None
    if isinstance(sent, str):
        try:
            return resolve(sent)
        except Exception as error:  # an import runs the user's module
            raise AgentConfigError(
                f"{where} can't import {sent!r} ({said(error)}). Put the same code on both sides, where the worker "
                "finds it: start it in the folder of the module, or install it there."
            ) from error
    if sent["python"] != PYTHON:
        raise AgentConfigError(
            f"{where} runs Python {PYTHON}, and the code that was sent is of Python {sent['python']}: use the same "
            "minor version on both sides, or define it in a module."
        )
    try:
        return pickle.loads(base64.b64decode(sent["pickle"]))
    except Exception as error:  # unpickling runs the user's code
        raise AgentConfigError(
            f"{where} (pydantic {PYDANTIC}) can't load code that was sent from pydantic {sent['pydantic']}: "
            f"{said(error)}."
        ) from error


_MAKES: dict[str, Callable[[dict[str, Any], str], FarTask]] = {
    "agent": _agent,
    "function": _function,
    "execution": _execution,
}
