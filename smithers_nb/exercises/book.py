"""The exercises, by name."""

from __future__ import annotations

from .approval_bypassed import APPROVAL_BYPASSED
from .effect_loop import EFFECT_LOOP
from .exercise import Exercise
from .impure_render import IMPURE_RENDER
from .lost_write import LOST_WRITE
from .never_fired import NEVER_FIRED
from .prompt_without_value import PROMPT_WITHOUT_VALUE
from .race_in_parallel import RACE_IN_PARALLEL
from .remount_by_key import REMOUNT_BY_KEY
from .retry_storm import RETRY_STORM
from .stale_result import STALE_RESULT
from .wrong_citation import WRONG_CITATION
from .wrong_key import WRONG_KEY

EXERCISES: dict[str, Exercise] = {
    one.name: one
    for one in (
        LOST_WRITE,
        NEVER_FIRED,
        WRONG_KEY,
        REMOUNT_BY_KEY,
        EFFECT_LOOP,
        IMPURE_RENDER,
        STALE_RESULT,
        RACE_IN_PARALLEL,
        PROMPT_WITHOUT_VALUE,
        RETRY_STORM,
        APPROVAL_BYPASSED,
        WRONG_CITATION,
    )
}
"""All of them, in the order in which they are offered."""
