"""Refines the points that determine a pitch: each in a small window around its first estimate, at full resolution.

The first estimate is made at a quarter of the picture's resolution and is off by one or two pixels; half a semitone on
a violin's string is two pixels. The refiner takes the window at full resolution and the first network's features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 24, 32)
"""Channels at full, half and a quarter of the picture's resolution."""
CELL = 4
"""Pixels of the picture along a side of a cell of the first network's features; windows start at a cell's edge."""


def crop_windows(image: Tensor, corner: Tensor, side: int) -> Tensor:
    """Square windows of pictures.

    Args:
        image: [B, C, H, W].
        corner: column and row of each window's first pixel, int64 [B, N, 2]; they may lie outside.
        side: of a window in pixels.

    Returns:
        [B * N, C, side, side]; beyond the picture its edge pixels are repeated.
    """
    batch, channels, height, width = image.shape
    count = corner.shape[1]
    along = torch.arange(side, device=image.device)
    column = (corner[..., 0, None] + along).clamp(0, width - 1)
    row = (corner[..., 1, None] + along).clamp(0, height - 1)
    place = (row[..., :, None] * width + column[..., None, :]).view(batch, 1, count * side * side)
    pixels = image.flatten(2).gather(2, place.expand(-1, channels, -1))
    return pixels.view(batch, channels, count, side, side).transpose(1, 2).flatten(0, 1)


class PointRefiner(nn.Module):
    """Corrects estimated points within a window around each.

    Args:
        points: how many points.
        side: of the windows, in pixels of the picture; a place is corrected by half of it at most.
        features: channels of the first network's features.
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
        # One heat map for each point; at first it is uniform, so that nothing is corrected.
        self.heat = nn.Parameter(torch.zeros(points, half))

    def begin(self, at: Tensor, side: int) -> Tensor:
        """The middles of the windows around places [B, points, 2] of a picture of side `side`, in -1..1."""
        cells = (at + 1.0) * (side / CELL / 2.0)
        return cells.round() * (2.0 * CELL / side) - 1.0

    def forward(self, image: Tensor, features: Tensor, middles: Tensor) -> tuple[Tensor, Tensor]:
        """Refine the points.

        Args:
            image: [B, 3, S, S] in -1..1.
            features: of the first network, [B, F, S / 4, S / 4].
            middles: the middles of the windows, from `begin`.

        Returns:
            Places [B, points, 2], and the logits of each place in its window [B, points, side / 2, side / 2].
        """
        batch, side = image.shape[0], self.side
        cells = ((middles + 1.0) * (image.shape[-1] / CELL / 2.0)).round().long() - side // (2 * CELL)
        half_resolution = self.at_half(self.at_full(crop_windows(image, CELL * cells, side)))
        feature_windows = crop_windows(features, cells, side // CELL)
        quarter_resolution = self.at_quarter(half_resolution) + self.which.repeat(batch, 1)[..., None, None]
        quarter_resolution = self.mixed(torch.cat([quarter_resolution, feature_windows], 1))
        fine = self.last(F.interpolate(self.up(quarter_resolution), scale_factor=2.0, mode="nearest") + half_resolution)
        fine = fine.view(batch, self.points, *fine.shape[1:])
        heat = (fine * self.heat[..., None, None]).sum(2)
        odds = heat.flatten(2).softmax(-1).view_as(heat)
        along = (torch.arange(side // 2, device=image.device) + 0.5) * (4.0 / side) - 1.0
        offset = torch.stack([(odds.sum(2) * along).sum(-1), (odds.sum(3) * along).sum(-1)], -1)
        return middles + (side / image.shape[-1]) * offset, heat


def _conv_block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
