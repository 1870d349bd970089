"""Do things move as things? The jump at their edges and what of their motion is not affine, beside shifted masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.schema.messages import Hearing
from training.evaluation.reverse.material import ScoredStill
from training.evaluation.reverse.measures.edge_motion import affine_residual, edge_jump, shifted_masks
from training.evaluation.reverse.measures.scene_motion import displacements, scene_field
from training.evaluation.reverse.moved_still import ReverseStages, SceneOfStill
from training.evaluation.reverse.scores.figures import Figures, mean_figures, rounded

STEP = 2
"""Pixels between the points at which displacements are compared."""
TICKS = 4
"""Moments of strong motion at which each thing is scored."""
SEED = 31
OWN_GAP, DRAWN_GAP = 1, 3
"""Points beside an outline that are left out: a mask that a person drew is a few pixels off."""
LEAST_AREA = 0.002
NEAR = 24
"""Points around a mask that can matter to its outline."""
Mask = NDArray[np.bool_]


def strong_ticks(amplitudes: NDArray[np.floating], count: int = TICKS, apart: int = 8) -> list[int]:
    """The ticks with the largest rms amplitude, at least so many ticks apart, in order."""
    size = np.sqrt((amplitudes.astype(np.float64) ** 2).mean(1))
    chosen: list[int] = []
    for tick in np.argsort(-size).tolist():
        if len(chosen) < count and size[tick] > 0 and all(abs(tick - other) >= apart for other in chosen):
            chosen.append(tick)
    return sorted(chosen)


def score_edges(
    stages: ReverseStages, stills: Sequence[tuple[ScoredStill, SceneOfStill]], heard: Sequence[Hearing]
) -> Figures:
    """Edge jumps and affine residuals of own layers and of independent masks, each with shifted masks as control.

    Each still counts once, with the mean over its things; `_n` is the number of stills. Independent masks whose things
    do not move have no figure: `masks_that_move` says how many do.

    Args:
        stages: of the bundle.
        stills: with their scenes.
        heard: what moves them.
    """
    values: dict[str, list[float]] = {}
    by_still: dict[str, Figures] = {}
    moving = total = 0
    for still, scene in stills:
        field = scene_field(scene.layers, STEP)
        amplitudes = stages.move(scene, heard, SEED).amplitudes
        moments = displacements(field, amplitudes[strong_ticks(amplitudes)])
        kinds = [layer.kind for layer in scene.layers.layers]
        own = [(f"_{kinds[number]}s", field.owner == number) for number in range(1, len(kinds))]
        independent = [("_independent", _thinned(mask)) for mask in still.masks]
        row: dict[str, list[float]] = {}
        for group, mask in [*own, *independent]:
            if mask.mean() >= LEAST_AREA:
                _score_mask(moments, mask, group, row)
        jumps = row.get("edge_jump_independent", [])
        moving, total = moving + int(np.isfinite(jumps).sum()), total + len(jumps)
        means = {name: _mean(found) for name, found in row.items()}
        for name, value in means.items():
            values.setdefault(name, []).append(value)
        by_still[still.name] = {
            "layers": kinds[1:],
            "modes": len(scene.layers.modes),
            **{name: rounded(value) for name, value in means.items() if np.isfinite(value)},
        }
    figures = mean_figures(values)
    counts = {f"{name}_n": int(np.isfinite(row).sum()) for name, row in values.items() if "control" not in name}
    return figures | counts | {"masks": total, "masks_that_move": moving, "edges_by_still": by_still}


def _score_mask(moments: NDArray[np.float32], mask: Mask, group: str, row: dict[str, list[float]]) -> None:
    """Add a mask's figures; own layers count under `edge_jump`, and each kind under its own name."""
    own = group != "_independent"
    gap = OWN_GAP if own else DRAWN_GAP
    shifted = [_cropped(moments[:2], other) for other in shifted_masks(mask, 3)]
    near, own_mask = _cropped(moments, mask)
    jump = _mean([edge_jump(moment, own_mask, gap) for moment in near])
    rest = _mean([affine_residual(moment, own_mask) for moment in near])
    elsewhere = [edge_jump(moment, other, gap) for some, other in shifted for moment in some]
    rest_elsewhere = [affine_residual(moment, other) for some, other in shifted for moment in some]
    found = {"edge_jump": jump, "edge_jump_control": _mean(elsewhere)}
    found |= {"affine_residual": rest, "affine_residual_control": _mean(rest_elsewhere)}
    for name, value in found.items():
        names = (name, f"{name}{group}") if own else (f"{name}{group}",)
        for each in names:
            row.setdefault(each, []).append(value)


def _cropped(moments: NDArray[np.float32], mask: Mask) -> tuple[NDArray[np.float32], Mask]:
    """Displacements [T, H, W, 2] and a mask, cut to the mask and what lies near it."""
    y, x = np.nonzero(mask)
    rows, columns = (slice(max(0, int(axis.min()) - NEAR), int(axis.max()) + NEAR + 1) for axis in (y, x))
    return moments[:, rows, columns], mask[rows, columns]


def _mean(values: Sequence[float]) -> float:
    numbers = [value for value in values if np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else float("nan")


def _thinned(mask: Mask) -> Mask:
    return mask[STEP // 2 :: STEP, STEP // 2 :: STEP]
