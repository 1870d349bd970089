"""What is seen and heard: the devices of a show, and what looks through the camera."""

from __future__ import annotations

from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.option_rows.option import Option
from streaming.settings.setting import DEVICES

EYES = ("auto", "mediapipe", "bundle")

DEVICES_OPTIONS = (
    Option(
        name="camera",
        group=DEVICES,
        metavar="SOURCE",
        words="what is watched",
        range=DEVICE_OPTIONS["camera"].usage(),
    ),
    Option(
        name="eyes",
        group=DEVICES,
        metavar="WHICH",
        words="what finds the player's body and hands: MediaPipe's networks, which make eyes fetches, or the "
        "bundle's own alone; auto takes MediaPipe's where they are here",
        choices=EYES,
    ),
    Option(
        name="microphone",
        group=DEVICES,
        metavar="SOURCE",
        words="what is heard; self is the music that is made",
        range=DEVICE_OPTIONS["microphone"].usage(),
    ),
    Option(
        name="speaker",
        group=DEVICES,
        metavar="SINK",
        words="where the music goes",
        range=DEVICE_OPTIONS["speaker"].usage(),
    ),
    Option(
        name="channels",
        group=DEVICES,
        metavar="LEFT,RIGHT",
        kind="channels",
        words="which channels of the sound device play the music, counted from 1; one number gets both sides",
        range="one or two numbers from 1 to 64",
        unset="the first two",
        example="3,4",
    ),
    Option(
        name="screen",
        group=DEVICES,
        metavar="SINK",
        words="where the pictures go; in a window F11, F or a double click fills the monitor, Escape goes back, Q "
        "ends the show",
        range=DEVICE_OPTIONS["screen"].usage(),
    ),
)
