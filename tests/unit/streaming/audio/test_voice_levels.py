"""Corrections of voices: each pair its own, nothing without a table, never beyond the limit."""

from __future__ import annotations

import pytest

from streaming.audio.voice_levels import MOST_DB, VoiceLevels, level_gain

CONFIG = {"voice_names": ["drums", "keys"], "level_db": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]}


@pytest.mark.parametrize(
    ("kind", "voice", "gain_db"), [("drums", 0, 1.0), ("drums", 2, 3.0), ("keys", 1, 5.0), ("none", 0, 7.0)]
)
def test_every_player_and_voice_has_its_own(kind: str, voice: int, gain_db: float) -> None:
    assert VoiceLevels(CONFIG).gain_db(kind, voice) == gain_db


def test_without_a_table_that_fits_nothing_is_corrected() -> None:
    assert VoiceLevels({}).gain_db("keys", 3) == 0.0
    assert VoiceLevels(CONFIG | {"level_db": [1.0, 2.0]}).gain_db("keys", 1) == 0.0


def test_a_correction_is_a_factor_within_the_limit() -> None:
    assert level_gain(0.0) == 1.0
    assert level_gain(20.0) == pytest.approx(10.0 ** (MOST_DB / 20.0))
    assert level_gain(-6.0) == pytest.approx(0.501, abs=1e-3)
    assert level_gain(float("nan")) == 1.0
