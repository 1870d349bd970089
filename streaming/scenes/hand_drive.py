"""The drive made by hand: from the sound's bands to forces on the modes, for bundles without a network that hears.

Large and slow modes listen to low bands, small and fast ones to high bands. Attacks kick a mode the way it goes; held
tones push it to and fro near its own frequency, a little faster the brighter the sound is. The same sound moves the
same scene alike; chance only varies by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SOUND_BANDS, TICK_NS
from streaming.scenes.layered_scene import SceneMode
from streaming.scenes.springs import Springs

KICK = 1.5
"""Of a full attack."""
ATTACK_POWER = 0.75
"""Soft attacks kick more than in proportion: those of a guitar are a tenth of a drum's."""
PUSH = 0.3
"""Of a loud held tone, at its strongest."""
LISTENING_WIDTH = 1.2
"""In bands: how far from its own band a mode hears half as well, at least; fewer modes listen more widely."""
SUSTAIN_SHARE = 0.15
"""Share of the newest level in the level that counts as held."""
SLOWEST, BRIGHTER = 0.75, 0.5
"""A held tone pushes at the first times a mode's frequency, and by the second times it faster where it is brightest."""
CHANCE = 0.2
"""Spread of the forces for noise of spread 1, as a share of them."""
GOING = 0.15
"""From this velocity on, per radian, a kick goes the way that the mode goes."""


class ModeDrive(Protocol):
    """What turns sound into forces on modes, tick by tick."""

    def reset(self) -> None:
        """Forget what was heard."""

    def take_scene(self, modes: Sequence[SceneMode]) -> None:
        """Drive these modes from now on."""

    def step(
        self, latent: NDArray[np.float32], bands: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """The forces of the next tick.

        Args:
            latent: float32 [D], the sound in the coordinated latent space.
            bands: float32 [2, SOUND_BANDS], levels and attacks.
            noise: float32 [MAX_MODES, 2], spread 1 or less; 0 for the likeliest forces.

        Returns:
            [3, M]: push, kick and bow of each mode, see `streaming.scenes.springs.Springs.step`.
        """
        ...


class HandDrive:
    """See the module; it needs no latents."""

    def __init__(self) -> None:
        self.take_scene(())

    def take_scene(self, modes: Sequence[SceneMode]) -> None:
        """Drive these modes from now on, as if nothing had been heard yet."""
        # What it knows of the modes' motion: the springs that its forces alone would move.
        self._springs = Springs(modes)
        self._angular = 2.0 * np.pi * np.array([mode.hz for mode in modes], np.float64)
        self._hearing = listening_weights(modes)
        # Neighbours in rank set off in opposite ways, so that a scene does not lean as a whole.
        self._way = np.where(np.arange(len(modes)) % 2 == 0, 1.0, -1.0)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._springs.rest()
        self._held = np.zeros(SOUND_BANDS)
        self._phase = np.zeros_like(self._angular)

    def step(
        self, latent: NDArray[np.float32], bands: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """The forces of the next tick; see `ModeDrive.step`."""
        levels, attacks = np.asarray(bands, np.float64)
        count = len(self._angular)
        varied = 1.0 + CHANCE * np.clip(np.asarray(noise[:count], np.float64), -2.0, 2.0)
        attack = (self._hearing * attacks).max(1) ** ATTACK_POWER
        going = self._springs.velocity / self._angular
        kick = KICK * attack * np.where(np.abs(going) > GOING, np.sign(going), self._way) * varied[:, 1]
        self._held = np.where(levels > 0.0, self._held + SUSTAIN_SHARE * (levels - self._held), 0.0)
        # An attack begins a new stroke.
        self._phase = np.where(attack > 0.25, 0.0, self._phase + self._angular * self._pace(levels) * TICK_NS / 1e9)
        held = (self._hearing * self._held).max(1)
        push = PUSH * held * np.sin(self._phase) * self._way * varied[:, 0]
        self._springs.step(push, kick)
        return np.stack([push, kick, np.zeros(count)])

    def _pace(self, levels: NDArray[np.float64]) -> float:
        """How fast held tones push, in units of the modes' frequencies."""
        brightness = float(levels @ np.arange(SOUND_BANDS)) / max(1e-6, float(levels.sum()) * (SOUND_BANDS - 1))
        return SLOWEST + BRIGHTER * brightness


def listening_weights(modes: Sequence[SceneMode]) -> NDArray[np.float64]:
    """How well each mode hears each band: [M, SOUND_BANDS], 0 to 1; the slowest and largest hears the lowest best."""
    if not modes:
        return np.zeros((0, SOUND_BANDS))
    height = [np.log2(mode.hz) - 0.5 * np.log2(max(mode.size, 1e-3)) for mode in modes]
    rank = np.argsort(np.argsort(height, kind="stable"), kind="stable")
    centre = (rank + 0.5) / len(modes) * SOUND_BANDS - 0.5
    width = max(LISTENING_WIDTH, SOUND_BANDS / len(modes))
    apart = (np.arange(SOUND_BANDS) - centre[:, None]) / width
    return np.asarray(np.exp(-np.log(2.0) * apart**2))
