"""The audio side of a latent space for spectrograms learns another space's latents, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import torch

from models.codec.mel import MelConfig, Vocoder
from models.translation.latent import Latent, LatentConfig
from training.networks.latent_imitation import ImitationRecipe, LatentImitation, begin_like, latents_of

TINY = MelConfig(bands=12, short_bands=2, width=16, dilations=(1,))
CLIPS, TICKS = 60, 20


def pairs() -> tuple[Latent, torch.Tensor, torch.Tensor]:
    """A teacher, log-mel frames and codes that both follow from the same hidden course."""
    torch.manual_seed(2)
    config = LatentConfig(dim=16, hidden=16, dilations=(1,), codec_dim=8, cardinality=4)
    teacher = Latent(config).eval()
    teacher.codebooks.normal_()
    codes = torch.randint(0, 4, (CLIPS, TICKS, 4, 2), dtype=torch.int16)
    mixing = torch.randn(teacher.codebooks.shape[-1] * 2, TINY.dim * 2) * 0.3
    frames = (teacher.sound_of(codes.long()) @ mixing).unflatten(-1, (TINY.dim, 2)).half()
    return teacher, frames, codes


def test_it_learns_the_teachers_latents_of_sounds_that_it_did_not_hear(tmp_path: Path) -> None:
    teacher, frames, codes = pairs()
    model = begin_like(teacher, Vocoder(TINY))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    training = LatentImitation(
        ImitationRecipe(steps=400, learning_rate=5e-3), model, frames, latents_of(teacher, codes)
    )
    for _ in range(300):
        training.advance()
    training.average.decay = 0.0
    training.average.update(training.model)
    assert training.test()["error"] < 0.4
    for name, tensor in model.state_dict().items():
        assert name.startswith("audio.") or torch.equal(tensor, before[name])
    for name, tensor in teacher.video.state_dict().items():
        assert torch.equal(model.video.state_dict()[name], tensor)
    training.save(tmp_path / "x.safetensors")
    other = LatentImitation(training.recipe, begin_like(teacher, Vocoder(TINY)), frames, latents_of(teacher, codes))
    other.load(tmp_path / "x.safetensors")
    assert other.advance() == training.advance()
