"""Spectra for losses and scores: mel filter banks and multi-scale distances."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SCALES = (256, 512, 1024, 2048)
"""Window lengths in samples; the hop is a quarter of each."""
FLOOR = 1e-5
"""Smallest mel magnitude told apart, relative to a full-scale sine: -100 dB."""


@lru_cache(maxsize=32)
def mel_bank(window: int, bands: int, rate: int) -> Tensor:
    """Triangular mel filters (HTK scale): float32 [bands, window // 2 + 1], each of unit area peak one."""
    top = 2595.0 * np.log10(1 + rate / 2 / 700.0)
    edges = 700.0 * (10 ** (np.linspace(0, top, bands + 2) / 2595.0) - 1)
    freq = np.linspace(0, rate / 2, window // 2 + 1)
    rise = (freq[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - freq[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.clip(np.minimum(rise, fall), 0, None).astype(np.float32))


@lru_cache(maxsize=32)
def _constants(window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The window and its mel filters, scaled so that a full-scale sine has magnitude one."""
    bank = mel_bank(window, bands_of(window), 32_000) * (4 / window)
    return torch.hann_window(window, device=device), bank.to(device)


def spectrum(x: Tensor, window: int) -> Tensor:
    """Complex short-time spectrum: x [B, N] -> complex64 [B, window // 2 + 1, frames]."""
    hann, _ = _constants(window, x.device)
    return torch.stft(x, window, window // 4, window=hann, return_complex=True, pad_mode="constant")


def _magnitude(x: Tensor) -> Tensor:
    """With a gradient at zero, which `abs` has not."""
    return (x.real.square() + x.imag.square() + 1e-12).sqrt()


def mel_magnitudes(magnitude: Tensor, window: int) -> Tensor:
    """Mel magnitudes relative to a full-scale sine, at 32 kHz: [B, F, T] -> [B, bands, T]."""
    return _constants(window, magnitude.device)[1] @ magnitude


def bands_of(window: int) -> int:
    """How many mel bands a window length can carry."""
    return {256: 20, 512: 40, 1024: 64, 2048: 80}[window]


class Distances(NamedTuple):
    """Distances between two signals, each a mean over the batch.

    Attributes:
        mel: the multi-scale mel distance: mean absolute difference of natural log-mel over `SCALES`, plus half that of
            the magnitudes. 1 is about 8.7 dB in every band.
        waves: of the complex spectra relative to the magnitude that is wanted, quiet signals counting less. It teaches
            phase from nothing, but the least of it for a sound whose phase cannot be known is silence.
        angle: 1 - cosine of the difference of phases, 0 to 2, weighted by the magnitude that is wanted. It says
            nothing of the magnitude, so it draws nothing towards silence.
    """

    mel: Tensor
    waves: Tensor
    angle: Tensor


def distances(got: Tensor, want: Tensor) -> Distances:
    """Distances between two signals [B, N]."""
    mel, waves, angle = got.new_zeros(()), got.new_zeros(()), got.new_zeros(())
    for window in SCALES:
        a = spectrum(got, window)
        mag_a = _magnitude(a)
        with torch.no_grad():
            b = spectrum(want, window)
            mag_b = _magnitude(b)
            mel_b = mel_magnitudes(mag_b, window)
            log_b = mel_b.clamp_min(FLOOR).log()
        mel_a = mel_magnitudes(mag_a, window)
        logs = (mel_a.clamp_min(FLOOR).log() - log_b).abs().mean()
        mel = mel + (logs + 0.5 * (mel_a - mel_b).abs().mean()) / len(SCALES)
        if window in (512, 1024):
            level = mag_b.mean((1, 2)) + 0.1
            waves = waves + 0.5 * (_magnitude(a - b).mean((1, 2)) / level).mean()
            cosine = (a.real * b.real + a.imag * b.imag) / (mag_a * mag_b)
            angle = angle + 0.5 * ((mag_b * (1.0 - cosine)).mean((1, 2)) / level).mean()
    return Distances(mel, waves, angle)
