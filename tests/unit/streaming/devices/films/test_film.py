"""The film: sound and picture in step, gaps, drops, a film cut short, a disk that fails."""

from __future__ import annotations

import resource
import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.devices.films import film as film_module
from streaming.devices.films.film import Film, film_path
from streaming.devices.films.film_picture import HEIGHT, WIDTH, Composer, FilmShot, Spectrogram, flow_picture
from streaming.timing import clock


class Reel:
    """A film and what it said."""

    def __init__(self, path: Path, existing: Any = "number") -> None:
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []
        self.film = Film(path, existing=existing, note=self.notes.append, count=self._count)

    def _count(self, name: str, by: int) -> None:
        self.counts[name] += by

    def add(self, tick: int, *, loud: bool = False) -> None:
        """A tick that is loud and bright, or silent and dark."""
        pcm = np.zeros(TICK_SAMPLES, np.float32)
        if loud:
            pcm = np.random.default_rng(tick).uniform(-0.5, 0.5, TICK_SAMPLES).astype(np.float32)
        self.film.add(pcm, FilmShot(tick, np.full((480, 640, 3), 250 if loud else 5, np.uint8)))

    def drain(self) -> None:
        """Wait until the writing thread has nothing left."""
        give_up_ns = clock.now_ns() + 20_000_000_000
        while self.film.waiting and not self.film.stopped and clock.now_ns() < give_up_ns:
            threading.Event().wait(0.005)


def pictures(path: Path) -> list[tuple[float, float]]:
    """Time in seconds and mean brightness of the camera panel of every picture."""
    with av.open(str(path)) as container:
        return [
            (frame.time, float(frame.to_ndarray(format="gray")[100:300, 50:400].mean()))
            for frame in container.decode(video=0)
        ]


