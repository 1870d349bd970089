"""A decoder that is slower than real time: the newest picture is shown, and what is left out is counted."""

from __future__ import annotations

import threading
from pathlib import Path

import av
import numpy as np
import pytest

from streaming.devices.cameras.catch_up import LATE_NS, CatchUp
from streaming.devices.cameras.video_file import VideoFile
from streaming.timing import clock
from tests.unit.streaming.devices.camera_clock import MS, a_context


def decode(cost_ms: float, frames: int, start_late_ms: float = 0.0) -> tuple[CatchUp, list[float], list[str]]:
    """Decode 25 frames a second, a keyframe in 25: (decisions, lateness of those shown in ms, what was left out)."""
    catch_up, now_ns = CatchUp(), start_late_ms * MS
    late: list[float] = []
    left_out: list[str] = []
    for n in range(frames):
        due_ns = n * 40 * MS
        if catch_up.skip == "NONKEY" and n % 25:
            continue
        now_ns = max(now_ns, due_ns - 160 * MS) + cost_ms * MS
        if catch_up.shows(due_ns, round(now_ns)):
            late.append((now_ns - due_ns) / MS)
        left_out.append(catch_up.skip)
    return catch_up, late, left_out


def test_a_decoder_in_time_leaves_nothing_out() -> None:
    catch_up, late, left_out = decode(20.0, 200)
    assert len(late) == 200
    assert set(left_out) == {""}
    assert not catch_up.behind


def test_a_stall_of_the_machine_is_caught_up_with_without_waiting_for_a_keyframe() -> None:
    _, late, left_out = decode(10.0, 200, start_late_ms=600.0)
    assert "NONKEY" not in left_out
    assert late[-1] < 0.0
    assert left_out[-1] in ("", "NONREF")


def test_a_decoder_that_is_too_slow_goes_on_at_keyframes_and_stays_near_the_present() -> None:
    catch_up, late, left_out = decode(55.0, 1_500)
    assert catch_up.behind
    assert "NONKEY" in left_out
    assert max(late) < 1_000.0, "without it 22 s at the end"
    assert np.median(late) < LATE_NS / MS + 150.0
    assert len(late) > 1_500 / 8


class DecoderTime:
    """A clock on which every frame takes 60 ms to decode; asked once for each."""

    def __init__(self) -> None:
        self.now_ns = 2_000 * MS
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.now_ns += 60 * MS
            return self.now_ns

    def wait_until(self, at_ns: int) -> None:
        with self._lock:
            self.now_ns = max(self.now_ns, at_ns)


def test_a_file_that_is_decoded_slower_than_it_plays_is_shown_in_time(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = 12
        for n in range(500):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), n % 200, np.uint8), format="bgr24")
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    context, time = a_context(), DecoderTime()
    source = VideoFile(str(path), now_ns=time)
    source.open(context)
    source.start(2_000 * MS, 2_000 * MS)
    behind_ms = []
    give_up_ns = clock.now_ns() + 20_000 * MS
    while not source.finished and clock.now_ns() < give_up_ns:
        frame = source.poll(time.now_ns)
        if frame is not None:
            behind_ms.append((time.now_ns - frame.capture_ns) / MS)
        wake_ns = source.wake_ns()
        if wake_ns is not None and wake_ns > time.now_ns:
            time.wait_until(wake_ns)
        else:
            threading.Event().wait(0.0005)
    source.close()
    health = context.metrics.take()
    assert source.finished
    assert np.median(behind_ms) < 300.0
    assert max(behind_ms) < 1_500.0, "without leaving anything out it is 10 s at the end"
    assert len(behind_ms) + health.counters["drops"] == pytest.approx(500, abs=25), "all is counted"
    assert len([line for line in health.notes if "too slowly (64x48 at 25 Hz)" in line]) == 1
