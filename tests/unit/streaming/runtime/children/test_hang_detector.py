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


def noticed_with_loop(stops_ms: int, share: float) -> int:
    """The same of a process that sleeps and wakes until it stops; its loop uses this share of a core until then."""

    def sample(pid: int, now_ns: int) -> ThreadSample:
        used_ns = round(share * min(now_ns, stops_ms * MS))
        return ThreadSample(now_ns, used_ns, b"SS", used_ns)

    detector = HangDetector(sample)
    for silent_ms in range(0, 10_000, 20):
        if detector.hangs(1, silent_ms * MS, LIMIT_NS, silent_ms * MS):
            return silent_ms
    raise AssertionError("never")


@pytest.mark.parametrize(
    ("stops_ms", "share", "most_ms"), [(0, 0.0, 420), (210, 0.02, 660), (1_000, 0.02, 1_460), (100, 0.9, 420)]
)
def test_a_stop_is_noticed_also_after_a_time_in_which_it_was_not_heard(
    stops_ms: int, share: float, most_ms: int
) -> None:
    assert max(stops_ms, 400) < noticed_with_loop(stops_ms, share) <= most_ms


def test_a_loop_that_goes_on_waking_lives_and_is_only_not_heard() -> None:
    assert noticed_with_loop(60_000, 0.02) == STARVED_NS // MS + 20
    assert noticed_with_loop(60_000, 0.9) == 420, "but one that is busy without an end hangs"


@pytest.mark.parametrize(("waited_share", "noticed_ms"), [(0.6, STARVED_NS // MS + 20), (0.1, 420)])
def test_who_was_kept_from_a_core_gets_more_time_though_it_sleeps_when_it_is_looked_at(
    waited_share: float, noticed_ms: int
) -> None:
    detector = HangDetector(
        lambda pid, now_ns: ThreadSample(now_ns, 0, b"SS", 0, round(waited_share * now_ns))  # its loop did not run
    )
    noticed = next(ms for ms in range(0, 10_000, 20) if detector.hangs(1, ms * MS, LIMIT_NS, ms * MS))
    assert noticed == noticed_ms


def test_a_stop_after_a_time_without_a_core_is_noticed() -> None:
    detector = HangDetector(lambda pid, now_ns: ThreadSample(now_ns, 0, b"TT", 0, min(now_ns, 600 * MS)))
    noticed = next(ms for ms in range(0, 10_000, 20) if detector.hangs(1, ms * MS, LIMIT_NS, ms * MS))
    assert 600 < noticed <= 1_060


@pytest.mark.parametrize("states", [b"RSS", b"SSS"])
def test_a_silence_of_which_the_supervisor_saw_nothing_is_watched_first(states: bytes) -> None:
    """It had no core itself: it hears of the silence when that has lasted long already."""
    detector = HangDetector(lambda pid, now_ns: ThreadSample(now_ns, 0, states, 0))
    assert not detector.hangs(1, 900 * MS, LIMIT_NS, 900 * MS)
    assert not detector.hangs(1, 1_000 * MS, LIMIT_NS, 1_000 * MS)
    assert detector.hangs(1, 1_200 * MS, LIMIT_NS, 1_200 * MS) == (states == b"SSS")


def test_a_sign_of_life_begins_anew() -> None:
    begin, later = ThreadSample(0, 0, b"R"), ThreadSample(LIMIT_NS, 0, b"T")
    samples = iter([begin, begin, later])
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


@pytest.mark.skipif(sys.platform != "linux", reason="the states of threads are read from /proc")
def test_a_real_wait_for_a_core_is_counted() -> None:
    """Two loops share one core: each waits for about half of the time."""
    words = ["taskset", "-c", "0", sys.executable, "-I", "-S", "-c", "while True: pass"]
    with subprocess.Popen(words) as one, subprocess.Popen(words) as other:
        try:
            signal.sigtimedwait([], 0.3)
            first = sample_threads(one.pid, 0)
            signal.sigtimedwait([], 1.0)
            second = sample_threads(one.pid, 1_000 * MS)
            assert first is not None
            assert second is not None
            assert second.waited_ns - first.waited_ns > 250 * MS
        finally:
            one.kill()
            other.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the states of threads are read from /proc")
def test_a_real_loop_is_told_from_a_real_stop() -> None:
    words = "import time\nwhile True: time.sleep(0.05)"
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", words]) as process:
        try:
            for is_stopped in (False, True):
                signal.sigtimedwait([], 1.0)
                if is_stopped:
                    process.send_signal(signal.SIGSTOP)
                    signal.sigtimedwait([], 0.2)
                first = sample_threads(process.pid, 0)
                signal.sigtimedwait([], 1.0)
                second = sample_threads(process.pid, 1)
                assert first is not None
                assert second is not None
                assert first.loop_ns is not None
                assert second.loop_ns is not None
                assert (second.loop_ns == first.loop_ns) == is_stopped
        finally:
            process.kill()
