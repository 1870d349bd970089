"""Soundfonts are read by their format, and what is none is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.synthesis.sampled.small_soundfont import LENGTH, PERIOD, RATE, write_soundfont
from training.synthesis.sampled.soundfont import Soundfont, SoundfontError


def test_a_preset_plays_its_recording(tmp_path: Path) -> None:
    font = Soundfont(write_soundfont(tmp_path / "a.sf2", [(0, 0), (128, 8)], {54: 1, 38: -2400}, (20, 90)))
    assert font.presets == ((0, 0), (128, 8))
    (region,) = font.regions(128, 8)
    assert region.keys == (20, 90)
    assert region.velocities == (0, 127)
    assert region.amount(38) == -2400
    assert region.amount(8) == 13_500, "the format's default"
    recording = font.recording(region)
    assert (recording.rate, recording.key, recording.loop) == (RATE, 69, (10 * PERIOD, 70 * PERIOD))
    assert recording.samples.size == LENGTH
    assert np.abs(recording.samples).max() == 16_384


def test_a_region_may_begin_later_and_have_another_root(tmp_path: Path) -> None:
    font = Soundfont(write_soundfont(tmp_path / "a.sf2", [(0, 0)], {0: 50, 58: 60, 2: 100}))
    recording = font.recording(font.regions(0, 0)[0])
    assert recording.key == 60
    assert recording.samples.size == LENGTH - 50
    assert recording.loop == (10 * PERIOD + 100 - 50, 70 * PERIOD - 50)


def test_what_cannot_be_read_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(SoundfontError, match=r"there is no soundfont; install it with: sudo apt-get install"):
        Soundfont(tmp_path / "none.sf2")
    (tmp_path / "empty.sf2").write_bytes(b"")
    with pytest.raises(SoundfontError, match="no SoundFont 2 file"):
        Soundfont(tmp_path / "empty.sf2")
    whole = write_soundfont(tmp_path / "a.sf2").read_bytes()
    (tmp_path / "half.sf2").write_bytes(whole[: whole.index(b"pdta") - 8])
    with pytest.raises(SoundfontError, match="lacks phdr"):
        Soundfont(tmp_path / "half.sf2")


def test_a_preset_that_is_not_there_is_said(tmp_path: Path) -> None:
    font = Soundfont(write_soundfont(tmp_path / "a.sf2", [(0, 0)]))
    with pytest.raises(SoundfontError, match="no preset 40 in bank 0"):
        font.regions(0, 40)
