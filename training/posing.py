"""Teaches the painter's `Pose`: from what is heard and a still's embedding to where the player's points are now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from models.pose import PAST, Pose, before

BATCH, RATE = 512, 2e-3
HELD_PART = 25
"""One clip of so many, the last ones, is held out."""


class Played(NamedTuple):
    """Clips of players, T ticks each, that were looked at V times.

    heard [N, T, D], audio latents; places [N, T, P, 2], where the points of `models.embedding.POINTS` truly are, in
    -1..1; known [N, V, E] and ticks [N, V], the embeddings of what was seen and when that was, the first tick first.
    """

    heard: Tensor
    places: Tensor
    known: Tensor
    ticks: Tensor


class Moment(NamedTuple):
    """What is heard at each of some moments and before, [N, L * D]; the embedding of an earlier still; where they are.

    The still's is [N, E], the places [N, P, 2].
    """

    heard: Tensor
    still: Tensor
    places: Tensor


def moments(played: Played, rows: Tensor, generator: torch.Generator, past: Sequence[int] = PAST) -> Moment:
    """For clips [N], each at a random tick after a random still of it."""
    total, views = played.heard.shape[1], played.known.shape[1]
    view = (torch.rand(len(rows), generator=generator) * (views - 1)).long()
    # A show begins with a still of before the first note more often than with any other.
    view = torch.where(torch.rand(len(rows), generator=generator) < 0.5, 0, view)
    start = played.ticks[rows, view].long()
    tick = start + 1 + (torch.rand(len(rows), generator=generator) * (total - 1 - start)).long()
    heard = played.heard[rows[:, None], before(tick, past)].flatten(1).float()
    return Moment(heard, played.known[rows, view].float(), played.places[rows, tick].float())


def train_pose(pose: Pose, played: Played, steps: int = 16_000, past: Sequence[int] = PAST) -> dict[str, float]:
    """Train it on performers; nine minutes for 16,000 steps.

    Args:
        pose: changed in place.
        played: performers.
        steps: how many, of 512 moments each.
        past: what it is told of, ticks back.

    Returns:
        On held-out clips: `missed`, the mean squared distance of what it says from the true points, in -1..1, and
        `held`, that of where they were in the still.
    """
    generator = torch.Generator().manual_seed(0)
    count = len(played.heard)
    train, held = torch.arange(count).split([count - max(1, count // HELD_PART), max(1, count // HELD_PART)])
    optimizer = torch.optim.AdamW(pose.parameters(), lr=RATE, weight_decay=0.05)
    pose.train().requires_grad_(True)
    for step in tqdm(range(steps), desc="pose", mininterval=5):
        rows = train[torch.randint(len(train), (BATCH,), generator=generator)]
        moment = moments(played, rows, generator, past)
        loss = pose.loss(pose(moment.heard, moment.still), moment.places).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * max(0.02, 1.0 - step / steps)
        optimizer.step()
    pose.eval().requires_grad_(False)
    with torch.no_grad():
        rows = held[torch.randint(len(held), (8 * BATCH,), generator=generator)]
        moment = moments(played, rows, generator, past)
        missed = (pose(moment.heard, moment.still).at - moment.places).square().sum(-1).mean()
        stayed = (pose.begun(moment.still) - moment.places).square().sum(-1).mean()
    return {"missed": float(missed), "held": float(stayed)}
