"""A note as it is played: what composers give and sampled instruments take."""

from __future__ import annotations

from typing import NamedTuple


class PlayedNote(NamedTuple):
    """One note.

    Attributes:
        onset_s: its start in seconds.
        duration_s: how long it is held; struck things ring on by themselves.
        pitch: MIDI pitch (69 = 440 Hz), fractional where the voice glides; of drums a General MIDI percussion key.
            Of dance, below 48 a step, from 48 to 59 percussion of the hands, from 60 on a bell of that pitch.
        velocity: strength, 0 (inaudible) to 1 (as hard as possible).
    """

    onset_s: float
    duration_s: float
    pitch: float
    velocity: float
