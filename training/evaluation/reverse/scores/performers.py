"""Are held-out synthetic performers re-enacted? Pictures and motion against the true ones, with inputs exchanged."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import STILL_SIDE, TICKS_PER_SECOND
from training.evaluation.reverse.measures.looks import psnr
from training.evaluation.reverse.measures.motion_energy import best_constant, end_point_error, energy_of
from training.evaluation.reverse.measures.motion_energy import series_correlation as alike
from training.evaluation.reverse.moved_still import ReverseStages, other_inputs, zero_inputs
from training.evaluation.reverse.scores.figures import Figures, mean_figures
from training.measures.onsets import level_db
from training.synthesis.recordings import ViewRecorder, performer_of, sound_of, watch

FIRST_TICKS = 5
EVERY = 5
"""One picture in this many is compared."""
SIZE = (768, 576)
"""At which performers are drawn as stills."""


def score_performers(stages: ReverseStages, seeds: Sequence[int]) -> Figures:
    """Performers with whom nothing else moves: the first frame moved by their music, against how they moved.

    `energy_correlation` is that of the flow's energy with the true one; `_input_other_clip` and `_input_zero` keep the
    level. `psnr_gain_db` is what the moved pictures are nearer to the film than the unmoved still, at chance 0.
    """
    values: dict[str, list[float]] = {}
    heard = [stages.hear(sound_of(seed)) for seed in seeds]
    for number, seed in enumerate(seeds):
        performer = performer_of(seed, SIZE, undisturbed=True)
        scene = stages.scene(performer.frame(0.0))
        true = watch(seed, ViewRecorder(), steady=True, undisturbed=True).flow.astype(np.float32)
        ticks = min(len(true), len(heard[number]))
        own, true = heard[number][:ticks], true[:ticks]
        moved = stages.move(scene, own, seed, chance=0.0)
        exchanged = {
            "energy_correlation": own,
            "energy_correlation_input_other_clip": other_inputs(own, heard[(number + 1) % len(seeds)]),
            "energy_correlation_input_zero": zero_inputs(own),
        }
        energy = energy_of(true)[FIRST_TICKS:]
        row = {
            name: alike(energy_of(stages.move(scene, inputs, seed, chance=0.0).flow)[FIRST_TICKS:], energy)
            for name, inputs in exchanged.items()
        }
        cut = slice(FIRST_TICKS, ticks)
        loud = level_db(sound_of(seed))[cut]
        row["flow_error"] = end_point_error(moved.flow[cut], true[cut])
        row["flow_error_still"] = end_point_error(np.zeros_like(true[cut]), true[cut])
        row["flow_error_constant"] = end_point_error(best_constant(true[cut], loud), true[cut])
        shown = list(range(FIRST_TICKS, ticks, EVERY))
        drawn = np.stack([_small(picture) for picture in stages.draw(scene, moved, shown)])
        film = np.stack([_small(performer.frame(tick / TICKS_PER_SECOND)) for tick in shown])
        still = np.stack([_small(scene.message.image)] * len(shown))
        row["psnr_gain_db"] = psnr(drawn, film) - psnr(still, film)
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return mean_figures(values) | {"n_clips": len(seeds)}


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture at the networks' resolution and the performers' shape, at which they are compared."""
    size = STILL_SIDE, round(STILL_SIDE * SIZE[1] / SIZE[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
