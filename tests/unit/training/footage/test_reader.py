"""Footage of every kind comes onto one time base; what cannot be used is refused with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.films import turn_mp4, write_film
from training.footage.reader import MASTER_RATE, FootageError, examine, pictures, sound

EVENTS = (0.8, 1.64, 2.4, 3.32)


def flashes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(times of flashes in the pictures, times of clicks in the sound), both from time 0 in seconds."""
    footage = examine(path)
    heard = sound(footage).mean(0)
    assert heard.shape == (footage.ticks * MASTER_RATE // 25,)
    level, times = [], []
    for picture in pictures(footage):
        level.append(float(picture.image[:, : picture.image.shape[1] // 3].mean()))
        times.append(picture.time_s)
    assert len(level) == footage.ticks
    bright = np.array(level) > 130
    seen = np.array(times)[np.flatnonzero(bright[1:] & ~bright[:-1]) + 1]
    loud = np.flatnonzero(np.abs(heard) > 0.2) / MASTER_RATE
    struck = loud[np.concatenate([[True], np.diff(loud) > 0.2])]
    return seen, struck


KINDS: dict[str, dict[str, Any]] = {
    "plain.mp4": {"codec": "libx264", "sound_codec": "aac"},
    "film-rate.mkv": {"rate": 24.0, "codec": "libx264"},
    "phone.mp4": {"rate": 30.0, "jitter": 0.35, "codec": "libx264", "sound_codec": "aac", "channels": 2},
    "high.avi": {"rate": 50.0, "samplerate": 44_100},
    "late-sound.mkv": {"sound_from": 1.2},
    "late-picture.mkv": {"picture_from": 0.5, "codec": "libx264"},
}


@pytest.mark.parametrize("name", KINDS)
def test_picture_and_sound_stay_together(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    seen, struck = flashes(write_film(tmp_path / name, EVENTS, **kind))
    begin = max(kind.get("sound_from", 0.0), kind.get("picture_from", 0.0))
    wanted = np.array([event - begin for event in EVENTS if event > begin + 0.05])
    assert struck.size == seen.size == wanted.size
    assert np.abs(struck - wanted).max() < 0.003, "the sound is where it was"
    # A flash is seen in the first frame after it; the frame's own time says when that was.
    late = seen - wanted
    assert late.min() > -0.011
    assert (
        late.max() < 1.0 / kind.get("rate", 25.0) + 0.4 / kind.get("rate", 25.0) * (kind.get("jitter", 0.0) > 0) + 0.011
    )


def test_on_average_no_picture_is_moved(tmp_path: Path) -> None:
    footage = examine(write_film(tmp_path / "a.mkv", EVENTS, rate=30.0, codec="libx264"))
    moved = [tick / 25 - picture.time_s for tick, picture in enumerate(pictures(footage))]
    assert abs(float(np.mean(moved))) < 0.002
    assert max(moved) <= 0.5 / 30.0 + 1e-3
    fresh = [picture.fresh for picture in pictures(examine(write_film(tmp_path / "b.mkv", EVENTS, rate=10.0)))]
    assert 0.35 < float(np.mean(fresh)) < 0.45, "a picture of a slow camera is shown more than once"


def test_pictures_are_upright_and_small(tmp_path: Path) -> None:
    path = write_film(
        tmp_path / "turned.mp4", EVENTS, size=(1280, 720), sound_codec="aac", codec="libx264", seconds=2.2
    )
    turn_mp4(path)
    footage = examine(path)
    assert footage.rotation in (90, 270)
    assert any("turned" in note for note in footage.notes)
    image = next(pictures(footage)).image
    assert image.shape == (640, 360, 3)


def test_what_is_unusual_is_noted(tmp_path: Path) -> None:
    footage = examine(write_film(tmp_path / "a.mkv", EVENTS, jitter=0.35, sound_from=1.0, codec="libx264"))
    assert footage.variable
    assert any("sound starts 1.00 s after" in note for note in footage.notes)
    assert footage.ticks == pytest.approx(75, abs=1)


def broken(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.mp4"
    if kind == "gone":
        return path
    if kind == "empty":
        path.touch()
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(1).bytes(60_000))
    elif kind == "half":
        write_film(path, EVENTS, sound_codec="aac")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "silent film":
        write_film(path, EVENTS, sound=False)
    elif kind == "song":
        write_film(path, EVENTS, picture=False, sound_codec="aac")
    elif kind == "blink":
        write_film(path, (0.2,), seconds=1.0, sound_codec="aac")
    return path


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("gone", "no such file"),
        ("empty", "empty"),
        ("noise", "cannot be read"),
        ("half", "cannot be read"),
        ("silent film", "no sound"),
        ("song", "no picture"),
        ("blink", "2 s are needed"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(kind: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=why) as caught:
        examine(broken(kind, tmp_path))
    assert "\n" not in str(caught.value)


def test_a_cut_matroska_is_used_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", EVENTS, seconds=8.0)
    whole = examine(path).ticks
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    footage = examine(path)
    assert 50 < footage.ticks < whole
    assert any("cut short" in note for note in footage.notes)
    assert sum(1 for _ in pictures(footage)) == footage.ticks


def test_a_colon_in_a_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "take:1.mkv", EVENTS)
    seen, struck = flashes(Path("take:1.mkv"))
    assert seen.size == struck.size == len(EVENTS)
