"""The evaluation's pages: every figure beside its controls, players that play, nothing from outside."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import numpy as np

from training.evaluation.forward_loop import Response, score
from training.evaluation.html_page import Page, bars, compare
from training.evaluation.latent import LatentPair, score_pairs
from training.evaluation.pages import forward_page, latent_page
from training.synthesis.recordings import TEST_SEED, kind_of, sound_of

ABOUT = {"seeds": [1, 2], "split": "held out", "command": "python -m training.evaluate forward --json <FILE>"}


def linked(page: Path) -> list[str]:
    return re.findall(r'src="([^"]+)"', page.read_text())


def test_a_figure_stands_beside_its_interval_and_controls(tmp_path: Path) -> None:
    page = Page(tmp_path / "p", "A <title>")
    page.scores(
        {"f1": 0.6123, "f1_interval": [0.55, 0.67], "f1_shuffled": 0.2, "f1_rule": 0.4, "n_clips": 7, "lag": None}
    )
    text = page.write().read_text()
    assert "<td>0.612</td><td>0.55 to 0.67</td><td>shuffled 0.2, rule 0.4</td>" in text
    assert "<td>n clips</td><td>7</td>" in text
    assert "A &lt;title&gt;" in text


def test_plots_and_sounds_are_files_beside_the_page(tmp_path: Path) -> None:
    tone = (0.5 * np.sin(np.arange(16_000) * 0.1)).astype(np.float32)
    page = Page(tmp_path, "t")
    page.plot(bars({"a": {"x": 1.0, "y": None}, "b": {"x": 2.0, "y": 3.0}}), "bars")
    page.plot(compare(tone, 0.5 * tone, np.array([0.1])), "sounds")
    page.sounds({"tone": tone})
    files = linked(page.write())
    assert [Path(name).suffix for name in files] == [".svg", ".png", ".wav"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in files)
    with wave.open(str(tmp_path / files[2])) as file:
        assert (file.getframerate(), file.getnframes()) == (32_000, 16_000)


def test_the_forward_page_has_clips_to_listen_to(tmp_path: Path) -> None:
    seeds = [TEST_SEED, TEST_SEED + 1]
    answers = [Response(str(s), kind_of(s), sound_of(s), sound_of(s), np.array([1.0]), np.array([1.1])) for s in seeds]
    page = forward_page(tmp_path, score(answers) | ABOUT, answers)
    assert len([name for name in linked(page) if name.endswith(".wav")]) == 4
    assert "&lt;FILE&gt;" in page.read_text()
    assert "http" not in re.sub(r'xmlns[^"]*"[^"]*"', "", page.read_text())


def test_the_latent_page_has_its_plots(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = [LatentPair("keys", x := rng.standard_normal((80, 8)), x, x[:, :1], x[:, :1]) for _ in range(4)]
    page = latent_page(tmp_path, score_pairs(pairs) | ABOUT, pairs)
    assert len(linked(page)) == 2
