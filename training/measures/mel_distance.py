"""The multi-scale mel distance, for losses and scores."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from models.codec.partial_analysis import mel_bank
from streaming.conventions import SAMPLE_RATE

SCALES = (256, 512, 1024, 2048)
"""Window lengths in samples; the hop is a quarter of each."""
FLOOR = 1e-5
"""Smallest mel magnitude that is told apart, relative to a full-scale sine: -100 dB."""


@lru_cache(maxsize=32)
def _constants(window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The window and its mel filters, scaled so that a full-scale sine has magnitude one."""
    bank = mel_bank(window, bands_of(window), SAMPLE_RATE) * (4 / window)
    return torch.hann_window(window, device=device), bank.to(device)


def spectrum(x: Tensor, window: int) -> Tensor:
    """Complex short-time spectrum: x [B, N] -> complex64 [B, window // 2 + 1, frames]."""
    hann, _ = _constants(window, x.device)
    return torch.stft(x, window, window // 4, window=hann, return_complex=True, pad_mode="constant")


def _magnitude(x: Tensor) -> Tensor:
    """Magnitudes with a gradient at zero, where that of `abs` is undefined."""
    return (x.real.square() + x.imag.square() + 1e-12).sqrt()


def mel_magnitudes(magnitude: Tensor, window: int) -> Tensor:
    """Mel magnitudes relative to a full-scale sine, at 32 kHz: [B, F, T] -> [B, bands, T]."""
    return _constants(window, magnitude.device)[1] @ magnitude


def bands_of(window: int) -> int:
    """The number of mel bands of a window length."""
    return {256: 20, 512: 40, 1024: 64, 2048: 80}[window]


def mel_distance(got: Tensor, want: Tensor) -> Tensor:
    """The multi-scale mel distance of signals [B, N], averaged over the batch; 1 is about 8.7 dB in every band.

    Mean absolute difference of natural log-mel over `SCALES`, plus half that of the magnitudes.
    """
    total = got.new_zeros(())
    for window in SCALES:
        mel_a = mel_magnitudes(_magnitude(spectrum(got, window)), window)
        with torch.no_grad():
            mel_b = mel_magnitudes(_magnitude(spectrum(want, window)), window)
        logs = (mel_a.clamp_min(FLOOR).log() - mel_b.clamp_min(FLOOR).log()).abs().mean()
        total = total + (logs + 0.5 * (mel_a - mel_b).abs().mean()) / len(SCALES)
    return total
