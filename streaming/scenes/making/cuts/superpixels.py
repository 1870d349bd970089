"""Superpixels of a small copy of the still, and the graph of those that touch (SLIC: Achanta et al. 2012)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import slic

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SuperpixelGraph:
    """Superpixels and their neighbours.

    Attributes:
        labels: int32 [h, w], the superpixel of each pixel, 0 to K - 1.
        colours: float64 [K, 3], their mean Lab colours.
        centres: float64 [K, 2], x, y in pixels.
        areas: float64 [K], in pixels.
        one: int64 [E], the lower number of two that touch.
        other: int64 [E], the higher one.
        edge: float64 [E], mean colour gradient along their border, in Lab a pixel.
        border: float64 [E], the border's length in pixels.
    """

    labels: NDArray[np.int32]
    colours: NDArray[np.float64]
    centres: NDArray[np.float64]
    areas: NDArray[np.float64]
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    edge: NDArray[np.float64]
    border: NDArray[np.float64]

    @property
    def count(self) -> int:
        """The number of superpixels."""
        return len(self.areas)

    def steps(self) -> NDArray[np.float64]:
        """Float64 [E], the distance in Lab of the colours of two that touch."""
        distances: NDArray[np.float64] = np.linalg.norm(self.colours[self.one] - self.colours[self.other], axis=1)
        return distances


def to_lab(image: NDArray[np.uint8]) -> Floats:
    """Float32 [h, w, 3] Lab, lightness 0 to 100, of an image uint8 [h, w, 3] BGR."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)


def colour_gradient(lab: Floats, sigma: float = 1.2) -> Floats:
    """Float32 [h, w], how fast the colour changes, in Lab a pixel, after a blur of `sigma` pixels."""
    soft = cv2.GaussianBlur(lab, (0, 0), sigma)
    total = np.zeros(lab.shape[:2], np.float32)
    for channel in cv2.split(soft):
        total += cv2.Scharr(channel, cv2.CV_32F, 1, 0) ** 2 + cv2.Scharr(channel, cv2.CV_32F, 0, 1) ** 2
    return np.asarray(np.sqrt(total) / 32, np.float32)


def find_superpixels(lab: Floats, count: int, compactness: float = 0.12) -> SuperpixelGraph:
    """Divide a picture into superpixels.

    Args:
        lab: float32 [h, w, 3], see `to_lab`.
        count: about how many.
        compactness: how much their shape counts beside their colour.
    """
    soft = cv2.GaussianBlur(lab, (0, 0), 0.7)
    labels = slic(
        soft, n_segments=count, compactness=compactness, convert2lab=False, start_label=0, max_num_iter=8
    ).astype(np.int32)
    flat = labels.ravel()
    number = int(flat.max()) + 1
    areas = np.maximum(np.bincount(flat, minlength=number), 1).astype(np.float64)
    colours = np.stack([np.bincount(flat, lab[..., k].ravel(), number) for k in range(3)], 1) / areas[:, None]
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    centres = np.stack([np.bincount(flat, axis.ravel(), number) for axis in (x, y)], 1) / areas[:, None]
    return SuperpixelGraph(labels, colours, centres, areas, *_neighbours(labels, colour_gradient(lab), number))


def _neighbours(
    labels: NDArray[np.int32], gradient: Floats, number: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Which superpixels touch, the mean gradient along their border, and its length."""
    keys, gradients = [], []
    for a, b, at_a, at_b in (
        (labels[:, :-1], labels[:, 1:], gradient[:, :-1], gradient[:, 1:]),
        (labels[:-1], labels[1:], gradient[:-1], gradient[1:]),
    ):
        differ = a != b
        low, high = np.minimum(a[differ], b[differ]), np.maximum(a[differ], b[differ])
        keys.append(low.astype(np.int64) * number + high)
        gradients.append(np.maximum(at_a, at_b)[differ])
    pairs, which, lengths = np.unique(np.concatenate(keys), return_inverse=True, return_counts=True)
    edge = np.bincount(which.ravel(), np.concatenate(gradients)) / lengths
    return pairs // number, pairs % number, edge, lengths.astype(np.float64)
