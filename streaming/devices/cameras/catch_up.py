"""What a decoder that is slower than real time leaves out, so that the newest picture is shown. It reads no clock."""

from __future__ import annotations

LATE_NS = 100_000_000
"""A frame that is decoded so much later than its time is late."""
TOO_LATE_NS = 250_000_000
"""A decoder that is behind by more, and does not catch up, goes on at the next keyframe."""
JUDGED_NS = 300_000_000
"""Its speed is judged over this time."""
CATCHING_UP = 1.1
"""It catches up where the film's time passes faster than this share of real time."""
CAREFUL_NS = 5_000_000_000
"""Once it was late, it leaves out frames that no other needs for this time."""


class CatchUp:
    """Decides for each decoded frame whether it is shown, and which frames the decoder leaves out from now on.

    Attributes:
        skip: what the decoder leaves out: "" nothing, "NONREF" frames that no other needs, "NONKEY" all but keyframes.
        behind: it has been late.
    """

    def __init__(self) -> None:
        self.skip = ""
        self.behind = False
        self._shown_ns = self._careful_until_ns = 0
        self._since: tuple[int, int] | None = None

    def shows(self, due_ns: int, now_ns: int) -> bool:
        """Whether a frame is shown: one in time, and of late ones ten a second.

        Args:
            due_ns: its time.
            now_ns: when it was decoded.
        """
        late_ns = now_ns - due_ns
        if late_ns <= 0:
            self._since = None
            self.skip = "NONREF" if now_ns < self._careful_until_ns else ""
        elif late_ns > LATE_NS:
            self.behind = True
            self._careful_until_ns = now_ns + CAREFUL_NS
            self.skip = self.skip or "NONREF"
            if late_ns > TOO_LATE_NS and self._is_slow(due_ns, now_ns):
                self.skip = "NONKEY"
        if late_ns > LATE_NS and now_ns - self._shown_ns < LATE_NS:
            return False
        self._shown_ns = now_ns
        return True

    def _is_slow(self, due_ns: int, now_ns: int) -> bool:
        """Whether it does not catch up by itself, as it does after a short stall of the machine."""
        if self._since is None:
            self._since = (due_ns, now_ns)
        due_before_ns, before_ns = self._since
        if now_ns - before_ns < JUDGED_NS:
            return False
        self._since = (due_ns, now_ns)
        return due_ns - due_before_ns < CATCHING_UP * (now_ns - before_ns)
