"""Do things move as things: the jump of the motion at an outline, and what of the motion inside is no rigid one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
GAP, WINDOW = 2, 9
"""Points next to the outline that are left out on either side, and the side of the square that is averaged: an outline
that is off by the gap does no harm."""
LEAST_MOTION = 0.3
"""Pixels: a thing that moves less is not scored."""
_LEAST_POINTS = 60


def motion_inside(field: NDArray[np.floating], mask: Mask) -> float:
    """Mean length of a displacement field [H, W, 2] inside a mask [H, W]; 0 for an empty one."""
    inside = field[mask].astype(np.float64)
    return float(np.hypot(inside[:, 0], inside[:, 1]).mean()) if len(inside) else 0.0


def edge_jump(field: NDArray[np.floating], mask: Mask, gap: int = GAP) -> float:
    """The jump of the motion at a mask's outline over the motion there.

    Motion is averaged near each point of the outline, inside and outside; the larger of the two is what the jump is
    compared with, so a ground that moves more than the thing does not raise the figure. What lies on the picture's
    border counts for nothing.

    Args:
        field: displacements, [H, W, 2].
        mask: what should move as a thing, [H, W].
        gap: points next to the outline that are left out on either side.

    Returns:
        0 for a sheet that moves as one, 1 for a thing before a ground that rests, 2 for opposite motion; NaN where too
        little moves inside.
    """
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap + 1, 2 * gap + 1)) if gap else None
    area = mask.astype(np.uint8)
    inside, outside = area.copy(), 1 - area
    if around is not None:
        inside, outside = cv2.erode(area, around, borderValue=1), cv2.erode(1 - area, around, borderValue=1)
    outline = (cv2.morphologyEx(area, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0) & (area > 0)
    outline[[0, -1]] = outline[:, [0, -1]] = False
    side = WINDOW + 2 * gap
    means, weights = [], []
    for part in (inside, outside):
        weight = cv2.blur(part.astype(np.float32), (side, side), borderType=cv2.BORDER_CONSTANT)
        total = cv2.blur(
            field.astype(np.float32) * part[..., None].astype(np.float32), (side, side), borderType=cv2.BORDER_CONSTANT
        )
        means.append(total / np.maximum(weight, 1e-6)[..., None])
        weights.append(weight)
    usable = outline & (weights[0] > 0.02) & (weights[1] > 0.02)
    if usable.sum() < 8 or motion_inside(field, mask) < LEAST_MOTION:
        return float("nan")
    jump = np.linalg.norm(means[0] - means[1], axis=-1)[usable].astype(np.float64)
    # Where a thing is held it does not move, and there is nothing to jump: each point counts as much as it moves.
    moved = np.maximum(*(np.linalg.norm(mean, axis=-1)[usable].astype(np.float64) for mean in means))
    return float(jump.sum() / max(1e-9, float(moved.sum())))


def affine_residual(field: NDArray[np.floating], mask: Mask) -> float:
    """What of the motion inside a mask is not affine: mean length of the rest over mean length of the motion.

    Args:
        field: displacements, [H, W, 2].
        mask: [H, W].

    Returns:
        0 for a thing that is shifted, turned, scaled or sheared; NaN where too little moves, or for a tiny mask.
    """
    if mask.sum() < _LEAST_POINTS or motion_inside(field, mask) < LEAST_MOTION:
        return float("nan")
    y, x = np.nonzero(mask)
    base = np.stack([x - x.mean(), y - y.mean(), np.ones(x.size)], 1)
    inside = field[mask].astype(np.float64)
    rest = inside - base @ np.linalg.lstsq(base, inside, rcond=None)[0]
    return float(np.hypot(*rest.T).mean() / np.hypot(*inside.T).mean())


def shifted_masks(mask: Mask, count: int = 4, seed: int = 0) -> list[Mask]:
    """The same outline elsewhere in the picture: the control, since there it follows no edge.

    Args:
        mask: [H, W].
        count: how many.
        seed: of the places.

    Returns:
        Masks moved in a circle by a sixth to a half of each side; they keep their shape and size where they fit.
    """
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        by = [int(rng.choice([-1, 1]) * rng.uniform(1 / 6, 1 / 2) * side) for side in mask.shape]
        out.append(np.roll(mask, by, (0, 1)))
    return out
