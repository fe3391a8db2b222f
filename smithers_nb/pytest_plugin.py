"""The pytest plugin: a fixture for tests that ``ex.keep`` has written, and nothing more.

pytest imports it in every run of an environment that has smithers_nb: what a run without such a test does not need is
imported in the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from .player.kept import KeptRun


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--smithers-player``."""
    group = parser.getgroup("smithers_nb", "runs kept by smithers_nb")
    group.addoption(
        "--smithers-player",
        metavar="DIR",
        help="where a kept run differs, write the pages of the recorded run and of the present one there",
    )


@pytest.fixture
def kept_run(request: pytest.FixtureRequest) -> Callable[..., KeptRun]:
    """Return a function that replays a recording with the code of now, and fails the test where something differs."""

    def replayed(
        recording: str,
        app: object,
        *,
        props: Mapping[str, Any] | None = None,
        tasks: Literal["recorded", "run"] = "recorded",
    ) -> KeptRun:
        from .player.kept import Differs, replayed

        folder = request.config.getoption("--smithers-player")
        players = Path(folder) if folder else None
        try:
            return replayed(request.path.parent / recording, app, props=props, tasks=tasks, players=players)
        except Differs as differs:
            told = str(differs)
        # Without a traceback: it would lead through the engine, and the message names the place. Not while the error is
        # handled: pytest would show it a second time, as the context.
        pytest.fail(told, pytrace=False)

    return replayed
