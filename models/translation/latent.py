"""The coordinated latent space: a tick's movement and a tick's sound as vectors that can be compared.

Two causal encoders on one time base. Both give a vector of unit mean square, so that a dot product measures how well a
moment of movement matches a moment of sound (contrastive learning, van den Oord et al. 2018; CLIP, Radford et al.
2021). Heads, used in training only, make each latent carry what the other side needs: onsets, loudness and pitch from
the video latent, the speed of each part of the picture from the audio latent, and each latent from the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sizes import Sizes
from models.streaming_law import CausalConv1d, Chain, Pointwise, Residual, State
from models.vision.pitch_reader import READ_INSTRUMENTS, PitchReader

LOWEST_PITCH = 36
"""MIDI pitch of pitch class 1; class 0 is "no pitch"."""


@dataclass(frozen=True)
class LatentConfig(Sizes):
    """The sizes.

    Attributes:
        dim: width of a latent.
        hidden: width inside the encoders.
        dilations: of the convolutions over past ticks, 3 taps each; 1, 2, 4, 8 reach back 1.2 s.
        embedding_dim, grid: of a motion.
        points: how many points the embedding begins with, for the pitch reader; 0 for an embedding without points.
        reader_hidden: width inside the pitch reader.
        reader_memory: width of the pitch reader's memory; 0 for a reader of single pictures.
        codec_dim, frames: of a tick of sound: frames x codec_dim numbers, the codec's quantized latents.
        mel_dim: bands of a frame if the sound is a spectrogram; 0 for the codec's tokens.
        num_codebooks, cardinality: of the codec.
        mel_bands: bands of the loudness head, per token frame.
        pitches: classes of the pitch head: none, and semitones from `LOWEST_PITCH`.
        speed_grid: cells along a side of the speed head.
    """

    dim: int = 128
    hidden: int = 192
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    embedding_dim: int = 128
    grid: int = 16
    points: int = 0
    reader_hidden: int = 256
    reader_memory: int = 0
    codec_dim: int = 32
    frames: int = 2
    mel_dim: int = 0
    num_codebooks: int = 4
    cardinality: int = 2048
    mel_bands: int = 24
    pitches: int = 64
    speed_grid: int = 4


class Motions(NamedTuple):
    """The motion features of each tick of a block.

    flow [B, T, 2, G, G], speed [B, T, G, G] in frame sides per second; embedding [B, T, E]; age_s [B, T]: how long
    before the tick the frame was captured.
    """

    flow: Tensor
    speed: Tensor
    embedding: Tensor
    age_s: Tensor


class LatentPredictions(NamedTuple):
    """What the heads of `Latent` predict from a latent."""

    loudness: Tensor
    attack: Tensor
    pitch: Tensor
    speed: Tensor


def compress(x: Tensor) -> Tensor:
    """A signed logarithm, linear near zero: a still hand and a drum stick differ by a factor of a thousand."""
    return x.sign() * x.abs().log1p()


def _past(config: LatentConfig) -> Chain:
    """Residual convolutions over past ticks."""
    width = config.hidden
    return Chain(
        *(
            Residual(
                Pointwise(nn.GELU()), CausalConv1d(width, width, 3, d), Pointwise(nn.GELU()), _small_projection(width)
            )
            for d in config.dilations
        )
    )


def _small_projection(width: int) -> CausalConv1d:
    last = CausalConv1d(width, width, 1)
    with torch.no_grad():
        last.conv.weight.mul_(0.3)
    return last


class _Encoder(nn.Module):
    """The common part of both encoders: convolutions over the past, and a projection to unit mean square."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.past = _past(config)
        self.out = nn.Linear(config.hidden, config.dim)

    def init_state(self, batch: int) -> State:
        """The state before the first tick."""
        return self.past.init_state(batch)

    def _finish(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, state = self.past.step(x.transpose(1, 2), state)
        return F.layer_norm(self.out(y.transpose(1, 2)), (self.config.dim,)), state


class VideoLatents(_Encoder):
    """Motions to latents: [B, T, ...] -> [B, T, dim]."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__(config)
        self.cells = nn.Sequential(
            nn.Conv2d(4, 24, 3, 2, 1), nn.GELU(), nn.Conv2d(24, 48, 3, 2, 1), nn.GELU(), nn.Flatten()
        )
        # A pitch depends on how points lie to each other, which a sum over single points does not give.
        self.view = nn.Sequential(
            nn.Linear(config.embedding_dim, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
        )
        self.reader = (
            PitchReader(config.points, config.reader_hidden, config.pitches, config.reader_memory)
            if config.points
            else None
        )
        pitch_odds_width = len(READ_INSTRUMENTS) * config.pitches if config.points else 0
        self._pasts = len(self.past.init_state(1))
        self.enter = nn.Linear(
            48 * (config.grid // 4) ** 2 + config.embedding_dim + config.hidden + 2 + pitch_odds_width, config.hidden
        )

    def init_state(self, batch: int) -> State:
        """The state before the first tick; the pitch reader's memory comes last."""
        reader_state = self.reader.init_state(batch) if self.reader is not None else ()
        return (*self.past.init_state(batch), *reader_state)

    def step(self, motions: Motions, state: State) -> tuple[Tensor, State]:
        """A block of ticks -> (latents [B, T, dim], state)."""
        batch, length = motions.age_s.shape
        speed = motions.speed[:, :, None]
        planes = torch.cat([compress(8.0 * motions.flow), compress(8.0 * speed), compress(80.0 * speed)], dim=2)
        cells = self.cells(planes.flatten(0, 1)).view(batch, length, -1)
        energy = torch.log(motions.speed.mean((2, 3)).clamp_min(0.0) + 1e-3)[..., None]
        parts = [cells, motions.embedding, self.view(motions.embedding), 10.0 * motions.age_s[..., None], energy]
        past, memory = state[: self._pasts], state[self._pasts :]
        if self.reader is not None:
            odds, memory = self.reader.step(motions.embedding, memory)
            parts.append(odds)
        latents, past = self._finish(self.enter(torch.cat(parts, dim=-1)), past)
        return latents, (*past, *memory)

    def forward(self, motions: Motions) -> Tensor:
        """The whole sequence at once."""
        return self.step(motions, self.init_state(motions.age_s.shape[0]))[0]


class AudioLatents(_Encoder):
    """Ticks of sound to latents: the codec's quantized latents [B, T, frames * codec_dim] -> [B, T, dim]."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__(config)
        self.enter = nn.Linear(config.frames * (config.mel_dim or config.codec_dim), config.hidden)

    def step(self, sound: Tensor, state: State) -> tuple[Tensor, State]:
        """A block of ticks -> (latents [B, T, dim], state)."""
        return self._finish(self.enter(sound), state)

    def forward(self, sound: Tensor) -> Tensor:
        """The whole sequence at once."""
        return self.step(sound, self.init_state(sound.shape[0]))[0]


class Latent(nn.Module):
    """Both encoders and the heads.

    Heads, from a latent [B, T, dim]: `loudness` [B, T, frames * mel_bands] log10 mel, `attack` [B, T, frames] logits of
    an onset, `pitch` [B, T, frames * pitches] logits, `speed` [B, T, speed_grid ** 2] compressed speed; `hears`
    predicts the audio latent from the video latent, `sees` the video latent from the audio latent.

    Args:
        config: the sizes.
    """

    def __init__(self, config: LatentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LatentConfig()
        # A spectrogram has no codebooks.
        books = 0 if config.mel_dim else config.num_codebooks
        self.codebooks = nn.Buffer(torch.zeros(books, config.cardinality, config.codec_dim))
        self.video = VideoLatents(config)
        self.audio = AudioLatents(config)
        self.loudness = nn.Linear(config.dim, config.frames * config.mel_bands)
        self.attack = nn.Linear(config.dim, config.frames)
        self.pitch = nn.Linear(config.dim, config.frames * config.pitches)
        self.speed = nn.Linear(config.dim, config.speed_grid**2)
        self.hears, self.sees = (
            nn.Sequential(nn.Linear(config.dim, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.dim))
            for _ in range(2)
        )
        self.sharpness = nn.Parameter(torch.tensor([1.0, 1.0]))

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Latent:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(LatentConfig.from_dict(values))

    def set_codebooks(self, codebooks: Tensor) -> None:
        """Take a codec's codebooks, scaled to a spread of about one."""
        self.codebooks.copy_(codebooks / codebooks[0].std())

    def sound_of(self, codes: Tensor) -> Tensor:
        """Frames [B, T, K or D, frames] -> the input of `audio`, [B, T, frames * width]."""
        if self.config.mel_dim:
            return codes.flatten(2)
        total = F.embedding(codes[:, :, 0], self.codebooks[0])
        for k in range(1, self.config.num_codebooks):
            total = total + F.embedding(codes[:, :, k], self.codebooks[k])
        return total.flatten(2)

    def predictions(self, latents: Tensor) -> LatentPredictions:
        """The heads' predictions from latents of either side."""
        return LatentPredictions(self.loudness(latents), self.attack(latents), self.pitch(latents), self.speed(latents))


def similarity(video: Tensor, audio: Tensor) -> Tensor:
    """How well moments match: video [..., T, dim], audio [..., S, dim] -> [..., T, S], 1 for identical latents."""
    return video @ audio.transpose(-1, -2) / video.shape[-1]
