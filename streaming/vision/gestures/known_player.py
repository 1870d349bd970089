"""Decides, over half a second, whether the picture shows a player that the networks know, and of which kind."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICKS_PER_SECOND

MEMORY_S = 0.5
"""Time constant at which the odds are averaged."""
UNKNOWN_FROM, KNOWN_FROM = 0.6, 0.4
"""Odds of "none of these" above which a known player becomes unknown, and below which an unknown one becomes known."""
NONE = "none"


class KnownPlayer:
    """Follows the odds of a player's kind, one tick after another.

    Args:
        kind_names: the kinds, in the order of the odds; the odds have one more, "none of these".
    """

    def __init__(self, kind_names: tuple[str, ...]) -> None:
        self._names = (*kind_names, NONE)
        self.reset()

    def reset(self) -> None:
        """Nobody has been seen."""
        self._odds: NDArray[np.float64] | None = None
        self.is_known = False

    @property
    def has_seen(self) -> bool:
        """Whether it has had any odds."""
        return self._odds is not None

    @property
    def kind(self) -> str:
        """The likeliest kind of a known player, else "none"."""
        if self._odds is None or not self.is_known:
            return NONE
        return self._names[int(np.argmax(self._odds[:-1]))]

    def step(self, odds: NDArray[np.floating]) -> bool:
        """Take in a tick's odds, float [kinds + 1]; returns whether the player is known."""
        now = np.asarray(odds, np.float64)
        if self._odds is None:
            self._odds = now
            self.is_known = bool(now[-1] < 0.5)
            return self.is_known
        weight = 1.0 - math.exp(-1.0 / (MEMORY_S * TICKS_PER_SECOND))
        self._odds = self._odds + weight * (now - self._odds)
        none = float(self._odds[-1])
        self.is_known = none < (UNKNOWN_FROM if self.is_known else KNOWN_FROM)
        return self.is_known
