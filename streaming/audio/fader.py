"""The fader of the whole music: volume and mute, whose changes take the time of a fade and make no click."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE


class Fader:
    """Multiplies a sound by a gain that moves to new values along a smooth curve, sample by sample.

    Half a period of a cosine in the cube root of the gain: near the law of a desk's fader, and level at both ends, so
    that neither the gain nor its slope jumps. A change within a fade begins a new fade where the old one is.

    Args:
        gain: the first gain, 0 for silence.

    Attributes:
        gain: the gain after the last sample.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
        self._from = self._to = gain
        self._at = self._length = 0

    def move(self, gain: float, seconds: float, *, anew: bool = False) -> None:
        """Begin a fade at the next sample; the gain that it moves to already changes nothing.

        Args:
            gain: where it ends, 0 for silence.
            seconds: how long it takes.
            anew: begin also where it moves to this gain already, in the time of another fade.
        """
        if gain == self._to and not anew:
            return
        self._from, self._to = self.gain, gain
        self._at, self._length = 0, max(1, round(seconds * SAMPLE_RATE))

    def step(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, float32 [n], times the gain; the very array where the gain is 1."""
        if self._at >= self._length:
            return pcm if self.gain == 1.0 else pcm * np.float32(self.gain)
        place = np.minimum(np.arange(self._at + 1, self._at + 1 + pcm.shape[0]) / self._length, 1.0)
        share = 0.5 - 0.5 * np.cos(math.pi * place)
        start, end = self._from ** (1.0 / 3.0), self._to ** (1.0 / 3.0)
        gains = (start + (end - start) * share) ** 3
        gains[place >= 1.0] = self._to
        self._at += pcm.shape[0]
        self.gain = float(gains[-1]) if pcm.shape[0] else self.gain
        return np.asarray(pcm * gains, np.float32)


def gain_of(volume_db: float, muted: bool) -> float:
    """The gain of a volume in dB; 0 while muted."""
    return 0.0 if muted else 10.0 ** (volume_db / 20.0)
