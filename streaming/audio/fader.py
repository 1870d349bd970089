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

    def rests_at(self, gain: float) -> bool:
        """Whether it stays at this gain until the next move."""
        return self._at >= self._length and self.gain == gain

    def step(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, float32 [n] or [channels, n], times the gain; the very array where the gain is 1."""
        gains = self.gains(pcm.shape[-1])
        return pcm if gains is None else np.asarray(pcm * gains, np.float32)

    def gains(self, count: int) -> NDArray[np.floating] | np.float32 | None:
        """The gain of each of the next samples, [count]; one number where it rests, and None where it rests at 1."""
        if self._at >= self._length:
            return None if self.gain == 1.0 else np.float32(self.gain)
        place = np.minimum(np.arange(self._at + 1, self._at + 1 + count) / self._length, 1.0)
        share = 0.5 - 0.5 * np.cos(math.pi * place)
        start, end = self._from ** (1.0 / 3.0), self._to ** (1.0 / 3.0)
        gains: NDArray[np.floating] = (start + (end - start) * share) ** 3
        gains[place >= 1.0] = self._to
        self._at += count
        self.gain = float(gains[-1]) if count else self.gain
        return gains


def gain_of(volume_db: float, muted: bool) -> float:
    """The gain of a volume in dB; 0 while muted."""
    return 0.0 if muted else 10.0 ** (volume_db / 20.0)
