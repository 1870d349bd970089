"""What each entry of the motion features of a frame is, and its range. Imports no library."""

from __future__ import annotations

from streaming.conventions import LARGEST_FEATURE

DIRECTIONS = ("down", "up", "left", "right")
NAMES = (
    *(f"loss_max_{direction}" for direction in DIRECTIONS),
    *(f"loss_sum_{direction}" for direction in DIRECTIONS),
    *(f"gain_max_{direction}" for direction in DIRECTIONS),
    *(f"speed_max_{direction}" for direction in DIRECTIONS),
    *(f"speed_sum_{direction}" for direction in DIRECTIONS),
    "speed_max",
    "speed_sum",
    "moving",
    "camera_speed",
    "scale",
    "activity",
)
"""The entries of a vector of features, in order; `MOTION_FEATURES` of them.

loss_max, gain_max, speed_max: largest loss and gain of velocity in a direction, and largest velocity in it, of any
cell, as multiples of the scale of the largest speed; losses and gains are held for a tick. loss_sum, speed_sum: means
over all cells, as multiples of the scale of the mean speed. speed_max, speed_sum without a direction: of the absolute
velocity. moving: how many cells move, as a multiple of how many usually do. camera_speed: the camera's own motion in
view sides per second, not scaled. scale: a quarter of log2 of the scale of the largest speed in sides per second.
activity: 1 while something moves, and exp(-t) after t seconds without motion. All are 0 to `LARGEST`, but for scale
(-1.5 to 1.5) and activity (0 to 1). At rest all are 0, but for scale.
"""
INDEX = {name: index for index, name in enumerate(NAMES)}
LARGEST = LARGEST_FEATURE
"""No feature is larger."""
