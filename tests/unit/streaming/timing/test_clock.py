"""The device clock: converges, survives late callbacks, follows drift and pauses; spinners end with their parent."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import psutil
import pytest

from streaming.errors import StageError
from streaming.timing import clock
from streaming.timing.clock import DeviceClock

RATE = 32_000.0
BLOCK = 1_280


def lateness(rng: random.Random) -> float:
    """Seconds: usually some 0.2 ms, one in twenty anything up to 100 ms."""
    return rng.uniform(0.0, 0.1) if rng.random() < 0.05 else rng.expovariate(1 / 0.0002)


def simulate(ppm: float, seconds: float, block: int = BLOCK, seed: int = 1) -> list[tuple[float, float, float]]:
    """Run a clock against a device that is off by `ppm`; returns (time, error of time_of, measured rate)."""
    rng, device = random.Random(seed), DeviceClock(RATE)
    rate, start, history = RATE * (1 + ppm * 1e-6), 5_000_000_000_000, []
    for position in range(0, int(seconds * RATE), block):
        true_ns = start + position / rate * 1e9
        device.observe(position, int(true_ns + lateness(rng) * 1e9))
        ahead = position + 4_000
        error = (device.time_of(ahead) - (start + ahead / rate * 1e9)) / 1e6
        history.append((position / rate, error, device.rate_hz))
    return history


@pytest.mark.parametrize("block", [128, 320, 1_280])
@pytest.mark.parametrize("ppm", [-500.0, 0.0, 80.0, 500.0])
def test_converges_within_a_second_and_stays(ppm: float, block: int) -> None:
    history = simulate(ppm, 60.0, block)
    assert max(abs(error) for at, error, _ in history if at > 1.0) < 1.0
    assert abs(history[-1][2] / RATE - 1 - ppm * 1e-6) < 30e-6


def test_hours_of_ticks_stay_exact_in_constant_memory() -> None:
    history = simulate(230.0, 2 * 3_600.0)
    late = [abs(error) for at, error, _ in history if at > 20.0]
    assert max(late) < 1.0
    assert len(history) == 2 * 3_600 * 25


def test_memory_is_bounded() -> None:
    device = DeviceClock(RATE)
    tracemalloc.start()
    try:
        for tick in range(10_000):
            device.observe(tick * BLOCK, tick * 40_000_000)
            if tick == 2_000:
                full, _ = tracemalloc.get_traced_memory()
        assert tracemalloc.get_traced_memory()[0] < full + 4_096, "8,000 more observations take up no more memory"
    finally:
        tracemalloc.stop()


def test_follows_a_rate_that_drifts() -> None:
    rng, device = random.Random(3), DeviceClock(RATE)
    at, worst = 0.0, 0.0
    for tick in range(25 * 600):
        rate = RATE * (1 + 0.5e-6 * at)
        at += BLOCK / rate
        position = (tick + 1) * BLOCK
        device.observe(position, int((at + lateness(rng)) * 1e9))
        if at > 2.0:
            worst = max(worst, abs(device.time_of(position) / 1e6 - at * 1e3))
    assert worst < 1.0
    assert device.rate_hz == pytest.approx(RATE * (1 + 300e-6), rel=20e-6)


def test_survives_a_burst_of_late_callbacks() -> None:
    device = DeviceClock(RATE)
    for tick in range(25 * 20):
        late = 100_000_000 if 250 <= tick < 270 else 0
        device.observe(tick * BLOCK, tick * 40_000_000 + late)
        assert abs(device.time_of(tick * BLOCK) - tick * 40_000_000) < 2_000_000


def test_follows_a_device_that_paused() -> None:
    device, pause = DeviceClock(RATE), 73_000_000
    for tick in range(25 * 20):
        device.observe(tick * BLOCK, tick * 40_000_000 + (pause if tick >= 250 else 0))
    assert abs(device.time_of(500 * BLOCK) - 500 * 40_000_000 - pause) < 1_000_000
    assert device.rate_hz == pytest.approx(RATE, rel=1e-5)


def test_is_smooth() -> None:
    """From one tick to the next the clock advances by a tick, to within what a slewed correction adds."""
    rng, device, before = random.Random(5), DeviceClock(RATE), None
    for tick in range(25 * 120):
        device.observe(tick * BLOCK, int((tick * 0.04 + lateness(rng)) * 1e9))
        now = device.time_of(tick * BLOCK)
        if before is not None and tick > 50:
            assert abs(now - before - 40_000_000) < 200_000
        before = now


def test_position_is_the_inverse_of_time() -> None:
    rng, device = random.Random(7), DeviceClock(48_000.0)
    for block in range(2_000):
        device.observe(block * 256, int((block * 256 / 48_010.0 + lateness(rng)) * 1e9))
        for position in (block * 256 - 9_000.5, block * 256, block * 256 + 100, block * 256 + 60_000):
            assert device.position_at(device.time_of(position)) == pytest.approx(position, abs=1e-3)


def test_begins_anew_when_positions_go_back() -> None:
    device = DeviceClock(RATE)
    for tick in range(100):
        device.observe(tick * BLOCK, tick * 40_000_000)
    device.observe(0, 77_000_000_000)
    assert device.time_of(0) == 77_000_000_000


def test_asked_too_early_says_so() -> None:
    device = DeviceClock(RATE)
    assert not device.ready
    with pytest.raises(StageError):
        device.time_of(0)
    with pytest.raises(StageError):
        device.position_at(0)
    with pytest.raises(ValueError, match="positive"):
        DeviceClock(0)


def test_sleep_until_never_wakes_early() -> None:
    deadline = clock.now_ns() + 3_000_000
    clock.sleep_until(deadline)
    assert clock.now_ns() >= deadline
    clock.sleep_until(deadline - 10_000_000_000)


def test_wall_text_is_a_file_name() -> None:
    assert re.fullmatch(r"\d{8}-\d{6}", clock.wall_text())


def test_keep_awake_spins_while_it_lasts() -> None:
    me = psutil.Process()
    before = {child.pid for child in me.children()}
    with clock.keep_awake(2):
        spinners = [child for child in me.children() if child.pid not in before]
        assert len(spinners) == 2
    assert not any(spinner.is_running() for spinner in spinners)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a POSIX signal")
def test_spinners_die_with_a_killed_parent() -> None:
    script = """
        import sys, psutil
        from streaming.timing import clock
        with clock.keep_awake(2):
            print(*[child.pid for child in psutil.Process().children()], flush=True)
            sys.stdin.read()
    """
    root = Path(clock.__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    spinners = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
    assert len(spinners) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(spinners, timeout=20)
    alive = [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert not alive
    parent.stdin.close()
    parent.stdout.close()


@pytest.mark.parametrize("ppm", [-300.0, 0.0, 300.0])
def test_after_a_thousand_hours_of_one_device_a_position_is_as_exact_as_in_the_first_minute(ppm: float) -> None:
    rng, device = random.Random(4), DeviceClock(RATE)
    rate, start = RATE * (1 + ppm * 1e-6), 7_000_000_000
    hours = [position for hour in range(1_000) for position in range(hour * 3_600 * 32_000, hour * 3_600 * 32_000 + 1)]
    last_minute = range(1_000 * 3_600 * 32_000, 1_000 * 3_600 * 32_000 + 60 * 32_000, BLOCK)
    errors = []
    for position in (*hours, *last_minute):
        # Exact to the nanosecond where a float of seconds since the start of the machine would not be.
        true_ns = start + position * 1_000_000_000_000_000 // round(rate * 1e6)
        device.observe(position, true_ns + round(lateness(rng) * 1e9))
        if position > last_minute[0] + 20 * RATE:
            ahead = position + 4_000
            errors.append((device.time_of(ahead) - start - ahead * 1_000_000_000_000_000 // round(rate * 1e6)) / 1e6)
            assert abs(device.position_at(device.time_of(ahead)) - ahead) < 0.01
    assert max(map(abs, errors)) < 1.0
