"""The cases of a sweep: the values that ``vary`` names, each checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from ..engine.state import check_key
from ..errors import NotStorableError, did_you_mean, kind_of
from ..nodes.element import Component, Element
from ..records import Varied
from ..values import Stored, Unstorable, encode

KINDS = ("state", "models", "props", "app")
MOST = 100_000
"""The most branches of a sweep."""
FORMS = "'state.KEY', 'models.NAME', 'props.NAME' or 'app'"


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a factor, such as ``state.topic``."""

    value: Any  # Any: it is the user's
    name: str | None
    """The name of the value, where ``vary`` gives it one."""
    stored: Stored | None
    """The value as it is stored; None where it can't be."""

    @property
    def recorded(self) -> dict[str, Any]:
        """The choice as its row has it, which tells it from others."""
        found: dict[str, Any] = {}
        if self.name is not None:
            found["name"] = self.name
        if self.stored is not None:
            found |= {"value": json.loads(self.stored.text), "type": self.stored.type}
        return found


@dataclass(frozen=True, slots=True)
class SweepCase:
    """The values that one branch has, by factor: ``state.topic``, ``app`` …"""

    choices: Mapping[str, Choice]

    @property
    def varied(self) -> Varied:
        """The case as its row has it."""
        return {factor: choice.recorded for factor, choice in self.choices.items()}

    @property
    def key(self) -> str:
        """A text that tells it from other cases: 1, "1" and True are three values."""
        return key_of(self.varied)

    def of(self, kind: str) -> dict[str, Choice]:
        """Return the choices of a kind, by the name after the dot."""
        return {
            factor.partition(".")[2]: choice
            for factor, choice in self.choices.items()
            if factor.partition(".")[0] == kind
        }

    @property
    def app(self) -> Choice | None:
        """The app, if it is varied."""
        return self.choices.get("app")


def key_of(varied: Varied) -> str:
    """Return a text that tells a case from other cases."""
    return json.dumps(varied, sort_keys=True, ensure_ascii=False)


@dataclass(slots=True)
class SweepCases:
    """The cases that ``vary`` makes, and its mistakes."""

    cases: list[SweepCase] = field(default_factory=list)
    factors: dict[str, list[Choice]] = field(default_factory=dict)
    """The choices of each factor, also where a mistake elsewhere leaves no case."""
    wrong: list[str] = field(default_factory=list)
    """The mistakes in words: a call names them all at once."""


def cases_of(vary: object) -> SweepCases:
    """Return the cases that ``vary`` makes: a dict the product of its values, a list of dicts just those."""
    found = SweepCases()
    wrong = found.wrong
    if isinstance(vary, Mapping):
        named = [factor for factor in vary if _named(factor, wrong)]
        found.factors = {factor: _choices(factor, vary[factor], wrong) for factor in named}
        # The product is not made before its size is known.
        if (count := prod(map(len, found.factors.values()))) > MOST:
            wrong.append(f"vary makes {count:,} cases; a sweep has at most {MOST:,} branches")
            return found
        found.cases = [SweepCase(dict(zip(named, chosen, strict=True))) for chosen in product(*found.factors.values())]
    elif isinstance(vary, Iterable) and not isinstance(vary, str | bytes):
        found.cases = [*_listed(vary, wrong)]
        for case in found.cases:
            for factor, choice in case.choices.items():
                found.factors.setdefault(factor, []).append(choice)
        if not found.cases and not wrong:
            wrong.append("vary=[] has no case; a list of dicts names each: [{'state.topic': 'bees'}]")
    else:
        wrong.append(f"vary={vary!r:.60} is {kind_of(vary)}; it takes a dict of lists, or a list of dicts")
    wrong += _twice(found.cases)
    return found


def _listed(vary: Iterable[object], wrong: list[str]) -> Iterator[SweepCase]:
    for place, given in enumerate(vary):
        if not isinstance(given, Mapping):
            wrong.append(f"vary[{place}]={given!r:.60} is {kind_of(given)}; each case is a dict: {{'state.topic': …}}")
            continue
        chosen = {}
        for factor, value in given.items():
            if _named(factor, wrong):
                found = _choice_of_case(factor, value)
                if isinstance(found, str):
                    wrong.append(f"vary[{place}][{factor!r}] {found}")
                else:
                    chosen[factor] = found
        yield SweepCase(chosen)


def _choice_of_case(factor: str, value: object) -> Choice | str:
    # A state or a prop may be a dict itself; an app and a model object need one, for their name.
    kind = factor.partition(".")[0]
    if kind in ("app", "models") and isinstance(value, Mapping):
        if len(value) != 1:
            return f"has {len(value)} names; a case takes one value: {{'short': Short}}"
        [(name, value)] = value.items()
        return _choice(factor, value, name)
    return _choice(factor, value, None)


def _named(factor: object, wrong: list[str]) -> bool:
    """Return whether a key of ``vary`` names something that can be varied."""
    if not isinstance(factor, str):
        wrong.append(f"vary has the key {factor!r:.60}, which is {kind_of(factor)}; a key is {FORMS}")
        return False
    kind, dot, name = factor.partition(".")
    if factor == "app" or (kind in KINDS[:3] and dot and name):
        return True
    near = did_you_mean(kind, KINDS) or did_you_mean(factor, KINDS)
    wrong.append(f"{factor!r:.60} can't be varied: a key is {FORMS}.{near}")
    return False


