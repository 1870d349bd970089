"""What is loud for a piece: its own forte however soft it is, forgotten slowly; noise is no forte."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from streaming.audio.levels import CLOSE_S, HOLD_S, LevelGate, Loudness, gate_opening


def test_the_loudest_of_a_piece_is_loud_however_soft_it_is() -> None:
    for level_db in (-6.0, -40.0):
        loudness = Loudness()
        assert loudness.hear(level_db, 0.04) == 1.0
        assert loudness.hear(level_db - 15.0, 0.04) == pytest.approx(0.5, abs=0.01)
        assert loudness.hear(level_db - 60.0, 0.04) == 0.0


def test_a_forte_is_forgotten_in_half_a_minute() -> None:
    loudness = Loudness()
    loudness.hear(-6.0, 0.04)
    soft = [loudness.hear(-30.0, 0.04) for _ in range(25 * 25)]
    assert soft[0] == pytest.approx(0.2, abs=0.01)
    assert soft == sorted(soft)
    assert soft[-1] == 1.0


def test_noise_is_no_forte_and_what_is_no_level_is_nothing() -> None:
    loudness = Loudness()
    assert all(loudness.hear(-70.0, 1.0) < 0.2 for _ in range(100))
    assert loudness.hear(math.nan, 0.04) == 0.0
    assert loudness.hear(-math.inf, 0.04) == 0.0
    assert loudness.hear(-45.0, 0.04) == 1.0
    assert gate_opening(-70.0) == 0.0 < gate_opening(-60.0) < gate_opening(-50.0) == 1.0


def test_what_is_heard_stays_awake_between_notes_and_falls_asleep() -> None:
    awake = LevelGate()
    assert awake.hear(-120.0, 0.04) == 0.0, "nothing was heard yet"
    assert awake.hear(-20.0, 0.04) == 1.0
    course = [awake.hear(-120.0, 0.04) for _ in range(int((HOLD_S + CLOSE_S) / 0.04) + 5)]
    assert set(course[: int(HOLD_S / 0.04)]) == {1.0}
    falling = course[int(HOLD_S / 0.04) + 1 :]
    assert all(a > b or a == 0.0 for a, b in pairwise(falling))
    assert course[int((HOLD_S + CLOSE_S) / 0.04) + 2] == 0.0
    assert 0.0 < awake.hear(-60.0, 0.04) < 1.0
    assert awake.hear(float("nan"), 0.04) <= 1.0
