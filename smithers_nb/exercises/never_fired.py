"""The handler that never fires: the event that it waits for does not happen."""

from __future__ import annotations

from collections.abc import Mapping

from .exercise import Check, Exercise, Variant
from .trial import CellTrial, unless

# ---- an error that is returned ---------------------------------------------------------------------------------

RETURNED = """
PAGES = {"$there": "$text"}

def fetch(name):
    return PAGES.get(name, f"error: there is no page {name}")

@component
def Download(ctx):
    return (
        <Sequence>
            <Task id="fetch" run={fetch} args={["$page"]}
                  on_finished={lambda r: ctx.state.set("text", r.output)}
                  on_error={lambda r: ctx.state.set("problem", r.error)} />
            <Step name="report">Problem: {ctx.state.get("problem", "none")}</Step>
        </Sequence>
    )
"""


def _missing_page(trial: CellTrial, pages: Mapping[str, str]) -> str | None:
    """Run it without the page: the task fails, and on_error puts that into the state."""
    with trial.execution({"PAGES": dict(pages)}) as ex:
        ex.run_sync()
        calls = ex.df.handlers
        called = list(calls[(calls.node_id == "fetch") & (calls.status == "ok")].event)
        problem, text = ex.state.get("problem"), ex.state.get("text")
    if called != ["on_error"]:
        return f"the handlers of fetch that were called are {called}"
    if not problem or text is not None:
        return f"the state has the problem {problem!r} and the text {text!r}"
    return None


def _problem_is_known(trial: CellTrial) -> str | None:
    return _missing_page(trial, {trial.word("there"): "a text"}) or _missing_page(trial, {})


def _page_is_kept(trial: CellTrial, text: str) -> str | None:
    with trial.execution({"PAGES": {trial.word("page"): text}}) as ex:
        ex.run_sync()
        found, problem = ex.state.get("text"), ex.state.get("problem")
    if (found, problem) == (text, None):
        return None
    return f"for a page with the text {text!r} the state has the text {found!r} and the problem {problem!r}"


def _text_is_kept(trial: CellTrial) -> str | None:
    return _page_is_kept(trial, "another text")


def _odd_text_is_kept(trial: CellTrial) -> str | None:
    # Against handlers that guess from the text whether it is one.
    return _page_is_kept(trial, "error: this is how a page on errors begins") or _page_is_kept(trial, "")


# ---- a phase that never ends -----------------------------------------------------------------------------------

PENDING = """
def read_$one():
    return "$text"

def read_$two():
    raise OSError("$two is closed today")

def join(parts):
    return " / ".join(sorted(parts))

@component
def Digest(ctx):
    def keep(result):
        ctx.state.update("parts", lambda old: [*(old or []), result.output])

    return (
        <>
            <Phase name="read">
                <Task id="$one" run={read_$one} on_finished={keep} />
                <Task id="$two" run={read_$two} on_finished={keep} />
            </Phase>
            <Phase name="write">
                <Task id="digest" run={join} args={[ctx.state.get("parts", [])]}
                      on_finished={lambda r: ctx.state.set("digest", r.output)} />
            </Phase>
        </>
    )
"""


def _digest(trial: CellTrial, wanted: str, broken: str = "") -> str | None:
    """Read both sources, of which one may be broken: the digest is the wanted one."""
    asked: list[str] = []

    def source(name: str) -> object:
        def read() -> str:
            asked.append(name)
            if name == broken:
                raise TimeoutError(f"{name} does not answer")
            return f"news of {name}"

        return read

    # Sources of the check's own: a cell without one of its tasks, or with a fixed digest, does not ask them.
    names = [trial.word("one"), trial.word("two")]
    with trial.execution({f"read_{name}": source(name) for name in names}) as ex:
        ex.run_sync()
        found = ex.state.get("digest")
    if sorted(asked) != sorted(names):
        return f"the sources that were read are {asked}"
    if found != wanted:
        return f"with {broken or 'no source'} broken, the digest is {found!r}"
    return None


def _of_the_rest(trial: CellTrial) -> str | None:
    one, two = trial.word("one"), trial.word("two")
    return _digest(trial, f"news of {one}", broken=two) or _digest(trial, f"news of {two}", broken=one)


def _of_both(trial: CellTrial) -> str | None:
    parts = sorted(f"news of {trial.word(name)}" for name in ("one", "two"))
    return _digest(trial, " / ".join(parts))


def _in_order(trial: CellTrial) -> str | None:
    with trial.execution() as ex:
        ex.run_sync()
        tasks = ex.df.tasks.drop_duplicates("node_id").set_index("node_id")
        if "digest" not in tasks.index or tasks.started_at.isna()["digest"]:
            return "the digest is never begun"
        sources = tasks[tasks.index != "digest"]
        early = list(sources[sources.ended_at > tasks.started_at["digest"]].index)
    return unless(not early, f"the digest begins while {early} still runs")


NEVER_FIRED = Exercise(
    name="never-fired",
    title="the handler that never fires",
    variants=(
        Variant(
            app="Download",
            task='A page is fetched. If it is missing, on_error should put that into "problem", for the report. The '
            'page "$page" is missing, and on_error is not called. Mend the cell.',
            cell=RETURNED,
            hint="Select the task in the plan, or look at never_fired.df.tasks: how did it end? Then compare with what "
            "makes a task end otherwise.",
            checks=(
                Check("A missing page calls on_error, which puts a text into problem.", _problem_is_known),
                Check("The text of a page that is there is put into text.", _text_is_kept),
                Check("A page that is there is a text, whatever it says.", _odd_text_is_kept),
            ),
            themes=(
                {"page": "tides", "there": "wind", "text": "Wind comes and goes."},
                {"page": "owls", "there": "bees", "text": "Bees dance."},
                {"page": "rome", "there": "oslo", "text": "Oslo lies by a fjord."},
            ),
        ),
        Variant(
            app="Digest",
            task="Two sources are read, then a digest is made of what they had. A source may be closed; then the "
            'digest should be made of the other one. Today "$two" is closed, and on_finished of the digest is not '
            "called. Mend the cell, also for the day on which the other source is closed.",
            cell=PENDING,
            hint="Which status has the first phase, and which the second one? The plan in the stepper has both; "
            '"%smithers why-not never_fired digest" tells what the digest waits for.',
            checks=(
                Check("With one source closed, the digest is that of the other one.", _of_the_rest),
                Check("With both open, the digest is of both.", _of_both),
                Check("The digest begins after both sources have ended.", _in_order),
            ),
            themes=(
                {"one": "harbour", "two": "airport", "text": "Three ships."},
                {"one": "library", "two": "museum", "text": "Four new books."},
                {"one": "bakery", "two": "market", "text": "Fresh bread."},
            ),
        ),
    ),
)
