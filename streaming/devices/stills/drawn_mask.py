"""The mask that an artist drew beside a prior image: NAME.mask.png, each grey level or colour a layer, black ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.devices.stills.prior import fitted_place, load_prior

SUFFIX = ".mask.png"


def mask_path(path: str) -> Path:
    """Where the mask of an image lies: `people.jpg` -> `people.mask.png`."""
    return Path(path).with_suffix(SUFFIX)


def load_mask(path: str, shape: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """The mask beside an image, fitted into the screen as the image is.

    Args:
        path: the image's file; "" for the shipped one, which has none.
        shape: of the image: height, width.
        size: width and height of the screen.

    Returns:
        uint8 [height, width, 3]; black around the image; None where there is no mask.

    Raises:
        SourceError: for a file that is no picture, or too large.
    """
    file = mask_path(path) if path else None
    if file is None or not file.exists():
        return None
    mask = load_prior(str(file))
    left, top, width, height = fitted_place((shape[0], shape[1]), size)
    out = np.zeros((size[1], size[0], 3), np.uint8)
    out[top : top + height, left : left + width] = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return out
