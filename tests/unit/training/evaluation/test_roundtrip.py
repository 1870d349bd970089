"""A video through both loops: its frames at the ticks, its panels, its page, and that the video itself survives."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.films import write_film
from training.evaluate import main
from training.evaluation.roundtrip import FILM, PANEL, panel, pictures_at_ticks


def test_every_tick_has_the_newest_picture() -> None:
    seen = [(np.full((2, 2, 3), shade, np.uint8), at) for shade, at in ((1, 0.0), (2, 0.05), (3, 0.1))]
    assert [int(image[0, 0, 0]) for image in pictures_at_ticks(seen, 5)] == [1, 1, 2, 3, 3]


@pytest.mark.parametrize("shape", [(480, 640), (640, 360), (100, 1000)])
def test_a_panel_holds_any_picture_whole(shape: tuple[int, int]) -> None:
    out = panel(np.full((*shape, 3), 200, np.uint8), "")
    assert out.shape == (PANEL[1], PANEL[0], 3)
    rows, columns = np.nonzero(out[..., 0] > 100)
    high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert wide / high == pytest.approx(shape[1] / shape[0], rel=0.05)


def test_the_page_has_the_film_and_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = write_film(tmp_path / "clip.mp4", (0.4, 1.2), seconds=2.2, codec="libx264")
    out = tmp_path / "page"
    assert main(["roundtrip", str(video), "--out", str(out), "--seconds", "1"]) == 0
    assert capsys.readouterr().out == f"page: {out / 'index.html'}\n"
    text = (out / "index.html").read_text()
    assert all(word in text for word in ("flow error", "energy correlation", "psnr db", FILM))
    with av.open(str(out / FILM)) as film:
        assert film.streams.video[0].width == 2 * PANEL[0]
        assert sum(1 for _ in film.decode(video=0)) == 25


def test_the_video_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = write_film(tmp_path / FILM, (0.4,), seconds=2.2, codec="libx264")
    before = video.read_bytes()
    assert main(["roundtrip", str(video), "--out", str(tmp_path)]) == 2
    assert "written over the video" in capsys.readouterr().err
    assert video.read_bytes() == before


def test_what_is_no_video_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roundtrip", str(tmp_path / "missing.mp4"), "--out", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
