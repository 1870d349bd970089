"""Teaching the reader of pitches: what players are asked, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.vision.embedding import POINTS
from models.vision.pitch_reader import READ_INSTRUMENTS, PitchReader
from performers.kinds import PITCH_RANGE
from performers.performer import SyntheticPerformer
from training.networks.pitch_reader import (
    PLACE_STEPS,
    PLACES,
    PLAYER_S,
    SEED,
    TICKS,
    load_players,
    train_reader,
    vary_cameras,
)
from training.synthesis.conventions import FRAME_SIZE


def test_players_are_followed_tick_by_tick_and_computed_once(tmp_path: Path) -> None:
    players = load_players(tmp_path, 6, workers=1)
    assert players.shape == (6, TICKS, PLACES + 1)
    for index, rows in enumerate(players):
        performer = SyntheticPerformer(
            READ_INSTRUMENTS[index % len(READ_INSTRUMENTS)], SEED + index, size=FRAME_SIZE, duration_s=PLAYER_S
        )
        low, high = PITCH_RANGE[READ_INSTRUMENTS[index % len(READ_INSTRUMENTS)]]
        pitch = rows[:, PLACES]
        assert ((pitch == 0) | ((pitch >= low) & (pitch <= high))).all()
        for tick in (0, 77, TICKS - 1):
            now = tick / 25
            sounding = [note.pitch for note in performer.score.notes if note.onset_s <= now < note.end_s]
            assert pitch[tick] == (sounding[-1] if sounding else 0)
            np.testing.assert_allclose(rows[tick, :PLACES] / PLACE_STEPS, performer.labels(now)[:PLACES], atol=1e-5)
    made = (tmp_path / f"players-6-{TICKS}.npy").stat().st_mtime_ns
    np.testing.assert_array_equal(load_players(tmp_path, 6, workers=1), players)
    assert (tmp_path / f"players-6-{TICKS}.npy").stat().st_mtime_ns == made


def test_another_camera_keeps_the_shape_but_for_the_errors() -> None:
    places = (torch.rand(50, 1, len(POINTS), 2) * 0.4 - 0.2).expand(-1, 30, -1, -1)
    shown = vary_cameras(places, np.random.default_rng(0))
    assert shown.shape == places.shape
    low, high = POINTS.index("low_end"), POINTS.index("high_end")
    lengths = [(x[:, :, high] - x[:, :, low]).norm(dim=-1) for x in (places, shown)]
    assert 0.5 < float((lengths[1] / lengths[0].clamp_min(0.05)).median()) < 2.0
    assert not torch.equal(vary_cameras(places, np.random.default_rng(1)), shown)


def test_errors_are_alike_from_tick_to_tick_and_not_a_second_later() -> None:
    still = torch.zeros(400, 60, len(POINTS), 2)
    shown = vary_cameras(still, np.random.default_rng(2))
    error = shown - shown.mean((1, 2), keepdim=True)  # without where the camera stands
    wandering = error - error.mean(1, keepdim=True)
    spread = wandering.square().mean()
    alike = [float((wandering[:, ticks:] * wandering[:, :-ticks]).mean() / spread) for ticks in (1, 8, 30)]
    assert 0.5 < alike[0] < 0.85
    assert 0.05 < alike[1] < 0.45
    assert abs(alike[2]) < 0.25
    assert float(error.mean(1).square().mean()) > 0.3 * float(spread)


def test_a_reader_learns_pitches_of_players_it_never_met() -> None:
    rng = np.random.default_rng(0)
    players = np.full((150, 20, PLACES + 1), 0.5 * PLACE_STEPS)
    low, high, tip = (2 * POINTS.index(name) for name in ("low_end", "high_end", "right_tip"))
    players[..., low], players[..., high] = 0.2 * PLACE_STEPS, 0.8 * PLACE_STEPS
    step = rng.integers(0, 4, players.shape[:2])
    players[..., tip] = (0.2 + 0.6 * (step + 0.5) / 4) * PLACE_STEPS
    players[..., PLACES] = 60 + step
    torch.manual_seed(0)
    reader = PitchReader(len(POINTS), 32, 40)
    before = train_reader(reader, players.astype(np.uint16), 1)
    after = train_reader(reader, players.astype(np.uint16), 200)
    assert max(before.values()) < 0.6
    assert min(after.values()) > 0.9


def test_memory_reads_what_a_single_picture_does_not_say() -> None:
    """Whoever touched the low end once plays an octave lower for ever after: only what went before tells."""
    rng = np.random.default_rng(0)
    players = np.full((400, 8, PLACES + 1), 0.5 * PLACE_STEPS)
    low, high, tip = (2 * POINTS.index(name) for name in ("low_end", "high_end", "right_tip"))
    players[..., low], players[..., high] = 0.2 * PLACE_STEPS, 0.8 * PLACE_STEPS
    players[..., PLACES] = 72
    deep = rng.random(len(players)) < 0.5
    players[deep, 0, tip] = 0.2 * PLACE_STEPS
    players[deep, :, PLACES] = 60
    right = {}
    for memory in (0, 64):
        torch.manual_seed(0)
        figures = train_reader(PitchReader(len(POINTS), 32, 40, memory), players.astype(np.uint16), 400)
        right[memory] = np.mean([value for name, value in figures.items() if name.endswith("later")])
    assert right[0] < 0.75
    assert right[64] > 0.95
