"""The vocoder learns from sound alone, and an interruption changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec
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


def test_a_codecs_decoder_is_taken_over() -> None:
    torch.manual_seed(5)
    codec = Codec(CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1, 2), latent_dim=8))
    training = VocoderTraining(DecoderRecipe(steps=40, batch=2), Vocoder(TINY), corpus(), codec=codec)
    vocoder = training.network
    before = vocoder.decoder.blocks.state_dict()
    assert not torch.equal(before["parts.0.widen.weight"], codec.decoder.blocks.state_dict()["parts.0.widen.weight"])
    training.recipe = DecoderRecipe(steps=40, batch=2, learning_rate=0.0)
    training.advance()
    frames = torch.randn(1, TINY.dim, 3)
    for name, tensor in codec.decoder.blocks.state_dict().items():
        torch.testing.assert_close(vocoder.decoder.blocks.state_dict()[name], tensor)
    # What enters the blocks lies in the space of the codec's latents.
    assert torch.linalg.matrix_rank(vocoder.decoder.first.weight) <= 8
    assert vocoder.decode(frames).shape == (1, 1, 3 * 640)
