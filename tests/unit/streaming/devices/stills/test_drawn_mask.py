"""The mask beside an image lies on the screen where the image lies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from streaming.devices.stills.drawn_mask import load_mask, mask_path
from streaming.devices.stills.prior import fit_screen, fitted_place


def test_the_mask_lies_where_the_image_lies(tmp_path: Path) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:60, 30:70] = 255
    cv2.imwrite(str(tmp_path / "one.mask.png"), image)
    for size in ((320, 320), (640, 320), (320, 640)):
        mask = load_mask(str(tmp_path / "one.jpg"), image.shape, size)
        assert mask is not None
        assert mask.shape == (size[1], size[0], 3)
        left, top, width, height = fitted_place(image.shape, size)
        shown = fit_screen(image, size)[top : top + height, left : left + width] > 200
        assert (shown == (mask[top : top + height, left : left + width] > 127)).mean() > 0.98
        outside = mask.copy()
        outside[top : top + height, left : left + width] = 0
        assert not outside.any()


def test_without_a_file_there_is_no_mask(tmp_path: Path) -> None:
    assert load_mask(str(tmp_path / "one.jpg"), (10, 10), (32, 32)) is None
    assert load_mask("", (10, 10), (32, 32)) is None
    assert mask_path("/some/where/one.jpeg") == Path("/some/where/one.mask.png")
