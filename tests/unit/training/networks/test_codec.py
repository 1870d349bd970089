"""The codec learns, its codebooks settle on the data, and an interruption changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec, ResidualQuantizer
from streaming.conventions import SAMPLE_RATE
from training.datasets.codec import SoundSources
from training.networks.codec import CodecRecipe, CodecTraining, QuantizerTrainer
from training.train import main


def test_codebooks_learn_and_gradients_pass_straight_through() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(CodecConfig(latent_dim=4, num_codebooks=2, cardinality=32))
    trainer = QuantizerTrainer(quantizer, decay=0.9)
    centres = torch.randn(20, 4) * 3

    def latents() -> torch.Tensor:
        return (centres[torch.randint(20, (256,))] + 0.05 * torch.randn(256, 4)).reshape(4, 64, 4).transpose(1, 2)

    before = float(trainer(latents())[1])
    for _ in range(200):
        x = latents().requires_grad_()
        y, loss = trainer(x)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.ones_like(x))
    assert float(loss.detach()) < 0.05 * before


def test_k_means_starts_the_codebooks_on_the_data() -> None:
    torch.manual_seed(1)
    quantizer = ResidualQuantizer(CodecConfig(latent_dim=4, num_codebooks=3, cardinality=64))
    data = torch.randn(4000, 4) * 5
    trainer = QuantizerTrainer(quantizer)
    trainer.start(data)
    x = data[:400].T[None]
    error = (quantizer.decode(quantizer.encode(x)) - x).square().mean()
    assert float(error) < 0.02 * float(x.square().mean())


TINY = CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1, 2), latent_dim=16, cardinality=16)


def corpus() -> np.ndarray:
    rng = np.random.default_rng(5)
    hz = rng.uniform(100, 2000, (3, 1))
    return (8000 * np.sin(2 * np.pi * hz * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.int16)


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    recipe = CodecRecipe(steps=40, batch=2, bypass_steps=3)
    torch.manual_seed(3)
    one = CodecTraining(recipe, Codec(TINY), corpus())
    for _ in range(6):
        one.advance()
    one.save(tmp_path / "c.safetensors")
    straight = [one.advance() for _ in range(3)]
    two = CodecTraining(recipe, Codec(TINY), corpus())
    two.load(tmp_path / "c.safetensors")
    assert two.step == 6
    assert [two.advance() for _ in range(3)] == straight


def test_training_lowers_the_loss_and_freezing_keeps_the_encoder() -> None:
    torch.manual_seed(4)
    training = CodecTraining(
        CodecRecipe(steps=200, batch=2, bypass_steps=20, warm_up=5, learning_rate=1e-2), Codec(TINY), corpus()
    )
    losses = [training.advance() for _ in range(50)]
    assert np.mean([row["mel"] for row in losses[-5:]]) < 0.8 * np.mean([row["mel"] for row in losses[:5]])
    frozen = CodecTraining(CodecRecipe(steps=10, batch=2, freeze_encoder=True), training.codec, corpus())
    before = {name: value.clone() for name, value in training.codec.state_dict().items()}
    frozen.advance()
    changed = {name.split(".")[0] for name, value in frozen.codec.state_dict().items() if not value.equal(before[name])}
    assert changed == {"decoder"}


def test_the_rate_rises_holds_and_falls() -> None:
    recipe = CodecRecipe(steps=1000, learning_rate=1.0, warm_up=10, decay=0.25)
    assert recipe.rate_at(0) == pytest.approx(0.1)
    assert recipe.rate_at(500) == 1.0
    assert recipe.rate_at(875) == pytest.approx(0.5)
    assert 0 < recipe.rate_at(999) < 0.02


def test_held_out_clips_are_of_the_same_sources_and_of_their_tests(tmp_path: Path) -> None:
    sources = SoundSources(tmp_path / "a.sf2", tmp_path)
    training = CodecTraining(CodecRecipe(steps=10, batch=2), Codec(TINY), corpus(), sources=sources)
    assert training.held_out_sources == SoundSources(tmp_path / "a.sf2", tmp_path, "test")


def test_a_soundfont_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["codec", "--out", str(tmp_path / "bundle"), "--work", str(tmp_path / "work"), "--minutes", "1"]
    assert main([*arguments, "--soundfont", str(tmp_path / "none.sf2")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "there is no soundfont; install it with: sudo apt-get install fluid-soundfont-gm" in error
    assert not (tmp_path / "bundle").exists()
