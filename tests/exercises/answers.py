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
    "wrong-key": (
        Answers(
            fix=(("key={lambda to: $key.index(to)}", "key={lambda to: to}"),),
            # New nodes for everyone: the new name gets its card, and all others a second one.
            wrong=(("key={lambda to: $key.index(to)}", 'key={lambda to: f"{len($key)}-{$key.index(to)}"}'),),
            refused="A name that is put in front",
        ),
        Answers(
            fix=(('key="$place"', 'key="guest"'),),
            wrong=(('key="$place"', "key={lambda seat: f\"{seat['$place']}-{seat['guest']}\"}"),),
            refused="Guests who change places",
        ),
    ),
    "remount-by-key": (
        Answers(
            fix=(('key={f"{word}, {len(done)} done"}', "key={word}"),),
            # Those that are done have gone; one that still runs begins again all the same.
            wrong=(("for word in words]", "for word in words if word not in done]"),),
            refused="A word that takes long",
        ),
        Answers(
            fix=(('key={chapter["title"]}', 'key={str(chapter["number"])}'),),
            wrong=(('key={chapter["title"]}', 'key={chapter["title"].lower().strip("!")}'),),
            refused="Chapters may have the same title",
        ),
    ),
    "effect-loop": (
        Answers(
            fix=(("deps={[$key, stats]}", "deps={[$key]}"),),
            wrong=(("deps={[$key, stats]}", "deps={[]}"),),
            refused="A new list is computed",
        ),
        Answers(
            fix=(("deps={[$key, ctx.frame]}", "deps={[$key]}"),),
            wrong=(("deps={[$key, ctx.frame]}", "deps={[]}"),),
            refused="Each new text is saved",
        ),
    ),
    "impure-render": (
        Answers(
            fix=(
                ('$key = ctx.state.get("$key", [])', '$key = sorted(ctx.state.get("$key", []), reverse=True)'),
                ("    $key.sort(reverse=True)\n", ""),
            ),
            wrong=(
                ("    $key.sort(reverse=True)\n", ""),
                ('ctx.state.set("$key", r.output)', 'ctx.state.set("$key", sorted(r.output, reverse=True))'),
            ),
            refused="in the order in which they came",
        ),
        Answers(
            fix=(
                (
                    '    for line in ctx.state.get("$key", []):\n',
                    '    shown = [f"- {line}" for line in ctx.state.get("$key", [])]\n',
                ),
                ('        shown.append(f"- {line}")\n', ""),
            ),
            wrong=(
                (
                    '        shown.append(f"- {line}")\n',
                    '        if f"- {line}" not in shown:\n            shown.append(f"- {line}")\n',
                ),
            ),
            refused="A line that was read twice",
        ),
    ),
    "stale-result": (
        Answers(
            fix=(('<Task id="search" run', "<Task key={query} run"),),
            # A new node in each frame: it searches without end.
            wrong=(('<Task id="search" run', '<Task id={f"search-{ctx.frame}"} run'),),
            refused="The first query is searched for",
        ),
        Answers(
            fix=(("{not opinions and (", "{len(opinions) < 2 and ("),),
            wrong=(("<Parallel>", "<Sequence>"), ("</Parallel>", "</Sequence>")),
            refused="Both opinions are kept when both are fast",
        ),
    ),
    "race-in-parallel": (
        Answers(
            fix=(
                ("        <Parallel>\n            <Task", '        <>\n            <Phase name="measure"><Task'),
                (
                    'on_finished={lambda r: ctx.state.set("$key", r.output)} />',
                    'on_finished={lambda r: ctx.state.set("$key", r.output)} /></Phase>',
                ),
                ('<Task id="label"', '<Phase name="label"><Task id="label"'),
                (
                    'on_finished={lambda r: ctx.state.set("label", r.output)} />\n        </Parallel>',
                    'on_finished={lambda r: ctx.state.set("label", r.output)} /></Phase>\n        </>',
                ),
            ),
            # The label waits until it is there in the next frame, unless the measurement is slow.
            wrong=(('args={[ctx.state.get("$key")]}', 'args={[ctx.state.get("$key", $n)]}'),),
            refused="The label has the value.",
        ),
        Answers(
            fix=(
                (
                    'ctx.state.set("best", result.output)',
                    'ctx.state.update("best", lambda best: min(filter(None, (best, result.output)), key=lambda one: one["price"]))',
                ),
            ),
            wrong=(
                (
                    'ctx.state.set("best", result.output)',
                    'best = ctx.state.get("best")\n'
                    '        if best is None or result.output["price"] < best["price"]:\n'
                    '            ctx.state.set("best", result.output)',
                ),
            ),
            refused="when both come together",
        ),
    ),
    "prompt-without-value": (
        Answers(
            fix=(('ctx.state.get("$wrong", "")', 'ctx.state.get("$key", "")'),),
            wrong=(('ctx.state.get("$wrong", "")', '"1. $fact 2. More is not known."'),),
            refused="whatever they are",
        ),
        Answers(
            fix=(
                ('<Claude id="answer"', '{$key and <Claude id="answer"'),
                (
                    "This page says it: {$key}\n            </Claude>",
                    "This page says it: {$key}\n            </Claude>}",
                ),
            ),
            # A new node once the page is there: it is asked twice, the first time without.
            wrong=(('<Claude id="answer"', "<Claude key={$key}"),),
            refused="never without the page",
        ),
    ),
    "retry-storm": (
        Answers(
            fix=(('return <Task key={f"try {tries}"}', 'return tries < 3 and <Task key={f"try {tries}"}'),),
            wrong=(('ctx.state.set("tries", tries + 1)', 'ctx.state.set("tries", min(tries + 1, 3))'),),
            refused="is called three times; problem",
        ),
        Answers(
            fix=(
                (
                    'until={name in ctx.state.get("amounts", {})}',
                    'until={name in ctx.state.get("amounts", {}) or name in ctx.state.get("refused", [])}',
                ),
            ),
            wrong=(("max_iterations={30}", "max_iterations={3}"),),
            refused="is read once, and refused once",
        ),
    ),
    "approval-bypassed": (
        Answers(
            fix=(("{draft and <Task", '{ctx.state.get("decision") == "$yes" and <Task'),),
            wrong=(("{draft and <Task", '{ctx.state.get("decision") and <Task'),),
            refused='After "$no"',
        ),
        Answers(
            fix=(
                (
                    '<Task id="send" run={$send} args={[ctx.state.get("draft")]} />',
                    '{ctx.state.get("decision") == "$yes" and <Task id="send" run={$send} args={[ctx.state.get("draft")]} />}',
                ),
            ),
            # The question has no decision to wait for any more.
            wrong=(
                (
                    '<Task id="send" run={$send} args={[ctx.state.get("draft")]} />',
                    '{ctx.state.get("decision") != "$no" and <Task id="send" run={$send} args={[ctx.state.get("draft")]} />}',
                ),
                ('<Phase name="send">', "<Parallel>"),
                ("</Phase>\n        </>", "</Parallel>\n        </>"),
            ),
            refused="Nothing is sent before",
        ),
    ),
    "wrong-citation": (
        Answers(
            fix=(("SOURCES[int(number) % len(SOURCES)]", "SOURCES[int(number) - 1]"),),
            wrong=(("SOURCES[int(number) % len(SOURCES)]", "SOURCES[1]"),),
            refused="whichever it is",
        ),
        Answers(
            fix=(("hits[0])", "next((hit for hit in hits if SOURCES[hit] == result.output), None))"),),
            wrong=(("hits[0])", "hits[-1])"),),
            refused="The source is the hit that says the answer",
        ),
    ),
}
