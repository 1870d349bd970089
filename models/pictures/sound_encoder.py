"""A causal encoder of audio latents for what follows sound: dilated convolutions and memories with signed gates."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.streaming_law import State

MAX_RETENTION = 0.998
"""The largest share of a memory that is left at the next tick: half is left after fourteen seconds."""
KEEP = -1
"""In `SoundEncoder`'s levels: this level is a memory."""


class DilatedConv(nn.Module):
    """A residual causal dilated convolution of three taps (van den Oord et al. 2016, "WaveNet").

    The first tick stands for the ticks before it.
    """

    def __init__(self, width: int, apart: int) -> None:
        super().__init__()
        self.apart = apart
        self.known = nn.LayerNorm(width)
        self.now, self.earlier, self.earliest = (nn.Linear(width, width, bias=first) for first in (True, False, False))
        self.out = nn.Linear(width, width)

    def init_state(self, like: Tensor, batch: int) -> Tensor:
        """The features of earlier ticks, [B, 2 apart, width]."""
        return like.new_zeros(batch, 2 * self.apart, like.shape[-1])

    def step(self, x: Tensor, past: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """X [B, T, width], fresh [B, 1, 1] (true before the first tick) -> (x, the new past)."""
        normalized = self.known(x)
        history = torch.cat([torch.where(fresh, normalized[:, :1], past), normalized], 1)
        count = x.shape[1]
        earlier = self.earlier(history[:, self.apart : self.apart + count])
        update = F.gelu(self.now(normalized) + earlier + self.earliest(history[:, :count]))
        return x + self.out(update), history[:, count:]


class SignedMemory(nn.Module):
    """A residual linear recurrence whose factors may be negative.

    At every tick each number of the memory is multiplied by a gate between -1 and 1, and an increment is added. A bow
    reverses its direction with each stroke, and its place is the sum of its strokes. Convolutions over five seconds did
    not learn that. Negative factors: Grazzi et al. 2024, "Unlocking state-tracking in linear RNNs through negative
    eigenvalues"; gates: De et al. 2024, "Griffin".
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.known = nn.LayerNorm(width)
        self.into = nn.Linear(width, 4 * width)
        self.kept = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)
        with torch.no_grad():
            # At first the memory decays slowly, at different rates, and little is added.
            self.into.weight[:width] *= 2.0
            self.into.bias[:width] = torch.linspace(1.0, 3.0, width)
            self.into.bias[width : 2 * width] = -2.0

    def init_state(self, like: Tensor, batch: int) -> Tensor:
        """An empty memory, [B, width]."""
        return like.new_zeros(batch, like.shape[-1])

    def step(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """X [B, T, width], memory [B, width] -> (x, the new memory)."""
        decay, share, values, gate = self.into(self.known(x)).chunk(4, -1)
        factors, increments, after = MAX_RETENTION * torch.tanh(decay), torch.sigmoid(share) * values, list[Tensor]()
        for factor, more in zip(factors.unbind(1), increments.unbind(1), strict=True):
            memory = factor * memory + more
            after.append(memory)
        return x + self.out(self.kept(torch.stack(after, 1)) * F.gelu(gate)), memory


class SoundEncoder(nn.Module):
    """Features of what is heard from audio latents, tick by tick: causal convolutions and memories.

    Args:
        latent_dim: width of an audio latent.
        width: of the features.
        levels: in order, the dilation of a convolution in ticks, or `KEEP` for a memory.
    """

    def __init__(self, latent_dim: int, width: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.hear = nn.Linear(latent_dim, width)
        self.levels = nn.ModuleList(
            SignedMemory(width) if apart == KEEP else DilatedConv(width, apart) for apart in levels
        )

    def init_state(self, batch: int) -> State:
        """The state before the first tick: a flag [B, 1] that is 0, and each level's state."""
        like = self.hear.bias
        levels: Any = self.levels
        return (like.new_zeros(batch, 1), *(level.init_state(like, batch) for level in levels))

    def step(self, audio_latents: Tensor, state: State) -> tuple[Tensor, State]:
        """Audio latents [B, T, latent_dim] -> features [B, T, width]."""
        x, after, fresh = self.hear(audio_latents), list[Tensor](), (state[0] == 0.0)[..., None]
        levels: Any = self.levels
        for level, past in zip(levels, state[1:], strict=True):
            x, now = level.step(x, past, fresh) if isinstance(level, DilatedConv) else level.step(x, past)
            after.append(now)
        return x, (torch.ones_like(state[0]), *after)
