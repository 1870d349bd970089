"""Files as cameras: of every shape and every kind of damage, paced by their own timestamps."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streaming.devices.cameras.frames import Frame
from streaming.devices.cameras.video_file import VideoFile
from streaming.errors import SourceError
from streaming.stage import Context
from streaming.timing import clock
from tests.unit.streaming.devices.camera_clock import MS, a_context, counters, notes, play, started


@pytest.fixture
def context() -> Context:
    return a_context()


def write_video(
    path: Path,
    *,
    times_ms: list[int],
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    sound: bool = False,
    options: dict[str, str] | None = None,
    codec: str = "mpeg4",
) -> Path:
    """Grey frames, frame n of brightness 10 + 8 n, at the given times."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("aac", rate=32_000, layout="mono") if sound else None
        for n, time_ms in enumerate(times_ms):
            image = np.full((size[1], size[0], 3), min(10 + 8 * n, 250), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            write_sound(container, audio, 1.0)
    return path


def write_sound(container: Any, stream: Any, seconds: float) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, int(32_000 * seconds)), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 32_000, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def brightness(frame: Frame) -> int:
    return round((float(frame.image.mean()) - 10) / 8)


def test_a_file_is_paced_by_its_own_timestamps(tmp_path: Path, context: Context) -> None:
    times = [0, 40, 80, 190, 200, 333]  # variable rate
    source = started(VideoFile(str(write_video(tmp_path / "v.mkv", times_ms=times))), context)
    frames = list(play(source, 2_000 * MS, 4_000 * MS))
    source.close()
    assert [(frame.capture_ns // MS) - 2_000 for frame in frames] == times
    assert [brightness(frame) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert source.finished == "the file ended"


def test_before_the_start_the_first_frame_is_a_still_at_25_fps(tmp_path: Path, context: Context) -> None:
    source = VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[0, 100, 200], rate=10)))
    source.open(context)
    found = [source.poll(1_000 * MS + n * 10 * MS) for n in range(41)]
    stills = [frame for frame in found if frame is not None]
    source.close()
    assert [brightness(frame) for frame in stills] == [0] * 11
    assert [frame.capture_ns // MS for frame in stills] == [1_000 + 40 * n for n in range(11)]


def test_a_late_reader_gets_the_newest_frame_and_the_rest_are_counted(tmp_path: Path, context: Context) -> None:
    source = VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80, 120])))
    started(source, context)
    give_up_ns = clock.now_ns() + 10_000 * MS
    while source.ahead < 4 and clock.now_ns() < give_up_ns:
        threading.Event().wait(0.001)
    frame = source.poll(2_000 * MS + 90 * MS)
    source.close()
    assert frame is not None
    assert (brightness(frame), frame.capture_ns) == (2, 2_080 * MS)
    assert counters(context) == {"drops": 2}


def test_a_looping_file_goes_on_in_time(tmp_path: Path, context: Context) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80])
    source = started(VideoFile(str(path), looping=True), context)
    frames = list(play(source, 2_000 * MS, 2_400 * MS))
    source.close()
    assert [(frame.capture_ns // MS) - 2_000 for frame in frames] == [40 * n for n in range(11)]
    assert [brightness(frame) for frame in frames][:7] == [0, 1, 2, 0, 1, 2, 0]
    assert source.resume_ns == 2_360 * MS
    assert not source.finished


def test_a_restarted_file_goes_on_where_it_would_have_been(tmp_path: Path, context: Context) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[40 * n for n in range(20)])
    source = VideoFile(str(path), skip_ns=410 * MS)
    source.open(context)
    source.start(2_000 * MS, 2_410 * MS)
    first = source.poll(2_410 * MS)
    source.close()
    assert first is not None
    assert (brightness(first), first.capture_ns) == (10, 2_400 * MS)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1840, 200), (70, 640)), ((1280, 720), (360, 640)), ((200, 1280), (640, 100)), ((64, 48), (48, 64))],
)
def test_large_frames_are_shrunk(
    tmp_path: Path, context: Context, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    source = started(VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[0, 40], size=size))), context)
    frame = source.poll(2_000 * MS)
    source.close()
    assert frame is not None
    assert frame.image.shape == (*shown, 3)


def test_a_high_rate_file_is_thinned_out_evenly(tmp_path: Path, context: Context) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[20 * n for n in range(10)], rate=50)
    source = started(VideoFile(str(path)), context)
    frames = list(play(source, 2_000 * MS, 4_000 * MS))
    source.close()
    assert [frame.index for frame in frames] == [0, 2, 4, 6, 8]
    assert counters(context) == {}


