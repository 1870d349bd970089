"""The stamps of every tick of sound and of every picture of a show, kept while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from streaming.schema.messages import Message, Screen, Sound, Speaker, Tokens

TOPICS = ("tokens", "sound", "speaker", "screen")
MOST_TICKS = 200_000
"""Two hours; later ticks are not kept."""


@dataclass
class TickPath:
    """A tick on its way to the speaker; times are monotonic ns, 0 for unknown.

    Attributes:
        tick: its number.
        capture_ns: when the frame that it answers was captured.
        sound_capture_ns: the same less what decoder and limiter look ahead.
        latch_ns: when the newest motion was read for it.
        dac_ns: when its first sample leaves the device.
        fresh: it is the first tick that answers its frame.
        stamps: when each stage published.
    """

    tick: int
    capture_ns: int = 0
    sound_capture_ns: int = 0
    latch_ns: int = 0
    dac_ns: int = 0
    fresh: bool = False
    stamps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PicturePath:
    """A picture on its way to the screen: when its tick's first sample arrived, when it was shown, and its stamps."""

    tick: int
    capture_ns: int
    shown_ns: int
    stamps: dict[str, int]


class TickLog:
    """Takes messages and keeps their stamps."""

    def __init__(self) -> None:
        self._ticks: dict[int, TickPath] = {}
        self.pictures: list[PicturePath] = []

    def take(self, message: Message) -> None:
        """Take a message of one of `TOPICS`."""
        if isinstance(message, Screen):
            if len(self.pictures) < MOST_TICKS:
                stamps = dict(message.stamps)
                self.pictures.append(PicturePath(message.tick, message.capture_ns, message.shown_ns, stamps))
            return
        if not isinstance(message, Tokens | Sound | Speaker):
            return
        if message.tick not in self._ticks and len(self._ticks) >= MOST_TICKS:
            return
        path = self._ticks.setdefault(message.tick, TickPath(message.tick))
        if isinstance(message, Tokens):
            path.capture_ns, path.latch_ns, path.fresh = message.capture_ns, message.latch_ns, message.fresh
        elif isinstance(message, Sound):
            path.sound_capture_ns, path.stamps = message.capture_ns, dict(message.stamps)
        else:
            path.dac_ns = message.dac_ns

    def ticks(self) -> list[TickPath]:
        """Every tick of which all is known, in order."""
        known = (path for _, path in sorted(self._ticks.items()))
        return [path for path in known if path.capture_ns and path.sound_capture_ns and path.dac_ns and path.latch_ns]
