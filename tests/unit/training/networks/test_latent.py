"""The latent space learns: the loss falls, moments are found, and an interruption changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.translation.latent import LOWEST_PITCH, Latent, LatentConfig, similarity
from streaming.conventions import MOTION_FEATURES, TOKEN_FRAMES_PER_TICK
from training.datasets.translator import MEL_BANDS, Examples
from training.networks.latent import LatentRecipe, LatentTraining, contrast, pitch_class_of, sounds_of

CLIPS, TICKS = 24, 60
RECIPE = LatentRecipe(steps=120, batch=6, length=40, learning_rate=3e-3)


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Clips in which codebook 0 says how strongly the picture moves, anew every three ticks."""
    rng = np.random.default_rng(2)
    strength = np.repeat(rng.integers(0, 8, (CLIPS, TICKS // 3)), 3, axis=1)
    speed = np.broadcast_to(0.2 * strength[:, :, None, None], (CLIPS, TICKS, 16, 16)).astype(np.float16)
    codes = np.zeros((CLIPS, TICKS, 4, TOKEN_FRAMES_PER_TICK), np.int16)
    codes[:, :, 0] = strength[:, :, None]
    return Examples(
        torch.zeros(CLIPS, TICKS, 2, 16, 16, dtype=torch.float16),
        torch.from_numpy(speed.copy()),
        torch.zeros(CLIPS, TICKS, 8, dtype=torch.float16),
        torch.zeros(CLIPS, TICKS),
        torch.from_numpy(codes)[:, None].repeat(1, 3, 1, 1, 1),
        torch.zeros(CLIPS, 3, dtype=torch.int64),
        torch.from_numpy(
            np.repeat(0.1 * strength[:, :, None], TOKEN_FRAMES_PER_TICK * MEL_BANDS, 2).astype(np.float16)
        ),
        torch.zeros(CLIPS, TICKS, TOKEN_FRAMES_PER_TICK, dtype=torch.bool),
        torch.from_numpy(
            np.repeat(np.where(strength > 0, 60 + strength, 0)[:, :, None], TOKEN_FRAMES_PER_TICK, 2).astype(np.float16)
        ),
        torch.zeros(CLIPS, TICKS, MOTION_FEATURES, dtype=torch.float16),
    )


def model() -> Latent:
    torch.manual_seed(1)
    config = LatentConfig(dim=24, hidden=32, dilations=(1,), embedding_dim=8, codec_dim=8, cardinality=8)
    made = Latent(config)
    made.set_codebooks(torch.randn(4, 8, 8))
    return made


def training(examples: Examples) -> LatentTraining:
    made = model()
    return LatentTraining(RECIPE, made, examples, sounds_of(made, examples.codes[:, 0]))


def test_it_learns_which_moment_belongs_to_which(examples: Examples) -> None:
    learner = training(examples)
    rows = [learner.advance() for _ in range(80)]
    for name in ("moment", "video_loudness", "audio_speed"):
        early, late = (np.mean([row[name] for row in part]) for part in (rows[:5], rows[-5:]))
        assert late < 0.9 * early, name
    assert learner.test()["moment"] < np.mean([row["moment"] for row in rows[:5]])


def test_an_interrupted_training_goes_on_to_the_same_loss(examples: Examples, tmp_path: Path) -> None:
    one = training(examples)
    one.advance()
    one.save(tmp_path / "l.safetensors")
    straight = [one.advance() for _ in range(2)]
    two = training(examples)
    two.load(tmp_path / "l.safetensors")
    assert [two.advance() for _ in range(2)] == straight


def test_contrast_is_least_when_the_moments_match() -> None:
    torch.manual_seed(3)
    latents = torch.nn.functional.layer_norm(torch.randn(4, 20, 32), (32,))
    sharpness = torch.tensor([1.0, 1.0])
    matched = sum(contrast(latents, latents, sharpness))
    assert float(matched) < 0.05
    assert float(sum(contrast(latents, latents.roll(5, 1), sharpness))) > 10 * float(matched)
    assert float(contrast(latents, latents.roll(1, 0), sharpness)[1]) > 1.0
    assert similarity(latents, latents).shape == (4, 20, 20)


def test_pitches_become_classes() -> None:
    pitch = torch.tensor([0.0, LOWEST_PITCH, LOWEST_PITCH + 1.4, 20.0, 200.0])
    assert pitch_class_of(pitch, 64).tolist() == [0, 1, 2, 1, 63]
