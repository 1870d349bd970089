"""A residual block of two convolutions conditioned on a vector, for the networks that give fields and pictures."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class FilmBlock(nn.Module):
    """Two residual convolutions; a condition scales and shifts the first one's output (FiLM, Perez et al. 2018).

    Args:
        width: channels.
        moment: width of the condition.
    """

    def __init__(self, width: int, moment: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.film = nn.Linear(moment, 2 * width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, moment: Tensor) -> Tensor:
        """X [N, width, h, w], moment [N, M] -> x."""
        gain, shift = self.film(moment)[..., None, None].chunk(2, 1)
        y = self.first(F.gelu(self.norm(x)))
        out: Tensor = self.second(F.gelu(y * (1.0 + gain) + shift))
        return x + out
