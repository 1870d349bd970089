"""Things swing about what holds them, or turn, slide and swell about their middle; large ones slowly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streaming.scenes.making.modes.mode_draft import cell_cover, finish_mode, make_grid
from streaming.scenes.making.modes.thing_modes import make_thing_modes, measure_thing


def box_cover(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    cover = np.zeros((320, 480), np.float32)
    cover[top:bottom, left:right] = 1.0
    return cover


@pytest.mark.parametrize(
    ("box", "root", "way"),
    [
        ((200, 100, 250, 320), (224, 319), (0, -1)),
        ((0, 100, 220, 140), (0, 119), (1, 0)),
        ((300, 120, 480, 160), (479, 139), (-1, 0)),
        ((200, 0, 240, 150), (219, 0), (0, 1)),
    ],
)
def test_a_thing_is_held_at_the_side_that_cuts_it_off(
    box: tuple[int, int, int, int], root: tuple[int, int], way: tuple[int, int]
) -> None:
    shape = measure_thing(box_cover(*box))
    assert shape.is_held
    assert shape.root == pytest.approx(root, abs=4)
    assert shape.way == pytest.approx(way, abs=0.05)


def test_a_free_tall_thing_stands_on_its_foot_and_a_round_one_has_none() -> None:
    pole = measure_thing(box_cover(200, 60, 230, 260))
    assert pole.is_held
    assert pole.root[1] > 250
    cover = np.zeros((320, 480), np.float32)
    cv2.circle(cover, (240, 160), 50, 1.0, -1)
    disc = measure_thing(cover)
    assert not disc.is_held
    names = [mode.name for mode in make_thing_modes(disc, make_grid((0, 0, 480, 320)), 480, 6)]
    assert names == ["turn", "slide", "swell"]


def test_what_is_long_and_lies_stands_on_its_lower_side() -> None:
    shape = measure_thing(box_cover(120, 150, 380, 210))
    assert shape.way == pytest.approx((0, -1), abs=1e-6)
    assert shape.root == pytest.approx((250, 209), abs=3)


def test_small_things_are_faster_and_a_sturdy_one_does_not_wave() -> None:
    grid = make_grid((0, 0, 480, 320))
    large, small = measure_thing(box_cover(100, 40, 300, 320)), measure_thing(box_cover(100, 280, 120, 320))
    assert make_thing_modes(large, grid, 480, 6)[0].hz < make_thing_modes(small, grid, 480, 6)[0].hz
    sturdy = make_thing_modes(measure_thing(box_cover(200, 60, 240, 320)), grid, 480, 6)
    assert [mode.name for mode in sturdy] == ["swing", "stretch"]
    assert len(make_thing_modes(large, grid, 480, 1)) == 1


def test_a_curved_stalk_waves() -> None:
    cover = np.zeros((320, 480), np.float32)
    path = np.array([[240 + 40 * np.sin(t / 40), 320 - t] for t in range(260)], np.int32)
    cv2.polylines(cover, [path], False, 1.0, 6)
    names = [mode.name for mode in make_thing_modes(measure_thing(cover), make_grid((0, 0, 480, 320)), 480, 6)]
    assert names == ["swing", "stretch", "wave"]


def test_a_mode_is_described_where_it_moves_most() -> None:
    cover = box_cover(200, 100, 250, 320)
    box = (160, 60, 290, 320)
    grid, cells = make_grid(box), cell_cover(cover, box)
    swing = make_thing_modes(measure_thing(cover), grid, 480, 6)[0]
    finished = finish_mode(swing, 3, cells, grid, (480, 320))
    assert finished is not None
    mode, field = finished
    assert mode.layer == 3
    assert mode.place[1] == pytest.approx((104 - 160) / 480, abs=0.02)
    assert abs(mode.way[0]) > 0.99
    assert np.linalg.norm(field, axis=-1).max() == pytest.approx(1.0, abs=1e-5)
    assert 0.1 < mode.size < np.sqrt(50 * 220) / 480 + 0.01
    assert finish_mode(swing, 3, 0 * cells, grid, (480, 320)) is None
