"""Reads pitches from where hands and bow lie to an instrument, once for each instrument that it could be.

What an instrument's geometry says of a pitch is the same before every camera and can be learned from places alone, of
far more players than can be drawn; so this part of the video latents is learned first (see `training.reading`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.embedding import PLAYED, POINTS, relations_of

READ = ("strings", "keys", "air")
"""The instruments whose pitches are read, in the order of the answers."""
TAUGHT = len(POINTS)
WAVES = 6
"""Octaves of waves in which a relation is told, the longest twice the instrument, the shortest a sixteenth of it: a
network is slow to learn steps as fine as semitones from a single number (Tancik et al. 2020)."""


class PlaceReader(nn.Module):
    """Places of the taught points to the odds of each pitch.

    Args:
        points: how many points an embedding tells of; its first 2 * points numbers are all x, then all y.
        hidden: width inside.
        pitches: classes of a pitch, the first of them "none".
    """

    def __init__(self, points: int, hidden: int, pitches: int) -> None:
        super().__init__()
        self.points, self.pitches = points, pitches
        told = 2 * len(PLAYED) + 2
        self.layers = nn.Sequential(
            nn.Linear(4 * TAUGHT + told * (1 + 2 * WAVES), hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, len(READ) * pitches),
        )
        self.rates = nn.Buffer(math.pi * 2.0 ** torch.arange(WAVES), persistent=False)

    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """Places x, y [N, 14] in -1..1 -> [N, instruments, pitches]."""
        at = torch.stack([x, y], -1)
        low, high = at[:, POINTS.index("low_end")], at[:, POINTS.index("high_end")]
        size = (high - low).norm(dim=-1).clamp_min(0.02)[:, None, None]
        about = ((at - low[:, None]) / size).clamp(-4.0, 4.0)
        told = relations_of(torch.cat([x, y], -1))
        waves = told[..., None] * self.rates
        known = torch.cat([x, y, about.flatten(1), told, waves.sin().flatten(1), waves.cos().flatten(1)], -1)
        read: Tensor = self.layers(known)
        return read.view(-1, len(READ), self.pitches)

    def forward(self, embedding: Tensor) -> Tensor:
        """Embeddings [..., E] -> odds of each pitch on each instrument, [..., instruments * pitches]."""
        flat = embedding.flatten(0, -2)
        x, y = flat[:, :TAUGHT], flat[:, self.points : self.points + TAUGHT]
        odds = F.softmax(self.logits(x, y), -1)
        return odds.view(*embedding.shape[:-1], len(READ) * self.pitches)
