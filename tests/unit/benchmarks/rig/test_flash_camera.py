"""The virtual camera: what a frame shows is what was there at its capture time."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.rig.flash_camera import SIZE, FlashCamera, FlashScene
from benchmarks.rig.trial_plan import CameraStart, Flash, TrialPlan, random_times, read_camera_log
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics

MS = 1_000_000
ORIGIN = 10_000 * MS


class KeptLog(io.BytesIO):
    """A log that can be read after it is closed."""

    def close(self) -> None:
        """Stay open."""


def film(camera_hz: float, flashes_s: list[float], shift_ns: int = 0) -> tuple[list[tuple[int, bool]], list[object]]:
    """Capture time in ns and whether it is lit, of every frame of two seconds; and the log's lines."""
    log = KeptLog()
    camera = FlashCamera(
        TrialPlan(folder="", flashes_s=flashes_s, impulses_s=[], camera_hz=camera_hz), FlashScene(), log
    )
    camera.open(Context(show=Show(), metrics=Metrics(), now_ns=ORIGIN - 7 * MS))
    camera.start(ORIGIN, ORIGIN)
    assert camera.shift(shift_ns) is (camera_hz == 0.0)
    frames = []
    while (wake_ns := camera.wake_ns() or 0) < ORIGIN + 2_000 * MS:
        frame = camera.poll(wake_ns)
        assert frame is not None
        assert camera.poll(wake_ns) is None, "each frame once"
        frames.append((frame.capture_ns, int(frame.image[SIZE[1] // 2, SIZE[0] // 2].min()) > 250))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(log.getvalue() + b'{"type":"fla')
        lines: list[object] = list(read_camera_log(path))
    return frames, lines


def test_a_flash_is_in_the_frames_between_its_beginning_and_its_end_and_in_no_other() -> None:
    for camera_hz in (0.0, 30.0, 25.0):
        frames, lines = film(camera_hz, [0.5, 1.3])
        lit = [captured for captured, is_lit in frames if is_lit]
        spans = [(ORIGIN + begin * MS, ORIGIN + (begin + 100) * MS) for begin in (500, 1_300)]
        assert lit == [captured for captured, _ in frames if any(low <= captured < high for low, high in spans)]
        assert len(lit) >= 4
        assert lines[0] == CameraStart(origin_ns=ORIGIN)
        firsts = [min(captured for captured in lit if captured >= low) for low, _ in spans]
        assert lines[1:] == [Flash(event_ns=low, frame_ns=first) for (low, _), first in zip(spans, firsts, strict=True)]


def test_a_camera_in_step_is_shifted_and_its_flashes_are_not() -> None:
    before, _ = film(0.0, [0.5])
    after, lines = film(0.0, [0.5], shift_ns=11 * MS)
    assert after[0][0] - before[0][0] == 11 * MS
    flash = lines[1]
    assert isinstance(flash, Flash)
    assert flash.event_ns == ORIGIN + 500 * MS


def test_a_late_poll_gives_the_newest_frame() -> None:
    plan = TrialPlan(folder="", flashes_s=[], impulses_s=[])
    camera = FlashCamera(plan, FlashScene(), KeptLog())
    camera.open(Context(show=Show(), metrics=Metrics(), now_ns=ORIGIN))
    frame = camera.poll(ORIGIN + 130 * MS)
    assert frame is not None
    assert (frame.index, frame.capture_ns) == (3, ORIGIN + 120 * MS)


def test_random_times_cannot_be_foreseen_and_keep_their_distance() -> None:
    times = random_times(400, (1.7, 2.1), 5)
    gaps = np.diff(times)
    assert gaps.min() >= 1.7
    assert gaps.max() <= 2.1
    phases = np.histogram(np.array(times) % 0.04, bins=8)[0]
    assert phases.min() > 25, "even over the phase of a frame"
    assert times == random_times(400, (1.7, 2.1), 5)
