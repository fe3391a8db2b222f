"""Credentials: the shapes of keys, tokens and passwords, and texts without them.

A plan, a file and a page are shown to others. A key that stands in a prop, a header or a setting must not be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

MASK = "•••"
"""The text that stands for a credential."""

_SECRET = r"[A-Za-z0-9._~+/=-]"
_WITH_DIGIT = rf"(?={_SECRET}{{0,300}}\d)"
_STRONG = r"(?:api_?-?key|access_?-?key|secret_?-?key|client_?-?secret|auth_?-?token|access_?-?token|password|passwd)"

# None may look further than some hundred characters from each place where it could begin: a long text of a model, such
# as "a-a-a-…", would take minutes otherwise. The word before a name is no part of its match for the same reason.
# In each, group 1 is what is kept: it says which sort of credential was there.
_SHAPES = (
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    # OpenAI, Anthropic, OpenRouter … A digit tells a key from a name such as sk-toggleable-content.
    r"\b(sk-(?:ant-|proj-|svcacct-|or-|live-|test-)?)(?=[A-Za-z0-9_-]{0,300}\d)[A-Za-z0-9_-]{12,}",
    r"\b(sk-(?:ant|proj|svcacct)-)[A-Za-z0-9_-]{8,}",
    r"\b((?:sk|rk|pk|whsec)_(?:live|test)_)[A-Za-z0-9]{8,}",
    r"\b((?:gh[pousr]|gho|glpat|hf|npm|gsk|r8|pplx|xai|dckr_pat)[_-])(?=[A-Za-z0-9_-]{0,300}\d)[A-Za-z0-9_-]{16,}",
    r"\b(github_pat_)[A-Za-z0-9_]{16,}",
    r"\b(xox[abeprs]-)[A-Za-z0-9-]{10,}",
    r"\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b",
    r"\b(AIza)[A-Za-z0-9_-]{30,}",
    r"\b(eyJ)[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # A JSON Web Token.
    r"(?i:(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+))" + rf"{_SECRET}{{6,}}",
    rf"(?i:(\bbearer\s+))(?:sk-{_SECRET}{{6,}}|{_WITH_DIGIT}{_SECRET}{{8,}}|[A-Za-z0-9_-]{{24,}})",
    rf"(?i:(\bbasic\s+))(?:{_WITH_DIGIT}[A-Za-z0-9+/]{{12,}}={{0,2}}|[A-Za-z0-9+/]{{12,}}={{1,2}})",
    # A user's password in an address.
    r"((?<=[a-z0-9+.-])://[^\s/:@\"']*:)[^\s/@\"']+(?=@)",
    # Behind its name: a text in quotes, or one word that is neither a call nor a name's attribute.
    rf"(?i:({_STRONG}[\"']?\s*[:=]\s*[\"']))[^\"'\s]{{4,}}",
    rf"(?i:({_STRONG}=))(?!none\b|null\b|true\b|false\b|os\.|self\.)[A-Za-z0-9_~+/=%-]{{6,}}(?![\w.(\[])",
    rf"(?i:({_STRONG}:\s?))(?=[A-Za-z0-9_~+/=-]*\d)[A-Za-z0-9_~+/=-]{{8,}}",
    r"(?i:((?<![A-Za-z0-9])(?:token|secret|pwd)=))(?=[A-Za-z0-9_-]{0,300}\d)[A-Za-z0-9_~+/=-]{12,}",
)


@cache
def _any_shape() -> re.Pattern[str]:
    # Compiled with the first text that has a hint: it takes some milliseconds of the start of every program.
    return re.compile("|".join(f"(?:{shape})" for shape in _SHAPES), re.DOTALL)


# Nearly all texts have none of these, and each prop of each node is looked at in each frame.
_HINT = re.compile(
    r"sk[-_]|[pr]k_|whsec_|gh[pousr]_|hub_pat|glpat|hf_|npm_|gsk_|r8_|pplx-|xai-|_pat_|xox|AKIA|ASIA|AROA|AIDA|AIza|eyJ"
    r"|PRIVATE KEY|://|(?i:bearer|basic |auth|key|token|secret|pass|pwd|cookie|credential)"
)
_WORDS = (
    "sk-", "sk_", "pk_", "rk_", "whsec_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "hub_pat", "glpat", "hf_", "npm_",
    "gsk_", "r8_", "pplx-", "xai-", "_pat_", "xox", "akia", "asia", "aroa", "aida", "aiza", "eyj", "private key", "://",
    "bearer", "basic ", "auth", "key", "token", "secret", "pass", "pwd", "cookie", "credential",
)  # fmt: skip
"""The words of ``_HINT``, in lower case."""
LONG = 10_000
"""The length from which a text is looked through for these words."""
_NAME = re.compile(
    rf"(?:.*_)?(?:{_STRONG}|authorization|auth|passphrase|pwd|secret|secrets|private_key|cookie|set_cookie|credentials?"
    r"|(?:bearer|refresh|session|id|api|bot|github|gitlab|hf|slack|authorization)_token|x_api_key|api_?key_?\d*)",
    re.IGNORECASE,
)
"""Names of headers, settings and arguments whose values are credentials."""
# The kept part, too: the same credential may have one here and none there.
_KEPT_PART = re.compile(rf"[^\s\"'{MASK[0]}]*{MASK}")
SHORT = 300
"""The longest text of which the masked form is remembered: the props of a plan are the same in most frames."""


def masked(text: str) -> str:
    """Return the text with each credential in it replaced, but for the part that says which sort it is.

    >>> masked("ask with sk-ant-api03-0123456789abcdef, please")
    'ask with sk-ant-•••, please'
    >>> masked("https://me:hunter2@example.org?api_key=0123456789")
    'https://me:•••@example.org?api_key=•••'
    >>> masked("The bearer of the token asks about risk-adjusted keys: sk-learn has none.")
    'The bearer of the token asks about risk-adjusted keys: sk-learn has none.'
    """
    if len(text) <= SHORT:
        return _remembered(text)
    return _masked(text)


def _masked(text: str) -> str:
    if not may_hold(text):
        return text
    return _any_shape().sub(lambda found: f"{next(kept for kept in found.groups() if kept is not None)}{MASK}", text)


_remembered: Callable[[str], str] = lru_cache(maxsize=4096)(_masked)


def masked_value(value: Any) -> Any:  # Any: JSON
    """Return a value of JSON with the credentials in its texts replaced, and texts behind a credential's name.

    >>> masked_value({"temperature": 1, "extra_headers": {"X-Api-Key": "abc", "Accept": "text/plain"}})
    {'temperature': 1, 'extra_headers': {'X-Api-Key': '•••', 'Accept': 'text/plain'}}
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [masked_value(one) for one in value]
    if isinstance(value, dict):
        return {masked(str(name)): _behind(str(name), one) for name, one in value.items()}
    return value


