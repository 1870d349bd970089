"""How the music answers hands in films: tracks from what a judge finds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.errors import UserError
from streaming.vision.eyes.person import MIDDLE_KNUCKLE, WRISTS, Person
from tests.eye_world import FakeEye, SeenHand, World, hand_at
from tests.films import write_film
from training.evaluate import main
from training.evaluation.films import hands
from training.evaluation.films.hands import open_film_eyes, score_hands, tracks_of
from training.evaluation.forward_loop import ResponseSettings


class PuppetJudge:
    """Finds a left hand that falls by 0.2 of a side in 0.16 s, twice a second, and nothing else."""

    def __init__(self, presence: float = 0.9) -> None:
        self.presence = presence

    def look(self, frame: np.ndarray, now_ns: int) -> Person:
        person = Person()
        phase = now_ns / 1e9 % 0.5
        low = min(phase / 0.16, 1.0) ** 2 if phase < 0.3 else 1.0 - (phase - 0.3) / 0.2
        person.hands[0] = [0.4, 0.5 + 0.2 * low, self.presence]
        return person


def person_with(hand: float, wrist: float) -> Person:
    person = Person()
    person.hands[1, MIDDLE_KNUCKLE] = [0.3, 0.6, hand]
    person.body[WRISTS[1]] = [0.1, 0.2, wrist]
    return person


def test_the_point_that_is_seen_more_often_is_followed_throughout() -> None:
    times = [0.0, 0.1, 0.2, 0.3]
    people = [person_with(0.9, 0.9), person_with(0.9, 0.9), person_with(0.9, 0.1), person_with(0.1, 0.9)]
    (track,) = tracks_of([*people[:3], person_with(0.9, 0.0)], times)
    assert track.positions.tolist() == pytest.approx(np.array([[0.3, 0.6]] * 4))
    (track,) = tracks_of([person_with(0.1, 0.9), *people[1:]], times)
    assert track.positions[0].tolist() == pytest.approx([0.1, 0.2]), "never both in turn"
    assert tracks_of([Person()] * 4, times) == []
    assert tracks_of([*[Person()] * 8, person_with(0.9, 0.9)], list(range(9))) == []


def test_a_silent_film_is_played_and_its_strikes_are_counted(tmp_path: Path) -> None:
    film = write_film(tmp_path / "silent.mp4", (0.8, 1.6, 3.0), sound=False)
    figures = score_hands(film, ResponseSettings("default"), PuppetJudge)
    assert figures["n_strikes"] in (7, 8)
    assert figures["n_hands"] == 1
    assert figures["seconds"] == pytest.approx(3.96)
    assert figures["still_s"] == 0.0
    assert figures["silent_share_of_stillness"] is None


def test_a_film_without_hands_is_refused(tmp_path: Path) -> None:
    film = write_film(tmp_path / "silent.mp4", (0.8,), sound=False)
    with pytest.raises(UserError, match="no hand"):
        score_hands(film, ResponseSettings("default"), lambda: PuppetJudge(0.2))


def test_without_eyes_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTIPHON_EYES", str(tmp_path))
    assert main(["playability", "--clips", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "make eyes" in error
    assert len(error.splitlines()) == 1


def test_the_judge_has_the_larger_networks_of_hands_and_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(hands=[SeenHand(hand_at(100.0, 150.0, 40.0))])
    engines, opened = world.engines(), []

    def opener(name: str) -> FakeEye:
        opened.append(name)
        return engines[name.removesuffix("_full")]

    monkeypatch.setattr(hands, "open_eye", opener)
    judge = open_film_eyes()
    assert set(opened) == {"body_detector", "body_landmarks", "palm_detector_full", "hand_landmarks_full"}
    for index in range(4):
        if index == 3:
            world.hands = [SeenHand(hand_at(110.0, 158.0, 40.0))]
        person = judge.look(world.frame(), index * 40_000_000)
    seen = person.hands[person.presence > 0]
    assert len(seen) == 1
    places = (seen[0, :, :2] * 240.0).astype(np.float64)
    assert np.abs(places - world.hands[0].points).max() < 2.0, "where it is now, not where a filter lags"
