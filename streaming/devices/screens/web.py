"""A page that shows the newest picture in any browser: motion JPEG from a server on this machine only."""

from __future__ import annotations

from streaming.devices.screens.device import Count, Image, Note, NullScreen
from streaming.devices.screens.picture_server import PictureServer
from streaming.errors import SourceError

DEFAULT_PORT, LAST_PORT = 8025, 65_535


class WebScreen(NullScreen):
    """A page on this machine that any browser shows, full screen if it likes.

    Args:
        port: of 127.0.0.1; 0 for any.

    Raises:
        UserError: when the port is taken.
    """

    def __init__(self, port: int = DEFAULT_PORT) -> None:
        self._server = PictureServer(port)
        self.name = self._server.url

    def show(self, tick: int, picture: Image) -> None:
        """Offer it to the browsers."""
        self._server.offer(picture)

    def close(self) -> None:
        """End the page."""
        self._server.close()


def open_page(port: str, note: Note, count: Count) -> WebScreen:
    """A page for browsers, on a port of this machine.

    Raises:
        UserError: when the port cannot be opened.
    """
    number = int(port) if port else DEFAULT_PORT
    if number > LAST_PORT:
        raise SourceError(f"has no such port; the last one is {LAST_PORT}", f"--screen web:{port}", "choose another")
    screen = WebScreen(number)
    note(f"the picture is at {screen.name}")
    return screen
