"""Rhythm: clicks and onsets move a loop that hears, and loudness alone does not pass for it."""

from __future__ import annotations

import numpy as np

from tests.scenes.reverse_stages import DeafStages, HearingStages, beats, picture
from training.evaluation.reverse.material import Piece
from training.evaluation.reverse.scores.rhythm import onsets_of, score_clicks, score_onsets


def test_a_click_moves_the_still_and_the_motion_ends() -> None:
    stages = HearingStages("none")
    figures = score_clicks(stages, [stages.scene(picture())])
    assert figures["click_displacement_px"] > 3.0 > figures["click_displacement_px_after_a_second"]
    assert figures["click_displacement_px"] > 1.5 * figures["click_displacement_px_elsewhere"]
    assert figures["click_displacement_px_next_tick"] > 0.0
    assert figures["click_displacement_px_input_zero"] == 0.0
    assert figures["click_displacement_px_least"] == figures["click_displacement_px"]


def test_onsets_are_met_where_they_are_heard() -> None:
    pieces = [beats(1, 8.0), beats(2, 8.0)]
    hearing, deaf = HearingStages("none"), DeafStages("none")
    met = score_onsets(hearing, [hearing.scene(picture())], pieces)
    missed = score_onsets(deaf, [deaf.scene(picture())], pieces)
    assert met["onset_motion_ratio"] > 1.2 * missed["onset_motion_ratio"]
    assert all(row["p"] < 0.05 for row in met["recordings"].values())
    assert all(row["onset_motion_ratio_input_zero"] is None for row in met["recordings"].values())
    assert set(met["onsets_enough"]) <= {"beats 1", "beats 2"}
    assert met["n_recordings"] == 2
    assert met["recordings"]["beats 1"]["n_onsets"] > 5


def test_a_quiet_recording_has_its_onsets() -> None:
    loud = beats(1)
    quiet = Piece("quiet", 0.003 * loud.sound)
    assert len(onsets_of(quiet)) == len(onsets_of(loud)) > 5


def test_a_piece_that_begins_with_a_note_has_an_onset_there() -> None:
    first = beats(1).sound
    begins = int(np.flatnonzero(np.abs(first) > 0.01)[0])
    onsets = onsets_of(Piece("cut", first[begins:]))
    assert onsets[0] < 0.02
    assert len(onsets) == len(onsets_of(Piece("whole", first)))
