"""The fader: where fades begin and end, and that they make no click."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.audio.fader import Fader, gain_of

TONE = (0.5 * np.sin(2 * np.pi * 220 * np.arange(32_000) / 32_000)).astype(np.float32)


def in_blocks(fader: Fader, sound: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return np.concatenate([fader.step(sound[at : at + size]) for at in range(0, sound.size, size)])


def faded(fade_s: float, begin: float = 1.0, end: float = 0.0) -> NDArray[np.float32]:
    """A steady tone whose gain moves after a quarter of a second."""
    fader = Fader(begin)
    before = fader.step(TONE[:8000])
    fader.move(end, fade_s)
    return np.concatenate([before, fader.step(TONE[8000:])])


def high_part(sound: NDArray[np.float32]) -> float:
    """The energy above 5 kHz in dB, where the tone itself has none."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    return float(10 * np.log10(spectrum[5000:].sum() + 1e-20))


def test_without_a_change_the_sound_passes_to_the_bit_and_a_steady_gain_multiplies_it() -> None:
    assert Fader().step(TONE) is TONE
    np.testing.assert_allclose(Fader(gain_of(-20.0, muted=False)).step(TONE), 0.1 * TONE, rtol=1e-6)
    assert not Fader(gain_of(6.0, muted=True)).step(TONE).any()


def test_a_slow_fade_to_silence_can_be_cut_short() -> None:
    fader = Fader()
    fader.move(0.0, 10.0)
    fader.step(TONE[:1280])
    fader.move(0.0, 0.005)
    assert fader.step(TONE[:1280]).any(), "it moves there already, in its own time"
    fader.move(0.0, 0.005, anew=True)
    assert not fader.step(TONE[:1280])[160:].any()


@pytest.mark.parametrize(("begin", "end"), [(1.0, 0.0), (0.0, 1.0), (1.0, 2.0), (0.3, 0.001)])
def test_a_fade_takes_its_time_moves_one_way_and_ends_at_the_very_gain(begin: float, end: float) -> None:
    fader = Fader(begin)
    fader.move(end, 0.25)
    gains = fader.step(np.ones(16_000, np.float32))
    steps = np.diff(gains[:8001])
    assert (steps >= 0).all() if end > begin else (steps <= 0).all()
    assert gains[7990] != np.float32(end)
    np.testing.assert_array_equal(gains[7999:], np.float32(end))
    assert fader.gain == end
    assert np.abs(np.diff(gains, prepend=np.float32(begin))).max() < 8.0 * abs(end - begin) / 8000


def test_blocks_do_not_change_a_fade() -> None:
    whole, ticks, ragged = Fader(), Fader(), Fader()
    for fader in (whole, ticks, ragged):
        fader.move(0.1, 0.3)
    expected = whole.step(TONE)
    np.testing.assert_allclose(in_blocks(ticks, TONE, 1280), expected, atol=1e-7)
    np.testing.assert_allclose(in_blocks(ragged, TONE, 333), expected, atol=1e-7)


@pytest.mark.parametrize("fade_s", [0.005, 0.05, 0.5])
def test_a_fade_makes_no_click(fade_s: float) -> None:
    cut = np.concatenate([TONE[:8036], np.zeros_like(TONE[8036:])])
    assert np.abs(np.diff(cut)).max() > 0.4
    sound = faded(fade_s)
    assert np.abs(np.diff(sound)).max() <= np.abs(np.diff(TONE)).max() * 1.01
    assert high_part(sound) < high_part(cut) - 40.0


def test_a_change_within_a_fade_goes_on_from_where_it_is() -> None:
    fader = Fader()
    fader.move(0.0, 0.1)
    falling = fader.step(np.ones(1600, np.float32))
    assert 0.0 < falling[-1] < 0.5
    fader.move(1.0, 0.1)
    rising = fader.step(np.ones(3200, np.float32))
    assert abs(float(rising[0] - falling[-1])) < 0.002
    assert rising[-1] == 1.0


def test_the_same_aim_again_does_not_begin_the_fade_anew() -> None:
    fader = Fader()
    fader.move(0.0, 0.1)
    fader.step(np.ones(1600, np.float32))
    fader.move(0.0, 10.0)
    assert not fader.step(np.ones(3200, np.float32))[1600:].any()
