"""Refines the points that decide a pitch: each in a small window about its first estimate, at full resolution.

The first estimate is made at a quarter of the picture's resolution and is off by one or two pixels; half a semitone on
a violin's string is two. The refiner sees the window at full resolution and the first network's features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 24, 32)
"""Channels at full, half and a quarter of the picture's fineness."""


CELL = 4
"""Pixels of the picture in one cell of what the first look gives; windows begin where cells do."""


def crop_windows(image: Tensor, corner: Tensor, side: int) -> Tensor:
    """Square windows of pictures.

    Args:
        image: [B, C, H, W].
        corner: column and row of each window's first pixel, whole numbers [B, N, 2]; they may lie outside.
        side: of a window in pixels.

    Returns:
        [B * N, C, side, side]; beyond the picture its edge goes on.
    """
    batch, channels, height, width = image.shape
    count = corner.shape[1]
    along = torch.arange(side, device=image.device)
    column = (corner[..., 0, None] + along).clamp(0, width - 1)
    row = (corner[..., 1, None] + along).clamp(0, height - 1)
    place = (row[..., :, None] * width + column[..., None, :]).view(batch, 1, count * side * side)
    found = image.flatten(2).gather(2, place.expand(-1, channels, -1))
    return found.view(batch, channels, count, side, side).transpose(1, 2).flatten(0, 1)


class PointRefiner(nn.Module):
    """Corrects estimated points within a window about each.

    Args:
        points: how many points are looked at.
        side: of the windows, in pixels of the picture; a place is moved by half of it at most.
        features: channels that the first look gives.
    """

    def __init__(self, points: int, side: int, features: int) -> None:
        super().__init__()
        self.points, self.side = points, side
        full, half, quarter = WIDTHS
        self.at_full = _conv_block(3, full, 1)
        self.at_half = nn.Sequential(_conv_block(full, half, 2), _conv_block(half, half, 1))
        self.at_quarter = _conv_block(half, quarter, 2)
        self.which = nn.Parameter(torch.randn(points, quarter) * 0.1)
        self.mixed = nn.Sequential(
            _conv_block(quarter + features, 2 * quarter, 1), _conv_block(2 * quarter, quarter, 1)
        )
        self.up = nn.Conv2d(quarter, half, 1)
        self.last = _conv_block(half, half, 1)
        # A map of its own for each point; at first it is even and moves nothing.
        self.heat = nn.Parameter(torch.zeros(points, half))

    def begin(self, at: Tensor, side: int) -> Tensor:
        """The middles of the windows about places [B, points, 2] of a picture with this side, in -1..1."""
        cells = (at + 1.0) * (side / CELL / 2.0)
        return cells.round() * (2.0 * CELL / side) - 1.0

    def forward(self, image: Tensor, features: Tensor, begun: Tensor) -> tuple[Tensor, Tensor]:
        """Look.

        Args:
            image: [B, 3, S, S] in -1..1.
            features: of the first look, [B, F, S / 4, S / 4].
            begun: the middles of the windows, from `begin`.

        Returns:
            Places [B, points, 2], and the logits of where each is in its window [B, points, side / 2, side / 2].
        """
        batch, side = image.shape[0], self.side
        cells = ((begun + 1.0) * (image.shape[-1] / CELL / 2.0)).round().long() - side // (2 * CELL)
        near = self.at_half(self.at_full(crop_windows(image, CELL * cells, side)))
        known = crop_windows(features, cells, side // CELL)
        deep = self.at_quarter(near) + self.which.repeat(batch, 1)[..., None, None]
        deep = self.mixed(torch.cat([deep, known], 1))
        fine = self.last(F.interpolate(self.up(deep), scale_factor=2.0, mode="nearest") + near)
        fine = fine.view(batch, self.points, *fine.shape[1:])
        heat = (fine * self.heat[..., None, None]).sum(2)
        odds = heat.flatten(2).softmax(-1).view_as(heat)
        along = (torch.arange(side // 2, device=image.device) + 0.5) * (4.0 / side) - 1.0
        by = torch.stack([(odds.sum(2) * along).sum(-1), (odds.sum(3) * along).sum(-1)], -1)
        return begun + (side / image.shape[-1]) * by, heat


def _conv_block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
