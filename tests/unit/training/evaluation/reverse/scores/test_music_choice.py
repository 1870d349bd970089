"""Who decides what moves: a loop that hears and one that only knows level and seed are told apart by every figure."""

from __future__ import annotations

from tests.scenes.reverse_stages import DeafStages, HearingStages, beats, picture
from training.evaluation.reverse.scores.music_choice import score_choice, score_retrieval

PIECES = [beats(number) for number in range(8)]


def test_the_music_decides_in_a_loop_that_hears() -> None:
    stages = HearingStages("none")
    figures = score_choice(stages, [stages.scene(picture())], PIECES[:3])
    assert figures["same_sound_other_seed"] > 0.9
    # The attacks of the envelope itself are in both sounds.
    assert abs(figures["same_seed_other_sound"]) < 0.6
    assert abs(figures["same_seed_other_sound_as_it_is"]) < 0.3
    assert figures["input_zero"] == 0.0
    assert abs(figures["input_other_clip"]) < 0.3
    assert figures["envelope_correlation"] > 0.4 > figures["envelope_correlation_input_zero"] == 0.0
    assert figures["n_courses"] == 3
    low, high = figures["same_sound_other_seed_interval"]
    assert low <= figures["same_sound_other_seed"] <= high


def test_the_seed_decides_in_a_loop_that_does_not() -> None:
    stages = DeafStages("none")
    figures = score_choice(stages, [stages.scene(picture())], PIECES[:3])
    assert figures["same_sound_other_seed"] < 0.4
    assert figures["same_seed_other_sound"] > 0.8
    assert figures["input_zero"] == figures["input_other_clip"] == 1.0
    assert figures["envelope_correlation_input_zero"] == figures["envelope_correlation"]


def test_the_piece_of_a_film_is_told_only_where_it_was_heard() -> None:
    hearing, deaf = HearingStages("none"), DeafStages("none")
    found = score_retrieval(hearing, [hearing.scene(picture())], PIECES)
    lost = score_retrieval(deaf, [deaf.scene(picture())], PIECES)
    assert found["retrieval_of_8"] == found["retrieval_of_8_flow"] == 1.0
    assert found["retrieval_of_8_input_zero"] == 0.0
    assert found["retrieval_of_8_of"] == 8
    assert found["retrieval_of_8_chance"] == 0.125
    assert lost["retrieval_of_8"] <= 0.5
