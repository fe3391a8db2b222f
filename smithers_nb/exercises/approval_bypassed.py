"""The approval that is bypassed: an action that a person should decide on happens without them, or against them."""

from __future__ import annotations

from .exercise import Check, Exercise, Variant
from .trial import CellTrial

# ---- beside the question ---------------------------------------------------------------------------------------

BESIDE = """
def write_draft():
    return "$text"

def $send(text):
    print("sent:", text)

@component
def Mail(ctx):
    draft = ctx.state.get("draft")

    return (
        <>
            <Task id="draft" run={write_draft} on_finished={lambda r: ctx.state.set("draft", r.output)} />
            {draft and <Approval id="look" prompt={f"Send this? {draft}"} options={["$yes", "$no"]}
                                 on_finished={lambda r: ctx.state.set("decision", r.output)} />}
            {draft and <Task id="send" run={$send} args={[draft]} />}
        </>
    )
"""

# ---- any answer will do ----------------------------------------------------------------------------------------

ANY_ANSWER = """
def write_draft():
    return "$text"

def $send(text):
    print("sent:", text)

@component
def Mail(ctx):
    return (
        <>
            <Phase name="draft">
                <Task id="draft" run={write_draft} on_finished={lambda r: ctx.state.set("draft", r.output)} />
            </Phase>
            <Phase name="look">
                <Approval id="look" prompt={f"Send this? {ctx.state.get('draft')}"} options={["$yes", "$no"]}
                          on_finished={lambda r: ctx.state.set("decision", r.output)} />
            </Phase>
            <Phase name="send">
                <Task id="send" run={$send} args={[ctx.state.get("draft")]} />
            </Phase>
        </>
    )
"""


def _decided(trial: CellTrial, choice: str | None, draft: str = "a draft") -> str | None:
    """Answer the question so, or not at all: the mail goes out after a yes, once, and else not."""
    sent: list[object] = []
    given = {"write_draft": lambda: draft, trial.word("send"): sent.append}
    with trial.execution(given) as ex:
        result = ex.run_sync()
        if result.status != "waiting":
            return f"no one is asked: the execution is {result.status}, and {sent} was sent"
        if sent:
            return f"{sent} was sent before anyone has answered"
        if choice is None:
            return None
        [question] = ex.df.approvals.itertuples()
        if draft not in str(question.prompt):
            return f"the question does not show the draft: {question.prompt!r}"
        ex.answer("look", trial.word(choice))
        result = ex.run_sync()
    # The function itself is the check's: it is the sending that counts, and not what the plan shows.
    wanted = [draft] * (choice == "yes")
    if sent == wanted and result.status == "finished":
        return None
    return f"after the answer {trial.word(choice)!r}, {sent} was sent, and the execution is {result.status}"


def _not_before(trial: CellTrial) -> str | None:
    return _decided(trial, None)


def _after_yes(trial: CellTrial) -> str | None:
    # Another text: what is sent is what the person has seen.
    return _decided(trial, "yes") or _decided(trial, "yes", "another draft")


# Against any answer as a yes.
def _not_after_no(trial: CellTrial) -> str | None:
    return _decided(trial, "no")


CHECKS = (
    Check("Nothing is sent before a person has answered.", _not_before),
    Check('After "$yes" the draft is sent, once.', _after_yes),
    Check('After "$no" nothing is sent, and the execution ends.', _not_after_no),
)
THEMES = (
    {"send": "send_mail", "yes": "send", "no": "discard", "text": "Dear Ms Berg, the heating is broken."},
    {"send": "publish", "yes": "print", "no": "drop", "text": "The harbour is closed on Monday."},
    {"send": "order", "yes": "buy", "no": "leave", "text": "Four hundred chairs."},
)

APPROVAL_BYPASSED = Exercise(
    name="approval-bypassed",
    title="the approval that is bypassed",
    variants=(
        Variant(
            app="Mail",
            task="A draft is written, a person decides, and only then may it go out. It is out before anyone was "
            "asked. Mend the cell.",
            cell=BESIDE,
            hint='"%smithers why approval_bypassed send" tells what made the task start. What do the question and the '
            "task have in common?",
            checks=CHECKS,
            themes=THEMES,
        ),
        Variant(
            app="Mail",
            task='A draft is written, and a person decides between "$yes" and "$no". It goes out whatever they answer. '
            "Mend the cell.",
            cell=ANY_ANSWER,
            hint='Answer "$no", and look at the frame after it. Which keys did the component read for the task? '
            "approval_bypassed.df.reads has them.",
            checks=CHECKS,
            themes=THEMES,
        ),
    ),
)
