"""What each entry of a gesture is, and its range. Imports no library."""

from __future__ import annotations

GESTURE_NAMES = ("strike_first", "strike_second", "level", "activity", "height", "height_known", "by_gesture")
"""The entries of a gesture, in order; `streaming.conventions.GESTURE` of them, each 0 to 1.

strike_first, strike_second: how hard something strikes in the first and in the second token frame of the tick; 0 for no
strike. level: how loud the motion asks the sound to be, 0 for -60 dB and 1 for full scale. activity: 1 while something
moves, and exp(-t) after t seconds without motion. height: how high the higher hand is, 0 at the hips and 1 above the
head. height_known: 1 where there is a hand. by_gesture: 1 where the gesture is to be played and not the video latent;
then the network does not see the latent at all.
"""
GESTURE_INDEX = {name: index for index, name in enumerate(GESTURE_NAMES)}
LEVEL_SPAN_DB = 60.0
"""A level of 0 stands for so many dB below full scale."""
