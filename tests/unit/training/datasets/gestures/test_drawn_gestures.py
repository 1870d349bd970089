"""Drawn gestures have every strike of the score and no other, about as hard, and a level that is the motion's."""

from __future__ import annotations

import numpy as np
import torch

from streaming.conventions import GESTURE
from streaming.vision.gestures.gesture_names import GESTURE_INDEX
from tests.unit.training.datasets.gestures.music import STRIKES, scored
from training.datasets.gestures.drawn_gestures import STRUCK, draw_gestures
from training.synthesis.conventions import CLIP_KINDS, CLIP_TICKS

LEVEL = GESTURE_INDEX["level"]


def test_no_strike_is_lost_and_none_is_added() -> None:
    music, rng = scored(), np.random.default_rng(1)
    rows = torch.arange(10).repeat(20)
    told = draw_gestures(music, rows, rng)
    assert told.shape == (200, CLIP_TICKS, GESTURE)
    frames = told[..., :2].flatten(1)
    assert ((frames > 0).sum(1) == len(STRIKES)).all()
    for row in frames:
        late = row.nonzero().flatten() - torch.tensor([2 * tick + 1 for tick in STRIKES])
        assert ((late >= -1) & (late <= 1)).all(), "in the strike's tick, or one token frame late"
    hard = frames[frames > 0]
    assert 0.05 <= float(hard.min()) < 0.6
    assert 0.8 < float(hard.max()) <= 1.0
    assert abs(float(hard.mean()) - 0.7) < 0.05


def test_some_rows_know_strikes_to_the_tick_only() -> None:
    told = draw_gestures(scored(), torch.arange(10).repeat(20), np.random.default_rng(2))
    second = (told[..., 1] > 0).any(1).float().mean()
    assert 0.2 < float(second) < 0.6


def test_an_arm_moves_before_its_strike_and_a_bow_does_not() -> None:
    music = scored()
    told = draw_gestures(music, torch.arange(10).repeat(20), np.random.default_rng(3))
    voice = music.voice.repeat(20)
    struck = torch.isin(voice, torch.tensor(STRUCK))
    before = told[:, STRIKES[1] - 1, LEVEL]
    between = told[:, STRIKES[1] + 20, LEVEL]
    assert float(before[struck].mean()) > 0.3
    assert float(between[struck].mean()) < 0.1, "what was struck rings on, the arm rests"
    assert abs(float(between[~struck].mean()) - 2 / 3) < 0.05, "-20 dB"


def test_nothing_moves_in_a_rest() -> None:
    told = draw_gestures(scored(), torch.arange(10), np.random.default_rng(4))
    activity = told[..., GESTURE_INDEX["activity"]]
    assert (activity[:, STRIKES[0] : STRIKES[0] + 50] == 1).all()
    assert (activity[:, 20] < 0.5).all()
    assert (told[:, :20, LEVEL] == 0).all()


def test_height_follows_the_pitch_where_a_hand_is_seen() -> None:
    music = scored()
    told = draw_gestures(music, torch.arange(10).repeat(40), np.random.default_rng(5))
    known = told[..., GESTURE_INDEX["height_known"]]
    assert (known[:, : STRIKES[0]] == 0).all(), "silence has no pitch"
    share = float(known[:, -1].mean())
    assert 0.35 < share < 0.65
    strings = music.voice.repeat(40) == 1 + CLIP_KINDS.index("strings")
    height = told[..., GESTURE_INDEX["height"]][strings & (known[:, -1] > 0)][:, STRIKES[0] :]
    assert abs(float(height.mean()) - (60.0 - 55.0) / (84.0 - 55.0)) < 0.03
    assert (told[..., -1] == 1).all()
