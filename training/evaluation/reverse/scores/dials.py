"""Do the dials act evenly? What moves at five settings of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streaming.schema.messages import Hearing
from training.evaluation.reverse.measures.scene_motion import displacements, moving_part, scene_field
from training.evaluation.reverse.measures.time_courses import course_correlation
from training.evaluation.reverse.moved_still import MovedStill, ReverseStages, SceneOfStill
from training.evaluation.reverse.scores.edges import strong_ticks
from training.evaluation.reverse.scores.figures import Figures

SEED, OTHER_SEED = 61, 62
SETTINGS = {
    "motion": (0.0, 0.5, 1.0, 2.0, 4.0),
    "chance": (0.0, 0.25, 0.5, 0.75, 1.0),
    "anchoring": (0.3, 0.6, 1.2, 2.4, 4.8),
}
IMAGINATION = (0.0, 0.25, 0.5, 0.75, 1.0)


def score_dials(stages: ReverseStages, scenes: Sequence[SceneOfStill], heard: Sequence[Hearing]) -> Figures:
    """Curves of the dials, each a list of rows, a row for each setting.

    `px_per_tick` is the mean speed of the moving part, `px` its mean distance from the still; `other_seed` is the
    correlation of the springs' courses with those of another seed: chance lowers it. `imagination` gives the mean
    difference of the pictures from those at 0, in levels of 255.
    """
    curves: Figures = {}
    for dial, settings in SETTINGS.items():
        rows = []
        for setting in settings:
            one, other = (
                [stages.move(scene, heard, seed, **{dial: setting}) for scene in scenes] for seed in (SEED, OTHER_SEED)
            )
            sizes = np.mean([_sizes(scene, moved) for scene, moved in zip(scenes, one, strict=True)], 0)
            pairs = zip(one, other, strict=True)
            alike = [course_correlation(a.amplitudes, b.amplitudes) for a, b in pairs]
            rows.append(
                {
                    "setting": setting,
                    "px_per_tick": round(float(sizes[0]), 3),
                    "px": round(float(sizes[1]), 3),
                    "other_seed": round(float(np.nanmean(alike)), 3) if np.isfinite(alike).any() else None,
                }
            )
        curves[dial] = rows
    return {"dials": curves | {"imagination": _imagination(stages, scenes[:2], heard)}}


def _sizes(scene: SceneOfStill, moved: MovedStill) -> tuple[float, float]:
    """Mean speed in pixels a tick and mean distance in pixels of the moving part."""
    shift = displacements(scene_field(scene.layers), moved.amplitudes)
    part = moving_part(shift)
    if not part.any():
        return 0.0, 0.0
    change = np.diff(shift[:, part], axis=0)
    return float(np.hypot(change[..., 0], change[..., 1]).mean()), float(np.linalg.norm(shift[:, part], axis=-1).mean())


def _imagination(
    stages: ReverseStages, scenes: Sequence[SceneOfStill], heard: Sequence[Hearing]
) -> list[dict[str, float]]:
    differences = np.zeros(len(IMAGINATION))
    for scene in scenes:
        moved = stages.move(scene, heard, SEED)
        ticks = strong_ticks(moved.amplitudes, 3)
        drawn = [stages.draw(scene, moved, ticks, imagination=setting) for setting in IMAGINATION]
        for number, pictures in enumerate(drawn):
            pairs = zip(pictures, drawn[0], strict=True)
            apart = [np.abs(a.astype(np.int16) - b).mean() for a, b in pairs]
            differences[number] += float(np.mean(apart)) / len(scenes) if apart else 0.0
    return [
        {"setting": setting, "levels": round(float(apart), 3)}
        for setting, apart in zip(IMAGINATION, differences, strict=True)
    ]
