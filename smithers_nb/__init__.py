"""Agent workflows that you can see: a ``%%smithers`` cell, a frame loop, and a stepper, on one SQLite file.

Everything that is public is here, and is imported when it is first used. ``%load_ext smithers_nb`` brings the magics
and these names into a notebook.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors
from .version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .agents.dbos import DbosRunner
    from .agents.scripted import call_tool, scripted
    from .classroom import classroom
    from .execution import Execution
    from .nodes.control import Case, Default, Each, End, If, Ralph, Stop, Switch, While
    from .nodes.effect import Effect
    from .nodes.element import Fragment, component
    from .nodes.parts import Audio, Document, Image, Video
    from .nodes.runnable import Agent, Approval, Claude, Smithers, Task
    from .nodes.structure import Parallel, Phase, Sequence, Step, Text
    from .notebook.stepper import Stepper
    from .recording import Store
    from .records import DELETED, Frame, RunResult
    from .sweeps.fresh import sweep
    from .syntax.create import jsx

__all__ = [
    "DELETED",
    "Agent",
    "Approval",
    "Audio",
    "Case",
    "Claude",
    "DbosRunner",
    "Default",
    "Document",
    "Each",
    "Effect",
    "End",
    "Execution",
    "Fragment",
    "Frame",
    "If",
    "Image",
    "Parallel",
    "Phase",
    "Ralph",
    "RunResult",
    "Sequence",
    "Smithers",
    "Step",
    "Stepper",
    "Stop",
    "Store",
    "Switch",
    "Task",
    "Text",
    "Video",
    "While",
    "__version__",
    "call_tool",
    "classroom",
    "component",
    "errors",
    "jsx",
    "scripted",
    "sweep",
]

_HOMES = {
    "smithers_nb.agents.dbos": ("DbosRunner",),
    "smithers_nb.agents.scripted": ("call_tool", "scripted"),
    "smithers_nb.classroom": ("classroom",),
    "smithers_nb.execution": ("Execution",),
    "smithers_nb.sweeps.fresh": ("sweep",),
    "smithers_nb.syntax.create": ("jsx",),
    "smithers_nb.nodes.control": ("Case", "Default", "Each", "End", "If", "Ralph", "Stop", "Switch", "While"),
    "smithers_nb.nodes.effect": ("Effect",),
    "smithers_nb.nodes.element": ("Fragment", "component"),
    "smithers_nb.nodes.parts": ("Audio", "Document", "Image", "Video"),
    "smithers_nb.nodes.runnable": ("Agent", "Approval", "Claude", "Smithers", "Task"),
    "smithers_nb.nodes.structure": ("Parallel", "Phase", "Sequence", "Step", "Text"),
    "smithers_nb.notebook.stepper": ("Stepper",),
    "smithers_nb.records": ("DELETED", "Frame", "RunResult"),
    "smithers_nb.recording": ("Store",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%smithers``, and put the public names into the notebook."""
    from .notebook.magics import load

    load(shell, {name: __getattr__(name) for names in _HOMES.values() for name in names} | {"errors": errors})
