"""Scored music: strikes lie where notes begin, levels and pitches where they sound, and codes are the codec's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.bundles import find_bundle
from streaming.conventions import SAMPLE_RATE
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.datasets.gestures.scored_music import (
    TEST_SEED,
    TRAIN_SEED,
    level_of,
    load_music,
    main,
    notes_of,
    pitch_of,
    strikes_of,
    voice_of,
)
from training.synthesis.conventions import CLIP_KINDS, CLIP_TICKS
from training.synthesis.sampled.played_note import PlayedNote

NOTES = [PlayedNote(1.01, 0.5, 60.0, 0.4), PlayedNote(1.015, 0.5, 64.0, 0.8), PlayedNote(2.03, 0.2, 72.0, 0.5)]


def test_a_chord_is_one_strike_as_hard_as_its_first_note() -> None:
    strikes = strikes_of(NOTES)
    assert strikes.shape == (CLIP_TICKS, 2)
    places = np.argwhere(strikes > 0)
    assert places.tolist() == [[25, 0], [50, 1]]
    assert strikes[25, 0] == np.float32(0.4)
    assert not strikes_of([PlayedNote(9.0, 1.0, 60.0, 1.0)]).any(), "behind the clip's end"


def test_pitch_is_that_of_what_is_held_and_drums_have_none() -> None:
    pitch = pitch_of(NOTES, "keys")
    assert pitch[10] == 0
    assert pitch[30] == 62.0
    assert pitch[52] == 72.0
    assert not pitch_of(NOTES, "drums").any()


def test_level_is_of_each_tick_in_db() -> None:
    sound = np.zeros(CLIP_TICKS * 1280, np.float32)
    sound[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.1
    level = level_of(sound)
    assert level.shape == (CLIP_TICKS,)
    assert level[0] == -60.0
    assert abs(level[30] + 20.0) < 1e-4


def test_every_voice_answers_strikes_and_plays_its_own_music() -> None:
    assert {voice_of(seed) for seed in range(TRAIN_SEED, TRAIN_SEED + 5)} == set(CLIP_KINDS)
    counts = [len(notes_of(seed, None)) for seed in range(TRAIN_SEED, TRAIN_SEED + 10)]
    assert min(counts) > 0


def test_what_is_recorded_is_kept_and_reproducible(tmp_path: Path) -> None:
    presets = [(0, number) for number in range(128)] + [(128, number) for number in (0, 8, 16, 24, 25, 32, 40, 48)]
    font = write_soundfont(tmp_path / "small.sf2", presets)
    one = load_music(tmp_path / "a", 2, find_bundle("default"), soundfont=font, workers=1)
    assert one.codes.shape == (2, CLIP_TICKS, 4, 2)
    assert one.codes.dtype == torch.int16
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    again = load_music(tmp_path / "a", 2, find_bundle("default"), soundfont=font, workers=1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()} == files
    assert torch.equal(one.codes, again.codes)
    held = load_music(tmp_path / "a", 1, find_bundle("default"), soundfont=font, test=True, workers=1)
    assert int(held.seed[0]) == TEST_SEED


def test_a_missing_soundfont_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path / "m"), "--clips", "1", "--soundfont", str(tmp_path / "none.sf2"), "--workers", "1"]
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
