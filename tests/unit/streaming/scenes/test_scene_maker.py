"""A scene of a still has its things as layers, is the still at rest, and moves within what a scene may be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streaming.scenes.layered_scene import (
    MAX_LAYERS,
    MAX_MODES,
    LayeredScene,
    SceneLayer,
    modes_to_table,
    pack_scene,
    unpack_scene,
)
from streaming.scenes.making.people import FoundPerson
from streaming.scenes.scene_maker import make_scene
from tests.unit.streaming.scenes.making.pictures import disc_picture, grainy, post_picture, shared


def at_rest(scene: LayeredScene) -> np.ndarray:
    """All layers drawn where they are, as the renderer draws them."""
    out = np.zeros_like(scene.image).astype(np.int32)
    for layer in scene.layers:
        left, top, right, bottom = layer.box
        part, cover = out[top:bottom, left:right], layer.cover.astype(np.int32)
        part[:] = np.minimum(255, cover[..., :3] + (part * (255 - cover[..., 3:]) + 127) // 255)
    return out


def place_of(scene: LayeredScene, layer: SceneLayer) -> np.ndarray:
    """Where a layer is opaque, bool [H, W]."""
    found = np.zeros(scene.image.shape[:2], bool)
    left, top, right, bottom = layer.box
    found[top:bottom, left:right] = layer.cover[..., 3] > 127
    return found


def assert_is_sound(scene: LayeredScene) -> None:
    """What holds for every scene."""
    assert 1 <= len(scene.layers) <= MAX_LAYERS
    assert 1 <= len(scene.modes) <= MAX_MODES
    assert scene.layers[0].kind == "ground"
    assert (scene.layers[0].cover[..., 3] == 255).all()
    assert np.abs(at_rest(scene) - scene.image).max() <= 4
    back = unpack_scene(scene.image, pack_scene(scene))
    assert np.allclose(modes_to_table(back.modes), modes_to_table(scene.modes))
    for mode in scene.modes:
        assert 0.7 <= mode.hz <= 4.0
        assert 0.16 <= mode.damping <= 0.6
        assert 0.0 < mode.reach <= 0.06
        assert np.hypot(*mode.way) == pytest.approx(1.0, abs=1e-4)
    for layer in scene.layers:
        for field in layer.fields:
            assert np.linalg.norm(field, axis=-1).max() == pytest.approx(1.0, abs=1e-4)


def test_a_thing_before_a_ground_is_a_layer_and_is_gone_from_the_ground() -> None:
    image, truth = disc_picture()
    scene = make_scene(image)
    assert_is_sound(scene)
    assert [layer.kind for layer in scene.layers] == ["ground", "thing"]
    assert shared(place_of(scene, scene.layers[1]), truth) > 0.9
    ground = scene.layers[0].cover[..., :3]
    inside = cv2.erode(truth.astype(np.uint8), np.ones((9, 9))) > 0
    assert np.abs(ground[inside].astype(float).mean(0) - image[~truth].mean(0)).max() < 15
    assert {mode.layer for mode in scene.modes} == {0, 1}


def test_a_thing_moves_as_one_and_its_edge_parts_from_the_ground() -> None:
    image, truth = disc_picture()
    scene = make_scene(image)
    thing = scene.layers[1]
    left, top, _, _ = thing.box
    rows, columns = thing.fields.shape[1:3]
    y, x = np.mgrid[:rows, :columns] * 8 + 4
    inside = truth[np.minimum(y + top, 319), np.minimum(x + left, 479)]
    design = np.stack([x[inside], y[inside], np.ones(inside.sum())], 1)
    for field in thing.fields:
        values = field[inside]
        fit = design @ np.linalg.lstsq(design, values, rcond=None)[0]
        assert np.linalg.norm(values - fit) <= 0.15 * np.linalg.norm(values)
    rim = cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))) - truth
    at = np.argwhere(rim > 0) // 8
    thing_reach = max(mode.reach for mode in scene.modes if mode.layer == 1)
    moves = [(mode, scene.layers[0].fields[k]) for k, mode in enumerate(m for m in scene.modes if m.layer == 0)]
    for mode, field in moves:
        assert np.linalg.norm(field[at[:, 0], at[:, 1]], axis=-1).mean() * mode.reach < 0.3 * thing_reach


def test_a_thing_that_a_side_cuts_off_is_held_there() -> None:
    image, truth = post_picture()
    scene = make_scene(image)
    assert_is_sound(scene)
    (post,) = scene.layers[1:]
    assert shared(place_of(scene, post), truth) > 0.85
    assert post.root[1] > 300
    swing = post.fields[0]
    left, top, _, _ = post.box
    foot, head = swing[(312 - top) // 8, (230 - left) // 8], swing[(100 - top) // 8, (230 - left) // 8]
    assert np.linalg.norm(foot) < 0.1
    assert np.linalg.norm(head) > 0.8
    assert abs(head[0]) > abs(head[1])


def test_the_same_still_makes_the_same_scene() -> None:
    image, _ = disc_picture()
    one, other = pack_scene(make_scene(image)), pack_scene(make_scene(image))
    for name in one._fields:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_a_texture_has_no_cut_and_moves_as_a_ground() -> None:
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (320, 480, 3)), (0, 0), 4.0)
    image = np.clip(128 + 500 * noise, 0, 255).astype(np.uint8)
    scene = make_scene(image)
    assert_is_sound(scene)
    assert len(scene.layers) == 1
    assert len(scene.modes) == 8
    places = {(round(mode.place[0], 2), round(mode.place[1], 2)) for mode in scene.modes}
    assert len(places) >= 6, "each mode has a place of its own"


@pytest.mark.parametrize("shape", [(64, 96), (16, 16), (512, 1232), (1232, 512)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_of_any_shape_has_a_scene(shape: tuple[int, int], level: int) -> None:
    assert_is_sound(make_scene(np.full((*shape, 3), level, np.uint8)))


def test_a_caption_does_not_swing() -> None:
    image = grainy((140, 150, 150))
    image[40:110, 60:220] = (20, 20, 20)
    cv2.putText(image, "ANTIPHON", (66, 88), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (240, 240, 240), 2)
    assert len(make_scene(image).layers) == 1


def test_many_things_keep_within_what_a_scene_may_have() -> None:
    image = grainy((60, 60, 60))
    for number in range(24):
        middle = 45 + 75 * (number % 6), 45 + 75 * (number // 6)
        cv2.circle(image, middle, 24, (60, 200, 230), -1)
    scene = make_scene(image)
    assert_is_sound(scene)
    assert len(scene.layers) > 10


class OnePerson:
    """Finds the same person in every image."""

    def __init__(self, truth: np.ndarray) -> None:
        self._truth = truth

    def find(self, image: np.ndarray) -> list[FoundPerson]:
        points = np.zeros((33, 2))
        points[:11] = (230, 90)
        points[[7, 8]] = (245, 90), (215, 90)
        points[[11, 12]] = (255, 150), (205, 150)
        points[[13, 14, 15, 16]] = (265, 200), (195, 200), (275, 245), (185, 245)
        points[17:23] = points[[15, 16, 15, 16, 15, 16]]
        points[[23, 24]] = (245, 270), (215, 270)
        rough = cv2.GaussianBlur(self._truth.astype(np.float32), (0, 0), 3.0)
        return [FoundPerson(points, np.ones(33), rough, 0.99)]


def test_a_person_is_a_layer_with_a_rigid_head_and_arms() -> None:
    image = grainy((170, 175, 180))
    truth = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(truth, (230, 90), 28, 1, -1)
    cv2.rectangle(truth, (218, 110), (242, 140), 1, -1)
    cv2.rectangle(truth, (190, 130), (270, 319), 1, -1)
    image[truth > 0] = grainy((60, 60, 140), 1)[truth > 0]
    scene = make_scene(image, OnePerson(truth > 0))
    assert_is_sound(scene)
    assert [layer.kind for layer in scene.layers] == ["ground", "person"]
    person = scene.layers[1]
    names = [mode.name for mode in scene.modes if mode.layer == 1]
    assert names == ["sway", "bounce", "tilt", "nod", "arm_left", "arm_right"]
    assert shared(place_of(scene, person), truth > 0) > 0.9
    left, top, _, _ = person.box
    head = np.s_[(75 - top) // 8 : (106 - top) // 8, (216 - left) // 8 : (244 - left) // 8]
    for name, field in zip(names, person.fields, strict=True):
        part = field[head]
        if name in ("bounce", "nod"):
            assert np.ptp(part.reshape(-1, 2), axis=0).max() < 0.05, name
        elif name in ("sway", "tilt"):
            curl = np.diff(part[..., 1], axis=1).mean() - np.diff(part[..., 0], axis=0).mean()
            shear = np.abs(np.diff(part[..., 0], axis=1)).max() + np.abs(np.diff(part[..., 1], axis=0)).max()
            assert shear < 0.05 * abs(curl) + 0.02
        else:
            assert np.abs(part).max() < 0.02, name
    assert np.linalg.norm(person.fields[0][(316 - top) // 8, (230 - left) // 8]) < 0.05, "the border holds it"


def test_an_artists_mask_is_taken_as_it_is() -> None:
    image, _ = disc_picture()
    mask = np.zeros((160, 240), np.uint8)
    mask[20:60, 20:80], mask[50:100, 60:140] = 100, 200
    scene = make_scene(image, mask=mask)
    assert_is_sound(scene)
    back, front = scene.layers[1:]
    assert shared(place_of(scene, front), cv2.resize(mask, (480, 320), interpolation=cv2.INTER_NEAREST) == 200) > 0.95
    assert place_of(scene, back)[60, 60]
    assert not place_of(scene, back)[150, 200]
