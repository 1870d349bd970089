"""Which camera a name means."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.devices.cameras import live_capture
from streaming.devices.cameras import select as cameras
from streaming.devices.cameras.live_capture import LiveCapture
from streaming.errors import SourceError
from streaming.schema.device_kinds import CAMERA
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.devices.cameras.test_live_capture import CaptureBench, picture


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
        bench = CaptureBench(open_timeout_s)
        if device == 0:
            bench.there.clear()
        bench.feed.put(picture(1))
        return bench.source

    monkeypatch.setattr(cameras, "webcams", lambda: [0, 2])
    monkeypatch.setattr(cameras, "webcam", fake_webcam)
    monkeypatch.setattr(live_capture, "webcam", fake_webcam)
    context = Context(Show(camera="auto"), Metrics())
    cameras.open_camera(context).close()
    assert [device for device, _ in asked] == [0, 2]
    cameras.open_camera(context).close()  # restarted: the same one, without waiting for it
    assert asked[2:] == [(2, 0.0)]


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("0", "webcam 0"),
        ("/dev/video3", "webcam /dev/video3"),
        ("rtsp://me:secret@x/y", "rtsp://***@x/y"),
        ("HTTP://x/y", "HTTP://x/y"),
        ("a.mp4", "a.mp4"),
        ("file:a.mp4", "a.mp4"),
        ("take:1.mp4", "take:1.mp4"),
        ("performer:drums@7", "performer:drums@7"),
    ],
)
def test_names_choose_the_kind(name: str, description: str) -> None:
    source = CAMERA.open(name, Context(Show(), Metrics()))
    assert source.description == description


def test_a_bad_performer_gets_one_line() -> None:
    with pytest.raises(SourceError, match="banjo"):
        cameras.open_camera(Context(Show(camera="performer:banjo"), Metrics()))
