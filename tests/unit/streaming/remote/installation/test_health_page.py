"""What is well, what is missing, and which status says so."""

from __future__ import annotations

import pytest

from streaming.remote.installation.health_page import health_of
from tests.unit.streaming.remote.installation.statuses import status


@pytest.mark.parametrize(
    ("states", "code", "word"),
    [
        ({}, 200, "ok"),
        ({"scene": "lost"}, 200, "degraded"),
        ({"camera": "no device"}, 503, "failing"),
        ({"screen": "restarting", "console": "lost"}, 503, "failing"),
    ],
)
def test_the_status_says_what_is_missing(states: dict[str, str], code: int, word: str) -> None:
    found, answer = health_of(status(**states))
    assert (found, answer["status"]) == (code, word)
    assert sorted(answer["problems"]) == sorted(f"{name}: {state}" for name, state in states.items())
    assert answer["restarts"] == {"speaker": 2}


def test_a_show_that_gets_ready_is_not_well_yet() -> None:
    code, answer = health_of(status(False, camera="setup"))
    assert (code, answer["status"], answer["elapsed_s"]) == (503, "starting", None)


def test_a_supervisor_that_does_not_answer() -> None:
    assert health_of(None) == (503, {"status": "unknown", "problems": ["the supervisor does not answer"]})
