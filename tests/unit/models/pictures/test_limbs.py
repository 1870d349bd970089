"""Limbs: spots and lines lie where they should, limbs bend and keep their thickness, and take the still along."""

from __future__ import annotations

import torch

from models.pictures.limbs import (
    BENDS,
    FREE,
    JOINTS,
    LIMBS,
    STAYING,
    JointEstimator,
    carry_limbs,
    erase_limbs,
    limb_distances,
    limb_maps,
    point_maps,
    sample_at,
    trunk_length,
)
from models.pictures.pose import MIN_SPREAD
from models.vision.embedding import POINTS

SIDE = 32


def test_untaught_limbs_are_straight() -> None:
    points = torch.rand(3, len(POINTS), 2) - 0.5
    joints = JointEstimator()(points)
    assert joints.shape == (3, len(JOINTS), 2)
    assert torch.equal(joints[:, : len(POINTS)], points)
    for name, (one, other) in BENDS.items():
        middle = 0.5 * (points[:, POINTS.index(one)] + points[:, POINTS.index(other)])
        torch.testing.assert_close(joints[:, JOINTS.index(name)], middle)


def test_limbs_bend_alike_wherever_and_however_large_a_player_is() -> None:
    torch.manual_seed(0)
    bends = JointEstimator()
    torch.nn.init.normal_(bends.think[-1].get_parameter("weight"))
    points = 0.5 * torch.rand(2, len(POINTS), 2)
    points[:, POINTS.index("pelvis")] = points[:, POINTS.index("neck")] + torch.tensor([0.0, 0.5])
    elsewhere = 0.6 * points + torch.tensor([0.2, -0.3])
    torch.testing.assert_close(bends(elsewhere), 0.6 * bends(points) + torch.tensor([0.2, -0.3]), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(trunk_length(elsewhere), 0.6 * trunk_length(points))


def test_every_limb_has_two_joints_and_only_trunk_and_head_stay() -> None:
    assert all(joint in JOINTS for limb in LIMBS for joint in limb)
    assert LIMBS[FREE:] == (("pelvis", "neck"), ("neck", "head"))


def test_a_spot_lies_at_its_point_and_is_as_wide_as_it_is_unsure() -> None:
    at = torch.zeros(1, 2, 2)
    at[0, 0] = torch.tensor([0.5, -0.25])
    found = point_maps(at, torch.tensor([[0.0, 0.2]]), SIDE)
    y, x = divmod(int(found[0, 0].argmax()), SIDE)
    assert abs((x + 0.5) * 2 / SIDE - 1 - 0.5) < 2 / SIDE
    assert abs((y + 0.5) * 2 / SIDE - 1 + 0.25) < 2 / SIDE
    assert float(found[0, 1].sum()) > 10 * float(found[0, 0].sum())


def test_a_limb_is_a_line_between_its_ends() -> None:
    at = torch.full((1, len(JOINTS), 2), 0.9)
    one, other = (JOINTS.index(name) for name in LIMBS[0])
    at[0, one], at[0, other] = torch.tensor([-0.5, 0.0]), torch.tensor([0.5, 0.0])
    line = limb_maps(limb_distances(at, SIDE))[0, 0]
    row = line[SIDE // 2]
    assert float(row[SIDE // 4 + 1 : 3 * SIDE // 4 - 1].min()) > 0.5
    assert float(row[: SIDE // 4 - 4].max()) < 0.1
    assert float(line[: SIDE // 2 - 4].max()) < 0.1 + float(
        torch.exp(torch.tensor(-0.5 * (0.2 / (2 * MIN_SPREAD)) ** 2))
    )


def ends(one: tuple[float, float], other: tuple[float, float]) -> torch.Tensor:
    """All points far away, but the ends of the first limb."""
    at = torch.full((1, len(JOINTS), 2), 0.9)
    first, second = (JOINTS.index(name) for name in LIMBS[0])
    at[0, first], at[0, second] = torch.tensor(one), torch.tensor(other)
    return at


def test_a_limb_takes_the_still_along_as_it_moves_and_turns() -> None:
    picture = torch.nn.functional.avg_pool2d(torch.rand(1, 3, SIDE, SIDE), 5, 1, 2)
    step = 2.0 / SIDE
    before = ends((-0.5, 0.0), (0.5, 0.0))
    there = carry_limbs(picture, before, before)
    assert there.shape == (1, len(LIMBS), 3, SIDE, SIDE)
    torch.testing.assert_close(there[:, 0], picture, atol=1e-4, rtol=0.0)
    moved = carry_limbs(picture, before, before + torch.tensor([4 * step, -2 * step]))[:, 0]
    torch.testing.assert_close(moved[..., :-2, 4:], picture[..., 2:, :-4], atol=1e-4, rtol=0.0)
    # A quarter turn about the middle: what was to the right is below.
    turned = carry_limbs(picture, before, ends((0.0, -0.5), (0.0, 0.5)))[:, 0]
    torch.testing.assert_close(turned, picture.rot90(-1, (2, 3)), atol=1e-4, rtol=0.0)


def test_places_between_pixels_are_as_torch_samples_them() -> None:
    picture = torch.rand(2, 3, 16, 16)
    x, y = (torch.rand(2, 4, 16, 16) * 2.6 - 1.3 for _ in range(2))
    places = torch.stack([x, y], -1).flatten(1, 2)
    want = torch.nn.functional.grid_sample(picture, places, padding_mode="border", align_corners=False)
    found = sample_at(picture, x, y)
    torch.testing.assert_close(found.transpose(1, 2).flatten(2, 3), want, atol=1e-6, rtol=0.0)


def test_where_a_limb_was_lies_the_ground_or_the_shirt_about_it() -> None:
    """A light arm goes from before a grey trunk out over the dark ground, far from which is a white wall."""
    at = ends((0.0, 0.0), (0.8, 0.0))
    at[0, JOINTS.index("neck")], at[0, JOINTS.index("pelvis")] = torch.tensor([0.0, -0.3]), torch.tensor([0.0, 0.3])
    y, x = torch.meshgrid(*(2 * [(torch.arange(64) + 0.5) / 32 - 1.0]), indexing="ij")
    chest = (x.abs() < 0.6 * STAYING[0]) & (y.abs() < 0.4)
    picture = torch.where(chest, 0.3, torch.where(x < -0.8, 1.0, -0.5))
    picture = torch.where((y.abs() < 0.1) & (x > 0.0) & (x < 0.8), 1.0, picture).expand(1, 3, -1, -1)
    assert float(picture[0, 0, 32, 35]) == float(picture[0, 0, 32, 52]) == 1.0
    armless, empty = erase_limbs(picture, limb_distances(at, 64), trunk_length(at))[0, :, 0]
    assert abs(float(armless[32, 35]) - 0.3) < 0.15
    assert abs(float(armless[32, 52]) + 0.5) < 0.15
    assert abs(float(empty[32, 32]) + 0.5) < 0.15
    for without in (armless, empty):
        torch.testing.assert_close(without[:, :4], picture[0, 0, :, :4], atol=0.02, rtol=0.0)
    torch.testing.assert_close(armless[20:24, 27:37], picture[0, 0, 20:24, 27:37], atol=0.1, rtol=0.0)


def test_a_limb_that_seems_longer_is_no_thicker_and_its_hand_no_larger() -> None:
    at = ends((-0.5, 0.0), (0.0, 0.0))
    y, x = torch.meshgrid(*(2 * [(torch.arange(128) + 0.5) / 64 - 1.0]), indexing="ij")
    arm = ((x > -0.5) & (x < 0.0) & (y.abs() < 0.1)).float()
    hand = ((x > 0.0) & (x < 0.2) & (y.abs() < 0.2)).float()
    picture = torch.stack([arm, hand, torch.zeros_like(arm)])[None]
    longer = carry_limbs(picture, at, ends((-0.5, 0.0), (0.5, 0.0)))[0, 0]
    assert abs(float(longer[0].sum() / arm.sum()) - 2.0) < 0.1, "twice as long"
    assert abs(float(longer[1].sum() / hand.sum()) - 1.0) < 0.05, "as large"
    middle = longer[1].sum(0) @ x[0] / longer[1].sum()
    assert abs(float(middle) - 0.6) < 0.02, "at the arm's end"
    assert float(longer[0, (y[:, 0].abs() > 0.15)].sum()) == 0.0


def test_a_limb_that_points_at_who_looks_is_only_moved() -> None:
    picture = torch.nn.functional.avg_pool2d(torch.rand(1, 3, SIDE, SIDE), 5, 1, 2)
    step = 2.0 / SIDE
    before, now = ends((0.0, 0.0), (0.001, 0.0)), ends((4 * step, 0.0), (4 * step, 0.3))
    moved = carry_limbs(picture, before, now)[:, 0]
    torch.testing.assert_close(moved[..., 4:], picture[..., :-4], atol=1e-4, rtol=0.0)
