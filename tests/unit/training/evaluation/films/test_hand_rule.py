"""The untrained rule on hands: where hands strike it finds the onsets, beside its control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.contract import EngineError
from streaming.conventions import HAND_FEATURES, MOTION_FEATURES
from streaming.vision.eyes.person import Person
from streaming.vision.motion.hand_motion import HAND_INDEX
from tests.films import write_film
from tests.people import person_with
from training.evaluation.films import hand_rule
from training.evaluation.films.hand_rule import hand_strength, main, score_film_rules, score_rules, table

EVENTS = (0.8, 1.4, 2.2, 2.8, 3.4, 4.2, 4.8, 5.6)
LOSS = HAND_INDEX["loss_down"]


class StrikingHand:
    """Sees a hand that strikes at the events of a film, whatever the film shows."""

    sees_hands = True
    body_alone = False

    def look(self, frame: np.ndarray, now_ns: int) -> Person:
        time_s = now_ns / 1e9 - 10.0
        ahead = min((event - time_s for event in EVENTS if event >= time_s), default=9.0)
        return person_with(left=(0.3, 0.6 - min(ahead, 0.3)))

    def reset(self) -> None:
        """There is nothing to forget."""


def test_the_larger_loss_of_both_hands_counts() -> None:
    hands = np.zeros((3, 2, HAND_FEATURES), np.float32)
    hands[1, 0, LOSS], hands[1, 1, LOSS], hands[2, 1, LOSS] = 1.0, 2.0, 0.5
    assert hand_strength(hands).tolist() == [0.0, 2.0, 0.5]


def test_a_film_of_strikes_is_scored_beside_its_control(tmp_path: Path) -> None:
    film = write_film(tmp_path / "hits.mkv", EVENTS, seconds=6.4)
    scores = score_film_rules(film, StrikingHand)
    assert scores.onsets == len(EVENTS)
    assert scores.known == 1.0
    assert scores.rules["hands"].value > 0.9
    assert scores.rules["hands"].control < scores.rules["hands"].value - 0.2
    text = table([scores])
    assert "| hits.mkv | 8 | 100% |" in text
    assert len(text.splitlines()) == 3


def test_what_is_only_in_the_hands_is_in_the_sum() -> None:
    ticks = np.arange(250)
    onsets = np.arange(1.0, 9.5, 0.83)
    hands = np.zeros((250, 2, HAND_FEATURES), np.float32)
    hands[np.round(onsets * 25).astype(int), 0, LOSS] = 1.0
    rules = score_rules(np.zeros((ticks.size, MOTION_FEATURES), np.float32), hands, onsets)
    assert rules["flow"].value == 0.0
    assert rules["both"].value == rules["hands"].value == pytest.approx(1.0)


def test_the_command_prints_a_table_and_names_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hand_rule, "open_eyes", lambda mode: StrikingHand())
    assert main([str(tmp_path)]) == 2
    assert "no film can be used" in capsys.readouterr().err
    write_film(tmp_path / "hits.mkv", EVENTS, seconds=6.4)
    write_film(tmp_path / "silent.mp4", EVENTS, sound=False)
    assert main([str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "| hits.mkv |" in out
    assert "silent.mp4: it has no sound" in err

    def missing(mode: str) -> StrikingHand:
        raise EngineError("the network is not here; run: python -m export.eyes")

    monkeypatch.setattr(hand_rule, "open_eyes", missing)
    assert main([str(tmp_path)]) == 2
    assert "export.eyes" in capsys.readouterr().err
