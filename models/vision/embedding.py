"""The visual front-end: a small convolutional network from a frame to a performer's points and an embedding.

The first half of the embedding is positions: the expected positions of 32 points (spatial soft-argmax, after Levine et
al. 2016), the first of which are trained to be hands, feet and tools. The second half describes the content, from the
positions, their strengths and pooled features. A pitch is determined by a position to 1 / 200 of the picture, so the
input has 256 x 256 pixels.

The last numbers are the positions of hands and bow in the instrument's own coordinates. They do not depend on the
camera: a hand half way along a keyboard is half way along it from any distance and at any angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sizes import Sizes
from models.vision.point_refiner import PointRefiner

POINTS = (
    *("left_hand", "right_hand", "left_tip", "right_tip", "head", "left_foot", "right_foot"),
    *("neck", "pelvis", "left_shoulder", "right_shoulder", "low_end", "high_end", "frog"),
)
"""The names of the trained points, in order; `performers.performer.LABEL_NAMES` describes each."""
PLAYING_POINTS = ("left_hand", "right_hand", "left_tip", "right_tip", "frog")
"""Points whose places along and across the instrument are part of the embedding."""
REFINED_POINTS = (*PLAYING_POINTS, "low_end", "high_end")
"""Points that `PointRefiner` corrects at full resolution."""
RELATIONS = 2 * len(PLAYING_POINTS) + 2
"""How many numbers the instrument coordinates are: two for each playing point, and two for the bow's direction."""
REFINER_JITTER = 0.01
"""Noise on the first estimate that the refiner gets in training, in -1..1: in a show the estimate errs more."""
SIDE = 256
"""Side in pixels of the square pictures that every front-end is given."""


@dataclass(frozen=True)
class EmbeddingConfig(Sizes):
    """The sizes.

    Attributes:
        side: of the square input in pixels.
        points: how many points the network locates.
        dim: of the embedding.
        widths: channels of the levels.
        window: side of the refiner's windows, in pixels; 0 for no refiner.
    """

    side: int = SIDE
    points: int = 32
    dim: int = 128
    widths: tuple[int, ...] = (16, 24, 32, 48, 64, 96)
    window: int = 0


def _block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class _ResidualBlock(nn.Module):
    """A residual block that starts as the identity, so a trained network can get it later (Goyal et al. 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(_block(width, width, 1), nn.Conv2d(width, width, 3, 1, 1, bias=False))
        self.norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, W, h, w] -> the same shape."""
        return F.relu(x + self.norm(self.block(x)))


class EmbeddingOutput(NamedTuple):
    """The network's outputs.

    embedding [B, dim]; heat [B, points, S / 4, S / 4]: logits of each point's position. With a refiner, else None:
    begun [B, C, 2], the middles of the windows around the points of `REFINED_POINTS` in -1..1, and near
    [B, C, window / 2, window / 2], the logits of each point's position in its window.
    """

    embedding: Tensor
    heat: Tensor
    begun: Tensor | None = None
    near: Tensor | None = None


