"""The untrained deceleration rule, a control for networks: when something strikes, downward motion is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.vision.motion.features import INDEX


def onset_strength(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """How strongly each frame looks like a hit: the largest loss of downward velocity, over the performer's scale.

    Args:
        features: [T, MOTION_FEATURES], a row for each frame or tick.

    Returns:
        float32 [T], 0 to 8; an onset is at a peak. It says nothing of frames to come.
    """
    return np.asarray(features[:, INDEX["loss_max_down"]], np.float32)
