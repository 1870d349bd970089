"""The springs of a scene: each mode is a damped oscillator that the sound pushes and kicks, advanced exactly.

For an amplitude x, an angular frequency w and a damping z: x'' + 2 z w x' + w^2 x = w^2 f, where the push f is held for
a tick. The step is the closed form of that equation, so it is exact however slow the ticks are. A kick adds to the
velocity at the tick's beginning, and a bow drags along with the velocity that is there, as a bow does with a string.

What is shown is a softly limited amplitude, so that a long loud passage moves far and not without end. When nothing has
pushed or kicked for a while, the springs ring out within `REST_TICKS` and then are exactly at rest: silence is the
prior image to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_NS
from streaming.scenes.layered_scene import SceneMode

LIMIT = 1.2
"""No amplitude that is shown exceeds this at the usual motion; 1 is a wide but natural movement."""
MAX_PUSH, MAX_KICK, MAX_BOW = 8.0, 12.0, 2.0
"""Stronger forces count as these: four times (the control `motion`) what a drive gives at most."""
BOW_STEEPNESS = 4.0
"""How soon a bow takes hold of a mode that hardly moves."""
SNAP = 2e-4
"""A spring without force that is displaced by less, and moves by less than this in the time w^-1, is at rest."""
RING_TICKS, REST_TICKS = 12, 44
"""Ticks without any force for which the springs ring freely, and after which they are at rest; between the two what is
left is faded linearly."""
USUAL_ANCHORING = 1.2
"""The value of the control `anchoring` at which the springs are as the scene has them."""
ANCHORING_POWER = 0.35
"""Frequencies and dampings both grow as this power of the anchoring: ten times as much makes them 2.2 times as high."""
MAX_DAMPING = 0.95

Amplitudes = NDArray[np.float64]
"""[M], of each mode; see `LIMIT`."""


class Springs:
    """The springs of a scene's modes, at rest to begin with.

    Args:
        modes: M of them.
        anchoring: the control's value; see `USUAL_ANCHORING`.

    Attributes:
        resets: how often bad numbers have put all springs to rest.
    """

    def __init__(self, modes: Sequence[SceneMode], anchoring: float = USUAL_ANCHORING) -> None:
        self._angular = 2.0 * np.pi * np.array([mode.hz for mode in modes], np.float64)
        self._damping = np.array([mode.damping for mode in modes], np.float64)
        self.resets = 0
        self._limit = LIMIT
        self._anchoring = float("nan")
        self.hold(anchoring)
        self.rest()

    @property
    def amplitudes(self) -> Amplitudes:
        """Where the modes are: [M], within the limit."""
        return np.asarray(self._limit * np.tanh(self._x / self._limit))

    @property
    def velocity(self) -> Amplitudes:
        """How fast the amplitudes change: [M], per second."""
        return np.asarray(self._v * (1.0 - np.tanh(self._x / self._limit) ** 2))

    @property
    def at_rest(self) -> bool:
        """Whether every spring is exactly at rest."""
        return not (self._x.any() or self._v.any())

    def rest(self) -> None:
        """Put all springs to rest at once."""
        self._x, self._v = np.zeros_like(self._angular), np.zeros_like(self._angular)
        self._ticks_without_force = REST_TICKS

    def hold(self, anchoring: float) -> None:
        """Make the springs stiffer and more damped, or softer; what they do goes on from where they are.

        Args:
            anchoring: above 0; see `USUAL_ANCHORING`.
        """
        if anchoring == self._anchoring:
            return
        self._anchoring = anchoring
        factor = (anchoring / USUAL_ANCHORING) ** ANCHORING_POWER
        w, z = factor * self._angular, np.minimum(MAX_DAMPING, factor * self._damping)
        seconds = TICK_NS / 1e9
        swing = w * np.sqrt(1.0 - z * z)
        decay, cosine = np.exp(-z * w * seconds), np.cos(swing * seconds)
        sine = np.sin(swing * seconds) / swing
        self._xx, self._xv = decay * (cosine + z * w * sine), decay * sine
        self._vx, self._vv = -decay * w * w * sine, decay * (cosine - z * w * sine)
        self._give = factor**-2.0
        self._omega = w

    def allow(self, motion: float) -> None:
        """Let them swing farther where the forces are stronger than usual.

        Args:
            motion: what the forces are multiplied with; above 1 the limit grows as its root, so that twice the force
                is not lost in the limit, nor does it swing twice as far.
        """
        self._limit = LIMIT * max(1.0, motion) ** 0.5

    def step(
        self, push: NDArray[np.floating], kick: NDArray[np.floating], bow: NDArray[np.floating] | None = None
    ) -> Amplitudes:
        """Advance by one tick.

        Args:
            push: [M], for each mode the amplitude to which the force would move it in the long run at the usual
                anchoring; held for this tick.
            kick: [M], the velocity that is added at the tick's beginning, in units of the mode's own angular frequency:
                1 swings an undamped spring out to 1.
            bow: [M], at least 0, the most that is added to the velocity in the direction that it has, in the same unit;
                None for none.

        Returns:
            The amplitudes at the tick's end; all 0 after forces that are not finite or not [M], which are counted.
        """
        given = [
            np.asarray(force, np.float64) for force in (push, kick, np.zeros_like(self._x) if bow is None else bow)
        ]
        if any(force.shape != self._x.shape or not np.isfinite(force).all() for force in given):
            self.resets += 1
            self.rest()
            return self.amplitudes
        pushed, kicked, bowed = given
        if pushed.any() or kicked.any() or bowed.any():
            self._ticks_without_force = 0
        else:
            self._ticks_without_force += 1
        f = self._give * np.clip(pushed, -MAX_PUSH, MAX_PUSH)
        dragged = np.clip(bowed, 0.0, MAX_BOW) * np.tanh(BOW_STEEPNESS * self._v / self._angular)
        x, v = self._x - f, self._v + self._angular * (np.clip(kicked, -MAX_KICK, MAX_KICK) + dragged)
        self._x, self._v = self._xx * x + self._xv * v + f, self._vx * x + self._vv * v
        self._settle()
        return self.amplitudes

    def coast(self, ticks: int) -> None:
        """Advance by some ticks without force."""
        nothing = np.zeros_like(self._x)
        for _ in range(min(ticks, REST_TICKS)):
            self.step(nothing, nothing)

    def _settle(self) -> None:
        """Come to rest when nothing pushes or kicks."""
        without = self._ticks_without_force
        if without == 0:
            return
        if without >= REST_TICKS:
            self._x, self._v = np.zeros_like(self._x), np.zeros_like(self._v)
            return
        if without > RING_TICKS:
            share = (REST_TICKS - without) / (REST_TICKS - without + 1.0)
            self._x, self._v = share * self._x, share * self._v
        still = (np.abs(self._x) < SNAP) & (np.abs(self._v) < SNAP * self._omega)
        self._x, self._v = np.where(still, 0.0, self._x), np.where(still, 0.0, self._v)
