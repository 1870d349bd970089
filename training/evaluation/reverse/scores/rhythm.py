"""Does it move in time? Clicks, motion at onsets against shifted onsets, and sustained sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.schema.messages import Hearing
from training.evaluation.reverse.material import Piece
from training.evaluation.reverse.measures.onset_motion import OnsetMotion, onset_motion
from training.evaluation.reverse.measures.scene_motion import (
    SceneField,
    displacements,
    jumps_after,
    moving_part,
    scene_field,
)
from training.evaluation.reverse.measures.sound_envelopes import click_ticks, click_track, sustained_ticks
from training.evaluation.reverse.moved_still import ReverseStages, SceneOfStill, zero_inputs
from training.evaluation.reverse.scores.figures import Figures, mean_figures, rounded
from training.measures.onsets import detect_onsets

CLICKS_S = 6.0
WITHIN_TICKS = 2
"""The pictures of a click's own tick and the two after it are shown within 120 ms of its arrival."""
SECOND_TICKS = 25
BEFORE_S = 0.5
"""Silence before a piece."""
ENOUGH_RATIO, ENOUGH_P = 2.0, 0.05
SEED = 21
ONSET_LEVEL = 0.1
"""Root mean square at which onsets are found."""
ONSET_THRESHOLDS, SPARSEST_S = (0.2, 0.12, 0.07, 0.04), 1.5
"""How clear an onset must be: the first of these with an onset in every so many seconds on average."""


def score_clicks(stages: ReverseStages, scenes: Sequence[SceneOfStill]) -> Figures:
    """How far a 2 Hz click moves the moving part, in pixels of a screen of 768: a value for each scene.

    `_next_tick` is the first picture that can answer; the plain figure is the farthest within 120 ms;
    `_after_a_second` is a second after the last click, against the still. `_elsewhere` is the same as the plain figure
    a quarter of a second after each click: what moves anyway. `_input_zero` has the drive's inputs at zero.
    """
    name = "click_displacement_px"
    heard, ticks = stages.hear(click_track(CLICKS_S)), click_ticks(CLICKS_S)
    values: dict[str, list[float]] = {}
    for scene in scenes:
        field = scene_field(scene.layers)
        shift = displacements(field, stages.move(scene, heard, SEED).amplitudes)
        part = moving_part(shift)
        jumps = jumps_after(shift, part, ticks, WITHIN_TICKS)
        elsewhere = jumps_after(shift, part, [tick + 6 for tick in ticks], WITHIN_TICKS)
        silent = displacements(field, stages.move(scene, zero_inputs(heard), SEED).amplitudes)
        late = min(ticks[-1] + SECOND_TICKS, len(shift) - 1)
        row = {
            name: float(np.nanmean(np.nanmax(jumps, 1))),
            f"{name}_next_tick": float(np.nanmean(jumps[:, 0])),
            f"{name}_elsewhere": float(np.nanmean(np.nanmax(elsewhere, 1))),
            f"{name}_after_a_second": _mean_length(shift[late], part),
            f"{name}_input_zero": float(np.nanmean(np.nanmax(jumps_after(silent, part, ticks, WITHIN_TICKS), 1))),
        }
        for key, value in row.items():
            values.setdefault(key, []).append(value)
    return mean_figures(values) | {f"{name}_least": rounded(min(values[name], default=None))}


def score_onsets(stages: ReverseStages, scenes: Sequence[SceneOfStill], pieces: Sequence[Piece]) -> Figures:
    """Motion at each recording's onsets against 400 circular shifts, and its motion while notes go on.

    The motion of each scene is its moving part's, in pixels a tick; over the scenes it is averaged after division by
    each one's mean. `sustained_px_per_tick` is taken where the sound goes on and no onset was within 320 ms.
    """
    recordings: dict[str, Figures] = {}
    sustained: list[float] = []
    fields = [scene_field(scene.layers) for scene in scenes]
    for piece in pieces:
        heard = stages.hear(piece.sound)
        onsets = onsets_of(piece)
        speeds = _speeds(stages, scenes, fields, heard)
        right = onset_motion(_relative(speeds), onsets)
        zero = onset_motion(_relative(_speeds(stages, scenes[:1], fields[:1], zero_inputs(heard))), onsets)
        goes_on = sustained_ticks(np.array([one.level_db for one in heard]), (onsets * 25).astype(np.int64))
        held = float(speeds[:, goes_on].mean()) if goes_on.any() else float("nan")
        sustained.append(held)
        recordings[piece.name] = _row(right, zero) | {
            "sustained_px_per_tick": rounded(held),
            "px_per_tick": rounded(float(speeds.mean())),
        }
    ratios = [row["onset_motion_ratio"] for row in recordings.values()]
    enough = [
        name
        for name, row in recordings.items()
        if (row["onset_motion_ratio"] or 0.0) >= ENOUGH_RATIO and row["p"] < ENOUGH_P
    ]
    values = {
        "onset_motion_ratio": [ratio for ratio in ratios if ratio is not None],
        "sustained_px_per_tick": sustained,
    }
    return mean_figures(values) | {"onsets_enough": enough, "n_recordings": len(pieces), "recordings": recordings}


def onsets_of(piece: Piece) -> NDArray[np.float64]:
    """A piece's onsets in seconds, found at one level for all; where notes begin softly, soft onsets count too.

    Nothing is heard before a piece, so one that begins with a note has an onset there.
    """
    rms = max(1e-5, float(np.sqrt(np.mean(piece.sound.astype(np.float64) ** 2))))
    silence = np.zeros(round(BEFORE_S * SAMPLE_RATE), np.float32)
    level = np.concatenate([silence, np.asarray(piece.sound * np.float32(ONSET_LEVEL / rms), np.float32)])
    found = np.zeros(0)
    for threshold in ONSET_THRESHOLDS:
        found = detect_onsets(level, threshold=threshold)
        if len(found) * SPARSEST_S >= piece.sound.size / SAMPLE_RATE:
            break
    return np.maximum(found - BEFORE_S, 0.0)


def _speeds(
    stages: ReverseStages, scenes: Sequence[SceneOfStill], fields: Sequence[SceneField], heard: Sequence[Hearing]
) -> NDArray[np.float64]:
    """How fast each scene's moving part moves, in pixels a tick: [scenes, T]."""
    rows = []
    for scene, field in zip(scenes, fields, strict=True):
        shift = displacements(field, stages.move(scene, heard, SEED).amplitudes)
        part = moving_part(shift)
        change = np.diff(shift[:, part], axis=0, prepend=0.0) if part.any() else np.zeros((len(shift), 1, 2))
        rows.append(np.hypot(change[..., 0], change[..., 1]).mean(1))
    return np.array(rows, np.float64)


def _relative(speeds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((speeds / np.maximum(speeds.mean(1, keepdims=True), 1e-9)).mean(0))


def _row(right: OnsetMotion, zero: OnsetMotion) -> Figures:
    return {
        "onset_motion_ratio": rounded(right.ratio),
        "p": rounded(right.p),
        "onset_motion_ratio_input_zero": rounded(zero.ratio),
        "onset_motion_ratio_reference": rounded(right.reference),
        "n_onsets": right.n_onsets,
    }


def _mean_length(shift: NDArray[np.floating], part: NDArray[np.bool_]) -> float:
    return float(np.hypot(shift[part][:, 0], shift[part][:, 1]).mean()) if part.any() else 0.0
