"""A look-ahead limiter: its output stays below -1 dB of full scale, between the samples too.

A peak between two samples is found by interpolation to four times the rate, as ITU-R BS.1770 measures true peaks. The
gain falls smoothly before a peak and recovers exponentially after it. Without peaks the samples pass unchanged to the
bit, `DELAY_SAMPLES` later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES

CEILING_DB = -1.0
"""The true peak that the output does not exceed, in dB of full scale."""
MARGIN_DB = 0.1
"""The limiter aims so much lower, because its gain changes within the length of the interpolation."""
HALF_TAPS = 8
"""The interpolation between two samples uses so many on either side."""
ATTACK, HOLD = 16, 4
"""The gain falls within so many samples, and is low for so many on either side of a peak."""
DELAY_SAMPLES = HALF_TAPS + ATTACK - 1 + HOLD
"""Samples by which the output is later than the input: 0.84 ms."""
RELEASE_S = 0.08
"""Time constant of the recovery after a peak in seconds; a shorter one distorts low notes."""
_NEGLIGIBLE = 1e-6
"""A reduction of the gain by less is none, so that the samples soon pass unchanged again."""


# Two of the four phases of the filter in ITU-R BS.1770-5, annex 2; the others are these in reverse.
_BS_1770 = np.array(
    [
        [0.001708984375, 0.010986328125, -0.0196533203125, 0.033203125, -0.0594482421875, 0.1373291015625],
        [0.97216796875, -0.102294921875, 0.047607421875, -0.026611328125, 0.014892578125, -0.00830078125],
        [-0.0291748046875, 0.029296875, -0.0517578125, 0.089111328125, -0.16650390625, 0.465087890625],
        [0.77978515625, -0.2003173828125, 0.1015625, -0.0582275390625, 0.0330810546875, -0.0189208984375],
    ]
).reshape(2, 12)


def _interpolator() -> NDArray[np.float32]:
    """Windowed sines for 1/4, 1/2 and 3/4 between two samples, and the standard's four phases: [7, 2 HALF_TAPS]."""
    places = np.arange(2 * HALF_TAPS) - (HALF_TAPS - 1)
    kernels = []
    for share in (0.25, 0.5, 0.75):
        distance = places - share
        window = np.i0(5.0 * np.sqrt(np.maximum(0.0, 1.0 - (distance / HALF_TAPS) ** 2))) / np.i0(5.0)
        kernel = np.sinc(distance) * window
        kernels.append(kernel / kernel.sum())
    kernels += [np.pad(standard, 2) for phase in _BS_1770 for standard in (phase, phase[::-1])]
    return np.stack(kernels).astype(np.float32)


_KERNELS = _interpolator()
_GREATEST_RISE = float(np.abs(_KERNELS).sum(1).max())
"""No interpolated value is larger than the largest sample times this."""
_RISE = np.hanning(ATTACK + 2)[1:-1]
_RISE /= _RISE.sum()
_HELD = ATTACK + 2 * HOLD
_DECAY = np.exp(-1.0 / (RELEASE_S * SAMPLE_RATE))


class TruePeakLimiter:
    """Limits a sound block by block; the result does not depend on the blocks.

    Two channels have one gain, so that what is loud on one side does not move the other. The number of channels may
    change from block to block.

    Attributes:
        reduction_db: the largest reduction of the gain in the last block, in dB; 0 for none.
    """

    reduction_db: float = 0.0

    def __init__(self) -> None:
        self._target = 10.0 ** ((CEILING_DB - MARGIN_DB) / 20.0)
        self.reset()

    def reset(self) -> None:
        """Begin anew with silence."""
        self._sound = np.zeros(DELAY_SAMPLES, np.float32)
        self._excess = np.zeros(_HELD - 1)
        self._held = np.zeros(ATTACK - 1)
        self._limits = False
        self.reduction_db = 0.0

    def step(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Limit the next block.

        Args:
            pcm: float32 [n] or [channels, n], finite.

        Returns:
            The same shape, `DELAY_SAMPLES` later than the input.
        """
        self.reduction_db = 0.0
        if pcm.shape[:-1] != self._sound.shape[:-1]:
            # What was one channel was in both; what was two is heard in the middle.
            one = self._sound if self._sound.ndim == 1 else self._sound.mean(0, dtype=np.float32)
            self._sound = np.broadcast_to(one, (*pcm.shape[:-1], DELAY_SAMPLES))
        parts = [self._step(pcm[..., at : at + TICK_SAMPLES]) for at in range(0, pcm.shape[-1], TICK_SAMPLES)]
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, pcm[..., :0]], axis=-1)

    def _step(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        count = pcm.shape[-1]
        sound = np.concatenate([self._sound, pcm], axis=-1)
        self._sound = sound[..., count:]
        due = sound[..., :count]
        largest = float(np.abs(sound).max())
        if not self._limits and largest * _GREATEST_RISE <= self._target:
            return due
        held = self._hold(self._recover(self._measure(sound, count)))
        reduction = np.convolve(np.concatenate([self._held, held]), _RISE, "valid")
        self._held = np.concatenate([self._held, held])[count:]
        self._limits = bool(self._excess.any() or self._held.any())
        most = float(reduction.max())
        if most <= 0.0:
            return due
        self.reduction_db = max(self.reduction_db, float(-20.0 * np.log10(1.0 - most)))
        # The ceiling holds for the samples themselves whatever the sound is.
        ceiling = 10.0 ** (CEILING_DB / 20.0)
        return np.clip(due * (1.0 - reduction), -ceiling, ceiling).astype(np.float32)

    def _measure(self, sound: NDArray[np.float32], count: int) -> NDArray[np.float64]:
        """By what share each of the newest `count` intervals between samples exceeds the target: [count]."""
        peaks = np.zeros(count)
        for channel in sound[None] if sound.ndim == 1 else sound:
            near = channel[-(count + 2 * HALF_TAPS - 1) :]
            between = _KERNELS @ np.lib.stride_tricks.sliding_window_view(near, 2 * HALF_TAPS).T
            np.maximum(peaks, np.maximum(between.max(0), -between.min(0)), out=peaks)
            np.maximum(peaks, np.abs(near[HALF_TAPS - 1 : HALF_TAPS - 1 + count]), out=peaks)
        return np.asarray(1.0 - self._target / np.maximum(peaks, self._target))

    def _recover(self, excess: NDArray[np.float64]) -> NDArray[np.float64]:
        """The largest excess so far, decayed by `RELEASE_S`: max(excess[n], decay * before[n - 1])."""
        growth = _DECAY ** -np.arange(1.0, excess.shape[0] + 1.0)
        decayed = np.maximum.accumulate(np.maximum(excess * growth, self._excess[-1]))
        decayed /= growth
        decayed[decayed < _NEGLIGIBLE] = 0.0
        return decayed

    def _hold(self, excess: NDArray[np.float64]) -> NDArray[np.float64]:
        """The largest of the last `_HELD` values at each place."""
        longer = np.concatenate([self._excess, excess])
        self._excess = longer[excess.shape[0] :]
        window, reach = longer, 1
        while reach < _HELD:
            by = min(reach, _HELD - reach)
            window = np.maximum(window[by:], window[:-by])
            reach += by
        return window
