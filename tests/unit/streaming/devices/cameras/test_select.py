"""Which camera a name means, and the performer's pace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streaming.devices.cameras import live_capture
from streaming.devices.cameras import select as cameras
from streaming.devices.cameras.live_capture import LiveCapture
from streaming.devices.cameras.video_file import VideoFile
from streaming.errors import SourceError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.devices.camera_clock import MS, a_context, counters, play
from tests.unit.streaming.devices.cameras.test_live_capture import Bench, picture


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


def performer(context: Context, length_s: float = 100.0) -> cameras.PerformerCamera:
    source = cameras.PerformerCamera(FakePerformer(), "performer:fake@0", length_s)
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


# The choice.


def test_auto_without_a_webcam_is_the_performer(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    context = Context(Show(camera="auto", duration_s=2.0), Metrics(), note=said.append)
    monkeypatch.setattr(cameras, "webcams", list)
    source = cameras.open_camera(context)
    source.close()
    assert source.description.startswith("performer:")
    assert len(said) == 1
    assert context.memo["camera"] == "performer"


def test_auto_takes_the_first_webcam_that_opens_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, float]] = []

    def fake_webcam(device: int | str, *, open_timeout_s: float = live_capture.WEBCAM_OPEN_S) -> LiveCapture:
        asked.append((device, open_timeout_s))
        bench = Bench(open_timeout_s)
        if device == 0:
            bench.there.clear()
        bench.feed.put(picture(1))
        return bench.source

    monkeypatch.setattr(cameras, "webcams", lambda: [0, 2])
    monkeypatch.setattr(cameras, "webcam", fake_webcam)
    context = Context(Show(camera="auto"), Metrics())
    cameras.open_camera(context).close()
    assert [device for device, _ in asked] == [0, 2]
    cameras.open_camera(context).close()  # restarted: the same one, without waiting for it
    assert asked[2:] == [(2, 0.0)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("0", "webcam"),
        ("/dev/video3", "webcam"),
        ("rtsp://x/y", "network"),
        ("HTTP://x/y", "network"),
        ("a.mp4", "file"),
    ],
)
def test_names_choose_the_kind(monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> None:
    chosen: list[str] = []

    class Nothing(VideoFile):
        def open(self, context: Context) -> None:
            pass

    def choose(label: str) -> Any:
        return lambda *args, **kwargs: (chosen.append(label), Nothing("x"))[1]

    monkeypatch.setattr(cameras, "webcam", choose("webcam"))
    monkeypatch.setattr(cameras, "network_camera", choose("network"))
    monkeypatch.setattr(cameras, "VideoFile", choose("file"))
    cameras.open_camera(Context(Show(camera=name), Metrics())).close()
    assert chosen == [kind]


def test_a_bad_performer_gets_one_line() -> None:
    with pytest.raises(SourceError, match="banjo"):
        cameras.open_camera(Context(Show(camera="performer:banjo"), Metrics()))
