"""Pairs of views: the second is later than the first, of the same clip, with what was heard then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.embedding import POINTS
from models.pose import PAST
from training import views as module
from training.performances import TICKS
from training.views import GREY, LOOKS, VIEW_SEED, Views, load_views, look

BUNDLE = Path(__file__).parents[3] / "models" / "bundles" / "default"


def some(clips: int = 3) -> Views:
    """Each view is as bright as its number, and of three ticks later than that before; what is heard is the tick."""
    seen = torch.arange(LOOKS, dtype=torch.uint8)[None, :, None, None, None].expand(clips, -1, 96, 128, 3)
    numbers = torch.arange(LOOKS, dtype=torch.float16)[None, :, None].expand(clips, -1, 4)
    ticks = (3 * torch.arange(LOOKS, dtype=torch.int16))[None].expand(clips, -1)
    heard = torch.arange(3 * LOOKS, dtype=torch.float16)[None, :, None].expand(clips, -1, 4)
    return Views(seen, ticks, -numbers, heard, torch.zeros(clips, 3 * LOOKS, len(POINTS), 2, dtype=torch.float16))


def test_what_is_to_be_seen_is_later_and_sounds_so() -> None:
    pairs = some().pairs(np.random.default_rng(0), 64)
    first, then = (x[:, 64, 64, 0].int() for x in (pairs.prior, pairs.wanted))
    assert bool((then > first).all())
    assert 16 < int((first == 0).sum()) < 48, "the first view as often as any other"
    assert torch.equal(pairs.heard[:, 0].int(), 3 * then)
    lags = pairs.heard.unflatten(1, (PAST, 4))[..., 0].int()
    assert torch.equal(lags, (3 * then[:, None] - torch.arange(PAST)).clamp_min(0).int())
    assert torch.equal(pairs.seen[:, 0].int(), -first)
    assert torch.equal(pairs.now[:, 0].int(), -then)
    assert torch.equal(pairs.prior, pairs.warped)
    assert bool((pairs.prior[:, :16] == GREY).all())
    assert not pairs.turns.any()


def test_a_look_is_of_one_clip_and_follows_from_its_seed() -> None:
    one, again, other = (look(seed, BUNDLE) for seed in (VIEW_SEED, VIEW_SEED, VIEW_SEED + 1))
    for name, values in one.items():
        assert np.array_equal(values, again[name]), name
        assert not np.array_equal(values, other[name]), name
    assert one["seen"].shape == (LOOKS, 96, 128, 3)
    assert len(one["ticks"]) == len(one["known"]) == LOOKS
    assert one["heard"].shape == (TICKS, 128)
    assert one["places"].shape == (TICKS, len(POINTS), 2)
    assert np.isfinite(one["heard"].astype(np.float32)).all()
    seen = torch.from_numpy(one["known"].astype(np.float32))
    found = torch.stack([seen[:, : len(POINTS)], seen[:, 32 : 32 + len(POINTS)]], -1)
    true = torch.from_numpy(one["places"][one["ticks"]].astype(np.float32))
    away, others = (found - true).abs().mean(), (found - true.roll(1, 1)).abs().mean()
    assert away < 0.25 * others, "what the eyes find is where the points truly are"


def test_files_are_made_once_and_stacked_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(seed: int, _bundle: Path) -> dict[str, np.ndarray]:
        seen = np.full((LOOKS, 2, 2, 3), seed - VIEW_SEED, np.uint8)
        heard = np.full((LOOKS, 4), seed - VIEW_SEED, np.float16)
        ticks = np.arange(LOOKS, dtype=np.int16)
        return {"seen": seen, "heard": heard, "known": -heard, "ticks": ticks, "places": heard}

    monkeypatch.setattr(module, "look", looked)
    monkeypatch.setattr(module, "PER_FILE", 3)
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(module, "open_executor", ThreadPoolExecutor)
    found = load_views(tmp_path, BUNDLE, 7)
    assert found.seen[:, 0, 0, 0, 0].tolist() == list(range(7))
    assert found.known[:, 3, 1].tolist() == [-float(i) for i in range(7)]
    assert len(list(tmp_path.glob("*.npz"))) == 3
    monkeypatch.setattr(module, "look", None)
    again = load_views(tmp_path, BUNDLE, 7)
    assert torch.equal(again.heard, found.heard)
