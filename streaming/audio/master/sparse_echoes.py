"""A velvet-noise filter: a few echoes of a sound, of equal size but for their sign, that make it another, equal sound.

What it gives sounds as loud and as bright as the sound itself and has little to do with it sample by sample, as two
places in a room have (Alary, Politis and Välimäki 2017, "Velvet-noise decorrelator").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE

SEGMENTS = 4
"""The echoes fall in so many equal steps of level."""
FALL_DB = 12.0
"""The last step is so much lower than the first."""


class SparseEchoes:
    """Filters a sound block by block; the result does not depend on the blocks.

    Args:
        count: number of echoes, a multiple of twice `SEGMENTS`; as many are positive as are negative, so that the
            lowest notes have none.
        length_s: seconds within which they come; the first one comes after a share of it.
        seed: where and of which sign they are.

    Attributes:
        delays: int [count], how many samples after the sound each echo comes, ascending.
        gains: float32 [count]; the sum of their squares is 1.
    """

    def __init__(self, count: int, length_s: float, seed: int) -> None:
        random = np.random.default_rng(seed)
        spacing = length_s * SAMPLE_RATE / count
        places = (np.arange(count) + random.uniform(0.2, 0.8, count)) * spacing
        self.delays = np.maximum(1, np.round(places)).astype(np.intp)
        per_segment = count // SEGMENTS
        steps = np.repeat(10.0 ** (-FALL_DB / 20.0 * np.arange(SEGMENTS) / (SEGMENTS - 1)), per_segment)
        half = np.repeat([1.0, -1.0], per_segment // 2)
        signs = np.concatenate([random.permutation(half) for _ in range(SEGMENTS)])
        self.gains = (signs * steps / np.linalg.norm(steps)).astype(np.float32)
        self._levels = np.abs(self.gains[::per_segment])
        self._echoes = [
            [(int(delay), bool(gain > 0.0)) for delay, gain in zip(delays, gains, strict=True)]
            for delays, gains in zip(self.delays.reshape(SEGMENTS, -1), self.gains.reshape(SEGMENTS, -1), strict=True)
        ]
        self._past = np.zeros(int(self.delays[-1]), np.float32)

    def reset(self) -> None:
        """Begin anew with silence."""
        self._past = np.zeros_like(self._past)

    def hear(self, pcm: NDArray[np.float32]) -> None:
        """Feed float32 [n] of which the echoes are not needed now."""
        self._past = np.concatenate([self._past, pcm])[pcm.shape[0] :]

    def step(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """The echoes of the next samples, float32 [n]."""
        count, reach = pcm.shape[0], self._past.shape[0]
        sound = np.concatenate([self._past, pcm])
        self._past = sound[count:]
        out = np.zeros(count, np.float32)
        part = np.empty(count, np.float32)
        for level, echoes in zip(self._levels, self._echoes, strict=True):
            part.fill(0.0)
            for delay, positive in echoes:
                echo = sound[reach - delay : reach - delay + count]
                (np.add if positive else np.subtract)(part, echo, out=part)
            part *= level
            out += part
        return out
