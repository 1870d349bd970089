"""How many of a fast camera's frames are read."""

from __future__ import annotations

import pytest

from streaming.vision.frame_stride import FRAMES, FrameStride


def settled(cores: int, cost_ms: float, rate_hz: float) -> FrameStride:
    stride = FrameStride(cores)
    for _ in range(3 * FRAMES):
        stride.measure(cost_ms, rate_hz)
    return stride


@pytest.mark.parametrize(
    ("cores", "cost_ms", "rate_hz", "read"),
    [
        (2, 5.0, 60.0, 60.0),
        (2, 9.0, 60.0, 30.0),
        (2, 40.0, 60.0, 30.0),
        (2, 3.0, 120.0, 120.0),
        (2, 6.0, 120.0, 60.0),
        (2, 9.0, 120.0, 40.0),
        (2, 20.0, 120.0, 30.0),
        (8, 9.0, 60.0, 60.0),
        (1, 5.0, 60.0, 30.0),
        (2, 100.0, 30.0, 30.0),
        (2, 100.0, 25.0, 25.0),
        (2, 100.0, 15.0, 15.0),
    ],
)
def test_as_many_frames_are_read_as_there_is_time_for_but_one_for_each_tick(
    cores: int, cost_ms: float, rate_hz: float, read: float
) -> None:
    assert rate_hz / settled(cores, cost_ms, rate_hz).stride == read


def test_of_so_many_frames_one_is_read() -> None:
    stride = settled(2, 9.0, 60.0)
    assert [stride.wants_next() for _ in range(6)].count(True) == 3


def test_it_does_not_come_and_go_at_the_limit() -> None:
    stride = settled(2, 7.6, 60.0)
    assert stride.stride == 2
    for _ in range(2 * FRAMES):
        stride.measure(7.4, 60.0)
    assert stride.stride == 2
    for _ in range(2 * FRAMES):
        stride.measure(4.5, 60.0)
    assert stride.stride == 1


def test_a_slow_frame_or_two_do_not_decide() -> None:
    stride = FrameStride(2)
    for index in range(4 * FRAMES):
        stride.measure(200.0 if index % 10 == 0 else 4.0, 60.0)
    assert stride.stride == 1
