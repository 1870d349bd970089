"""How much each superpixel stands out from what meets the picture's border (Zhu et al. 2014, robust background)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import spsolve

from streaming.scenes.making.cuts.superpixels import SuperpixelGraph

SAME_LAB = 3.0
"""Colours that are no further apart are one, on the way from superpixel to superpixel."""
PATH_LAB = 7.0
"""How far two superpixels may be apart along the easiest path to count as one region."""
NEAR = 0.25
"""Within so many longer sides a superpixel's contrast with others counts."""


def find_saliency(graph: SuperpixelGraph) -> NDArray[np.float64]:
    """How much each superpixel stands out: float64 [K], 0 (background) to 1.

    A superpixel is background as far as the region of its colour runs along the picture's border. The contrast with
    background makes the others salient, and neighbours of one colour are made alike.
    """
    background = 1 - np.exp(-(_border_share(graph) ** 2) / 2)
    size = max(graph.labels.shape)
    colours = np.linalg.norm(graph.colours[:, None] - graph.colours[None], axis=-1)
    places = np.linalg.norm(graph.centres[:, None] - graph.centres[None], axis=-1) / size
    weight = np.exp(-(places**2) / (2 * NEAR**2)) * background[None] * (graph.areas / graph.areas.mean())[None]
    contrast = _stretched((colours * weight).sum(1))
    alike = np.exp(-(graph.steps() ** 2) / (2 * 8.0**2)) + 0.05
    links = symmetric(graph, alike)
    system = sparse.diags(np.asarray(links.sum(1)).ravel() + 5 * background + contrast) - links
    return _stretched(spsolve(system.tocsc(), contrast))


def symmetric(graph: SuperpixelGraph, weights: NDArray[np.float64]) -> sparse.csr_matrix:
    """A weight for each two superpixels that touch as a symmetric matrix [K, K]."""
    rows, columns = np.r_[graph.one, graph.other], np.r_[graph.other, graph.one]
    return sparse.coo_matrix((np.r_[weights, weights], (rows, columns)), (graph.count, graph.count)).tocsr()


def _border_share(graph: SuperpixelGraph) -> NDArray[np.float64]:
    """Each region's length along the border of the picture, over the square root of its area."""
    labels = graph.labels
    border = np.unique(np.r_[labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    steps = np.maximum(0.0, graph.steps() - SAME_LAB) + 1e-6
    way = csgraph.shortest_path(symmetric(graph, steps), directed=False)
    same = np.exp(-(way**2) / (2 * PATH_LAB**2))
    share: NDArray[np.float64] = same[:, border].sum(1) / np.sqrt(same.sum(1))
    return share


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    stretched: NDArray[np.float64] = (values - values.min()) / (np.ptp(values) + 1e-9)
    return stretched
