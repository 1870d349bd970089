"""The motion of what is visible: modes move their layer only, in pixels of the reference screen."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.scenes.layered_scene import CELL, LayeredScene, SceneLayer, SceneMode, grid_of
from training.evaluation.reverse.measures.scene_motion import (
    displacements,
    jumps_after,
    moving_part,
    scene_field,
    speeds,
)

HEIGHT, WIDTH = 128, 192
BOX = (64, 32, 128, 96)


def scene() -> LayeredScene:
    """A square before a ground: the ground slides down, the square right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    layers, modes = [], []
    for number, (kind, box, way) in enumerate(
        (("ground", (0, 0, WIDTH, HEIGHT), (0.0, 1.0)), ("thing", BOX, (1.0, 0.0)))
    ):
        rows, columns = grid_of(box)
        cover = np.full((box[3] - box[1], box[2] - box[0], 4), 255, np.uint8)
        fields = np.broadcast_to(np.asarray(way, np.float32), (1, rows, columns, 2)).copy()
        layers.append(SceneLayer(kind, box, cover, fields))
        modes.append(SceneMode(number, "slide", 1.0, 0.3, 0.05, (0.0, 0.0), way, 0.3))
    return LayeredScene(image, tuple(layers), tuple(modes))


def test_each_point_moves_with_the_layer_that_is_seen_there() -> None:
    field = scene_field(scene(), 8)
    shift = displacements(field, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, -1.0]]))
    square = np.zeros(field.owner.shape, bool)
    square[BOX[1] // CELL : BOX[3] // CELL, BOX[0] // CELL : BOX[2] // CELL] = True
    assert (field.owner == square).all()
    assert not shift[0].any()
    assert np.allclose(shift[1][~square], (0.0, 0.05 * 768))
    assert not shift[1][square].any()
    assert np.allclose(shift[2][square], (-0.05 * 768, 0.0))


def test_speed_is_the_change_in_a_tick_and_the_moving_part_is_what_moves_most() -> None:
    field = scene_field(scene(), 8)
    swing = np.zeros((40, 2))
    swing[:, 1] = np.sin(np.arange(40) / 3.0)
    swing[:, 0] = 0.1 * swing[:, 1]
    shift = displacements(field, swing)
    assert (moving_part(shift) == (field.owner == 1)).all()
    assert speeds(shift)[0] == 0.0
    assert speeds(displacements(field, 2 * swing)).sum() == pytest.approx(2 * speeds(shift).sum(), rel=1e-4)
    assert moving_part(np.zeros_like(shift)).sum() == 0


def test_a_jump_is_counted_from_the_picture_before() -> None:
    field = scene_field(scene(), 8)
    course = np.zeros((30, 2))
    course[10:, 1], course[12:, 1] = 0.25, 0.5
    shift = displacements(field, course)
    jumps = jumps_after(shift, moving_part(shift), [10, 20, 29], 2)
    assert jumps[0] == pytest.approx([0.25 * 38.4, 0.25 * 38.4, 0.5 * 38.4], rel=1e-4)
    assert jumps[1] == pytest.approx([0.0, 0.0, 0.0])
    assert np.isnan(jumps[2, 1:]).all()
    assert not jumps_after(shift, np.zeros(field.owner.shape, bool), [10], 2).any()
