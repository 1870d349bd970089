"""The plain scene: its ground alone, which is the image at rest and moves smoothly, never at its border."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.painting.layer_renderer import LayerRenderer
from streaming.scenes.plain_scene import REACH, make_plain_scene


@pytest.mark.parametrize("size", [(384, 256), (256, 384), (333, 217)])
def test_it_is_the_image_at_rest_and_moves_inside_alone(size: tuple[int, int]) -> None:
    width, height = size
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    scene = make_plain_scene(image)
    renderer = LayerRenderer(scene)
    assert renderer.render(np.zeros(4)) is image
    moved = renderer.render(np.ones(4))
    assert (moved != image).mean() > 0.5
    (ground,) = scene.layers
    assert np.abs(ground.fields).max() <= 1.0
    for field in ground.fields:
        assert np.hypot(field[..., 0], field[..., 1]).max() == pytest.approx(1.0, abs=0.02)
        assert np.abs(field[0]).max() < 0.2, "held at the border"
    bend = np.abs(np.diff(ground.fields, axis=2)).max() * REACH * max(size) / 8.0
    assert bend < 0.3, "no fold"
