"""What was heard of late, by its tick: for those who are told of several ticks at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Past:
    """Keeps latents for as long as they are asked for.

    Args:
        ticks: how many are asked for, the newest first.
        width: of a latent.
    """

    def __init__(self, ticks: int, width: int) -> None:
        self._kept = np.zeros((ticks, width), np.float32)
        self._newest: int | None = None

    def hear(self, tick: int, latent: NDArray[np.float32]) -> None:
        """Take in a tick's latent; one of another width counts as nothing heard, one of an earlier tick begins anew.

        A tick that was passed over is as the one before; what was before the first is as the first.
        """
        kept, known = self._kept, latent if latent.shape == self._kept.shape[1:] else np.float32(0.0)
        if self._newest is None or tick < self._newest:
            kept[:] = known
        elif tick > self._newest:
            ago = min(tick - self._newest, len(kept))
            before = kept[0].copy()
            kept[ago:] = kept[:-ago].copy()
            kept[:ago] = before
        kept[0] = known
        self._newest = tick

    def forget(self) -> None:
        """As if nothing had been heard yet."""
        self._kept[:] = 0.0
        self._newest = None

    def recalled(self) -> NDArray[np.float32]:
        """The latents one after the other, the newest first, float32 [ticks * width]."""
        return self._kept.flatten()
