"""What was heard of late, by its tick: for those who are told of several ticks at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Past:
    """Keeps latents for as long as they are asked for.

    Args:
        back: how many ticks back they are asked for, from the nearest to the farthest; 0 is the newest.
        width: of a latent.
    """

    def __init__(self, back: Sequence[int], width: int) -> None:
        self._back, self._deaf = tuple(back), np.zeros(width, np.float32)
        self._kept: deque[tuple[int, NDArray[np.float32]]] = deque()

    def hear(self, tick: int, latent: NDArray[np.float32]) -> None:
        """Take in a tick's latent; one of another width counts as nothing heard, one of an earlier tick begins anew."""
        if self._kept and tick < self._kept[-1][0]:
            self._kept.clear()
        if self._kept and tick == self._kept[-1][0]:
            self._kept.pop()
        self._kept.append((tick, latent if latent.shape == self._deaf.shape else self._deaf))
        while len(self._kept) > 1 and self._kept[1][0] <= tick - self._back[-1]:
            self._kept.popleft()

    def recalled(self) -> NDArray[np.float32]:
        """The latents one after the other, float32 [len(back) * width].

        A tick that was passed over is as the one before; what was before the first is as the first.
        """
        if not self._kept:
            return np.tile(self._deaf, len(self._back))
        newest, place, found = self._kept[-1][0], len(self._kept) - 1, []
        for back in self._back:
            while place > 0 and self._kept[place][0] > newest - back:
                place -= 1
            found.append(self._kept[place][1])
        return np.concatenate(found)
