"""Opens a user's film or sound file in FFmpeg, by a name that it cannot take for an address or a pattern."""

from __future__ import annotations

from typing import Any

import av
import av.error

from streaming.system.files import absolute

MediaError = (av.error.FFmpegError, OSError, ValueError)
"""What FFmpeg raises for a file that cannot be opened or decoded."""


def open_media(path: str) -> Any:
    """Open a file for decoding; gives an `av.container.InputContainer`.

    The path is made absolute, because FFmpeg takes `take:1.mp4` for an address, and patterns are off, because it takes
    `%d` in a picture's name for a series of files.

    Raises:
        FFmpegError, OSError, ValueError: see `MediaError`.
    """
    av.logging.set_level(None)
    return av.open(absolute(path), options={"pattern_type": "none"})
