"""The beginning of a sweep, and taking one up again: everything is checked before anything runs."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..agents.runner import Runner
from ..bridge import engine
from ..engine.code import code_hash, name_of, texts_of
from ..errors import AppChangedWarning, PropError, SweepError, did_you_mean, kind_of
from ..fork import loaded_props, stored_props
from ..nodes.element import Component, Element
from ..nodes.runnable import Claude
from ..records import REUSED, Durability, SweepBranch, SweepOptions, SweepRecord, Varied
from ..run import RUNNER, Run, Setup, Until, bring_up, compiled, root_with
from ..store import sweeps
from ..store.connection import Database
from ..store.fork import ForkPoint, fork_point
from ..store.reader import Reader
from ..values import Stored, opened
from .cases import MOST, Choice, KnownNames, SweepCase, cases_of, unknown
from .running import Work
from .scores import Scorable, scorer_of, wrong_score
from .sweep import Means, Sweep

H = TypeVar("H", bound=Scorable)
T = TypeVar("T")
Histories = Callable[[str], H]


@dataclass(frozen=True, kw_only=True)
class SweepCall:
    """The arguments of a call of ``sweep`` that the one on executions of their own and the one on branches share."""

    vary: object
    repeat: object
    score: object
    until: Until | None
    limits: dict[str, float] | None
    """Limits of all branches together, checked; None where each has its own."""
    max_parallel: int
    name: str | None
    progress: bool
    reuse: tuple[str, ...] | None = None
    """The answers that branches take from the file; None for all, or those that repeats may have."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """All that the branches of a sweep have in common."""

    setup: Setup
    app: object
    """The app that is not varied, without its props if it is a component."""
    seed: int
    durability: Durability
    props: Mapping[str, Any] | None  # Any: they are the user's
    state: Mapping[str, Stored]
    title: str
    """The name of the execution or app that is swept over, and so the beginning of the name of the sweep."""
    point: ForkPoint | None = None
    beside: Run | None = None
    replaced: tuple[str, ...] = ()

    def root(self, case: SweepCase) -> object:
        """Return the root of the plan of a case.

        Raises:
            PropError: if its app does not take the props.
        """
        app = self.app
        if case.app is not None:
            app = case.app.value
        varied = {name: choice.value for name, choice in case.of("props").items()}
        if isinstance(app, Component):
            own = self.props or {}
            if case.app is not None:
                # Apps that are compared need not take the same props.
                own = {name: value for name, value in own.items() if app.takes(name)}
            return root_with(app, {**own, **varied})
        if isinstance(app, Element) and varied:
            made = root_with(app.component, {**app.props, **varied})
            assert isinstance(made, Element)  # for the type checker: a component makes one
            return replace(made, key=app.key, children=app.children)
        return root_with(app, varied)


def begin(asked: SweepCall, ground: Ground, known: KnownNames, history: Histories[H]) -> Sweep[H]:
    """Return a sweep that is in the file: a new one, or the one that the same call has made before.

    Raises:
        SweepError: naming everything that is wrong with the call. Nothing was made then.
    """
    cases = _checked(asked, ground, known)
    repeat = _repeat(asked.repeat)
    reuse = _reused(asked.reuse, repeat)
    sweep = _record(asked, ground, cases, repeat=repeat, reuse=reuse)
    path = ground.setup.path
    # Only now: a call that is refused leaves no file behind.
    engine.call(bring_up(path))
    reader = Reader(path)
    while True:
        # The name first: who has taken one before it was looked for is found below.
        name = asked.name or _free(reader, f"{ground.title} sweep")
        found = sweeps.find_sweep(reader, name=asked.name, definition=sweep.definition, code_hash=sweep.code_hash)
        if found is not None:
            sweep = _taken_up(path, found, sweep)
            break
        sweep = replace(sweep, name=name)
        if engine.call(_written(path, sweeps.add_sweep, sweep, [*_branches(sweep, cases, repeat)])):
            break
        # Another process has taken the name meanwhile, perhaps for the same call.
    work = _work(sweep, ground, cases, until=asked.until, max_parallel=asked.max_parallel)
    return Sweep(reader, sweep.name, Means(work=work, score=asked.score, progress=asked.progress), history)


def over_run(
    run: Run, asked: SweepCall, *, frame: int | None, runner: Runner | None, history: Histories[H]
) -> Sweep[H]:
    """Return a sweep over branches of a run, with its runner or another; see ``Execution.sweep``."""
    _refuse_workers(runner)
    reader = Reader(run.setup.path)
    point = fork_point(reader, run.execution_id, frame)
    keys, models = sweeps.known_names(reader, run.execution_id)
    app, props = run.setup.app, None
    if isinstance(app, Element):
        props = app.props
    setup = replace(run.setup, runner=runner or run.setup.runner)
    # As in fork: limits= replaces those of the parent.
    if asked.limits is not None:
        setup = replace(setup, limits={})
    ground = Ground(
        setup=setup,
        app=app,
        seed=run.row.seed,
        durability=run.row.durability,
        props=props,
        state={},
        title=run.name,
        point=point,
        beside=run,
    )
    known = known_of(asked.vary, app, keys=keys, models={*models, *setup.models})
    return begin(asked, ground, known, history)


def recorded(
    reader: Reader,
    name: str,
    history: Histories[H],
    *,
    app: object,
    props: Mapping[str, Any] | None,
    models: Mapping[str, Any],
    runner: Runner,
    asked: SweepCall,
) -> Sweep[H]:
    """Return a sweep of a file, which can be run further where its app is given; see ``Store.sweep``."""
    if (wrong := wrong_score(asked.score)) is not None:
        raise SweepError(wrong)
    found = sweeps.sweep_of(reader, name)
    work = None
    if app is not None:
        if found.parent_id is not None:
            _refuse_workers(runner)
        work = _work_again(reader, found, app=app, props=props, models=models, asked=asked)
        work = replace(work, setup=replace(work.setup, runner=runner))
    return Sweep(reader, name, Means(work=work, score=asked.score, progress=asked.progress), history)


def _refuse_workers(runner: Runner | None) -> None:
    """Refuse a runner on workers for branches.

    Raises:
        SweepError: with the call that takes it.
    """
    if getattr(runner, "outlives", False):
        raise SweepError(
            f"runner={runner!r} can't run branches of an execution: they take answers and results of tools from its "
            "file, which workers can't read. Leave it out, or let smithers_nb.sweep(App, …, runner=…) make executions "
            "of their own, which workers run whole."
        )


# ---- checks ------------------------------------------------------------------------------------------------------


def _checked(asked: SweepCall, ground: Ground, known: KnownNames) -> list[SweepCase]:
    """Return the cases.

    Raises:
        SweepError: naming everything that is wrong.
    """
    found = cases_of(asked.vary)
    cases, wrong = found.cases, found.wrong
    apps = [choice.value for choice in found.factors.get("app", ())]
    if not apps or any(case.app is None for case in cases):
        apps.append(ground.app)
    # Every app of the product has to take the props, and so has this one's own where a case names none.
    wrong += unknown(found.factors, known, apps)
    try:
        repeat = _repeat(asked.repeat)
        if len(cases) * repeat > MOST:
            wrong.append(f"repeat={repeat} makes {len(cases) * repeat:,} branches; a sweep has at most {MOST:,}")
        _reused(asked.reuse, repeat)
    except SweepError as error:
        wrong.append(str(error))
    if (of_score := wrong_score(asked.score)) is not None:
        wrong.append(of_score)
    if isinstance(asked.until, str) and not asked.until.isidentifier():
        try:
            compiled(asked.until)
        except ValueError as error:
            wrong.append(str(error))
    # Wrong props would be named twice, and so would what they lead to.
    if not wrong:
        wrong = list(dict.fromkeys(_refused(cases, ground)))
    if wrong:
        raise SweepError("the sweep can't be run, and nothing has begun: " + "; ".join(wrong) + ".")
    return cases


def _refused(cases: Iterable[SweepCase], ground: Ground) -> Iterable[str]:
    for case in cases:
        try:
            ground.root(case)
        except PropError as error:
            yield str(error)


def _repeat(repeat: object) -> int:
    if isinstance(repeat, bool) or not isinstance(repeat, int):
        raise SweepError(f"repeat={repeat!r:.60} is {kind_of(repeat)}; it takes a whole number from 1")
    if repeat < 1:
        raise SweepError(f"repeat={repeat} is too small; it takes a whole number from 1")
    return repeat


def _reused(reuse: tuple[str, ...] | None, repeat: int) -> tuple[str, ...]:
    """Return what branches take from the file: repeats are fresh samples, and ask their models."""
    if reuse is None:
        # A repeat that took the recorded answer would be no sample.
        if repeat > 1:
            return ()
        return REUSED
    if repeat > 1 and "agents" in reuse:
        raise SweepError(
            f"repeat={repeat} asks for fresh answers, and reuse= has 'agents': each repeat would be the same. Leave "
            "out one of them; reuse=['approvals'] goes with repeats"
        )
    return reuse


def known_of(vary: object, app: object, *, keys: Iterable[str], models: Iterable[str]) -> KnownNames:
    """Return the names that an app knows, with those in the code of the apps that ``vary`` has."""
    texts = texts_of(app)
    if isinstance(vary, Mapping) and isinstance(vary.get("app"), Mapping | list | tuple):
        texts |= texts_of(vary["app"])
    elif isinstance(vary, list | tuple):
        texts |= texts_of([one["app"] for one in vary if isinstance(one, Mapping) and "app" in one])
    named = {str(name) for name in models}
    if Claude.__name__ in texts or isinstance(app, Claude):
        named.add(str(Claude.model_fields["model"].default))
    return KnownNames(keys=frozenset(keys), models=frozenset(named), texts=frozenset(texts))


# ---- the record --------------------------------------------------------------------------------------------------


def _record(
    asked: SweepCall, ground: Ground, cases: Sequence[SweepCase], *, repeat: int, reuse: tuple[str, ...]
) -> SweepRecord:
    setup, until = ground.setup, asked.until
    point: tuple[str | None, int | None] = None, None
    if ground.point is not None:
        point = (ground.point.execution_id, ground.point.frame)
    options = SweepOptions(
        limits=asked.limits or {},
        branch_limits=setup.limits,
        until=until if isinstance(until, str) else None,
        until_function=callable(until),
        max_frames=setup.max_frames,
        max_parallel=asked.max_parallel,
        max_agents=setup.max_agents,
        strict_effects=setup.strict_effects,
        seed=ground.seed,
        durability=ground.durability,
        props=_props_of(ground),
        state={key: (value.text, value.type) for key, value in ground.state.items()},
        models=tuple(sorted(setup.models)),
    )
    # Not the limits: the same call with higher ones continues what they had starved. Nor the code: a sweep that has a
    # name continues with mended code, and says so.
    definition = [
        *point, name_of(ground.app), [case.key for case in cases], repeat, reuse, options.until,
        scorer_of(until) if callable(until) else None, options.max_frames, options.seed, options.props,
        options.state, options.models,
    ]  # fmt: skip
    return SweepRecord(
        name="",
        parent_id=point[0],
        frame=point[1],
        app=name_of(ground.app),
        code_hash=_code_of(ground.app, cases),
        definition=_hash(json.dumps(definition, sort_keys=True)),
        reuse=reuse,
        options=options,
    )


def _props_of(ground: Ground) -> str | None:
    if isinstance(ground.app, Component):
        return stored_props(Element(ground.app, dict(ground.props or {})))
    return stored_props(ground.app)


def _code_of(app: object, cases: Iterable[SweepCase]) -> str:
    # Sorted by name: the order of a dict is no difference.
    apps = {one.app.name or "": one.app.value for one in cases if one.app is not None}
    if any(one.app is None for one in cases):
        apps[""] = app
    return _hash("\n".join(f"{name} {code_hash(apps[name])}" for name in sorted(apps)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _branches(sweep: SweepRecord, cases: Sequence[SweepCase], repeat: int) -> Iterable[SweepBranch]:
    number = 0
    for case in cases:
        for turn in range(1, repeat + 1):
            # From what it is, so that a later process finds the execution that this one has begun.
            id = _hash("\n".join((sweep.name, sweep.definition, case.key, str(turn))))
            yield SweepBranch(number, id, case.varied, turn)
            number += 1


def _free(reader: Reader, title: str) -> str:
    taken = sweeps.sweep_names(reader)
    name, number = title, 2
    while name in taken:
        name, number = f"{title}~{number}", number + 1
    return name


def _taken_up(path: str, found: SweepRecord, asked: SweepRecord) -> SweepRecord:
    """Return the sweep of a file that a call continues, with the limits of the call.

    Raises:
        SweepError: if the call asks for something else.
    """
    if found.definition != asked.definition:
        where = f"the app {found.app}"
        if found.parent_id:
            where = f"frame {found.frame} of {found.parent_id}"
        raise SweepError(
            f"the file has a sweep {found.name!r} over {where} already, of another call: what is varied, repeat, "
            "reuse, until, the frame, the props, the state or the models differ. Give this one another name; "
            f"store.sweep({found.name!r}) has the recorded one."
        )
    _tell_changes(found, asked.code_hash)
    if found.options.limits != asked.options.limits:
        engine.call(_written(path, sweeps.set_limits, found.name, asked.options.limits))
    return replace(found, options=asked.options)


def _tell_changes(found: SweepRecord, code: str) -> None:
    if found.code_hash != code:
        warnings.warn(
            AppChangedWarning(
                f"the code of sweep {found.name!r} is not what ran before: branches that have ended stay as they are, "
                "and the missing ones run with the new code. Another name= makes a sweep of the new code alone."
            ),
            stacklevel=6,
        )


async def _written(path: str, work: Callable[..., T], *given: Any) -> T:
    database = await Database.open(path)
    try:
        return await database.transaction(work, *given)
    finally:
        await database.close()


# ---- the work ----------------------------------------------------------------------------------------------------


def _work(
    sweep: SweepRecord, ground: Ground, cases: Iterable[SweepCase], *, until: Until | None, max_parallel: int
) -> Work:
    return Work(
        sweep=sweep,
        setup=ground.setup,
        cases={case.key: case for case in cases},
        root=ground.root,
        state=ground.state,
        point=ground.point,
        beside=ground.beside,
        replaced=ground.replaced,
        until=until,
        max_parallel=max_parallel,
    )


def _work_again(
    reader: Reader,
    sweep: SweepRecord,
    *,
    app: object,
    props: Mapping[str, Any] | None,
    models: Mapping[str, Any],
    asked: SweepCall,
) -> Work:
    """Return the work of a recorded sweep, whose named values are given again under their names.

    Raises:
        SweepError: naming everything that is missing.
    """
    options = sweep.options
    varied = [one.branch.varied for one in sweeps.outcomes(reader, sweep.name)]
    given = {"app": app, "models": models, "props": props or {}}
    cases, wrong = _cases_again(varied, given)
    if options.until_function and asked.until is None:
        wrong.append(f"a function ends its branches: store.sweep({sweep.name!r}, until=…)")
    factors = {factor for case in cases for factor in case.choices}
    plain = {name: model for name, model in models.items() if f"models.{name}" not in factors}
    if missing := [name for name in options.models if name not in models and f"models.{name}" not in factors]:
        wrong.append(f"models={{…}} lacks {', '.join(missing)}, which every branch replaces")
    if wrong:
        raise SweepError(f"sweep {sweep.name!r} can't be taken up: " + "; ".join(wrong) + ".")
    until = asked.until or options.until
    limits = dict(options.limits)
    if asked.limits is not None:
        limits = asked.limits
    base = app
    if "app" in factors:
        base = next(case.app.value for case in cases if case.app is not None)
    own = {name: value for name, value in (props or {}).items() if f"props.{name}" not in factors}
    ground = _ground_again(reader, sweep, app=base, props=own, models=plain)
    if wrong := list(dict.fromkeys(_refused(cases, ground))):
        raise SweepError(f"sweep {sweep.name!r} can't be taken up: " + "; ".join(wrong) + ".")
    _tell_changes(sweep, _code_of(base, cases))
    engine.call(bring_up(reader.path))
    sweep = replace(sweep, options=replace(options, limits=limits))
    return _work(sweep, ground, cases, until=until, max_parallel=asked.max_parallel)


def _ground_again(
    reader: Reader, sweep: SweepRecord, *, app: object, props: Mapping[str, Any], models: Mapping[str, Any]
) -> Ground:
    """Return the parts that the branches of a recorded sweep have in common, with the options that were given again."""
    options = sweep.options
    if options.props is not None:
        props = {**loaded_props(options.props), **props}
    return Ground(
        setup=Setup(
            app=app,
            path=reader.path,
            models=dict(models),
            limits=dict(options.branch_limits),
            max_agents=options.max_agents,
            runner=RUNNER,
            max_frames=options.max_frames,
            strict_effects=options.strict_effects,
        ),
        app=app,
        seed=options.seed,
        durability=options.durability,
        props=props,
        state={key: Stored(*value) for key, value in options.state.items()},
        title=sweep.name,
        point=ForkPoint(sweep.parent_id, sweep.frame or 0) if sweep.parent_id is not None else None,
        replaced=tuple(models),
    )


def _cases_again(varied: Iterable[Varied], given: Mapping[str, Any]) -> tuple[list[SweepCase], list[str]]:
    """Return the cases of a recorded sweep, and the parts that they lack, in words."""
    found: dict[str, SweepCase] = {}
    wrong: dict[str, None] = {}
    for one in varied:
        choices = {}
        for factor, recorded in one.items():
            choice = _choice_again(factor, recorded, given)
            if isinstance(choice, str):
                wrong[choice] = None
            else:
                choices[factor] = choice
        case = SweepCase(choices)
        found[case.key] = case
    return list(found.values()), list(wrong)


def _choice_again(factor: str, recorded: Mapping[str, Any], given: Mapping[str, Any]) -> Choice | str:
    name = recorded.get("name")
    if "type" in recorded:
        text = json.dumps(recorded["value"], ensure_ascii=False, separators=(",", ":"))
        stored = Stored(text, recorded["type"])
        return Choice(opened(stored, f"the value of {factor}", "make another sweep"), name, stored)
    kind, _, key = factor.partition(".")
    values, where = given[kind], "app="
    if kind != "app":
        values, where = given[kind].get(key), f"{kind}={{{key!r}: …}}"
    # A component is named by itself where a list of cases had it.
    if isinstance(values, Component) and values.name == name:
        values = {name: values}
    if not isinstance(values, Mapping) or name not in values:
        near = ""
        if isinstance(values, Mapping):
            near = did_you_mean(str(name), [str(one) for one in values])
        return (
            f"{factor} has the value {name!r}, which is not in the file: give it again, {where}{{{name!r}: …}}.{near}"
        )
    return Choice(values[name], name, None)
