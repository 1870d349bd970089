"""The contact sheet: its moments are those at which something sounds, and its cells hold pictures whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.evaluation import contact_sheet


def test_the_moments_follow_the_loudest_of_each_part() -> None:
    sound = np.zeros(100 * 1280, np.float32)
    for tick in (3, 30, 50, 70, 95):
        sound[tick * 1280 : (tick + 1) * 1280] = 0.5
    assert contact_sheet.moments_of(sound, 5) == [11, 38, 58, 78, 99]


@pytest.mark.parametrize("shape", [(100, 1000), (500, 200), (600, 800)])
def test_a_cell_holds_any_picture_whole(shape: tuple[int, int]) -> None:
    out = contact_sheet.fit_cell(np.zeros((*shape, 3), np.uint8))
    assert out.shape == (contact_sheet.HEIGHT + contact_sheet.GAP, contact_sheet.WIDTH + contact_sheet.GAP, 3)
    rows, columns = np.nonzero(out[..., 0] == 0)
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(shape[1] / shape[0], rel=0.05)


def test_what_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert contact_sheet.main([str(tmp_path / "none.wav"), "--out", str(tmp_path / "x.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
