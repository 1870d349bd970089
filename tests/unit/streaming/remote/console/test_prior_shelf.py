"""The shelf: images by name alone, nothing outside the folder, nothing that is no image."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from streaming.errors import UserError
from streaming.remote.console.prior_shelf import MOST_IMAGES, THUMBNAIL_SIDE, PriorShelf, clean_name

PNG = cv2.imencode(".png", np.full((300, 400, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture
def shelf(tmp_path: Path) -> PriorShelf:
    return PriorShelf(tmp_path / "priors")


def add(shelf: PriorShelf, data: bytes, name: str) -> str:
    handle, path = shelf.new_upload()
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    try:
        return shelf.admit(path, name)
    finally:
        assert not path.exists()


def test_an_image_is_kept_as_it_came_and_never_over_another(shelf: PriorShelf) -> None:
    assert shelf.names() == []
    assert add(shelf, PNG, "the sea.jpeg") == "the sea.png", "named by what it is"
    assert add(shelf, PNG, "the sea.png") != "the sea.png"
    assert len(shelf.names()) == 2
    assert Path(shelf.path_of("the sea.png")).read_bytes() == PNG
    assert shelf.name_of(shelf.path_of("the sea.png")) == "the sea.png"
    assert shelf.path_of("") == ""
    assert shelf.name_of("") == ""


def test_a_thumbnail_is_small(shelf: PriorShelf) -> None:
    name = add(shelf, PNG, "x.png")
    for one in (name, ""):
        image = cv2.imdecode(np.frombuffer(shelf.thumbnail(one), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert max(image.shape) == THUMBNAIL_SIDE
    assert shelf.thumbnail(name) is shelf.thumbnail(name), "made once"


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "..", "a/../../secret.png", "secret.png\0", "link.png"]
)
def test_nothing_outside_the_shelf_has_a_name(shelf: PriorShelf, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    add(shelf, PNG, "x.png")
    (shelf.folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UserError, match="is not on the shelf"):
        shelf.path_of(name)
    with pytest.raises(UserError, match="is not on the shelf"):
        shelf.thumbnail(name)
    assert shelf.name_of(str(tmp_path / "secret.png")) is None


def test_what_is_no_image_is_refused_and_leaves_nothing(shelf: PriorShelf) -> None:
    bomb = PNG[:16] + (60_000).to_bytes(4, "big") + (60_000).to_bytes(4, "big") + PNG[24:]
    for data in (b"", b"<html>", b"\x89PNG but not really", PNG[: len(PNG) // 2], bomb):
        with pytest.raises(UserError):
            add(shelf, data, "x.png")
    assert list(shelf.folder.iterdir()) == []


def test_a_name_is_made_harmless() -> None:
    assert clean_name("../../etc/passwd") == "passwd"
    assert clean_name("C:\\photos\\sea.JPG") == "sea"
    assert clean_name("<img src=x>.png") == "_img src_x_"
    assert clean_name(".hidden") == "hidden"
    assert clean_name("/") == "image"
    assert clean_name("Möwe über dem Meer.jpg") == "Möwe über dem Meer"
    assert len(clean_name("x" * 500 + ".png")) == 60


def test_the_shelf_is_bounded_and_masks_are_none(shelf: PriorShelf) -> None:
    shelf.folder.mkdir()
    for name in ("a.mask.png", ".hidden.png", "text.txt"):
        (shelf.folder / name).write_bytes(PNG)
    assert shelf.names() == []
    for number in range(MOST_IMAGES):
        (shelf.folder / f"{number}.png").write_bytes(PNG)
    with pytest.raises(UserError, match="images already"):
        shelf.new_upload()
