"""Scenes from messages: what was packed comes back, an image alone is a plain scene, what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streaming.scenes.layered_scene import MAX_MODES, pack_scene
from streaming.scenes.scene_message import read_scene
from streaming.schema.messages import Scene
from tests.scenes.hand_made import two_layer_scene

STILL = np.zeros((128, 128, 3), np.uint8)


def message() -> Scene:
    scene = two_layer_scene()
    return Scene(identity="x", image=scene.image, still=STILL, **pack_scene(scene)._asdict())


def test_what_was_packed_comes_back() -> None:
    scene, back = two_layer_scene(), read_scene(message())
    assert [layer.box for layer in back.layers] == [layer.box for layer in scene.layers]
    assert [mode.hz for mode in back.modes] == pytest.approx([mode.hz for mode in scene.modes])
    assert np.array_equal(back.layers[1].cover, scene.layers[1].cover)
    assert np.array_equal(back.image, scene.image)


def test_an_image_alone_is_a_plain_scene() -> None:
    image = np.full((64, 96, 3), 3, np.uint8)
    scene = read_scene(Scene(identity="x", image=image, still=STILL))
    assert [layer.kind for layer in scene.layers] == ["ground"]
    assert len(scene.modes) == 4
    assert np.array_equal(scene.image, image)


def swapped(bad: Scene) -> None:
    bad.boxes = bad.boxes[::-1].copy()
    bad.covers = np.concatenate([bad.covers[-(72 * 72) :], bad.covers[: -(72 * 72)]])


def without_modes(bad: Scene) -> None:
    bad.mode_table = np.zeros((0, 10), np.float32)
    bad.fields = bad.fields[:0]


def too_many_modes(bad: Scene) -> None:
    ground = bad.fields[: 48 * 32]
    bad.mode_table = np.concatenate([np.repeat(bad.mode_table[:1], MAX_MODES, 0), bad.mode_table[1:]])
    bad.fields = np.concatenate([*[ground] * MAX_MODES, bad.fields[48 * 32 :]])


def of_no_layer(bad: Scene) -> None:
    bad.mode_table[2, 0] = 7.0
    bad.fields = bad.fields[: 48 * 32 + 81]


def not_finite(bad: Scene) -> None:
    bad.fields[5, 0] = np.nan


def short_kinds(bad: Scene) -> None:
    bad.kinds = bad.kinds[:1]


@pytest.mark.parametrize("spoil", [swapped, without_modes, too_many_modes, of_no_layer, not_finite, short_kinds])
def test_a_scene_that_cannot_be_is_refused(spoil: Callable[[Scene], None]) -> None:
    bad = message()
    spoil(bad)
    with pytest.raises(ValueError, match=r"."):
        read_scene(bad)
