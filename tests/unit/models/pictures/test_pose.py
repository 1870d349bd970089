"""Poses: an untaught one stays, the streaming law holds, a still that is changed is seen at once, signs are kept."""

from __future__ import annotations

import torch

from models.pictures.pose import PointEstimate, PoseConfig, PoseEstimator
from models.pictures.sound_encoder import KEEP
from models.vision.embedding import POINTS

SIZES = {"latent_dim": 4, "seen_dim": 40, "points": 16, "width": 16, "stroke_width": 8}
SMALL = PoseConfig(**SIZES, levels=(1, KEEP, 4, KEEP), stroke_levels=(2, KEEP))


def lively() -> PoseEstimator:
    torch.manual_seed(0)
    pose = PoseEstimator(SMALL)
    torch.nn.init.normal_(pose.say[-1].get_parameter("weight"))
    for view in pose.views:
        torch.nn.init.normal_(view.get_parameter("turn.weight"))
    return pose.eval()


def test_an_untaught_pose_is_the_stills() -> None:
    seen = torch.rand(3, 40) - 0.5
    said = PoseEstimator(SMALL)(torch.randn(3, 7, 4), seen)
    assert said.at.shape == (3, 7, len(POINTS), 2)
    for tick in (0, 6):
        torch.testing.assert_close(said.at[:, tick, :, 0], seen[:, : len(POINTS)])
        torch.testing.assert_close(said.at[:, tick, :, 1], seen[:, 16 : 16 + len(POINTS)])
    assert bool((said.spread > 0.0).all())


@torch.no_grad()
def test_a_clip_at_once_is_its_blocks_one_after_the_other() -> None:
    pose, heard, seen = lively(), torch.randn(2, 40, 4), torch.rand(2, 40) - 0.5
    whole = pose(heard, seen)
    for sizes in (40 * [1], [3, 1, 20, 16]):
        state, parts = pose.init_state(2), []
        for block in heard.split(sizes, 1):
            said, state = pose.step(block, seen, state)
            parts.append(said)
        for name in PointEstimate._fields:
            got, want = (torch.cat([getattr(part, name) for part in some], 1) for some in (parts, [whole]))
            torch.testing.assert_close(got, want, rtol=0.0, atol=1e-5 * float(want.abs().max()))


@torch.no_grad()
def test_nothing_to_come_is_heard() -> None:
    pose, heard, seen = lively(), torch.randn(1, 30, 4), torch.zeros(1, 40)
    other = heard.clone()
    other[:, 12] += 1.0
    moved = (pose(heard, seen).at != pose(other, seen).at)[0].flatten(1).any(1)
    assert moved.nonzero().flatten().tolist() == list(range(12, 30))


@torch.no_grad()
def test_another_still_is_looked_at_as_if_it_had_always_been_there() -> None:
    pose, heard = lively(), torch.randn(1, 20, 4)
    one, other = torch.rand(2, 1, 40) - 0.5
    _, state = pose.step(heard[:, :15], one, pose.init_state(1))
    changed, _ = pose.step(heard[:, 15:], other, state)
    want = pose(heard, other).at[:, 15:]
    torch.testing.assert_close(changed.at, want, rtol=0.0, atol=1e-5 * float(want.abs().max()))


@torch.no_grad()
def test_before_the_first_tick_the_convolutions_heard_what_is_in_it() -> None:
    torch.manual_seed(0)
    pose, seen = PoseEstimator(PoseConfig(**SIZES, levels=(1, 4), stroke_levels=(2,))), torch.zeros(1, 40)
    torch.nn.init.normal_(pose.say[-1].get_parameter("weight"))
    heard = torch.randn(1, 1, 4).expand(-1, 12, -1)
    said = pose(heard, seen).at
    torch.testing.assert_close(said, said[:, :1].expand(-1, 12, -1, -1), rtol=0.0, atol=1e-5)


def test_which_way_a_bow_goes_is_found() -> None:
    """A sign that turns round with each stroke, of strokes at random: no window of a fixed length says it."""
    torch.manual_seed(0)
    pose = PoseEstimator(PoseConfig(**SIZES, levels=(KEEP, 1), stroke_levels=()))
    optimizer = torch.optim.Adam(pose.parameters(), 1e-2)
    seen, errors = torch.zeros(16, 40), []
    for _ in range(200):
        strokes = torch.rand(16, 40) < 0.2
        way = 1.0 - 2.0 * (strokes.cumsum(1) % 2)
        heard = torch.cat([strokes[..., None].float(), torch.zeros(16, 40, 3)], -1)
        error = (pose(heard, seen).at[..., 0, 0] - 0.5 * way).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[0] > 0.2
    assert sum(errors[-10:]) / 10 < 0.05


def test_to_be_sure_and_wrong_costs_most() -> None:
    pose = PoseEstimator(SMALL)
    at, true = torch.zeros(1, len(POINTS), 2), torch.full((1, len(POINTS), 2), 0.3)
    sure, unsure = torch.zeros(1, len(POINTS)), torch.full((1, len(POINTS)), 0.27)
    assert float(pose.loss(PointEstimate(at, sure), true)) > float(pose.loss(PointEstimate(at, unsure), true))
    assert float(pose.loss(PointEstimate(at, sure), at)) < float(pose.loss(PointEstimate(at, unsure), at))
