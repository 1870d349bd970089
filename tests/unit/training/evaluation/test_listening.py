"""The page to listen to: every sound has a player, a file that gives it back, and a picture."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from performers.kinds import KINDS
from training.evaluation.listening import first_seeds, main, write_page
from training.synthesis.recordings import kind_of


def test_a_page_has_every_sound_and_its_picture(tmp_path: Path) -> None:
    time_s = np.arange(32_000) / 32_000
    tone = (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    page = write_page(tmp_path, {"keys": {"played": tone, "answer of `default`": 0.5 * tone}}, "a command")
    text = page.read_text()
    assert "a command" in text
    for number in range(2):
        assert f'src="listening/keys-{number}.mp3"' in text
        assert (tmp_path / "listening" / f"keys-{number}.jpg").stat().st_size > 500
    with av.open(str(tmp_path / "listening" / "keys-0.mp3")) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    heard = np.concatenate(frames, axis=1)[0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert abs(int(np.argmax(spectrum)) * 32_000 / heard.size - 440) < 3


def test_nobody_chooses_the_clips() -> None:
    seeds = first_seeds()
    assert list(seeds) == list(KINDS)
    for kind, seed in seeds.items():
        assert kind_of(seed) == kind
        assert seed - min(seeds.values()) < 2 * len(KINDS)


def test_an_unknown_bundle_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(tmp_path), "--bundles", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
