"""`scene IMAGE` writes a page or a picture of what an image is cut into, and takes the mask beside it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from streaming.commands.scene_page import draw_layers, draw_mask, make_page
from streaming.commands.show_scene import show_scene
from streaming.errors import SourceError, UserError
from streaming.scenes.making.hand_mask import split_mask
from streaming.scenes.scene_maker import make_scene
from streaming.settings.options import parse
from tests.unit.streaming.scenes.making.pictures import disc_picture, shared


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_SCENES", str(tmp_path / "scenes"))
    monkeypatch.chdir(tmp_path)
    cv2.imwrite(str(tmp_path / "disc.png"), disc_picture()[0])


def test_the_page_says_what_was_found_and_how_to_correct_it(tmp_path: Path) -> None:
    lines: list[str] = []
    assert show_scene("disc.png", "", lines.append, sees_people=False) == 0
    page = (tmp_path / "disc.scene.html").read_text()
    assert "disc.mask.png" in page
    assert page.count("<figure>") == 5
    assert "turn, " in page
    (line,) = lines
    assert "1 things before the ground" in line
    assert "disc.scene.html" in line
    show_scene("disc.png", "", lines.append, sees_people=False)
    assert (tmp_path / "disc.scene-2.html").exists(), "an earlier page stays"


def test_a_picture_is_a_sheet_of_four(tmp_path: Path) -> None:
    show_scene("disc.png", "sheet.png", lambda line: None, sees_people=False)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * (512 + 26), 2 * 768, 3)
    show_scene("disc.png", "sheet.png", lambda line: None, sees_people=False)


def test_the_mask_of_what_was_found_can_be_given_back(tmp_path: Path) -> None:
    image, truth = disc_picture()
    scene = make_scene(image)
    (layer,) = split_mask(draw_mask(scene), (480, 320))
    assert shared(layer > 0.5, truth) > 0.9
    cv2.imwrite(str(tmp_path / "disc.mask.png"), np.zeros((40, 60), np.uint8))
    lines: list[str] = []
    show_scene("disc.png", "", lines.append, sees_people=False)
    assert "0 things" in lines[0]
    assert "as disc.mask.png says" in lines[0]


def test_the_layers_are_marked_where_they_are() -> None:
    image, truth = disc_picture()
    scene = make_scene(image)
    drawn = draw_layers(scene).astype(float)
    dark = np.abs(drawn - 0.5 * image).max(-1) > 20
    assert dark[truth].mean() > 0.9
    assert dark[~truth].mean() < 0.1
    assert "<script" not in make_page(scene, "<script>", "x.mask.png")


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be written"):
        show_scene("disc.png", str(tmp_path / "none" / "a.html"), lambda line: None, sees_people=False)


def test_the_command_line_of_it() -> None:
    command = parse(["scene", "disc.png", "--out", "a.html"])
    assert (command.name, command.target, command.out) == ("scene", "disc.png", "a.html")
    assert parse(["scene", "disc.png"]).out == ""
    for words, fault in (
        (["scene"], "IMAGE is missing"),
        (["scene", "none.png"], "no such file"),
        (["scene", "disc.png", "--out", "a.jpg"], "neither a page nor a picture"),
        (["scene", "disc.png", "--out", "none/a.png"], "folder does not exist"),
        (["scene", "disc.png", "--camera", "0"], "no option of scene"),
    ):
        with pytest.raises(UserError, match=fault):
            parse(words)
