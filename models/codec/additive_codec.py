"""The codec's encoder and decoder: it analyses partials, and synthesizes with oscillators and noise.

The encoder maps the features of `models.codec.partial_analysis` to a latent. The decoder maps a latent to the levels of
`models.codec.additive_synthesis`. Both have a linear path, initialised by principal component analysis
(`init_linear_paths`), and beside it causal convolutions over 20 ms frames (after ConvNeXt, Liu et al. 2022). So the
untrained codec already distinguishes notes. Training adds the nonlinear part: spectral envelopes, attacks, noise, and
the dependence on the past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.codec.additive_synthesis import BANDS, HOPS, STEPS, SynthesisLevels, Synthesizer
from models.codec.partial_analysis import FEATURES, FRAME, HIGH_CHANNELS, LOW_CHANNELS, PartialAnalysis, level_of
from models.sizes import Sizes
from models.streaming_law import Chain, State, StreamingModule

OSCILLATOR_THRESHOLD = 0.05
"""An oscillator whose root amplitude is below this is off."""


@dataclass(frozen=True)
class CodecConfig(Sizes):
    """The codec's sizes.

    Attributes:
        width: channels inside.
        encoder_dilations, decoder_dilations: of the convolutions, one for each block of 5 taps.
        latent_dim: width of what is quantized.
        num_codebooks: codebooks of the residual quantizer.
        cardinality: entries of each codebook.
    """

    width: int = 256
    encoder_dilations: tuple[int, ...] = (1, 2, 4, 8)
    decoder_dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    latent_dim: int = 128
    num_codebooks: int = 4
    cardinality: int = 2048

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return 32_000

    @property
    def hop(self) -> int:
        """Samples per token frame."""
        return FRAME


class ConvNextBlock(StreamingModule):
    """A causal ConvNeXt block: a depthwise convolution, then a perceptron; initialised close to the identity."""

    KERNEL = 5
    WIDER = 3

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.width, self.context = width, (self.KERNEL - 1) * dilation
        self.over_time = nn.Conv1d(width, width, self.KERNEL, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, self.WIDER * width), nn.Linear(self.WIDER * width, width)
        nn.init.normal_(self.narrow.weight, std=0.16 / (self.WIDER * width) ** 0.5)
        nn.init.zeros_(self.narrow.bias)

    def init_state(self, batch: int) -> State:
        """The convolution's past."""
        return (self.norm.weight.new_zeros(batch, self.width, self.context),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """X [B, C, T] -> y [B, C, T]."""
        joined = torch.cat([state[0], x], -1)
        y = self.norm(self.over_time(joined).transpose(1, 2))
        return x + self.narrow(F.gelu(self.widen(y))).transpose(1, 2), (joined[..., joined.shape[-1] - self.context :],)


class AdditiveEncoder(StreamingModule):
    """Sound to latents: [B, 1, 640 T] -> [B, latent_dim, T]."""

    rate = (1, FRAME)

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.listening = PartialAnalysis()
        self.across = nn.Linear(FEATURES, config.latent_dim)
        self.first = nn.Linear(FEATURES, config.width)
        self.blocks = Chain(*(ConvNextBlock(config.width, dilation) for dilation in config.encoder_dilations))
        self.norm = nn.LayerNorm(config.width)
        self.last = nn.Linear(config.width, config.latent_dim)
        with torch.no_grad():
            self.last.weight.mul_(0.05)

    def init_state(self, batch: int) -> State:
        """The last 64 ms of sound, and the blocks' states."""
        return (*self.listening.init_state(batch), *self.blocks.init_state(batch))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Sound [B, 1, 640 T] -> latents [B, latent_dim, T]."""
        with torch.no_grad():
            features, past = self.listening.step(x, state[:1])
        inside, pasts = self.blocks.step(self.first(features).transpose(1, 2), state[1:])
        latents = self.across(features) + self.last(self.norm(inside.transpose(1, 2)))
        return latents.transpose(1, 2), (*past, *pasts)


class SynthesisControls(NamedTuple):
    """The decoder's controls for the synthesizer.

    Attributes:
        places: the roots of the low oscillators' parts of the level [B, HOPS * T, LOW_CHANNELS]; compare `Places`.
        levels: the oscillators' and the noise bands' amplitudes.
    """

    places: Tensor
    levels: SynthesisLevels


class AdditiveDecoder(StreamingModule):
    """Quantized latents to sound: [B, latent_dim, T] -> [B, 1, 640 T]."""

    rate = (FRAME, 1)
    _SIZES = (HOPS * LOW_CHANNELS, HOPS * HIGH_CHANNELS, HOPS, STEPS * BANDS)

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.across = nn.Linear(config.latent_dim, LOW_CHANNELS + 1)
        self.first = nn.Linear(config.latent_dim, config.width)
        self.blocks = Chain(*(ConvNextBlock(config.width, dilation) for dilation in config.decoder_dilations))
        self.norm = nn.LayerNorm(config.width)
        self.last = nn.Linear(config.width, sum(self._SIZES))
        self.synthesizer = Synthesizer()
        places, high, level, noise = self.last.weight.split(self._SIZES)
        with torch.no_grad():
            for rows, spread in ((places, 0.05), (high, 0.5), (level, 0.05), (noise, 0.5)):
                nn.init.normal_(rows, std=spread / config.width**0.5)
            # At first the oscillators without a linear path are off, and the noise is faint.
            for rows, log_level in zip(self.last.bias.split(self._SIZES), (0.0, -9.0, 0.0, -7.0), strict=True):
                rows.fill_(log_level)

    def init_state(self, batch: int, frame: int = 0) -> State:
        """The blocks' states, and a silent synthesizer that begins at frame number `frame`."""
        return (*self.blocks.init_state(batch), *self.synthesizer.init_state(batch, frame))

    def say(self, latents: Tensor, state: State) -> tuple[SynthesisControls, State]:
        """Latents [B, latent_dim, T] -> the synthesizer's controls, and the blocks' state."""
        batch, _, frames = latents.shape
        inside, pasts = self.blocks.step(self.first(latents.transpose(1, 2)).transpose(1, 2), state)
        parts = self.last(self.norm(inside.transpose(1, 2))).split(self._SIZES, -1)
        places, high, level, noise = (
            part.reshape(batch, frames * rate, -1) for part, rate in zip(parts, (HOPS, HOPS, HOPS, STEPS), strict=True)
        )
        straight = self.across(latents.transpose(1, 2)).repeat_interleave(HOPS, 1)
        places = places + straight[..., :LOW_CHANNELS]
        level = level + level_of(straight[..., LOW_CHANNELS:])
        low = F.relu(places - OSCILLATOR_THRESHOLD).square() * level.clamp(-12.0, 1.0).exp()
        tones = torch.cat([low, high.clamp(-14.0, 0.0).exp()], -1)
        return SynthesisControls(places, SynthesisLevels(tones, noise.clamp(-14.0, 1.0).exp())), pasts

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Latents [B, latent_dim, T] -> sound [B, 1, 640 T]."""
        controls, pasts = self.say(x, state[:-3])
        sound, after = self.synthesizer.step(controls.levels, state[-3:])
        return sound, (*pasts, *after)


@torch.no_grad()
def init_linear_paths(encoder: AdditiveEncoder, decoder: AdditiveDecoder, features: Tensor) -> None:
    """Set the linear paths to the principal components of features [N, FEATURES], and to their inverse."""
    mean = features.mean(0)
    _, vectors = torch.linalg.eigh(torch.cov((features - mean).T))
    components = vectors[:, -encoder.across.out_features :].T
    encoder.across.weight.copy_(components)
    encoder.across.bias.copy_(-components @ mean)
    rows = [*range(LOW_CHANNELS), FEATURES - 1]
    decoder.across.weight.copy_(components.T[rows])
    decoder.across.bias.copy_(mean[rows])
