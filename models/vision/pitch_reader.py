"""Reads pitches from where hands and bow lie on an instrument, once for each instrument that it could be.

What an instrument's geometry says of a pitch is the same before every camera and can be learned from places alone, of
far more players than can be drawn; so this part of the video latents is learned first (see
`training.networks.pitch_reader`).

A picture alone is off by half a semitone on a violin. A memory of the pictures before it knows more: where a hand has
come to rest, by how much this player is seen awry (notes lie on semitones, so what is left over says it), and which
scale is played.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.streaming_law import GatedMemory, State
from models.vision.embedding import PLAYED, POINTS, instrument_coordinates

READ_INSTRUMENTS = ("strings", "keys", "air")
"""The instruments whose pitches are read, in the order of the answers."""
TAUGHT_POINTS = len(POINTS)
WAVE_OCTAVES = 6
"""Octaves of waves in which a relation is told, the longest twice the instrument, the shortest a sixteenth of it: a
network is slow to learn steps as fine as semitones from a single number (Tancik et al. 2020)."""


class PitchReader(nn.Module):
    """Places of the taught points to the odds of each pitch.

    Args:
        points: how many points an embedding tells of; its first 2 * points numbers are all x, then all y.
        hidden: width inside.
        pitches: classes of a pitch, the first of them "none".
        memory: width of what is remembered; 0 for a reader of single pictures.
    """

    def __init__(self, points: int, hidden: int, pitches: int, memory: int = 0) -> None:
        super().__init__()
        self.points, self.pitches = points, pitches
        told = 2 * len(PLAYED) + 2
        self.layers = nn.Sequential(
            nn.Linear(4 * TAUGHT_POINTS + told * (1 + 2 * WAVE_OCTAVES), hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, len(READ_INSTRUMENTS) * pitches),
        )
        self.rates = nn.Buffer(math.pi * 2.0 ** torch.arange(WAVE_OCTAVES), persistent=False)
        self.memory = GatedMemory(hidden, memory) if memory else None
        # What memory adds to the odds of a picture; nothing at first.
        self.recall = nn.Linear(memory, len(READ_INSTRUMENTS) * pitches) if memory else None
        if self.recall is not None:
            nn.init.zeros_(self.recall.weight)
            nn.init.zeros_(self.recall.bias)

    def init_state(self, batch: int) -> State:
        """Nothing was seen."""
        return self.memory.init_state(batch) if self.memory is not None else ()

    def hidden(self, x: Tensor, y: Tensor) -> Tensor:
        """What is read of places x, y [N, 14] in -1..1, before it is turned into odds: [N, hidden]."""
        at = torch.stack([x, y], -1)
        low, high = at[:, POINTS.index("low_end")], at[:, POINTS.index("high_end")]
        size = (high - low).norm(dim=-1).clamp_min(0.02)[:, None, None]
        about = ((at - low[:, None]) / size).clamp(-4.0, 4.0)
        told = instrument_coordinates(torch.cat([x, y], -1))
        waves = told[..., None] * self.rates
        known = torch.cat([x, y, about.flatten(1), told, waves.sin().flatten(1), waves.cos().flatten(1)], -1)
        read: Tensor = self.layers[:-1](known)
        return read

    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """Places x, y [N, 14] of single pictures -> [N, instruments, pitches]."""
        logits: Tensor = self.layers[-1](self.hidden(x, y))
        return logits.view(-1, len(READ_INSTRUMENTS), self.pitches)

    def follow(self, x: Tensor, y: Tensor, state: State) -> tuple[Tensor, State]:
        """Places x, y [B, T, 14] of pictures one after the other -> (logits [B, T, instruments, pitches], state)."""
        batch, length = x.shape[:2]
        read = self.hidden(x.flatten(0, 1), y.flatten(0, 1))
        logits = self.layers[-1](read).view(batch, length, -1)
        if self.memory is not None and self.recall is not None:
            kept, state = self.memory.step(read.view(batch, length, -1).transpose(1, 2), state)
            logits = logits + self.recall(kept.transpose(1, 2))
        return logits.view(batch, length, len(READ_INSTRUMENTS), self.pitches), state

    def step(self, embedding: Tensor, state: State) -> tuple[Tensor, State]:
        """Embeddings [B, T, E] -> (odds of each pitch on each instrument [B, T, instruments * pitches], state)."""
        x, y = embedding[..., :TAUGHT_POINTS], embedding[..., self.points : self.points + TAUGHT_POINTS]
        logits, state = self.follow(x, y, state)
        return F.softmax(logits, -1).flatten(2), state
