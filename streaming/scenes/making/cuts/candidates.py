"""Regions of a still that may be things: gathered from several segmentations, measured, and the best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb

from streaming.scenes.making.cuts.region_merging import find_cut_vectors, merge_regions
from streaming.scenes.making.cuts.saliency import find_saliency
from streaming.scenes.making.cuts.superpixels import colour_gradient, find_superpixels, to_lab

SIDE = 320
"""The longer side of the small copy of the still in which things are looked for, in pixels."""
TARGETS = (26, 14, 9, 6, 4)
"""Numbers of regions at which merging is looked at."""
WHOLES = ("salient", "grabcut", "key")
"""Sources that look for whole things before a ground, not for regions of one colour."""
LEAST_AREA, MOST_AREA, MOST_WHOLE_AREA = 0.004, 0.42, 0.62
"""Shares of the picture that a region may have."""
WEAK_GRADIENT = 0.6
"""An outline is weak where the gradient is below this share of the picture's mean."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """A region that may be a thing.

    Attributes:
        mask: bool [h, w], of the small copy.
        source: which segmentation it is of.
        score: how well its outline stands before its surroundings; 4 and more is good, 20 very good.
        area: share of the picture.
        solidity: area over the area of the convex hull.
        weak: share of its outline with no edge in the picture, 0 to 1.
        colour_step: the difference of its mean colour to its surroundings', in 30 Lab.
        sides: share of the picture's left, right, upper and lower side that it covers.
        likelihood: 0 to 1, that it is a thing, see `likelihood.rate_candidates`.
    """

    mask: Mask = field(repr=False)
    source: str
    score: float
    area: float
    solidity: float
    weak: float
    colour_step: float
    sides: tuple[float, float, float, float]
    likelihood: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether it was looked for as a whole thing."""
        return self.source in WHOLES


