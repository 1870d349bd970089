"""The codec's shapes, quantizer and token format."""

from __future__ import annotations

import pytest
import torch

from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec, nearest

TINY = CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1, 2), latent_dim=4, cardinality=16)


def test_the_default_token_format_is_musicgens() -> None:
    config = CodecConfig()
    assert (config.sample_rate, config.hop, config.num_codebooks, config.cardinality) == (32_000, 640, 4, 2048)


def test_encode_and_decode_keep_the_length() -> None:
    codec = Codec(TINY).eval()
    with torch.no_grad():
        codes = codec.encode(torch.randn(2, 1, 640 * 7))
        sound = codec.decode(codes)
    assert codes.shape == (2, 4, 7)
    assert int(codes.min()) >= 0
    assert int(codes.max()) < 16
    assert sound.shape == (2, 1, 640 * 7)


def test_each_codebook_brings_the_latents_nearer() -> None:
    torch.manual_seed(0)
    codec = Codec(TINY)
    codec.quantizer.codebooks.copy_(
        torch.randn_like(codec.quantizer.codebooks) * torch.tensor([1.0, 0.5, 0.25, 0.1])[:, None, None]
    )
    latents = torch.randn(1, 4, 200)
    codes = codec.quantizer.encode(latents)
    errors = []
    total = torch.zeros_like(latents)
    for k in range(4):
        total = total + codec.quantizer.codebooks[k][codes[:, k]].transpose(1, 2)
        errors.append(float((latents - total).square().mean()))
    assert errors == sorted(errors, reverse=True)
    torch.testing.assert_close(codec.quantizer.decode(codes), total)


def test_nearest_is_the_nearest() -> None:
    torch.manual_seed(1)
    x, book = torch.randn(50, 6), torch.randn(30, 6)
    assert torch.equal(nearest(x, book), torch.cdist(x, book).argmin(-1))


def test_a_configuration_survives_json() -> None:
    assert CodecConfig.from_dict({**TINY.as_dict(), "decoder_dilations": [1, 2]}) == TINY
    with pytest.raises(TypeError):
        CodecConfig.from_dict({"unknown": 1})
