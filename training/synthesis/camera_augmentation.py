"""Variations of recorded motion, as if seen by another camera."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

UNSURE = 0.0025
"""Standard deviation of the noise on embeddings, in half pictures; more would hide a semitone."""


def unsure(embedding: Tensor, rng: np.random.Generator) -> Tensor:
    """Embeddings [..., E] of any precision with a little noise, as float32."""
    noise = rng.normal(0.0, UNSURE, tuple(embedding.shape)).astype(np.float32)
    return embedding.float() + torch.from_numpy(noise)


def vary(flow: Tensor, speed: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Motion as a nearer or farther camera has it, shifted by up to a cell, with parts of the picture hidden.

    Args:
        flow: [B, T, 2, G, G].
        speed: [B, T, G, G].
        rng: random generator; one draw for each of the B rows.
    """
    batch, grid = flow.shape[0], flow.shape[-1]
    gain = np.exp(rng.normal(0, 0.15, (batch, 1, 1, 1)))
    hidden = (rng.random((batch, 1, grid, grid)) < 0.08) & (rng.random((batch, 1, 1, 1)) < 0.5)
    weight = torch.from_numpy((gain * ~hidden).astype(np.float32))
    flow, speed = flow * weight[:, :, None], speed * weight
    shifts = rng.integers(-1, 2, (batch, 2)) * (rng.random((batch, 1)) < 0.6)
    for row, (down, right) in enumerate(shifts.tolist()):
        if down or right:
            flow[row] = flow[row].roll((down, right), (-2, -1))
            speed[row] = speed[row].roll((down, right), (-2, -1))
    return flow, speed
