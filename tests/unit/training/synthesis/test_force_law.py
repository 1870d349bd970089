"""The law of forces: low moves large, high small; strikes kick and held tones bow; melodies turn; recordings count."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SOUND_BANDS
from streaming.scenes.layered_scene import MODE_NAMES, SceneMode
from training.synthesis.force_law import RESPONSES, MusicPart, draw_modes, forces_of, notes_of_bands, register_of_mode
from training.synthesis.sampled.played_note import PlayedNote

LARGE = SceneMode(1, "swing", 0.9, 0.3, 0.02, (0.0, 0.0), (0.0, -1.0), 0.45)
SMALL = SceneMode(1, "swing", 3.8, 0.3, 0.02, (0.0, 0.0), (0.0, -1.0), 0.06)
TURN = SceneMode(1, "turn", 1.7, 0.3, 0.02, (0.0, 0.0), (0.0, -1.0), 0.2)


def test_every_mode_has_its_part() -> None:
    assert set(RESPONSES) == set(MODE_NAMES)
    assert all(max(response) > 0.0 for response in RESPONSES.values())


def test_low_notes_move_what_is_large_and_high_ones_what_is_small() -> None:
    assert register_of_mode(LARGE) < 0.3
    assert register_of_mode(SMALL) > 0.7
    for pitch, more, less in ((40.0, 0, 1), (84.0, 1, 0)):
        kick = forces_of([MusicPart("keys", [PlayedNote(1.0, 0.5, pitch, 1.0)])], [LARGE, SMALL], 50).kick
        assert kick[25, more] > 5.0 * kick[25, less]
        assert kick[25, more] == pytest.approx(kick.sum(0)[more])


def test_what_is_struck_kicks_more_and_what_is_held_bows_as_long_as_it_sounds() -> None:
    note = PlayedNote(0.4, 1.0, 60.0, 1.0)
    mode = SceneMode(1, "swing", 1.7, 0.3, 0.02, (0.0, 0.0), (1.0, 0.0), 0.2)
    struck, held = (forces_of([MusicPart(voice, [note])], [mode], 75) for voice in ("keys", "strings"))
    assert struck.kick.max() > 1.5 * held.kick.max()
    assert held.bow[30, 0] > 3.0 * struck.bow[30, 0]
    assert held.bow[10:34, 0].min() > 0.0
    assert not held.bow[40:].any()
    assert not held.push[40:].any()


def test_a_melody_turns_what_turns_by_its_height() -> None:
    notes = [PlayedNote(0.5 * n, 0.5, pitch, 0.8) for n, pitch in enumerate((60.0, 67.0, 53.0))]
    push = forces_of([MusicPart("strings", notes)], [TURN], 40).push[:, 0]
    assert push[15] > 0.1
    assert push[28] < -0.05


def test_forces_stay_bounded_however_many_notes() -> None:
    notes = [PlayedNote(0.01 * n, 1.0, 40.0, 1.0) for n in range(100)]
    forces = forces_of([MusicPart("strings", notes)] * 3, [LARGE], 50)
    assert forces.push.max() <= 1.2
    assert forces.kick.max() <= 2.0
    assert forces.bow.max() <= 0.2


def test_attacks_of_a_recording_count_as_notes() -> None:
    bands = np.zeros((50, 2, SOUND_BANDS), np.float32)
    bands[20:30, 0, 2], bands[20, 1, 2] = 0.8, 0.7
    (note,) = notes_of_bands(bands)
    assert int((note.onset_s + 0.01) * 25) == 20
    assert note.duration_s == pytest.approx(0.4)
    assert note.velocity == 1.0
    assert not notes_of_bands(np.zeros((50, 2, SOUND_BANDS), np.float32))


def test_drawn_modes_are_of_all_kinds_and_repeat() -> None:
    modes = draw_modes(np.random.default_rng(0), 300)
    assert len(modes) == 300
    assert {mode.name for mode in modes} == set(MODE_NAMES)
    assert modes == draw_modes(np.random.default_rng(0), 300)
    assert all(np.hypot(*mode.way) == pytest.approx(1.0) for mode in modes)
