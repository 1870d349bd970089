"""Loss of velocity along the flow: the deceleration of whatever moves, wherever it moves (material derivative).

Each frame's cells are followed for a short time as particles. Where one of them is slower than when it started,
velocity was lost: a stick that stops loses all of it, a stick that flies on loses nothing. Losses are differences of
velocity, not divided by the frame interval, so that a sudden stop counts the same at every frame rate.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.float32]

WINDOW_S = 0.052
"""How long particles are followed, in seconds: one frame at up to 30 fps, three at 60 fps."""


def by_direction(velocity: Cells) -> Cells:
    """Parts of velocities [2, ...] (x right, y down) that point down, up, left and right: float32 [4, ...], >= 0."""
    x, y = velocity
    return np.asarray(np.maximum(np.stack([y, -y, -x, x]), np.float32(0.0)), np.float32)


class VelocityLoss:
    """Follows the cells of recent frames through a field of velocities.

    Args:
        cells: cells along each side of the field.
        window_s: how long each frame's cells are followed, in seconds; at least one frame is.
    """

    def __init__(self, cells: int, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        centres = np.arange(cells, dtype=np.float32)
        self._start = np.stack(np.meshgrid(centres, centres)).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Follow nothing: the next field is the first."""
        side = self._start.shape[1]
        self._ages = np.zeros(0, np.float32)
        self._places = np.zeros((2, 0, side, side), np.float32)
        self._parts = np.zeros((4, 0, side, side), np.float32)

    def step(self, velocity: Cells, interval_s: float) -> tuple[Cells, Cells]:
        """Take in the field of a frame.

        Args:
            velocity: float32 [2, N, N], in sides per second, of what was in each cell at the frame before.
            interval_s: time between the two frames in seconds.

        Returns:
            Loss and gain of velocity by direction, of the particles of each earlier frame: float32 [4, K, N, N] each,
            where they started, in sides per second. K is 0 for the first field.
        """
        side = velocity.shape[-1]
        count = self._ages.size
        here = by_direction(velocity)
        sampled = velocity[:, None].repeat(count, 1)
        if count:
            x, y = self._places.reshape(2, count * side, side)
            sampled = np.stack(
                [cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for plane in velocity]
            ).reshape(2, count, side, side)
        change = by_direction(sampled) - self._parts
        loss, gain = np.maximum(-change, np.float32(0.0)), np.maximum(change, np.float32(0.0))
        self._advance(velocity, sampled, here, interval_s)
        return loss, gain

    def state(self) -> tuple[Cells, Cells, Cells]:
        """Everything it remembers: ages [K], places [2, K, N, N] and velocities by direction [4, K, N, N]."""
        return self._ages.copy(), self._places.copy(), self._parts.copy()

    def restore(self, state: tuple[Cells, Cells, Cells]) -> None:
        """Go on from a `state`."""
        self._ages, self._places, self._parts = (array.copy() for array in state)

    def _advance(self, velocity: Cells, sampled: Cells, here: Cells, interval_s: float) -> None:
        side = velocity.shape[-1]
        step = np.float32(side * interval_s)
        ages = np.append(self._ages + np.float32(interval_s), np.float32(0.0))
        keep = ages + np.float32(interval_s) <= self._window_s
        keep[-1] = True
        places = np.concatenate(
            [self._places + sampled * step, (self._start + velocity * step)[:, None]],
            1,
        )
        parts = np.concatenate([self._parts, here[:, None]], 1)
        self._ages = ages[keep].astype(np.float32)
        self._places = np.ascontiguousarray(places[:, keep])
        self._parts = np.ascontiguousarray(parts[:, keep])
