"""The ground's modes lie where there is structure, keep still behind layers, and are the same at every run."""

from __future__ import annotations

import numpy as np

from streaming.scenes.making.modes.ground_modes import make_ground_modes
from streaming.scenes.making.modes.mode_draft import make_grid
from tests.unit.streaming.scenes.making.pictures import SIZE, grainy

BOX = (0, 0, *SIZE)


def half_empty() -> np.ndarray:
    """A picture whose left half is even and whose right half is full of blots."""
    image = grainy((120, 130, 140))
    rng = np.random.default_rng(0)
    image[:, 260:] = np.repeat(np.repeat(rng.integers(20, 230, (20, 14, 3)), 16, 0), 16, 1)[:320, :220]
    return image


def test_modes_lie_where_there_is_structure() -> None:
    nothing = np.zeros((SIZE[1], SIZE[0]), np.float32)
    modes = make_ground_modes(half_empty(), nothing, make_grid(BOX), 6)
    assert len(modes) == 6
    for mode in modes:
        lengths = np.linalg.norm(mode.field, axis=-1)
        assert np.unravel_index(lengths.argmax(), lengths.shape)[1] >= 30
    assert [mode.hz for mode in modes] == sorted(mode.hz for mode in modes)


def test_what_is_covered_keeps_still() -> None:
    covered = np.zeros((SIZE[1], SIZE[0]), np.float32)
    covered[80:240, 300:420] = 1.0
    for mode in make_ground_modes(half_empty(), covered, make_grid(BOX), 4):
        lengths = np.linalg.norm(mode.field, axis=-1)
        assert lengths[12:28, 40:50].max() < 0.35 * lengths.max()


def test_they_are_the_same_at_every_run() -> None:
    nothing = np.zeros((SIZE[1], SIZE[0]), np.float32)
    one, other = (make_ground_modes(half_empty(), nothing, make_grid(BOX), 4) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.field, b.field)
