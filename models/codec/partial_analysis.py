"""The encoder's analysis: fixed, causal spectra in which each partial appears in the channel of its own frequency.

A window of 64 ms cannot tell two neighbouring notes apart by magnitude, but the phase can: from one hop to the next it
advances by the true frequency of the partial that dominates a channel (the phase vocoder, Flanagan and Golden 1966;
reassignment, Auger and Flandrin 1995). A channel is weighted by how near that frequency is to its own. A partial's
pitch, to a quarter of a semitone, is thus given by a channel's index, which a network learns easily; from raw phases it
does not. Short windows beside it locate onsets.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from models.streaming_law import State

SAMPLE_RATE = 32_000
FRAME = 640
"""Samples of a token frame."""
HOP = 320
"""Samples between two analyses of the partials: 10 ms."""
WINDOW = 2048
PHASES = 4096
"""Phases of a full turn. Frequencies are multiples of 100 / 4096 Hz, so after each hop a channel's phase is one of
4096. Counting hops in whole numbers therefore gives the phase exactly, after any time."""
LOW_CHANNELS, HIGH_CHANNELS = 312, 48
"""Channels with reassignment up to 3.5 kHz, and those above it without."""
QUIET = 1e-4
"""Levels below this, -80 dB of full scale, count as silence."""
_MIDDLE, _SHORT = 512, 128
_MIDDLE_BANDS, _SHORT_BANDS = 64, 16
_EVEN_PLACE, _EVEN_MIDDLE, _EVEN_SHORT = 1.0, 0.15, 0.08
"""Weights of the parts of a feature vector in a distance: the partials make up about two thirds."""
FEATURES = LOW_CHANNELS + 2 * _MIDDLE_BANDS + 8 * _SHORT_BANDS + 1


def frequencies() -> Tensor:
    """The channels' frequencies in Hz, float64 [LOW_CHANNELS + HIGH_CHANNELS].

    Half semitones from 27.5 Hz, quarter semitones from 55 Hz, half semitones from 3,520 Hz to 14 kHz.
    """
    low = 27.5 * 2 ** (torch.arange(24, dtype=torch.float64) / 24)
    middle = 55.0 * 2 ** (torch.arange(288, dtype=torch.float64) / 48)
    high = 3520.0 * 2 ** (torch.arange(HIGH_CHANNELS, dtype=torch.float64) / 24)
    step = SAMPLE_RATE / HOP / PHASES
    return (torch.cat([low, middle, high]) / step).round() * step


@lru_cache(maxsize=32)
def mel_bank(window: int, bands: int, rate: int) -> Tensor:
    """Triangular mel filters (HTK scale): float32 [bands, window // 2 + 1], each of peak one."""
    top = 2595.0 * np.log10(1 + rate / 2 / 700.0)
    edges = 700.0 * (10 ** (np.linspace(0, top, bands + 2) / 2595.0) - 1)
    freq = np.linspace(0, rate / 2, window // 2 + 1)
    rise = (freq[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - freq[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.clip(np.minimum(rise, fall), 0, None).astype(np.float32))


def onset_window(window: int) -> Tensor:
    """A window that rises slowly and falls within its last eighth: the newest sound weighs most. Float64 [window]."""
    fall = window // 8
    up = (torch.arange(window - fall, dtype=torch.float64) + 0.5) / (window - fall)
    down = (torch.arange(fall, dtype=torch.float64) + 0.5) / fall
    return torch.cat([torch.sin(torch.pi / 2 * up) ** 2, torch.cos(torch.pi / 2 * down) ** 2])


def heterodyne_matrix(shape: Tensor, hz: Tensor) -> Tensor:
    """The matrix from windows to real and imaginary parts: float32 [window, 2 C]; a full-scale sine gives one."""
    turns = torch.arange(shape.numel(), dtype=torch.float64)[:, None] * hz[None].double() / SAMPLE_RATE
    phase = 2 * torch.pi * turns
    both = torch.cat([shape[:, None] * phase.cos(), -shape[:, None] * phase.sin()], 1)
    return (both * (2 / shape.sum())).float()


def fourier_matrix(shape: Tensor) -> Tensor:
    """A windowed discrete Fourier transform as a matrix: float32 [window, window + 2]; see `heterodyne_matrix`."""
    window = shape.numel()
    return heterodyne_matrix(shape, torch.arange(window // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / window)


def magnitude(parts: Tensor, least: float) -> Tensor:
    """Real and imaginary parts [..., 2 C] to magnitudes [..., C], not less than `least`."""
    real, imaginary = parts.chunk(2, -1)
    return (real * real + imaginary * imaginary + least * least).sqrt()


def angle_of(x: Tensor, y: Tensor) -> Tensor:
    """The angle of x + iy, -pi..pi, and zero for silence, where the runtimes' atan2 differ."""
    return 2.0 * torch.atan(y / ((x * x + y * y + 1e-36).sqrt() + x + 1e-18))


class ReassignedSpectrum(nn.Module):
    """The partials of a sound, each in its channel.

    Args:
        shape: the window, float64 [WINDOW].
    """

    def __init__(self, shape: Tensor) -> None:
        super().__init__()
        hz = frequencies()[:LOW_CHANNELS]
        self.matrix = nn.Buffer(heterodyne_matrix(shape, hz), persistent=False)
        turn = 2 * torch.pi * (hz * HOP / SAMPLE_RATE)
        self.cos = nn.Buffer(turn.cos().float(), persistent=False)
        self.sin = nn.Buffer(turn.sin().float(), persistent=False)
        spacing = torch.cat([hz[1:] - hz[:-1], hz[-1:] - hz[-2:-1]])
        # From the advance of a phase, in radians, to channels.
        self.scale = nn.Buffer((SAMPLE_RATE / HOP / (2 * torch.pi) / (0.7 * spacing)).float(), persistent=False)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Sound [B, WINDOW + HOP * J] -> (the root of each partial's part of the level [B, J, C], level [B, J, 1])."""
        windows = sound.unfold(1, WINDOW, HOP) @ self.matrix
        strength = magnitude(windows, 1e-7)[:, 1:]
        real, imaginary = windows.chunk(2, -1)
        along = real[:, 1:] * real[:, :-1] + imaginary[:, 1:] * imaginary[:, :-1]
        across = imaginary[:, 1:] * real[:, :-1] - real[:, 1:] * imaginary[:, :-1]
        ahead = angle_of(along * self.cos + across * self.sin, across * self.cos - along * self.sin)
        own = strength * torch.exp(-((ahead * self.scale) ** 2))
        level = strength.amax(-1, keepdim=True) + QUIET
        return (own / level).sqrt(), level


class PartialAnalysis(nn.Module):
    """Features of each token frame, from it and the 64 ms before it.

    In this order: the partials' places [LOW_CHANNELS], log-mel of two windows of 16 ms and of eight of 4 ms, and the
    level's logarithm. There are no parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places = ReassignedSpectrum(onset_window(WINDOW))
        self.middle = nn.Buffer(fourier_matrix(onset_window(_MIDDLE)), persistent=False)
        self.middle_mel = nn.Buffer(mel_bank(_MIDDLE, _MIDDLE_BANDS, SAMPLE_RATE).T.contiguous(), persistent=False)
        self.short = nn.Buffer(fourier_matrix(torch.hann_window(_SHORT, dtype=torch.float64)), persistent=False)
        self.short_mel = nn.Buffer(mel_bank(_SHORT, _SHORT_BANDS, SAMPLE_RATE).T.contiguous(), persistent=False)

    def init_state(self, batch: int) -> State:
        """The last window of sound [B, 1, WINDOW]."""
        return (self.places.matrix.new_zeros(batch, 1, WINDOW),)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Sound [B, 1, FRAME * T] -> features [B, T, FEATURES]."""
        joined = torch.cat([state[0], x], -1)
        sound = joined[:, 0]
        batch, frames = x.shape[0], x.shape[-1] // FRAME
        places, level = self.places(sound)
        newest = FRAME // HOP
        return torch.cat(
            [
                _EVEN_PLACE * places[:, newest - 1 :: newest],
                _EVEN_MIDDLE * self._mel(sound, self.middle, self.middle_mel, HOP).reshape(batch, frames, -1),
                _EVEN_SHORT * self._mel(sound, self.short, self.short_mel, 80).reshape(batch, frames, -1),
                scaled_log(level)[:, newest - 1 :: newest],
            ],
            -1,
        ), (joined[..., joined.shape[-1] - WINDOW :],)

    @staticmethod
    def _mel(sound: Tensor, matrix: Tensor, bank: Tensor, hop: int) -> Tensor:
        window = matrix.shape[0]
        parts = sound[:, WINDOW - window + hop :].unfold(1, window, hop) @ matrix
        return scaled_log(magnitude(parts, 1e-6) @ bank)


def scaled_log(x: Tensor) -> Tensor:
    """A magnitude's logarithm, brought to -1.4 (-100 dB) to 1.5 (full scale)."""
    return 0.25 * (x + 1e-5).log() + 1.5


def level_of(scaled: Tensor) -> Tensor:
    """The inverse of `scaled_log`, in nepers: the logarithm itself."""
    return 4.0 * (scaled - 1.5)
