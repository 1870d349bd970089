"""The animator's training: maps follow the flow, interruptions change nothing, and what sound moves is learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.pictures.animator import Animator, AnimatorConfig
from training.datasets.animator import STARTS, MotionClips, concatenate
from training.networks.pictures.animator import (
    AnimatorRecipe,
    AnimatorTraining,
    advance_map,
    draw_batch,
    end_point_error,
)
from training.networks.pictures.warp import WarpMap

SMALL = AnimatorConfig(
    latent_dim=4, dim=16, heads=2, layers=1, window=6, shown=8, inside=16, blocks=1, widths=(8, 8, 8, 8)
)
RECIPE = AnimatorRecipe(steps=60, batch=4, length=12, samples=4)


def toy(count: int = 30, ticks: int = 200) -> MotionClips:
    """The first number of what is heard says how fast all goes right."""
    generator = torch.Generator().manual_seed(0)
    heard = torch.randn(count, ticks, 4, generator=generator)
    flow = torch.zeros(count, ticks, 2, 16, 16)
    flow[:, :, 0] = 0.1 * heard[:, :, 0, None, None]
    stills = torch.randint(0, 255, (count, len(STARTS), 128, 128, 3), generator=generator, dtype=torch.uint8)
    where = torch.zeros(count, len(STARTS), 2, 16, 16).half()
    turns = torch.ones(count, dtype=torch.bool)
    return MotionClips(
        heard.half(),
        torch.zeros(count, ticks).half(),
        flow.half(),
        stills,
        where,
        torch.zeros(count, ticks, 8).half(),
        turns,
    )


def test_the_map_is_carried_as_the_screen_carries_it() -> None:
    """The network's map and the one that moves the pixels are the same thing in two places."""
    rng = np.random.default_rng(0)
    warp = WarpMap()
    where = torch.zeros(1, 2, 16, 16)
    flow = torch.nn.functional.interpolate(
        torch.from_numpy(rng.normal(0, 0.15, (1, 2, 3, 3))).float(), (16, 16), mode="bicubic"
    )
    for _ in range(20):
        where = advance_map(where, flow, torch.tensor([np.exp(-0.04 * 1.0)]).float())
        warp.move(flow[0].numpy(), 0.04, 1.0)
    shown = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(warp.displacement).permute(2, 0, 1)[None], 16)
    assert float((shown - where).abs().mean()) < 0.1 * float(where.abs().mean())


def test_a_mirrored_stretch_moves_the_other_way() -> None:
    data = toy()
    rng = np.random.default_rng(3)
    batch = draw_batch(data, rng, RECIPE)
    said = batch.audio[batch.rows, batch.ticks, 0] * 0.1
    seen = batch.flow[:, 0].mean((1, 2))
    same, other = (seen - said).abs() < 2e-3, (seen + said).abs() < 2e-3
    assert bool((same | other).all())
    assert bool(same.any())
    assert bool(other.any())
    assert float(batch.where[:, 1].abs().max()) == 0.0
    data.turns[:] = False
    batch = draw_batch(data, rng, RECIPE)
    seen = batch.flow[:, 0].mean((1, 2))
    assert bool(((seen - batch.audio[batch.rows, batch.ticks, 0] * 0.1).abs() < 2e-3).all()), "as it was recorded"


def test_what_is_told_of_the_past_may_have_moved_less_than_what_comes() -> None:
    data = toy()
    data.flow[:] = 0.0
    data.flow[:, :, 0] = 0.1
    recipe = replace(RECIPE, unsure=0.0, forgotten=0.0)
    for timid, least in ((0.0, 0.099), (1.0, 0.0)):
        batch = draw_batch(data, np.random.default_rng(4), replace(recipe, timid=timid))
        speeds = batch.before[batch.ticks > min(STARTS)][:, 0].mean((1, 2)).abs()
        told = speeds[speeds > 0]
        assert float(batch.flow[:, 0].abs().min()) > 0.099, "what is wanted is the truth"
        assert float(told.min()) >= least
        assert bool((told < 0.09).any()) == (timid > 0.0)


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = AnimatorTraining(RECIPE, Animator(SMALL), toy())
    for _ in range(2):
        one.advance()
    one.save(tmp_path / "a.safetensors")
    straight = [one.advance() for _ in range(2)]
    two = AnimatorTraining(RECIPE, Animator(SMALL), toy())
    two.load(tmp_path / "a.safetensors")
    assert [two.advance() for _ in range(2)] == straight


def test_it_learns_what_sound_moves() -> None:
    """Without mirrors, whose picture of noise says nothing of left and right."""
    torch.manual_seed(2)
    data = toy()
    data.flow = data.flow.abs()
    data.flow[:, :, [0, 1]] = data.flow[:, :, [1, 0]]
    training = AnimatorTraining(
        AnimatorRecipe(steps=120, batch=4, length=12, samples=6, learning_rate=6e-3), Animator(SMALL), data
    )
    before = training.test()
    for _ in range(120):
        training.advance()
    after = training.test()
    assert after["still"] == pytest.approx(before["still"])
    assert after["likeliest"] < 0.6 * after["still"]


def test_the_end_point_error_is_a_length() -> None:
    got, want = torch.zeros(1, 2, 16, 16), torch.zeros(1, 2, 16, 16)
    want[:, 0], want[:, 1] = 3.0, 4.0
    assert float(end_point_error(got, want)) == pytest.approx(5.0)


def test_sets_are_put_together_row_by_row() -> None:
    both = concatenate(toy(3), toy(2))
    assert both.audio.shape[0] == both.where.shape[0] == 5
