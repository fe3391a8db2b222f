"""The form for a prediction of the next frame, and the outcome of the last one."""

from __future__ import annotations

import json

from ...records import NEW, Prediction
from ...records.words import short
from ...store import predictions as stored
from ..names import Names, names_of
from ..predictions import FrameOutcome, because, frame_outcome, offer, scored, wanted
from ..source import Source
from . import protocol as p

ROWS = 60
"""The most items of a kind in the form, and of all kinds in a result."""


def predicting(source: Source, learner: str) -> p.Predicting:
    """Return the form for the frame that a learner has to predict, and the result of the last one."""
    frame = wanted(source, learner)
    names = names_of(source, source.cursor())
    shown: p.Predicting = {
        "learner": learner,
        "frame": frame,
        "nodes": [],
        "handlers": [],
        "keys": [],
        "more": 0,
        "result": _result(source, learner, names),
    }
    if frame is None:
        return shown
    all_of_it = offer(source)
    # All of them, those too that can't start any more: what is offered must not tell what will come.
    nodes = [_option(f"starts:{id}", names.of(id)) for id in all_of_it.nodes]
    handlers = [_option(f"fires:{id}.{event}", f"{event} of {names.of(id)}") for id, event in all_of_it.handlers]
    keys = [_option(f"writes:{key}", key) for key in all_of_it.keys]
    shown["more"] = sum(max(0, len(options) - ROWS) for options in (nodes, handlers, keys))
    shown["nodes"] = [*nodes[:ROWS], _option(f"starts:{NEW}", "a node that is not in the plan yet")]
    shown["handlers"] = handlers[:ROWS]
    shown["keys"] = [*keys[:ROWS], _option(f"writes:{NEW}", "a new key")]
    return shown


def _option(item: str, label: str) -> p.PredictOption:
    return {"item": item, "label": short(label, 80)}


def _result(source: Source, learner: str, names: Names) -> p.PredictResult | None:
    """Return the outcome of the newest frame that a learner has predicted and that has come to rest."""
    all_of_them = stored.load(source.file.reader, source.head.execution_id)
    said = [one for one in all_of_them if one.learner == learner and one.said is not None]
    for frame in sorted({one.frame for one in said}, reverse=True):
        facts = frame_outcome(source, frame)
        if facts is not None:
            return _of_frame(source, facts, [one for one in said if one.frame == frame], names)
    return None


def _of_frame(source: Source, facts: FrameOutcome, said: list[Prediction], names: Names) -> p.PredictResult:
    frame = said[0].frame
    # What is scored stays so: of a frame that never was flushed, the file has lost the calls and writes.
    by_now = {one.item: one for one in scored(source, (one for one in said if one.was is None))}
    all_of_it = [by_now.get(one.item, one) for one in said]
    # Items that were rightly not expected are most of a large plan, and teach nothing one by one.
    told = [one for one in all_of_it if one.said != "false" or one.was != "false"]
    return {
        "frame": frame,
        "right": sum(one.right is True for one in all_of_it),
        "of": sum(one.right is not None for one in all_of_it),
        "rows": [_row(one, because(facts, source, one), names) for one in told[:ROWS]],
        "quiet": len(all_of_it) - len(told),
        "reached": frame <= source.head.frame,
    }


def _row(one: Prediction, cause: str, names: Names) -> p.PredictRow:
    kind, _, subject = one.item.partition(":")
    return {
        "item": one.item,
        "label": _label(kind, subject, names),
        "said": _said(one.said),
        "was": None if one.was is None else _said(one.was),
        "right": one.right,
        "because": names.in_text(cause),
        "ask": _target(kind, subject),
        "happened": one.was not in ("false", "null", None),
    }


def _label(kind: str, subject: str, names: Names) -> str:
    if subject == NEW:
        return {"starts": "a new node starts", "writes": "a new key is written"}[kind]
    if kind == "fires":
        node, _, event = subject.rpartition(".")
        return f"{event} of {names.of(node)} fires"
    if kind == "starts":
        return f"{names.of(subject)} starts"
    return f"{short(subject, 60)} is written" if kind == "writes" else f"{short(subject, 60)} becomes"


def _said(text: str | None) -> str:
    value = json.loads(text or "null")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return short(text or "null", 80)


def _target(kind: str, subject: str) -> str | None:
    """Return what Why is asked about; None for what has no name."""
    if subject == NEW:
        return None
    return f"state:{subject}" if kind in ("writes", "value") else subject


def refused(predicting: p.Predicting, move: str) -> str:
    """Return why a move is refused until the learner has predicted; "" where it is not."""
    if move not in ("step_frame", "step_phase"):
        return "frames are predicted one at a time here: press Step frame, or run it from a cell."
    if predicting["frame"] is not None:
        return f"predict frame {predicting['frame']} first, or skip it: a step is locked until then."
    return ""
