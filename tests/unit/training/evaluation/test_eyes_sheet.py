"""The eyes' contact sheet: frames of a film with their times, points drawn where they are, and honest figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.vision.eyes.eyes import Eyes
from streaming.vision.eyes.person import Person
from tests.eye_world import SeenHand, World, body_at, hand_at
from tests.films import write_film
from training.evaluation import eyes_sheet


def watched(ticks: int = 15) -> eyes_sheet.Sighting:
    world = World(240, 160, body=body_at(120, 90, 40))
    world.hands = [SeenHand(hand_at(140, 88, 10, np.pi), left=True)]
    frames = [(world.frame(), tick / 25) for tick in range(ticks)]
    return eyes_sheet.watch_film(iter(frames), Eyes(world.engines(), "full", smooth=False), 5)


def test_a_sheet_has_the_kept_frames_and_the_figures_what_was_found() -> None:
    sighting = watched()
    assert sorted(sighting.pictures) == [2, 7, 12]
    out = eyes_sheet.sheet(sighting)
    height = round(eyes_sheet.CELL_WIDTH * 160 / 240) + 24
    assert out.shape == (height, eyes_sheet.COLUMNS * (eyes_sheet.CELL_WIDTH + 4), 3)
    assert "15 frames: body 47%, left hand 100%, right hand 0%" in eyes_sheet.figures(sighting)


def test_lines_are_drawn_where_the_points_are() -> None:
    person = Person()
    person.hands[1, :, :2], person.hands[1, :, 2] = hand_at(0.25, 0.5, 0.1), 0.9
    cell = eyes_sheet.draw(np.zeros((200, 400, 3), np.uint8), person)
    v, u = np.nonzero(cell[..., 1] > 100)
    assert cell.shape == (210, eyes_sheet.CELL_WIDTH, 3)
    assert u.min() / 420 == pytest.approx(0.25 - 0.07, abs=0.01)
    # The square that holds the frame whole is 420 pixels high, and the frame lies in its middle.
    assert (v.max() + 105) / 420 == pytest.approx(0.5, abs=0.01)


def test_jitter_is_the_deviation_of_white_noise_whatever_the_steady_motion() -> None:
    rng = np.random.default_rng(0)
    people = []
    for tick in range(400):
        person = Person(body_score=1.0)
        person.body[:, :2] = 0.3 + 0.001 * tick + 0.002 * rng.standard_normal((33, 2))
        person.body[:, 2] = 1
        people.append(person)
    assert eyes_sheet.jitter(people, "body") == pytest.approx(2.0, rel=0.1)
    assert np.isnan(eyes_sheet.jitter(people, "hands"))
    assert np.isnan(eyes_sheet.jitter(people[:2], "body"))


def test_a_part_of_a_film_is_read_with_its_times(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", (1.0,), seconds=2.0, sound=False)
    frames = list(eyes_sheet.frames_of(film, 0.5, 1.0, 48))
    assert len(frames) == 25
    assert frames[0][0].shape == (32, 48, 3)
    assert frames[0][1] == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("case", ["no eyes", "no film"])
def test_what_is_missing_is_one_line(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = tmp_path / "none.mp4"
    if case == "no eyes":
        film = write_film(tmp_path / "film.mp4", (), seconds=0.5, sound=False)
    else:
        monkeypatch.setattr(eyes_sheet, "open_eye", lambda name: World().engines()[name])
    monkeypatch.setenv("ANTIPHON_EYES", str(tmp_path / "nothing"))
    assert eyes_sheet.main([str(film), "--out", str(tmp_path / "x.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_frames_that_go_back_in_time_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frame:
        width, height, rotation = 8, 6, 0

        def __init__(self, time: float) -> None:
            self.time = time

        def reformat(self, width: int, height: int, **_: str) -> Frame:
            return self

        def to_ndarray(self) -> NDArray[np.uint8]:
            return np.zeros((6, 8, 3), np.uint8)

    class Container:
        def __enter__(self) -> Container:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing to close."""

        def decode(self, video: int) -> list[Frame]:
            return [Frame(time) for time in (0.033, 0.133, 0.1, 0.167, 0.167, 0.2)]

    monkeypatch.setattr("training.evaluation.eyes_sheet.open_media", lambda path: Container())
    times = [time for _, time in eyes_sheet.frames_of(Path("film.avi"), 0.0, 10.0, 640)]
    assert times == [0.033, 0.133, 0.167, 0.2]
