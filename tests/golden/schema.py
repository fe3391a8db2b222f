"""Print the protocol as one JSON schema: ``make widget`` makes ``widgets/src/model/protocol.gen.ts`` from it."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import TypedDict

from smithers_nb.commands import COMMANDS
from smithers_nb.history.panes import protocol as p
from smithers_nb.notebook import messages as m
from smithers_nb.records import BreakpointKind

PaneData = TypedDict("PaneData", p.PANES)  # type: ignore[misc]  # the keys are the panes' names

ToBrowser = tuple[PaneData, p.Summary, p.Reply, p.Replies, p.Ack, p.Done, p.Pong]

CONSTANTS = {
    "PROTOCOL": p.PROTOCOL,
    "MOVES": [name for name, command in COMMANDS.items() if command.effect == "moves"],
    "FIRST_NODES": p.FIRST_NODES,
    "TAKEN": p.TAKEN,
    "VERSIONED": p.VERSIONED,
    "APART": p.APART,
    "PANES": get_args(p.PaneName),
    "BREAKPOINT_KINDS": get_args(BreakpointKind),
}
"""The constants that both sides need."""


class _Untitled(GenerateJsonSchema):
    """A schema whose fields have no title: the generator would make a type of each that has one."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """Return the schema: the types by name under ``definitions``, the constants under ``constants``."""
    to_browser = TypeAdapter(ToBrowser, config=ConfigDict(use_attribute_docstrings=True))
    roots, types = TypeAdapter.json_schemas(
        [
            ("ToBrowser", "serialization", to_browser),
            ("Command", "validation", TypeAdapter(m.AnyCommand)),
            ("Outgoing", "validation", m.incoming),
        ],
        ref_template="#/definitions/{model}",
        schema_generator=_Untitled,
    )
    unions = {name: roots[name, "validation"] for name in ("Command", "Outgoing")}
    return {"definitions": {**types["$defs"], **unions}, "constants": CONSTANTS}


if __name__ == "__main__":
    print(json.dumps(schema()))
