"""Where a player's hands are while something is heard, said from the sound and a still; and pictures of such places.

What a player plays says where the hands are: which key, how far along the neck, which side of the dance. A network that
paints finds that out slowly, from pixels; told as points of the embedding it is learned in a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.embedding import POINTS

LIMBS = (
    *(("left_shoulder", "left_hand"), ("right_shoulder", "right_hand"), ("frog", "right_tip")),
    *(("pelvis", "left_foot"), ("pelvis", "right_foot"), ("pelvis", "neck")),
)
"""What lies between two points, and is shown as a line."""
SMALL = 0.02
"""The shortest limb, in -1..1: what is shorter says nothing of a direction."""
AROUND = 11
"""Side in pixels of what lies about a place; it is looked for twice."""
SLEEVE = 0.12
"""Half the width of an arm with what it is dressed in, in -1..1: so much about a limb is cleared away with it."""
PAST = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 25, 32, 40, 50)
"""Ticks back, what is heard now first: a bow's place is the sum of its strokes, a stick's height the time since it
fell. Of the squared distance from where points were, 0.48 was left by the present alone, 0.41 by these two seconds."""
SURE = 0.03
"""A point is shown as a spot of at least this spread, in -1..1."""


class Said(NamedTuple):
    """Where the points of `POINTS` are: at [N, P, 2], x and y in -1..1, and how unsure that is: spread [N, P]."""

    at: Tensor
    spread: Tensor


class _Block(nn.Module):
    """What is known [N, width], and something thought about it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.about = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        thought: Tensor = self.about(x)
        return x + thought


class Pose(nn.Module):
    """From what is heard and a still's embedding to where the player's points are now.

    Args:
        heard_dim, seen_dim: widths of what is told of what is heard (audio latents, one after the other) and of an
            embedding.
        points: how many points the embedding begins with, all x before all y.
    """

    INSIDE, BLOCKS = 384, 3

    def __init__(self, heard_dim: int, seen_dim: int, points: int) -> None:
        super().__init__()
        self.points = points
        inside = self.INSIDE
        self.net = nn.Sequential(
            nn.Linear(heard_dim + seen_dim, inside),
            *(_Block(inside) for _ in range(self.BLOCKS)),
            nn.LayerNorm(inside),
            nn.Linear(inside, 3 * len(POINTS)),
        )
        for parameter in self.net[-1].parameters():
            nn.init.zeros_(parameter)

    def begun(self, seen: Tensor) -> Tensor:
        """Where they are in the still: embeddings [N, seen_dim] -> [N, P, 2]."""
        count = len(POINTS)
        return torch.stack([seen[:, :count], seen[:, self.points : self.points + count]], -1)

    def forward(self, heard: Tensor, seen: Tensor) -> Said:
        """Heard [N, heard_dim], seen [N, seen_dim]."""
        moved, unsure = self.net(torch.cat([heard, seen], -1)).split([2 * len(POINTS), len(POINTS)], -1)
        return Said(self.begun(seen) + moved.unflatten(-1, (-1, 2)), 0.3 * torch.sigmoid(unsure))

    def loss(self, said: Said, true: Tensor) -> Tensor:
        """How unlikely the true points [N, P, 2] are (normal, with a spread each), per row [N]."""
        spread = said.spread + SURE
        return ((said.at - true).square().sum(-1) / (2.0 * spread.square()) + 2.0 * spread.log()).mean(-1)


def recalled(heard: Tensor, ticks: Tensor, past: Sequence[int] = PAST) -> Tensor:
    """What was heard at some ticks [N] and before: latents [T, D] of a clip -> [N, len(past) * D], the present first.

    Before the clip there was what its first tick has.
    """
    return heard[before(ticks, past)].flatten(1)


def before(ticks: Tensor, past: Sequence[int] = PAST) -> Tensor:
    """The ticks that are told of at some ticks [N], [N, len(past)]; none is earlier than the first."""
    return (ticks[:, None] - torch.tensor(past)).clamp_min(0)


def spots(at: Tensor, spread: Tensor, cells: int) -> Tensor:
    """Points [N, P, 2] with spreads [N, P] as pictures [N, P, cells, cells], 1 where they are."""
    x, y = _grid(at, cells)
    away = (x - at[..., 0, None, None]).square() + (y - at[..., 1, None, None]).square()
    return torch.exp(-away / (2.0 * (spread + SURE).square())[..., None, None])


