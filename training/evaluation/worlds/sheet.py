"""A contact sheet of clips of hits: each as four frames around one of its hits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.hits.performer import HitsPerformer
from training.synthesis.conventions import CLIP_S
from training.synthesis.hits_corpus import HitsCorpus, material_of

MOMENTS_S = (-0.16, -0.08, 0.0, 0.16)
"""Times of the frames against the contact."""
CELL = 200
COLUMNS = 2


def _cell(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = CELL / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    out = np.full((CELL, CELL, 3), 127, np.uint8)
    out[: small.shape[0], : small.shape[1]] = small[:CELL, :CELL]
    return out


def draw_strip(performer: HitsPerformer) -> NDArray[np.uint8]:
    """The frames around the hit in the middle of a clip: uint8 [200, 800, 3]."""
    contact = float(performer.truth.contact_s[performer.truth.contact_s.size // 2])
    chosen = [int(np.argmin(np.abs(performer.camera.times - contact - offset))) for offset in MOMENTS_S]
    return np.hstack([_cell(performer.frame(number)) for number in chosen])


def draw_sheet(seeds: list[int], corpus: HitsCorpus) -> NDArray[np.uint8]:
    """Clips of some seeds, two beside each other: uint8 [H, W, 3]."""
    strips = [draw_strip(HitsPerformer(seed, CLIP_S, material_of(corpus, seed, CLIP_S))) for seed in seeds]
    strips += [np.full_like(strips[0], 255)] * (-len(strips) % COLUMNS)
    rows = [np.hstack(strips[first : first + COLUMNS]) for first in range(0, len(strips), COLUMNS)]
    return np.vstack(rows)


def write_sheet(path: Path, seeds: list[int], corpus: HitsCorpus) -> None:
    """Write `draw_sheet` as a picture.

    Raises:
        OSError: when it cannot be written.
    """
    done, data = cv2.imencode(path.suffix or ".png", draw_sheet(seeds, corpus))
    if not done:
        raise OSError(f"{path}: OpenCV does not write this kind of picture")
    path.write_bytes(data.tobytes())
