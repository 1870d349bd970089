"""Trains the painter's `Bends`, which place elbows and knees from the points that the eyes find."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.pictures.limbs import BENDS, JOINTS, JointEstimator, trunk_length
from streaming.conventions import TICKS_PER_SECOND
from training.synthesis.conventions import CLIP_TICKS
from training.synthesis.recordings import performer_of

MOMENTS = 8
"""Random ticks of each player."""
BATCH, RATE = 512, 2e-3
WANDER = 0.01
"""Standard deviation of the error of the eyes' points, in -1..1."""


def body_joints(seeds: Iterable[int]) -> Tensor:
    """Where the joints of players are at random ticks: float32 [N * MOMENTS, J, 2] of `JOINTS`, in -1..1.

    Points are clipped to the picture as the eyes see them; elbows and knees are not.
    """
    players: list[NDArray[np.float64]] = []
    for seed in seeds:
        performer = performer_of(seed, undisturbed=True)
        ticks = np.random.default_rng([seed, 912]).integers(0, CLIP_TICKS, MOMENTS)
        players += [performer.places(tick / TICKS_PER_SECOND, JOINTS) for tick in ticks]
    places = torch.from_numpy(2.0 * np.stack(players) - 1.0).float()
    places[:, : -len(BENDS)].clamp_(-1.0, 1.0)
    return places


def train_bends(bends: JointEstimator, places: Tensor, steps: int) -> dict[str, float]:
    """Train the joint network.

    Args:
        bends: changed in place.
        places: from `body_joints`; the last tenth is held out.
        steps: optimizer steps, of 512 bodies each.

    Returns:
        `off_of_held`: mean joint error on held-out bodies, in trunk lengths; `off_of_straight`: the same for straight
        limbs, the control.
    """
    held_out = len(places) // 10
    train, generator = places[:-held_out], torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(bends.parameters(), lr=RATE, weight_decay=0.01)
    straight = _mean_error(bends, places[-held_out:])
    bends.train().requires_grad_(True)
    for step in tqdm(range(steps), desc="bends", mininterval=5):
        rows = train[torch.randint(len(train), (BATCH,), generator=generator)]
        points = rows[:, : -len(BENDS)] + WANDER * torch.randn(BATCH, 1, 1, generator=generator).clamp(-2, 2)
        points = points + WANDER * torch.randn(points.shape, generator=generator)
        error = (bends(points) - rows)[:, -len(BENDS) :] / trunk_length(points)[:, None, None]
        loss = nn.functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = RATE * max(0.02, 1.0 - step / steps)
        optimizer.step()
    bends.eval().requires_grad_(False)
    return {"off_of_held": _mean_error(bends, places[-held_out:]), "off_of_straight": straight}


@torch.no_grad()
def _mean_error(bends: JointEstimator, places: Tensor) -> float:
    points = places[:, : -len(BENDS)]
    away = (bends(points) - places)[:, -len(BENDS) :].square().sum(-1).sqrt()
    return float((away / trunk_length(points)[:, None]).mean())
