"""Shapes of hands: 21 landmarks each, drawn at random or taken from recorded hands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LANDMARKS = 21
"""Wrist, then four joints of each of the five fingers from the thumb on, as trackers of hands count them."""
FINGERS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
PALM = (0, 1, 5, 9, 13, 17)
"""Landmarks around the palm."""
_BASES = np.array([(0.2, -0.2), (0.47, -0.16), (0.5, -0.03), (0.46, 0.09), (0.4, 0.2)])
_LENGTHS = np.array([0.42, 0.42, 0.48, 0.44, 0.34])
_KNUCKLES = np.array([0.0, 0.45, 0.75, 1.0])

Hand = NDArray[np.float64]


def draw_hand(rng: np.random.Generator, curl: float | None = None) -> Hand:
    """A hand in its own frame: wrist at the origin, fingers towards +x, about 1 long: float64 [21, 2].

    Args:
        rng: random generator.
        curl: 0 for a flat hand, 1 for a fist; None to draw it.
    """
    bent = float(rng.uniform(0.0, 1.0)) if curl is None else curl
    points = [np.zeros(2)]
    spread = rng.normal(0.0, 0.12)
    for finger, (base, length) in enumerate(zip(_BASES, _LENGTHS, strict=True)):
        fold = np.clip(bent + rng.normal(0.0, 0.12), 0.0, 1.0)
        angle = (finger - 2) * (0.12 + spread) + rng.normal(0.0, 0.06) - (0.55 if finger == 0 else 0.0)
        along = _KNUCKLES * length * (1.0 - 0.75 * fold) * (1.0 - 0.35 * fold * _KNUCKLES)
        points.extend(base + reach * np.array([np.cos(angle), np.sin(angle)]) for reach in along)
    return np.array(points)


def straighten(hands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recorded hands in the frame of `draw_hand`: float64 [N, 21, 2] of any place, size and direction -> [M, 21, 2].

    Hands whose palm is seen on edge or hardly at all are left out.
    """
    centred = hands - hands[:, :1]
    middle = centred[:, 9]
    reach = np.hypot(*middle.T)
    size = np.abs(centred).max((1, 2))
    usable = reach > 0.25 * size
    centred, middle, reach = centred[usable], middle[usable], reach[usable]
    cosine, sine = middle[:, 0] / reach, middle[:, 1] / reach
    turned = np.stack(
        [
            centred[..., 0] * cosine[:, None] + centred[..., 1] * sine[:, None],
            centred[..., 1] * cosine[:, None] - centred[..., 0] * sine[:, None],
        ],
        axis=-1,
    )
    return np.asarray(turned * (0.5 / reach)[:, None, None])
