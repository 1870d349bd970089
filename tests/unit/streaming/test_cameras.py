"""Camera sources: files of every shape and every kind of damage, webcams that vanish, the performer's pace."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streaming import clock
from streaming.config import Show
from streaming.edges import cameras, live_capture
from streaming.edges.frames import CameraSource, Frame, fitted_size, shrink, upright
from streaming.edges.live_capture import LiveCapture, without_password
from streaming.edges.video_file import VideoFile
from streaming.errors import SourceError
from streaming.metrics import Metrics
from streaming.stage import Context

MS = 1_000_000


@pytest.fixture
def context() -> Context:
    return Context(Show(), Metrics(), now_ns=1_000 * MS)


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


def play(source: CameraSource, origin_ns: int, until_ns: int) -> Iterator[Frame]:
    """Run a started source on an invented clock: asked exactly when it wants to be."""
    now_ns = origin_ns
    give_up_ns = clock.now_ns() + 20_000 * MS
    while now_ns <= until_ns and not source.finished and clock.now_ns() < give_up_ns:
        frame = source.poll(now_ns)
        if frame is not None:
            yield frame
        wake_ns = source.wake_ns()
        if wake_ns is not None:
            now_ns = max(now_ns, wake_ns)
        elif not source.finished:
            threading.Event().wait(0.001)  # the decoding thread is at work


def brightness(frame: Frame) -> int:
    return round((float(frame.image.mean()) - 10) / 8)


def opened(source: CameraSource, context: Context, start_ns: int = 2_000 * MS) -> CameraSource:
    source.open(context)
    source.start(start_ns, start_ns)
    return source


def notes(context: Context) -> list[str]:
    return context.metrics.take().notes


def counters(context: Context) -> dict[str, int]:
    return context.metrics.take().counters


# Files.


def test_a_file_is_paced_by_its_own_timestamps(tmp_path: Path, context: Context) -> None:
    times = [0, 40, 80, 190, 200, 333]  # variable rate
    source = opened(VideoFile(str(write_video(tmp_path / "v.mkv", times_ms=times))), context)
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
    source = opened(VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80, 120]))), context)
    give_up_ns = clock.now_ns() + 10_000 * MS
    while source._queue.qsize() < 4 and source._head is None and clock.now_ns() < give_up_ns:  # type: ignore[attr-defined]
        threading.Event().wait(0.001)
    frame = source.poll(2_000 * MS + 90 * MS)
    source.close()
    assert frame is not None
    assert (brightness(frame), frame.capture_ns) == (2, 2_080 * MS)
    assert counters(context) == {"drops": 2}


def test_a_looping_file_goes_on_in_time(tmp_path: Path, context: Context) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80])
    source = opened(VideoFile(str(path), looping=True), context)
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
    source = opened(VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[0, 40], size=size))), context)
    frame = source.poll(2_000 * MS)
    source.close()
    assert frame is not None
    assert frame.image.shape == (*shown, 3)


def test_a_high_rate_file_is_thinned_out_evenly(tmp_path: Path, context: Context) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[20 * n for n in range(10)], rate=50)
    source = opened(VideoFile(str(path)), context)
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
    return path, "no picture in it could be decoded"


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


def test_frames_that_all_have_the_same_time_are_0_frames_a_second(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "v.mp4", times_ms=[0, 40, 80])
    monkeypatch.setattr("streaming.edges.video_file._Reader._time_ns", lambda self, frame: 0)
    source = VideoFile(str(path))
    with pytest.raises(SourceError, match="0 frames a second"):
        source.open(context)
    source.close()


def test_a_truncated_file_plays_what_there_is_and_says_so(tmp_path: Path, context: Context) -> None:
    times = [40 * n for n in range(50)]
    whole = write_video(tmp_path / "w.mp4", times_ms=times, options={"movflags": "faststart"}).read_bytes()
    path = tmp_path / "v.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    source = opened(VideoFile(str(path)), context)
    frames = list(play(source, 2_000 * MS, 6_000 * MS))
    source.close()
    assert 2 <= len(frames) < 50
    assert [line for line in notes(context) if "damaged or cut short" in line and "of 2.0 s" in line]
    assert source.finished


def test_a_whole_file_with_longer_sound_is_not_called_damaged(tmp_path: Path, context: Context) -> None:
    source = opened(VideoFile(str(write_video(tmp_path / "v.mkv", times_ms=[0, 40, 80], sound=True))), context)
    assert len(list(play(source, 2_000 * MS, 6_000 * MS))) == 3
    source.close()
    assert notes(context) == []


def test_close_ends_the_decoder_in_the_middle_of_a_file(tmp_path: Path, context: Context) -> None:
    source = VideoFile(str(write_video(tmp_path / "v.mp4", times_ms=[40 * n for n in range(100)])), looping=True)
    source.open(context)
    thread = source._thread
    source.close()
    source.close()
    assert thread is not None
    assert not thread.is_alive()


def test_real_clips(context: Context) -> None:
    folder = os.environ.get("ANTIPHON_CLIPS")
    if not folder:
        pytest.skip("ANTIPHON_CLIPS does not name a folder of real clips")
    paths = sorted(path for path in (Path(folder) / "video").iterdir() if path.suffix in {".mp4", ".mkv"})
    assert paths
    for path in paths:
        source = opened(VideoFile(str(path)), context)
        stamps = [frame.capture_ns for frame in play(source, 2_000 * MS, 3_000 * MS)]
        source.close()
        assert len(stamps) == pytest.approx(source.rate_hz, abs=1.5), path


def test_fitted_size_honours_the_shape_of_pixels() -> None:
    assert fitted_size(720, 576, 16 / 15) == (640, 480)
    assert fitted_size(1840, 200) == (640, 70)
    assert fitted_size(320, 240) == (320, 240)


def test_upright_turns_counterclockwise() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 2] = 255  # top right
    assert upright(image, 90)[0, 0].all()
    assert upright(image, -90)[2, 1].all()
    assert upright(image, 180)[1, 0].all()
    assert upright(image, 0) is image


def test_shrink_makes_three_channels() -> None:
    assert shrink(np.zeros((10, 20), np.uint8)).shape == (10, 20, 3)
    assert shrink(np.zeros((10, 20, 4), np.uint8)).shape == (10, 20, 3)
    assert shrink(np.zeros((2160, 3840, 3), np.uint8)).shape == (360, 640, 3)


# Live cameras.


class FakeCapture:
    """A camera fed by a test: an image, or None for a failed grab; "gone" when it cannot be opened."""

    def __init__(self, feed: queue.Queue[Any], *, good: bool = True) -> None:
        self._feed, self._good = feed, good
        self._image: Any = None

    def isOpened(self) -> bool:  # noqa: N802
        return self._good

    def grab(self) -> bool:
        try:
            self._image = self._feed.get(timeout=0.05)
        except queue.Empty:
            self._image = None
        return self._image is not None

    def retrieve(self) -> tuple[bool, Any]:
        return True, self._image

    def get(self, prop: int, /) -> float:
        return 30.0

    def release(self) -> None:
        self._image = None


class Bench:
    """A fake camera, and a stage that counts its wakes."""

    def __init__(self, timeout_s: float = 5.0) -> None:
        self.feed: queue.Queue[Any] = queue.Queue(100)
        self.there = threading.Event()
        self.there.set()
        self.woken = threading.Semaphore(0)
        self.context = Context(Show(), Metrics(), wake=self.woken.release)
        self.time_ns = 0
        self.source = LiveCapture(
            self.connect, "webcam 9", "plug it in", open_timeout_s=timeout_s, now_ns=self.now_ns, retry_s=0.01
        )
        self.heard: list[str] = []

    def connect(self) -> FakeCapture:
        return FakeCapture(self.feed, good=self.there.is_set())

    def now_ns(self) -> int:
        self.time_ns += 33 * MS
        return self.time_ns

    def wait_for_note(self, text: str) -> None:
        give_up_ns = clock.now_ns() + 10_000 * MS
        while clock.now_ns() < give_up_ns:
            self.heard += self.context.metrics.take().notes
            if any(text in line for line in self.heard):
                return
            self.woken.acquire(timeout=0.05)
        raise AssertionError(f"no note with {text!r} in {self.heard}")


def picture(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def test_only_the_newest_frame_is_kept() -> None:
    bench = Bench()
    for value in range(5):
        bench.feed.put(picture(value))
    bench.source.open(bench.context)
    for _ in range(5):
        assert bench.woken.acquire(timeout=5)
    frame = bench.source.poll(0)
    assert frame is not None
    assert (frame.index, int(frame.image[0, 0, 0]), frame.capture_ns) == (4, 4, 5 * 33 * MS)
    assert bench.source.poll(0) is None
    bench.source.close()
    assert bench.context.metrics.take().counters["drops"] == 4


def test_a_camera_that_vanishes_is_noted_once_and_comes_back() -> None:
    bench = Bench()
    bench.feed.put(picture(1))
    bench.source.open(bench.context)
    bench.there.clear()
    bench.wait_for_note("camera lost")
    bench.source.poll(0)
    assert bench.source.poll(0) is None  # nothing is published while it is lost
    bench.feed.put(picture(2))
    bench.there.set()
    bench.wait_for_note("camera back")
    frame = bench.source.poll(0)
    bench.source.close()
    assert frame is not None
    assert frame.index == 1
    assert len([line for line in bench.heard if "camera lost" in line]) == 1


def test_a_camera_that_is_not_there_gets_one_line() -> None:
    bench = Bench()
    bench.there.clear()
    with pytest.raises(SourceError, match="webcam 9: the camera gives no picture; plug it in"):
        bench.source.open(bench.context)
    bench.source.close()


def test_a_restarted_stage_waits_for_a_camera_that_is_gone() -> None:
    bench = Bench(timeout_s=0.0)
    bench.there.clear()
    bench.source.open(bench.context)
    bench.wait_for_note("camera lost")
    bench.feed.put(picture(2))
    bench.there.set()
    bench.wait_for_note("camera back")
    bench.source.close()


def test_a_driver_that_hangs_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    def connect() -> FakeCapture:
        release.wait(30)
        return FakeCapture(queue.Queue(), good=False)

    source = LiveCapture(connect, "webcam 9", "plug it in", open_timeout_s=0.05)
    context = Context(Show(), Metrics())
    with pytest.raises(SourceError):
        source.open(context)
    source.close()
    release.set()


def test_a_password_is_not_shown() -> None:
    assert without_password("rtsp://user:secret@10.0.0.2:554/a") == "rtsp://***@10.0.0.2:554/a"
    assert without_password("http://10.0.0.2/a?b=c@d") == "http://10.0.0.2/a?b=c@d"


# The performer.


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
