"""The vocoder learns from sound alone, and an interruption changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.codec.mel import MelConfig, Vocoder
from tests.unit.training.networks.test_codec import corpus
from training.networks.decoder_training import DecoderRecipe
from training.networks.vocoder import VocoderTraining

TINY = MelConfig(bands=16, short_bands=4, width=16, dilations=(1, 2))


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    recipe = DecoderRecipe(steps=40, batch=2)
    torch.manual_seed(3)
    one = VocoderTraining(recipe, Vocoder(TINY), corpus())
    for _ in range(3):
        one.advance()
    one.save(tmp_path / "v.safetensors")
    straight = [one.advance() for _ in range(2)]
    two = VocoderTraining(recipe, Vocoder(TINY), corpus())
    two.load(tmp_path / "v.safetensors")
    assert [two.advance() for _ in range(2)] == straight


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(4)
    training = VocoderTraining(
        DecoderRecipe(steps=200, batch=2, warm_up=5, learning_rate=1e-2), Vocoder(TINY), corpus()
    )
    losses = [training.advance()["mel"] for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
