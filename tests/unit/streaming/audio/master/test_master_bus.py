"""The master bus: one gain for both sides, the ceiling in stereo, and the plain mono way."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.master.master_bus import MasterBus, both_sides
from streaming.audio.true_peak_limiter import CEILING_DB, DELAY_SAMPLES, TruePeakLimiter

PLAIN = {"volume": 0.0, "mute": 0.0, "panic": 0.0, "fade": 0.05, "width": 0.0, "room": 0.0}
RATE, TICK = 32_000, 1_280


def noise(ticks: int, level: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, level, ticks * TICK).astype(np.float32)


def test_a_plain_show_is_the_mono_sound_to_the_bit_a_little_later() -> None:
    bus, sound = MasterBus(PLAIN), noise(4, 0.05)
    parts = [bus.step(sound[at : at + TICK], 1.0, 0.0) for at in range(0, sound.size, TICK)]
    assert all(part.side is None for part in parts)
    np.testing.assert_array_equal(
        np.concatenate([part.middle for part in parts])[DELAY_SAMPLES:], sound[:-DELAY_SAMPLES]
    )


def test_neither_side_passes_the_ceiling_and_both_have_one_gain() -> None:
    bus, sound = MasterBus({**PLAIN, "volume": 6.0, "width": 1.0, "room": 0.5}), noise(25, 0.5)
    most = 0.0
    for at in range(0, sound.size, TICK):
        sides = bus.step(sound[at : at + TICK], 1.0, 0.0).left_right()
        assert np.abs(sides).max() <= 10 ** (CEILING_DB / 20) * 1.0001
        most = max(most, bus.reduction_db)
    assert most > 3.0
    limiter = TruePeakLimiter()
    loud_left = np.stack([2.0 * np.ones(TICK, np.float32), 0.1 * np.ones(TICK, np.float32)])
    left, right = limiter.step(loud_left)[:, 200:]
    np.testing.assert_allclose(right / left, 0.05, rtol=1e-3)


def test_width_comes_and_goes_while_it_plays_without_a_jump() -> None:
    bus = MasterBus(PLAIN)
    tone = (0.2 * np.sin(2 * np.pi * 330 * np.arange(50 * TICK) / RATE)).astype(np.float32)
    sides = []
    for tick in range(50):
        if tick in (10, 30):
            bus.obey({**PLAIN, "width": 1.0 if tick == 10 else 0.0})
        sides.append(bus.step(tone[tick * TICK : (tick + 1) * TICK], 1.0, 0.0).left_right())
    heard = np.concatenate(sides, axis=1)
    assert np.abs(np.diff(heard[:, DELAY_SAMPLES:], axis=1)).max() < 0.03, "a tone of 330 Hz moves by 0.013 a sample"
    assert np.abs(heard[0] - heard[1])[15 * TICK : 30 * TICK].max() > 0.05
    np.testing.assert_array_equal(heard[0, 35 * TICK :], heard[1, 35 * TICK :])


@pytest.mark.parametrize("side", [None, np.full(3, 0.25, np.float32)])
def test_both_sides_are_sum_and_difference(side: np.ndarray | None) -> None:
    left, right = both_sides(np.full(3, 0.5, np.float32), side)
    assert (float(left[0]), float(right[0])) == ((0.5, 0.5) if side is None else (0.75, 0.25))
