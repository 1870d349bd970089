"""Where a player's hands are while something is heard, said from the sound and a still; and pictures of such places.

What a player plays says where the hands are: which key, how far along the neck, which side of the dance. A network that
paints finds that out slowly, from pixels; told as points it is learned in minutes.
"""

from __future__ import annotations

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
PAST = 127
"""Ticks that are heard, the present one first: a bow's place is the sum of its strokes, a stick's height the time since
it fell. Each level hears twice as far back as the one before, so that this is one less than a power of two."""
SURE = 0.03
"""A point is shown as a spot of at least this spread, in -1..1."""


class Said(NamedTuple):
    """Where the points of `POINTS` are: at [N, P, 2], x and y in -1..1, and how unsure that is: spread [N, P]."""

    at: Tensor
    spread: Tensor


class _Level(nn.Module):
    """Adds to what a tick knows [..., width] what it thinks of that and of what some earlier ticks knew."""

    def __init__(self, width: int, ticks: int = 3, inside: int = 1) -> None:
        super().__init__()
        self.known = nn.LayerNorm(width)
        self.about = nn.Sequential(
            nn.Linear(ticks * width, inside * width), nn.GELU(), nn.Linear(inside * width, width)
        )

    def forward(self, *ticks: Tensor) -> Tensor:
        """The tick itself first, then the earlier ones."""
        thought: Tensor = self.about(torch.cat([self.known(tick) for tick in ticks], -1))
        return ticks[0] + thought


class Pose(nn.Module):
    """From what is heard and a still's embedding to where the player's points are now.

    Causal dilated convolutions (van den Oord et al. 2016, "WaveNet") over the ticks: each level hears the tick itself
    and two earlier ones, twice as far apart as those of the level before. It learns from all ticks of a clip at once
    (`throughout`); of a live show only what the newest tick needs is computed (`forward`), and nothing is remembered.

    Args:
        latent_dim: width of an audio latent.
        past: how many ticks are heard, one less than a power of two.
        seen_dim: width of an embedding.
        points: how many points the embedding begins with, all x before all y.

    Raises:
        ValueError: for another number of ticks.
    """

    WIDTH = 256

    def __init__(self, latent_dim: int, past: int, seen_dim: int, points: int) -> None:
        super().__init__()
        if past < 1 or (past + 1) & past:
            raise ValueError(f"a pose hears 1, 3, 7, ... ticks, not {past}: one less than a power of two")
        self.past, self.points = past, points
        self.hear, self.look = nn.Linear(latent_dim, self.WIDTH), nn.Linear(seen_dim, self.WIDTH)
        self.levels = nn.ModuleList(_Level(self.WIDTH) for _ in range((past + 1).bit_length() - 2))
        self.think = _Level(self.WIDTH, 1, 2)
        self.say = nn.Sequential(nn.LayerNorm(self.WIDTH), nn.Linear(self.WIDTH, 3 * len(POINTS)))
        for parameter in self.say[-1].parameters():
            nn.init.zeros_(parameter)

    def begun(self, seen: Tensor) -> Tensor:
        """Where they are in the still: embeddings [N, seen_dim] -> [N, P, 2]."""
        count = len(POINTS)
        return torch.stack([seen[:, :count], seen[:, self.points : self.points + count]], -1)

    def forward(self, heard: Tensor, seen: Tensor) -> Said:
        """Heard [N, past * latent_dim], the present first; seen [N, seen_dim]."""
        x = self.hear(heard.unflatten(-1, (self.past, -1))) + self.look(seen)[:, None]
        for level in self.levels:
            x = level(x[:, :-2:2], x[:, 1:-1:2], x[:, 2::2])
        return self._said(x[:, 0], self.begun(seen))

    def throughout(self, heard: Tensor, seen: Tensor) -> Said:
        """The same at each tick of clips: heard [N, T, latent_dim] -> at [N, T, P, 2], spread [N, T, P].

        Before a clip there was what its first tick has, as in `recalled`.
        """
        x = self.hear(heard) + self.look(seen)[:, None]
        total = x.shape[1]
        for number, level in enumerate(self.levels):
            apart = 2**number
            before = torch.cat([x[:, :1].expand(-1, 2 * apart, -1), x], 1)
            x = level(x, before[:, apart : apart + total], before[:, :total])
        return self._said(x, self.begun(seen)[:, None])

    def _said(self, x: Tensor, begun: Tensor) -> Said:
        moved, unsure = self.say(self.think(x)).float().split([2 * len(POINTS), len(POINTS)], -1)
        return Said(begun + moved.unflatten(-1, (-1, 2)), 0.3 * torch.sigmoid(unsure))

    def loss(self, said: Said, true: Tensor) -> Tensor:
        """How unlikely the true points [..., P, 2] are (normal, with a spread each), the mean over them [...]."""
        spread = said.spread + SURE
        return ((said.at - true).square().sum(-1) / (2.0 * spread.square()) + 2.0 * spread.log()).mean(-1)


def recalled(heard: Tensor, ticks: Tensor, past: int = PAST) -> Tensor:
    """What was heard at some ticks [N] and before: latents [T, D] of a clip -> [N, past * D], the present first.

    Before the clip there was what its first tick has.
    """
    return heard[before(ticks, past)].flatten(1)


def before(ticks: Tensor, past: int = PAST) -> Tensor:
    """The ticks that are told of at some ticks [N], [N, past]; none is earlier than the first."""
    return (ticks[:, None] - torch.arange(past)).clamp_min(0)


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
