"""Anticipates the attacks of regular music, so that a picture can move on the beat and not after it.

What the reverse loop shows comes some 80 ms after the sound. Where the music repeats itself, the attacks of the coming
ticks are those of one and of several periods ago. The period is the lag at which the attacks of the last seconds
correlate best with themselves (autocorrelation of the onset strength: Ellis, "Beat tracking by dynamic programming",
2007, here causal). How far the forecast is believed follows from how well the last forecasts came true. An attack that
was anticipated is not given again when it comes; one that was not is given then, in full.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SOUND_BANDS, TICKS_PER_SECOND

HISTORY_TICKS = 10 * TICKS_PER_SECOND
"""What is remembered."""
SHORTEST_TICKS, LONGEST_TICKS = 8, 4 * TICKS_PER_SECOND
"""Periods that are looked for: 0.32 s to 4 s, so that a bar of a groove counts as one."""
PERIODS, FADING = 3, 0.7
"""Periods that a forecast is made from at most, and the weight of each beside the one after it."""
NEEDED_ROUNDS = 2.0
"""A period must have been heard so many times before anything is forecast by it."""
JUDGED_TICKS = 3 * TICKS_PER_SECOND
"""Forecasts are judged by so many last ticks."""
BELIEVED_FROM, BELIEVED_FULLY = 0.5, 0.75
"""Correlation of forecast and attacks from which a forecast counts at all, and in full."""
LEAST_CORRELATION = 0.2
"""A period counts if the attacks correlate with themselves that well."""
LOOK_EVERY = 5
"""Ticks between two looks for the period."""


class BeatAnticipation:
    """Gives attacks ahead of time where they can be foreseen.

    Attributes:
        period_ticks: the present period; 0 for none.
        assumed_ticks: the period that is taken for given; 0 to find it in what is heard.
        belief: how far forecasts are believed, 0 to 1.
    """

    def __init__(self) -> None:
        self.assumed_ticks = 0.0
        self.reset()

    def assume(self, beat_ticks: float) -> None:
        """Take a beat for given, by which is foreseen as soon as one was heard; 0 to find it.

        A beat that is shorter than `SHORTEST_TICKS` counts by twos.
        """
        self.assumed_ticks = beat_ticks
        while 0.0 < self.assumed_ticks < SHORTEST_TICKS:
            self.assumed_ticks *= 2.0
        self._until_look = 0

    def reset(self) -> None:
        """Forget what was heard; an assumed beat stays."""
        self._attacks = np.zeros((HISTORY_TICKS, SOUND_BANDS))
        self._given = np.zeros((HISTORY_TICKS, SOUND_BANDS))
        self._ticks = self._until_look = 0
        self.period_ticks = 0.0
        self.belief = 0.0

    def step(self, attacks: NDArray[np.floating], lead_ticks: int) -> NDArray[np.float32]:
        """The attacks to move by in this tick.

        Args:
            attacks: float [SOUND_BANDS], those of the tick that was just heard.
            lead_ticks: how many ticks ahead they are wanted; 0 for the attacks themselves.

        Returns:
            float32 [SOUND_BANDS], 0 to 1: what is foreseen for `lead_ticks` later, and what was not foreseen of now.
        """
        self._attacks = np.roll(self._attacks, -1, 0)
        self._attacks[-1] = attacks
        self._given = np.roll(self._given, -1, 0)
        self._given[-1] = 0.0
        self._ticks = min(self._ticks + 1, HISTORY_TICKS)
        if lead_ticks <= 0:
            return np.asarray(attacks, np.float32)
        self._until_look -= 1
        if self._until_look < 0:
            self._until_look = LOOK_EVERY - 1
            self._look(lead_ticks)
        # An attack may be a tick early or late: what was given next to it counts too.
        foreseen = self._given[-1 - lead_ticks - 1 : -1 - lead_ticks + 2].max(0)
        surprise = np.maximum(0.0, self._attacks[-1] - foreseen)
        surprise[foreseen > 0.25 * self._attacks[-1]] = 0.0
        ahead = self.belief * self._forecast(lead_ticks, HISTORY_TICKS - 1) if self.belief > 0.0 else 0.0 * surprise
        self._given[-1] = ahead
        return np.asarray(np.clip(ahead + surprise, 0.0, 1.0), np.float32)

    def _forecast(self, lead_ticks: int, now: int) -> NDArray[np.float64]:
        """Attacks [SOUND_BANDS] expected `lead_ticks` after the tick at place `now` of the history."""
        total, weights = np.zeros(SOUND_BANDS), 0.0
        for round_ in range(1, PERIODS + 1):
            place = now + lead_ticks - round(round_ * self.period_ticks)
            if place > now or place < HISTORY_TICKS - self._ticks:
                continue
            total += FADING**round_ * self._attacks[place]
            weights += FADING**round_
        return total / weights if weights else total

    def _look(self, lead_ticks: int) -> None:
        """Find the period, and judge the forecasts by it."""
        self.period_ticks, self.belief = self.assumed_ticks or float(self._find_period()), 0.0
        period = math.ceil(self.period_ticks)
        judged = min(JUDGED_TICKS, self._ticks - period - lead_ticks)
        if not period or judged < period // 2:
            # Who gives the beat is believed until it can be judged.
            self.belief = float(self.assumed_ticks > 0.0)
            return
        ticks = range(HISTORY_TICKS - judged, HISTORY_TICKS)
        foretold = np.array([self._forecast(lead_ticks, tick - lead_ticks).sum() for tick in ticks])
        foretold = np.convolve(foretold, (0.5, 1.0, 0.5), "same")
        came = np.convolve(self._attacks[HISTORY_TICKS - judged :].sum(1), (0.5, 1.0, 0.5), "same")
        if foretold.std() < 1e-6 or came.std() < 1e-6:
            return
        right = float(np.corrcoef(foretold, came)[0, 1])
        self.belief = float(np.clip((right - BELIEVED_FROM) / (BELIEVED_FULLY - BELIEVED_FROM), 0.0, 1.0))

    def _find_period(self) -> int:
        """The period in ticks that what was heard repeats itself by, 0 for none."""
        strength = self._attacks[HISTORY_TICKS - self._ticks :].sum(1)
        longest = min(LONGEST_TICKS, int(self._ticks / NEEDED_ROUNDS))
        if longest <= SHORTEST_TICKS or not strength.any():
            return 0
        # A little width, for attacks that lie between two ticks.
        soft = np.convolve(strength, (0.5, 1.0, 0.5), "same")
        soft = soft - soft.mean()
        spectrum = np.fft.rfft(soft, 2 * soft.size)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: longest + 1]
        correlation /= np.arange(soft.size, soft.size - longest - 1, -1) * max(1e-12, float(np.mean(soft**2)))
        # Of periods that fit about as well the shortest.
        lags = np.arange(SHORTEST_TICKS, longest + 1)
        if correlation[lags].max() < LEAST_CORRELATION:
            return 0
        good = lags[correlation[lags] >= 0.9 * correlation[lags].max()]
        peaks = [lag for lag in good if lag == longest or correlation[lag] >= correlation[lag + 1]]
        return int(peaks[0]) if peaks else int(good[0])
