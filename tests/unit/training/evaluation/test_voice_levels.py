"""Levels are of all players of a kind together, for every voice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.audio.voice_levels import MOST_DB
from streaming.conventions import SAMPLE_RATE
from training.evaluation.voice_levels import UNKNOWN, corrections, main, measure_levels, write_corrections
from training.synthesis.conventions import CLIP_KINDS
from training.synthesis.recordings import Clip


def clip(kind: str) -> Clip:
    half, single = np.zeros(0, np.float16), np.zeros(0, np.float32)
    return Clip(0, kind, half, half, half, single, half, single, single, np.zeros(0, np.int8), single)


def test_each_kind_is_measured_in_each_voice() -> None:
    def answer(one: Clip, voice: str, by_gestures: bool) -> NDArray[np.float32]:
        level = (0.1 if voice == "keys" else 0.05) * (0.5 if by_gestures else 1.0)
        time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
        return (level * np.sin(2 * np.pi * 997 * time)).astype(np.float32)

    table = measure_levels([clip("air"), clip("drums"), clip("air")], answer)
    assert list(table) == ["drums", "air", UNKNOWN]
    assert list(table["air"]) == ["auto", *CLIP_KINDS]
    assert abs(table["air"]["keys"][0] - table[UNKNOWN]["keys"][0] - 6.02) < 0.1
    loud, soft = table["air"]["keys"], table["air"]["drums"]
    assert abs(loud[0] - soft[0] - 6.02) < 0.1
    assert abs(loud[0] - (-23.05)) < 0.3, "a sine of 997 Hz at -20 dBFS peak is -23 LUFS (BS.1770)"
    assert abs(loud[1] + 20.0) < 0.1


def test_a_bundle_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", "nowhere"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_corrections_bring_each_pair_to_the_wanted_level_and_add_up() -> None:
    table = {"drums": {"auto": (-20.0, 0.0), "drums": (-16.0, 0.0)}, UNKNOWN: {"auto": (-60.0, 0.0)}}
    first = corrections(table, ["drums"], ())
    assert first == [2.0, -2.0, MOST_DB, 0.0]
    again = corrections({"drums": {"auto": (-17.0, 0.0)}}, ["drums"], first)
    assert again == [1.0, -2.0, MOST_DB, 0.0]


def test_corrections_are_written_into_the_manifest(tmp_path: Path) -> None:
    config = {"voice_names": ["drums"], "dim": 8}
    manifest = {"networks": {"translator": {"config": config, "sha256": "x"}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_corrections(tmp_path, {"drums": {"auto": (-20.0, 0.0)}})
    entry = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["networks"]["translator"]
    assert entry == {"config": config | {"level_db": [2.0, 0.0, 0.0, 0.0]}, "sha256": "x"}
