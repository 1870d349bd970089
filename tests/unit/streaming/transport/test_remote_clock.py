"""Times of another machine, whose clock began at another moment, become times of this one."""

from __future__ import annotations

import numpy as np

from streaming.schema.messages import Motion, Speaker
from streaming.transport.remote_clock import WINDOW_NS, RemoteClock

S, MS = 1_000_000_000, 1_000_000
HERE = 5_000 * S


def motion(sent_ns: int) -> Motion:
    """A motion whose frame was captured 30 ms before it was sent, there."""
    return Motion(
        flow=np.zeros((2, 16, 16), np.float32),
        speed=np.zeros((16, 16), np.float32),
        embedding=np.zeros(128, np.float32),
        capture_ns=sent_ns - 30 * MS,
        stamps={"camera": sent_ns - 25 * MS, "motion": sent_ns},
    )


def test_one_clock_is_left_alone() -> None:
    clock = RemoteClock("motion")
    for delay_ms in (500, 3, 20):
        message = motion(HERE)
        clock.translate(message, HERE + delay_ms * MS)
        assert message.capture_ns == HERE - 30 * MS
    assert clock.ahead_ns == 0


def test_another_machines_times_become_this_machines_within_the_jitter_of_the_network() -> None:
    rng = np.random.default_rng(1)
    for there in (77 * S, HERE + 90_000 * S):
        clock = RemoteClock("motion")
        errors = []
        for tick in range(500):
            sent, delay = tick * 40 * MS, int(rng.uniform(10, 30) * MS)
            message = motion(there + sent)
            clock.translate(message, HERE + sent + delay)
            errors.append(message.capture_ns - (HERE + sent - 30 * MS))
            assert message.stamps["motion"] - message.stamps["camera"] == 25 * MS
        # The network's least delay, 10 ms, cannot be told from the clocks' difference.
        assert 9.9 * MS <= min(errors[100:]) <= max(errors[100:]) < 11 * MS


def test_drifting_clocks_are_followed_and_unknown_times_stay_unknown() -> None:
    clock = RemoteClock("speaker")
    for second in range(3_600):
        now = HERE + second * S
        there = 40 * S + second * S - second * 100_000  # 100 ppm slower
        message = Speaker(tick=second, dac_ns=there + 20 * MS, capture_ns=0, stamps={"speaker": there})
        clock.translate(message, now)
        assert message.capture_ns == 0
    assert abs(message.dac_ns - (now + 20 * MS)) < 2 * WINDOW_NS * 1e-4 + MS