def away_from(at: Tensor, cells: int) -> Tensor:
    """How far each place is from each of the limbs between points [N, P, 2], squared: [N, L, cells, cells]."""
    one, other = (at[:, [POINTS.index(limb[end]) for limb in LIMBS]] for end in (0, 1))
    x, y = _grid(at, cells)
    way = other - one
    dx, dy = x - one[..., 0, None, None], y - one[..., 1, None, None]
    long = way.square().sum(-1).clamp_min(1e-4)[..., None, None]
    along = ((dx * way[..., 0, None, None] + dy * way[..., 1, None, None]) / long).clamp(0.0, 1.0)
    return (dx - along * way[..., 0, None, None]).square() + (dy - along * way[..., 1, None, None]).square()


def lines(away: Tensor, width: float = 2.0 * SURE) -> Tensor:
    """Limbs from how far places are `away_from` them, as pictures: 1 on them, less by their sides."""
    return torch.exp(-away / (2.0 * width**2))


def _grid(like: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    place = (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) * (2.0 / cells) - 1.0
    return place.expand(cells, cells), place[:, None].expand(cells, cells)


def carried(picture: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """A picture carried with each limb: where the limb is now, it and what is about it are seen.

    Each limb's two ends say a turn, a size and a place (a similarity; as complex numbers, one product and one sum).

    Args:
        picture: [N, C, S, S].
        before: the points in the picture, [N, P, 2].
        now: where they are to be, [N, P, 2].

    Returns:
        [N, L, C, S, S], for each of `LIMBS`.
    """
    ends = [[POINTS.index(limb[end]) for limb in LIMBS] for end in (0, 1)]
    (from_one, from_other), (to_one, to_other) = ((at[:, ends[0]], at[:, ends[1]]) for at in (before, now))
    was, becomes = from_other - from_one, to_other - to_one
    long = becomes.square().sum(-1).clamp_min(SMALL**2)
    along = ((was * becomes).sum(-1) / long)[..., None, None]
    across = ((was[..., 1] * becomes[..., 0] - was[..., 0] * becomes[..., 1]) / long)[..., None, None]
    x, y = _grid(now, picture.shape[-1])
    dx, dy = x - to_one[..., 0, None, None], y - to_one[..., 1, None, None]
    source_x = from_one[..., 0, None, None] + along * dx - across * dy
    source_y = from_one[..., 1, None, None] + across * dx + along * dy
    return sampled(picture, source_x, source_y)


def sampled(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """What is seen of a picture at places between its pixels (bilinear); beyond its edges, what is at these.

    As `F.grid_sample(padding_mode="border", align_corners=False)`, which takes several times as long in ONNX Runtime:
    each pixel is laid beside its three neighbours, so that a place is one look-up.

    Args:
        picture: [N, C, S, S]; nothing is learned through it.
        x: places along it in -1..1, [N, L, s, s].
        y: the same, down it.

    Returns:
        [N, L, C, s, s].
    """
    count, channels, side, _ = picture.shape
    column, row = (((at.flatten(1) + 1.0) * (0.5 * side) - 0.5).clamp(0.0, side - 1.0) for at in (x, y))
    left, top = column.floor(), row.floor()
    right, below = (column - left)[:, None], (row - top)[:, None]
    beyond = F.pad(picture, (0, 1, 0, 1), mode="replicate")
    corners = [beyond[..., i : i + side, j : j + side] for i in (0, 1) for j in (0, 1)]
    table = torch.cat(corners, 1).permute(0, 2, 3, 1).reshape(count * side * side, 4 * channels)
    first = torch.arange(count, device=picture.device)[:, None] * (side * side)
    index = first + (top * side + left).long()
    found = table.index_select(0, index.flatten()).view(count, -1, 4 * channels).transpose(1, 2)
    one, two, three, four = found.split(channels, 1)
    above = one + right * (two - one)
    at_places: Tensor = above + below * (three + right * (four - three) - above)
    return at_places.view(count, channels, *x.shape[1:]).transpose(1, 2)


def cleared(picture: Tensor, away: Tensor) -> Tensor:
    """A picture [N, 3, S, S] without limbs, softly: each place as what lies about it that is on no limb.

    away: how far each place is `away_from` them, [N, L, S, S]. The trunk, the last of `LIMBS`, stays: arms lie before
    it.
    """
    limbs = lines(away[:, :-1].amin(1, keepdim=True), SLEEVE)
    free = (1.0 - limbs).square()
    around = torch.cat([picture * free, free], 1)
    for _ in range(2):
        around = F.avg_pool2d(around, AROUND, 1, AROUND // 2)
    return around[:, :-1] / (around[:, -1:] + 1e-3)
