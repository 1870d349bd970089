"""Driven scenes: players move in modes, clips repeat, springs are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from training.datasets.driven_scenes import PERSON_MODES, bands_of, person_course, spring_constants, swing
from training.synthesis.conventions import CLIP_TICKS
from training.synthesis.recordings import kind_of


def _player(kind: str) -> int:
    return next(seed for seed in range(10) if kind_of(seed) == kind)


@pytest.mark.parametrize("kind", ["drums", "dance", "strings"])
def test_a_player_moves_in_a_persons_modes_from_its_first_frame(kind: str) -> None:
    modes, course = person_course(_player(kind))
    assert course.shape == (CLIP_TICKS, len(modes))
    assert {mode.name for mode in modes} <= set(PERSON_MODES)
    assert any(mode.name.startswith("arm") for mode in modes)
    assert not course[0].any()
    assert 0.8 < np.abs(course).max() <= 1.5
    assert all(np.hypot(*mode.way) == pytest.approx(1.0, abs=1e-4) for mode in modes)


def test_springs_take_the_exact_step() -> None:
    hz, damping, force = 1.7, 0.3, 0.8
    springs = spring_constants(torch.tensor([[hz]]), torch.tensor([[damping]]))
    push, kick = torch.full((1, 25, 1), force), torch.zeros(1, 25, 1)
    kick[0, 0] = 0.5
    x, v = swing(push, kick, torch.zeros(1, 25, 1), springs)
    omega = 2.0 * np.pi * hz

    def law(_: float, state: np.ndarray) -> list[float]:
        return [state[1], omega**2 * (force - state[0]) - 2.0 * damping * omega * state[1]]

    times = 0.04 * np.arange(1, 26)
    true = solve_ivp(law, (0.0, 1.0), [0.0, 0.5 * omega], t_eval=times, rtol=1e-9, atol=1e-12).y
    assert np.allclose(x[0, :, 0], true[0], atol=1e-5)
    assert np.allclose(v[0, :, 0] * omega, true[1], atol=1e-4)


def test_a_bow_feeds_what_swings_and_leaves_what_rests() -> None:
    springs = spring_constants(torch.tensor([[1.5]]), torch.tensor([[0.2]]))
    still, kick = torch.zeros(1, 200, 1), torch.zeros(1, 200, 1)
    bow = torch.full((1, 200, 1), 0.15)
    assert not swing(still, kick, bow, springs)[0].any()
    kick[0, 0] = 0.3
    bowed, free = swing(still, kick, bow, springs)[0], swing(still, kick, still, springs)[0]
    assert float(free[0, 150:].abs().max()) < 1e-3
    assert float(bowed[0, 150:].abs().max()) > 0.1


def test_bands_are_those_of_the_show() -> None:
    sound = np.zeros(50 * 1280, np.float32)
    sound[32000:] = 0.3 * np.sin(2 * np.pi * 500.0 * np.arange(32000) / 32000)
    bands = bands_of(sound)
    assert bands.shape == (50, 2, 8)
    assert bands[:25].max() == 0.0
    assert bands[25, 1].max() > 0.3
