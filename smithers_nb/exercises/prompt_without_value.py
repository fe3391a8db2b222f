"""The prompt that lacks a value: an agent is asked too early, or with the wrong key."""

from __future__ import annotations

from ..agents.scripted import scripted
from ..records.words import count
from .exercise import Check, Exercise, Variant
from .trial import CellTrial, unless

# ---- another key -----------------------------------------------------------------------------------------------

OTHER_KEY = """
researcher = scripted("1. $fact 2. More is not known.")
writer = scripted(lambda prompt: f"A text of: {prompt}")

@component
def Write(ctx):
    notes = ctx.state.get("$wrong", "")

    return (
        <>
            <Phase name="research">
                <Claude id="research" model={researcher} on_finished={lambda r: ctx.state.set("$key", r.output)}>
                    Collect facts on $topic.
                </Claude>
            </Phase>
            <Phase name="write">
                <Claude id="write" model={writer} on_finished={lambda r: ctx.state.set("text", r.output)}>
                    Write about $topic. Use these facts only: {notes}
                </Claude>
            </Phase>
        </>
    )
"""


def _prompts(trial: CellTrial, facts: str) -> list[str]:
    """Return the prompts that the writer is asked, after a researcher has said facts."""
    writer = scripted("A text.")
    with trial.execution({"researcher": scripted(facts), "writer": writer}) as ex:
        ex.run_sync()
    return writer.calls


# Facts of the check's own: those of the cell may be written into the prompt.
def _has_facts(trial: CellTrial) -> str | None:
    for facts in ("It is 4,000 years old.", "Nobody knows; see page 12."):
        prompts = _prompts(trial, facts)
        if not any(facts in prompt for prompt in prompts):
            return f"the researcher says {facts!r}, and the writer is asked {prompts}"
    return None


def _asked_once(trial: CellTrial) -> str | None:
    prompts = _prompts(trial, "It is blue.")
    return unless(len(prompts) == 1, f"the writer is asked {len(prompts)} times")


def _kept(trial: CellTrial) -> str | None:
    with trial.execution({"researcher": scripted("It hums."), "writer": scripted("The text.")}) as ex:
        ex.run_sync()
        found = (ex.state.get(trial.word("key")), ex.state.get("text"))
    return unless(found == ("It hums.", "The text."), f"{trial.word('key')} and text are {found}")


# ---- too early -------------------------------------------------------------------------------------------------

TOO_EARLY = """
reader = scripted("$fact")
answerer = scripted(lambda prompt: f"An answer to: {prompt}")

@component
def Answer(ctx):
    $key = ctx.state.get("$key", "")

    return (
        <>
            <Claude id="read" model={reader} on_finished={lambda r: ctx.state.set("$key", r.output)}>
                Which page says something on $topic?
            </Claude>
            <Claude id="answer" model={answerer} on_finished={lambda r: ctx.state.set("answer", r.output)}>
                Tell a child about $topic. This page says it: {$key}
            </Claude>
        </>
    )
"""


def _asked(trial: CellTrial, page: str) -> tuple[list[str], object]:
    """Return the prompts of the answerer, and its answer, after a reader has found a page."""
    answerer = scripted(lambda prompt: f"<{prompt}>")
    with trial.execution({"reader": scripted(page), "answerer": answerer}) as ex:
        ex.run_sync()
        return answerer.calls, ex.state.get("answer")


# The last prompt: an agent that is asked twice may have had the page once.
def _has_page(trial: CellTrial) -> str | None:
    for page in ("Page 7: it is hollow.", "Page 31: it sings at night."):
        prompts, answer = _asked(trial, page)
        if not prompts or page not in prompts[-1] or page not in str(answer):
            return f"the reader says {page!r}, and the last prompt of the answerer is {prompts[-1:]}"
    return None


# A question without the page is paid for, and its answer may come last.
def _only_with_page(trial: CellTrial) -> str | None:
    page = "Page 2: it floats."
    prompts, _ = _asked(trial, page)
    without = [prompt for prompt in prompts if page not in prompt]
    if without or len(prompts) != 1:
        return f"the answerer has {count(len(prompts), 'prompt')}, {len(without)} of them without the page"
    return None


HINT = (
    'prompt_without_value.transcript("$asked") has the prompt as the model got it, and "%smithers why '
    'prompt_without_value $asked.prompt" tells since when it says what it says, and why.'
)

PROMPT_WITHOUT_VALUE = Exercise(
    name="prompt-without-value",
    title="the prompt that lacks a value",
    variants=(
        Variant(
            app="Write",
            task="A researcher collects facts, and a writer should use these and no other ones. The text has none of "
            'the facts. Mend the cell; the facts stay in "$key".',
            cell=OTHER_KEY,
            hint=HINT,
            checks=(
                Check("The prompt of the writer has the facts of the researcher, whatever they are.", _has_facts),
                Check("The writer is asked once.", _asked_once),
                Check("$key has the facts, and text has the text.", _kept),
            ),
            themes=(
                {"key": "facts", "wrong": "notes", "topic": "tides", "fact": "The moon pulls.", "asked": "write"},
                {"key": "notes", "wrong": "note", "topic": "owls", "fact": "Owls turn their heads.", "asked": "write"},
                {"key": "findings", "wrong": "found", "topic": "bees", "fact": "Bees dance.", "asked": "write"},
            ),
        ),
        Variant(
            app="Answer",
            task="A reader finds a page, and the answerer is to tell what it says. The answer has nothing of the page. "
            "Mend the cell so that the answerer is asked once, with the page.",
            cell=TOO_EARLY,
            hint=HINT,
            checks=(
                Check("The answer is made of the page that the reader has found.", _has_page),
                Check("The answerer is asked once, and never without the page.", _only_with_page),
            ),
            themes=(
                {"key": "page", "topic": "volcanoes", "fact": "Page 4: they breathe.", "asked": "answer"},
                {"key": "passage", "topic": "glaciers", "fact": "Page 9: they walk.", "asked": "answer"},
                {"key": "source", "topic": "deserts", "fact": "Page 1: they are cold at night.", "asked": "answer"},
            ),
        ),
    ),
)
