"""What plays: the direction, the networks and how they run, for how long, from which seed."""

from __future__ import annotations

from engines.registry import RUNTIMES
from streaming.settings.option_rows.option import Option
from streaming.settings.setting import PLAYING

DIRECTIONS = ("both", "video-to-music", "music-to-video")
BACKENDS = ("auto", *RUNTIMES)

PLAYING_OPTIONS = (
    Option(
        name="direction",
        group=PLAYING,
        metavar="WHICH",
        words="music from what is seen, pictures from what is heard, or both at once",
        choices=DIRECTIONS,
    ),
    Option(
        name="bundle",
        group=PLAYING,
        metavar="NAME_OR_DIR",
        words="the trained networks to perform with: a shipped bundle's name, or a folder",
    ),
    Option(
        name="backend",
        group=PLAYING,
        metavar="NAME",
        words="what runs the networks; auto takes the fastest that was measured here",
        choices=BACKENDS,
    ),
    Option(
        name="duration",
        group=PLAYING,
        metavar="SECONDS",
        kind="seconds",
        words="how long to perform",
        range="seconds, more than 0",
        unset="until Ctrl-C or the end of the film that is played from",
        example="60",
    ),
    Option(
        name="seed",
        group=PLAYING,
        metavar="N",
        kind="seed",
        words="where chance starts: the same seed and the same input give the same performance",
        range="0 to 2^63 - 1",
    ),
    Option(
        name="config",
        group=PLAYING,
        metavar="FILE.toml",
        words="read settings from a file, see run_live.py config; options of the command line win",
        unset="no file",
        in_file=False,
    ),
)
