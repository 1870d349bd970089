"""Where hands are is learned from what is heard, beside where they were."""

from __future__ import annotations

import torch

from models.embedding import POINTS
from models.pose import Pose
from training.players import Played
from training.posing import missed, performed, train_pose


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
    pose = Pose(4, 7, 40, 16)
    errors = train_pose(pose, Played(heard, places, known, ticks), 300)
    assert errors["missed_of_held"] < 0.2
    assert errors["missed_of_taught"] < 0.2
    assert not any(parameter.requires_grad for parameter in pose.parameters())


def test_points_are_to_be_as_far_from_where_the_eyes_found_them_as_they_truly_went() -> None:
    points, pose = len(POINTS), Pose(4, 7, 40, 16)
    places = torch.rand(2, 9, points, 2) - 0.5
    seen = torch.rand(2, 3, 40) - 0.5
    ticks = torch.tensor([[0, 3, 6], [0, 3, 6]])
    played = Played(torch.randn(2, 9, 4), places, seen, ticks)
    rows = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
    clips = performed(pose, played, rows, torch.Generator().manual_seed(0))
    starts = (clips.later == 0).sum(1) - 1
    assert set(starts.tolist()) == {0, 3}, "a still has something after it"
    torch.testing.assert_close(clips.later.sum(1), torch.ones(8))
    for row, start, to_be, still in zip(rows, starts, clips.places, clips.still, strict=True):
        torch.testing.assert_close(to_be[start], pose.begun(still[None])[0])
        torch.testing.assert_close(to_be - to_be[start], places[row] - places[row, start])
    torch.testing.assert_close(missed(pose, played, rows), 1.0)
