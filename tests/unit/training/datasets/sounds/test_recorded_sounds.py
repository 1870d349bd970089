"""Recordings are read as the codec gets them; those for tests are others than those for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from tests.unit.training.datasets.sounds.small_recordings import write_recordings
from training.datasets.sounds.recorded_sounds import draw_recorded, read_sound, recording_files, recordings_of


def test_every_sixth_recording_is_for_tests(tmp_path: Path) -> None:
    corpus = write_recordings(tmp_path)
    train, test = recording_files(corpus), recording_files(corpus, "test")
    assert [path.name for path in test] == ["sms_5.wav"]
    assert len(train) == 6
    assert not set(train) & set(test)
    assert recording_files(tmp_path / "elsewhere") == ()


def test_recordings_are_mono_at_the_codecs_rate(tmp_path: Path) -> None:
    sounds = recordings_of(write_recordings(tmp_path))
    assert len(sounds) == 6
    assert sounds[0].size == pytest.approx(2 * SAMPLE_RATE, abs=2)
    assert float(np.abs(sounds[0]).max()) == pytest.approx(8_000 / 32_768, rel=0.02)


def test_what_is_no_sound_is_none_and_long_ones_are_cut(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no sound")
    assert read_sound(tmp_path / "readme.txt") is None
    path = recording_files(write_recordings(tmp_path))[0]
    cut = read_sound(path, 0.5)
    assert cut is not None
    assert cut.size == SAMPLE_RATE // 2


def test_a_clip_is_a_recording_at_another_speed(tmp_path: Path) -> None:
    sounds = recordings_of(write_recordings(tmp_path, count=1))
    hertz = []
    for seed in range(12):
        clip = draw_recorded(sounds, 8.0, np.random.default_rng(seed))
        assert clip.size == 8 * SAMPLE_RATE
        part = clip[: SAMPLE_RATE // 2]
        hertz.append(2.0 * float(np.abs(np.fft.rfft(part)).argmax()))
    assert min(hertz) < 190.0
    assert max(hertz) > 210.0
    assert min(hertz) >= 200.0 * 2.0**-0.31
