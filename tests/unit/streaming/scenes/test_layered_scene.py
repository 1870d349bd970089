"""A scene goes into arrays and comes out the same; arrays that do not fit are refused."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.scenes.layered_scene import (
    CELL,
    LayeredScene,
    SceneLayer,
    SceneMode,
    grid_of,
    modes_to_table,
    pack_scene,
    table_to_modes,
    unpack_scene,
)


def _scene() -> LayeredScene:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    ground_box, thing_box = (0, 0, 56, 40), (10, 4, 33, 30)
    ground = SceneLayer(
        "ground", ground_box, np.dstack([image, np.full((40, 56), 255, np.uint8)]), _fields(1, ground_box)
    )
    cover = rng.integers(0, 256, (26, 23, 4), dtype=np.uint8)
    thing = SceneLayer("thing", thing_box, cover, _fields(2, thing_box), (20.0, 29.0))
    modes = (
        SceneMode(0, "region", 1.0, 0.3, 0.01, (0.0, 0.0), (1.0, 0.0), 0.5),
        SceneMode(1, "swing", 1.5, 0.25, 0.03, (0.1, -0.2), (0.6, 0.8), 0.2),
        SceneMode(1, "stretch", 2.5, 0.25, 0.02, (0.1, -0.2), (0.0, -1.0), 0.2),
    )
    return LayeredScene(image, (ground, thing), modes)


def _fields(count: int, box: tuple[int, int, int, int]) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, *grid_of(box), 2)).astype(np.float32)


def test_a_scene_survives_its_arrays() -> None:
    scene = _scene()
    back = unpack_scene(scene.image, pack_scene(scene))
    assert [layer.kind for layer in back.layers] == ["ground", "thing"]
    for one, other in zip(scene.layers, back.layers, strict=True):
        assert one.box == other.box
        assert one.root == other.root
        assert np.array_equal(one.cover, other.cover)
        assert np.array_equal(one.fields, other.fields)
    assert [mode.name for mode in back.modes] == [mode.name for mode in scene.modes]
    assert np.allclose(modes_to_table(back.modes), modes_to_table(scene.modes))


def test_a_field_covers_its_whole_box() -> None:
    rows, columns = grid_of((10, 4, 33, 30))
    assert rows * CELL >= 26 > (rows - 1) * CELL
    assert columns * CELL >= 23 > (columns - 1) * CELL


@pytest.mark.parametrize(("column", "value"), [(1, 0.0), (2, 1.5), (9, 99.0), (3, np.nan)])
def test_a_mode_that_cannot_be_is_refused(column: int, value: float) -> None:
    table = modes_to_table(_scene().modes)
    table[1, column] = value
    with pytest.raises(ValueError, match="mode"):
        table_to_modes(table)


def test_arrays_that_do_not_fit_are_refused() -> None:
    scene = _scene()
    packed = pack_scene(scene)
    with pytest.raises(ValueError, match="no layer has"):
        unpack_scene(scene.image, packed._replace(fields=np.concatenate([packed.fields, packed.fields[:1]])))
    with pytest.raises(ValueError, match="outside the picture"):
        unpack_scene(scene.image[:20], packed)
    backwards = packed._replace(mode_table=packed.mode_table[::-1])
    with pytest.raises(ValueError, match=r"order of the layers|cannot reshape|no layer has"):
        unpack_scene(scene.image, backwards)
