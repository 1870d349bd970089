"""The contact sheet of clips of hits."""

from __future__ import annotations

from pathlib import Path

import cv2

from training.evaluation.worlds.sheet import write_sheet
from training.synthesis.hits_corpus import HitsCorpus


def test_a_sheet_has_a_strip_for_each_clip(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", [1, 2, 3], HitsCorpus())
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (400, 1600, 3)
    assert (sheet[200:, 800:] == 255).all()
    assert sheet[:200, :800].std() > 5.0
