"""Pairs of views: the second is later than the first, of the same clip, with what was heard then."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from training import views as module
from training.performances import TICKS
from training.scenes import Scenes
from training.views import EVERY, GREY, Views, _decoded


def some(clips: int = 3) -> Views:
    """Each view is as bright as its number; what is heard is the tick, what is seen too."""
    count = TICKS // EVERY
    seen = torch.arange(count, dtype=torch.uint8)[None, :, None, None, None].expand(clips, -1, 96, 128, 3)
    ticks = torch.arange(TICKS, dtype=torch.float16)[None, :, None].expand(clips, -1, 4)
    nothing = torch.zeros(clips, TICKS)
    played = Scenes(ticks, nothing, nothing, nothing, nothing, -ticks, torch.zeros(clips, dtype=torch.bool))
    return Views(seen, played)


def test_what_is_to_be_seen_is_later_and_sounds_so() -> None:
    pairs = some().pairs(np.random.default_rng(0), 64)
    first, then = (x[:, 64, 64, 0].int() for x in (pairs.prior, pairs.wanted))
    assert bool((then > first).all())
    assert 16 < int((first == 0).sum()) < 48, "the first view as often as any other"
    assert torch.equal(pairs.heard[:, 0].int(), EVERY * then)
    assert torch.equal(pairs.seen[:, 0].int(), -EVERY * first)
    assert torch.equal(pairs.now[:, 0].int(), -EVERY * then)
    assert torch.equal(pairs.prior, pairs.warped)
    assert bool((pairs.prior[:, :16] == GREY).all())
    assert not pairs.turns.any()


def test_views_are_the_recordings(tmp_path: Path) -> None:
    pictures = [np.full((256, 256, 3), tick, np.uint8) for tick in range(TICKS)]
    encoded = [cv2.imencode(".jpg", picture)[1].ravel() for picture in pictures]
    path = tmp_path / "performance-7-v3.npz"
    sizes = np.array([len(one) for one in encoded])
    np.savez(path, jpeg=np.concatenate(encoded), jpeg_bytes=sizes, view=np.arange(TICKS))
    found = _decoded(path)
    assert found.shape == (TICKS // module.EVERY, 96, 128, 3)
    assert np.abs(found.mean((1, 2, 3)) - np.arange(0, TICKS, EVERY)).max() <= 1.0
