"""The coordinated latent space: what is seen and what is heard at a tick, as vectors that can be compared.

Two causal encoders on one time base. Both end in a vector of unit mean square, so that a dot product says how well a
moment of movement and a moment of sound belong together (contrastive learning, van den Oord et al. 2018; CLIP, Radford
et al. 2021). Heads, used in training only, make each side know what the other needs: onsets, loudness and pitch from
what is seen; how fast which part of the picture moves from what is heard; and each latent from the other.
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
"""MIDI pitch of the first pitch class that is told apart; class 0 is "no pitch"."""


@dataclass(frozen=True)
class LatentConfig(Sizes):
    """The sizes.

    Attributes:
        dim: width of a latent.
        hidden: width inside the encoders.
        dilations: of the convolutions over past ticks, 3 taps each; 1, 2, 4, 8 reach back 1.2 s.
        embedding_dim, grid: of a motion.
        points: of how many points the embedding tells first, for the reader of pitches; 0 for another embedding.
        reader_hidden: width inside the reader.
        reader_memory: width of what the reader remembers; 0 for a reader of single pictures.
        codec_dim, frames: of a tick of sound: frames x codec_dim numbers, the codec's quantized latents.
        mel_dim: bands of a spectrogram's frame where that is what is heard; 0 for the codec's tokens.
        num_codebooks, cardinality: of the codec.
        mel_bands: bands of the loudness head, per token frame.
        pitches: classes of the pitch head: none, and semitones from `LOWEST_PITCH`.
        speed_grid: side of the head that says how fast what moves.
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
    """What is seen at each tick of a block.

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
    """What both sides share: a past, and a projection to a latent of unit mean square."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        self.past = _past(config)
        self.out = nn.Linear(config.hidden, config.dim)

    def init_state(self, batch: int) -> State:
        """Nothing was sensed."""
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
        # A pitch is where points lie to each other: more than a sum of what each of them says.
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
        read = len(READ_INSTRUMENTS) * config.pitches if config.points else 0
        self._pasts = len(self.past.init_state(1))
        self.enter = nn.Linear(
            48 * (config.grid // 4) ** 2 + config.embedding_dim + config.hidden + 2 + read, config.hidden
        )

    def init_state(self, batch: int) -> State:
        """Nothing was seen; what the reader remembers comes last."""
        read = self.reader.init_state(batch) if self.reader is not None else ()
        return (*self.past.init_state(batch), *read)

    def step(self, seen: Motions, state: State) -> tuple[Tensor, State]:
        """A block of ticks -> (latents [B, T, dim], state)."""
        batch, length = seen.age_s.shape
        speed = seen.speed[:, :, None]
        planes = torch.cat([compress(8.0 * seen.flow), compress(8.0 * speed), compress(80.0 * speed)], dim=2)
        cells = self.cells(planes.flatten(0, 1)).view(batch, length, -1)
        energy = torch.log(seen.speed.mean((2, 3)).clamp_min(0.0) + 1e-3)[..., None]
        parts = [cells, seen.embedding, self.view(seen.embedding), 10.0 * seen.age_s[..., None], energy]
        past, memory = state[: self._pasts], state[self._pasts :]
        if self.reader is not None:
            odds, memory = self.reader.step(seen.embedding, memory)
            parts.append(odds)
        latents, past = self._finish(self.enter(torch.cat(parts, dim=-1)), past)
        return latents, (*past, *memory)

    def forward(self, seen: Motions) -> Tensor:
        """The whole sequence at once."""
        return self.step(seen, self.init_state(seen.age_s.shape[0]))[0]


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
    an onset, `pitch` [B, T, frames * pitches] logits, `speed` [B, T, speed_grid ** 2] compressed speed; `hears` guesses
    the audio latent from the video's, `sees` the other way.

    Args:
        config: the sizes.
    """

    def __init__(self, config: LatentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LatentConfig()
        self.codebooks = nn.Buffer(torch.zeros(config.num_codebooks, config.cardinality, config.codec_dim))
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
        """Frames [B, T, K or D, frames] -> what `audio` hears, [B, T, frames * width]."""
        if self.config.mel_dim:
            return codes.flatten(2)
        total = F.embedding(codes[:, :, 0], self.codebooks[0])
        for k in range(1, self.config.num_codebooks):
            total = total + F.embedding(codes[:, :, k], self.codebooks[k])
        return total.flatten(2)

    def predictions(self, latents: Tensor) -> LatentPredictions:
        """What latents of either side say."""
        return LatentPredictions(self.loudness(latents), self.attack(latents), self.pitch(latents), self.speed(latents))


def similarity(video: Tensor, audio: Tensor) -> Tensor:
    """How well moments belong together: video [..., T, dim], audio [..., S, dim] -> [..., T, S], 1 for identical."""
    return video @ audio.transpose(-1, -2) / video.shape[-1]
