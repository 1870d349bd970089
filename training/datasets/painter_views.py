"""Pairs of views of very many players, with no warp between them: one is the still, a later one the target.

A painter learns a thousand players by heart, with their backgrounds, and paints from memory where an arm was. It cannot
do so with ten thousand players of a dozen views each.

The camera, the light and the background are steady: no sound predicts their changes, and a painter that is asked to
would blur whatever might move.
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
from training.networks.pictures.pose import predict_points
from training.synthesis.conventions import FRAME_SIZE

VIEW_SEED = 3_200_000
LOOKS = 12
"""Views per clip, the first tick's among them."""
FROM_START = 0.5
"""Share of the pairs whose still is the clip's first view, as in most shows."""
GREY = 127
LIGHTEST, HEAVIEST = 0.25, 4.0
"""Smallest and largest weight of a clip; see `group_weights`."""
_ROWS = STILL_SIDE * FRAME_SIZE[1] // FRAME_SIZE[0]
_TOP = (STILL_SIDE - _ROWS) // 2


@dataclass
class PainterViews:
    """Clips as tensors, one row each, with V views in the order of time.

    Attributes:
        pictures: uint8 [N, V, rows, STILL_SIDE, 3], the views without the square's margins.
        ticks: int16 [N, V], the views' ticks.
        embeddings: float16 [N, V, E], the views' embeddings.
        audio: float16 [N, T, D], the audio latents of all ticks.
        places: float16 [N, T, P, 2], true places of `models.vision.embedding.POINTS`, in -1..1.
        points: float16 [N, V, V, P, 3], the pose network's points from the first view as a still, at the second's tick.
        weight: float32 [N], how much each clip counts; see `group_weights`.
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
        """Random pairs of a still and a later target."""
        clips, views = self.pictures.shape[:2]
        clip = torch.from_numpy(rng.integers(0, clips, count))
        start = np.where(rng.random(count) < FROM_START, 0, rng.integers(0, views - 1, count))
        later = torch.from_numpy(start + 1 + (rng.random(count) * (views - 1 - start)).astype(np.int64))
        first = torch.from_numpy(start)
        prior, target = (self._square(clip, at) for at in (first, later))
        at_later = self.ticks[clip, later].long()
        still = torch.zeros(count, 2, FLOW_GRID, FLOW_GRID, dtype=torch.float16)
        return PainterExamples(
            prior=prior,
            warped=prior,
            wanted=target,
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


def group_weights(pictures: Tensor) -> Tensor:
    """Weights [N] of clips with views uint8 [N, V, ...]: the less moves in a clip, the more it counts.

    The score is the gain in dB clip by clip, where halving a small error counts as much as halving a large one; a
    squared error would hardly see the small ones.
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
    """Make or load so many clips, 0.4 MB and 0.2 s each; see `training.datasets.pose.RowFiles.load`.

    Raises:
        EngineError: when the bundle has no pose network.
    """
    pose = load_network(bundle, "pose")
    if not isinstance(pose, PoseEstimator):
        raise TypeError("the bundle's pose is of another class")
    columns = RowFiles("views", VIEW_SEED, view_row).load(folder, bundle, clips, workers)
    points = predict_points(pose, columns["heard"], columns["known"], columns["ticks"])
    stored_columns = (columns[name] for name in ("seen", "ticks", "known", "heard", "places"))
    pictures, ticks, embeddings, audio, places = stored_columns
    return PainterViews(pictures, ticks, embeddings, audio, places, points, group_weights(pictures))
