"""Where hands are is learned from what is heard, beside where they were; and what a pose says of stills is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.pictures.pose import PoseConfig, PoseEstimator
from models.pictures.sound_encoder import KEEP
from models.vision.embedding import POINTS
from training.datasets.pose import PlayerClips
from training.networks.pictures.pose import (
    PoseRecipe,
    PoseTraining,
    PoseWithHeads,
    draw_batch,
    predict_points,
    relative_error,
)

SMALL = PoseConfig(
    latent_dim=4, seen_dim=40, points=16, width=64, levels=(1, KEEP, 2), stroke_width=8, stroke_levels=(1, KEEP)
)
RECIPE = PoseRecipe(steps=300, batch=24, bowing=20, learning_rate=5e-3)


def toy(count: int = 30, total: int = 50) -> PlayerClips:
    """The left hand is where the first number of three ticks ago says, in a picture whose middle is anywhere.

    Every second player has a bow, drawn as the second number says.
    """
    generator = torch.Generator().manual_seed(0)
    heard = torch.randn(count, total, 4, generator=generator)
    known = torch.zeros(count, 3, 40)
    ticks = torch.tensor([[0, 10, 20]]).expand(count, -1)
    body = torch.zeros(count, total, len(POINTS), 3)
    middle = 0.2 * torch.randn(count, 1, generator=generator)
    said = 0.3 * heard[..., 0].tanh()
    body[..., 0, 0] = torch.cat([said[:, :1].expand(-1, 3), said[:, :-3]], 1)
    places = body[..., :2].clone()
    places[..., 0, 0] += middle
    known[..., 0] = places.gather(1, ticks[..., None, None].expand(-1, -1, len(POINTS), 2))[..., 0, 0]
    known[..., 30] = middle
    drawn = 0.5 * heard[..., 1].tanh()
    drawn[::2] = torch.nan
    return PlayerClips(heard, places, known, ticks, body, drawn)


def training(recipe: PoseRecipe = RECIPE) -> PoseTraining:
    torch.manual_seed(0)
    return PoseTraining(recipe, PoseWithHeads(SMALL), toy())


def test_what_was_heard_says_where_they_are() -> None:
    learning = training()
    for _ in range(RECIPE.steps):
        learning.advance()
    errors = learning.test()
    assert errors["missed_of_held"] < 0.2
    assert errors["missed_of_taught"] < 0.2


def test_at_first_only_strokes_are_heard_and_then_that_stays_as_it_is() -> None:
    learning, rng = training(), np.random.default_rng(0)
    learning.loss(rng).backward()
    pose = learning.model.network
    assert pose.strokes.hear.weight.grad is not None
    assert all(parameter.grad is None for parameter in [*pose.body.parameters(), *pose.views.parameters()])
    learning.step = RECIPE.bowing
    pose.strokes.zero_grad()
    learning.loss(rng).backward()
    assert all(parameter.grad is None for parameter in pose.strokes.parameters())
    assert pose.body.hear.weight.grad is not None
    assert pose.say[-1].weight.grad is not None


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    one = training()
    for _ in range(RECIPE.bowing + 1):
        one.advance()
    one.save(tmp_path / "pose.safetensors")
    straight = one.advance()
    two = training()
    two.load(tmp_path / "pose.safetensors")
    assert two.advance() == straight


def test_points_are_to_be_as_far_from_where_the_eyes_found_them_as_they_truly_went() -> None:
    points, pose = len(POINTS), PoseEstimator(SMALL)
    places = torch.rand(2, 9, points, 2) - 0.5
    seen = torch.rand(2, 3, 40) - 0.5
    ticks = torch.tensor([[0, 3, 6], [0, 3, 6]])
    both = PlayerClips(torch.randn(2, 9, 4), places, seen, ticks, torch.zeros(2, 9, points, 3), torch.zeros(2, 9))
    rows = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
    clips = draw_batch(pose, both.rows(rows), torch.Generator().manual_seed(0))
    starts = (clips.later == 0).sum(1) - 1
    assert set(starts.tolist()) == {0, 3}, "a still has something after it"
    torch.testing.assert_close(clips.later.sum(1), torch.ones(8))
    for row, start, to_be, still in zip(rows, starts, clips.places, clips.still, strict=True):
        torch.testing.assert_close(to_be[start], pose.still_points(still[None])[0])
        torch.testing.assert_close(to_be - to_be[start], places[row] - places[row, start])
    torch.testing.assert_close(relative_error(pose, both.rows(rows)), 1.0)


@torch.no_grad()
def test_what_is_said_of_each_still_at_each_tick_is_what_a_show_would_say() -> None:
    pose, played = PoseEstimator(SMALL), toy(3)
    torch.nn.init.normal_(pose.say.get_parameter(f"{len(pose.say) - 1}.weight"), std=0.3)
    said = predict_points(pose, played.audio, played.embeddings, played.ticks)
    assert said.shape == (3, 3, 3, len(POINTS), 3)
    whole = pose(played.audio[1:2], played.embeddings[1:2, 2])
    want = torch.cat([whole.at, whole.spread[..., None]], -1)[0, 10]
    torch.testing.assert_close(said[1, 2, 1].float(), want, rtol=2e-3, atol=2e-3)
