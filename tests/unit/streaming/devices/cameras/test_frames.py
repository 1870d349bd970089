"""Pictures of any shape are made upright, small and of three channels."""

from __future__ import annotations

import numpy as np

from streaming.devices.cameras.frames import fitted_size, shrink, upright


def test_fitted_size_honours_the_shape_of_pixels() -> None:
    assert fitted_size(720, 576, 16 / 15) == (640, 480)
    assert fitted_size(1840, 200) == (640, 70)
    assert fitted_size(320, 240) == (320, 240)


def test_upright_turns_counterclockwise() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 2] = 255  # top right
    assert upright(image, 90)[0, 0].all()
    assert upright(image, -90)[2, 1].all()
    assert upright(image, 180)[1, 0].all()
    assert upright(image, 0) is image


def test_shrink_makes_three_channels() -> None:
    assert shrink(np.zeros((10, 20), np.uint8)).shape == (10, 20, 3)
    assert shrink(np.zeros((10, 20, 4), np.uint8)).shape == (10, 20, 3)
    assert shrink(np.zeros((2160, 3840, 3), np.uint8)).shape == (360, 640, 3)
