"""The causal codec: SEANet encoder and decoder around a residual vector quantizer; 32 kHz, 50 Hz, 4 codebooks of 2048.

After SoundStream (Zeghidour et al. 2021) and EnCodec (Defossez et al. 2022), with every strided convolution written as
space-to-depth and a plain convolution: 16 samples are folded into channels before the first one, so the network runs at
2 kHz and below, which is what makes it cheap on a CPU. Nothing looks ahead: latency is zero samples. Unlike SEANet's,
the path between the rates is linear and starts as a projection (`mirror`); non-linear are the residual units, and the
levels: at 2 kHz the encoder takes part of each channel's level out and passes it on as a logarithm, and the decoder
multiplies it back (gain and shape apart, as in CELT, Valin et al. 2010). With it the mel distance after 1,000 steps
without the quantizer is 1.40, without it 1.74.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.streaming import CausalConv1d, Chain, Fold, Pointwise, Residual, State, StreamingModule, Unfold


@dataclass(frozen=True)
class CodecConfig:
    """The codec's sizes.

    Attributes:
        sample_rate: in Hz.
        fold: samples folded into channels before the first convolution.
        ratios: further down-sampling factors; fold * product(ratios) samples make one token frame.
        channels: width at each rate, from the fastest to the slowest.
        encoder_units: dilations of the encoder's residual units at each rate, from the fastest to the slowest.
        decoder_units: the decoder's, in the same order.
        levels: whether the channels' levels go a way of their own, as logarithms.
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
    levels: bool = True
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CodecConfig:
        """The inverse of `as_dict`."""
        return cls(**{name: _frozen(value) for name, value in values.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _unit(channels: int, dilation: int) -> Residual:
    """SEANet's residual unit: a dilated convolution through half the channels and back; it begins as nearly nothing."""
    hidden = channels // 2
    last = CausalConv1d(hidden, channels, 1)
    with torch.no_grad():
        last.conv.weight.mul_(0.2)
    return Residual(Pointwise(nn.ELU()), CausalConv1d(channels, hidden, 3, dilation), Pointwise(nn.ELU()), last)


class TakeLevel(StreamingModule):
    """Each channel over a power of its own level of the last `SPAN` frames, and all levels' logarithms mixed into it.

    The power is less than one so that what is loud stays somewhat louder: with one, all channels weigh the same, and
    the few numbers of a latent no longer carry the waveform of those that matter.
    """

    SPAN = 40
    """Frames at 2 kHz: one token frame."""
    POWER = 0.7
    QUIET = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.mix = nn.Conv1d(channels, channels, 1)
        nn.init.normal_(self.mix.weight, std=0.2 / channels**0.5)

    def init_state(self, batch: int) -> State:
        """The squares of the last frames."""
        return (self.mix.weight.new_zeros(batch, self.channels, self.SPAN - 1),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """X [B, C, T] -> y [B, C, T]."""
        squares = torch.cat([state[0], x * x], dim=-1)
        level = F.avg_pool1d(squares, self.SPAN, 1).add(self.QUIET**2).sqrt()
        log_level = level.log()
        # The logarithms are brought to about -1 to 1 over the range that is heard.
        return x * (-self.POWER * log_level).exp() + self.mix(0.2 * log_level + 1.0), (
            squares[..., squares.shape[-1] - self.SPAN + 1 :],
        )


class GiveLevel(StreamingModule):
    """Each channel times the exponential of a mixture of all: the way back from `TakeLevel`."""

    LOUDEST = 3.0
    QUIETEST = -14.0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(channels, channels, 1)
        nn.init.normal_(self.mix.weight, std=0.2 / channels**0.5)
        if self.mix.bias is not None:
            nn.init.constant_(self.mix.bias, -2.0)

    def init_state(self, batch: int) -> State:
        """No state."""
        return ()

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """X [B, C, T] -> y [B, C, T]."""
        return x * self.mix(x).clamp(self.QUIETEST, self.LOUDEST).exp(), ()


def _path(chain: Chain) -> list[CausalConv1d]:
    return [part for part in chain.parts if isinstance(part, CausalConv1d)]


class Encoder(StreamingModule):
    """Sound to latents: [B, 1, 640 T] -> [B, latent_dim, T].

    The path between the rates is linear; what is not linear is in the residual units beside it.
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        widths = config.channels
        first, last = CausalConv1d(config.fold, widths[0], 5), CausalConv1d(widths[-1], config.latent_dim, 3)
        units = [[_unit(width, d) for d in row] for width, row in zip(widths, config.encoder_units, strict=True)]
        taken = [TakeLevel(widths[0])] if config.levels else []
        parts: list[StreamingModule] = [Fold(config.fold), first, *taken, *units[0]]
        for ratio, before, after, row in zip(config.ratios, widths[:-1], widths[1:], units[1:], strict=True):
            parts += [Fold(ratio), CausalConv1d(before * ratio, after, 2), *row]
        self.chain = Chain(*parts, last)
        self.rate = self.chain.rate

    @property
    def path(self) -> list[CausalConv1d]:
        """The convolutions between the rates, in order."""
        return _path(self.chain)

    def init_state(self, batch: int) -> State:
        """The convolutions' pasts."""
        return self.chain.init_state(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Sound [B, 1, 640 T] -> latents [B, latent_dim, T]."""
        return self.chain.step(x, state)


class Decoder(StreamingModule):
    """Quantized latents to sound: [B, latent_dim, T] -> [B, 1, 640 T]; the encoder's mirror image."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        widths = config.channels[::-1]
        first, last = CausalConv1d(config.latent_dim, widths[0], 3), CausalConv1d(widths[-1], config.fold, 5)
        dilations = config.decoder_units[::-1]
        units = [[_unit(width, d) for d in row] for width, row in zip(widths, dilations, strict=True)]
        parts: list[StreamingModule] = [first, *units[0]]
        for ratio, before, after, row in zip(config.ratios[::-1], widths[:-1], widths[1:], units[1:], strict=True):
            parts += [CausalConv1d(before, after * ratio, 2), Unfold(ratio), *row]
        given = [GiveLevel(widths[-1])] if config.levels else []
        self.chain = Chain(*parts, *given, last, Unfold(config.fold))
        self.rate = self.chain.rate

    @property
    def path(self) -> list[CausalConv1d]:
        """The convolutions between the rates, in order."""
        return _path(self.chain)

    def init_state(self, batch: int) -> State:
        """The convolutions' pasts."""
        return self.chain.init_state(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Latents [B, latent_dim, T] -> sound [B, 1, 640 T]."""
        return self.chain.step(x, state)


@torch.no_grad()
def mirror(encoder: Encoder, decoder: Decoder) -> None:
    """Begin as a projection: the encoder's linear path is orthogonal and the decoder's is its transpose.

    So the untrained codec already passes a part of every waveform through, in phase, and training widens that part:
    after 100 steps the error is 5 dB below the signal. From random weights, with the non-linearities on the path as in
    the original, it was still at 0 dB after 500 steps: only the spectrum was learned, and no phase.
    """
    for down, up in zip(encoder.path, reversed(decoder.path), strict=True):
        now = torch.empty(down.conv.out_channels, down.conv.in_channels)
        nn.init.orthogonal_(now)
        for conv, weight in ((down.conv, now), (up.conv, now.T)):
            conv.weight.mul_(0.05)
            conv.weight[..., -1] = weight


class ResidualQuantizer(nn.Module):
    """Residual vector quantization (SoundStream, section III-C); codebooks learned by exponential moving averages."""

    def __init__(self, config: CodecConfig) -> None:
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


class Codec(nn.Module):
    """Encoder, quantizer and decoder.

    Args:
        config: the sizes.
    """

    def __init__(self, config: CodecConfig | None = None) -> None:
        super().__init__()
        self.config = config or CodecConfig()
        self.encoder = Encoder(self.config)
        self.quantizer = ResidualQuantizer(self.config)
        self.decoder = Decoder(self.config)
        mirror(self.encoder, self.decoder)

    def encode(self, pcm: Tensor) -> Tensor:
        """Pcm [B, 1, 640 T] in -1..1 -> codes [B, K, T]."""
        return self.quantizer.encode(self.encoder(pcm))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] -> pcm [B, 1, 640 T]."""
        sound: Tensor = self.decoder(self.quantizer.decode(codes))
        return sound
