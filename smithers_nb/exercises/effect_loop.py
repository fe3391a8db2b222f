"""The effect loop: an effect changes its own deps, and so causes itself."""

from __future__ import annotations

from .exercise import Check, Exercise, Variant
from .trial import CellTrial

# ---- deps with its own result ----------------------------------------------------------------------------------

OWN_RESULT = """
@component
def Stats(ctx):
    $key = ctx.state.get("$key", [$n, 4, 5])
    stats = ctx.state.get("stats", {"runs": 0})

    def count():
        ctx.state.set("stats", {"sum": sum($key), "runs": stats["runs"] + 1})

    return (
        <>
            <Effect id="stats" deps={[$key, stats]} run={count} />
            <Step name="report">Sum: {stats.get("sum", "not known yet")}</Step>
        </>
    )
"""


def _stats(trial: CellTrial, lists: list[list[int]], runs: int) -> str | None:
    """Run it with one list after the other: the sum is that of the last, counted ``runs`` times."""
    key = trial.word("key")
    with trial.execution(state={key: lists[0]}) as ex:
        result = ex.run_sync()
        for later in lists[1:]:
            ex.state.set(key, later)
            result = ex.run_sync()
        stats = ex.state.get("stats")
        plan = ex.preview().xml
    if result.status != "finished":
        return f"the execution is {result.status}: {result.reason}"
    if stats != {"sum": sum(lists[-1]), "runs": runs}:
        return f"after the lists {lists}, stats is {stats}"
    if f"Sum: {sum(lists[-1])}" not in plan:
        return f"the report does not have the sum {sum(lists[-1])}"
    return None


def _comes_to_rest(trial: CellTrial) -> str | None:
    return _stats(trial, [[1, 2, 3]], 1)


# Against deps that never change: the first sum would stay for ever.
def _counted_again(trial: CellTrial) -> str | None:
    return _stats(trial, [[1, 2, 3], [1, 2, 3, 10], [7]], 3)


def _not_counted_again(trial: CellTrial) -> str | None:
    # Equal lists are the same list for an effect.
    return _stats(trial, [[5, 5], [5, 5], [6]], 2)


# ---- deps that are new in each frame ---------------------------------------------------------------------------

EACH_FRAME = """
disk = []

@component
def Editor(ctx):
    $key = ctx.state.get("$key", "$text")

    def save():
        disk.append($key)
        ctx.state.set("saved", {"text": $key, "frame": ctx.frame})

    return <Effect id="save" deps={[$key, ctx.frame]} run={save} />
"""


def _saved(trial: CellTrial, texts: list[str]) -> str | None:
    """Write texts, one after the other: each is saved once."""
    key = trial.word("key")
    disk: list[str] = []
    with trial.execution({"disk": disk}, state={key: texts[0]}) as ex:
        result = ex.run_sync()
        for later in texts[1:]:
            ex.state.set(key, later)
            result = ex.run_sync()
        saved = ex.state.get("saved")
    if result.status != "finished":
        return f"the execution is {result.status}: {result.reason}"
    if disk != texts:
        return f"after the texts {texts}, those that were saved are {disk}"
    if not isinstance(saved, dict) or saved.get("text") != texts[-1] or not isinstance(saved.get("frame"), int):
        return f"saved is {saved}"
    return None


def _saved_once(trial: CellTrial) -> str | None:
    return _saved(trial, ["a first text"])


# A text that comes back is saved again: the disk has another one by then.
def _saved_again(trial: CellTrial) -> str | None:
    return _saved(trial, ["one", "two", "one", "three"])


HINT = (
    "effect_loop.df.effects has the deps of each run. Which of them differ from one run to the next, and what has "
    "changed them?"
)

EFFECT_LOOP = Exercise(
    name="effect-loop",
    title="the effect that causes itself",
    variants=(
        Variant(
            app="Stats",
            task='An effect keeps the sum of "$key", and counts how often it was computed. It should be computed once '
            "for each new list. It never comes to rest. Mend the cell.",
            cell=OWN_RESULT,
            hint=HINT,
            checks=(
                Check("It comes to rest with the right sum, computed once.", _comes_to_rest),
                Check("A new list is computed, once.", _counted_again),
                Check("An equal list is not computed again.", _not_counted_again),
            ),
            themes=({"key": "points"}, {"key": "prices"}, {"key": "steps"}),
        ),
        Variant(
            app="Editor",
            task='An effect saves "$key" to a disk, and notes the frame in which it did so. Each new text should be '
            "saved once. It is saved over and over. Mend the cell.",
            cell=EACH_FRAME,
            hint=HINT,
            checks=(
                Check("It comes to rest, and the text was saved once; saved has the text and a frame.", _saved_once),
                Check("Each new text is saved, once.", _saved_again),
            ),
            themes=(
                {"key": "draft", "text": "Dear Ms Berg"},
                {"key": "poem", "text": "The sea, the sea"},
                {"key": "recipe", "text": "Take three eggs"},
            ),
        ),
    ),
)
