"""Pictures with known things, for the tests of what makes scenes."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = (480, 320)


def grainy(colour: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A ground of one colour with some grain, uint8 [320, 480, 3]."""
    grain = np.random.default_rng(seed).normal(0, 4, (SIZE[1], SIZE[0], 3))
    soft = cv2.GaussianBlur(grain, (0, 0), 1.0)
    return np.asarray(np.clip(np.array(colour) + soft, 0, 255), np.uint8)


def disc_picture(middle: tuple[int, int] = (220, 150), radius: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A striped red disc on a grey ground, and where it is, bool [320, 480]."""
    image = grainy((150, 150, 140))
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(mask, middle, radius, 1, -1)
    disc = grainy((40, 50, 190), 1)
    disc[:, ::9] = (60, 90, 210)
    image[mask > 0] = disc[mask > 0]
    return cv2.GaussianBlur(image, (0, 0), 0.6), mask > 0


def post_picture() -> tuple[np.ndarray, np.ndarray]:
    """A blue post that the picture's lower side cuts off, on a grey ground, and where it is."""
    image = grainy((170, 175, 180))
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.rectangle(mask, (210, 110), (250, 319), 1, -1)
    cv2.circle(mask, (230, 100), 36, 1, -1)
    post = grainy((150, 60, 30), 1)
    image[mask > 0] = post[mask > 0]
    return image, mask > 0


def shared(one: np.ndarray, other: np.ndarray) -> float:
    """The share of two masks' union that both have."""
    return float((one & other).sum() / max((one | other).sum(), 1))
