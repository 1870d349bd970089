"""Features of video frames: the square view of a frame, and the optical flow of two views pooled to a grid."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import FLOW_GRID

VIEW_SIDE = 256
"""Side in pixels of the square view that the embedding is computed on, and in grey the optical flow."""


def fit_square(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Fit a frame into the middle of a square, whole and undistorted, on mid grey.

    Args:
        image: uint8 [H, W] or [H, W, 3].
        side: side of the square in pixels.

    Returns:
        uint8 [side, side] or [side, side, 3].
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if small.shape[0] == side and small.shape[1] == side:
        return np.ascontiguousarray(small)
    out = np.full((side, side, *image.shape[2:]), 127, dtype=np.uint8)
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def pool_flow(flow: NDArray[np.float32], interval_s: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pool a dense flow to velocities on a grid.

    Args:
        flow: float32 [2, S, S], displacement in pixels.
        interval_s: time between the two frames, positive.

    Returns:
        Mean velocity float32 [2, 16, 16] and mean speed float32 [16, 16], in frame sides per second.
    """
    side = flow.shape[-1]
    scale = 1.0 / (side * interval_s)
    speed = cv2.magnitude(flow[0], flow[1])
    cells = [cv2.resize(plane, (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA) for plane in (*flow, speed)]
    grid = np.stack(cells).astype(np.float32) * np.float32(scale)
    return grid[:2], grid[2]
