"""How likely each candidate is a thing.

The likelihood is a logistic regression on what tells a thing from a chance region: how well its outline stands out, how
many segmentations agree on it, how much of its colours the surroundings share, how much is inside it. It was fitted on
4,417 candidates of 60 generated pictures whose true things are known (`training.synthesis.mobiles`). On 24 others its
area under the ROC curve is 0.87 (the outline's score alone 0.78); above 0.65, three of four are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.scenes.making.cuts.candidates import Candidate
from streaming.scenes.making.cuts.superpixels import Floats, colour_gradient

OFFSET = -1.537
WEIGHTS = {
    "log_score": 0.214,
    "log_votes": 0.334,
    "sources": 0.247,
    "log_inside": 0.755,
    "shared_colours": -4.282,
    "log_area": -1.305,
    "log_area_squared": -0.261,
}
AGREE = 0.8
"""The share of their union from which on two candidates speak for each other."""
LEAST_INSIDE = 0.25
"""A region that is more even inside counts as if it had so much of the picture's mean gradient: few of the fitted
pictures have things of one colour."""
STRIDE = 2
"""Masks are compared at every so many pixels."""
COLOUR_CELLS = (20.0, 16.0, 16.0)
"""How wide the cells are, in Lab, in which colours are counted."""
RING = 15
"""Width in pixels of the window that makes the surroundings of a region: 7 pixels to either side."""


def rate_candidates(candidates: Sequence[Candidate], lab: Floats) -> list[Candidate]:
    """The candidates with their likelihoods, the most likely first.

    Args:
        candidates: see `find_candidates`.
        lab: float32 [h, w, 3], the small copy, see `to_lab`.
    """
    if not candidates:
        return []
    shared = _shared(candidates)
    gradient = colour_gradient(lab, 1.0)
    unit = float(gradient.mean()) + 0.5
    colours = _colour_numbers(lab)
    rated = []
    for number, candidate in enumerate(candidates):
        agree = np.flatnonzero(shared[number] > AGREE).tolist()
        core = cv2.erode(candidate.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        inside = float(gradient[core].mean()) / unit if core.any() else 0.0
        area = _log(candidate.area)
        features = {
            "log_score": _log(candidate.score),
            "log_votes": _log(float(len(agree))),
            "sources": float(len({candidates[other].source for other in agree})),
            "log_inside": _log(max(inside, LEAST_INSIDE)),
            "shared_colours": _shared_colours(candidate.mask, colours),
            "log_area": area,
            "log_area_squared": area * area,
        }
        evidence = OFFSET + sum(WEIGHTS[name] * value for name, value in features.items())
        rated.append(replace(candidate, likelihood=float(1 / (1 + np.exp(-evidence)))))
    return sorted(rated, key=lambda candidate: -candidate.likelihood)


def _shared(candidates: Sequence[Candidate]) -> NDArray[np.float32]:
    """Float32 [N, N], the share of the union that each two candidates have in common."""
    masks = np.stack([candidate.mask[::STRIDE, ::STRIDE].ravel() for candidate in candidates]).astype(np.float32)
    both = masks @ masks.T
    areas = masks.sum(1)
    return np.asarray(both / np.maximum(areas[:, None] + areas[None] - both, 1.0), np.float32)


def _colour_numbers(lab: Floats) -> NDArray[np.int64]:
    """The number of each pixel's colour cell, int64 [h, w], from 0 without gaps."""
    cells = np.rint(lab / np.array(COLOUR_CELLS, np.float32)).astype(np.int64) + 64
    keys = (cells[..., 0] * 128 + cells[..., 1]) * 128 + cells[..., 2]
    return np.asarray(np.unique(keys, return_inverse=True)[1].reshape(keys.shape), np.int64)


def _shared_colours(mask: NDArray[np.bool_], colours: NDArray[np.int64]) -> float:
    """The intersection of the colour histograms of a region and its surroundings, 0 to 1."""
    around = (cv2.dilate(mask.astype(np.uint8), np.ones((RING, RING), np.uint8)) > 0) & ~mask
    count = int(colours.max()) + 1
    inside = np.bincount(colours[mask], minlength=count) / max(int(mask.sum()), 1)
    outside = np.bincount(colours[around], minlength=count) / max(int(around.sum()), 1)
    return float(np.minimum(inside, outside).sum())


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-2)))
