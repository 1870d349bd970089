"""The sheet: a row of five pictures for each still, layers in colours, and a film of the stills in turn."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.scenes.reverse_stages import BOX, HearingStages, beats, layered, picture
from training.evaluation.reverse import sheet
from training.evaluation.reverse.material import ScoredStill
from training.evaluation.reverse.sheet import draw_sheet, layers_picture, main, sheet_row, write_film


def test_layers_are_coloured_and_the_ground_is_grey() -> None:
    shown = layers_picture(layered(picture())).astype(int)
    spread = shown.max(-1) - shown.min(-1)
    assert spread[BOX[1] + 8 : BOX[3] - 8, BOX[0] + 8 : BOX[2] - 8].min() > 60
    assert spread[BOX[3] + 12 :, BOX[2] + 12 :].max() == 0


def test_a_row_shows_the_still_at_rest_and_moved() -> None:
    stages = HearingStages("none")
    still, _, rest, click, loud = sheet_row(stages, stages.scene(picture()), beats(1).sound)
    assert np.array_equal(still, rest)
    assert not np.array_equal(still, click)
    assert not np.array_equal(still, loud)


def test_the_sheet_has_a_row_for_each_still_and_the_film_all_ticks(tmp_path: Path) -> None:
    stages = HearingStages("none")
    stills = [ScoredStill("a", picture(1)), ScoredStill("b", picture(2))]
    image = draw_sheet(stages, stills, beats(1).sound)
    assert image.shape[0] % 2 == 0
    assert image.shape[1] > 2 * image.shape[0]
    film = tmp_path / "film.mp4"
    write_film(film, stages, stills, beats(1).sound, seconds=2.0)
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 50
    assert frames[0].shape == (512, 768, 3)
    assert np.abs(frames[10].astype(int) - frames[40]).mean() > 5.0


def test_the_command_writes_the_sheet_of_the_stills_that_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sheet, "ReverseStages", HearingStages)
    for name in ("one", "two"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture())
    arguments = ["--stills", str(tmp_path), "--out", str(tmp_path / "out" / "sheet.png"), "--only", "two"]
    assert main(arguments) == 2
    assert "cannot be written" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    assert main(arguments) == 0
    assert cv2.imread(str(tmp_path / "out" / "sheet.png")) is not None
    assert main([*arguments[:-1], "three"]) == 2
    assert "no still has such a name" in capsys.readouterr().err
