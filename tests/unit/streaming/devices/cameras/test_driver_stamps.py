"""Capture times from drivers with true stamps, other clocks, no stamps, and stamps that jump."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streaming.devices.cameras.driver_stamps import (
    ARRIVAL,
    DOUBTED_AFTER,
    DRIVER,
    NEAREST,
    SHIFTED,
    TRUSTED_AFTER,
    DriverStamps,
)

MS = 1_000_000
START_NS = 5_000_000_000_000
FRAMES = 200


def frames(rate_hz: float = 30.0, delay_ms: float = 28.0, jitter_ms: float = 6.0) -> list[tuple[int, int]]:
    """When frames were captured and when they arrived, in ns of the monotonic clock."""
    rng = np.random.default_rng(3)
    captured = [START_NS + round(index * 1e9 / rate_hz) for index in range(FRAMES)]
    return [(one, one + round((delay_ms + rng.uniform(0, jitter_ms)) * MS)) for one in captured]


def capture_times(stamp_ms: Callable[[int, int], float]) -> tuple[DriverStamps, list[int], list[str]]:
    """What is made of a driver that stamps frame `index`, captured at a time in ns, with `stamp_ms`."""
    stamps, times, sources = DriverStamps(), [], []
    for index, (captured_ns, arrival_ns) in enumerate(frames()):
        times.append(stamps.capture_ns(stamp_ms(index, captured_ns), arrival_ns))
        sources.append(stamps.source)
    assert (np.diff(times) > 0).all(), "time never goes back"
    return stamps, times, sources


def errors_ms(times: list[int]) -> np.ndarray:
    return np.array([(time - captured) / MS for time, (captured, _) in zip(times, frames(), strict=True)])


def test_true_stamps_are_used_as_soon_as_they_are_trusted() -> None:
    stamps, times, sources = capture_times(lambda index, captured_ns: captured_ns / MS)
    assert sources[: TRUSTED_AFTER - 1] == [ARRIVAL] * (TRUSTED_AFTER - 1)
    assert set(sources[TRUSTED_AFTER - 1 :]) == {DRIVER}
    assert np.abs(errors_ms(times)[TRUSTED_AFTER:]).max() < 0.001
    assert stamps.delay_ms == pytest.approx(31.0, abs=1.5)


@pytest.mark.parametrize("stamp_ms", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_without_stamps_frames_have_the_time_of_their_arrival(stamp_ms: float) -> None:
    stamps, times, sources = capture_times(lambda index, captured_ns: stamp_ms)
    assert set(sources) == {ARRIVAL}
    assert times == [arrival_ns for _, arrival_ns in frames()]
    assert stamps.delay_ms is None


@pytest.mark.parametrize("offset_s", [1.7e9, -3_000.0, 2.0, -0.4], ids=["wall clock", "boot", "ahead", "behind"])
def test_another_clock_tells_how_far_apart_frames_are(offset_s: float) -> None:
    stamps, times, sources = capture_times(lambda index, captured_ns: captured_ns / MS + 1e3 * offset_s)
    assert DRIVER not in sources
    assert sources[-1] == SHIFTED
    late = errors_ms(times)[TRUSTED_AFTER + DOUBTED_AFTER :]
    assert late.min() >= 27.9, "never before the capture; the driver's own delay is not known"
    assert np.ptp(late[100:]) < 0.2, "without the arrivals' jitter of 6 ms"
    assert stamps.delay_ms is None


def test_stamps_that_jump_at_random_are_not_used() -> None:
    rng = np.random.default_rng(1)
    jumps = rng.uniform(0.5e3, 60e3, FRAMES)
    _, times, sources = capture_times(lambda index, captured_ns: captured_ns / MS - jumps[index])
    assert set(sources) == {ARRIVAL}
    assert times == [arrival_ns for _, arrival_ns in frames()]


def test_stamps_that_repeat_are_not_used() -> None:
    _, _, sources = capture_times(lambda index, captured_ns: START_NS / MS)
    assert set(sources) == {ARRIVAL}


def test_one_wrong_stamp_of_a_trusted_driver_is_replaced_by_the_arrival_less_its_delay() -> None:
    wrong = {50: 0.0, 80: 1e9, 81: 1e9}
    _, times, sources = capture_times(lambda index, captured_ns: wrong.get(index, captured_ns / MS))
    assert [index for index, source in enumerate(sources) if source == NEAREST] == list(wrong)
    assert set(sources[TRUSTED_AFTER - 1 :]) == {DRIVER, NEAREST}
    assert np.abs(errors_ms(times)[TRUSTED_AFTER:]).max() < 5.0


def test_a_driver_that_becomes_wrong_is_doubted_and_trusted_again_when_it_is_right() -> None:
    broken = range(60, 100)
    _, times, sources = capture_times(lambda index, captured_ns: 0.0 if index in broken else captured_ns / MS)
    assert sources[59] == DRIVER
    assert sources[60 : 60 + DOUBTED_AFTER - 1] == [NEAREST] * (DOUBTED_AFTER - 1)
    assert set(sources[60 + DOUBTED_AFTER : 100]) == {ARRIVAL}
    assert sources[100 + TRUSTED_AFTER :] == [DRIVER] * (100 - TRUSTED_AFTER)
    assert np.abs(errors_ms(times)[-50:]).max() < 0.001
