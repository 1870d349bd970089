"""The quantizer learns: codebooks settle on the data and entries nobody uses come back."""

from __future__ import annotations

import torch

from models.codec import CodecConfig, ResidualQuantizer
from training.codec import QuantizerTrainer


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
