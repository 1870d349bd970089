"""The stage that joins Ableton Link: the session's tempo is the show's, and one that a hand sets is the session's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streaming.errors import UserError
from streaming.remote.control_desk import ControlDesk
from streaming.remote.show_control.tempo.link_session import LinkSession, TempoSession
from streaming.schema.messages import Message, Speaker
from streaming.settings.controls import CONTROLS
from streaming.stage import Context, Inputs
from streaming.transport.bus import ControlLink

WAKE_NS = 100_000_000
LEAST_CHANGE = 0.02
"""Beats a minute: a smaller change is none."""
TEMPO = "tempo"


class LinkStage:
    """Follows a session, and leads it where a hand sets the tempo.

    Args:
        opener: joins the session.
        link: opens the control link that requests go by.
    """

    def __init__(
        self,
        opener: Callable[[], TempoSession] = LinkSession,
        link: Callable[..., ControlLink] = ControlLink,
    ) -> None:
        self._opener, self._open_link = opener, link
        self._session: TempoSession | None = None
        self._desk: ControlDesk | None = None
        self._tempo: float | None = None
        """Of the session, when it was looked at last; None while nobody else is there."""
        self._peers = 0
        self._wake_ns: int | None = None

    def setup(self, context: Context) -> None:
        """Join; without the package the show goes on without Link."""
        self._context = context
        self._wake_ns = context.now_ns + WAKE_NS
        try:
            self._session = self._opener()
        except UserError as error:
            context.note(f"no Ableton Link: {error}")
            context.info["device"] = "none"
            return
        context.info["device"] = "Ableton Link"
        self._desk = ControlDesk("link", context, self._open_link)

    def wake_ns(self) -> int | None:
        """Ten times a second."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Follow, or lead."""
        self._wake_ns = now_ns + WAKE_NS
        session, desk = self._session, self._desk
        if session is None or desk is None:
            return []
        desk.take(inputs.controls)
        desk.replies()
        peers = session.peers()
        if peers != self._peers:
            self._context.note(f"Ableton Link: {peers} other program{'s' * (peers != 1)}")
            self._peers = peers
            self._tempo = None if not peers else self._tempo
        self._context.metrics.gauge("link_peers", float(peers))
        for change in inputs.controls:
            is_mine = self._tempo is not None and isinstance(change.value, float) and self._is_same(change.value)
            if change.name == TEMPO and isinstance(change.value, float) and not is_mine:
                session.set_tempo(change.value)
                self._tempo = change.value
        if peers and not self._is_same(tempo := session.tempo()):
            self._tempo = tempo
            row = CONTROLS[TEMPO]
            if row.low <= tempo <= row.high:
                desk.request(TEMPO, round(tempo, 2))
        speaker = inputs.latest(Speaker)
        if speaker is not None:
            # The audio device's clock says when this tick is heard: no latency is to be set by hand.
            self._context.metrics.gauge("link_beat", session.phase(speaker.dac_ns))
        return []

    def close(self) -> None:
        """Leave."""
        if self._session is not None:
            self._session.close()
        if self._desk is not None:
            self._desk.close()

    def _is_same(self, tempo: float) -> bool:
        return self._tempo is not None and abs(tempo - self._tempo) < LEAST_CHANGE


def build() -> LinkStage:
    """The stage with the machine's network."""
    return LinkStage()
