"""The tempo of taps: of the last eight intervals, anew after a pause."""

from __future__ import annotations

import pytest

from streaming.timing.tap_tempo import LONGEST_NS, TapTempo

MS = 1_000_000


def tapped(*at_ms: float) -> float | None:
    taps = TapTempo()
    for one in at_ms:
        tempo = taps.tap(round(one * MS))
    return tempo


def test_one_tap_is_no_tempo_and_two_are() -> None:
    assert tapped(1000) is None
    assert tapped(1000, 1500) == 120.0


def test_uneven_taps_are_evened_out() -> None:
    assert tapped(0, 520, 980, 1530, 1990, 2500) == 120.0


def test_only_the_last_intervals_count() -> None:
    slow = [1000.0 * n for n in range(10)]
    assert tapped(*slow, *(9000 + 500.0 * n for n in range(1, 9))) == 120.0


@pytest.mark.parametrize("pause_ms", [LONGEST_NS / MS + 1, -400])
def test_a_pause_or_a_clock_that_goes_back_begins_anew(pause_ms: float) -> None:
    assert tapped(0, 500, 1000, 1000 + pause_ms) is None
    assert tapped(0, 500, 1000, 1000 + pause_ms, 1000 + pause_ms + 600) == 100.0
