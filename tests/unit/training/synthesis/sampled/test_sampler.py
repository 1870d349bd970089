"""A note has the pitch, the length and the strength that it is played with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.training.synthesis.sampled.small_soundfont import LOOPED, SINE_HZ, write_soundfont
from training.synthesis.sampled.sampler import MIX_RATE, NoteGesture, play, regions_of
from training.synthesis.sampled.soundfont import Soundfont

LOOP = LOOPED


def sound(tmp_path: Path, gesture: NoteGesture, generators: dict[int, int] | None = None) -> NDArray[np.float64]:
    font = Soundfont(write_soundfont(tmp_path / "a.sf2", [(0, 0)], LOOP if generators is None else generators))
    (region,) = regions_of(font, 0, 0, gesture, side=-1)
    return play(font, region, gesture, longest_s=5.0)


def hertz(x: NDArray[np.float64]) -> float:
    spectrum = np.abs(np.fft.rfft(x * np.hanning(x.size), 8 * x.size))
    return float(spectrum.argmax() * MIX_RATE / (8 * x.size))


def rms(x: NDArray[np.float64]) -> float:
    return float(np.sqrt((x**2).mean()))


@pytest.mark.parametrize("pitch", [57.0, 69.0, 70.5, 84.0])
def test_a_note_has_its_pitch_fractions_included(tmp_path: Path, pitch: float) -> None:
    x = sound(tmp_path, NoteGesture(69, 0.8, 1.0, pitch))
    want = SINE_HZ * 2.0 ** ((pitch - 69.0) / 12.0)
    assert hertz(x[4_000:40_000]) == pytest.approx(want, rel=2e-3)


def test_a_pitch_that_glides_is_followed(tmp_path: Path) -> None:
    curve = np.where(np.arange(MIX_RATE) < MIX_RATE // 2, 69.0, 76.0)
    x = sound(tmp_path, NoteGesture(69, 0.8, 1.0, curve))
    assert hertz(x[2_000:22_000]) == pytest.approx(SINE_HZ, rel=2e-3)
    assert hertz(x[22_100:44_000]) == pytest.approx(SINE_HZ * 2.0 ** (7 / 12), rel=2e-3)


def test_a_held_note_sounds_beyond_its_recording_and_then_falls_as_its_release_says(tmp_path: Path) -> None:
    x = sound(tmp_path, NoteGesture(69, 1.0, 1.0, 69.0))
    assert x.size == pytest.approx(1.315 * MIX_RATE, rel=0.01)
    held, after = rms(x[40_000:44_000]), rms(x[46_000:48_000])
    # -100 dB in 0.315 s: the middle of the second window is 66 ms after the release.
    assert 20.0 * np.log10(held / after) == pytest.approx(21.0, abs=2.0)
    assert rms(x[-200:]) < 1e-4


def test_a_recording_without_a_loop_ends_with_itself(tmp_path: Path) -> None:
    x = sound(tmp_path, NoteGesture(69, 1.0, 3.0, 69.0), {38: 0})
    assert x.size == pytest.approx(8_000, abs=2)
    assert abs(x[-1]) < 1e-3


def test_a_softer_note_is_much_softer_and_darker(tmp_path: Path) -> None:
    loud, soft = (sound(tmp_path, NoteGesture(69, velocity, 0.5, 69.0)) for velocity in (1.0, 0.15))
    assert 20.0 * np.log10(rms(loud[:20_000]) / rms(soft[:20_000])) > 20.0
    high_loud, high_soft = (sound(tmp_path, NoteGesture(127, velocity, 0.5, 127.0)) for velocity in (1.0, 0.15))
    assert rms(high_loud) / rms(high_soft) > 1.1 * rms(loud) / rms(soft)


def test_a_choked_note_is_gone_at_once(tmp_path: Path) -> None:
    x = sound(tmp_path, NoteGesture(69, 1.0, 3.0, 69.0, choke_s=0.5))
    assert rms(x[20_000:22_000]) > 0.1
    assert x.size <= 0.57 * MIX_RATE


def test_a_slurred_note_begins_inside_its_recording_without_a_click(tmp_path: Path) -> None:
    x = sound(tmp_path, NoteGesture(69, 1.0, 0.5, 69.0, skip_s=0.0505), LOOP | {34: -12_000})
    assert np.abs(x[:20]).max() < 0.05
    assert rms(x[2_000:4_000]) > 0.2


def test_modulation_moves_filter_and_pitch(tmp_path: Path) -> None:
    dark = rms(sound(tmp_path, NoteGesture(69, 1.0, 0.5, 69.0), LOOP | {8: 4_000})[2_000:20_000])
    opened = rms(sound(tmp_path, NoteGesture(69, 1.0, 0.5, 69.0), LOOP | {8: 4_000, 11: 9_000})[2_000:20_000])
    assert opened > 5.0 * dark
    raised = sound(tmp_path, NoteGesture(69, 1.0, 1.0, 69.0), LOOP | {7: 1_200})
    assert hertz(raised[4_000:40_000]) == pytest.approx(2.0 * SINE_HZ, rel=5e-3)


def test_of_what_is_panned_to_both_sides_one_is_played(tmp_path: Path) -> None:
    font = Soundfont(write_soundfont(tmp_path / "a.sf2", [(0, 0)], LOOP, pans=(-500, 0, 500)))
    gesture = NoteGesture(69, 0.8, 0.5, 69.0)
    for side in (-1, 1):
        pans = [region.amount(17) for region in regions_of(font, 0, 0, gesture, side)]
        assert pans == sorted([0, 500 * side])
    one_side = Soundfont(write_soundfont(tmp_path / "b.sf2", [(0, 0)], LOOP, pans=(-500,)))
    assert len(regions_of(one_side, 0, 0, gesture, 1)) == 1
