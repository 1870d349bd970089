"""Poses: spots and lines are where they should be, a still is carried with a point, and an untaught pose stays."""

from __future__ import annotations

import pytest
import torch

from models.embedding import POINTS
from models.pose import LIMBS, SURE, Pose, away_from, carried, cleared, lines, recalled, sampled, spots

SIDE = 32


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
        torch.testing.assert_close(one.at, said.at[:, tick], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(one.spread, said.spread[:, tick], rtol=1e-5, atol=1e-5)


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


def test_a_spot_lies_at_its_point_and_is_as_wide_as_it_is_unsure() -> None:
    at = torch.zeros(1, 2, 2)
    at[0, 0] = torch.tensor([0.5, -0.25])
    found = spots(at, torch.tensor([[0.0, 0.2]]), SIDE)
    y, x = divmod(int(found[0, 0].argmax()), SIDE)
    assert abs((x + 0.5) * 2 / SIDE - 1 - 0.5) < 2 / SIDE
    assert abs((y + 0.5) * 2 / SIDE - 1 + 0.25) < 2 / SIDE
    assert float(found[0, 1].sum()) > 10 * float(found[0, 0].sum())


def test_a_limb_is_a_line_between_its_ends() -> None:
    at = torch.full((1, len(POINTS), 2), 0.9)
    one, other = (POINTS.index(name) for name in LIMBS[0])
    at[0, one], at[0, other] = torch.tensor([-0.5, 0.0]), torch.tensor([0.5, 0.0])
    line = lines(away_from(at, SIDE))[0, 0]
    row = line[SIDE // 2]
    assert float(row[SIDE // 4 + 1 : 3 * SIDE // 4 - 1].min()) > 0.5
    assert float(row[: SIDE // 4 - 4].max()) < 0.1
    assert float(line[: SIDE // 2 - 4].max()) < 0.1 + float(torch.exp(torch.tensor(-0.5 * (0.2 / (2 * SURE)) ** 2)))


def ends(one: tuple[float, float], other: tuple[float, float]) -> torch.Tensor:
    """All points far away, but the ends of the first limb."""
    at = torch.full((1, len(POINTS), 2), 0.9)
    first, second = (POINTS.index(name) for name in LIMBS[0])
    at[0, first], at[0, second] = torch.tensor(one), torch.tensor(other)
    return at


def test_a_limb_takes_the_still_along_as_it_moves_and_turns() -> None:
    picture = torch.nn.functional.avg_pool2d(torch.rand(1, 3, SIDE, SIDE), 5, 1, 2)
    step = 2.0 / SIDE
    before = ends((-0.5, 0.0), (0.5, 0.0))
    there = carried(picture, before, before)
    assert there.shape == (1, len(LIMBS), 3, SIDE, SIDE)
    torch.testing.assert_close(there[:, 0], picture, atol=1e-4, rtol=0.0)
    moved = carried(picture, before, before + torch.tensor([4 * step, -2 * step]))[:, 0]
    torch.testing.assert_close(moved[..., :-2, 4:], picture[..., 2:, :-4], atol=1e-4, rtol=0.0)
    # A quarter turn about the middle: what was to the right is below.
    turned = carried(picture, before, ends((0.0, -0.5), (0.0, 0.5)))[:, 0]
    torch.testing.assert_close(turned, picture.rot90(-1, (2, 3)), atol=1e-4, rtol=0.0)


def test_places_between_pixels_are_as_torch_samples_them() -> None:
    picture = torch.rand(2, 3, 16, 16)
    x, y = (torch.rand(2, 4, 16, 16) * 2.6 - 1.3 for _ in range(2))
    places = torch.stack([x, y], -1).flatten(1, 2)
    want = torch.nn.functional.grid_sample(picture, places, padding_mode="border", align_corners=False)
    found = sampled(picture, x, y)
    torch.testing.assert_close(found.transpose(1, 2).flatten(2, 3), want, atol=1e-6, rtol=0.0)


def test_where_a_limb_was_lies_what_is_about_it() -> None:
    at = ends((-0.5, 0.0), (0.5, 0.0))
    limb = lines(away_from(at, 64))[:, :1] > 0.5
    picture = torch.where(torch.nn.functional.interpolate(limb.float(), scale_factor=2.0) > 0.5, 1.0, -0.5)
    empty = cleared(picture.expand(-1, 3, -1, -1), away_from(at, 128))
    assert float(picture[0, 0, 64, 64]) == 1.0
    assert abs(float(empty[0, 0, 64, 64]) + 0.5) < 0.15
