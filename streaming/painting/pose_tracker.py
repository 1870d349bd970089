"""Tracks a player's pose from what is heard: a recurrent network that gets every tick, also those not painted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine

MAX_MISSED = 50
"""Missed ticks that are made up for at most; after more of them, what was heard before matters little."""


class PoseTracker:
    """Feeds the pose network every tick once, in order.

    Args:
        engine: the pose's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._silence = np.zeros(int(engine.spec.config["latent_dim"]), np.float32)
        self.reset()

    def reset(self) -> None:
        """Begin anew, as if nothing had been heard yet."""
        self._engine.reset()
        self._tick: int | None = None
        self._latent = self._silence
        self._points: NDArray[np.float32] | None = None

    def update(
        self, tick: int, latent: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        """Take in a tick. A missed tick counts as the one before it; an earlier tick than the last begins anew.

        Args:
            tick: its number; the last one again changes nothing.
            latent: float32 [D]; one of another width counts as silence.
            embedding: float32 [E], of the prior image on the screen.

        Returns:
            The points, float32 [P, 3], see `engines.networks`; None where they are not finite, after which it
            begins anew.
        """
        if self._tick is not None and tick < self._tick:
            self.reset()
        if tick == self._tick:
            return self._points
        missed = 0 if self._tick is None else tick - self._tick - 1
        for _ in range(min(missed, MAX_MISSED)):
            self._engine.step(latent=self._latent, seen=embedding)
        self._latent = latent if latent.shape == self._silence.shape else self._silence
        points = np.asarray(self._engine.step(latent=self._latent, seen=embedding)["said"], np.float32)
        self._tick, self._points = tick, points
        if not np.isfinite(points).all():
            self.reset()
        return self._points
