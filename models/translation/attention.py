"""Sliding-window attention on a shared time base: positions are in seconds, so that streams of any rates combine.

Rotary positions (Su et al. 2021) turn queries and keys by angles proportional to their time in seconds. Angles are
taken in double precision, so hours of a show cost no accuracy; keys are stored already turned.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.streaming_law import State

SHORTEST_S, LONGEST_S = 0.16, 8.0
"""Wavelengths of the rotary positions, in seconds: four ticks to four windows."""


def rotary(times: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines for times in seconds.

    Args:
        times: float64 [B, T].
        head_dim: even.

    Returns:
        Two float32 tensors [B, 1, T, head_dim / 2].
    """
    pairs = head_dim // 2
    steps = torch.arange(pairs, dtype=torch.float64, device=times.device) / max(1, pairs - 1)
    omega = 2 * math.pi / (SHORTEST_S * (LONGEST_S / SHORTEST_S) ** steps)
    angle = torch.remainder(times[:, None, :, None] * omega, 2 * math.pi)
    return angle.cos().float(), angle.sin().float()


def turn(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs of channels: x [B, H, T, head_dim]."""
    cos, sin = turns
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class WindowAttention(nn.Module):
    """Attention from a stream of queries to a window of a stream of memories of the same length.

    Query t attends to memories t - window + 1 .. t. The state is the last window - 1 keys (already rotated) and values,
    and 1 for each that has been filled: (keys [B, H, W-1, D], values [B, H, W-1, D], filled [B, W-1]).

    Args:
        dim: width of queries and output.
        memory_dim: width of the memories.
        heads: number of heads; dim must be a multiple.
        window: how many memories a query attends to, the present one included.
    """

    def __init__(self, dim: int, memory_dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window, self.head_dim = heads, window, dim // heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.keys_values = nn.Linear(memory_dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)

    def init_state(self, batch: int) -> State:
        """An empty window."""
        zeros = self.query.weight.new_zeros(batch, self.heads, self.window - 1, self.head_dim)
        return zeros, zeros.clone(), zeros.new_zeros(batch, self.window - 1)

    def step(
        self,
        x: Tensor,
        memory: Tensor,
        turns: tuple[Tensor, Tensor],
        memory_turns: tuple[Tensor, Tensor],
        state: State,
    ) -> tuple[Tensor, State]:
        """X [B, T, dim], memory [B, T, memory_dim] -> (y [B, T, dim], state)."""
        batch, length, _ = x.shape
        q = turn(self.query(x).view(batch, length, self.heads, self.head_dim).transpose(1, 2), turns)
        k, v = self.keys_values(memory).view(batch, length, 2, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        keys = torch.cat([state[0], turn(k, memory_turns)], dim=2)
        values = torch.cat([state[1], v], dim=2)
        filled = torch.cat([state[2], state[2].new_ones(batch, length)], dim=1)
        past = self.window - 1
        scores = q @ keys.transpose(-1, -2) * (self.head_dim**-0.5)
        age = torch.arange(length, device=x.device)[:, None] + past - torch.arange(past + length, device=x.device)
        visible = ((age >= 0) & (age < self.window))[None] & (filled > 0)[:, None]
        weights = scores.masked_fill(~visible[:, None], float("-inf")).softmax(-1)
        y = (weights @ values).transpose(1, 2).reshape(batch, length, -1)
        return self.out(y), (keys[:, :, length:], values[:, :, length:], filled[:, length:])
