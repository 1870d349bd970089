"""The decoder's synthesizer: oscillators at fixed frequencies and bands of noise, controlled by their levels.

Additive and subtractive synthesis inside a network (DDSP, Engel et al. 2020), without estimating a fundamental: the
network sets the levels of oscillators a quarter of a semitone apart, so any number of notes can sound at once. Phases
are never sent: an oscillator's phase is a function of the hop's number alone. Partials are therefore continuous by
construction, and stay exact after any number of hours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.codec.partial_analysis import (
    FRAME,
    HIGH_CHANNELS,
    HOP,
    LOW_CHANNELS,
    PHASES,
    SAMPLE_RATE,
    frequencies,
    mel_bank,
)
from models.streaming_law import State

CHANNELS = LOW_CHANNELS + HIGH_CHANNELS
BANDS = 40
STEP = 80
"""Samples between two levels of a noise band: 2.5 ms, as sharp as a struck stick."""
STEPS, HOPS = FRAME // STEP, FRAME // HOP
LOOP = 64
"""The noise repeats after so many token frames: 1.28 s."""
TURN = 1271
"""By how many samples the noise loop is rotated. The joints of ticks always fall on the same 32 places of the loop. Of
all rotations this one makes the worst jump at those places smallest, for white, pink and narrow noise: 0.7 to 0.8 of
the jumps elsewhere (1.2 without rotation)."""


class SynthesisLevels(NamedTuple):
    """What to play: the oscillators' amplitudes [B, HOPS * T, CHANNELS] and those of noise [B, STEPS * T, BANDS]."""

    tones: Tensor
    noise: Tensor


def _noise_table() -> Tensor:
    """Noise of unit rms in each mel band, from a generator that is the same everywhere: [LOOP, STEPS, BANDS, STEP]."""
    length = LOOP * FRAME
    white = np.fft.rfft(np.random.RandomState(2).standard_normal(length))
    bands = np.fft.irfft(white[None] * np.sqrt(mel_bank(length, BANDS, SAMPLE_RATE).double().numpy()), length)
    bands /= np.sqrt((bands**2).mean(1, keepdims=True))
    table = torch.from_numpy(np.roll(bands, -TURN, 1).astype(np.float32)).reshape(BANDS, LOOP, STEPS, STEP)
    return table.permute(1, 2, 0, 3).contiguous()


class Synthesizer(nn.Module):
    """Oscillators and noise bands; no parameters, no look-ahead; an amplitude is reached one hop after it is set."""

    def __init__(self) -> None:
        super().__init__()
        hz = frequencies()
        turns = hz * HOP / SAMPLE_RATE
        self.advance = nn.Buffer(((turns % 1.0) * PHASES).round().float(), persistent=False)
        first = np.random.RandomState(1).random_sample(CHANNELS)
        self.first = nn.Buffer(torch.from_numpy(first).float(), persistent=False)
        at = torch.arange(1, HOP + 1, dtype=torch.float64)
        rise = 0.5 * (1 - torch.cos(torch.pi * at / HOP))
        old = 2 * torch.pi * hz[:, None] * at / SAMPLE_RATE
        new = 2 * torch.pi * hz[:, None] * (at - HOP) / SAMPLE_RATE
        rows = [(1 - rise) * old.cos(), -(1 - rise) * old.sin(), rise * new.cos(), -rise * new.sin()]
        self.waves = nn.Buffer(torch.cat(rows).float(), persistent=False)
        self.noise = nn.Buffer(_noise_table(), persistent=False)
        self.rise = nn.Buffer(torch.arange(1, STEP + 1) / STEP, persistent=False)

    def init_state(self, batch: int, frame: int = 0) -> State:
        """Silence, at a frame's number: (amplitudes [B, CHANNELS], noise levels [B, BANDS], frame [B, 1])."""
        zeros = self.waves.new_zeros
        return zeros(batch, CHANNELS), zeros(batch, BANDS), zeros(batch, 1) + frame % (PHASES // HOPS)

    def step(self, levels: SynthesisLevels, state: State) -> tuple[Tensor, State]:
        """Levels of T frames -> (sound [B, 1, FRAME * T], state)."""
        tones_before, noise_before, frame = state
        batch, hops = levels.tones.shape[:2]
        frames = hops // HOPS
        tones = torch.cat([tones_before[:, None], levels.tones], 1)
        count = HOPS * frame + torch.arange(hops + 1, device=frame.device)
        # Whole numbers below 2^24: exact in single precision.
        advance = _remainder(_remainder(count, PHASES)[..., None] * self.advance, PHASES)
        phase = 2 * torch.pi * (self.first + advance / PHASES)
        real, imaginary = tones * phase.cos(), tones * phase.sin()
        parts = torch.cat([real[:, :-1], imaginary[:, :-1], real[:, 1:], imaginary[:, 1:]], -1)
        sound = (parts @ self.waves).reshape(batch, 1, hops * HOP)

        noise = torch.cat([noise_before[:, None], levels.noise], 1)
        place = _remainder(frame + torch.arange(frames, device=frame.device), LOOP).long()
        table = self.noise[place].reshape(batch, frames * STEPS, BANDS, STEP)
        before = (noise[:, :-1, None] @ table)[:, :, 0]
        after = (noise[:, 1:, None] @ table)[:, :, 0]
        hiss = before + (after - before) * self.rise
        return sound + hiss.reshape(batch, 1, frames * FRAME), (
            levels.tones[:, -1],
            levels.noise[:, -1],
            _remainder(frame + frames, PHASES // HOPS),
        )


def _remainder(x: Tensor, n: int) -> Tensor:
    """The remainder of whole numbers, n a power of two; every runtime computes it the same."""
    return x - (x / n).floor() * n
