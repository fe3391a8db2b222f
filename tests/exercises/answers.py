"""Answers to the exercises, by exercise and variant. They are not in the package: learners have that."""

from __future__ import annotations

from typing import NamedTuple

Edit = tuple[str, str]
"""A text of the planted cell, and what stands in its place; with the words of the seat as ``$name``."""


class Answers(NamedTuple):
    """What learners make of a variant."""

    fix: tuple[Edit, ...]
    wrong: tuple[Edit, ...]
    """A plausible edit that mends nothing, or only what the cell itself shows."""
    refused: str
    """A part of a statement that the wrong edit does not meet."""


ANSWERS: dict[str, tuple[Answers, ...]] = {
    "lost-write": (
        Answers(
            fix=(
                (
                    'ctx.state.set("$key", [*ctx.state.get("$key", []), result.text])',
                    'ctx.state.update("$key", lambda old: [*(old or []), result.text])',
                ),
            ),
            wrong=(("<Parallel>", "<Sequence>"), ("</Parallel>", "</Sequence>")),
            refused="Both people are asked at the same time",
        ),
        Answers(
            fix=(
                (
                    'ctx.state.set("$key", total + result.output)',
                    'ctx.state.update("$key", lambda total: (total or 0) + result.output)',
                ),
            ),
            # Read in the handler instead of while rendering: both handlers of a frame still read the same.
            wrong=(("total + result.output)", 'ctx.state.get("$key", 0) + result.output)'),),
            refused="is the sum of both numbers",
        ),
    ),
    "never-fired": (
        Answers(
            fix=(('return PAGES.get(name, f"error: there is no page {name}")', "return PAGES[name]"),),
            wrong=(
                (
                    'lambda r: ctx.state.set("text", r.output)',
                    'lambda r: ctx.state.set("problem" if r.output.startswith("error") else "text", r.output)',
                ),
            ),
            refused="A missing page calls on_error",
        ),
        Answers(
            fix=(
                (
                    "run={read_$one} on_finished={keep} />",
                    "run={read_$one} on_finished={keep} on_error={lambda r: None} />",
                ),
                (
                    "run={read_$two} on_finished={keep} />",
                    "run={read_$two} on_finished={keep} on_error={lambda r: None} />",
                ),
            ),
            # The source that is closed today is left out.
            wrong=(('                <Task id="$two" run={read_$two} on_finished={keep} />\n', ""),),
            refused="With both open",
        ),
    ),
}
