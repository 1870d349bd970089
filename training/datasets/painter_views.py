"""What was seen of very many players at a few ticks, kept small: one of them a still, a later one what is to be seen.

A thousand players are soon known by heart, with whatever is behind them: where an arm was, a painter that knows them
paints what it remembers. Ten thousand are not, and a dozen looks at each is enough.

Nothing else moves: no sound says that a camera shakes or that somebody walks past, and a painter that is asked for it
can but blur what might have moved.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.pictures.pose import PoseEstimator
from streaming.conventions import FLOW_GRID, STILL_SIDE
from streaming.vision.frame_features import fit_square
from training.bundling import load_network
from training.datasets.painter import PainterExamples
from training.datasets.pose import Row, RowFiles, follow_player
from training.networks.pose import predict_points
from training.synthesis.conventions import FRAME_SIZE

VIEW_SEED = 3_200_000
LOOKS = 12
"""Views of a clip, its first among them."""
FROM_START = 0.5
"""How often the still is the clip's first view, as a show's most often is."""
GREY = 127
LIGHTEST, HEAVIEST = 0.25, 4.0
"""How much a clip counts at least and at most, see `weights_of`."""
_ROWS = STILL_SIDE * FRAME_SIZE[1] // FRAME_SIZE[0]
_TOP = (STILL_SIDE - _ROWS) // 2


@dataclass
class PainterViews:
    """Clips as tensors, one row each, V views of each in their order.

    Attributes:
        seen: uint8 [N, V, rows, STILL_SIDE, 3], the pictures within their squares.
        ticks: int16 [N, V], when that was.
        known: float16 [N, V, E], the view's embedding.
        heard: float16 [N, T, D], the audio latents of every tick.
        places: float16 [N, T, P, 2], where the points of `models.vision.embedding.POINTS` truly are, in -1..1.
        said: float16 [N, V, V, P, 3], where a pose says they are, of the first view as a still at the second's tick.
        weight: float32 [N], how much each counts; see `weights_of`.
    """

    pictures: Tensor
    ticks: Tensor
    embeddings: Tensor
    audio: Tensor
    places: Tensor
    points: Tensor
    weight: Tensor

    def rows(self, which: slice) -> PainterViews:
        """Some of the clips."""
        return PainterViews(*(getattr(self, field.name)[which] for field in fields(self)))

    def pairs(self, rng: np.random.Generator, count: int) -> PainterExamples:
        """So many stills and what is to be seen later, nothing moved meanwhile."""
        clips, views = self.pictures.shape[:2]
        clip = torch.from_numpy(rng.integers(0, clips, count))
        start = np.where(rng.random(count) < FROM_START, 0, rng.integers(0, views - 1, count))
        later = torch.from_numpy(start + 1 + (rng.random(count) * (views - 1 - start)).astype(np.int64))
        first = torch.from_numpy(start)
        prior, wanted = (self._square(clip, at) for at in (first, later))
        at_later = self.ticks[clip, later].long()
        still = torch.zeros(count, 2, FLOW_GRID, FLOW_GRID, dtype=torch.float16)
        return PainterExamples(
            prior=prior,
            warped=prior,
            wanted=wanted,
            where=still,
            flow=still,
            audio=self.audio[clip, at_later],
            hidden=torch.zeros(count, STILL_SIDE, STILL_SIDE, dtype=torch.bool),
            embedding=self.embeddings[clip, first],
            points=self.points[clip, first, later],
            embedding_now=self.embeddings[clip, later],
            chance=torch.zeros(count),
            turns=torch.zeros(count, dtype=torch.bool),
            weight=self.weight[clip],
            displacement=self.places[clip, at_later] - self.places[clip, self.ticks[clip, first].long()],
        )

    def _square(self, clip: Tensor, view: Tensor) -> Tensor:
        out = torch.full((len(clip), STILL_SIDE, STILL_SIDE, 3), GREY, dtype=torch.uint8)
        out[:, _TOP : _TOP + _ROWS] = self.pictures[clip, view]
        return out


def weights_of(pictures: Tensor) -> Tensor:
    """How much each of some clips counts, [N], from its views uint8 [N, V, ...]: the less moves in it, the more.

    Pictures are judged beside the still held, clip by clip and in decibels, and half of a small error is as much as
    half of a large one; of its squares the large ones are nearly all.
    """
    stirs = torch.empty(len(pictures))
    for row, views in enumerate(pictures):
        small = views[..., ::2, ::2, :].float()
        stirs[row] = (small[1:] - small[0]).square().mean()
    return (stirs.median() / stirs.clamp_min(1e-6)).clamp(LIGHTEST, HEAVIEST)


@torch.inference_mode()
def view_row(seed: int, bundle: Path) -> Row:
    """One clip as a row of `PainterViews`: views at the first tick and at random ticks, and the audio latents."""
    row, frames = follow_player(seed, bundle, LOOKS)
    squares = np.stack([fit_square(frame, STILL_SIDE) for frame in frames])
    return {"seen": squares[:, _TOP : _TOP + _ROWS], **row}


def load_views(folder: Path, bundle: Path, clips: int, workers: int = 2) -> PainterViews:
    """Look at so many players; 0.4 MB and 0.2 s for each. See `training.datasets.pose.RowFiles.load`.

    Raises:
        EngineError: when the bundle has no pose.
    """
    pose = load_network(bundle, "pose")
    if not isinstance(pose, PoseEstimator):
        raise TypeError("the bundle's pose is of another class")
    columns = RowFiles("views", VIEW_SEED, view_row).load(folder, bundle, clips, workers)
    points = predict_points(pose, columns["heard"], columns["known"], columns["ticks"])
    stored = (columns[name] for name in ("seen", "ticks", "known", "heard", "places"))
    pictures, ticks, embeddings, audio, places = stored
    return PainterViews(pictures, ticks, embeddings, audio, places, points, weights_of(pictures))
