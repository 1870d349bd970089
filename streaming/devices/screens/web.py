"""The screen of `--screen web`: the console shows a picture on its page `/screen` as soon as this one says so."""

from __future__ import annotations

from streaming.devices.screens.device import Count, Note, NullScreen


class WebScreen(NullScreen):
    """Shows nothing itself: the stage's message that a picture is shown lets the console send it to browsers."""

    name = "the console's page /screen"


def open_page(argument: str, note: Note, count: Count) -> WebScreen:
    """The console's page, whose address the console says."""
    return WebScreen()
