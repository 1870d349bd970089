"""The gate between a performer who stands still and the music: it closes softly, and opens within 10 ms.

The stage that knows the motion decides the gain of each tick (`StillnessGate`), the stage that has the samples applies
it (`GainRamp`), so that neither needs what the other has.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND

HOLD_S = 0.35
"""Stillness in seconds that the music plays through: a bow turns and a hand rests on a key for as long."""
FALL_DB_PER_S = 120.0
"""Then the music falls by 60 dB in half a second, as in a dry room."""
FLOOR_DB = -80.0
"""A lower gain is 0."""
OPEN_S = 0.01
"""In so many seconds the gate opens: too slow to click, too fast to blunt an onset."""
_FALL_DB = FALL_DB_PER_S / TICKS_PER_SECOND


class StillnessGate:
    """Decides the gain of each tick from how long the performer has been still; closed before the first motion.

    Attributes:
        gain: of the last tick, 0 to 1.
    """

    def __init__(self) -> None:
        self.gain = 0.0
        self._level_db = FLOOR_DB

    def step(self, still_s: float | None) -> float:
        """The gain at the end of the next tick.

        Args:
            still_s: for how many seconds nothing has moved; None where nobody knows, which keeps the gate open.
        """
        if still_s is None or still_s <= HOLD_S:
            self._level_db = 0.0
        else:
            self._level_db = max(FLOOR_DB, self._level_db - _FALL_DB)
        self.gain = 10.0 ** (self._level_db / 20.0) if self._level_db > FLOOR_DB else 0.0
        return self.gain


class GainRamp:
    """Brings a sound from gain to gain, block by block: down evenly in dB over the whole block, up within `OPEN_S`.

    The first block has its gain from its first sample on.

    Attributes:
        gain: after the last sample; None before the first.
    """

    gain: float | None = None

    def step(self, pcm: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
        """The next samples; the very array where the gain is 1 throughout.

        Args:
            pcm: float32 [n] or [channels, n].
            gain: at the block's end, 0 to 1.
        """
        before, self.gain = gain if self.gain is None else self.gain, gain
        count = pcm.shape[-1]
        if gain == before or count == 0:
            return pcm if gain == 1.0 else pcm * np.float32(gain)
        if gain > before:
            place = np.minimum(np.arange(1, count + 1) / (OPEN_S * SAMPLE_RATE), 1.0)
            gains = before + (gain - before) * (0.5 - 0.5 * np.cos(math.pi * place))
        elif gain > 0.0:
            gains = before * (gain / before) ** (np.arange(1, count + 1) / count)
        else:
            gains = before * (1.0 - np.arange(1, count + 1) / count)
        return np.asarray(pcm * gains, np.float32)
