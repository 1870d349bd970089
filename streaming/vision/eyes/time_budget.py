"""Decides by measured cost whether the hands are looked for: a show must not wait for its eyes."""

from __future__ import annotations

import math
import statistics
from collections import deque

LOOKS = 50
"""A decision rests on so many looks, two seconds of a camera."""
RETURN = 0.75
"""The hands come back when body and hands would take no more than so much of the budget."""


class TimeBudget:
    """Switches the hands off while body and hands take too long, and on again when there is time.

    Args:
        budget_ms: what a look may take, the median of two seconds.
    """

    def __init__(self, budget_ms: float) -> None:
        self._budget_ms = budget_ms
        self.reset()

    def reset(self) -> None:
        """Forget what was measured; the hands are on."""
        self.hands = True
        self._looks: deque[tuple[float, float]] = deque(maxlen=LOOKS)
        self._ratio = math.inf

    def measure(self, body_ms: float, hands_ms: float) -> None:
        """Take note of what the two parts of a look took; hands_ms is 0 where they were off."""
        self._looks.append((body_ms, hands_ms))
        if len(self._looks) < LOOKS:
            return
        body = statistics.median(body for body, _ in self._looks)
        both = statistics.median(body + hands for body, hands in self._looks)
        if self.hands and both > self._budget_ms:
            self._ratio = both / max(body, 1e-3)
            self._switch(False)
        elif not self.hands and body * self._ratio < RETURN * self._budget_ms:
            self._switch(True)

    def _switch(self, hands: bool) -> None:
        self.hands = hands
        self._looks.clear()
