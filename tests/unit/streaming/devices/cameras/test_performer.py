"""The synthetic performer's pace."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.devices.cameras.performer import PerformerCamera
from streaming.stage import Context
from tests.unit.streaming.devices.camera_clock import MS, a_context, counters, play


@pytest.fixture
def context() -> Context:
    return a_context()


class FakePerformer:
    """Draws its time: brightness = frame number."""

    def __init__(self) -> None:
        self.drawn: list[float] = []

    def frame(self, t_s: float) -> np.ndarray:
        self.drawn.append(t_s)
        return np.full((4, 4, 3), round(t_s * 25) % 256, np.uint8)


def performer(context: Context, length_s: float = 100.0) -> PerformerCamera:
    source = PerformerCamera(FakePerformer(), "performer:fake@0", length_s)
    source.open(context)
    return source


def test_the_performer_stands_still_until_the_start(context: Context) -> None:
    source = performer(context)
    frames = list(play(source, 1_000 * MS, 1_200 * MS))
    assert [frame.capture_ns // MS for frame in frames] == [1_000, 1_040, 1_080, 1_120, 1_160, 1_200]
    assert {int(frame.image[0, 0, 0]) for frame in frames} == {0}


def test_the_performer_is_drawn_ahead_and_shown_at_its_capture_time(context: Context) -> None:
    source = performer(context)
    source.start(2_000 * MS, 2_000 * MS)
    assert source.poll(2_000 * MS) is not None
    wake_ns = source.wake_ns()
    assert wake_ns == 2_020 * MS
    assert source.poll(wake_ns) is None  # draws
    assert source.wake_ns() == 2_040 * MS
    assert source.poll(2_039 * MS) is None
    frame = source.poll(2_041 * MS)
    assert frame is not None
    assert (frame.index, int(frame.image[0, 0, 0]), frame.capture_ns) == (1, 1, 2_040 * MS)


def test_a_late_performer_skips_and_counts(context: Context) -> None:
    source = performer(context)
    source.start(2_000 * MS, 2_000 * MS)
    source.poll(2_000 * MS)
    frame = source.poll(2_210 * MS)
    assert frame is not None
    assert (frame.index, int(frame.image[0, 0, 0]), frame.capture_ns) == (5, 5, 2_200 * MS)
    assert counters(context) == {"drops": 4}


def test_a_restarted_performer_goes_on_in_the_same_time(context: Context) -> None:
    source = performer(context)
    source.start(2_000 * MS, 4_010 * MS)
    assert source.poll(4_010 * MS) is None
    frame = source.poll(4_040 * MS)
    assert frame is not None
    assert (frame.index, frame.capture_ns) == (51, 4_040 * MS)
    assert counters(context) == {}


def test_a_long_show_repeats_the_performance(context: Context) -> None:
    source = performer(context, length_s=0.2)
    source.start(2_000 * MS, 2_000 * MS)
    frames = list(play(source, 2_000 * MS, 2_320 * MS))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 1, 2, 3, 4, 0, 1, 2, 3]
