"""The untrained deceleration rule, a control for networks: when something strikes, downward motion is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.vision.motion.feature_names import INDEX


def onset_strength(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """How strongly each frame looks like a hit: geometric mean of the largest and the summed loss of downward velocity.

    On seven films (192 onsets) its average precision was 0.40, of the largest loss alone 0.39 and of the sum alone
    0.37; on the three of them that show a stick 0.59, 0.51 and 0.59, and 0.32 on circularly shifted onsets.

    Args:
        features: [T, MOTION_FEATURES], a row for each frame or tick.

    Returns:
        float32 [T], 0 to 8; an onset is at a peak. It says nothing of frames to come.
    """
    largest, summed = (features[:, INDEX[name]].astype(np.float32) for name in ("loss_max_down", "loss_sum_down"))
    return np.asarray(np.sqrt(largest * summed), np.float32)
