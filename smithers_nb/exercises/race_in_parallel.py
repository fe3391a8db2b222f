"""The race in Parallel: the outcome depends on which of two tasks is faster."""

from __future__ import annotations

from threading import Event

from .exercise import Check, Exercise, Variant
from .trial import WAIT_S, CellTrial, unless

# ---- one task needs the other ----------------------------------------------------------------------------------

NEEDS = """
def measure_$key():
    return $n

def label(value):
    return f"$key: {value} $unit"

@component
def Measure(ctx):
    return (
        <Parallel>
            <Task id="measure" run={measure_$key} on_finished={lambda r: ctx.state.set("$key", r.output)} />
            <Task id="label" run={label} args={[ctx.state.get("$key")]}
                  on_finished={lambda r: ctx.state.set("label", r.output)} />
        </Parallel>
    )
"""


def _labelled(trial: CellTrial, value: int, *, slow: bool) -> str | None:
    """Measure a value, slowly or not: the label has it."""
    key = trial.word("key")
    opened = Event()
    asked: list[object] = []

    def measure() -> int:
        if slow:
            opened.wait(WAIT_S)
        return value

    def label(value: object) -> str:
        asked.append(value)
        return f"<{value}>"

    with trial.execution({f"measure_{key}": measure, "label": label}) as ex:
        ex.step_sync()
        if slow:
            trial.settle(ex, running=1)
        opened.set()
        ex.run_sync()
        found, kept = ex.state.get("label"), ex.state.get(key)
    if (found, kept) == (f"<{value}>", value) and asked == [value]:
        return None
    return f"with the value {value}, the label was made of {asked}, and the state has {found!r}"


def _label_of_value(trial: CellTrial) -> str | None:
    return _labelled(trial, 41, slow=False) or _labelled(trial, 0, slow=False)


# Against a default value, and against a wait of some frames.
def _label_of_slow_value(trial: CellTrial) -> str | None:
    return _labelled(trial, 17, slow=True)


# ---- the last one wins -----------------------------------------------------------------------------------------

LAST_WINS = """
def offer_$one():
    return {"from": "$one", "price": $n}

def offer_$two():
    return {"from": "$two", "price": 20}

@component
def Buy(ctx):
    def offered(result):
        ctx.state.set("best", result.output)

    return (
        <Parallel>
            <Task id="$one" run={offer_$one} on_finished={offered} />
            <Task id="$two" run={offer_$two} on_finished={offered} />
        </Parallel>
    )
"""


def _best(trial: CellTrial, prices: tuple[int, int], slow: int | None = None) -> str | None:
    """Get two offers, of which one may come late: the lower one is the best."""
    names = [trial.word("one"), trial.word("two")]
    opened = Event()

    def shop(number: int) -> object:
        def offer() -> dict[str, object]:
            if number == slow:
                opened.wait(WAIT_S)
            return {"from": names[number], "price": prices[number]}

        return offer

    with trial.execution({f"offer_{name}": shop(number) for number, name in enumerate(names)}) as ex:
        ex.step_sync()
        if slow is None:
            trial.settle(ex)
        else:
            # Both are asked at once, so the fast one is handled first.
            trial.settle(ex, running=1)
            ex.step_sync()
            ex.step_sync()
            opened.set()
        ex.run_sync()
        best = ex.state.get("best")
    wanted = names[prices.index(min(prices))]
    if isinstance(best, dict) and best.get("from") == wanted and best.get("price") == min(prices):
        return None
    late = "together"
    if slow is not None:
        late = f"with {names[slow]} late"
    return f"for the prices {dict(zip(names, prices, strict=True))}, which come {late}, the best is {best}"


# Both orders of the plan: the handlers of one frame are called in its order.
def _best_together(trial: CellTrial) -> str | None:
    return _best(trial, (5, 9)) or _best(trial, (9, 5))


def _best_late(trial: CellTrial) -> str | None:
    # Against an order of the handlers, which helps only where both come in the same frame.
    return _best(trial, (5, 9), slow=1) or _best(trial, (5, 9), slow=0) or _best(trial, (9, 5), slow=0)


def _at_once(trial: CellTrial) -> str | None:
    with trial.execution() as ex:
        ex.step_sync()
        trial.settle(ex)
        ended = sorted(ex.df.tasks[ex.df.tasks.ended_at.notna()].node_id)
    wanted = sorted((trial.word("one"), trial.word("two")))
    return unless(ended == wanted, f"the tasks that frame 1 starts are {ended}")


RACE_IN_PARALLEL = Exercise(
    name="race-in-parallel",
    title="the race between two tasks",
    variants=(
        Variant(
            app="Measure",
            task="A value is measured, and a label is made of it. The label has no value. Mend the cell so that the "
            "label has the value however long the measurement takes, and is made once.",
            cell=NEEDS,
            hint="In which frame does each of the two tasks start, and with which arguments? race_in_parallel.df.nodes "
            "has them.",
            checks=(
                Check("The label has the value.", _label_of_value),
                Check("The label has the value when the measurement is slow, too.", _label_of_slow_value),
            ),
            themes=(
                {"key": "depth", "unit": "metres"},
                {"key": "weight", "unit": "kilograms"},
                {"key": "warmth", "unit": "degrees"},
            ),
        ),
        Variant(
            app="Buy",
            task='Two shops are asked for a price at the same time. "best" should be the offer with the lower price. '
            "It is the one that came last. Mend the cell so that it does not matter which shop is faster.",
            cell=LAST_WINS,
            hint="Step it, and look at the two writes of best in race_in_parallel.df.transitions. Which of them stands "
            "in the end, and which one would if the other shop were slow?",
            checks=(
                Check("Both shops are asked at the same time.", _at_once),
                Check("The lower price is the best when both come together.", _best_together),
                Check("The lower price is the best, whichever shop is slow.", _best_late),
            ),
            themes=(
                {"one": "corner", "two": "market"},
                {"one": "paper", "two": "pencil"},
                {"one": "garden", "two": "farm"},
            ),
        ),
    ),
)
