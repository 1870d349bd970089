"""The painter's training: what is hidden is found, interruptions change nothing, and gaps are learned to be filled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.pictures.painter import REPAIR_LIMIT, Painter, PainterConfig
from models.vision.embedding import POINTS
from training.datasets.painter import PainterExamples
from training.networks.pictures.painter import (
    HELD_PART,
    TRUTH_SHARE,
    PainterRecipe,
    PainterTraining,
    concatenate,
    draw_batch,
    errors_of,
    split,
)

SMALL = PainterConfig(latent_dim=4, seen_dim=40, points=16, width=16, inner=16, blocks=1, deep=(), moment=8)
RECIPE = PainterRecipe(steps=120, batch=4)


def toy(count: int = 30) -> PainterExamples:
    """A grey still in whose middle the moved one has a black hole that should be light."""
    generator = torch.Generator().manual_seed(0)
    prior = torch.full((count, 128, 128, 3), 128, dtype=torch.uint8)
    warped, wanted = prior.clone(), prior.clone()
    hidden = torch.zeros(count, 128, 128, dtype=torch.bool)
    for row in range(count):
        y, x = torch.randint(8, 88, (2,), generator=generator).tolist()
        warped[row, y : y + 32, x : x + 32] = 0
        wanted[row, y : y + 32, x : x + 32] = 200
        hidden[row, y : y + 32, x : x + 32] = True
    where, flow = torch.zeros(2, count, 2, 16, 16).half()
    heard, turns = torch.zeros(count, 4).half(), torch.ones(count, dtype=torch.bool)
    seen = (torch.rand(2, count, 40, generator=generator) - 0.5).half()
    chance, weight, went = torch.zeros(count), torch.ones(count), torch.full((count, len(POINTS), 2), torch.nan)
    said = torch.zeros(count, len(POINTS), 3)
    still, now = seen
    return PainterExamples(
        prior, warped, wanted, where, flow, heard, hidden, still, now, said, chance, turns, weight, went
    )


def test_a_mirrored_moment_is_mirrored_in_all_its_parts() -> None:
    data = toy(8)
    data.where[:, 0] = 0.1
    batch, wanted, *_ = draw_batch(data, np.random.default_rng(0), RECIPE)
    assert set(batch.where[:, 0].mean((1, 2)).sign().tolist()) == {-1.0, 1.0}
    data.turns[:] = False
    assert set(draw_batch(data, np.random.default_rng(0), RECIPE).inputs.where[:, 0].mean((1, 2)).sign().tolist()) == {
        1.0
    }
    holes = (batch.warped - batch.prior).abs().mean(1) > 0.1
    assert bool(((wanted - batch.prior).abs().mean(1) > 0.02)[holes].all())


def test_some_moments_are_told_where_points_went_where_that_is_known() -> None:
    data = toy(30)
    data.displacement[:15] = 0.25
    recipe, told, known = replace(RECIPE, batch=64), 0, 0
    for seed in range(10):
        went = draw_batch(data, np.random.default_rng(seed), recipe).displacement
        assert set(went[went.isfinite()].tolist()) == {0.25}
        told, known = told + int(went[:, 0, 0].isfinite().sum()), known + recipe.batch
    assert abs(told / known - 0.5 * TRUTH_SHARE) < 0.05
    late = draw_batch(data, np.random.default_rng(0), recipe, step=recipe.steps * 3 // 4)
    assert not late.displacement.isfinite().any()


def test_what_chance_has_moved_stays_until_imagination_is_free() -> None:
    data = toy(8)
    data.turns[:], data.chance[:] = False, 0.9
    mended: list[bool] = []
    free: list[bool] = []
    for seed in range(20):
        known, wanted, *_ = draw_batch(data, np.random.default_rng(seed), RECIPE)
        for row in range(len(wanted)):
            same = torch.equal(wanted[row], known.warped[row])
            (mended if known.imagination[row] <= REPAIR_LIMIT else free).append(same)
    assert all(mended)
    assert mended
    assert not any(free)
    assert free


def test_the_last_clips_are_held_out() -> None:
    data = toy(2 * HELD_PART)
    train, held = split(data)
    assert len(held.prior) == 2
    assert torch.equal(concatenate([train, held]).warped, data.warped)


def test_of_players_it_is_said_how_much_nearer_than_the_still_they_are() -> None:
    data = toy(8)
    data.warped = data.wanted
    painter = Painter(SMALL)
    assert painter.choose is not None
    for parameter in painter.choose.parameters():
        torch.nn.init.zeros_(parameter)
    assert "gain_db" not in errors_of(painter, data, seed=0)
    data.turns[:] = False
    data.warped = ((data.prior.float() + data.wanted.float()) / 2.0).to(torch.uint8)
    assert abs(errors_of(painter, data, seed=0, imagination=0.0)["gain_db"] - 6.0) < 0.1


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = PainterTraining(RECIPE, Painter(SMALL), toy(), toy(2))
    one.advance()
    one.save(tmp_path / "p.safetensors")
    straight = one.advance()
    two = PainterTraining(RECIPE, Painter(SMALL), toy(), toy(2))
    two.load(tmp_path / "p.safetensors")
    assert two.advance() == straight


def test_it_learns_to_fill_what_is_torn() -> None:
    torch.manual_seed(2)
    data = toy()
    recipe = PainterRecipe(steps=60, batch=2, learning_rate=2e-3)
    training = PainterTraining(recipe, Painter(SMALL), data, data)
    for _ in range(recipe.steps):
        training.advance()
    errors = errors_of(training.model.eval(), data, seed=0, imagination=0.0)
    assert errors["painted_error_hidden"] < 0.4 * errors["moved_error_hidden"]
