"""The retry policy: failures of a provider that pass, the waits between attempts, and the fixes for other failures.

Errors are recognised by the names of pydantic-ai's classes and by status: the library is imported in one module only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from random import Random

IN_PLACE_S = 2.0
"""A longer wait is a task that is blocked, with its time in the store."""
FIRST_S = 1.0
LONGEST_S = 60.0
"""The longest wait of our own choice: waits double from the first up to this one."""
MOST_S = 24 * 3600.0
"""The longest wait that a header may ask for. Longer ones are mistakes, and may lie beyond any date."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning of an error of a request."""

    passes: bool
    """True if the same request may succeed later."""
    limited: bool
    """True for a rate limit: no agent should ask this model for a while."""
    wait_s: float | None
    """The wait that the provider asked for, if any."""
    fix: str
    """Advice for the user; "" if the failure passes by itself, or there is no known fix."""


_FIXES = (
    ("ModelQuotaExceededError", (402,), "The account has no credit left: add some, or use another model"),
    ("ModelAuthenticationError", (401, 403), "The provider does not take the key: set a valid one"),
    ("ModelNotFoundError", (404,), "The provider does not know this model: check its name"),
    ("ModelContextWindowExceededError", (413,), "The prompt is too long for the model: shorten it"),
    ("ModelRequestRejectedError", (400, 422), "The provider rejects the request as it is: change what it names"),
)
_PASSING = frozenset(
    {"ModelUnavailableError", "ModelServerError", "ModelConnectionError", "ModelRequestTimeout", "ModelRateLimitError"}
)


def verdict(error: BaseException) -> Verdict:
    """Return the meaning of an error. It does not pass if it is neither the library's nor has a status.

    Several causes at once are those of a fallback: it passes if one of its models may answer later.

    >>> verdict(ValueError("x")).passes
    False
    """
    # A fallback whose models have all failed raises a group, which has no status of its own.
    if isinstance(error, BaseExceptionGroup):
        return _together([verdict(one) for one in error.exceptions])
    names = {one.__name__ for one in type(error).__mro__}
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        status = 0
    wait_s = retry_after(error)
    for name, statuses, fix in _FIXES:
        # A quota that is used up comes as a 429, too.
        if name in names or status in statuses:
            return Verdict(passes=False, limited=False, wait_s=None, fix=fix)
    if "ModelRateLimitError" in names or status == 429:
        return Verdict(passes=True, limited=True, wait_s=wait_s, fix="")
    passes = bool(names & _PASSING) or status in (408, 409, 425) or status >= 500
    return Verdict(passes=passes, limited=False, wait_s=wait_s, fix="")


def _together(causes: list[Verdict]) -> Verdict:
    """Return the meaning of the failures of all models of a fallback."""
    passing = [one for one in causes if one.passes]
    if not passing:
        # In the order of the models, and each piece of advice once.
        fixes = dict.fromkeys(one.fix for one in causes if one.fix)
        return Verdict(passes=False, limited=False, wait_s=None, fix=". ".join(fixes))
    waits = [one.wait_s for one in passing]
    known = [wait for wait in waits if wait is not None]
    # The first model that may answer again decides. Without a header from it, its wait is our own choice.
    wait_s = None
    if len(known) == len(waits):
        wait_s = min(known)
    return Verdict(passes=True, limited=any(one.limited for one in passing), wait_s=wait_s, fix="")


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the provider asked us to wait; fractions too, which the library leaves out."""
    known = getattr(error, "retry_after", None)
    if isinstance(known, int | float):
        return _sensible(known)
    # The library reads whole seconds only; providers ask for milliseconds, too.
    headers = getattr(error, "headers", None)
    if not isinstance(headers, dict):
        return None
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return _sensible(float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None


def _sensible(wait_s: float) -> float | None:
    """Return a wait that can be waited for; None if it is not a number.

    >>> _sensible(-5), _sensible(0.5), _sensible(float("inf")), _sensible(float("nan"))
    (0.0, 0.5, 86400.0, None)
    """
    if isnan(wait_s):
        return None
    return min(max(0.0, wait_s), MOST_S)


def backoff_s(attempt: int, seed: str) -> float:
    """Return the seconds to wait after this attempt: twice as long each time, with a jitter from the seed.

    >>> 0.5 <= backoff_s(1, "a") <= 1.0, 4.0 <= backoff_s(4, "a") <= 8.0, backoff_s(3, "a") == backoff_s(3, "a")
    (True, True, True)
    """
    # With the jitter many agents that were refused together do not ask again together; a seed makes it repeatable.
    longest: float = min(LONGEST_S, FIRST_S * 2.0 ** (attempt - 1))
    return longest * (0.5 + 0.5 * Random(f"{seed}/{attempt}").random())
