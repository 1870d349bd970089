"""The gate: silent within a second of stillness, a natural fall, no click, and open with the first motion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streaming.audio.stillness_gate import HOLD_S, OPEN_S, GainRamp, StillnessGate

TICK_S = 0.04
TONE = (0.9 * np.sin(2 * np.pi * 220 * np.arange(64_000) / 32_000)).astype(np.float32)


def gains(still: Sequence[float | None]) -> list[float]:
    gate = StillnessGate()
    return [gate.step(one) for one in still]


def test_it_is_closed_before_the_first_motion_and_open_with_it() -> None:
    assert gains([10.0, 10.0, math.inf, 0.0, 0.02]) == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_full_scale_is_below_minus_60_db_a_second_after_the_last_motion() -> None:
    still = [0.0] * 5 + [tick * TICK_S for tick in range(1, 40)]
    found = gains(still)
    late = [gain for gain, seconds in zip(found, still, strict=True) if seconds >= 0.9]
    assert max(late) <= 10 ** (-60 / 20), "0.1 s are left for the way to the speaker"
    assert found[-1] == 0.0
    assert all(gain == 1.0 for gain, seconds in zip(found, still, strict=True) if seconds <= HOLD_S)
    falling = [gain for gain in found if 1e-3 <= gain < 1.0]
    assert 0.4 <= len(falling) * TICK_S <= 0.6
    assert np.ptp(np.diff(20 * np.log10(falling))) < 1e-6, "evenly in dB, as a room falls silent"


def test_a_lost_camera_fades_and_does_not_cut() -> None:
    assert min(gains([0.0, math.inf, math.inf])) > 0.3


def test_where_nobody_knows_of_stillness_it_stays_open() -> None:
    assert gains([10.0, None, None]) == [0.0, 1.0, 1.0]


def test_the_ramp_follows_the_gains_without_a_click() -> None:
    still = [0.0] * 5 + [tick * TICK_S for tick in range(1, 25)] + [0.0] * 20
    ramp, sounds = GainRamp(), list[np.ndarray]()
    for tick, gain in enumerate(gains(list(still))):
        sounds.append(ramp.step(TONE[tick * 1280 : (tick + 1) * 1280], gain))
    sound = np.concatenate(sounds)
    assert sound.dtype == np.float32
    assert np.abs(np.diff(sound)).max() <= np.abs(np.diff(TONE)).max() * 1.05
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    cut = np.where((np.arange(sound.size) > 21_040) & (np.arange(sound.size) < 37_160), 0.0, TONE[: sound.size])
    hard = np.abs(np.fft.rfft(cut * np.hanning(cut.size))) ** 2
    high = spectrum.size // 4
    assert spectrum[high:].sum() < 1e-3 * hard[high:].sum(), "30 dB less above 4 kHz than a cut"
    assert np.abs(sound[28 * 1280 : 29 * 1280]).max() < 1e-3
    opened = 29 * 1280 + round(OPEN_S * 32_000)
    np.testing.assert_array_equal(sound[opened:], TONE[opened : sound.size])


def test_an_open_gate_passes_the_sound_to_the_bit_and_a_closed_one_is_silent() -> None:
    ramp = GainRamp()
    assert ramp.step(TONE, 1.0) is TONE
    ramp.step(TONE[:1280], 0.0)
    assert not ramp.step(TONE, 0.0).any()
    begins_closed = GainRamp()
    assert not begins_closed.step(TONE, 0.0).any()
