"""Is the picture kept? Faces, bodies and hands that are found again, sharpness, and the return to the still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND
from streaming.schema.messages import Hearing
from training.evaluation.reverse.finders import Finder, FoundShare, score_finder
from training.evaluation.reverse.material import Piece, ScoredStill
from training.evaluation.reverse.measures.looks import gradient_error, seconds_to_still, sharpness_ratio
from training.evaluation.reverse.moved_still import ReverseStages, SceneOfStill
from training.evaluation.reverse.scores.edges import strong_ticks
from training.evaluation.reverse.scores.figures import Figures, mean_figures, rounded, share_figures

SEED = 41
PAINTED = 0.25
"""Imagination at which the painter is scored."""
FINDER_WORDS = (
    "MediaPipe's full-range face detector, which nothing else here uses; its body detector and landmarks; its palm "
    "detector; looked for in the whole picture and in overlapping squares of half its height"
)
Picture = NDArray[np.uint8]


def score_looks(
    stages: ReverseStages,
    stills: Sequence[tuple[ScoredStill, SceneOfStill]],
    heard: Sequence[Hearing],
    finders: dict[str, Finder],
    pictures: int,
) -> Figures:
    """What strong motion does to the pictures without the painter, and with it at `PAINTED` (`_painted`).

    Args:
        stages: of the bundle.
        stills: with their scenes.
        heard: what moves them.
        finders: by name; none leaves their figures out.
        pictures: of each still, at moments of strong motion.
    """
    found = {(name, painter): FoundShare() for name in finders for painter in (False, True)}
    values: dict[str, list[float]] = {}
    by_still: dict[str, Figures] = {}
    for still, scene in stills:
        moved = stages.move(scene, heard, SEED)
        ticks = strong_ticks(moved.amplitudes, pictures, 4)
        if not ticks:
            by_still[still.name] = {"moves": False}
            continue
        shown = scene.message.image
        row: Figures = {}
        for painter in (False, True):
            drawn = stages.draw(scene, moved, ticks[::2] if painter else ticks, imagination=PAINTED * painter)
            suffix = "_painted" if painter else ""
            sharpness = [sharpness_ratio(picture, shown) for picture in drawn]
            row[f"sharpness{suffix}"] = rounded(float(np.median(sharpness)))
            values.setdefault(f"sharpness{suffix}", []).append(float(np.median(sharpness)))
            error = float(np.mean([gradient_error(picture, shown) for picture in drawn]))
            values.setdefault(f"gradient_error{suffix}", []).append(error)
            for name, find in finders.items():
                share = score_finder(find, shown, drawn)
                found[name, painter] += share
                if share.of:
                    row[f"{name}_found{suffix}"] = f"{share.found} of {share.of}"
        by_still[still.name] = row
    figures = mean_figures(values)
    for name in ("sharpness", "sharpness_painted"):
        if values.get(name):
            figures[name] = rounded(float(np.median(values[name])))
    for (name, painter), share in found.items():
        suffix = "_painted" if painter else ""
        figures |= share_figures(f"{name}_found{suffix}", share.found, share.of)
        if not painter:
            figures |= share_figures(f"{name}_found_control", share.found_control, share.of_control)
    return figures | {"finders": FINDER_WORDS if finders else None, "looks_by_still": by_still}


def score_silence(
    stages: ReverseStages, scenes: Sequence[SceneOfStill], piece: Piece, music_s: float = 4.0, silent_s: float = 3.0
) -> Figures:
    """Seconds of silence until every picture is the still to the byte: the longest over the stills.

    `silence_returns_s` is None where a still did not come back within `silent_s`.
    """
    silent_from = round(music_s * TICKS_PER_SECOND)
    silence = np.zeros(round(silent_s * TICKS_PER_SECOND) * TICK_SAMPLES, np.float32)
    heard = stages.hear(np.concatenate([np.resize(piece.sound, silent_from * TICK_SAMPLES), silence]))
    seconds, moves = [], 0
    for scene in scenes:
        moved = stages.move(scene, heard, SEED)
        tail = range(silent_from, len(moved.flows))
        pictures = stages.draw(scene, moved, list(tail))
        seconds.append(seconds_to_still(pictures, scene.message.image, 0))
        moves += bool(np.abs(moved.amplitudes[:silent_from]).max() > 1e-3)
    back = [second for second in seconds if second is not None]
    return {
        "silence_returns_s": max(back) if back and len(back) == len(seconds) else None,
        "silence_stills": len(seconds),
        "silence_stills_that_moved": moves,
    }