def small_copy(image: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """The image with a longer side of `side` pixels."""
    scale = side / max(image.shape[:2])
    size = max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def find_candidates(small: NDArray[np.uint8]) -> list[Candidate]:
    """All regions of a small copy (uint8 [h, w, 3] BGR) that may be things, the best first."""
    lab = to_lab(small)
    fine, coarse = find_superpixels(lab, 450), find_superpixels(lab, 400, 3.0)
    salient_fine = find_saliency(fine)[fine.labels]
    salient_coarse = find_saliency(coarse)[coarse.labels]
    measure = _Measure(lab, salient_fine)
    found: list[Candidate] = []
    vectors = find_cut_vectors(fine)
    for regions in merge_regions(fine, vectors, TARGETS):
        found += measure.regions(regions[fine.labels], "merged")
    soft = cv2.GaussianBlur(lab, (0, 0), 1.0) / 100
    for scale in (120, 350):
        least = max(30, int(0.003 * lab[..., 0].size))
        found += measure.regions(felzenszwalb(soft, scale=scale, sigma=0, min_size=least), "felzenszwalb")
    for saliency in (salient_fine, salient_coarse):
        for threshold in (0.25, 0.5):
            found += measure.parts(saliency > threshold, "salient")
    for mask, source in ((_grabcut(small, salient_fine, salient_coarse), "grabcut"), (_colour_key(lab), "key")):
        if mask is not None:
            found += measure.parts(mask, source)
    return sorted(found, key=lambda candidate: -candidate.score)


def _grabcut(small: NDArray[np.uint8], one: NDArray[np.float64], other: NDArray[np.float64]) -> Mask | None:
    """What GrabCut makes of the salient part; None where nothing stands out, or everything does."""
    both = np.sqrt(one * other)
    labels = np.full(one.shape, cv2.GC_PR_BGD, np.uint8)
    labels[both > 0.35] = cv2.GC_PR_FGD
    labels[both > 0.8] = cv2.GC_FGD
    labels[(one < 0.06) & (other < 0.06)] = cv2.GC_BGD
    return run_grabcut(small, labels)


def run_grabcut(image: NDArray[np.uint8], labels: NDArray[np.uint8], rounds: int = 3) -> Mask | None:
    """GrabCut (Rother et al. 2004), the same at every run.

    Args:
        image: uint8 [h, w, 3] BGR.
        labels: uint8 [h, w], OpenCV's GC_BGD, GC_FGD, GC_PR_BGD, GC_PR_FGD; unchanged.
        rounds: of the colour models.

    Returns:
        bool [h, w]; None where there are too few sure pixels of either kind.
    """
    if np.count_nonzero(labels == cv2.GC_FGD) < 40 or np.count_nonzero(labels == cv2.GC_BGD) < 40:
        return None
    cv2.setRNGSeed(0)
    out = labels.copy()
    cv2.grabCut(image, out, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    found: Mask = (out == cv2.GC_FGD) | (out == cv2.GC_PR_FGD)
    return found


def _colour_key(lab: NDArray[np.float32]) -> Mask | None:
    """All that is not of the even colour along the picture's border; None where the border is not even."""
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    middle = np.median(border, 0)
    if (np.linalg.norm(border - middle, axis=-1) < 9).mean() <= 0.85:
        return None
    other = (np.linalg.norm(lab - middle, axis=-1) > 11).astype(np.uint8)
    closed: Mask = cv2.morphologyEx(other, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
    return closed


class _Measure:
    """Measures regions of one picture."""

    def __init__(self, lab: NDArray[np.float32], saliency: NDArray[np.float64]) -> None:
        self._lab, self._saliency = lab, saliency
        gradient = colour_gradient(lab, 1.0)
        self._gradient = gradient / (gradient.mean() + 0.5)

    def regions(self, labels: NDArray[np.integer], source: str) -> Iterator[Candidate]:
        """The candidates among the regions of a segmentation."""
        for label in range(int(labels.max()) + 1):
            yield from self.parts(labels == label, source)

    def parts(self, mask: Mask, source: str) -> Iterator[Candidate]:
        """The candidates among the connected parts of a mask."""
        most = MOST_WHOLE_AREA if source in WHOLES else MOST_AREA
        number, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        for label in range(1, number):
            share = stats[label, cv2.CC_STAT_AREA] / mask.size
            if LEAST_AREA <= share <= most:
                part = _cleaned((labels == label).astype(np.uint8), int(stats[label, cv2.CC_STAT_AREA]))
                candidate = self._measured(part, source, float(share))
                if candidate is not None:
                    yield candidate

    def _measured(self, part: NDArray[np.uint8], source: str, share: float) -> Candidate | None:
        height, width = part.shape
        if part.sum() < 0.003 * part.size:
            return None
        contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(contours, key=cv2.contourArea)
        solidity = float(part.sum()) / max(cv2.contourArea(cv2.convexHull(outline)), 1.0)
        x, y = outline[:, 0, 0], outline[:, 0, 1]
        at_border = (x <= 1) | (x >= width - 2) | (y <= 1) | (y >= height - 2)
        inner = outline[~at_border, 0]
        if len(inner) < 12:
            return None
        mask = part > 0
        ring = (cv2.dilate(part, np.ones((13, 13), np.uint8)) > 0) & ~mask
        if not ring.any():
            return None
        gradients = self._gradient[inner[:, 1], inner[:, 0]]
        weak = float((gradients < WEAK_GRADIENT).mean())
        step = float(np.linalg.norm(self._lab[mask].mean(0) - self._lab[ring].mean(0))) / 30
        unrest = float(np.linalg.norm(self._lab[ring].std(0))) / 25
        score = float(np.minimum(gradients, 3).mean()) * (0.4 + solidity) * max(0.0, 1 - 1.6 * weak)
        score *= (1 - min(1.0, 2.2 * float(at_border.mean()))) * (0.6 + min(step, 1.2))
        score *= 1 + 1.2 * float(self._saliency[mask].mean() - self._saliency[ring].mean())
        score *= min(1.0, (share / 0.012) ** 0.5) * (1.3 if source in WHOLES else 1.0) / (0.6 + unrest)
        sides = (mask[:, 0].mean(), mask[:, -1].mean(), mask[0].mean(), mask[-1].mean())
        return Candidate(mask, source, score, share, solidity, weak, step, _floats(sides))


def _floats(values: Sequence[np.floating]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d


def _cleaned(part: NDArray[np.uint8], area: int) -> NDArray[np.uint8]:
    """A part without small holes and hairs."""
    height, width = part.shape
    number, labels, stats, _ = cv2.connectedComponentsWithStats(1 - part, connectivity=4)
    for label in range(1, number):
        left, top, wide, high, size = stats[label]
        inside = left > 0 and top > 0 and left + wide < width and top + high < height
        if inside and size < 0.6 * area:
            part[labels == label] = 1
    part = np.asarray(cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=4)
    if number > 2:
        part = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    return part
