"""Pairs of views: the second is later than the first, of the same clip, with what was heard then."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from models.vision.embedding import POINTS
from training.datasets.painter_views import (
    GREY,
    HEAVIEST,
    LIGHTEST,
    LOOKS,
    VIEW_SEED,
    PainterViews,
    group_weights,
    view_row,
)
from training.datasets.pose import follow_player

BUNDLE = Path(__file__).parents[4] / "models" / "bundles" / "default"


def some(clips: int = 3) -> PainterViews:
    """Each view is as bright as its number, and of three ticks later than that before; what is heard is the tick."""
    seen = torch.arange(LOOKS, dtype=torch.uint8)[None, :, None, None, None].expand(clips, -1, 96, 128, 3)
    numbers = torch.arange(LOOKS, dtype=torch.float16)[None, :, None].expand(clips, -1, 4)
    ticks = (3 * torch.arange(LOOKS, dtype=torch.int16))[None].expand(clips, -1)
    heard = torch.arange(3 * LOOKS, dtype=torch.float16)[None, :, None].expand(clips, -1, 4)
    places = torch.zeros(clips, 3 * LOOKS, len(POINTS), 2).half()
    # Of each still at each later view: a hundred times its number, and that one's.
    said = 100.0 * numbers[..., :1, None, None] + numbers[:, None, :, :1, None]
    return PainterViews(
        seen, ticks, -numbers, heard, places, said.expand(-1, -1, -1, len(POINTS), 3), torch.ones(clips)
    )


def test_what_is_to_be_seen_is_later_and_sounds_so() -> None:
    pairs = some().pairs(np.random.default_rng(0), 64)
    first, then = (x[:, 64, 64, 0].int() for x in (pairs.prior, pairs.wanted))
    assert bool((then > first).all())
    assert 16 < int((first == 0).sum()) < 48, "the first view as often as any other"
    assert torch.equal(pairs.audio[:, 0].int(), 3 * then)
    assert torch.equal(pairs.points[:, 3, 1].int(), 100 * first + then)
    assert torch.equal(pairs.embedding[:, 0].int(), -first)
    assert torch.equal(pairs.embedding_now[:, 0].int(), -then)
    assert torch.equal(pairs.prior, pairs.warped)
    assert bool((pairs.prior[:, :16] == GREY).all())
    assert not pairs.turns.any()


def test_a_look_is_what_was_followed_and_pictures_of_it() -> None:
    one, other = (view_row(seed, BUNDLE) for seed in (VIEW_SEED, VIEW_SEED + 1))
    row, pictures = follow_player(VIEW_SEED, BUNDLE, LOOKS)
    assert all(np.array_equal(values, one[name], equal_nan=name == "drawn") for name, values in row.items())
    assert one["seen"].shape == (LOOKS, 96, 128, 3)
    assert not np.array_equal(one["seen"], other["seen"])
    small = cv2.resize(pictures[3], (128, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(one["seen"][3].astype(int) - small).mean() < 1.0


def test_a_clip_in_which_less_moves_counts_for_more() -> None:
    seen = torch.zeros(5, 3, 8, 8, 3, dtype=torch.uint8)
    for row, brightness in enumerate((0, 2, 4, 8, 80)):
        seen[row, 1:] = brightness
    weights = group_weights(seen)
    torch.testing.assert_close(weights[1:4], torch.tensor([4.0, 1.0, 0.25]))
    assert (float(weights[0]), float(weights[4])) == (HEAVIEST, LIGHTEST)
