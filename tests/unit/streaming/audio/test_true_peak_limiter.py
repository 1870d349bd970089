"""The limiter: its ceiling, measured by two other interpolations, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from streaming.audio.true_peak_limiter import CEILING_DB, DELAY_SAMPLES, TruePeakLimiter

SECOND = 32_000
TIME = np.arange(SECOND) / SECOND
# The four phases of ITU-R BS.1770, annex 2; the last two are the first two in reverse.
PHASES = np.array(
    [
        [0.00170898, 0.01098633, -0.01965332, 0.03320313, -0.05944824, 0.13732910],
        [0.97216797, -0.10229492, 0.04760742, -0.02661133, 0.01489258, -0.00830078],
        [-0.02917480, 0.02929688, -0.05175781, 0.08911133, -0.16650391, 0.46508789],
        [0.77978516, -0.20031738, 0.10156250, -0.05822754, 0.03308105, -0.01892090],
    ]
).reshape(2, 12)


def true_peak_db(sound: NDArray[np.float32]) -> float:
    """The larger of the standard's true peak and that of a long filter, in dB of full scale."""
    padded = np.pad(sound.astype(np.float64), 200)
    peaks = [np.abs(np.convolve(padded, kernel)).max() for phase in PHASES for kernel in (phase, phase[::-1])]
    peaks.append(np.abs(resample_poly(padded, 4, 1, window=("kaiser", 8.0))).max())
    return float(20 * np.log10(max(peaks)))


def loud_sounds() -> dict[str, NDArray[np.float32]]:
    """Sounds that exceed full scale by 6 dB and more in many ways; each ends in silence."""
    rng = np.random.default_rng(0)
    sounds = {
        "noise": rng.normal(0, 1, SECOND),
        "two levels": rng.choice([-2.0, 2.0], SECOND),
        "between the samples": 2 * np.sin(0.5 * np.pi * np.arange(SECOND) + 0.25 * np.pi),
        "square": 2 * np.sign(np.sin(2 * np.pi * 441 * TIME)),
        "clicks": np.where(rng.random(SECOND) < 0.002, 2.0, 0.0) * rng.choice([-1, 1], SECOND),
        "sweep": 2 * np.sin(2 * np.pi * (20 + 7900 * TIME) * TIME),
        "high": 2 * np.sin(2 * np.pi * 14_500 * TIME),
        "hits": np.exp(-(TIME % 0.25) / 0.03) * rng.normal(0, 1.2, SECOND),
        "bursts": np.where(TIME % 0.1 < 0.005, 2 * np.sin(2 * np.pi * 3000 * TIME), 0.05),
    }
    return {name: np.concatenate([one[:-400], np.zeros(400)]).astype(np.float32) for name, one in sounds.items()}


def in_blocks(sound: NDArray[np.float32], sizes: list[int]) -> NDArray[np.float32]:
    limiter, at = TruePeakLimiter(), 0
    parts: list[NDArray[np.float32]] = []
    while at < sound.size:
        size = sizes[len(parts) % len(sizes)]
        parts.append(limiter.step(sound[at : at + size]))
        at += size
    return np.concatenate(parts)


@pytest.mark.parametrize("name", loud_sounds())
def test_the_true_peak_never_passes_the_ceiling(name: str) -> None:
    sound = loud_sounds()[name]
    assert true_peak_db(sound) > 5.0
    limited = in_blocks(sound, [1280])
    assert limited.dtype == np.float32
    assert true_peak_db(limited) <= CEILING_DB
    assert true_peak_db(limited) > CEILING_DB - 1.0, "no lower than it must be"


@pytest.mark.parametrize("name", loud_sounds())
def test_blocks_do_not_change_the_result(name: str) -> None:
    sound = loud_sounds()[name]
    whole = TruePeakLimiter().step(sound)
    np.testing.assert_allclose(in_blocks(sound, [1280]), whole, atol=1e-6)
    np.testing.assert_allclose(in_blocks(sound, [1, 333, 7, 90, 2000]), whole, atol=1e-6)


def test_what_is_below_the_ceiling_passes_to_the_bit() -> None:
    chord = [0.28 * np.sin(2 * np.pi * pitch * TIME) for pitch in (220.0, 277.2, 329.6)]
    music = np.sum(chord, axis=0).astype(np.float32)
    assert 0.8 < np.abs(music).max() < 0.86
    limited = in_blocks(music, [1280])
    np.testing.assert_array_equal(limited[DELAY_SAMPLES:], music[:-DELAY_SAMPLES])
    assert not limited[:DELAY_SAMPLES].any()
    assert DELAY_SAMPLES / 32 <= 1.0, "no more than a millisecond"


def test_after_a_peak_the_gain_comes_back_smoothly_and_then_the_sound_passes_to_the_bit() -> None:
    tone = (0.3 * np.sin(2 * np.pi * 100 * np.arange(3 * SECOND) / SECOND)).astype(np.float32)
    sound = tone.copy()
    sound[8000:8100] *= 6.0
    limiter = TruePeakLimiter()
    limited = limiter.step(sound)
    limiter.step(tone)
    assert limiter.reduction_db == 0.0
    gain = limited[DELAY_SAMPLES:][8200:] / np.where(np.abs(tone) > 0.1, tone, np.nan)[8200:-DELAY_SAMPLES]
    gain = gain[~np.isnan(gain)]
    assert gain[0] < 0.6
    assert (np.diff(gain) > -1e-5).all()
    np.testing.assert_array_equal(limited[DELAY_SAMPLES:][-SECOND:], tone[-SECOND - DELAY_SAMPLES : -DELAY_SAMPLES])


def test_the_reduction_is_told() -> None:
    limiter = TruePeakLimiter()
    limiter.step(np.full(1280, 2.0, np.float32))
    assert 6.5 < limiter.reduction_db < 9.0
    limiter.reset()
    assert limiter.reduction_db == 0.0
    assert not limiter.step(np.zeros(1280, np.float32)).any()
