"""The words of the command line: the module of each handler, and the line of the help."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

# Module names as text: importing all handlers for the help would take a second.
WORDS: dict[str, tuple[str, str]] = {
    "run": ("smithers_nb.cli.moving", "Runs an app as a new execution."),
    "resume": ("smithers_nb.cli.moving", "Continues an execution of the file."),
    "list": ("smithers_nb.cli.listing", "Lists the executions of the file, the oldest first, and what each waits for."),
    "show": ("smithers_nb.cli.looking", "Tells how an execution stands, its result, and what it waits for."),
    "tree-at": ("smithers_nb.cli.looking", "Shows the plan of a frame as XML."),
    "state-at": ("smithers_nb.cli.looking", "Lists the state that a frame read."),
    "timeline": ("smithers_nb.cli.looking", "Lists what happened, in order."),
    "why": ("smithers_nb.cli.looking", "Tells why a node, value, handler call, frame or the execution is as it is."),
    "why-not": ("smithers_nb.cli.looking", "Tells what keeps a node, task, handler, write or frame from being there."),
    "needs": (
        "smithers_nb.cli.looking",
        "Tells the smallest edit of the state after which a node or component is in the plan.",
    ),
    "follow": ("smithers_nb.cli.looking", "Tells where a text or value came from, and all that holds it."),
    "diff": (
        "smithers_nb.cli.looking",
        "Lists the nodes that mounted, unmounted, changed or moved from one frame to another.",
    ),
    "compare": ("smithers_nb.cli.looking", "Lists the differences of two executions."),
    "errors": ("smithers_nb.cli.looking", "Lists the problems, the failed tasks and the handlers that raised."),
    "tasks": ("smithers_nb.cli.looking", "Lists the tasks."),
    "transcript": ("smithers_nb.cli.looking", "Shows the conversation of an agent with its model."),
    "approvals": ("smithers_nb.cli.looking", "Lists the questions to people, and their answers."),
    "answer": ("smithers_nb.cli.steering", "Answers an approval."),
    "cancel": ("smithers_nb.cli.steering", "Ends the task of a node."),
    "retry": ("smithers_nb.cli.steering", "Runs the task of a node again."),
    "set-state": ("smithers_nb.cli.steering", "Sets a key of the state to a value."),
    "fork": ("smithers_nb.cli.steering", "Makes a branch that begins after a frame."),
    "export": ("smithers_nb.cli.looking", "Writes an execution to a file."),
    "check": ("smithers_nb.cli.looking", "Checks the file against the rules that the store keeps."),
    "merge": ("smithers_nb.cli.looking", "Adds the executions of a second file to the file."),
    "prune": ("smithers_nb.cli.looking", "Removes history for good."),
    "sql": ("smithers_nb.cli.looking", "Queries the file, read-only."),
    "worker": ("smithers_nb.cli.workers", "Takes tasks of agents and functions from a queue and runs them."),
    "workers": ("smithers_nb.cli.workers", "Lists the workers."),
    "mcp": ("smithers_nb.mcp.server", "Serves the records of a file to a coding agent."),
    "version": ("smithers_nb.cli.listing", "Shows the version."),
}
"""The words in the order of the help, each with the beginning of its handler's docstring."""


def handler_of(word: str) -> Callable[..., int]:
    """Return the handler of a word: a function of its module, with underscores for dashes, or of the registry."""
    module, _ = WORDS[word]
    found: Callable[..., int] = import_module(module).HANDLERS[word]
    return found
