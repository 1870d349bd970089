"""What the network that drives the modes is told of each of them: where it is, how large, which way, how fast."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.scenes.layered_scene import MAX_MODES, MODE_NAMES, SceneMode

MODE_FEATURES = len(MODE_NAMES) + 9
"""Numbers that describe a mode; all 0 where there is none."""
COMMON_HZ, COMMON_SIZE, COMMON_REACH = 1.7, 0.2, 0.02
"""Of an ordinary mode; frequencies, sizes and reaches are described by the logarithm of their ratio to these."""


def describe_modes(modes: Sequence[SceneMode]) -> NDArray[np.float32]:
    """Float32 [MAX_MODES, MODE_FEATURES], about -3 to 3: a mode's name (one of them 1), then numbers, then a 1.

    The numbers: logarithm of the frequency, of the size and of the reach; damping; place x and y; way x and y.

    Args:
        modes: of a scene, at most `MAX_MODES`.
    """
    table = np.zeros((MAX_MODES, MODE_FEATURES), np.float32)
    for row, mode in zip(table, modes, strict=False):
        row[MODE_NAMES.index(mode.name)] = 1.0
        row[len(MODE_NAMES) :] = (
            math.log(mode.hz / COMMON_HZ),
            math.log(max(1e-3, mode.size) / COMMON_SIZE),
            math.log(max(1e-4, mode.reach) / COMMON_REACH),
            mode.damping,
            2.0 * mode.place[0],
            2.0 * mode.place[1],
            *mode.way,
            1.0,
        )
    return table
