"""The wrong citation: an answer names a source that does not say it."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..agents.scripted import scripted
from .exercise import Check, Exercise, Variant
from .trial import CellTrial, unless

# ---- counted from one, and from zero ---------------------------------------------------------------------------

COUNTED = """
SOURCES = [
    {"title": "$one", "text": "$fact_one"},
    {"title": "$two", "text": "$fact_two"},
    {"title": "$three", "text": "$fact_three"},
]
# The model answers with the number of the source in brackets.
librarian = scripted(lambda prompt: "$fact_two [2]")

@component
def Cite(ctx):
    listed = "\\n".join(f"[{number}] {source['text']}" for number, source in enumerate(SOURCES, 1))

    def answered(result):
        text, _, number = result.output.rstrip("]").rpartition("[")
        ctx.state.set("answer", text.strip())
        ctx.state.set("source", SOURCES[int(number) % len(SOURCES)]["title"])

    return (
        <Claude id="ask" model={librarian} on_finished={answered}>
            Answer with one of these, and its number in brackets.
            {listed}
        </Claude>
    )
"""


def _says(text: str) -> Callable[[str], str]:
    """Return a model that answers with a text, and the number under which the prompt has it."""

    def answer(prompt: str) -> str:
        found = re.search(rf"\[(\d+)\] {re.escape(text)}", prompt)
        # 0 is no number of a source: the answer then has a citation that can't be right.
        number = 0
        if found is not None:
            number = int(found[1])
        return f"{text} [{number}]"

    return answer


def _cited(trial: CellTrial, titles: list[str], place: int) -> str | None:
    """Let the model answer with the text of one source: the answer has that text, and that source."""
    sources = [{"title": title, "text": f"The text of {title}."} for title in titles]
    text = sources[place]["text"]
    librarian = scripted(_says(text))
    with trial.execution({"SOURCES": sources, "librarian": librarian}) as ex:
        ex.run_sync()
        found = (ex.state.get("answer"), ex.state.get("source"))
    if not librarian.calls or any(source["text"] not in librarian.calls[0] for source in sources):
        return f"the prompts of the model, which should have all sources, are {librarian.calls}"
    if found == (text, titles[place]):
        return None
    return f"for {text!r}, which is in {titles[place]!r}, answer and source are {found}"


# Every place: an edit that is right for the source of the cell need not be for the others.
def _cited_each(trial: CellTrial) -> str | None:
    titles = ["A", "B", "C", "D"]
    return next((found for place in range(4) if (found := _cited(trial, titles, place))), None)


def _cited_only_one(trial: CellTrial) -> str | None:
    return _cited(trial, ["The only book"], 0)


# ---- the first hit ---------------------------------------------------------------------------------------------

FIRST_HIT = """
SOURCES = {
    "$one": "$fact_one",
    "$two": "$fact_two",
    "$three": "$fact_three",
}
librarian = scripted("$fact_three")

def search():
    return list(SOURCES)

@component
def Cite(ctx):
    hits = ctx.state.get("hits", [])

    def answered(result):
        ctx.state.set("answer", result.output)
        ctx.state.set("source", hits[0])

    return (
        <>
            <Phase name="search">
                <Task id="search" run={search} on_finished={lambda r: ctx.state.set("hits", r.output)} />
            </Phase>
            <Phase name="answer">
                <Claude id="ask" model={librarian} on_finished={answered}>
                    Quote one of these, word for word.
                    {"\\n".join(SOURCES[hit] for hit in hits)}
                </Claude>
            </Phase>
        </>
    )
"""


def _quoted(trial: CellTrial, order: list[str], quote: str, source: object) -> str | None:
    """Let the model quote a text, with hits in some order: the source is the one that says it."""
    sources = {title: f"Said in {title}." for title in ("A", "B", "C")}
    librarian = scripted(quote)
    given = {"SOURCES": sources, "librarian": librarian, "search": lambda: list(order)}
    with trial.execution(given) as ex:
        ex.run_sync()
        found = (ex.state.get("answer"), ex.state.get("source"))
    if not librarian.calls or any(sources[title] not in librarian.calls[0] for title in order):
        return f"the prompts of the model, which should have all hits, are {librarian.calls}"
    return unless(found == (quote, source), f"for {quote!r} and the hits {order}, answer and source are {found}")


def _quoted_each(trial: CellTrial) -> str | None:
    return next(
        (found for title in "ABC" if (found := _quoted(trial, ["B", "C", "A"], f"Said in {title}.", title))), None
    )


# A citation is a claim: where nothing supports it, none is better than a wrong one.
def _invented(trial: CellTrial) -> str | None:
    return _quoted(trial, ["C", "A"], "Said by nobody.", None)


BOOKS = (
    {
        "one": "On tides",
        "two": "On moons",
        "three": "On winds",
        "fact_one": "Tides come twice a day.",
        "fact_two": "The moon pulls.",
        "fact_three": "Winds turn.",
    },
    {
        "one": "Bees",
        "two": "Wasps",
        "three": "Ants",
        "fact_one": "Bees dance.",
        "fact_two": "Wasps make paper.",
        "fact_three": "Ants keep cattle.",
    },
    {
        "one": "Rome",
        "two": "Oslo",
        "three": "Kyoto",
        "fact_one": "Rome has hills.",
        "fact_two": "Oslo has a fjord.",
        "fact_three": "Kyoto has gardens.",
    },
)

WRONG_CITATION = Exercise(
    name="wrong-citation",
    title="the source that does not say it",
    variants=(
        Variant(
            app="Cite",
            task='A model answers from sources, with the number of the one that it has used. "source" should be the '
            "title of that one. It is another one. Mend the cell.",
            cell=COUNTED,
            hint='"%smithers follow wrong_citation answer" leads from the answer to the prompt. Which number has its '
            "source there, and which one in SOURCES?",
            checks=(
                Check("The source is the one that says the answer, whichever it is.", _cited_each),
                Check("A single source is cited, too.", _cited_only_one),
            ),
            themes=BOOKS,
        ),
        Variant(
            app="Cite",
            task='A model quotes one of the hits of a search. "source" should be the title of the hit that it has '
            "quoted, and None if none of them says it. It is the first hit, always. Mend the cell.",
            cell=FIRST_HIT,
            hint="Compare the answer in wrong_citation.state with the texts in SOURCES. What of the result does the "
            "handler use for the source?",
            checks=(
                Check("The source is the hit that says the answer, in whatever order they come.", _quoted_each),
                Check("An answer that no hit says has the source None.", _invented),
            ),
            themes=BOOKS,
        ),
    ),
)
