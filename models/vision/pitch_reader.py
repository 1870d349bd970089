"""Reads pitches from the places of hands and bow on an instrument, once for each possible instrument.

How an instrument's geometry determines a pitch does not depend on the camera. It can be learned from places alone, of
far more players than can be drawn. So this part of the video latents is trained first (see
`training.networks.pitch_reader`).

A picture alone is off by half a semitone on a violin. A memory of earlier pictures adds where a hand has come to rest,
this player's systematic error (notes lie on semitones, so the remainder gives it), and the scale.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.streaming_law import GatedMemory, State
from models.vision.embedding import PLAYING_POINTS, POINTS, instrument_coordinates

READ_INSTRUMENTS = ("strings", "keys", "air")
"""The instruments whose pitches are read, in the order of the output."""
TAUGHT_POINTS = len(POINTS)
WAVE_OCTAVES = 6
"""Octaves of the Fourier features of an instrument coordinate; the longest wave is twice the instrument, the shortest a
sixteenth of it. A network is slow to learn steps as fine as semitones from a single number (Tancik et al. 2020)."""


class PitchReader(nn.Module):
    """Places of the trained points to the odds of each pitch.

    Args:
        points: how many points an embedding begins with; its first 2 * points numbers are all x, then all y.
        hidden: width of the hidden layers.
        pitches: classes of a pitch, the first of them "none".
        memory: width of the memory; 0 for a reader of single pictures.
    """

    def __init__(self, points: int, hidden: int, pitches: int, memory: int = 0) -> None:
        super().__init__()
        self.points, self.pitches = points, pitches
        relations = 2 * len(PLAYING_POINTS) + 2
        self.layers = nn.Sequential(
            nn.Linear(4 * TAUGHT_POINTS + relations * (1 + 2 * WAVE_OCTAVES), hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, len(READ_INSTRUMENTS) * pitches),
        )
        self.rates = nn.Buffer(math.pi * 2.0 ** torch.arange(WAVE_OCTAVES), persistent=False)
        self.memory = GatedMemory(hidden, memory) if memory else None
        # The memory's contribution to a picture's logits; zero at first.
        self.recall = nn.Linear(memory, len(READ_INSTRUMENTS) * pitches) if memory else None
        if self.recall is not None:
            nn.init.zeros_(self.recall.weight)
            nn.init.zeros_(self.recall.bias)

    def init_state(self, batch: int) -> State:
        """The state before the first picture."""
        return self.memory.init_state(batch) if self.memory is not None else ()

    def hidden(self, x: Tensor, y: Tensor) -> Tensor:
        """Features of places x, y [N, 14] in -1..1, the input of the last layer: [N, hidden]."""
        at = torch.stack([x, y], -1)
        low, high = at[:, POINTS.index("low_end")], at[:, POINTS.index("high_end")]
        size = (high - low).norm(dim=-1).clamp_min(0.02)[:, None, None]
        instrument_places = ((at - low[:, None]) / size).clamp(-4.0, 4.0)
        relations = instrument_coordinates(torch.cat([x, y], -1))
        waves = relations[..., None] * self.rates
        features = torch.cat(
            [x, y, instrument_places.flatten(1), relations, waves.sin().flatten(1), waves.cos().flatten(1)], -1
        )
        activations: Tensor = self.layers[:-1](features)
        return activations

    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """Places x, y [N, 14] of single pictures -> [N, instruments, pitches]."""
        logits: Tensor = self.layers[-1](self.hidden(x, y))
        return logits.view(-1, len(READ_INSTRUMENTS), self.pitches)

    def follow(self, x: Tensor, y: Tensor, state: State) -> tuple[Tensor, State]:
        """Places x, y [B, T, 14] of successive pictures -> (logits [B, T, instruments, pitches], state)."""
        batch, length = x.shape[:2]
        activations = self.hidden(x.flatten(0, 1), y.flatten(0, 1))
        logits = self.layers[-1](activations).view(batch, length, -1)
        if self.memory is not None and self.recall is not None:
            memories, state = self.memory.step(activations.view(batch, length, -1).transpose(1, 2), state)
            logits = logits + self.recall(memories.transpose(1, 2))
        return logits.view(batch, length, len(READ_INSTRUMENTS), self.pitches), state

    def step(self, embedding: Tensor, state: State) -> tuple[Tensor, State]:
        """Embeddings [B, T, E] -> (odds of each pitch on each instrument [B, T, instruments * pitches], state)."""
        x, y = embedding[..., :TAUGHT_POINTS], embedding[..., self.points : self.points + TAUGHT_POINTS]
        logits, state = self.follow(x, y, state)
        return F.softmax(logits, -1).flatten(2), state
