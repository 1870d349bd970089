"""Where a player's points are while something is heard, said from the sound and a still.

What a player plays says where the hands are: which key, how far along the neck, which side of the dance. A network that
paints finds that out slowly, from pixels; told as points it is learned in minutes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.embedding import POINTS

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
