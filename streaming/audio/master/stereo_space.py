"""Width and room of a mono sound: how far it spreads between two loudspeakers, and in how large a room it sounds.

The middle is the sound itself, at once. The difference of the two sides is made of its echoes, which cancel in the sum,
so that the mono sum of the two sides is the middle and no colour of it is lost. Each side stays about as loud as the
sound, whatever width and room are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.audio.fader import Fader
from streaming.audio.master.room_reverb import RoomReverb
from streaming.audio.master.sparse_echoes import SparseEchoes
from streaming.audio.stillness_gate import GainRamp

MOVE_S = 0.1
"""Seconds in which a change of width or room is heard."""
WIDEST = math.pi / 4.0
"""The angle of a width of 1: middle and difference are equally strong."""
LARGEST = 0.85 * math.pi / 4.0
"""The angle of a room of 1: the room is nearly as strong as the sound."""
LOWERED = 0.7
"""Width lowers the middle by this power of its cosine. 1 would hold the power of noise; but a note that the echoes do
not raise, above all a low one, would be softer than one that they do: with this both are off by half of it."""


def width_gains(width: float) -> tuple[float, float]:
    """The gains of the middle and of the difference for a width, 0 to 1."""
    middle = math.cos(width * WIDEST) ** LOWERED
    return middle, middle * math.tan(width * WIDEST)


def room_gains(room: float) -> tuple[float, float]:
    """The gains of the sound and of its room for a room, 0 to 1."""
    return math.cos(room * LARGEST), math.sin(room * LARGEST)


class StereoSpace:
    """Gives a mono sound width and room, block by block; the result does not depend on the blocks.

    With a width and a room of 0 the sound passes as it is, to the bit and at no cost.

    Args:
        width: 0 for the same sound on both sides, to 1 for two sides that have nothing in common.
        room: 0 for none, to 1 for a hall in which a sound falls by 60 dB in 2.5 s.
    """

    def __init__(self, width: float = 0.0, room: float = 0.0) -> None:
        self._middle, self._side = map(Fader, width_gains(width))
        self._dry, self._wet = map(Fader, room_gains(room))
        self._echoes = SparseEchoes(24, 0.020, seed=5)
        self._reverb, self._gate = RoomReverb(room), GainRamp()

    def place(self, width: float, room: float) -> None:
        """Change both, within `MOVE_S` from the next sample on."""
        faders = (self._middle, self._side, self._dry, self._wet)
        for fader, gain in zip(faders, (*width_gains(width), *room_gains(room)), strict=True):
            fader.move(gain, MOVE_S)
        if room > 0.0:
            self._reverb.resize(room)

    @property
    def is_wide(self) -> bool:
        """Whether the two sides differ, or are about to."""
        return not self._side.rests_at(0.0)

    def step(self, pcm: NDArray[np.float32], gate: float = 1.0) -> NDArray[np.float32]:
        """The next samples.

        Args:
            pcm: float32 [n], finite.
            gate: 0 to 1, what the room's sound is multiplied with at the block's end: it fades with the music where
                the player stands still, however large the room is.

        Returns:
            float32 [n] where both sides are the same; else float32 [2, n], the middle and the half difference: the
            left side is their sum, the right one their difference.
        """
        wide = self.is_wide
        wet = self._reverberate(pcm, gate)
        side = self._echoes.step(pcm) if wide else None
        if side is None:
            self._echoes.hear(pcm)
        dry = self._dry.gains(pcm.shape[0])
        if dry is not None:
            pcm = np.asarray(pcm * dry, np.float32)
            side = None if side is None else np.asarray(side * dry, np.float32)
        if wet is not None:
            pcm = pcm + wet[0]
            side = None if side is None else side + wet[1]
        pcm = self._middle.step(pcm)
        return pcm if side is None else np.stack([pcm, self._side.step(side)])

    def _reverberate(self, pcm: NDArray[np.float32], gate: float) -> NDArray[np.float32] | None:
        """The sound of the room, float32 [2, n]; None where there is none."""
        before, silent = self._gate.gain, gate == 0.0
        if self._wet.rests_at(0.0) or (silent and before in (None, 0.0)):
            # What rang is over: the room is empty when it is heard again.
            self._reverb.reset()
            self._gate.gain = gate
            self._wet.gains(pcm.shape[0])
            return None
        return self._wet.step(self._gate.step(self._reverb.step(pcm), gate))
