"""The kinds of performer, and the pitches that each can play. Imports nothing, so that anybody may list them."""

from __future__ import annotations

KINDS = ("strings", "keys", "drums", "air", "dance")
"""The kinds of performer. The order is that of `LABEL_NAMES` and of every seeded draw: never change it."""

MELODIC = ("strings", "keys", "air")
"""Kinds that play a melody: any of them can play another's notes, and their pitch is scored."""

DRUM_PIECES = ("kick", "snare", "hihat", "tom_high", "tom_low", "cymbal")
"""Names of a drum note's `pitch` 0..5."""

PITCH_RANGE = {"strings": (55.0, 84.0), "keys": (48.0, 84.0), "air": (50.0, 81.0), "dance": (40.0, 64.0)}
"""Lowest and highest MIDI pitch of each kind that has pitches; drums have none."""
