"""Teaches the painter's `Pose`: from what is heard and a still's embedding to where the player's points are now."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.pose import Pose
from training.device import Device
from training.players import Played

BATCH, RATE = 24, 1e-3
HELD_PART = 25
"""One clip of so many, the last ones, is held out."""


class Performed(NamedTuple):
    """Clips with a still of each: heard [N, T, D]; the still's embedding [N, E]; where points are to be, [N, T, P, 2].

    They are to be where the eyes found them in the still, and as far from there as they truly went: limbs are carried
    by how they move, and a foot that stays would be carried from where it was seen to where it is.
    later [N, T]: the ticks after the still, all of a clip together 1.
    """

    heard: Tensor
    still: Tensor
    places: Tensor
    later: Tensor


def performed(pose: Pose, played: Played, rows: Tensor, generator: torch.Generator) -> Performed:
    """Clips [N], each after a random still of it, as a pose is to say them."""
    total, views = played.heard.shape[1], played.known.shape[1]
    view = (torch.rand(len(rows), generator=generator) * (views - 1)).long()
    # A show begins with a still of before the first note more often than with any other.
    view = torch.where(torch.rand(len(rows), generator=generator) < 0.5, 0, view)
    start = played.ticks[rows, view].long()[:, None]
    later = (torch.arange(total) > start) / (total - 1.0 - start)
    still, places = played.known[rows, view].float(), played.places[rows].float()
    went = places - places[torch.arange(len(rows)), start[:, 0]][:, None]
    return Performed(played.heard[rows].float(), still, pose.begun(still)[:, None] + went, later)


def train_pose(pose: Pose, played: Played, steps: int, device: Device | None = None) -> dict[str, float]:
    """Train it on performers; ten steps a second on two cores in bfloat16.

    Args:
        pose: changed in place.
        played: performers.
        steps: how many, of all ticks of 24 clips each.
        device: where it stands, and in which precision it learns; None for single precision.

    Returns:
        `missed_of_held`: see `missed`, on held-out clips; `missed_of_taught`: the same on as many of the others.
    """
    device = device or Device("no")
    pose.to(device.device)
    generator = torch.Generator().manual_seed(0)
    count = len(played.heard)
    train, held = torch.arange(count).split([count - max(1, count // HELD_PART), max(1, count // HELD_PART)])
    optimizer = torch.optim.AdamW(pose.parameters(), lr=RATE, weight_decay=0.05)
    pose.train().requires_grad_(True)
    for step in tqdm(range(steps), desc="pose", mininterval=5):
        rows = train[torch.randint(len(train), (BATCH,), generator=generator)]
        clips = Performed(*(x.to(device.device) for x in performed(pose, played, rows, generator)))
        with device.autocast():
            said = pose.throughout(clips.heard, clips.still)
        loss = (pose.loss(said, clips.places) * clips.later).sum() / BATCH
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(pose.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * max(0.02, 1.0 - step / steps)
        optimizer.step()
    pose.cpu().eval().requires_grad_(False)
    return {"missed_of_held": missed(pose, played, held), "missed_of_taught": missed(pose, played, train[: len(held)])}


@torch.no_grad()
def missed(pose: Pose, played: Played, rows: Tensor) -> float:
    """The mean squared distance of what it says of clips from where points are to be, 1 for the still's own places."""
    generator, sums = torch.Generator().manual_seed(1), torch.zeros(2)
    for some in rows.split(4 * BATCH):
        clips = performed(pose, played, some, generator)
        said = pose.throughout(clips.heard, clips.still).at
        for number, at in enumerate((said, pose.begun(clips.still)[:, None])):
            sums[number] += ((at - clips.places).square().sum(-1).mean(-1) * clips.later).sum()
    return float(sums[0] / sums[1])
