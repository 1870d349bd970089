"""Performers: the figures' keys are there, and a still that moves for no reason is no nearer to the film."""

from __future__ import annotations

from tests.scenes.reverse_stages import HearingStages
from training.evaluation.reverse.scores.performers import score_performers
from training.synthesis.recordings import TEST_SEED


def test_the_inputs_of_another_clip_are_another_figure() -> None:
    figures = score_performers(HearingStages("none"), [TEST_SEED, TEST_SEED + 1])
    assert figures["energy_correlation"] != figures["energy_correlation_input_other_clip"]
    assert figures["energy_correlation_input_zero"] == 0.0
    assert figures["psnr_gain_db"] < 0.0, "the fake loop rolls the whole picture"
    assert figures["flow_error"] > figures["flow_error_still"] > 0.0
    assert figures["n_clips"] == 2
