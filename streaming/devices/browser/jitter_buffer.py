"""Evens out sound that arrives in uneven pieces and by another clock; it reads no clock."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
TARGET_S = 0.040
"""Sound that waits when playing begins: two pieces of 20 ms."""
EXCESS_S = 0.030
"""Sound beyond the target that must have waited for `JUDGED_S` on end before it is left out."""
JUDGED_S = 2.0
MOST_S = 0.5
"""Sound that may wait at all."""
FADE_S = 0.005


class PlayoutBuffer:
    """A small store of mono sound between who sends it and who plays it at a steady pace.

    It gives silence until `TARGET_S` of sound wait. When it runs empty the sound fades out, and it fills up again. When
    the sender's clock is fast, or pieces came late and then at once, more waits than is needed: the least that has
    waited for two seconds is left out, with a cross-fade.

    Args:
        samplerate: Hz.
    """

    def __init__(self, samplerate: int) -> None:
        self._rate = samplerate
        self._pieces: deque[Samples] = deque()
        self._count = 0
        self._playing = False
        self._least, self._judged = 0, 0
        self._fade = np.linspace(1.0, 0.0, round(FADE_S * samplerate), dtype=np.float32)
        self._last = np.float32(0.0)
        self._fades_in = False

    @property
    def waiting_s(self) -> float:
        """Sound that waits, in seconds."""
        return self._count / self._rate

    def put(self, samples: Samples) -> None:
        """Add a piece, float32 [n]; beyond `MOST_S` the oldest sound is lost."""
        self._pieces.append(samples)
        self._count += samples.shape[0]
        while self.waiting_s > MOST_S:
            self._count -= self._pieces.popleft().shape[0]

    def take(self, count: int) -> Samples:
        """The next `count` samples, float32 [count]; silence where there are none."""
        if not self._playing and self.waiting_s >= TARGET_S:
            self._playing = self._fades_in = True
            self._restart_judging()
        if not self._playing:
            return np.zeros(count, np.float32)
        if self._count < count:
            self._playing = False
            return self._end(self._pull(self._count), count)
        out = self._pull(count)
        self._shorten(out)
        if self._fades_in:
            self._fades_in = False
            length = min(count, self._fade.shape[0])
            out[:length] *= self._fade[::-1][:length]
        self._last = out[-1]
        return out

    def _pull(self, count: int) -> Samples:
        out = np.empty(count, np.float32)
        at = 0
        while at < count:
            piece = self._pieces.popleft()
            part = piece[: count - at]
            out[at : at + part.shape[0]] = part
            at += part.shape[0]
            if part.shape[0] < piece.shape[0]:
                self._pieces.appendleft(piece[part.shape[0] :])
        self._count -= count
        return out

    def _end(self, rest: Samples, count: int) -> Samples:
        """What was left, faded out from its last sample."""
        out = np.zeros(count, np.float32)
        out[: rest.shape[0]] = rest
        last = rest[-1] if rest.shape[0] else self._last
        tail = out[rest.shape[0] :][: self._fade.shape[0]]
        tail += last * self._fade[: tail.shape[0]]
        return out

    def _restart_judging(self) -> None:
        self._least, self._judged = self._count, 0

    def _shorten(self, out: Samples) -> None:
        """Leave out what has waited all the time, if it is much; cross-fade over the end of `out`."""
        self._least = min(self._least, self._count)
        self._judged += out.shape[0]
        if self._judged < JUDGED_S * self._rate:
            return
        excess = self._least - round(TARGET_S * self._rate)
        if excess > EXCESS_S * self._rate:
            length = min(self._fade.shape[0], out.shape[0], self._count - excess)
            self._pull(excess)
            fall = self._fade[:: max(1, self._fade.shape[0] // length)][:length]
            out[-length:] = out[-length:] * fall + self._pull(length) * (1.0 - fall)
        self._restart_judging()
