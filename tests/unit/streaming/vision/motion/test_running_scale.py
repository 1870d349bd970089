"""The running scale adapts within seconds of motion, and to nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.vision.motion.running_scale import RunningScale


def play(scale: RunningScale, size: float, seconds: float, rate_hz: float = 25.0) -> float:
    """Motion that swells and fades twice a second up to a size."""
    for index in range(int(seconds * rate_hz)):
        scale.observe(size * abs(float(np.sin(2 * np.pi * index / rate_hz))), 1.0 / rate_hz)
    return scale.value


@pytest.mark.parametrize("size", [0.05, 0.1, 0.5, 3.0])
def test_it_finds_the_size_of_motion_within_seconds(size: float) -> None:
    assert play(RunningScale(0.5, 0.03), size, 5.0) == pytest.approx(size, rel=0.25)


def test_it_is_the_same_at_every_frame_rate() -> None:
    values = [play(RunningScale(0.5, 0.03), 1.0, 4.0, rate_hz) for rate_hz in (15.0, 25.0, 30.0, 60.0)]
    assert max(values) < 1.1 * min(values)


def test_stillness_and_idle_trembling_leave_it() -> None:
    scale = RunningScale(0.5, 0.03)
    before = play(scale, 1.0, 5.0)
    for _ in range(25 * 60):
        scale.observe(0.0, 0.04)
    assert scale.value == before
    play(scale, 0.02, 20.0)
    assert scale.value > 0.9 * before


def test_after_long_stillness_a_smaller_performer_is_soon_known() -> None:
    scale = RunningScale(0.5, 0.03)
    play(scale, 2.0, 6.0)
    for _ in range(25 * 40):
        scale.observe(0.0, 0.04)
    assert play(scale, 0.2, 6.0) == pytest.approx(0.2, rel=0.3)


def test_one_burst_moves_it_little() -> None:
    scale = RunningScale(0.5, 0.03)
    before = play(scale, 0.5, 6.0)
    for _ in range(5):
        scale.observe(5.0, 0.04)
    assert scale.value < 1.6 * before


def test_it_never_enlarges_noise() -> None:
    assert play(RunningScale(0.5, 0.03), 0.005, 120.0) >= 0.03


def test_it_is_restored_and_held() -> None:
    scale, other = RunningScale(0.5, 0.03), RunningScale(0.5, 0.03)
    play(scale, 1.0, 2.0)
    scale.hold()
    other.restore(scale.state())
    assert other.value == scale.value == play(other, 4.0, 3.0)
    other.release()
    assert other.value > scale.value