def sound(path: Path) -> tuple[float, np.ndarray]:
    """Time of the first sample in seconds, and the samples."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return float(frames[0].time), np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_picture_and_sound_of_a_tick_are_together(tmp_path: Path) -> None:
    path = tmp_path / "f.mp4"
    reel = Reel(path)
    loud = {100, 110, 115}
    for tick in range(95, 120):  # a film may begin at any tick
        reel.add(tick, loud=tick in loud)
        reel.drain()
    reel.film.close()
    bright = [time for time, light in pictures(path) if light > 128]
    assert bright == pytest.approx([0.04 * (tick - 95) for tick in sorted(loud)], abs=1e-3)
    begin_s, pcm = sound(path)
    level = np.array([np.abs(pcm[n : n + 320]).mean() for n in range(0, pcm.size - 320, 320)])
    for tick in loud:
        first = round(((tick - 95) * 0.04 - begin_s) / 0.01)
        assert level[first : first + 4].mean() > 0.15
        assert level[first - 3 : first - 1].mean() < 0.02
    assert reel.notes == []
    assert (reel.counts["frames"], reel.counts["drops"]) == (25, 0)
    assert pcm.size == pytest.approx(25 * TICK_SAMPLES, abs=2_048)


def test_missing_ticks_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "f.mp4"
    reel = Reel(path)
    for tick in (0, 1, 2, 13, 13, 12, 14):  # and what comes twice or late is left out
        reel.add(tick, loud=True)
    reel.film.close()
    _, pcm = sound(path)
    assert reel.counts["ticks_missing"] == 10
    assert pcm.size == pytest.approx(15 * TICK_SAMPLES, abs=2_048)
    assert float(np.abs(pcm[5 * TICK_SAMPLES : 11 * TICK_SAMPLES]).max()) < 0.01
    assert [time for time, _ in pictures(path)] == pytest.approx([0, 0.04, 0.08, 0.52, 0.56], abs=1e-3)


def test_when_behind_pictures_are_dropped_and_counted_never_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    compose = Composer.compose

    def slow(self: Composer, shot: FilmShot) -> np.ndarray:
        gate.wait(20)
        return compose(self, shot)

    monkeypatch.setattr(Composer, "compose", slow)
    path = tmp_path / "f.mp4"
    reel = Reel(path)
    for tick in range(50):
        reel.add(tick, loud=True)
    gate.set()
    reel.film.close()
    shown = len(pictures(path))
    assert shown == film_module.MAX_WAITING_PICTURES
    assert reel.counts["drops"] == 50 - shown
    _, pcm = sound(path)
    assert pcm.size == pytest.approx(50 * TICK_SAMPLES, abs=2_048)
    assert float(np.abs(pcm[40 * TICK_SAMPLES : 49 * TICK_SAMPLES]).mean()) > 0.1


def test_a_film_cut_short_by_a_kill_can_be_played(tmp_path: Path) -> None:
    path, left = tmp_path / "f.mp4", tmp_path / "left.mp4"
    reel = Reel(path)
    for tick in range(80):
        reel.add(tick)
        reel.drain()
    shutil.copy(path, left)  # what a kill -9 would leave
    reel.film.close()
    assert len(pictures(left)) >= 50
    assert sound(left)[1].size >= 50 * TICK_SAMPLES - 2_048


def test_a_failing_disk_is_said_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    reel = Reel(tmp_path / "f.mp4")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))
    try:
        for tick in range(150):
            reel.add(tick, loud=tick % 2 == 0)
            reel.drain()
            if reel.film.stopped:
                break
        reel.add(200)
        reel.film.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(reel.notes) == 1
    assert reel.notes[0].startswith("recording stopped: ")
    assert reel.counts["stopped_early"] == 1
    assert len(pictures(tmp_path / "f.mp4")) >= 25


def test_a_disk_that_hangs_does_not_hold_up_the_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_module, "MAX_WAITING_TICKS", 8)
    monkeypatch.setattr(film_module, "CLOSE_TIMEOUT_S", 0.05)
    gate = threading.Event()
    monkeypatch.setattr(Composer, "hear", lambda self, pcm: gate.wait(20))
    reel = Reel(tmp_path / "f.mp4")
    for tick in range(20):
        reel.add(tick)
    reel.film.close()
    gate.set()
    assert [line for line in reel.notes if "too slow" in line]
    assert len(reel.notes) == 1


def test_a_folder_that_cannot_be_written_ends_the_film_and_not_the_show(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reel = Reel(tmp_path / "file" / "f.mp4")
    reel.add(0)
    reel.film.close()
    assert len(reel.notes) == 1
    assert str(tmp_path) in reel.notes[0]
    assert reel.film.path is None


def test_an_earlier_film_is_left_alone_or_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "f.mp4"
    for existing, written, kept in (("number", "f-2.mp4", "f.mp4"), ("aside", "f.mp4", "f-1.mp4")):
        path.write_text("mine")
        reel = Reel(path, existing=existing)
        reel.add(0)
        reel.film.close()
        assert reel.film.path == tmp_path / written
        assert len(pictures(tmp_path / written)) == 1
        assert (tmp_path / kept).read_text() == "mine"
        assert len(reel.notes) == (existing == "aside")


def test_a_film_without_a_tick_is_not_made(tmp_path: Path) -> None:
    reel = Reel(tmp_path / "f.mp4")
    reel.film.close()
    assert list(tmp_path.iterdir()) == []
    assert reel.notes == []
    assert reel.film.path is None


def test_a_colon_in_the_folder_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films:1").mkdir()
    reel = Reel(Path("films:1/f:2.mp4"))
    reel.add(0)
    reel.film.close()
    assert reel.notes == []
    assert len(pictures(tmp_path / "films:1" / "f:2.mp4")) == 1


def test_a_still_is_the_composed_picture(tmp_path: Path) -> None:
    reel = Reel(tmp_path / "f.mp4")
    reel.film.still(str(tmp_path / "no folder" / "still.png"))
    reel.add(0)
    reel.film.close()
    assert len(reel.notes) == 1
    assert "the still could not be saved" in reel.notes[0]
    reel = Reel(tmp_path / "g.mp4")
    reel.film.still(str(tmp_path / "still.png"))
    for tick in range(3):
        reel.add(tick, loud=True)
    reel.film.close()
    image = np.asarray(cv2.imread(str(tmp_path / "still.png")))
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert float(image[100:300, 50:400].mean()) > 200


def test_names() -> None:
    assert film_path("r", "20261122-041200") == Path("r/antiphon-20261122-041200.mp4")


def test_a_tone_is_a_line_at_its_pitch() -> None:
    rows: list[int] = []
    for hertz in (200.0, 2_000.0):
        spectrogram = Spectrogram(200, 100)
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(25 * TICK_SAMPLES) / SAMPLE_RATE).astype(np.float32)
        for block in tone.reshape(25, TICK_SAMPLES):
            spectrogram.add(block)
        light = spectrogram.picture[:, -20:].astype(int).sum(axis=(1, 2))
        rows.append(int(light.argmax()))
        assert np.median(light) < 0.25 * light.max()
    # 60 Hz to 15 kHz over 100 rows: a decade is 41.7 rows, low below.
    assert rows[0] - rows[1] == pytest.approx(41.7, abs=2)
    assert rows[0] == pytest.approx(100 - np.log(200 / 60) / np.log(250) * 100, abs=2)


def test_the_spectrogram_scrolls_by_one_column_each_10_ms() -> None:
    spectrogram = Spectrogram(40, 20)
    spectrogram.add(np.random.default_rng(0).uniform(-0.5, 0.5, TICK_SAMPLES).astype(np.float32))
    last = spectrogram.picture[:, -1].copy()
    spectrogram.add(np.zeros(TICK_SAMPLES, np.float32))
    assert np.array_equal(spectrogram.picture[:, -5], last)


def test_flow_colours_lie_where_the_movement_is() -> None:
    flow = np.zeros((2, 16, 16), np.float32)
    flow[0, 7:9, 2:4] = 0.5
    picture = flow_picture(flow, np.zeros((300, 400, 3), np.uint8)).astype(int)
    saturation = picture.max(axis=2) - picture.min(axis=2)
    y, x = np.unravel_index(cv2.GaussianBlur(saturation.astype(np.float32), (0, 0), 9).argmax(), saturation.shape)
    # Cells of 25 pixels; the 400x300 frame lies in the middle of a 400x400 square.
    assert (x, y) == (pytest.approx(75, abs=15), pytest.approx(150, abs=15))
    assert saturation[:, 300:].max() == 0


def test_what_is_shown_stands_beside_the_camera_or_beside_its_own_flow() -> None:
    composer = Composer()
    composer.hear(np.zeros(TICK_SAMPLES, np.float32))
    red, blue = (np.full((512, 640, 3), colour, np.uint8) for colour in ((0, 0, 200), (200, 0, 0)))
    flow = np.zeros((2, 16, 16), np.float32)
    both = composer.compose(FilmShot(0, red, flow, None, blue)).copy()
    assert both[200, 200].tolist() == [0, 0, 200]
    assert both[200, 760].tolist() == [200, 0, 0]
    alone = composer.compose(FilmShot(1, None, flow, None, blue))
    assert alone[200, 760].tolist() == [200, 0, 0]
    assert alone[200, 200].tolist() != [0, 0, 200], "no camera is left where there is none"


def test_one_canvas_for_every_shape_of_camera() -> None:
    composer = Composer()
    composer.hear(np.zeros(TICK_SAMPLES, np.float32))
    flow = np.ones((2, 16, 16), np.float32)
    for shape in ((480, 640, 3), (70, 640, 3), (640, 100, 3), (1, 1, 3)):
        picture = composer.compose(FilmShot(3, np.full(shape, 200, np.uint8), flow, 61.5))
        assert picture.shape == (HEIGHT, WIDTH, 3)
    assert composer.compose(FilmShot(4)).shape == (HEIGHT, WIDTH, 3)


def test_a_film_has_the_two_sides_of_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film = Film(path, note=lambda line: None, channels=2)
    at = np.arange(20 * TICK_SAMPLES) / SAMPLE_RATE
    left, right = (0.3 * np.sin(2 * np.pi * hertz * at).astype(np.float32) for hertz in (440.0, 1_000.0))
    for tick in range(20):
        span = slice(tick * TICK_SAMPLES, (tick + 1) * TICK_SAMPLES)
        pcm = np.stack([left[span], right[span]]) if tick < 10 else left[span]
        film.add(pcm, FilmShot(tick, np.zeros((480, 640, 3), np.uint8)))
    film.close()
    with av.open(str(path)) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert heard.shape[0] == 2
    first, second = heard[:, 4_000:12_000], heard[:, 14_000:24_000]
    assert np.corrcoef(first[0], left[4_000:12_000])[0, 1] > 0.98
    assert np.corrcoef(first[1], right[4_000:12_000])[0, 1] > 0.98
    assert np.corrcoef(second[0], second[1])[0, 1] > 0.98, "a tick of one channel is on both sides"


def test_a_film_of_one_channel_takes_the_mix(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    film = Film(path, note=lambda line: None)
    film.add(np.ones((2, TICK_SAMPLES), np.float32) * 0.1, FilmShot(0, np.zeros((480, 640, 3), np.uint8)))
    film.close()
    with av.open(str(path)) as container:
        assert all(len(frame.layout.channels) == 1 for frame in container.decode(audio=0))
