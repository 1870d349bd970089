"""Sound to learn a codec from: performances of every kind, plain and varied, alone and together."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.performer.score import KINDS, draw_score
from training.instruments import render_sound

RATE = 32_000
CLIP_S = 8.0
TRAIN_SEED = 1_000_000
TEST_SEED = 9_000_000
"""Seeds from here on are never trained on."""


def render_clip(seed: int) -> NDArray[np.int16]:
    """One clip of `CLIP_S` seconds, int16; its kind and variety follow from the seed."""
    rng = np.random.default_rng(seed)
    kind = KINDS[int(rng.integers(len(KINDS)))]
    variety = float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    x = render_sound(draw_score(kind, seed, CLIP_S), RATE, variety)
    if rng.random() < 0.2:
        other = KINDS[int(rng.integers(len(KINDS)))]
        x = 0.7 * x + 0.7 * render_sound(draw_score(other, seed + 500_000, CLIP_S), RATE, variety)
    return (np.clip(x, -1, 1) * 32767).astype(np.int16)


def build_corpus(folder: Path, clips: int, workers: int = 2) -> NDArray[np.int16]:
    """Render (once) and open the corpus: int16 memory map [clips, CLIP_S * RATE]."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"corpus-{clips}.npy"
    if not path.exists():
        with ProcessPoolExecutor(workers) as pool:
            sounds = list(pool.map(render_clip, range(TRAIN_SEED, TRAIN_SEED + clips), chunksize=8))
        np.save(path, np.stack(sounds))
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]
