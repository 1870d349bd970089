"""The stage of the web console: browsers see the show and set its controls."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from streaming.conventions import TICK_NS
from streaming.errors import UserError
from streaming.remote.control_desk import ControlDesk
from streaming.schema.device_kinds import WEB
from streaming.schema.messages import Message
from streaming.schema.processes import PROCESSES
from streaming.settings.controls import Value
from streaming.settings.network_place import is_loopback, page_address, read_place
from streaming.settings.validation import voices
from streaming.stage import Context, Inputs
from streaming.system.user_folders import config_folder, data_folder
from streaming.transport.bus import ControlLink

if TYPE_CHECKING:
    from streaming.remote.console.web_server import ConsoleServer

ACTIVE_NS, IDLE_NS = TICK_NS, 1_000_000_000
"""The supervisor's replies are read this often while a browser is connected, and while none is."""
INPUTS = frozenset(PROCESSES["console"].inputs)


class ConsoleStage:
    """Serves a page that shows the show, and sends what is wished there to the supervisor.

    A request goes the way that `run_live.py set` goes, so it is checked, reported and remembered in the same way. While
    no browser is connected the stage reads no topic.

    Args:
        link: opens the control link that requests go by; see `transport.bus.ControlLink`.
    """

    def __init__(self, link: Callable[..., ControlLink] = ControlLink) -> None:
        self._open_link = link
        self._requests: ControlDesk | None = None
        self._server: ConsoleServer | None = None
        self._wake_ns: int | None = None
        self._hello: dict[str, Any] = {}

    def setup(self, context: Context) -> None:
        """Listen, and reach the supervisor; without its port the show goes on without a console.

        Raises:
            UserError: when it cannot listen and the screen is a page of it.
        """
        self._context = context
        self._values: dict[str, Value] = dict(context.show.controls)
        self._wake_ns = context.now_ns + IDLE_NS
        context.unwanted = INPUTS
        host, port = read_place(context.show.console)
        token, is_new = self._token_for(host)
        is_screen = context.show.screen == WEB and context.show.direction != "video-to-music"
        try:
            self._server = self._serve(host, port, token)
        except UserError as error:
            if is_screen:
                raise
            context.note(f"no console: {error}")
            context.info["device"] = "none"
            return
        page = page_address(host, self._server.port, encrypted=bool(context.show.console_cert))
        context.info["device"] = page
        if not context.memo.get("told"):
            query = f"?token={token}" if is_new else ""
            context.note(f"the console is at {page}{query}")
            if is_screen:
                context.note(f"the picture is at {page}screen{query}")
            context.memo["told"] = True
        self._requests = ControlDesk("console", context, self._open_link)

    def wake_ns(self) -> int | None:
        """25 times a second while a browser is connected, else once."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take what has happened, and ask for what is wished."""
        server = self._server
        is_active = server is not None and (server.wanted or server.awaits_status)
        self._wake_ns = now_ns + (ACTIVE_NS if is_active else IDLE_NS)
        if server is None or self._requests is None:
            return []
        self._context.unwanted = INPUTS - server.wanted
        for change in inputs.controls:
            server.call(self._desk.change, change.name, change.value)
            if change.name == "bundle":
                server.call(self._take_bundle, str(change.value))
        if inputs.messages:
            self._watch.take(inputs)
        self._ask(server, self._requests)
        self._take_replies(server, self._requests)
        return []

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        if self._requests is not None:
            self._requests.close()

    def _token_for(self, host: str) -> tuple[str, bool]:
        """The token that a browser must have, and whether it is a new one; none on this machine alone."""
        given = self._context.show.console_token
        if given or is_loopback(host):
            return given, False
        # A restarted stage has the same one.
        return str(self._context.memo.setdefault("token", secrets.token_urlsafe(18))), True

    def _serve(self, host: str, port: int, token: str) -> ConsoleServer:
        # Imported here, so that no other process that knows this module pays for it.
        from streaming.remote.console.access import AccessRules
        from streaming.remote.console.console_desk import ConsoleDesk
        from streaming.remote.console.control_widgets import widgets
        from streaming.remote.console.preset_book import FILE_NAME, PresetBook
        from streaming.remote.console.prior_shelf import MAX_UPLOAD, PriorShelf
        from streaming.remote.console.show_watch import ShowWatch
        from streaming.remote.console.web_app import ConsoleRoom
        from streaming.remote.console.web_server import ConsoleServer

        show = self._context.show
        self._watch = ShowWatch(hears_only=show.direction == "music-to-video")
        self._hello = hello = {
            "controls": widgets(voices(show.bundle), show.bundle),
            "direction": show.direction,
            "bundle": show.bundle,
            "records": bool(show.record),
            "browsers": list(show.browser_devices),
            "maxUpload": MAX_UPLOAD,
        }

        def tell(kind: str) -> None:
            self._room.tell(kind)

        def room(changed: Callable[[], None]) -> ConsoleRoom:
            book, shelf = PresetBook(config_folder() / FILE_NAME), PriorShelf(data_folder() / "priors")
            self._desk = ConsoleDesk(self._values, book, shelf, tell)
            self._room = ConsoleRoom(self._desk, self._watch, hello, changed)
            return self._room

        certificate = (show.console_cert, show.console_key) if show.console_cert else None
        return ConsoleServer(
            host, port, lambda number: AccessRules(host, number, token), room, self._context.wake, certificate
        )

    def _take_bundle(self, bundle: str) -> None:
        """Other networks perform, which may have other voices."""
        from streaming.remote.console.control_widgets import widgets

        self._hello.update(controls=widgets(voices(bundle), bundle), bundle=bundle)
        self._room.tell("hello")

    def _ask(self, server: ConsoleServer, requests: ControlDesk) -> None:
        for wish in server.take_wishes():
            requests.request(wish.name, wish.value, passing=wish.passing)
        if server.take_status_wish():
            requests.ask_status(self._desk.notes_had)

    def _take_replies(self, server: ConsoleServer, requests: ControlDesk) -> None:
        refusals, statuses = requests.replies()
        for status in statuses:
            server.call(self._desk.take_status, status.status)
        for refusal in refusals:
            server.call(self._refuse, list(refusal))

    def _refuse(self, lines: list[str]) -> None:
        self._room.tell_line(self._desk.refuse(lines))


def build() -> ConsoleStage:
    """The stage, for the process table."""
    return ConsoleStage()
