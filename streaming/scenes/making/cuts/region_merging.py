"""Merges superpixels into a few regions by colour, edges and normalised-cut vectors (Shi and Malik 2000)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from streaming.scenes.making.cuts.saliency import symmetric
from streaming.scenes.making.cuts.superpixels import SuperpixelGraph

LAB_UNIT = 12.0
"""A distance in Lab that counts as much as one unit of the other terms."""
EDGE_UNITS = 0.35
"""Units for a gradient of one Lab a pixel along a border."""
SMALL = 12.0
"""From this area on, in mean superpixels, a region's size no longer speaks against merging it."""


def find_cut_vectors(graph: SuperpixelGraph, count: int = 9) -> NDArray[np.float64]:
    """The lowest vectors of the normalised cut without the constant one: float64 [K, count - 1]; alike in a region."""
    steps, edges = graph.steps(), graph.edge
    colour, edge = max(6.0, 1.2 * float(np.median(steps))), max(2.0, 1.2 * float(np.median(edges)))
    alike = np.exp(-((steps / colour) ** 2) / 2 - (edges / edge) ** 2 / 2) * np.sqrt(graph.border) + 1e-4
    links = symmetric(graph, alike)
    links = sparse.csr_matrix(links + 0.3 * (links @ links))
    links.setdiag(0)
    root = 1 / np.sqrt(np.asarray(links.sum(1)).ravel() + 1e-6)
    matrix = links.toarray() * root[:, None] * root[None]
    count = min(count, graph.count)
    _, vectors = linalg.eigh(matrix, subset_by_index=[graph.count - count, graph.count - 1])
    found: NDArray[np.float64] = vectors[:, ::-1][:, 1:] * root[:, None]
    return found


def merge_regions(
    graph: SuperpixelGraph, vectors: NDArray[np.float64], targets: Sequence[int]
) -> list[NDArray[np.int64]]:
    """Merge, always the two that are most alike, and keep what there is at some numbers of regions.

    Args:
        graph: the superpixels.
        vectors: see `find_cut_vectors`.
        targets: numbers of regions.

    Returns:
        For each target, from the highest down, the region of each superpixel, int64 [K].
    """
    tree = _MergeTree(graph, vectors)
    found = []
    for target in sorted(targets, reverse=True):
        tree.merge_down_to(target)
        found.append(tree.regions())
    return found


class _MergeTree:
    """Regions that are merged two by two, the cheapest pair first."""

    def __init__(self, graph: SuperpixelGraph, vectors: NDArray[np.float64]) -> None:
        scale = vectors.std(0) + 1e-9
        self._features = np.concatenate([graph.colours / LAB_UNIT, 0.9 * vectors / scale], 1)
        self._areas = graph.areas.copy()
        self._unit = float(graph.areas.mean())
        self._parents = np.arange(graph.count)
        self._versions = np.zeros(graph.count, int)
        self._alive = graph.count
        self._links: list[dict[int, tuple[float, float]]] = [{} for _ in range(graph.count)]
        for a, b, edge, length in zip(graph.one, graph.other, graph.edge, graph.border, strict=True):
            self._links[a][int(b)] = self._links[b][int(a)] = (float(edge * length), float(length))
        self._heap: list[tuple[float, int, int, int, int]] = []
        for a, b in zip(graph.one.tolist(), graph.other.tolist(), strict=True):
            self._push(a, b)

    def merge_down_to(self, target: int) -> None:
        """Merge until there are `target` regions, or nothing touches any more."""
        while self._alive > target and self._heap:
            _, a, b, version_a, version_b = heapq.heappop(self._heap)
            if (self._versions[a], self._versions[b]) != (version_a, version_b):
                continue
            if self._parents[a] == a and self._parents[b] == b:
                self._join(a, b)

    def regions(self) -> NDArray[np.int64]:
        """The region of each superpixel, numbered from 0."""
        roots = self._parents.copy()
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]
        return np.asarray(np.unique(roots, return_inverse=True)[1], np.int64)

    def _push(self, a: int, b: int) -> None:
        a, b = min(a, b), max(a, b)
        total, length = self._links[a][b]
        size = self._areas[a] * self._areas[b] / (self._areas[a] + self._areas[b]) / self._unit
        apart = float(np.sqrt(((self._features[a] - self._features[b]) ** 2).sum()))
        cost = (apart + EDGE_UNITS * total / length) * float(np.sqrt(min(size, SMALL)))
        heapq.heappush(self._heap, (cost, a, b, int(self._versions[a]), int(self._versions[b])))

    def _join(self, a: int, b: int) -> None:
        area = self._areas[a] + self._areas[b]
        self._features[a] = (self._features[a] * self._areas[a] + self._features[b] * self._areas[b]) / area
        self._areas[a], self._parents[b] = area, a
        self._versions[a] += 1
        self._alive -= 1
        for neighbour, (total, length) in self._links[b].items():
            if neighbour == a:
                continue
            self._links[neighbour].pop(b, None)
            own_total, own_length = self._links[a].get(neighbour, (0.0, 0.0))
            self._links[a][neighbour] = self._links[neighbour][a] = (own_total + total, own_length + length)
        self._links[a].pop(b, None)
        for neighbour in self._links[a]:
            self._push(a, neighbour)
