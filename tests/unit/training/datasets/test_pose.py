"""Players: a row follows from its seed, what the eyes find is where points are, files are made once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from models.vision.embedding import POINTS
from training.datasets import pose as module
from training.datasets.pose import LOOKS, PLAYER_SEED, RowFiles, follow_player
from training.synthesis.conventions import CLIP_TICKS

BUNDLE = Path(__file__).parents[4] / "models" / "bundles" / "default"


def test_a_player_follows_from_its_seed() -> None:
    one, again, other = (follow_player(seed, BUNDLE)[0] for seed in (PLAYER_SEED, PLAYER_SEED, PLAYER_SEED + 1))
    for name, values in one.items():
        assert np.array_equal(values, again[name], equal_nan=True), name
        assert not np.array_equal(values, other[name], equal_nan=True), name
    assert len(one["ticks"]) == len(one["known"]) == LOOKS
    assert one["heard"].shape == (CLIP_TICKS, 128)
    assert one["places"].shape == (CLIP_TICKS, len(POINTS), 2)
    assert np.isfinite(one["heard"].astype(np.float32)).all()
    seen = torch.from_numpy(one["known"].astype(np.float32))
    found = torch.stack([seen[:, : len(POINTS)], seen[:, 32 : 32 + len(POINTS)]], -1)
    true = torch.from_numpy(one["places"][one["ticks"]].astype(np.float32))
    away, others = (found - true).abs().mean(), (found - true.roll(1, 1)).abs().mean()
    assert away < 0.25 * others, "what the eyes find is where the points truly are"


def test_files_are_made_once_and_stacked_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_FILE", 3)
    monkeypatch.setattr(module, "open_executor", ThreadPoolExecutor)
    made = []

    def row(seed: int, _bundle: Path) -> dict[str, np.ndarray]:
        made.append(seed)
        return {"one": np.full((2, 4), seed, np.float16), "other": np.full(3, -seed, np.int16)}

    found = RowFiles("things", 5, row).load(tmp_path, BUNDLE, 7)
    assert sorted(made) == list(range(5, 12))
    assert found["one"][:, 1, 3].tolist() == [float(i) for i in range(5, 12)]
    assert found["other"].tolist() == [[-i] * 3 for i in range(5, 12)]
    assert sorted(path.name.rsplit("-", 1)[0] for path in tmp_path.glob("*.npz")) == [
        "things-11-1",
        "things-5-3",
        "things-8-3",
    ]
    again = RowFiles("things", 5, row).load(tmp_path, BUNDLE, 7)
    assert torch.equal(again["one"], found["one"])
    assert len(made) == 7
