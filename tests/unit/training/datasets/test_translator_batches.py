"""Batches of performances and of music: what is asked, what is hidden, and whose past is shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streaming.conventions import GESTURE, MOTION_FEATURES, TOKEN_FRAMES_PER_TICK
from tests.unit.training.datasets.gestures.music import scored
from training.datasets.translator import MEL_BANDS, VOICES, Examples
from training.datasets.translator_batches import (
    UNKNOWN_VOICE,
    TranslatorMaterial,
    TranslatorRecipe,
    draw_any_batch,
    draw_music_batch,
)
from training.datasets.translator_rollouts import History, SamplingShares
from training.synthesis.conventions import CLIP_TICKS

RECIPE = TranslatorRecipe(batch=8, length=40)
UNKNOWN = 1 + VOICES.index(UNKNOWN_VOICE)


@pytest.fixture
def material() -> TranslatorMaterial:
    clips = 6
    data = Examples(
        torch.zeros(clips, CLIP_TICKS, 2, 16, 16),
        torch.zeros(clips, CLIP_TICKS, 16, 16),
        torch.zeros(clips, CLIP_TICKS, 128),
        torch.zeros(clips, CLIP_TICKS),
        torch.full((clips, 3, CLIP_TICKS, 4, TOKEN_FRAMES_PER_TICK), 7, dtype=torch.int16),
        torch.tensor([[1, 0, 0]]).repeat(clips, 1),
        torch.zeros(clips, CLIP_TICKS, TOKEN_FRAMES_PER_TICK * MEL_BANDS),
        torch.zeros(clips, CLIP_TICKS, TOKEN_FRAMES_PER_TICK, dtype=torch.bool),
        torch.zeros(clips, CLIP_TICKS, TOKEN_FRAMES_PER_TICK),
        torch.zeros(clips, CLIP_TICKS, MOTION_FEATURES),
    )
    music, shares = scored(), SamplingShares(wrong=0.0)
    pasts = (History(data.codes, shares), History(music.codes[:, None], shares))
    return TranslatorMaterial(data, torch.ones(clips, 1, CLIP_TICKS, 16), pasts[0], music, pasts[1], GESTURE)


def test_half_of_the_rows_are_music_by_gestures_and_half_performances_by_latents(material: TranslatorMaterial) -> None:
    batch = draw_any_batch(material, np.random.default_rng(1), RECIPE)
    assert batch.codes.shape[0] == RECIPE.batch
    by_gesture = batch.video.gesture[..., -1]
    assert by_gesture.mean() == 0.5
    assert (batch.codes[by_gesture[:, 0] == 0] == 7).all()
    assert (batch.video.latent[by_gesture[:, 0] == 1] == 0).all()
    assert (batch.video.gesture[by_gesture[:, 0] == 0] == 0).all()


def test_a_network_without_gestures_gets_performances_alone(material: TranslatorMaterial) -> None:
    plain = TranslatorMaterial(material.data, material.view_latents, material.history)
    batch = draw_any_batch(plain, np.random.default_rng(2), RECIPE)
    assert batch.video.gesture.shape == (RECIPE.batch, RECIPE.length, 0)
    assert (batch.codes == 7).all()


def test_the_past_of_music_is_its_own_and_strikes_lie_where_the_codes_are(material: TranslatorMaterial) -> None:
    batch = draw_music_batch(material, np.random.default_rng(3), RECIPE, 40)
    assert torch.equal(batch.previous[:, 1:, 1], batch.codes[:, 1:, 1]), "of the same clip"
    there = batch.codes[:, :, 0, 0] > 0
    assert torch.equal(batch.previous[:, :, 0, 0][there], batch.codes[:, :, 0, 0][there] - 1)
    struck = batch.codes[:, :, 0, 0][batch.video.gesture[..., :2].amax(2) > 0]
    assert set(struck.tolist()) <= {50, 51, 100, 101, 150, 151}


def test_only_what_an_unknown_picture_gets_is_asked_for_without_a_name(material: TranslatorMaterial) -> None:
    assert material.music is not None
    batch = draw_music_batch(material, np.random.default_rng(4), RECIPE, 200)
    voice, clip = batch.video.voice[:, 0], batch.codes[:, 0, 1, 0]
    true = material.music.voice[clip]
    assert (true[voice == 0] == UNKNOWN).all()
    assert torch.equal(voice[true != UNKNOWN], true[true != UNKNOWN])
    assert 0.2 < float((voice[true == UNKNOWN] == 0).float().mean()) < 0.6
