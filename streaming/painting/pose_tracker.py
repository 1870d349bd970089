"""Follows a player who is heard: where the points are that the pose says, tick by tick, also when it is not painted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine

MOST_MISSED = 50
"""So many ticks that were passed over are made up for; after more, what was heard before counts for little."""


class PoseTracker:
    """Hears every tick once, in order.

    Args:
        engine: the pose's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._silence = np.zeros(int(engine.spec.config["latent_dim"]), np.float32)
        self.forget()

    def forget(self) -> None:
        """As if nothing had been heard yet."""
        self._engine.reset()
        self._newest: int | None = None
        self._last = self._silence
        self._said: NDArray[np.float32] | None = None

    def hear(self, tick: int, latent: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Take in a tick's latent; one of another width counts as nothing heard, one of an earlier tick begins anew.

        A tick that was passed over is as the one before.

        Args:
            tick: its number; one that was heard already changes nothing.
            latent: float32 [D].
            seen: float32 [E], the embedding of the still that is on the screen.

        Returns:
            float32 [P, 3], see `engines.contract.NETWORKS`; None where that is no number: then it begins anew.
        """
        if self._newest is not None and tick < self._newest:
            self.forget()
        if tick == self._newest:
            return self._said
        missed = 0 if self._newest is None else tick - self._newest - 1
        for _ in range(min(missed, MOST_MISSED)):
            self._engine.step(latent=self._last, seen=seen)
        self._last = latent if latent.shape == self._silence.shape else self._silence
        said = np.asarray(self._engine.step(latent=self._last, seen=seen)["said"], np.float32)
        self._newest, self._said = tick, said
        if not np.isfinite(said).all():
            self.forget()
        return self._said
