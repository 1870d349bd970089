"""Teaches the painter's `Pose`: from what is heard and a still's embedding to where the player's points are now."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from models.pose import Pose

BATCH, RATE = 512, 1e-3
HELD_PART = 25
"""One clip of so many, the last ones, is held out."""


def moments(heard: Tensor, seen: Tensor, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """For clips [N], each at a random tick: what is heard, the embedding of an earlier still, and that of the tick."""
    total = heard.shape[1]
    start = (torch.rand(len(rows), generator=generator) * (total - 1)).long()
    # A show begins with a still of before the first note more often than with any other.
    start = torch.where(torch.rand(len(rows), generator=generator) < 0.5, 0, start)
    tick = start + 1 + (torch.rand(len(rows), generator=generator) * (total - 1 - start)).long()
    return heard[rows, tick].float(), seen[rows, start].float(), seen[rows, tick].float()


def train_pose(pose: Pose, heard: Tensor, seen: Tensor, steps: int = 8_000) -> dict[str, float]:
    """Train it on performers; two minutes for 8,000 steps.

    Args:
        pose: changed in place.
        heard: what is told of what clips are heard to be at ticks that follow one another, [N, T, W].
        seen: the embeddings of what is seen then, [N, T, E].
        steps: how many, of 512 moments each.

    Returns:
        On held-out clips: `missed`, the mean squared distance of what it says from the true points, in -1..1, and
        `held`, that of where they were in the still.
    """
    generator = torch.Generator().manual_seed(0)
    count = len(heard)
    train, held = torch.arange(count).split([count - max(1, count // HELD_PART), max(1, count // HELD_PART)])
    optimizer = torch.optim.AdamW(pose.parameters(), lr=RATE, weight_decay=0.05)
    pose.train().requires_grad_(True)
    for step in tqdm(range(steps), desc="pose", mininterval=5):
        rows = train[torch.randint(len(train), (BATCH,), generator=generator)]
        sound, still, now = moments(heard, seen, rows, generator)
        loss = pose.loss(pose(sound, still), pose.begun(now)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * max(0.02, 1.0 - step / steps)
        optimizer.step()
    pose.eval().requires_grad_(False)
    with torch.no_grad():
        rows = held[torch.randint(len(held), (8 * BATCH,), generator=generator)]
        sound, still, now = moments(heard, seen, rows, generator)
        true = pose.begun(now)
        missed = (pose(sound, still).at - true).square().sum(-1).mean()
        stayed = (pose.begun(still) - true).square().sum(-1).mean()
    return {"missed": float(missed), "held": float(stayed)}
