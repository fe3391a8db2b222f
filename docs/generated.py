"""The pages of the reference that are made from the package: its names, its errors and its tables."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import smithers_nb
from smithers_nb import errors

GROUPS = {
    "The run": ["Execution", "Store", "Stepper", "sweep", "classroom", "DbosRunner", "Frame", "RunResult", "DELETED"],
    "Components": ["component", "Fragment", "jsx", "Text"],
    "Structure": ["Phase", "Step", "Sequence", "Parallel"],
    "Control flow": ["If", "Switch", "Case", "Default", "Each", "While", "Ralph", "Stop", "End"],
    "Nodes that run": ["Claude", "Agent", "Task", "Approval", "Smithers", "Effect"],
    "Parts of a prompt": ["Image", "Document", "Audio", "Video"],
    "Models without a key": ["scripted", "call_tool"],
}
"""All public names but ``errors`` and ``__version__``; a test compares it with ``smithers_nb.__all__``."""

WHAT_TO_DO = {
    "SmithersError": "Catch it to catch all of them; `.path`, `.node_id`, `.frame` and `.source` say where.",
    "PlanError": "The plan of this frame could not be made. Mend the component; `ex.swap(app)` or `--keep` continues.",
    "UnknownTagError": "Write the tag that the message proposes, or import the component in this cell.",
    "PropError": "Compare with the props of the node in [the API](api.md); the message has the nearest name.",
    "EventPropError": "Handlers are `on_finished`, `on_error` and `on_progress`; nothing else is ever called.",
    "DuplicateIdError": "Give items of a list a `key` in place of an `id`, or put the key into the id.",
    "DuplicateKeyError": "Make the key of what identifies the item, not of what two items share.",
    "MissingKeyError": 'Name the field that identifies an item: `key="id"`, or a function of the item.',
    "PurityError": "Rendering may run again at any time. Move the action into a handler, an `Effect` or a `Task`.",
    "RenderWriteError": "Move the write into `on_finished` or an `Effect`; for a first value, `ctx.state.init(…)`.",
    "RenderTaskError": "Put the call into a `Task`, and read its result from the state.",
    "RenderMutationError": "Make a new value (`[*old, item]`), and set it in a handler.",
    "RunError": "Your own code raised. `ex.why_not(…)` tells what this keeps from happening.",
    "ComponentError": "The frame before still stands. Mend the component, `ex.swap(app)`, and step again.",
    "HandlerError": "None of the handler's writes was applied. Mend it, then `ex.handle_again(id)` or `ex.retry(id)`.",
    "EffectError": "Mend the effect; the writes that it had queued were not applied.",
    "EffectLoopError": "An effect changes what it depends on. Write another key, or take it from the `deps`.",
    "StalledError": "The plan comes round to the same state. Ask `ex.why()` which write repeats.",
    "RepeatRefusedError": 'A branch would do this a second time. If it should: `fork(…, allow_repeat=["its id"])`.',
    "UserCodeError": "The message quotes your error; the traceback begins in your code.",
    "StoreError": "The message names the file, the row or the value, and the nearest that there is.",
    "NotStorableError": "Use JSON, a pydantic model or a dataclass, or keep the object in `ctx.vol`.",
    "ExecutionOwnedError": "Another process writes: close it there, wait until `.until`, or only read (`store.open`).",
    "UnknownExecutionError": "`store.executions()` lists the names in the file.",
    "SchemaVersionError": "A newer release has written the file. Update smithers_nb.",
    "EngineVersionError": "Update smithers_nb, or run the app as a new execution.",
    "StoreBusyError": "Another program holds the file locked. End its transaction, and step again.",
    "StoreDamagedError": "`store.check()` says what is damaged. Take a copy of the file before anything else.",
    "SweepError": "Nothing has run. The message names each key, model or prop that nothing knows.",
    "AgentError": "The agent could not run; its `on_error` is given the reason.",
    "AgentConfigError": "Install the provider's extra, set its key, or correct the model's name.",
    "BudgetExceededError": "Raise the limit, or handle `on_error`; all that was said so far is in the file.",
    "ReplayMismatchError": "The code asks something else than was recorded; the message has the first difference.",
    "ApprovalError": "`ex.df.approvals` has the open questions and their options.",
    "AppChangedWarning": "Meant: nothing to do. Not meant: resume with the code that the execution began with.",
    "NewerExportWarning": "Update smithers_nb to see all of the exported run.",
}
"""What a reader of the reference does about an error. The messages themselves are more exact; a test asks for each."""


def write_reference(folder: Path) -> None:
    """Write the three pages; an unchanged page keeps its time."""
    pages = {"api.md": api(), "errors.md": errors_page(), "tables.md": tables()}
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def api() -> str:
    """Return the page of the public names: autodoc takes their docstrings."""
    parts = [
        "# Public names",
        "Everything that is public is in `smithers_nb`; `%load_ext smithers_nb` puts it into a notebook.",
    ]
    for group, names in GROUPS.items():
        parts.append(f"## {group}")
        parts += [_directive(name) for name in names]
    return "\n\n".join(parts) + "\n"


def _directive(name: str) -> str:
    value = getattr(smithers_nb, name)
    kind, options = "autofunction", ""
    if inspect.isclass(value):
        kind, options = "autoclass", "\n   :members:"
    if not callable(value):
        kind = "autodata"
    return f"```{{eval-rst}}\n.. {kind}:: smithers_nb.{name}{options}\n```"


def errors_page() -> str:
    """Return the page of the errors."""
    parts = [
        "# Errors",
        "All are in `smithers_nb.errors`. A message says what happened, why, and what to do.",
        "```text",
    ]
    tree = inspect.getdoc(errors) or ""
    parts[-1] += "\n" + tree[tree.index("SmithersError") : tree.index("Errors in the JSX")].strip() + "\n```"
    for name in errors.__all__:
        first = (inspect.getdoc(getattr(errors, name)) or "").split("\n\n")[0].replace("\n", " ")
        parts.append(f"## {name}\n\n{first.replace('``', '`')}\n\n**What to do.** {WHAT_TO_DO[name]}")
    return "\n\n".join(parts) + "\n"


def tables() -> str:
    """Return the page of the tables: each with its comment and its statement in the schema."""
    schema = (Path(smithers_nb.__file__).parent / "store" / "schema.sql").read_text(encoding="utf-8")
    parts = [
        "# Tables",
        "One SQLite file holds everything. `ex.df.NAME` is a table of one execution, `store.df.NAME` of all, "
        'and `store.sql("select …")` any query. `JSON TEXT` is decoded in DataFrames, `TIME TEXT` is ISO 8601 in UTC. '
        "A row of a history holds from `from_frame` up to, not including, `to_frame`.",
    ]
    for found in re.finditer(r"((?:^--[^\n]*\n)*)^CREATE TABLE (\w+) \(.*?^\)[^;]*;", schema, re.MULTILINE | re.DOTALL):
        comment, name = found[1], found[2]
        statement = found[0].removeprefix(comment)
        words = " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
        parts.append(f"## {name}\n\n{words}\n\n```sql\n{statement}\n```".replace("\n\n\n\n", "\n\n"))
    return "\n\n".join(parts) + "\n"
