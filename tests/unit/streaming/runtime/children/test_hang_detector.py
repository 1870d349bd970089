"""A stage that hangs is told from one that waits for a core."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from streaming.runtime.children.hang_detector import STARVED_NS, HangDetector, ThreadSample, sample_threads

MS = 1_000_000
LIMIT_NS = 400 * MS


def silent_until_noticed(states: bytes, share: float) -> int:
    """After how much silence in ms a process is called hanging whose threads are in these states.

    share: of a core that it uses meanwhile.
    """
    detector = HangDetector(lambda pid, now_ns: ThreadSample(now_ns, round(share * now_ns), states))
    for silent_ms in range(0, 10_000, 20):
        if detector.hangs(1, silent_ms * MS, LIMIT_NS, silent_ms * MS):
            return silent_ms
    raise AssertionError("never")


@pytest.mark.parametrize(
    ("states", "share", "noticed_ms"),
    [
        (b"T", 0.0, 420),
        (b"SSS", 0.0, 420),
        (b"RSS", 1.0, 420),
        (b"RSS", 0.1, STARVED_NS // MS + 20),
        (b"SRS", 0.0, STARVED_NS // MS + 20),
        (b"D", 0.0, STARVED_NS // MS + 20),
    ],
)
def test_what_is_blocked_or_loops_hangs_and_what_waits_for_a_core_gets_more_time(
    states: bytes, share: float, noticed_ms: int
) -> None:
    assert silent_until_noticed(states, share) == noticed_ms


def test_a_sign_of_life_begins_anew() -> None:
    samples = iter([ThreadSample(0, 0, b"R"), ThreadSample(1, 0, b"T"), ThreadSample(2, 0, b"T")])
    detector = HangDetector(lambda pid, now_ns: next(samples))
    assert not detector.hangs(1, 300 * MS, LIMIT_NS, 300 * MS)
    assert not detector.hangs(1, 10 * MS, LIMIT_NS, 400 * MS)
    assert not detector.hangs(1, 300 * MS, LIMIT_NS, 700 * MS)
    assert detector.hangs(1, 500 * MS, LIMIT_NS, 900 * MS)


def test_without_a_word_of_the_kernel_it_gets_more_time() -> None:
    detector = HangDetector(lambda pid, now_ns: None)
    assert not detector.hangs(1, LIMIT_NS + MS, LIMIT_NS, 0)
    assert detector.hangs(1, STARVED_NS + MS, LIMIT_NS, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="the states of threads are read from /proc")
def test_the_threads_of_a_real_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            process.send_signal(signal.SIGSTOP)
            signal.sigtimedwait([], 0.1)
            sample = sample_threads(process.pid, 7)
            assert sample is not None
            assert (sample.at_ns, sample.states) == (7, b"T")
        finally:
            process.kill()
    assert sample_threads(process.pid, 8) is None
