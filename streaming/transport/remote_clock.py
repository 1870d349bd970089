"""Translates another machine's times to this machine's: each machine counts its monotonic clock from its own start."""

from __future__ import annotations

from collections import deque

from streaming.schema.messages import Message

SAME_CLOCK_NS = 1_000_000_000
"""Clocks that are apart by less are one: publisher and reader are on the same machine."""
WINDOW_NS = 30_000_000_000
"""The fastest message of so long counts; in that time good clocks drift apart by less than 2 ms."""
_SLOT_NS = 1_000_000_000


class RemoteClock:
    """Learns by how much a publisher's clock is ahead of this machine's, and translates its messages' times.

    A message cannot arrive before it was sent: of the last 30 s the one with the least difference between its arrival
    here and its stamp there shows the difference of the clocks and the least delay of the network. That delay, which
    one direction alone cannot tell, counts as none.

    Args:
        name: of the stage that publishes; its own stamp is the time of sending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # (end of a second in ns, least difference in it); one for each second.
        self._slots: deque[tuple[int, int]] = deque()

    @property
    def ahead_ns(self) -> int:
        """By how much times there are less than times here; 0 where it is one clock, or nothing has come yet."""
        if not self._slots:
            return 0
        least = min(difference for _, difference in self._slots)
        return 0 if abs(least) < SAME_CLOCK_NS else least

    def translate(self, message: Message, now_ns: int) -> None:
        """Replace the times in a message that has just arrived: stamps, and every field whose name ends in `_ns`.

        A time of 0, which says that it is unknown, stays so.

        Args:
            message: is changed.
            now_ns: this machine's time.
        """
        sent_ns = message.stamps.get(self._name)
        if sent_ns is not None:
            self._observe(now_ns - sent_ns, now_ns)
        ahead_ns = self.ahead_ns
        if not ahead_ns:
            return
        for field in message.__struct_fields__:
            if field.endswith("_ns") and (value := getattr(message, field)):
                setattr(message, field, max(1, value + ahead_ns))
        message.stamps = {stage: max(1, stamp + ahead_ns) for stage, stamp in message.stamps.items()}

    def _observe(self, difference_ns: int, now_ns: int) -> None:
        if self._slots and now_ns < self._slots[-1][0]:
            end_ns, least = self._slots.pop()
            self._slots.append((end_ns, min(least, difference_ns)))
        else:
            self._slots.append((now_ns + _SLOT_NS, difference_ns))
        while self._slots[0][0] < now_ns - WINDOW_NS:
            self._slots.popleft()
