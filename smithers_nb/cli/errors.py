"""The errors of loading a program, apart from the loading: a word that loads none starts without it."""

from __future__ import annotations


class ProgramError(ValueError):
    """A target that names no app, or a notebook that can't be run without Jupyter."""


# Not a ValueError: those are told in a line, and a line would hide where the user's code raised.
class ProgramRaisedError(Exception):
    """The user's own code raised while it was loaded: the cause, whose traceback shows the line to mend."""
