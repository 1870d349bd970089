"""Decides whether a followed body is claimed: hands and things alone are taken for small bodies by the network."""

from __future__ import annotations

from collections.abc import Sequence

from streaming.vision.eyes.body_tracker import TrackedBody
from streaming.vision.eyes.hand_tracker import TrackedHand
from streaming.vision.eyes.person import body_scale, hand_scale

CONFIRM_NS = 300_000_000
"""A body is claimed after it was followed for so long."""
SURE = 0.85
"""Mean presence from which on a body is claimed. Of real bodies it was 0.99 and more in the films that were tried, of
bodies that were none 0.6 to 0.95."""
LARGEST_HAND = 2.5
"""A hand that is this much larger than the body's own could be is not of that body: the body is none. Hands before a
body are nearer to the camera and were 1.2 to 1.4 times as large; beside false bodies 5 to 12 times."""
CONTRADICTED_NS = 1_000_000_000
"""A claimed body is given up after its hands have been too large for so long: one may hold a hand into the camera."""
SHARE = 0.2
"""How much a new presence counts beside those before."""


class BodyClaim:
    """Judges one followed body from frame to frame."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the body."""
        self._since_ns: int | None = None
        self._presence = 0.0
        self._claimed = False
        self._right_ns = 0

    def judge(self, body: TrackedBody | None, hands: Sequence[TrackedHand | None], now_ns: int) -> tuple[bool, bool]:
        """Whether the body of this frame is claimed, and whether it is contradicted, that is, none.

        Args:
            body: that is followed, if any.
            hands: that are seen in the same frame.
            now_ns: when.
        """
        if body is None:
            self.reset()
            return False, False
        if self._since_ns is None:
            self._since_ns, self._presence = now_ns, body.presence
        self._presence += SHARE * (body.presence - self._presence)
        own = body_scale(body.points, 0.0)
        if any(hand is not None and hand_scale(hand.points) > LARGEST_HAND * own for hand in hands):
            if not self._claimed or now_ns - self._right_ns > CONTRADICTED_NS:
                self.reset()
                return False, True
        else:
            self._right_ns = now_ns
        if now_ns - self._since_ns >= CONFIRM_NS and self._presence >= SURE:
            self._claimed = True
        return self._claimed, False
