"""Anticipated attacks: regular music is foreseen, irregular is not; nothing is given twice, nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.audio.beat_anticipation import BeatAnticipation
from streaming.conventions import SOUND_BANDS

LEAD = 2


def play(strength: np.ndarray, lead_ticks: int = LEAD) -> tuple[np.ndarray, BeatAnticipation]:
    """What is given at each tick for attacks [T] in one band."""
    beat = BeatAnticipation()
    attacks = np.zeros((len(strength), SOUND_BANDS))
    attacks[:, 2] = strength
    return np.stack([beat.step(row, lead_ticks) for row in attacks]), beat


def regular(period: float, ticks: int = 400) -> np.ndarray:
    strength = np.zeros(ticks)
    strength[np.round(np.arange(5, ticks - 1, period)).astype(int)] = 0.8
    return strength


@pytest.mark.parametrize("period", [12, 12.5, 25, 31])
def test_a_steady_beat_is_given_ahead_and_not_again_when_it_comes(period: float) -> None:
    strength = regular(period)
    given, beat = play(strength)
    assert beat.belief == 1.0
    late = slice(250, 390)
    beats = np.flatnonzero(strength[late]) + 250
    near = [given[tick - LEAD - 1 : tick - LEAD + 2, 2].max() for tick in beats]
    assert min(near) > 0.3
    assert given[beats, 2].max() < 0.1
    assert given[late].sum() < 1.5 * strength[late].sum()


def test_a_rhythm_is_foreseen_by_its_bar() -> None:
    bar = np.zeros(40)
    bar[[0, 15, 20, 30]] = (0.9, 0.4, 0.7, 0.4)
    given, beat = play(np.tile(bar, 10))
    assert beat.period_ticks == 40
    assert np.corrcoef(given[200:-LEAD, 2], np.tile(bar, 10)[200 + LEAD :])[0, 1] > 0.9


@pytest.mark.parametrize("period", [12.5, 25])
def test_a_given_beat_is_foreseen_after_one_of_it(period: float) -> None:
    strength, attacks = regular(period, 80), np.zeros((80, SOUND_BANDS))
    attacks[:, 2] = strength
    beat, finder = BeatAnticipation(), BeatAnticipation()
    beat.assume(period)
    given = np.stack([beat.step(row, LEAD) for row in attacks])
    found = np.stack([finder.step(row, LEAD) for row in attacks])
    second = np.flatnonzero(strength)[1]
    near = slice(second - LEAD - 1, second - LEAD + 2)
    assert given[near, 2].max() > 0.3
    assert not found[near].any(), "what is to be found must have been heard twice"
    assert beat.period_ticks == period


def test_a_beat_that_is_too_short_counts_by_twos_and_a_wrong_one_is_not_believed() -> None:
    beat = BeatAnticipation()
    beat.assume(6.25)
    assert beat.assumed_ticks == 12.5
    attacks = np.zeros((400, SOUND_BANDS))
    attacks[:, 2] = regular(31)
    beat.assume(23.0)
    for row in attacks:
        beat.step(row, LEAD)
    assert beat.belief == 0.0
    beat.assume(0.0)
    for row in attacks:
        beat.step(row, LEAD)
    assert (beat.period_ticks, beat.belief) == (31, 1.0)


def test_what_is_not_regular_is_given_as_it_comes() -> None:
    rng = np.random.default_rng(0)
    strength = (rng.random(400) < 0.08) * rng.uniform(0.4, 1.0, 400)
    given, _ = play(strength)
    assert np.corrcoef(given[:, 2], strength)[0, 1] > 0.95


def test_a_beat_off_the_grid_is_given_in_full_and_a_beat_that_stays_out_ends_the_belief() -> None:
    strength = regular(25)
    strength[262:] = 0.0
    strength[270] = 0.9
    given, beat = play(strength)
    assert given[270, 2] == pytest.approx(0.9)
    assert beat.belief == 0.0
    assert not given[390:].any()


def test_without_a_lead_nothing_is_changed() -> None:
    strength = regular(25)
    given, _ = play(strength, 0)
    np.testing.assert_allclose(given[:, 2], strength, rtol=1e-6)


def test_forgetting_is_beginning_anew() -> None:
    _, beat = play(regular(25))
    beat.reset()
    assert beat.belief == 0.0
    assert not beat.step(np.zeros(SOUND_BANDS), LEAD).any()
