"""Poses: an untaught one stays, each tick is as in a clip, and nothing to come is heard."""

from __future__ import annotations

import pytest
import torch

from models.embedding import POINTS
from models.pose import Pose, recalled


def test_an_untaught_pose_is_the_stills() -> None:
    pose = Pose(4, 1, 40, 16)
    seen = torch.rand(3, 40) - 0.5
    said = pose(torch.randn(3, 4), seen)
    assert said.at.shape == (3, len(POINTS), 2)
    torch.testing.assert_close(said.at[..., 0], seen[:, : len(POINTS)])
    torch.testing.assert_close(said.at[..., 1], seen[:, 16 : 16 + len(POINTS)])
    assert float(said.spread.min()) > 0.0


def test_the_newest_tick_is_said_as_all_of_a_clip_are_while_it_is_learned() -> None:
    torch.manual_seed(0)
    pose = Pose(4, 15, 40, 16)
    for parameter in pose.say.parameters():
        torch.nn.init.normal_(parameter)
    heard, seen = torch.randn(2, 40, 4), torch.rand(2, 40) - 0.5
    said = pose.throughout(heard, seen)
    for tick in (0, 5, 14, 39):
        now = torch.stack([recalled(clip, torch.tensor([tick]), 15)[0] for clip in heard])
        one = pose(now, seen)
        # As the law has it, relative to the largest of what is said: 4e-7 was measured, of numbers up to 70.
        torch.testing.assert_close(one.at, said.at[:, tick], rtol=0.0, atol=1e-5 * float(said.at.detach().abs().max()))
        torch.testing.assert_close(one.spread, said.spread[:, tick], rtol=0.0, atol=1e-5)


def test_a_pose_hears_nothing_of_what_is_to_come_or_long_past() -> None:
    pose = Pose(4, 7, 40, 16)
    torch.nn.init.normal_(pose.say[-1].weight)
    heard, seen = torch.randn(1, 30, 4), torch.zeros(1, 40)
    other = heard.clone()
    other[:, 12] += 1.0
    moved = (pose.throughout(heard, seen).at != pose.throughout(other, seen).at)[0].flatten(1).any(1)
    assert moved.nonzero().flatten().tolist() == list(range(12, 19))


@pytest.mark.parametrize("past", [0, 2, 126])
def test_only_a_power_of_two_less_one_is_heard(past: int) -> None:
    with pytest.raises(ValueError, match="one less than a power of two"):
        Pose(4, past, 40, 16)


def test_to_be_sure_and_wrong_costs_most() -> None:
    pose = Pose(4, 1, 40, 16)
    at, true = torch.zeros(1, len(POINTS), 2), torch.full((1, len(POINTS), 2), 0.3)
    sure, unsure = torch.zeros(1, len(POINTS)), torch.full((1, len(POINTS)), 0.27)
    said = type(pose(torch.zeros(1, 4), torch.zeros(1, 40)))
    assert float(pose.loss(said(at, sure), true)) > float(pose.loss(said(at, unsure), true))
    assert float(pose.loss(said(at, sure), at)) < float(pose.loss(said(at, unsure), at))