def _behind(name: str, value: Any) -> Any:  # Any: JSON
    if isinstance(value, str) and value and is_name(name):
        return MASK
    return masked_value(value)


def may_hold(text: str) -> bool:
    """Return False if a text surely holds no credential: a quick look, before it is taken apart."""
    if len(text) <= LONG:
        return _HINT.search(text) is not None
    # Word by word: for a long text that takes a tenth of the time of a pattern with so many ways to begin.
    lower = text.lower()
    return any(word in lower for word in _WORDS)


def is_name(name: str) -> bool:
    """Return True for the name of a header, setting, argument or key whose value is a credential.

    >>> is_name("X-Api-Key"), is_name("keyboard")
    (True, False)
    """
    return _NAME.fullmatch(name.replace("-", "_")) is not None


def masked_json(text: str) -> str:
    """Return a text of JSON with the credentials in it replaced. It still parses."""
    if not may_hold(text):
        return text
    return json.dumps(masked_value(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def same_but_masked(one: str, other: str) -> bool:
    """Return True if two texts are the same but for credentials, which one of them has lost.

    >>> same_but_masked("Say sk-ant-•••, please", "Say •••, please"), same_but_masked("Say •••", "Sing •••")
    (True, False)
    """
    if MASK not in one and MASK not in other:
        return one == other
    # The part that is kept depends on where it stood: behind a name, as in a header, there is none.
    first, second = (_KEPT_PART.sub(MASK, masked(text)) for text in (one, other))
    return first == second


def is_masked(value: object) -> bool:
    """Return True if a value of JSON has lost a credential."""
    return MASK in json.dumps(value, ensure_ascii=False)
