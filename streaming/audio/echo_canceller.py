"""Keeps the show from answering itself: takes the speaker's sound out of what a microphone hears, and limits the rest.

The sound that is played is known, so how the room brings it back is learned and subtracted: a partitioned block Kalman
filter in the frequency domain (Enzner and Vary 2006, "Frequency-domain adaptive Kalman filter for acoustic echo
control"; Kuech, Mabande and Enzner 2014 for the partitions), which knows how sure it is, so that music from others does
not lead it astray. What it leaves is turned down until the loop's gain is below a limit.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Speaker

BLOCK = TICK_SAMPLES // 2
TAIL_S = 0.26
"""How long a room is heard after the direct sound; what the clocks know of the way is taken out before."""
LIMIT_DB = -12.0
"""The gain that a loop may have: what the speaker plays comes back to the ear of the show at most so loud."""
KEPT_TICKS = 50
"""Ticks of what was played that are kept: a sound card's buffers are no longer."""
_STEADY = 0.9998
"""How much of a room's way is the same a block later."""
_FORGET = 0.8
"""How much of what others play a block later is still expected."""
_SMALL = 1e-9

Sound = NDArray[np.float32]


class Played:
    """What left the speaker lately, by the time at which it did."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[int, Sound]] = deque(maxlen=KEPT_TICKS)
        self._speaker: Speaker | None = None

    def add(self, tick: int, pcm: Sound) -> None:
        """The sound of a tick, float32 [1280]."""
        self._ticks.append((tick, pcm))

    def set(self, speaker: Speaker) -> None:
        """When a tick leaves it."""
        self._speaker = speaker

    def at(self, time_ns: int) -> Sound:
        """The 1280 samples that left the speaker from a time on, float32; silence where nothing is known."""
        speaker = self._speaker
        if speaker is None or speaker.rate_hz <= 0 or not self._ticks:
            return np.zeros(TICK_SAMPLES, np.float32)
        begin = speaker.tick * TICK_SAMPLES + (time_ns - speaker.dac_ns) * speaker.rate_hz / 1e9
        first = math.floor(begin)
        line = np.zeros(TICK_SAMPLES + 1, np.float32)
        for tick, pcm in self._ticks:
            start = tick * TICK_SAMPLES - first
            low, high = max(0, start), min(line.size, start + TICK_SAMPLES)
            if low < high:
                line[low:high] = pcm[low - start : high - start]
        # Between two samples along a line: the clocks drift past each other without a step.
        share = np.float32(begin - first)
        return np.asarray((1.0 - share) * line[:-1] + share * line[1:], np.float32)


class EchoGuard:
    """Cleans what one microphone hears of what one speaker plays.

    Attributes:
        gain_db: how loud what is played comes back, before; None while nothing has been played.
        left_db: the same after cancelling and limiting.
    """

    def __init__(self, tail_s: float = TAIL_S) -> None:
        count = max(1, round(tail_s * SAMPLE_RATE / BLOCK))
        bins = BLOCK + 1
        self._weights = np.zeros((count, bins), np.complex128)
        self._doubt = np.ones((count, bins))
        self._played = np.zeros((count, bins), np.complex128)
        self._before = np.zeros(BLOCK)
        self._others = np.zeros(bins)
        self._levels = np.zeros(3)
        self.gain_db: float | None = None
        self.left_db: float | None = None

    def step(self, heard: Sound, played: Sound) -> Sound:
        """A tick of what was heard, without what was played.

        Args:
            heard: float32 [1280], from the microphone.
            played: float32 [1280], what left the speaker at the same time.

        Returns:
            float32 [1280].
        """
        parts = [
            self._block(heard[at : at + BLOCK].astype(np.float64), played[at : at + BLOCK].astype(np.float64))
            for at in range(0, TICK_SAMPLES, BLOCK)
        ]
        return np.concatenate(parts).astype(np.float32)

    def _block(self, heard: NDArray[np.float64], played: NDArray[np.float64]) -> NDArray[np.float64]:
        self._played = np.roll(self._played, 1, 0)
        self._played[0] = np.fft.rfft(np.concatenate([self._before, played]))
        self._before = played
        if float((np.abs(self._played) ** 2).mean()) < _SMALL:
            return heard
        echo = np.fft.irfft((self._weights * self._played).sum(0))[BLOCK:]
        rest = heard - echo
        return self._limited(heard, played, rest, self._learn(rest))

    def _learn(self, rest: NDArray[np.float64]) -> float:
        """Move the filter towards what would have left less; returns the power of the echo still in the rest."""
        error = np.fft.rfft(np.concatenate([np.zeros(BLOCK), rest]))
        power = np.abs(self._played) ** 2
        doubted = 0.5 * (power * self._doubt).sum(0)
        self._others = _FORGET * self._others + (1.0 - _FORGET) * np.abs(error) ** 2
        gain = self._doubt / (doubted + self._others + _SMALL)
        taps = np.fft.irfft(gain * np.conj(self._played) * error)
        # The filter's parts end where a block ends.
        taps[:, BLOCK:] = 0.0
        self._weights = _STEADY * (self._weights + np.fft.rfft(taps))
        sure = np.maximum(0.0, 1.0 - 0.5 * gain * power)
        self._doubt = _STEADY**2 * sure * self._doubt + (1.0 - _STEADY**2) * np.abs(self._weights) ** 2
        return float(doubted.sum()) / (2 * BLOCK * BLOCK)

    def _limited(
        self, heard: NDArray[np.float64], played: NDArray[np.float64], rest: NDArray[np.float64], doubted: float
    ) -> NDArray[np.float64]:
        """Turn down what is left so far that the loop's gain is below the limit."""
        echo_power = float(((heard - rest) ** 2).mean())
        left_power = min(doubted, float((rest**2).mean()))
        played_power = float((played**2).mean())
        self._levels += 0.05 * (np.array([played_power, echo_power, left_power]) - self._levels)
        out, back, left = (max(value, 1e-12) for value in self._levels)
        self.gain_db = 10.0 * float(np.log10(back / out))
        left_db = 10.0 * float(np.log10(left / out))
        turned_down_db = min(0.0, LIMIT_DB - left_db)
        self.left_db = left_db + turned_down_db
        return np.asarray(rest * 10.0 ** (turned_down_db / 20.0))