def _choices(factor: str, values: object, wrong: list[str]) -> list[Choice]:
    """Return the values of a factor; a dict gives each a name."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        what = "a list of values, or a dict of named ones"
        wrong.append(f"{factor}={values!r:.60} is {kind_of(values)}; it takes {what}")
        return []
    # An app or a model object has no JSON to be told by: a dict gives it a name.
    named: Iterable[tuple[Any, Any]] = ((None, value) for value in values)
    if isinstance(values, Mapping):
        named = values.items()
    found = []
    # Not by len(): a generator, or a column of a DataFrame, may give the values.
    empty = True
    for place, (name, value) in enumerate(named):
        empty = False
        choice = _choice(factor, value, name)
        if isinstance(choice, str):
            wrong.append(f"{factor}[{name or place!r}] {choice}")
        else:
            found.append(choice)
    if empty:
        wrong.append(f"{factor} has no value: an empty list makes no branch")
    return found


def _choice(factor: str, value: Any, name: object) -> Choice | str:
    """Return a value of a factor, or the mistake in it, in words."""
    if name is not None and (not isinstance(name, str) or not name.strip()):
        return f"has the name {name!r:.60}; a name is a text with something in it"
    kind, _, key = factor.partition(".")
    check = {"state": _of_state, "models": _of_models, "props": _of_props, "app": _of_app}[kind]
    return check(key, value, name)


def _of_state(key: str, value: Any, name: str | None) -> Choice | str:
    try:
        check_key(key)
        return Choice(value, name, encode(value, key))
    except NotStorableError as error:
        return f"can't be set: {error}"
    except Unstorable as why:
        return f"can't be stored: {why}"


def _of_props(key: str, value: Any, name: str | None) -> Choice | str:
    try:
        return Choice(value, name, encode(value, key))
    except Unstorable as why:
        if name is None:
            return f"can't be stored: {why}. Give it a name: {{'props.{key}': {{'one': …}}}}"
        return Choice(value, name, None)


def _of_models(key: str, value: Any, name: str | None) -> Choice | str:
    if isinstance(value, str):
        if not value.strip():
            return "is an empty text; a model is named like 'haiku' or 'openai:gpt-5'"
        return Choice(value, name, encode(value))
    if name is None:
        return f"is {kind_of(value)} and has no name. Give it one: {{'models.{key}': {{'fast': …}}}}"
    return Choice(value, name, None)


def _of_app(_key: str, value: Any, name: str | None) -> Choice | str:
    if name is None and isinstance(value, Component):
        return Choice(value, value.name, None)
    if name is None:
        return f"is {kind_of(value)} and has no name. Give it one: {{'app': {{'short': …}}}}"
    if value is None or isinstance(value, str | int | float | bytes | Mapping):
        return f"is {kind_of(value)}; an app is a component, an element, a node or a list of these"
    return Choice(value, name, None)


def _twice(cases: list[SweepCase]) -> list[str]:
    seen: set[str] = set()
    found = []
    for case in cases:
        if case.key in seen:
            shown = ", ".join(f"{factor}={shown_value(one)}" for factor, one in case.varied.items())
            found.append(f"the case {shown or 'that varies nothing'} is there twice; repeat= runs each several times")
        seen.add(case.key)
    return found


def shown_value(recorded: Mapping[str, Any]) -> Any:  # Any: JSON
    """Return a choice as a table shows it: its name, or else its value."""
    return recorded.get("name", recorded.get("value"))


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that the branches know."""

    keys: frozenset[str]
    """State keys that are recorded, or set at the beginning."""
    models: frozenset[str]
    """Models that are recorded, or replaced already."""
    texts: frozenset[str]
    """All texts in the code: a key or a model that is named there is known, too."""


def unknown(factors: Iterable[str], known: KnownNames, apps: Iterable[object]) -> Iterator[str]:
    """Yield the factors that nothing knows, in words."""
    # Texts in the code stand for all keys and models that it may name: a plan that is rendered later is not known yet.
    components = [app.component if isinstance(app, Element) else app for app in apps]
    for factor in factors:
        kind, _, name = factor.partition(".")
        if kind == "state" and name not in known.keys | known.texts:
            near = did_you_mean(name, known.keys)
            yield (
                f"{factor}: nothing reads or writes the state key {name!r}.{near} A key whose name is made at run time "
                "is known once state= has it"
            )
        elif kind == "models" and name not in known.models | known.texts:
            there = ", ".join(sorted(known.models)) or "none"
            yield f"{factor}: no agent names the model {name!r}.{did_you_mean(name, known.models)} Known: {there}"
        elif kind == "props":
            for component in components:
                if not isinstance(component, Component):
                    yield f"{factor}: the app is {kind_of(component)}, and props go with a component"
                elif not component.takes(name):
                    taken = ", ".join(component.props) or "none"
                    near = did_you_mean(name, component.props)
                    yield f"{factor}: <{component.name}> has no prop {name!r}.{near} It takes: {taken}"
