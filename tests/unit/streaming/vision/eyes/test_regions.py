"""Regions: what is cut out lies where it is put back, turned, shrunk and beyond the frame's edge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streaming.vision.eyes.regions import Region, cut, map_back, place, shifted, turned, whole


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
@pytest.mark.parametrize("size", [60.0, 120.0, 500.0])
def test_a_dot_is_found_where_it_was_put(angle: float, size: float) -> None:
    frame = np.zeros((400, 640, 3), np.uint8)
    frame[190:200, 300:310] = 255
    picture = cut(frame, Region(320, 200, size, angle), 96)
    v, u = np.nonzero(picture[..., 0] > 64)
    weights = picture[v, u, 0].astype(np.float64)
    seen = np.array([[np.average(u, weights=weights), np.average(v, weights=weights)]], np.float32)
    np.testing.assert_allclose(place(seen, Region(320, 200, size, angle), 96), [[304.5, 194.5]], atol=size / 96)


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_a_regions_picture_lies_in_the_frame_where_it_was_cut(angle: float) -> None:
    frame = np.zeros((400, 640, 3), np.uint8)
    frame[180:220, 300:350] = 255
    region = Region(330, 190, 150, angle)
    picture = np.asarray(cut(frame, region, 128)[..., 0] / 255, np.float32)
    back = map_back(picture, region, frame.shape[:2])
    assert back.shape == (400, 640)
    assert ((back > 0.5) != (frame[..., 0] > 127)).sum() < 200
    assert back[:, :200].max() == 0.0


def test_a_turned_region_shows_its_vector_upright() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    frame[95:105, 150:160] = 255  # to the right of the middle
    picture = cut(frame, Region(100, 100, 160, turned(1, 0)), 80)
    v, u = np.nonzero(picture[..., 0])
    assert abs(u.mean() - 40) < 2
    assert v.mean() < 20


def test_beyond_the_frame_it_is_black() -> None:
    frame = np.full((100, 100, 3), 200, np.uint8)
    picture = cut(frame, Region(0, 50, 100), 50)
    assert picture[:, :24].max() == 0
    assert picture[2:48, 27:].min() == 200
    assert cut(frame, Region(-5000, 50, 1000), 50).max() == 0


def test_noise_is_averaged_where_a_large_region_is_shrunk() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    assert cut(frame, whole(frame), 100).std() < 0.2 * frame.std()


def test_a_shift_goes_along_the_regions_own_axes() -> None:
    up = shifted(Region(10, 20, 100, 0.0), 0, -0.5)
    assert (up.x, up.y) == pytest.approx((10, -30))
    right = shifted(Region(10, 20, 100, math.pi / 2), 0, -0.5)
    assert (right.x, right.y) == pytest.approx((60, 20))


@pytest.mark.parametrize(("vector", "angle"), [((0, -1), 0), ((1, 0), math.pi / 2), ((-1, 0), -math.pi / 2)])
def test_the_angle_of_a_vector(vector: tuple[float, float], angle: float) -> None:
    assert turned(*vector) == pytest.approx(angle)
