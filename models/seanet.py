"""The first bundles' codec body: SEANet's encoder and decoder, every strided convolution written as space-to-depth.

After SoundStream (Zeghidour et al. 2021) and EnCodec (Defossez et al. 2022): 16 samples are folded into channels before
the first convolution, so the network runs at 2 kHz and below. Unlike SEANet's, the path between the rates is linear:
what is not linear is in the residual units beside it. `models.partials` hears and
speaks better; this body stays while a shipped bundle has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.config import Sizes
from models.streaming import CausalConv1d, Chain, Fold, Pointwise, Residual, State, StreamingModule, Unfold


@dataclass(frozen=True)
class SeanetConfig(Sizes):
    """The sizes of a codec with this body.

    Attributes:
        sample_rate: in Hz.
        fold: samples folded into channels before the first convolution.
        ratios: further down-sampling factors; fold * product(ratios) samples make one token frame.
        channels: width at each rate, from the fastest to the slowest.
        encoder_units: dilations of the encoder's residual units at each rate, from the fastest to the slowest.
        decoder_units: the decoder's, in the same order.
        latent_dim: width of what is quantized.
        num_codebooks: codebooks of the residual quantizer.
        cardinality: entries of each codebook.
    """

    sample_rate: int = 32_000
    fold: int = 16
    ratios: tuple[int, ...] = (5, 4, 2)
    channels: tuple[int, ...] = (64, 128, 224, 320)
    encoder_units: tuple[tuple[int, ...], ...] = ((1,), (1, 3), (1, 3), (1, 2, 4, 8))
    decoder_units: tuple[tuple[int, ...], ...] = ((1, 3), (1, 3), (1, 3), (1, 2, 4, 8))
    latent_dim: int = 32
    num_codebooks: int = 4
    cardinality: int = 2048

    @property
    def hop(self) -> int:
        """Samples per token frame."""
        hop = self.fold
        for ratio in self.ratios:
            hop *= ratio
        return hop


def _unit(channels: int, dilation: int) -> Residual:
    """SEANet's residual unit: a dilated convolution through half the channels and back; it begins as nearly nothing."""
    hidden = channels // 2
    last = CausalConv1d(hidden, channels, 1)
    with torch.no_grad():
        last.conv.weight.mul_(0.2)
    return Residual(Pointwise(nn.ELU()), CausalConv1d(channels, hidden, 3, dilation), Pointwise(nn.ELU()), last)


class SeanetEncoder(StreamingModule):
    """Sound to latents: [B, 1, 640 T] -> [B, latent_dim, T].

    The path between the rates is linear; what is not linear is in the residual units beside it.
    """

    def __init__(self, config: SeanetConfig) -> None:
        super().__init__()
        widths = config.channels
        first, last = CausalConv1d(config.fold, widths[0], 5), CausalConv1d(widths[-1], config.latent_dim, 3)
        units = [[_unit(width, d) for d in row] for width, row in zip(widths, config.encoder_units, strict=True)]
        parts: list[StreamingModule] = [Fold(config.fold), first, *units[0]]
        for ratio, before, after, row in zip(config.ratios, widths[:-1], widths[1:], units[1:], strict=True):
            parts += [Fold(ratio), CausalConv1d(before * ratio, after, 2), *row]
        self.chain = Chain(*parts, last)
        self.rate = self.chain.rate

    def init_state(self, batch: int) -> State:
        """The convolutions' pasts."""
        return self.chain.init_state(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Sound [B, 1, 640 T] -> latents [B, latent_dim, T]."""
        return self.chain.step(x, state)


class SeanetDecoder(StreamingModule):
    """Quantized latents to sound: [B, latent_dim, T] -> [B, 1, 640 T]; the encoder's mirror image."""

    def __init__(self, config: SeanetConfig) -> None:
        super().__init__()
        widths = config.channels[::-1]
        first, last = CausalConv1d(config.latent_dim, widths[0], 3), CausalConv1d(widths[-1], config.fold, 5)
        dilations = config.decoder_units[::-1]
        units = [[_unit(width, d) for d in row] for width, row in zip(widths, dilations, strict=True)]
        parts: list[StreamingModule] = [first, *units[0]]
        for ratio, before, after, row in zip(config.ratios[::-1], widths[:-1], widths[1:], units[1:], strict=True):
            parts += [CausalConv1d(before, after * ratio, 2), Unfold(ratio), *row]
        self.chain = Chain(*parts, last, Unfold(config.fold))
        self.rate = self.chain.rate

    def init_state(self, batch: int) -> State:
        """The convolutions' pasts."""
        return self.chain.init_state(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Latents [B, latent_dim, T] -> sound [B, 1, 640 T]."""
        return self.chain.step(x, state)
