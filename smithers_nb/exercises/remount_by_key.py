"""The remount by key: a key that changes with the state makes another node of the same work, which begins again."""

from __future__ import annotations

from collections import Counter
from threading import Event
from typing import Any

from .exercise import Check, Exercise, Variant
from .trial import WAIT_S, CellTrial

# ---- a key with a count ----------------------------------------------------------------------------------------

COUNTED = """
def translate(word):
    return {"$one": "$uno", "$two": "$due"}.get(word, word)

@component
def Translate(ctx):
    words = ctx.state.get("words", ["$one", "$two"])
    done = ctx.state.get("done", {})

    def one(word):
        def keep(result):
            ctx.state.update("done", lambda old: {**(old or {}), word: result.output})

        return <Task key={f"{word}, {len(done)} done"} run={translate} args={[word]} on_finished={keep} />

    return <Parallel>{[one(word) for word in words]}</Parallel>
"""


def _translated(trial: CellTrial, words: list[str], *, slow: str | None = None, later: str | None = None) -> str | None:
    """Translate words, one of them slowly, and one more later: each is asked for once, and all are there."""
    asked: list[str] = []
    opened = Event()

    def translate(word: str) -> str:
        asked.append(word)
        if word == slow:
            opened.wait(WAIT_S)
        return word.upper()

    with trial.execution({"translate": translate}, state={"words": words}) as ex:
        if slow is not None:
            # The others end and are handled while the slow one runs.
            ex.step_sync()
            trial.settle(ex, running=1)
            ex.step_sync()
            ex.step_sync()
            opened.set()
        ex.run_sync()
        if later is not None:
            ex.state.set("words", [*words, later])
            ex.run_sync()
        done = dict(ex.state.get("done", {}))
    wanted = [*words, *filter(None, [later])]
    if Counter(asked) != Counter(wanted):
        return f"for the words {wanted}, translations of {asked} were begun"
    if done != {word: word.upper() for word in wanted}:
        return f"done has {done}"
    return None


# Calls are counted, and not results: a second one costs as much as the first.
def _each_once(trial: CellTrial) -> str | None:
    return _translated(trial, ["bread", "milk", "salt"])


def _slow_once(trial: CellTrial) -> str | None:
    return _translated(trial, ["bread", "milk"], slow="milk") or _translated(trial, ["tea", "jam"], slow="tea")


# Against a key that still has a count in it, such as the number of the words.
def _later_once(trial: CellTrial) -> str | None:
    return _translated(trial, ["bread", "milk"], later="honey")


# ---- a key that its own result changes -------------------------------------------------------------------------

TITLES = """
def polish(title):
    return title.strip().capitalize()

@component
def Book(ctx):
    chapters = ctx.state.get("chapters", [
        {"number": 1, "title": "$one"},
        {"number": 2, "title": "$two"},
    ])

    def one(chapter):
        def retitle(result):
            def with_title(each):
                # Only this chapter has the new title.
                return {**each, "title": result.output} if each["number"] == chapter["number"] else each

            ctx.state.update("chapters", lambda old: [with_title(each) for each in old or chapters])

        return <Task key={chapter["title"]} run={polish} args={[chapter["title"]]} on_finished={retitle} />

    return <Parallel>{[one(chapter) for chapter in chapters]}</Parallel>
"""


def _polished(trial: CellTrial, titles: list[str]) -> str | None:
    """Polish titles: each chapter once, and each gets its own."""
    asked: list[str] = []

    def polish(title: str) -> str:
        asked.append(title)
        return f"{title.lower()}!"

    def chapters(titles: list[str]) -> list[dict[str, Any]]:
        return [{"number": number, "title": title} for number, title in enumerate(titles, 1)]

    with trial.execution({"polish": polish}, state={"chapters": chapters(titles)}) as ex:
        ex.run_sync()
        found = ex.state.get("chapters")
    if Counter(asked) != Counter(titles):
        return f"for the titles {titles}, those that were polished are {asked[:8]}"
    if found != chapters([f"{title.lower()}!" for title in titles]):
        return f"the chapters are {found}"
    return None


def _polished_once(trial: CellTrial) -> str | None:
    return _polished(trial, ["THE SEA", "THE SHORE", "THE SHIP"])


def _same_titles(trial: CellTrial) -> str | None:
    # Against a key that is made of the title in another way.
    return _polished(trial, ["Notes", "The sea", "Notes"]) or _polished(trial, ["notes", "Notes", "NOTES "])


HINT = (
    "How many tasks has remount_by_key.df.tasks, and how many did you expect? Look in remount_by_key.df.nodes at the "
    "key of the same work, frame by frame."
)

REMOUNT_BY_KEY = Exercise(
    name="remount-by-key",
    title="the work that begins again",
    variants=(
        Variant(
            app="Translate",
            task="Each word is translated, by a service that costs money. It is asked more often than there are words. "
            "Mend the cell so that each word is asked for once, also one that comes later, while all of them still run "
            "at the same time.",
            cell=COUNTED,
            hint=HINT,
            checks=(
                Check("Each word is asked for once, and all translations are in done.", _each_once),
                Check("A word that takes long is asked for once, too.", _slow_once),
                Check("A word that comes later is asked for, and no other one again.", _later_once),
            ),
            themes=(
                {"one": "sea", "two": "wind", "uno": "mare", "due": "vento"},
                {"one": "sun", "two": "moon", "uno": "sole", "due": "luna"},
                {"one": "tree", "two": "leaf", "uno": "albero", "due": "foglia"},
            ),
        ),
        Variant(
            app="Book",
            task="The title of each chapter is polished, by an editor who costs money. Each chapter should be polished "
            "once; the editor is asked twice. Two chapters may have the same title. Mend the cell.",
            cell=TITLES,
            hint=HINT,
            checks=(
                Check("Each chapter is polished once, and has its new title.", _polished_once),
                Check("Chapters may have the same title, or nearly the same.", _same_titles),
            ),
            themes=(
                {"one": "on tides", "two": "on harbours"},
                {"one": "of bees", "two": "of honey"},
                {"one": "the clock", "two": "the tower"},
            ),
        ),
    ),
)
