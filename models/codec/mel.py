"""The other representation of sound: log-mel spectrograms, and a streaming vocoder that turns them back into sound.

The codec's tokens are classes; a spectrogram is a number for every band, which a translator predicts by regression. Two
windows are used: one of 64 ms, whose bands are narrow enough for notes, and two of 16 ms for onsets. The vocoder is the
codec's decoder (`models.codec.additive_codec`) with the spectrogram in place of a latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from models.codec.additive_codec import AdditiveDecoder, CodecConfig
from models.codec.partial_analysis import (
    FRAME,
    HOP,
    SAMPLE_RATE,
    WINDOW,
    fourier_matrix,
    magnitude,
    mel_bank,
    onset_window,
    scaled_log,
)
from models.sizes import Sizes
from models.streaming_law import State, StreamingModule

_SHORT = 512


@dataclass(frozen=True)
class MelConfig(Sizes):
    """The spectrogram's and the vocoder's sizes.

    Attributes:
        bands: mel bands of the long window.
        short_bands: mel bands of each of the short windows.
        width: channels inside the vocoder.
        dilations: of its convolutions.
    """

    bands: int = 128
    short_bands: int = 32
    width: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)

    @property
    def dim(self) -> int:
        """Numbers in a frame."""
        return self.bands + FRAME // HOP * self.short_bands

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return FRAME

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest, with `mel_dim` for networks that take frames only."""
        return super().as_dict() | {"mel_dim": self.dim}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return super().from_dict({name: value for name, value in values.items() if name != "mel_dim"})


class MelSpectrogram(StreamingModule):
    """Sound to log-mel frames: [B, 1, 640 T] -> [B, dim, T], -1.4 (-100 dB) to 1.5 (full scale); no parameters."""

    rate = (1, FRAME)

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.long = nn.Buffer(fourier_matrix(onset_window(WINDOW)), persistent=False)
        self.long_mel = nn.Buffer(mel_bank(WINDOW, config.bands, SAMPLE_RATE).T.contiguous(), persistent=False)
        self.short = nn.Buffer(fourier_matrix(onset_window(_SHORT)), persistent=False)
        self.short_mel = nn.Buffer(mel_bank(_SHORT, config.short_bands, SAMPLE_RATE).T.contiguous(), persistent=False)

    def init_state(self, batch: int) -> State:
        """The sound before this frame that its window sees: [B, 1, WINDOW - FRAME]."""
        return (self.long.new_zeros(batch, 1, WINDOW - FRAME),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Sound [B, 1, 640 T] -> frames [B, dim, T]."""
        joined = torch.cat([state[0], x], -1)
        sound = joined[:, 0]
        long = magnitude(sound.unfold(1, WINDOW, FRAME) @ self.long, 1e-6) @ self.long_mel
        begin = WINDOW - FRAME + HOP - _SHORT
        short = magnitude(sound[:, begin:].unfold(1, _SHORT, HOP) @ self.short, 1e-6) @ self.short_mel
        frames = torch.cat([scaled_log(long), scaled_log(short).reshape(*long.shape[:2], -1)], -1)
        return frames.transpose(1, 2), (joined[..., joined.shape[-1] - (WINDOW - FRAME) :],)


class Vocoder(nn.Module):
    """Spectrograms from sound, and sound from spectrograms.

    Args:
        config: the sizes.
    """

    def __init__(self, config: MelConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MelConfig()
        self.encoder = MelSpectrogram(config)
        self.decoder = AdditiveDecoder(
            CodecConfig(width=config.width, decoder_dilations=config.dilations, latent_dim=config.dim)
        )

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Vocoder:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(MelConfig.from_dict(values))

    def encode(self, pcm: Tensor) -> Tensor:
        """Pcm [B, 1, 640 T] in -1..1 -> frames [B, dim, T]."""
        frames: Tensor = self.encoder(pcm)
        return frames

    def decode(self, frames: Tensor) -> Tensor:
        """Frames [B, dim, T] -> pcm [B, 1, 640 T]."""
        sound: Tensor = self.decoder(frames)
        return sound


def _least_squares(frames: Tensor, targets: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight [M, dim] and bias [M] of the affine map from frames [N, dim] to targets [N, M]."""
    frame_mean, target_mean = frames.mean(0), targets.mean(0)
    x, y = frames - frame_mean, targets - target_mean
    gram = x.T @ x / len(x)
    weight = torch.linalg.solve(gram + ridge * gram.diagonal().mean() * torch.eye(len(gram)), x.T @ y / len(x)).T
    return weight, target_mean - weight @ frame_mean


@torch.no_grad()
def init_linear_decoder(vocoder: Vocoder, frames: Tensor, targets: Tensor, ridge: float = 1e-2) -> None:
    """Set the vocoder's linear path to the least-squares solution.

    Args:
        vocoder: the one whose decoder is initialised.
        frames: spectrograms [N, dim].
        targets: the desired output for them, the places and the level's scaled logarithm [N, LOW_CHANNELS + 1].
        ridge: keeps the weights small where bands are correlated.
    """
    weight, bias = _least_squares(frames, targets, ridge)
    vocoder.decoder.across.weight.copy_(weight)
    vocoder.decoder.across.bias.copy_(bias)


@torch.no_grad()
def init_from_decoder(
    vocoder: Vocoder, decoder: AdditiveDecoder, frames: Tensor, latents: Tensor, ridge: float = 1e-3
) -> None:
    """Take over a trained codec's decoder; its latents are estimated from the spectrogram by least squares.

    Args:
        vocoder: the one whose decoder is initialised.
        decoder: a codec's, of the same width and dilations.
        frames: spectrograms [N, dim].
        latents: the codec's latents of the same frames [N, latent_dim].
        ridge: keeps the weights small where bands are correlated.
    """
    weight, bias = _least_squares(frames, latents, ridge)
    tensors = decoder.state_dict()
    for name in ("across", "first"):
        layer: nn.Linear = getattr(decoder, name)
        tensors[f"{name}.weight"] = layer.weight @ weight
        tensors[f"{name}.bias"] = layer.bias + layer.weight @ bias
    vocoder.decoder.load_state_dict(tensors)
