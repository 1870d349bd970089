"""What the network explains beyond the drive made by hand: right and exchanged sounds give different shares."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.scenes.hand_drive import HandDrive
from streaming.scenes.layered_scene import MODE_NUMBERS, SceneMode
from tests.scenes.reverse_stages import HearingStages, beats
from training.datasets.driven_scenes import DrivenClip
from training.evaluation.reverse.scores.drive_share import drive_course, summarize_shares, true_course

MODES = [SceneMode(1, "swing", 1.0 + index, 0.3, 0.03, (0.1, 0.2), (1.0, 0.0), 0.1 + 0.1 * index) for index in range(4)]


def clip(number: int) -> DrivenClip:
    heard = HearingStages("none").hear(beats(number).sound)
    bands = np.stack([hearing.bands for hearing in heard]).astype(np.float16)
    notes = np.array([[0.5, 0.4, 50.0, 0.8, 1.0, 0.0], [2.0, 0.4, 70.0, 0.8, 1.0, 0.0]], np.float32)
    latent = np.zeros((len(heard), 8), np.float16)
    return DrivenClip(
        latent, bands, notes, np.zeros((0, MODE_NUMBERS), np.float32), np.zeros((len(heard), 0), np.float32)
    )


def test_a_drive_moves_modes_as_its_clip_says_each_time_anew() -> None:
    first, second = (drive_course(HandDrive(), MODES, clip(number)) for number in (1, 2))
    assert first.shape == (150, 4)
    assert np.abs(first).max() > 0.05
    assert not np.allclose(first, second)
    drive = HandDrive()
    drive_course(drive, MODES, clip(2))
    assert np.array_equal(drive_course(drive, MODES, clip(1)), first)


def test_the_true_course_follows_the_notes() -> None:
    modes, true = true_course(clip(1), np.random.default_rng(1))
    assert len(modes) == true.shape[1] == 10
    assert not true[:10].any()
    assert np.abs(true[12:60]).max() > 0.05


def test_shares_tell_a_network_that_hears_from_one_that_hears_another_clip() -> None:
    hand = [drive_course(HandDrive(), MODES, clip(number)) for number in range(4)]
    beyond = [drive_course(HandDrive(), MODES[::-1], clip(number + 4)) for number in range(4)]
    true = [0.5 * one + other for one, other in zip(hand, beyond, strict=True)]
    exchanged = [true[1], true[2], true[3], true[0]]
    figures = summarize_shares(true, hand, true, exchanged)
    assert figures["explained_beyond_bands"] == pytest.approx(1.0)
    assert figures["explained_other_sound"] < 0.2
    assert figures["explained_beyond_bands_unfitted"] == pytest.approx(1.0)
    assert figures["explained_other_sound_unfitted"] < 0.2
    assert figures["explained_clips"] == 4
    low, high = figures["explained_other_sound_interval"]
    assert low <= figures["explained_other_sound"] <= high < 0.6
