"""The latent space: shapes, unit mean square, and what likeness means."""

from __future__ import annotations

import pytest
import torch

from models.translation.latent import Latent, LatentConfig, Motions, similarity

TINY = LatentConfig(dim=16, hidden=24, dilations=(1, 2), embedding_dim=8, grid=8, codec_dim=4, mel_bands=6, pitches=10)


def motions(batch: int, ticks: int) -> Motions:
    g = TINY.grid
    return Motions(
        torch.randn(batch, ticks, 2, g, g),
        torch.rand(batch, ticks, g, g),
        torch.randn(batch, ticks, TINY.embedding_dim),
        torch.rand(batch, ticks) * 0.04,
    )


def test_latents_and_facts_have_the_documented_shapes() -> None:
    torch.manual_seed(0)
    model = Latent(TINY)
    video = model.video(motions(2, 7))
    audio = model.audio(torch.randn(2, 7, TINY.frames * TINY.codec_dim))
    assert video.shape == audio.shape == (2, 7, 16)
    torch.testing.assert_close(video.square().mean(-1), torch.ones(2, 7), atol=2e-2, rtol=0)
    facts = model.predictions(video)
    assert facts.loudness.shape == (2, 7, 2 * 6)
    assert facts.attack.shape == (2, 7, 2)
    assert facts.pitch.shape == (2, 7, 2 * 10)
    assert facts.speed.shape == (2, 7, 16)
    assert model.hears(video).shape == model.sees(audio).shape == (2, 7, 16)


def test_likeness_is_one_for_the_same_moment_and_less_for_others() -> None:
    latents = torch.nn.functional.layer_norm(torch.randn(5, 64), (64,))
    table = similarity(latents, latents)
    torch.testing.assert_close(table.diagonal(), torch.ones(5), atol=1e-3, rtol=0)
    assert float((table - torch.eye(5)).abs().max()) < 0.6


def test_config_survives_a_manifest() -> None:
    values = {name: list(v) if isinstance(v, tuple) else v for name, v in TINY.as_dict().items()}
    assert LatentConfig.from_dict(values) == TINY
    with pytest.raises(TypeError):
        LatentConfig.from_dict({"unknown": 1})
