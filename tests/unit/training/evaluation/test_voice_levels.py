"""Levels are of all players of a kind together, for every voice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from training.evaluation.voice_levels import main, measure_levels
from training.synthesis.conventions import CLIP_KINDS
from training.synthesis.recordings import Clip


def clip(kind: str) -> Clip:
    half, single = np.zeros(0, np.float16), np.zeros(0, np.float32)
    return Clip(0, kind, half, half, half, single, half, single, single, single)


def test_each_kind_is_measured_in_each_voice() -> None:
    def answer(one: Clip, voice: str) -> NDArray[np.float32]:
        level = 0.1 if voice == "keys" else 0.05
        time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
        return (level * np.sin(2 * np.pi * 997 * time)).astype(np.float32)

    table = measure_levels([clip("air"), clip("drums"), clip("air")], answer)
    assert list(table) == ["drums", "air"]
    assert list(table["air"]) == list(CLIP_KINDS)
    loud, soft = table["air"]["keys"], table["air"]["drums"]
    assert abs(loud[0] - soft[0] - 6.02) < 0.1
    assert abs(loud[0] - (-23.05)) < 0.3, "a sine of 997 Hz at -20 dBFS peak is -23 LUFS (BS.1770)"
    assert abs(loud[1] + 20.0) < 0.1


def test_a_bundle_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bundle", "nowhere"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
