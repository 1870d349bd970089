"""Where hands are is learned from what is heard, beside where they were."""

from __future__ import annotations

import torch

from models.embedding import POINTS
from models.pose import Pose
from training.posing import Played, train_pose


def test_what_was_heard_says_where_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    count, total, points = 30, 50, len(POINTS)
    heard = torch.randn(count, total, 4, generator=generator)
    known = torch.zeros(count, 3, 40)
    ticks = torch.tensor([[0, 10, 20]]).expand(count, -1)
    places = torch.zeros(count, total, points, 2)
    # The left hand is where the first number of three ticks ago says, in a picture whose middle is anywhere.
    middle = 0.2 * torch.randn(count, 1, generator=generator)
    said = 0.3 * heard[..., 0].tanh()
    places[..., 0, 0] = middle + torch.cat([said[:, :1].expand(-1, 3), said[:, :-3]], 1)
    known[..., 0] = places.gather(1, ticks[..., None, None].expand(-1, -1, points, 2))[..., 0, 0]
    known[..., 30] = middle
    torch.manual_seed(0)
    pose = Pose(3 * 4, 40, 16)
    errors = train_pose(pose, Played(heard, places, known, ticks), 300, (0, 1, 3))
    assert errors["missed"] < 0.2 * errors["held"]
    assert not any(parameter.requires_grad for parameter in pose.parameters())
