"""The drawing of layers: the still itself at rest, things where their modes move them, crisp, nothing else touched."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streaming.painting.layer_renderer import LayerRenderer
from streaming.scenes.layered_scene import CELL, LayeredScene, SceneLayer, grid_of
from tests.scenes.hand_made import REACH, mode_of, two_layer_scene, uniform_field


def disc(image: np.ndarray) -> np.ndarray:
    """The middle of the bright disc: x, y."""
    rows, columns = np.nonzero(image.min(-1) > 200)
    return np.array([columns.mean(), rows.mean()])


def detail(image: np.ndarray) -> float:
    """How sharp a picture is: the energy of its Laplacian."""
    return float((cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.CV_64F)[8:-8, 8:-8] ** 2).mean())


def test_at_rest_it_is_the_still_itself() -> None:
    scene = two_layer_scene()
    renderer = LayerRenderer(scene)
    assert renderer.render(np.zeros(3)) is scene.image
    assert renderer.render(np.full(3, 1e-5)) is scene.image, "less than can be seen"
    renderer.render(np.array([0.5, 0.5, -0.5]))
    assert renderer.render(np.zeros(3)) is scene.image
    assert np.array_equal(scene.image, two_layer_scene().image)


@pytest.mark.parametrize("size", [(384, 256), (256, 384), (387, 251)])
@pytest.mark.parametrize("way", [(1.0, 0.0), (0.0, 1.0), (-0.7, 0.4)])
def test_a_thing_goes_where_its_modes_move_it(size: tuple[int, int], way: tuple[float, float]) -> None:
    scene = two_layer_scene(size)
    moved = LayerRenderer(scene).render(np.array([0.0, *way]))
    np.testing.assert_allclose(disc(moved) - disc(scene.image), np.array(way) * REACH * max(size), atol=0.3)


def test_it_moves_far_beyond_its_box_and_leaves_nothing_behind() -> None:
    scene = two_layer_scene(radius=12)
    far = replace(scene, modes=tuple(replace(mode, reach=4.0 * mode.reach) for mode in scene.modes))
    moved = LayerRenderer(far).render(np.array([0.0, 1.0, 0.0]))
    shift = 4.0 * REACH * 384
    assert shift > 2 * 12 + 12, "beyond its box"
    np.testing.assert_allclose(disc(moved) - disc(scene.image), [shift, 0.0], atol=0.3)
    behind = scene.layers[0].cover[..., :3]
    left, top, right, bottom = scene.layers[1].box
    assert np.array_equal(moved[top:bottom, left:right], behind[top:bottom, left:right])


def test_what_does_not_move_is_the_still_to_the_byte() -> None:
    scene = two_layer_scene()
    moved = LayerRenderer(scene).render(np.array([0.0, 1.0, 0.0]))
    assert not np.array_equal(moved, scene.image)
    assert np.array_equal(moved[:80], scene.image[:80])
    assert np.array_equal(moved[:, :140], scene.image[:, :140])


def test_the_ground_moves_beneath_what_rests() -> None:
    scene = two_layer_scene()
    moved = LayerRenderer(scene).render(np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(disc(moved), disc(scene.image), atol=0.05)
    shift = 0.02 * 384
    want = cv2.warpAffine(
        np.ascontiguousarray(scene.layers[0].cover[..., :3]),
        np.array([[1, 0, shift], [0, 1, 0]], np.float32),
        (384, 256),
    )
    assert np.abs(moved[10:80, 20:-20].astype(int) - want[10:80, 20:-20]).max() <= 6


def test_half_a_pixel_of_motion_costs_little_sharpness() -> None:
    rng = np.random.default_rng(4)
    image = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (256, 384, 3), dtype=np.uint8), (0, 0), 0.9), np.uint8)
    whole = (0, 0, 384, 256)
    cover = np.dstack([image, np.full((256, 384), 255, np.uint8)])
    scene = LayeredScene(
        image, (SceneLayer("ground", whole, cover, uniform_field(whole, 0.6, 0.8)[None]),), (mode_of(reach=1 / 384),)
    )
    renderer = LayerRenderer(scene)
    kept = [detail(renderer.render(np.array([amount]))) / detail(image) for amount in (0.3, 0.5, 0.83)]
    plain = cv2.warpAffine(image, np.array([[1, 0, 0.5], [0, 1, 0.4]], np.float32), (384, 256), flags=cv2.INTER_LINEAR)
    assert min(kept) > 0.7
    assert detail(plain) / detail(image) < 0.5, "what a linear look-up in the image itself leaves"


def test_the_inverse_of_a_bent_field_is_found() -> None:
    """A dot at a place is drawn where the field says that this place goes."""
    image = np.zeros((256, 256, 3), np.uint8)
    dots = [(60, 60), (128, 100), (190, 200)]
    for dot in dots:
        cv2.circle(image, dot, 5, (255, 255, 255), -1, cv2.LINE_AA)
    whole = (0, 0, 256, 256)
    rows, columns = grid_of(whole)
    y, x = np.mgrid[0:rows, 0:columns] / rows
    field = np.stack([np.sin(3.0 * y), np.cos(2.0 * x)], -1).astype(np.float32)
    cover = np.dstack([image, np.full((256, 256), 255, np.uint8)])
    scene = LayeredScene(image, (SceneLayer("ground", whole, cover, field[None]),), (mode_of(reach=14 / 256),))
    moved = LayerRenderer(scene).render(np.ones(1))
    for dot_x, dot_y in dots:
        row, column = (dot_y + 0.5) / CELL - 0.5, (dot_x + 0.5) / CELL - 0.5
        went = (
            cv2.remap(field, np.array([[column]], np.float32), np.array([[row]], np.float32), cv2.INTER_LINEAR)[0, 0]
            * 14.0
        )
        near = np.zeros((256, 256), np.uint8)
        cv2.circle(near, (round(dot_x + went[0]), round(dot_y + went[1])), 12, 255, -1)
        weights = moved[..., 0] * (near > 0) / 255.0
        found = np.array([(weights * np.arange(256)).sum(), (weights * np.arange(256)[:, None]).sum()]) / weights.sum()
        np.testing.assert_allclose(found, np.array([dot_x, dot_y]) + went, atol=0.4)


def test_a_soft_edge_is_laid_over_what_is_there() -> None:
    scene = two_layer_scene()
    moved = LayerRenderer(scene).render(np.array([0.0, 0.4, 0.0])).astype(int)
    shift = 0.4 * REACH * 384
    assert abs(shift - round(shift)) < 0.35
    behind = scene.layers[0].cover[..., :3].astype(int)
    low, high = np.minimum(behind, 250) - 3, np.maximum(behind, 250) + 3
    assert ((moved >= low) & (moved <= high)).all(), "neither darker nor brighter than both"


def test_amplitudes_of_another_scene_are_refused() -> None:
    with pytest.raises(ValueError, match="3 amplitudes"):
        LayerRenderer(two_layer_scene()).render(np.zeros(4))


def test_a_mode_that_moves_nothing_visible_is_rest() -> None:
    scene = two_layer_scene()
    empty = replace(scene.layers[1], cover=np.zeros_like(scene.layers[1].cover))
    renderer = LayerRenderer(replace(scene, layers=(scene.layers[0], empty)))
    assert renderer.render(np.array([0.0, 1.0, 1.0])) is scene.image


def test_its_reach_is_the_longest_mode_s() -> None:
    renderer = LayerRenderer(two_layer_scene())
    assert renderer.reach(np.array([1.0, 0.2, 0.0])) == pytest.approx(0.02)
    assert renderer.reach(np.array([0.0, 0.2, -1.0])) == pytest.approx(REACH)


@pytest.mark.parametrize("way", [(1.0, 0.0), (0.0, 1.0), (-0.7, 0.4)])
@pytest.mark.parametrize("size", [(384, 256), (387, 251)])
def test_drawn_coarsely_things_are_where_they_were_and_less_sharp(
    size: tuple[int, int], way: tuple[float, float]
) -> None:
    scene = two_layer_scene(size)
    renderer, amplitudes = LayerRenderer(scene), np.array([0.3, *way])
    fine, coarse = renderer.render(amplitudes), renderer.render(amplitudes, coarse=True)
    assert coarse.shape == fine.shape
    np.testing.assert_allclose(disc(coarse), disc(fine), atol=0.5)
    assert detail(coarse) < detail(fine)
    assert np.array_equal(renderer.render(amplitudes), fine)
    assert renderer.render(np.zeros(3), coarse=True) is scene.image
