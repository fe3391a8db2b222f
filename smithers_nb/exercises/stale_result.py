"""The stale result: an answer to an older question, or one that comes when its node has gone."""

from __future__ import annotations

from threading import Event

from .exercise import Check, Exercise, Variant
from .trial import WAIT_S, CellTrial, unless

# ---- an old result under a new question ------------------------------------------------------------------------

SEARCH = """
def search(query):
    return f"$n books on {query}"

@component
def Search(ctx):
    query = ctx.state.get("$key", "$one")

    return (
        <Sequence>
            <Task id="search" run={search} args={[query]} on_finished={lambda r: ctx.state.set("hits", r.output)} />
            <Step name="result">{query}: {ctx.state.get("hits", "…")}</Step>
        </Sequence>
    )
"""


def _searched(trial: CellTrial, queries: list[str], *, slow: str | None = None) -> str | None:
    """Ask one query after the other, each when the one before is done, or while it runs if it is slow."""
    asked: list[str] = []
    opened = Event()

    def search(query: str) -> str:
        asked.append(query)
        if query == slow:
            opened.wait(WAIT_S)
        return f"hits for {query}"

    with trial.execution({"search": search}, state={trial.word("key"): queries[0]}) as ex:
        for number, query in enumerate(queries):
            if number:
                ex.state.set(trial.word("key"), query)
            if query == slow:
                ex.step_sync()
                continue
            if slow is not None:
                # The new search ends first, and the old one after it.
                ex.step_sync()
                trial.settle(ex, running=1)
                ex.step_sync()
                opened.set()
            ex.run_sync()
        hits = ex.state.get("hits")
    if sorted(asked) != sorted(queries):
        return f"for the queries {queries}, the searches are {asked[:8]}"
    return unless(hits == f"hits for {queries[-1]}", f"after the queries {queries}, the state has {hits!r}")


def _first_hits(trial: CellTrial) -> str | None:
    return _searched(trial, ["bees"])


# Searches are counted: a node in each frame would have the right hits, too, and search without end.
def _new_hits(trial: CellTrial) -> str | None:
    return _searched(trial, ["bees", "ants", "wasps"])


def _late_hits(trial: CellTrial) -> str | None:
    return _searched(trial, ["bees", "ants"], slow="bees")


# ---- a result whose node has gone ------------------------------------------------------------------------------

OPINIONS = """
def ask_$one():
    return "$yes"

def ask_$two():
    return "$no"

@component
def Ask(ctx):
    opinions = ctx.state.get("$key", {})

    def keep(result):
        ctx.state.update("$key", lambda old: {**(old or {}), result.node_id: result.output})

    return (
        <>
            {not opinions and (
                <Parallel>
                    <Task id="$one" run={ask_$one} on_finished={keep} />
                    <Task id="$two" run={ask_$two} on_finished={keep} />
                </Parallel>
            )}
            {[<Step key={name} name={f"{name}: {opinions[name]}"} /> for name in sorted(opinions)]}
        </>
    )
"""


# Both are asked before the first answer is handled: one after the other is another workflow.
def _asked(trial: CellTrial, slow: str | None) -> str | None:
    """Ask both, of whom one may be slow: both opinions are kept, and the first is shown while the second is out."""
    opened = Event()
    names = [trial.word("one"), trial.word("two")]

    def expert(name: str) -> object:
        def ask() -> str:
            if name == slow:
                opened.wait(WAIT_S)
            return f"the view of {name}"

        return ask

    with trial.execution({f"ask_{name}": expert(name) for name in names}) as ex:
        early: list[object] = []
        if slow is not None:
            ex.step_sync()
            trial.settle(ex, running=1)
            ex.step_sync()
            frame = ex.step_sync()
            early = [node.props["name"] for node in frame.tree.walk() if node.type == "step"]
            opened.set()
        ex.run_sync()
        kept = ex.state.get(trial.word("key"))
    if kept != {name: f"the view of {name}" for name in names}:
        return f"with {slow or 'none'} as the slow one, {trial.word('key')} is {kept}"
    if slow is not None and len(early) != 1:
        return f"while {slow} is still out, the plan shows {early}"
    return None


def _both_fast(trial: CellTrial) -> str | None:
    return _asked(trial, None)


# In both orders: which of the two is the slow one is not known.
def _one_slow(trial: CellTrial) -> str | None:
    return _asked(trial, trial.word("two")) or _asked(trial, trial.word("one"))


STALE_RESULT = Exercise(
    name="stale-result",
    title="the answer that comes too late",
    variants=(
        Variant(
            app="Search",
            task='A search is made for "$key". When it changes, the result of the old search stays. Mend the cell so '
            "that each query is searched for, once, and an old search that ends late does not replace a newer result.",
            cell=SEARCH,
            hint='Run it, then stale_result.state.set("$key", "another"), and run it again. How many tasks has '
            "stale_result.df.tasks, and is the node of the second query another one than that of the first?",
            checks=(
                Check("The first query is searched for.", _first_hits),
                Check("Each further query is searched for, once, and hits has its result.", _new_hits),
                Check("An old search that ends late does not replace the newer result.", _late_hits),
            ),
            themes=(
                {"key": "query", "one": "tides"},
                {"key": "topic", "one": "owls"},
                {"key": "question", "one": "clocks"},
            ),
        ),
        Variant(
            app="Ask",
            task='Two experts are asked at the same time, and "$key" should have what both have said; what is there is '
            "shown at once. When one of them is slow, only one opinion is there in the end. Mend the cell.",
            cell=OPINIONS,
            hint="Make one slow: a time.sleep(1) in its function. Then look in stale_result.df.handlers at the status "
            "of each call, and in the plan at the frame in which the slow expert's node goes.",
            checks=(
                Check("Both opinions are kept when both are fast.", _both_fast),
                Check("Both are kept when one is slow, and the first is shown meanwhile.", _one_slow),
            ),
            themes=(
                {"key": "opinions", "one": "baker", "two": "doctor", "yes": "eat more", "no": "eat less"},
                {"key": "reviews", "one": "editor", "two": "reader", "yes": "print it", "no": "cut it"},
                {"key": "votes", "one": "captain", "two": "cook", "yes": "sail", "no": "stay"},
            ),
        ),
    ),
)
