"""Modes on the flow grid: the mean displacement of what is seen, in the square, in longer sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from streaming.scenes.layered_scene import SceneMode
from streaming.scenes.pooled_modes import pool_modes, weigh_modes
from tests.scenes.hand_made import REACH, two_layer_scene


@pytest.mark.parametrize("size", [(512, 256), (256, 512)])
def test_a_mode_moves_what_is_seen_of_its_layer(size: tuple[int, int]) -> None:
    scene = two_layer_scene(size, radius=60)
    pooled = pool_modes(scene)
    assert pooled.shape == (3, 2, 16, 16)
    assert pooled.dtype == np.float32
    ground, right, down = pooled
    beyond = np.zeros((16, 16), bool)
    beyond[:4], beyond[12:] = True, True
    beyond = beyond if size[0] > size[1] else beyond.T
    assert not pooled[:, :, beyond].any(), "nothing is seen beside the picture"
    middle = (slice(7, 9), slice(7, 9))
    assert right[0][middle] == pytest.approx(REACH)
    assert not right[1].any()
    assert down[1][middle] == pytest.approx(REACH)
    assert not ground[0][middle].any(), "hidden by the disc"
    assert ground[0][4, 4] == pytest.approx(0.02)
    # A layer moves as much of the square as it covers.
    assert right[0].sum() / REACH == pytest.approx(np.pi * 60.5**2 / 32**2, rel=0.02)


def test_what_lies_before_a_layer_hides_it() -> None:
    scene = two_layer_scene(radius=60)
    front = replace(scene.layers[1])
    covered = replace(scene, layers=(*scene.layers, front), modes=(*scene.modes, *_of_layer(scene.modes[1:], 2)))
    pooled = pool_modes(covered)
    assert np.abs(pooled[1]).max() < 0.3 * REACH, "its edge alone is seen"
    assert np.abs(pooled[3]).max() == pytest.approx(REACH)


def _of_layer(modes: Sequence[SceneMode], layer: int) -> tuple[SceneMode, ...]:
    return tuple(replace(mode, layer=layer) for mode in modes)


def test_modes_are_added_up_by_their_weights() -> None:
    pooled = pool_modes(two_layer_scene())
    weights = np.array([0.5, -1.0, 2.0])
    np.testing.assert_allclose(
        weigh_modes(weights, pooled), 0.5 * pooled[0] - pooled[1] + 2.0 * pooled[2], rtol=1e-5, atol=1e-8
    )
    assert weigh_modes(weights, pooled).dtype == np.float32
