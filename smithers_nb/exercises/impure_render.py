"""The impure render: a component changes something each time it is called."""

from __future__ import annotations

from typing import Any

from .exercise import Check, Exercise, Variant
from .trial import CellTrial, unless

# ---- a value of the state, changed in place --------------------------------------------------------------------

SORTED = """
def ask_$key():
    return [$n, 9, 1, 7]

@component
def Ranking(ctx):
    $key = ctx.state.get("$key", [])
    $key.sort(reverse=True)

    return (
        <>
            <Phase name="ask">
                <Task id="ask" run={ask_$key} on_finished={lambda r: ctx.state.set("$key", r.output)} />
            </Phase>
            <Phase name="show">
                {[<Step key={str(place)} name={f"{place}. {one}"} /> for place, one in enumerate($key, 1)]}
            </Phase>
        </>
    )
"""


def _ranked(trial: CellTrial, numbers: list[int]) -> tuple[list[object], Any]:  # Any: the learner's value
    """Return the lines of the ranking, and the numbers in the state."""
    key = trial.word("key")
    with trial.execution({f"ask_{key}": lambda: list(numbers)}) as ex:
        ex.run_sync()
        lines = [node.props["name"] for node in ex.preview().walk() if node.type == "step"]
        return lines, ex.state.get(key)


def _lines(trial: CellTrial) -> str | None:
    lines, _ = _ranked(trial, [2, 11, 5])
    wanted = ["1. 11", "2. 5", "3. 2"]
    return unless(lines == wanted, f"for [2, 11, 5] the plan shows {lines}")


# Against a handler that sorts them: then the order in which they came is lost.
def _as_they_came(trial: CellTrial) -> str | None:
    _, kept = _ranked(trial, [2, 11, 5])
    return unless(kept == [2, 11, 5], f"for [2, 11, 5] the state has {kept}")


def _comes_to_its_end(trial: CellTrial) -> str | None:
    with trial.execution() as ex:
        result = ex.run_sync()
    return unless(result.status == "finished", f"the execution is {result.status}: {result.reason}")


# ---- a list outside ---------------------------------------------------------------------------------------------

OUTSIDE = """
shown = []

def read_$key():
    return ["$one", "$two"]

@component
def Report(ctx):
    for line in ctx.state.get("$key", []):
        shown.append(f"- {line}")

    return (
        <>
            <Phase name="read">
                <Task id="read" run={read_$key} on_finished={lambda r: ctx.state.set("$key", r.output)} />
            </Phase>
            <Phase name="show">
                <Step name="report">{"; ".join(shown)}</Step>
            </Phase>
        </>
    )
"""


def _reports(trial: CellTrial, lines: list[str]) -> list[str]:
    """Return the text of the report at the end, and of two further renderings of the same state."""
    key = trial.word("key")
    with trial.execution({f"read_{key}": lambda: list(lines)}) as ex:
        ex.run_sync()
        assert ex.frame is not None
        trees = [ex.frame.tree, ex.preview(), ex.preview()]
    return [node.text or "" for tree in trees for node in tree.walk() if node.type == "text"]


def _report(trial: CellTrial, lines: list[str]) -> str | None:
    wanted = "; ".join(f"- {line}" for line in lines)
    found = _reports(trial, lines)
    return unless(found[:1] == [wanted], f"for the lines {lines} the report is {found[:1]}")


def _report_of_lines(trial: CellTrial) -> str | None:
    return _report(trial, ["a first line", "a second line"])


def _equal_lines(trial: CellTrial) -> str | None:
    # Against a list that keeps growing, and leaves out what it has already.
    return _report(trial, ["rain", "sun", "rain"])


# The plan is a function of the state. A preview writes nothing, and may be made at any time.
def _rendered_again(trial: CellTrial) -> str | None:
    found = _reports(trial, ["one", "two"])
    return unless(len(set(found)) == 1, f"three renderings of the same state show {found}")


IMPURE_RENDER = Exercise(
    name="impure-render",
    title="the component that leaves traces",
    variants=(
        Variant(
            app="Ranking",
            task='"$key" are asked for, kept in the state in the order in which they came, and shown from the highest '
            "to the lowest. Once they are there, the next frame can't be rendered. Mend the cell.",
            cell=SORTED,
            hint="The error names the key and the component. A component may be called again at any time: which "
            "value of the state is different after it was called?",
            checks=(
                Check("The execution comes to its end.", _comes_to_its_end),
                Check("The plan shows them from the highest to the lowest.", _lines),
                Check("The state has them in the order in which they came.", _as_they_came),
            ),
            themes=({"key": "scores"}, {"key": "heights"}, {"key": "prices"}),
        ),
        Variant(
            app="Report",
            task='Lines are read into "$key", and a report shows each of them. The report has lines twice. Mend the '
            "cell so that it has each line as often as it was read, however often it is rendered.",
            cell=OUTSIDE,
            hint="Call impure_render.preview().xml twice in a cell: it renders the same state and writes nothing. What "
            "is different the second time, and where is it kept?",
            checks=(
                Check("The report has each line that was read.", _report_of_lines),
                Check("A line that was read twice is there twice.", _equal_lines),
                Check("Rendering the same state again shows the same.", _rendered_again),
            ),
            themes=(
                {"key": "news", "one": "A ship has come.", "two": "The harbour is full."},
                {"key": "notes", "one": "Tides come twice a day.", "two": "The moon pulls."},
                {"key": "errands", "one": "Buy bread.", "two": "Mend the bike."},
            ),
        ),
    ),
)
