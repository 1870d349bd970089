"""Gains make instruments alike: after the calibration each has the wanted loudness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.synthesis.sampled import calibration
from training.synthesis.sampled.gains import GAIN_DB
from training.synthesis.sampled.programs import DANCE, VOICES
from training.synthesis.sampled.soundfont import open_soundfont


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "PHRASES", 4)
    monkeypatch.setattr(calibration, "PHRASE_S", 5.0)


def test_every_instrument_has_a_gain() -> None:
    names = {one.name for programs in VOICES.values() for one in programs} | {one.name for one in DANCE}
    assert names | {one.bells.name for one in DANCE} == set(GAIN_DB)


def test_loudness_is_that_of_the_standard() -> None:
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    sine = np.sin(2.0 * np.pi * 997.0 * time)
    assert calibration.loudness_lufs(sine) == pytest.approx(-3.01, abs=0.1)
    assert calibration.loudness_lufs(np.concatenate([0.1 * sine, 0.0 * sine])) == pytest.approx(-23.01, abs=0.3)


@pytest.mark.usefixtures("short")
def test_calibrated_instruments_have_the_wanted_loudness(tmp_path: Path) -> None:
    font = open_soundfont(write_soundfont(tmp_path / "a.sf2", [(0, 0), (0, 40)]))
    found = calibration.calibrate(font)
    assert set(found) == {"grand piano", "violin"}
    for voice, program in calibration.instruments(font):
        loudness, peak = calibration.measure(font, program, voice, found)
        assert loudness == pytest.approx(calibration.LOUDNESS_LUFS, abs=0.8)
        assert peak <= -0.99


def test_the_table_is_python_again() -> None:
    space: dict[str, object] = {}
    exec(calibration.source_of({"violin": 1.5, "cello": -2.0}), space)
    assert space["GAIN_DB"] == {"violin": 1.5, "cello": -2.0}


def test_a_missing_soundfont_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibration.main(["--soundfont", str(tmp_path / "none.sf2")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("short")
def test_levels_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_soundfont(tmp_path / "a.sf2", [(0, 0)])
    assert calibration.main(["--soundfont", str(path)]) == 0
    assert capsys.readouterr().out.startswith("keys     grand piano")
