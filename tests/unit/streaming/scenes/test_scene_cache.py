"""Scenes are kept by content: the same still comes from the cache, damaged files are made again, few are kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from streaming.scenes import scene_maker
from streaming.scenes.layered_scene import LayeredScene, PackedScene, SceneLayer, SceneMode, grid_of, pack_scene
from streaming.scenes.scene_cache import CachedSceneMaker, SceneCache, cache_folder, scene_key

IMAGE = np.full((64, 96, 3), 90, np.uint8)


def plain(image: np.ndarray = IMAGE, level: float = 1.0) -> LayeredScene:
    box = (0, 0, image.shape[1], image.shape[0])
    cover = np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], -1)
    fields = np.full((1, *grid_of(box), 2), level, np.float32)
    return LayeredScene(
        image,
        (SceneLayer("ground", box, cover, fields),),
        (SceneMode(0, "region", 1.0, 0.3, 0.02, (0.0, 0.0), (1.0, 0.0), 0.4),),
    )


def assert_same(one: PackedScene, other: PackedScene | None) -> None:
    assert other is not None
    for name in PackedScene._fields:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_a_scene_comes_back_as_it_was(tmp_path: Path) -> None:
    cache, packed = SceneCache(tmp_path / "scenes"), pack_scene(plain())
    assert cache.read("one", IMAGE) is None
    cache.write("one", packed)
    assert_same(packed, cache.read("one", IMAGE))
    assert (tmp_path / "scenes").stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert [file.name for file in (tmp_path / "scenes").iterdir()] == ["one.npz"]


@pytest.mark.parametrize("harm", ["cut", "empty", "other"])
def test_a_damaged_file_is_as_none(tmp_path: Path, harm: str) -> None:
    cache = SceneCache(tmp_path)
    cache.write("one", pack_scene(plain()))
    file = tmp_path / "one.npz"
    if harm == "other":
        np.savez(file, kinds=np.array(["ground"]))
    else:
        file.write_bytes(b"" if harm == "empty" else file.read_bytes()[:700])
    assert cache.read("one", IMAGE) is None


def test_the_scene_of_another_size_is_not_taken(tmp_path: Path) -> None:
    cache = SceneCache(tmp_path)
    cache.write("one", pack_scene(plain()))
    assert cache.read("one", np.zeros((32, 32, 3), np.uint8)) is None


def test_what_was_used_longest_ago_is_removed(tmp_path: Path) -> None:
    cache = SceneCache(tmp_path, most=3)
    for number in range(3):
        cache.write(f"scene{number}", pack_scene(plain()))
        os.utime(tmp_path / f"scene{number}.npz", (1_000 + number, 1_000 + number))
    assert cache.read("scene0", IMAGE) is not None
    cache.write("scene3", pack_scene(plain()))
    assert sorted(file.stem for file in tmp_path.iterdir()) == ["scene0", "scene2", "scene3"]


def test_a_folder_that_cannot_be_made_costs_no_show(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = SceneCache(tmp_path / "file" / "scenes")
    cache.write("one", pack_scene(plain()))
    assert cache.read("one", IMAGE) is None


def test_the_maker_makes_a_still_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make(image: np.ndarray, people: object, mask: np.ndarray | None) -> LayeredScene:
        made.append(mask)
        return plain(image)

    monkeypatch.setattr(scene_maker, "make_scene", make)
    maker = CachedSceneMaker(SceneCache(tmp_path), sees_people=False)
    first = maker.make(IMAGE)
    assert_same(first, maker.make(IMAGE))
    assert len(made) == 1
    maker.make(IMAGE, np.ones((4, 4), np.uint8))
    maker.make(IMAGE + 1)
    assert len(made) == 3


def test_without_eyes_there_are_things_and_a_word_about_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_EYES", str(tmp_path / "none"))
    notes: list[str] = []
    packed = CachedSceneMaker(None, True, notes.append).make(IMAGE)
    assert packed.kinds == ["ground"]
    (line,) = notes
    assert "people" in line
    assert "export.eyes" in line


def test_a_key_depends_on_all_that_a_scene_depends_on() -> None:
    mask = np.ones((4, 4), np.uint8)
    keys = {
        scene_key(IMAGE, None, False),
        scene_key(IMAGE, None, True),
        scene_key(IMAGE, mask, True),
        scene_key(IMAGE, mask + 1, True),
        scene_key(IMAGE + 1, None, True),
    }
    assert len(keys) == 5
    assert scene_key(IMAGE.copy(), None, True) in keys


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTIPHON_SCENES", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ANTIPHON_SCENES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "antiphon" / "scenes"
