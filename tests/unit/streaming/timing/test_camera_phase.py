"""Phase and drift of cameras with known clocks."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.timing.camera_phase import CameraPhase

MS = 1_000_000
START_NS = 7_000_000_000_000
TICK_NS = 40_000_000


def watched(
    rate_hz: float,
    *,
    seconds: float = 30.0,
    phase_ms: float = 13.0,
    camera_ppm: float = 0.0,
    device_ppm: float = 0.0,
    jitter_ms: float = 0.0,
    lost: float = 0.0,
) -> CameraPhase:
    """An estimate of a camera and a device that are slow by known amounts."""
    rng = np.random.default_rng(5)
    phase = CameraPhase()
    tick_ns = TICK_NS * (1 + device_ppm / 1e6)
    interval_ns = 1e9 / rate_hz * (1 + camera_ppm / 1e6)
    for index in range(int(seconds * rate_hz)):
        captured_ns = START_NS + phase_ms * MS + index * interval_ns
        tick = int((captured_ns - START_NS) / tick_ns)
        phase.observe_tick(tick, START_NS + round(tick * tick_ns))
        if rng.uniform() >= lost:
            phase.observe_frame(round(captured_ns + rng.uniform(0, jitter_ms) * MS), rate_hz * 1.004)
    return phase


@pytest.mark.parametrize(("rate_hz", "step_ms"), [(25, 40.0), (30, 20 / 3), (50, 20.0), (60, 10 / 3), (120, 5 / 3)])
def test_a_camera_with_the_devices_clock_has_a_steady_phase(rate_hz: float, step_ms: float) -> None:
    phase = watched(rate_hz)
    assert phase.step_ms == pytest.approx(step_ms)
    assert phase.drift_ppm == pytest.approx(0.0, abs=0.1)
    assert phase.phase_ms is not None
    assert (phase.phase_ms - 13.0 + step_ms / 2) % step_ms == pytest.approx(step_ms / 2, abs=0.01)


@pytest.mark.parametrize(("camera_ppm", "device_ppm"), [(80.0, 0.0), (0.0, 60.0), (-120.0, 50.0), (1001.0, 0.0)])
@pytest.mark.parametrize("rate_hz", [25.0, 60.0])
def test_drift_is_the_difference_of_the_two_clocks(rate_hz: float, camera_ppm: float, device_ppm: float) -> None:
    found = watched(rate_hz, seconds=60.0, camera_ppm=camera_ppm, device_ppm=device_ppm).drift_ppm
    assert found == pytest.approx(camera_ppm - device_ppm, abs=1.0)


def test_late_and_lost_frames_hardly_matter() -> None:
    phase = watched(30.0, seconds=60.0, camera_ppm=40.0, jitter_ms=6.0, lost=0.2)
    assert phase.drift_ppm == pytest.approx(40.0, abs=25.0)


def test_the_phase_of_a_drifting_camera_moves() -> None:
    early, late = (watched(25.0, seconds=seconds, camera_ppm=200.0).phase_ms for seconds in (10.0, 40.0))
    assert early is not None
    assert late is not None
    assert late - early == pytest.approx(30 * 0.2, abs=0.1)


def test_nothing_is_said_before_it_is_known_and_after_a_gap_it_begins_anew() -> None:
    phase = watched(25.0, seconds=3.0)
    assert phase.drift_ppm is None
    assert phase.phase_ms == pytest.approx(13.0, abs=0.1)
    assert watched(22.0).phase_ms is None, "no camera's rate"
    settled = watched(25.0)
    settled.observe_frame(START_NS + 60_000 * MS, 25.0)
    assert (settled.phase_ms, settled.drift_ppm) == (None, None)
