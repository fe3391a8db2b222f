"""The retry storm: what has failed is tried again and again, and nothing bounds it."""

from __future__ import annotations

from ..records.words import count
from .exercise import Check, Exercise, Variant
from .trial import CellTrial, unless

# ---- a key that every failure changes --------------------------------------------------------------------------

AGAIN = """
def $call():
    raise ConnectionError("$who is busy")

@component
def Call(ctx):
    tries = ctx.state.get("tries", 0)

    def failed(result):
        ctx.state.set("tries", tries + 1)
        ctx.state.set("problem", result.error)

    def done(result):
        ctx.state.set("answer", result.output)

    return <Task key={f"try {tries}"} run={$call} on_finished={done} on_error={failed} />
"""


def _called(trial: CellTrial, failures: int) -> tuple[int, str, dict[str, object]]:
    """Call a service that fails so often at first; return its calls, the status, and the state."""
    calls = 0

    def service() -> str:
        nonlocal calls
        # Whatever the cell remembers, this counts.
        calls += 1
        if calls <= failures:
            raise ConnectionError(f"failure {calls}")
        return f"answer {calls}"

    with trial.execution({trial.word("call"): service}) as ex:
        result = ex.run_sync()
        return calls, result.status, dict(ex.state)


def _three_at_most(trial: CellTrial) -> str | None:
    calls, status, state = _called(trial, 1000)
    if calls != 3 or status != "finished":
        return f"a service that always fails is called {calls} times, and the execution is {status}"
    return unless("failure" in str(state.get("problem")), f"the problem is {state.get('problem')!r}")


# Against a limit that also ends the tries that would have helped.
def _two_failures(trial: CellTrial) -> str | None:
    calls, _, state = _called(trial, 2)
    if calls == 3 and state.get("answer") == "answer 3":
        return None
    return f"a service that fails twice is called {calls} times, and the answer is {state.get('answer')!r}"


def _no_failure(trial: CellTrial) -> str | None:
    calls, _, state = _called(trial, 0)
    if calls == 1 and state.get("answer") == "answer 1":
        return None
    return f"a service that does not fail is called {calls} times, and the answer is {state.get('answer')!r}"


# ---- retries of an error that stays ----------------------------------------------------------------------------

HOPELESS = """
ORDERS = {"$one": "$n", "$two": "four"}

def $call(name):
    return int(ORDERS[name])

@component
def Orders(ctx):
    def kept(result):
        ctx.state.update("amounts", lambda old: {**(old or {}), result.node_id: result.output})

    def refused(result):
        ctx.state.update("refused", lambda old: [*(old or []), result.node_id])

    def one(name):
        return (
            <Ralph id={f"until {name} is there"} until={name in ctx.state.get("amounts", {})} max_iterations={30}>
                <Task id={name} run={$call} args={[name]} on_finished={kept} on_error={refused} />
            </Ralph>
        )

    return <Parallel>{[one(name) for name in ORDERS]}</Parallel>
"""


def _ordered(trial: CellTrial, fails: dict[str, list[Exception]]) -> tuple[dict[str, int], dict[str, object]]:
    """Read orders that fail with errors, one a call, before they succeed; return the calls by name, and the state."""
    calls = dict.fromkeys(fails, 0)

    def read(name: str) -> int:
        errors = fails[name]
        calls[name] += 1
        if calls[name] <= len(errors):
            raise errors[calls[name] - 1]
        return 12

    with trial.execution({"ORDERS": dict.fromkeys(fails, "12"), trial.word("call"): read}) as ex:
        ex.run_sync()
        return calls, dict(ex.state)


def _read_once(trial: CellTrial) -> str | None:
    calls, state = _ordered(trial, {"north": [], "south": []})
    if calls == {"north": 1, "south": 1} and state.get("amounts") == {"north": 12, "south": 12}:
        return None
    return f"two orders without a fault are read {calls}, and amounts is {state.get('amounts')}"


# Errors of the check's own: an order that the cell knows to be wrong is not among them.
def _hopeless_once(trial: CellTrial) -> str | None:
    calls, state = _ordered(trial, {"bad": [ValueError("no number")] * 100, "good": []})
    if calls != {"bad": 1, "good": 1}:
        read = count(calls["bad"], "time"), count(calls["good"], "time")
        return f"an order that is no number is read {read[0]}, a good one {read[1]}"
    if state.get("refused") != ["bad"] or state.get("amounts") != {"good": 12}:
        return f"refused is {state.get('refused')}, and amounts is {state.get('amounts')}"
    return None


RETRY_STORM = Exercise(
    name="retry-storm",
    title="the storm of retries",
    variants=(
        Variant(
            app="Call",
            task="$who is called until it answers. It should be called three times at most, and if all of them fail, "
            'the last error should be in "problem". It is called without end. Mend the cell.',
            cell=AGAIN,
            hint="What makes the task of the next try a new one? retry_storm.df.tasks has all of them, and "
            "retry_storm.df.nodes their keys. What could keep the fourth from being made?",
            checks=(
                Check("A service that always fails is called three times; problem has the error.", _three_at_most),
                Check("A service that fails twice is called three times, and its answer is kept.", _two_failures),
                Check("A service that answers is called once.", _no_failure),
            ),
            themes=(
                {"call": "ask_harbour", "who": "The harbour"},
                {"call": "ask_library", "who": "The library"},
                {"call": "ask_weather", "who": "The weather service"},
            ),
        ),
        Variant(
            app="Orders",
            task='Each order is read as a number. One that is no number should be put into "refused", once: reading it '
            "again does not help. It is read thirty times. Mend the cell.",
            cell=HOPELESS,
            hint="How many iterations has each loop in retry_storm.df.loops? What does the condition say of an order "
            "that was refused?",
            checks=(
                Check("Orders without a fault are read once.", _read_once),
                Check("An order that is no number is read once, and refused once.", _hopeless_once),
            ),
            themes=(
                {"call": "read", "one": "apples", "two": "pears"},
                {"call": "amount", "one": "nails", "two": "screws"},
                {"call": "count", "one": "cups", "two": "plates"},
            ),
        ),
    ),
)
