"""The master of the show's sound: gate and level of each tick, width and room, the fader, the limiter."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.audio.fader import Fader, gain_of
from streaming.audio.master.stereo_space import StereoSpace
from streaming.audio.stillness_gate import GainRamp
from streaming.audio.true_peak_limiter import TruePeakLimiter
from streaming.audio.voice_levels import LEVEL_FADE_S, level_gain

MASTER_CONTROLS = ("volume", "mute", "panic", "fade", "width", "room")
PANIC_S = 0.005
"""In which panic ends the sound, without a click."""


class Faders(Protocol):
    """The values of the controls of `MASTER_CONTROLS` by name."""

    def __getitem__(self, name: str, /) -> float:
        """One of them."""


class MasterSound(NamedTuple):
    """Some samples of the master.

    Attributes:
        middle: float32 [n], the mono sum of the two sides.
        side: float32 [n], half their difference: left is middle + side, right is middle - side; None where both are
            the same.
    """

    middle: NDArray[np.float32]
    side: NDArray[np.float32] | None

    def left_right(self) -> NDArray[np.float32]:
        """Both sides, float32 [2, n]."""
        return both_sides(self.middle, self.side)


def both_sides(middle: NDArray[np.float32], side: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The left and the right side of a sound: float32 [2, n] of its middle and half difference, [n] each."""
    return np.stack([middle, middle] if side is None else [middle + side, middle - side])


class MasterBus:
    """What becomes of the decoder's sound, block by block, for the speaker, the recording and all who listen.

    Args:
        controls: their values at the start.
    """

    def __init__(self, controls: Faders) -> None:
        self._gate, self._level = GainRamp(), Fader()
        self._space = StereoSpace(controls["width"], controls["room"])
        self._fader = Fader(_gain(controls))
        self._limiter = TruePeakLimiter()

    @property
    def reduction_db(self) -> float:
        """The largest reduction of the gain by the limiter in the last block, in dB; 0 for none."""
        return self._limiter.reduction_db

    @property
    def fader(self) -> float:
        """The gain of volume and mute after the last sample."""
        return self._fader.gain

    def obey(self, controls: Faders) -> None:
        """Move to other values, from the next sample on; volume, mute and the end of panic take as long as `fade`."""
        self._fader.move(_gain(controls), controls["fade"])
        self._space.place(controls["width"], controls["room"])

    def panic(self) -> None:
        """End all sound within `PANIC_S`, whatever else fades."""
        self._fader.move(0.0, PANIC_S, anew=True)

    def step(self, pcm: NDArray[np.float32], gate: float, level_db: float) -> MasterSound:
        """The next samples, `true_peak_limiter.DELAY_SAMPLES` later than the input.

        Args:
            pcm: float32 [n], finite.
            gate: 0 to 1, the gain at the block's end by which the music falls silent where the player stands still.
            level_db: how much louder the voice is made; see `streaming.audio.voice_levels`.
        """
        self._level.move(level_gain(level_db), LEVEL_FADE_S)
        dry = self._level.step(self._gate.step(pcm, gate))
        sound = self._fader.step(self._space.step(dry, gate))
        if sound.ndim == 1:
            return MasterSound(self._limiter.step(sound), None)
        left, right = self._limiter.step(both_sides(sound[0], sound[1]))
        half = np.float32(0.5)
        return MasterSound((left + right) * half, (left - right) * half)


def _gain(controls: Faders) -> float:
    return gain_of(controls["volume"], muted=max(controls["mute"], controls["panic"]) >= 0.5)