class VisualEmbedding(nn.Module):
    """A frame to an embedding; no memory, no latency.

    Args:
        config: the sizes.
    """

    def __init__(self, config: EmbeddingConfig | None = None) -> None:
        super().__init__()
        self.config = config or EmbeddingConfig()
        w = self.config.widths
        self.down = nn.ModuleList(
            (
                nn.Sequential(_block(3, w[0], 2), _block(w[0], w[1], 2), _block(w[1], w[2], 1)),
                *(nn.Sequential(_block(a, b, 2), _block(b, b, 1)) for a, b in pairwise(w[2:])),
            )
        )
        # A residual block follows each level on the way down, and each but the finest on the way up.
        self.deeper = nn.ModuleList(nn.Identity() if not index else _ResidualBlock(b) for index, b in enumerate(w[2:]))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(w[2:]))
        self.again = nn.ModuleList(nn.Identity() if not index else _ResidualBlock(a) for index, a in enumerate(w[2:-1]))
        self.join = _block(w[2], w[2], 1)
        self.heat = nn.Conv2d(w[2], self.config.points, 1)
        what = self.config.dim - 2 * self.config.points - RELATIONS
        self.what = nn.Sequential(
            nn.Linear(w[-1] + 3 * self.config.points, 192),
            nn.ReLU(),
            nn.Linear(192, 192),
            nn.ReLU(),
            nn.Linear(192, what),
        )
        window = self.config.window
        self.closer = PointRefiner(len(REFINED_POINTS), window, w[2]) if window else None
        self.nearer = [POINTS.index(name) for name in REFINED_POINTS]
        self.put = nn.Buffer(F.one_hot(torch.tensor(self.nearer), self.config.points).float(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Images uint8 [B, S, S, 3] BGR -> embeddings float32 [B, dim]; the first 2 * points are x, y in -1..1."""
        return self.look(image).embedding

    def look(self, image: Tensor) -> EmbeddingOutput:
        """Images uint8 [B, S, S, 3] BGR -> embeddings and the points' heat maps."""
        x = picture = image.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        levels: list[Tensor] = []
        for down, deeper in zip(self.down, self.deeper, strict=True):
            x = deeper(down(x))
            levels.append(x)
        for up, again, level in zip(reversed(self.up), reversed(self.again), reversed(levels[:-1]), strict=True):
            x = again(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + level)
        features = self.join(x)
        heat = self.heat(features)
        strength = heat.flatten(2).softmax(-1).amax(-1)
        places = soft_argmax(heat)
        what = self.what(torch.cat([levels[-1].mean((2, 3)), strength, places], -1))
        window_middles = window_heat = None
        if self.closer is not None:
            x, y = places.chunk(2, -1)
            at = torch.stack([x[:, self.nearer], y[:, self.nearer]], -1).detach()
            if self.closer.training:
                at = at + REFINER_JITTER * torch.randn_like(at)
            window_middles = self.closer.begin(at, picture.shape[-1])
            refined, window_heat = self.closer(picture, features, window_middles)
            # The refined points are inserted by a matrix product, which every runtime supports.
            retained = 1.0 - self.put.sum(0)
            places = torch.cat(
                [x * retained + refined[..., 0] @ self.put, y * retained + refined[..., 1] @ self.put], -1
            )
        return EmbeddingOutput(
            torch.cat([places, what, instrument_coordinates(places)], -1), heat, window_middles, window_heat
        )


def soft_argmax(heat: Tensor) -> Tensor:
    """Expected positions of points (spatial soft-argmax): heat [B, P, h, w] -> [B, 2 P], all x then all y, in -1..1."""
    batch, points, rows, columns = heat.shape
    probabilities = heat.flatten(2).softmax(-1).view(batch, points, rows, columns)
    grid_x = (torch.arange(columns, device=heat.device) + 0.5) * (2.0 / columns) - 1.0
    grid_y = (torch.arange(rows, device=heat.device) + 0.5) * (2.0 / rows) - 1.0
    return torch.cat([(probabilities.sum(2) * grid_x).sum(-1), (probabilities.sum(3) * grid_y).sum(-1)], -1)


def instrument_coordinates(places: Tensor) -> Tensor:
    """`PLAYING_POINTS` in the instrument's coordinates: places [B, 2 P], all x then all y -> [B, RELATIONS].

    For each point, its place along the instrument (0 at the lowest pitch, 1 at the highest) and its place across it in
    the same unit; then the cosine and the sine of the angle from the instrument to the line from frog to right tip.
    """
    x, y = places.chunk(2, -1)
    at = {name: torch.stack([x[:, index], y[:, index]], -1) for index, name in enumerate(POINTS)}
    axis = at["high_end"] - at["low_end"]
    across = torch.stack([-axis[:, 1], axis[:, 0]], -1)
    square = axis.square().sum(-1).clamp_min(1e-4)
    out = []
    for name in PLAYING_POINTS:
        way = at[name] - at["low_end"]
        out += [(way * axis).sum(-1) / square, (way * across).sum(-1) / square]
    bow = at["right_tip"] - at["frog"]
    size = (bow.square().sum(-1) * square).clamp_min(1e-8).sqrt()
    out += [(bow * axis).sum(-1) / size, (bow * across).sum(-1) / size]
    return torch.stack(out, -1).clamp(-3.0, 3.0)
