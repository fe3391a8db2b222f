"""The write that is lost: two handlers of one frame each set a key to its value from before, plus their own."""

from __future__ import annotations

from collections import Counter

from .exercise import Check, Exercise, Variant
from .trial import CellTrial, unless

# ---- two editors -----------------------------------------------------------------------------------------------

EDITORS = """
@component
def Review(ctx):
    def add(result):
        ctx.state.set("$key", [*ctx.state.get("$key", []), result.text])

    return (
        <Parallel>
            <Approval id="$one" prompt="Look at the $one." options={["good", "mend"]} on_finished={add} />
            <Approval id="$two" prompt="Look at the $two." options={["good", "mend"]} on_finished={add} />
        </Parallel>
    )
"""


def _both_asked(trial: CellTrial) -> str | None:
    # One question after the other loses nothing either, and is no longer the same workflow.
    with trial.execution() as ex:
        ex.run_sync()
        df = ex.df.approvals
        asked = sorted(df[df.status == "waiting"].node_id)
    wanted = sorted((trial.word("one"), trial.word("two")))
    return unless(asked == wanted, f"the open questions are {asked}")


def _remarks(trial: CellTrial, answers: dict[str, str], before: list[str]) -> str | None:
    """Answer both questions before the next frame; the key has the remarks of before and both of these."""
    key = trial.word("key")
    with trial.execution(state={key: before} if before else {}) as ex:
        ex.run_sync()
        for place, remark in answers.items():
            ex.answer(trial.word(place), "mend", remark)
        ex.run_sync()
        found = ex.state.get(key)
    if isinstance(found, list) and Counter(map(str, found)) == Counter([*before, *answers.values()]):
        return None
    return f"{key} is {found!r} after the remarks {[*before, *answers.values()]}"


def _both_kept(trial: CellTrial) -> str | None:
    return _remarks(trial, {"one": "a comma is missing", "two": "tides come twice a day"}, []) or _remarks(
        trial, {"two": "too long", "one": "too long"}, []
    )


def _earlier_kept(trial: CellTrial) -> str | None:
    # Against an edit that gives each handler a key of its own, or begins with an empty list.
    return _remarks(trial, {"two": "the year is wrong", "one": "a word is missing"}, ["an earlier remark"])


# ---- a total ---------------------------------------------------------------------------------------------------

TOTAL = """
def count_$one():
    return $n

def count_$two():
    return $n + 2

@component
def Count(ctx):
    total = ctx.state.get("$key", 0)

    def add(result):
        ctx.state.set("$key", total + result.output)

    return (
        <Parallel>
            <Task id="$one" run={count_$one} on_finished={add} />
            <Task id="$two" run={count_$two} on_finished={add} />
        </Parallel>
    )
"""


def _together(trial: CellTrial) -> str | None:
    with trial.execution() as ex:
        ex.step_sync()
        trial.settle(ex)
        ended = sorted(ex.df.tasks[ex.df.tasks.ended_at.notna()].node_id)
    wanted = sorted((trial.word("one"), trial.word("two")))
    return unless(ended == wanted, f"the tasks that frame 1 starts are {ended}")


# Numbers of the check's own: a total that is written into the cell is not one of them.
def _sum(trial: CellTrial, first: int, second: int, before: int) -> str | None:
    key, one, two = (trial.word(name) for name in ("key", "one", "two"))
    given = {f"count_{one}": lambda: first, f"count_{two}": lambda: second}
    with trial.execution(given, state={key: before} if before else {}) as ex:
        ex.step_sync()
        # Both results are there before the frame that hands them over: how fast the tasks are must not matter.
        trial.settle(ex)
        ex.run_sync()
        found = ex.state.get(key)
    if found == before + first + second:
        return None
    return f"{key} is {found!r} where {one} counts {first}, {two} counts {second}, and {before} were there before"


def _added(trial: CellTrial) -> str | None:
    return _sum(trial, 7, 20, 0) or _sum(trial, 4, 4, 0)


def _added_to_before(trial: CellTrial) -> str | None:
    return _sum(trial, 2, 30, 100)


HINT = (
    "Step to the frame in which both handlers are called, and compare the old value and the status of the two writes: "
    "lost_write.df.transitions has them."
)

LOST_WRITE = Exercise(
    name="lost-write",
    title="the write that is lost",
    variants=(
        Variant(
            app="Review",
            task='Two people look at a text at the same time. Each remark is added to "$key". When both answer in '
            "the same moment, one remark is missing in the end. Mend the cell so that no remark is lost.",
            cell=EDITORS,
            hint=HINT,
            checks=(
                Check("Both people are asked at the same time.", _both_asked),
                Check("Both remarks are in $key, whoever answers first.", _both_kept),
                Check("Remarks that were in $key before are kept.", _earlier_kept),
            ),
            themes=(
                {"key": "remarks", "one": "grammar", "two": "facts"},
                {"key": "notes", "one": "style", "two": "numbers"},
                {"key": "findings", "one": "title", "two": "sources"},
            ),
        ),
        Variant(
            app="Count",
            task='Two tasks count at the same time, and each adds its number to "$key". Often the total has only one '
            "of the two numbers. Mend the cell so that the total is right however fast the tasks are.",
            cell=TOTAL,
            hint=HINT,
            checks=(
                Check("Both tasks run at the same time.", _together),
                Check("$key is the sum of both numbers.", _added),
                Check("A number that was in $key before is added to.", _added_to_before),
            ),
            themes=(
                {"key": "visitors", "one": "north", "two": "south"},
                {"key": "votes", "one": "hall", "two": "school"},
                {"key": "words", "one": "intro", "two": "body"},
            ),
        ),
    ),
)
