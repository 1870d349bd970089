"""Springs: exact against a numerical solution, limited, back to exact rest, and never lost to bad numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from streaming.conventions import TICK_NS
from streaming.scenes.springs import ANCHORING_POWER, LIMIT, REST_TICKS, USUAL_ANCHORING, Springs
from tests.scenes.hand_made import mode_of

SECONDS = TICK_NS / 1e9
MODES = [mode_of(0.7, 0.2), mode_of(1.9, 0.45), mode_of(4.0, 0.1)]
NOTHING = np.zeros(3)


def solved(hz: float, damping: float, forces: np.ndarray) -> np.ndarray:
    """The amplitudes after each tick of forces [T, 2], integrated numerically."""
    w, state, found = 2.0 * np.pi * hz, np.zeros(2), []
    for push, kick in forces:
        state[1] += kick * w

        def change(_: float, y: np.ndarray, f: float = push) -> list[float]:
            return [y[1], w * w * (f - y[0]) - 2.0 * damping * w * y[1]]

        state = solve_ivp(change, (0.0, SECONDS), state, rtol=1e-9, atol=1e-12).y[:, -1]
        found.append(LIMIT * np.tanh(state[0] / LIMIT))
    return np.array(found)


def test_they_are_the_solution_of_their_equation() -> None:
    rng = np.random.default_rng(0)
    forces = rng.normal(0, 0.4, (40, 2, 3))
    springs = Springs(MODES)
    got = np.stack([springs.step(push, kick) for push, kick in forces])
    for number, mode in enumerate(MODES):
        np.testing.assert_allclose(got[:, number], solved(mode.hz, mode.damping, forces[:, :, number]), atol=1e-6)


def test_anchoring_makes_them_stiffer_and_more_damped() -> None:
    rng = np.random.default_rng(1)
    forces = rng.normal(0, 0.3, (20, 2, 3))
    factor = 2.0**ANCHORING_POWER
    springs = Springs(MODES, 2.0 * USUAL_ANCHORING)
    got = np.stack([springs.step(push, kick) for push, kick in forces])
    # The same force moves a stiffer spring less far; the same kick is as fast.
    weaker = forces * np.array([factor**-2.0, 1.0 / factor])[None, :, None]
    for number, mode in enumerate(MODES):
        want = solved(factor * mode.hz, factor * mode.damping, weaker[:, :, number])
        np.testing.assert_allclose(got[:, number], want, atol=1e-6)


def test_a_bow_keeps_swinging_what_swings() -> None:
    bowed, free = Springs(MODES), Springs(MODES)
    for springs in (bowed, free):
        springs.step(NOTHING, np.full(3, 0.2))
    late = []
    for _ in range(100):
        free.step(NOTHING, NOTHING)
        late.append(bowed.step(NOTHING, NOTHING, np.full(3, 0.3)))
    assert free.at_rest
    swing = np.abs(np.stack(late[50:])).max(0)
    assert (swing > 0.2).all()
    assert (swing < LIMIT).all()
    still = Springs(MODES)
    assert not still.step(NOTHING, NOTHING, np.full(3, 0.3)).any(), "what does not move has nothing to be dragged along"
    bowed.step(NOTHING, NOTHING, np.full(3, np.nan))
    assert bowed.resets == 1


def test_velocity_is_the_slope_of_the_amplitudes() -> None:
    springs = Springs([mode_of(0.5, 0.1)])
    springs.step(np.zeros(1), np.ones(1))
    fastest = 0.0
    for _ in range(10):
        before, slope = springs.amplitudes, springs.velocity
        after = springs.step(np.zeros(1), np.zeros(1))
        assert (after - before) / SECONDS == pytest.approx(0.5 * (slope + springs.velocity), abs=0.02)
        fastest = max(fastest, float(np.abs(springs.velocity)[0]))
    assert fastest > 1.0


def test_a_kick_rings_on_and_comes_to_exact_rest_in_two_seconds() -> None:
    springs = Springs(MODES)
    found = [springs.step(NOTHING, np.ones(3))]
    found += [springs.step(NOTHING, NOTHING) for _ in range(REST_TICKS)]
    assert np.abs(found[3]).max() > 0.3
    assert np.abs(found[20]).max() > 0.02, "it rings on"
    assert springs.at_rest
    assert not found[-1].any()
    assert not springs.velocity.any()
    assert REST_TICKS * SECONDS < 2.0


def test_after_an_hour_they_come_to_exact_rest_too() -> None:
    springs, rng = Springs(MODES), np.random.default_rng(3)
    for _ in range(3600 * 25):
        springs.step(rng.normal(0, 0.5, 3), np.zeros(3))
    assert np.abs(springs.amplitudes).max() <= LIMIT
    for _ in range(REST_TICKS):
        assert not springs.at_rest
        springs.step(NOTHING, NOTHING)
    assert springs.at_rest
    assert not springs.amplitudes.any()


def test_however_strong_the_force_the_amplitude_is_limited() -> None:
    springs = Springs(MODES)
    for tick in range(200):
        assert np.abs(springs.step(np.full(3, 1e9 * (-1) ** (tick // 7)), np.full(3, 1e9))).max() <= LIMIT
    assert springs.resets == 0


def test_stronger_forces_may_swing_them_farther() -> None:
    sizes = []
    for motion in (0.5, 1.0, 2.0, 4.0):
        springs = Springs(MODES)
        springs.allow(motion)
        found = np.stack([springs.step(NOTHING, motion * np.ones(3) * (tick % 6 == 0)) for tick in range(120)])
        sizes.append(float(np.abs(found).mean()))
        assert np.abs(found).max() <= LIMIT * max(1.0, motion) ** 0.5
    growth = np.diff(np.log2(sizes))
    assert growth.min() > 0.6, "no doubling of the dial is lost"
    assert growth.max() <= 1.0


@pytest.mark.parametrize(
    "bad", [np.array([np.nan, 0, 0]), np.array([0, np.inf, 0]), np.zeros(2), np.zeros((3, 3)), np.zeros(4)]
)
def test_bad_forces_put_them_to_rest_and_are_counted(bad: np.ndarray) -> None:
    springs = Springs(MODES)
    springs.step(NOTHING, np.ones(3))
    assert not springs.step(bad, NOTHING).any()
    assert not springs.step(NOTHING, bad).any()
    assert springs.resets == 2
    assert springs.step(NOTHING, np.ones(3)).all(), "they go on"


def test_lost_ticks_are_ticks_without_force() -> None:
    one, other = Springs(MODES), Springs(MODES)
    for springs in (one, other):
        springs.step(np.full(3, 0.5), np.ones(3))
    one.coast(4)
    for _ in range(4):
        other.step(NOTHING, NOTHING)
    np.testing.assert_array_equal(one.amplitudes, other.amplitudes)
    one.coast(10**9)
    assert one.at_rest
