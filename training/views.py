"""What was seen of recorded players at many ticks, kept small: any of them a still, any later one what is to be seen.

Two stills of a clip and a dozen moments after them are soon known by heart. Of a hundred views of each clip five
thousand pairs can be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from streaming.messages import FLOW_GRID
from training.performances import SIZE, TICKS, record_dataset
from training.pictures import Pictures
from training.pool import open_executor
from training.scenes import STILL_SIDE, Scenes

EVERY = 2
"""One tick of so many is kept."""
FROM_START = 0.5
"""How often the still is the clip's first view, as a show's most often is."""
GREY = 127
_ROWS = STILL_SIDE * SIZE[1] // SIZE[0]
_TOP = (STILL_SIDE - _ROWS) // 2


@dataclass
class Views:
    """Clips as tensors, one row each.

    Attributes:
        seen: uint8 [N, V, rows, STILL_SIDE, 3], the pictures within their squares.
        played: the clips' sound and embeddings; its rows are these.
    """

    seen: Tensor
    played: Scenes

    def pairs(self, rng: np.random.Generator, count: int) -> Pictures:
        """So many stills and what is to be seen later, nothing moved meanwhile."""
        clips, views = self.seen.shape[:2]
        clip = torch.from_numpy(rng.integers(0, clips, count))
        start = np.where(rng.random(count) < FROM_START, 0, rng.integers(0, views - 1, count))
        later = torch.from_numpy(start + 1 + (rng.random(count) * (views - 1 - start)).astype(np.int64))
        begun = torch.from_numpy(start)
        prior, wanted = (self._square(clip, at) for at in (begun, later))
        still = torch.zeros(count, 2, FLOW_GRID, FLOW_GRID, dtype=torch.float16)
        tick = (clip, later * EVERY)
        return Pictures(
            prior=prior,
            warped=prior,
            wanted=wanted,
            where=still,
            flow=still,
            heard=self.played.heard[tick],
            hidden=torch.zeros(count, STILL_SIDE, STILL_SIDE, dtype=torch.bool),
            seen=self.played.seen[clip, begun * EVERY],
            now=self.played.seen[tick],
            chance=torch.zeros(count),
            turns=torch.zeros(count, dtype=torch.bool),
        )

    def _square(self, clip: Tensor, view: Tensor) -> Tensor:
        out = torch.full((len(clip), STILL_SIDE, STILL_SIDE, 3), GREY, dtype=torch.uint8)
        out[:, _TOP : _TOP + _ROWS] = self.seen[clip, view]
        return out


def _decoded(path: Path) -> NDArray[np.uint8]:
    with np.load(path) as file:
        jpeg, sizes, view = file["jpeg"], file["jpeg_bytes"], file["view"]
    parts = np.split(jpeg, np.cumsum(sizes)[:-1])
    out = np.empty((len(range(0, TICKS, EVERY)), _ROWS, STILL_SIDE, 3), np.uint8)
    for place, tick in enumerate(range(0, TICKS, EVERY)):
        seen = np.asarray(cv2.imdecode(parts[int(view[tick])], cv2.IMREAD_COLOR), np.uint8)
        small = cv2.resize(seen, (STILL_SIDE, STILL_SIDE), interpolation=cv2.INTER_AREA)
        out[place] = small[_TOP : _TOP + _ROWS]
    return out


def load_views(folder: Path, played: Scenes, clips: int, workers: int = 2) -> Views:
    """The views of the first clips of a folder of recordings; 37 MB for ten clips.

    Args:
        folder: of the recordings.
        played: what was recorded in it.
        clips: how many of them.
        workers: processes.
    """
    seen = torch.empty(clips, len(range(0, TICKS, EVERY)), _ROWS, STILL_SIDE, 3, dtype=torch.uint8)
    with open_executor(workers) as pool:
        found = pool.map(_decoded, record_dataset(folder, clips), chunksize=4)
        for row, views in enumerate(tqdm(found, total=clips, desc="views", mininterval=5)):
            seen[row] = torch.from_numpy(views)
    return Views(seen, played.rows(slice(0, clips)))
