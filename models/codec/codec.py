"""The causal codec: 32 kHz, 50 Hz, 4 codebooks of 2048, as EnCodec's 32 kHz model has them; 2.2 kbit/s, no latency.

The encoder and the decoder (`models.codec.additive_codec`) stand around a residual vector quantizer (SoundStream,
Zeghidour et al. 2021; EnCodec, Defossez et al. 2022).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.codec.additive_codec import AdditiveDecoder, AdditiveEncoder, CodecConfig
from models.streaming_law import StreamingModule


class ResidualQuantizer(nn.Module):
    """Residual vector quantization (SoundStream, section III-C); codebooks learned by exponential moving averages."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.num_codebooks = config.num_codebooks
        self.codebooks = nn.Buffer(torch.randn(config.num_codebooks, config.cardinality, config.latent_dim) * 0.1)

    def encode(self, latents: Tensor) -> Tensor:
        """Latents [B, D, T] -> codes [B, K, T], int64."""
        residual = latents.transpose(1, 2)
        codes = []
        for codebook in self.codebooks:
            index = nearest(residual, codebook)
            codes.append(index)
            residual = residual - F.embedding(index, codebook)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] -> latents [B, D, T]."""
        total = F.embedding(codes[:, 0], self.codebooks[0])
        for k in range(1, self.num_codebooks):
            total = total + F.embedding(codes[:, k], self.codebooks[k])
        return total.transpose(1, 2)


def nearest(x: Tensor, codebook: Tensor) -> Tensor:
    """Index of the nearest entry in the Euclidean sense: x [..., D], codebook [N, D] -> int64 [...]."""
    scores = x @ codebook.T - 0.5 * codebook.square().sum(-1)
    return scores.argmax(-1)


class TokenCodec(nn.Module):
    """Encoder, quantizer and decoder of a codec that represents sound by tokens.

    Args:
        config: the sizes; at least `hop`, `num_codebooks`, `cardinality`, `latent_dim`.
        encoder, decoder: streams, with a `latency` in output frames.
        quantizer: from the encoder's latents to codes and back.
    """

    def __init__(
        self, config: Any, encoder: StreamingModule, decoder: StreamingModule, quantizer: ResidualQuantizer
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = encoder, decoder
        self.quantizer = quantizer

    def encode(self, pcm: Tensor) -> Tensor:
        """Pcm [B, 1, hop T] in -1..1 -> codes [B, K, T]."""
        return self.quantizer.encode(self.encoder(pcm))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] -> pcm [B, 1, hop T]."""
        sound: Tensor = self.decoder(self.quantizer.decode(codes))
        return sound


class Codec(TokenCodec):
    """The shipped kind of codec, with an additive synthesizer; no look-ahead.

    Args:
        config: the sizes.
    """

    config: CodecConfig
    encoder: AdditiveEncoder
    decoder: AdditiveDecoder

    def __init__(self, config: CodecConfig | None = None) -> None:
        config = config or CodecConfig()
        # The order matters: a training's seed draws the initial weights of one after the other.
        encoder, decoder = AdditiveEncoder(config), AdditiveDecoder(config)
        super().__init__(config, encoder, decoder, ResidualQuantizer(config))
