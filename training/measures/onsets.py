"""Onsets in sound, and the scores that compare two performances: F1, signed lag, loudness correlation, stillness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, median_filter

from models.codec.partial_analysis import mel_bank
from streaming.conventions import SAMPLE_RATE

Signal = NDArray[np.float32]
HOP_S = 0.005
WINDOW = 1024
BANDS = 64
ONSET_THRESHOLD = 0.2


def flux(x: Signal, rate: int = SAMPLE_RATE) -> NDArray[np.float64]:
    """Onset strength every 5 ms: rise of the log-mel spectrum over 15 ms against the neighbourhood's maximum.

    After SuperFlux (Boeck and Widmer 2013), whose maximum filter over frequency keeps vibrato from counting.
    """
    hop = int(rate * HOP_S)
    padded = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    spec = torch.stft(
        padded, WINDOW, hop, window=torch.hann_window(WINDOW), return_complex=True, pad_mode="constant"
    ).abs()
    mel = (mel_bank(WINDOW, BANDS, rate) @ spec + 0.05).log10().double().numpy()
    lag = 3
    rise = np.zeros(mel.shape[1])
    before = maximum_filter1d(mel[:, :-lag], 3, axis=0)
    rise[lag:] = np.maximum(0.0, mel[:, lag:] - before).mean(0)
    return rise


def detect_onsets(x: Signal, rate: int = SAMPLE_RATE, threshold: float = ONSET_THRESHOLD) -> NDArray[np.float64]:
    """Onset times in seconds.

    Args:
        x: sound, float32 [n].
        rate: in Hz.
        threshold: how far a peak stands above the running median of the onset strength.
    """
    strength = flux(x, rate)
    background = median_filter(strength, size=int(0.5 / HOP_S) | 1, mode="nearest")
    local = maximum_filter1d(strength, int(0.06 / HOP_S) | 1)
    peaks = np.flatnonzero((strength >= local) & (strength > background + threshold))
    times: list[float] = []
    for peak in peaks:
        at = peak * HOP_S
        if not times or at - times[-1] > 0.06:
            times.append(at)
    return np.array(times)


@dataclass(frozen=True)
class Matches:
    """Pairs of onsets that match within the tolerance."""

    reference: int
    estimated: int
    lags_s: tuple[float, ...]

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when either side is empty."""
        total = self.reference + self.estimated
        return 2.0 * len(self.lags_s) / total if total else 0.0


def match_onsets(reference: NDArray[np.float64], estimated: NDArray[np.float64], tolerance_s: float = 0.05) -> Matches:
    """Match two sorted lists of times one to one; for sorted lists the greedy matching has the most pairs."""
    lags: list[float] = []
    i = j = 0
    while i < len(reference) and j < len(estimated):
        lag = float(estimated[j] - reference[i])
        if abs(lag) <= tolerance_s:
            lags.append(lag)
            i += 1
            j += 1
        elif lag < 0:
            j += 1
        else:
            i += 1
    return Matches(len(reference), len(estimated), tuple(lags))


def level_db(x: Signal, rate: int = SAMPLE_RATE, frame_s: float = 0.04, floor_db: float = -60.0) -> NDArray[np.float64]:
    """Root-mean-square level of each frame in dB of full scale, limited to the floor."""
    size = int(rate * frame_s)
    frames = x[: x.size // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(np.maximum(floor_db, 10.0 * np.log10((frames**2).mean(1) + 1e-12)))


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson correlation of two equally long series; 0 if either is constant."""
    n = min(a.size, b.size)
    a, b = a[:n] - a[:n].mean(), b[:n] - b[:n].mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def stillness_drops(x: Signal, rests: tuple[tuple[float, float], ...], rate: int = SAMPLE_RATE) -> list[float]:
    """For each rest of at least a second after sound: the fall of the level within its first second, in dB.

    It is the rms of the last second of playing minus that of 0.8 to 1.0 s into the rest, both at least -70 dB of full
    scale.
    """
    drops = []
    for start, end in rests:
        if start < 1.0 or end - start < 1.0 or end * rate > x.size:
            continue
        before = x[int((start - 1.0) * rate) : int(start * rate)]
        after = x[int((start + 0.8) * rate) : int((start + 1.0) * rate)]
        drops.append(float(level_db(before, rate, 1.0, -70.0)[0] - level_db(after, rate, 0.2, -70.0)[0]))
    return drops
