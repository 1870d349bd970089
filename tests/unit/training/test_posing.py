"""Where hands are is learned from what is heard, beside where they were."""

from __future__ import annotations

import torch

from models.pose import Pose
from training.posing import train_pose


def test_what_is_heard_says_where_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    count, ticks = 30, 50
    heard = torch.randn(count, ticks, 4, generator=generator)
    seen = torch.zeros(count, ticks, 40)
    # The left hand is where the first number says, in a picture whose middle is anywhere.
    seen[..., 0] = 0.3 * heard[..., 0].tanh() + 0.2 * torch.randn(count, 1, generator=generator)
    seen[..., 30] = seen[..., 0] - 0.3 * heard[..., 0].tanh()
    torch.manual_seed(0)
    pose = Pose(4, 40, 16)
    errors = train_pose(pose, heard, seen, 300)
    assert errors["missed"] < 0.2 * errors["held"]
    assert not any(parameter.requires_grad for parameter in pose.parameters())
