"""Frames after a video codec."""

from __future__ import annotations

import numpy as np

from training.synthesis.camera_augmentation import recompress


def test_a_codec_keeps_number_size_and_order_and_loses_detail() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (96, 128, 3))
    images = [np.clip(noise + 8 * number, 0, 255).astype(np.uint8) for number in range(20)]
    light, heavy = recompress(images, 18), recompress(images, 42)
    assert len(light) == len(heavy) == 20
    assert light[0].shape == images[0].shape
    levels = [[float(image.mean()) for image in images] for images in (images, light)]
    np.testing.assert_allclose(levels[1], levels[0], atol=4.0)
    errors = [
        float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in zip(images, got, strict=True)]))
        for got in (light, heavy)
    ]
    assert errors[0] < errors[1]