def damaged(kind: str, folder: Path) -> tuple[Path, str]:
    path = folder / "x.mp4"
    if kind == "missing":
        return path, "there is no such file"
    if kind == "folder":
        return folder, "a folder"
    if kind == "empty":
        path.touch()
        return path, "0 bytes"
    if kind == "corrupt":
        path.write_bytes(np.random.default_rng(0).integers(0, 256, 40_000, dtype=np.uint8).tobytes())
        return path, "cannot be read as a video"
    if kind == "no index":
        whole = write_video(folder / "whole.mp4", times_ms=[40 * n for n in range(30)]).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return path, "cannot be read as a video"
    if kind == "sound only":
        with av.open(str(path), "w") as container:
            write_sound(container, container.add_stream("aac", rate=32_000, layout="mono"), 1.0)
        return path, "sound but no video"
    if kind == "one picture":
        return write_video(path, times_ms=[0]), "a single picture"
    whole = write_video(path, times_ms=[40 * n for n in range(30)], codec="mpeg4").read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.rindex(b"moov") - 4
    path.write_bytes(whole[:start] + bytes(end - start) + whole[end:])
    return path, "none of its pictures can be decoded"


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "empty", "corrupt", "no index", "sound only", "one picture", "undecodable"]
)
def test_an_unusable_file_gets_one_line(tmp_path: Path, context: Context, kind: str) -> None:
    path, what = damaged(kind, tmp_path)
    source = VideoFile(str(path))
    with pytest.raises(SourceError) as caught:
        source.open(context)
    source.close()
    line = str(caught.value)
    assert what in line
    assert line.startswith(str(path))
    assert "\n" not in line


def test_frames_that_all_have_the_same_time_are_0_frames_a_second(tmp_path: Path, context: Context) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for n in range(3):
            image = np.full((48, 64, 3), 50 * n, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                packet.pts = packet.dts = 0
                container.mux(packet)
    source = VideoFile(str(path))
    with pytest.raises(SourceError, match="0 frames a second"):
        source.open(context)
    source.close()


def test_a_name_that_looks_like_an_address_or_a_series_is_a_file(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("take:1.mp4", "http:take.mp4", "take%d.mp4"):
        write_video(tmp_path / name, times_ms=[0, 40, 80])
        source = started(VideoFile(name), context)
        assert len(list(play(source, 2_000 * MS, 4_000 * MS))) == 3
        source.close()


def test_a_truncated_file_plays_what_there_is_and_says_so(tmp_path: Path, context: Context) -> None:
    times = [40 * n for n in range(50)]
    whole = write_video(tmp_path / "w.mp4", times_ms=times, options={"movflags": "faststart"}).read_bytes()
    path = tmp_path / "v.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    source = started(VideoFile(str(path)), context)
    frames = list(play(source, 2_000 * MS, 6_000 * MS))
    source.close()
    assert 2 <= len(frames) < 50
    assert [line for line in notes(context) if "damaged or cut short" in line and "of 2.0 s" in line]
    assert source.finished


def test_a_whole_file_with_longer_sound_is_not_called_damaged(tmp_path: Path, context: Context) -> None:
    source = started(VideoFile(str(write_video(tmp_path / "v.mkv", times_ms=[0, 40, 80], sound=True))), context)
    assert len(list(play(source, 2_000 * MS, 6_000 * MS))) == 3
    source.close()
    assert notes(context) == []


def test_close_ends_the_decoder_in_the_middle_of_a_file(tmp_path: Path, context: Context) -> None:
    source = VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[40 * n for n in range(100)])), looping=True)
    source.open(context)
    assert "decode" in [thread.name for thread in threading.enumerate()]
    source.close()
    source.close()
    assert "decode" not in [thread.name for thread in threading.enumerate()]


def test_real_clips(context: Context) -> None:
    folder = os.environ.get("ANTIPHON_CLIPS")
    if not folder:
        pytest.skip("ANTIPHON_CLIPS does not name a folder of real clips")
    paths = sorted(path for path in (Path(folder) / "video").iterdir() if path.suffix in {".mp4", ".mkv"})
    assert paths
    for path in paths:
        source = started(VideoFile(str(path)), context)
        stamps = [frame.capture_ns for frame in play(source, 2_000 * MS, 3_000 * MS)]
        source.close()
        assert len(stamps) == pytest.approx(source.rate_hz, abs=1.5), path
