"""How a moved picture looks beside the still, and how near pictures are to true ones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND

Picture = NDArray[np.uint8]


def gradient_energy(picture: Picture) -> float:
    """Mean squared gradient of a picture [H, W, 3], in grey levels a pixel."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    by_y, by_x = np.diff(grey, axis=0), np.diff(grey, axis=1)
    return float((by_x**2).mean(dtype=np.float64) + (by_y**2).mean(dtype=np.float64))


def sharpness_ratio(picture: Picture, still: Picture) -> float:
    """Gradient energy of a moved picture over that of the still: 1 where no detail was lost."""
    return gradient_energy(picture) / max(1e-9, gradient_energy(still))


def gradient_error(picture: Picture, reference: Picture) -> float:
    """Mean absolute difference of two pictures' gradients, as a share of the range."""
    return float(gradient_errors(picture, reference).mean())


def gradient_errors(picture: Picture, reference: Picture) -> NDArray[np.float64]:
    """Differences of the gradients of two pictures at each pixel, as shares of the range."""
    error = (picture.astype(np.float64) - reference).mean(-1) / 255.0
    by_y, by_x = np.gradient(error)
    return np.asarray(np.abs(by_x) + np.abs(by_y))


def psnr(got: Picture, want: Picture) -> float:
    """Peak signal-to-noise ratio of pictures or films, in dB."""
    error = float(((got.astype(np.float64) - want) ** 2).mean())
    return 10.0 * float(np.log10(255.0**2 / max(error, 1e-3)))


def structural_similarity(picture: Picture, reference: Picture) -> NDArray[np.float64]:
    """Structural similarity of two pictures [H, W, 3], in grey, at each pixel (Wang et al. 2004)."""
    x, y = (cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64) for image in (picture, reference))

    def mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5))

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return np.asarray((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


def seconds_to_still(pictures: Sequence[Picture], still: Picture, silent_from: int) -> float | None:
    """Seconds of silence after which every picture is the still, byte for byte.

    Args:
        pictures: of each tick, [H, W, 3].
        still: as it is shown at rest.
        silent_from: the first tick in which nothing sounds.

    Returns:
        0 where it never moved; None where the last picture is not the still.
    """
    moved = [tick for tick, picture in enumerate(pictures) if not np.array_equal(picture, still)]
    if not moved:
        return 0.0
    if moved[-1] == len(pictures) - 1:
        return None
    return max(0, moved[-1] + 1 - silent_from) / TICKS_PER_SECOND
