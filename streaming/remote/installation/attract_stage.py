"""The stage that makes an installation calm while nobody is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streaming.conventions import TICK_NS
from streaming.remote.control_desk import ControlDesk
from streaming.remote.installation.attract_mode import MOVES_BELOW_S, AttractMode
from streaming.schema.messages import Message, Microphone, Motion
from streaming.stage import Context, Inputs
from streaming.transport.bus import ControlLink

WAKE_NS = 100_000_000
HEARD_DB = -45.0
"""A show that sees nobody hears whether somebody is there: music above this level."""
LATEST_NS = 1_000_000_000
"""A camera that has sent nothing for so long knows nothing."""


class AttractStage:
    """Watches for motion, before a camera or in what is heard, and asks for calm controls while there is none.

    Args:
        link: opens the control link that requests go by.
    """

    def __init__(self, link: Callable[..., ControlLink] = ControlLink) -> None:
        self._open_link = link
        self._desk: ControlDesk | None = None
        self._wake_ns: int | None = None
        self._moves: bool | None = None
        self._known_ns = 0

    def setup(self, context: Context) -> None:
        """Reach the supervisor."""
        self._context = context
        self._desk = ControlDesk("attract", context, self._open_link)
        self._mode = AttractMode(context.show.attract_s, context.memo.get("kept"))
        self._hears = context.show.direction == "music-to-video"
        context.unwanted = frozenset({"motion" if self._hears else "microphone"})
        self._wake_ns = context.now_ns + WAKE_NS

    def wake_ns(self) -> int | None:
        """Ten times a second, and once a tick while controls move."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """See whether somebody is there, and do what is due."""
        desk, mode = self._desk, self._mode
        if desk is None or not inputs.started:
            self._wake_ns = now_ns + WAKE_NS
            return []
        for change in inputs.controls:
            mode.changed(change.name, change.value)
        desk.take(inputs.controls)
        desk.replies()
        self._look(inputs, now_ns)
        line, wishes = mode.step(self._moves, desk.values, now_ns)
        for wish in wishes:
            desk.request(wish.name, wish.value, passing=True)
        if line:
            self._context.note(line)
        self._context.memo["kept"] = dict(mode.kept)
        self._context.metrics.gauge("present", float(mode.is_there))
        self._wake_ns = now_ns + (TICK_NS if mode.busy else WAKE_NS)
        return []

    def close(self) -> None:
        """Close the link."""
        if self._desk is not None:
            self._desk.close()

    def _look(self, inputs: Inputs, now_ns: int) -> None:
        """Take in whether something moves."""
        if self._hears:
            heard = inputs.all(Microphone)
            if heard:
                self._moves, self._known_ns = max(one.level_db for one in heard) > HEARD_DB, now_ns
        else:
            seen = [one.still_s for one in inputs.all(Motion)]
            if seen:
                known = [still_s for still_s in seen if still_s is not None]
                self._moves = min(known) < MOVES_BELOW_S if known else None
                self._known_ns = now_ns
        if now_ns - self._known_ns > LATEST_NS:
            self._moves = None


def build() -> AttractStage:
    """The stage, for the process table."""
    return AttractStage()
