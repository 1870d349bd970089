"""The visual front-end: a small convolutional network that finds moving parts and says what is seen.

Half of the embedding is where things are: the expected positions of 32 learned points (spatial soft-argmax, after
Levine et al. 2016); half is what they are, from those points' strengths and pooled features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.config import Sizes

SIDE = 128
"""Side in pixels of the square pictures that every front-end is given."""


@dataclass(frozen=True)
class EmbeddingConfig(Sizes):
    """Sizes: `side` of the square input in pixels, number of `points`, `dim` of the embedding."""

    side: int = SIDE
    points: int = 32
    dim: int = 128
    widths: tuple[int, ...] = (16, 32, 48, 64, 96)


def _block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class VisualEmbedding(nn.Module):
    """A frame to an embedding; no memory, no latency.

    Args:
        config: the sizes.
    """

    def __init__(self, config: EmbeddingConfig | None = None) -> None:
        super().__init__()
        self.config = config or EmbeddingConfig()
        w = self.config.widths
        self.early = nn.Sequential(_block(3, w[0], 2), _block(w[0], w[1], 2), _block(w[1], w[2], 1))
        self.middle = _block(w[2], w[3], 2)
        self.late = nn.Sequential(_block(w[3], w[4], 2), _block(w[4], w[4], 1))
        self.back = nn.Conv2d(w[4], w[3], 1)
        self.skip = nn.Conv2d(w[3], w[3], 1)
        self.join = _block(w[2] + w[3], w[3], 1)
        self.heat = nn.Conv2d(w[3], self.config.points, 1)
        what = self.config.dim - 2 * self.config.points
        self.what = nn.Sequential(nn.Linear(w[4] + self.config.points, 128), nn.ReLU(), nn.Linear(128, what))

    def forward(self, image: Tensor) -> Tensor:
        """Images uint8 [B, S, S, 3] BGR -> embeddings float32 [B, dim]; the first 2 * points are x, y in -1..1."""
        x = image.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        early = self.early(x)
        middle = self.middle(early)
        late = self.late(middle)
        up = F.interpolate(self.back(late), scale_factor=2.0, mode="nearest") + self.skip(middle)
        heat = self.heat(self.join(torch.cat([early, F.interpolate(up, scale_factor=2.0, mode="nearest")], 1)))
        strength = heat.flatten(2).softmax(-1).amax(-1)
        what = self.what(torch.cat([late.mean((2, 3)), strength], -1))
        return torch.cat([places_of(heat), what], -1)


def places_of(heat: Tensor) -> Tensor:
    """Expected positions of points (spatial soft-argmax): heat [B, P, h, w] -> [B, 2 P], all x then all y, in -1..1."""
    batch, points, rows, columns = heat.shape
    shaped = heat.flatten(2).softmax(-1).view(batch, points, rows, columns)
    grid_x = (torch.arange(columns, device=heat.device) + 0.5) * (2.0 / columns) - 1.0
    grid_y = (torch.arange(rows, device=heat.device) + 0.5) * (2.0 / rows) - 1.0
    return torch.cat([(shaped.sum(2) * grid_x).sum(-1), (shaped.sum(3) * grid_y).sum(-1)], -1)
