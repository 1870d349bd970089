"""Teaching the reader of pitches: what players are asked, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.embedding import POINTS
from models.reading import READ, PlaceReader
from streaming.performer.score import PITCH_RANGE
from training.reading import PER_PLAYER, PLACES, load_players, seen_otherwise, train_reader


def test_players_are_asked_while_they_sound_and_only_once(tmp_path: Path) -> None:
    players = load_players(tmp_path, 6, workers=1)
    assert players.shape == (6, PER_PLAYER, PLACES + 1)
    for index, rows in enumerate(players):
        low, high = PITCH_RANGE[READ[index % len(READ)]]
        assert (rows[:, PLACES] >= low).all()
        assert (rows[:, PLACES] <= high).all()
        assert (rows[:, :PLACES] >= 0.0).all()
        assert (rows[:, :PLACES] <= 1.0).all()
    made = (tmp_path / "players-6.npy").stat().st_mtime_ns
    np.testing.assert_array_equal(load_players(tmp_path, 6, workers=1), players)
    assert (tmp_path / "players-6.npy").stat().st_mtime_ns == made


def test_another_camera_keeps_the_shape_but_for_the_errors() -> None:
    places = torch.rand(50, len(POINTS), 2) * 0.4 - 0.2
    shown = seen_otherwise(places, torch.Generator().manual_seed(0))
    assert shown.shape == places.shape
    lengths = [(x[:, POINTS.index("high_end")] - x[:, POINTS.index("low_end")]).norm(dim=-1) for x in (places, shown)]
    assert 0.5 < float((lengths[1] / lengths[0].clamp_min(0.05)).median()) < 2.0
    assert not torch.equal(seen_otherwise(places, torch.Generator().manual_seed(1)), shown)


def test_a_reader_learns_pitches_of_players_it_never_met() -> None:
    rng = np.random.default_rng(0)
    players = np.full((150, PER_PLAYER, PLACES + 1), 0.5, np.float32)
    low, high, tip = (2 * POINTS.index(name) for name in ("low_end", "high_end", "right_tip"))
    players[..., low], players[..., high] = 0.2, 0.8
    step = rng.integers(0, 4, players.shape[:2])
    players[..., tip] = 0.2 + 0.6 * (step + 0.5) / 4
    players[..., PLACES] = 60 + step
    torch.manual_seed(0)
    reader = PlaceReader(len(POINTS), 32, 40)
    before = train_reader(reader, players, 1)
    after = train_reader(reader, players, 200)
    assert max(before.values()) < 0.6
    assert min(after.values()) > 0.9
