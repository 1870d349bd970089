"""The forward scores mean what they say, for performers and for films alike."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.forward_loop import Response, score
from training.synthesis.recordings import TEST_SEED, kind_of, performer_of, sound_of


def answered(seed: int, music: np.ndarray) -> Response:
    onsets = performer_of(seed).score.onsets_s
    return Response(str(seed), kind_of(seed), music, sound_of(seed), onsets, np.zeros(0))


def test_who_plays_what_was_played_scores_best_and_others_music_does_not() -> None:
    seeds = [TEST_SEED + i for i in (1, 3, 6)]
    right = score([answered(seed, sound_of(seed)) for seed in seeds])
    wrong = score([answered(seed, sound_of(seed + 5)) for seed in seeds])
    assert right["onset_f1_50ms"] == right["onset_f1_50ms_of_true_sound"] > 0.9
    assert right["loudness_correlation"] == 1.0
    assert right["pitch_within_50_cents"] == 1.0
    assert wrong["onset_f1_50ms"] < 0.6
    assert right["onset_f1_50ms_shuffled"] < 0.6
    assert wrong["pitch_within_50_cents"] < 0.4


def test_a_clip_in_which_nothing_is_played_has_no_onsets_to_meet() -> None:
    seeds = [TEST_SEED, TEST_SEED + 1]
    silence, nothing = np.zeros(32_000, np.float32), np.zeros(0)
    silent = Response("silent", "footage", silence, silence, nothing, nothing)
    alone = score([answered(seed, sound_of(seed)) for seed in seeds])
    figures = score([*(answered(seed, sound_of(seed)) for seed in seeds), silent])
    assert (figures["n_clips"], figures["n_with_onsets"]) == (3, 2)
    assert figures["onset_f1_50ms"] == alone["onset_f1_50ms"]
    assert figures["loudness_correlation"] == alone["loudness_correlation"]


def test_with_anticipation_early_is_right() -> None:
    seeds = [TEST_SEED + 1, TEST_SEED + 3]
    early = [np.concatenate([sound_of(seed)[2560:], np.zeros(2560, np.float32)]) for seed in seeds]
    answers = [answered(seed, music) for seed, music in zip(seeds, early, strict=True)]
    asked, unasked = score(answers, 0.08), score(answers)
    assert asked["onset_f1_50ms"] > 0.9 > unasked["onset_f1_50ms"]
    assert asked["signed_lag_ms_median"] == pytest.approx(-80, abs=12)
    assert asked["loudness_correlation"] > 0.99
