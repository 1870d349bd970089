"""Superpixels keep to the edges, saliency finds what stands out, merging leaves the regions of a picture."""

from __future__ import annotations

import numpy as np

from streaming.scenes.making.cuts.region_merging import find_cut_vectors, merge_regions
from streaming.scenes.making.cuts.saliency import find_saliency
from streaming.scenes.making.cuts.superpixels import find_superpixels, to_lab
from tests.unit.streaming.scenes.making.pictures import disc_picture


def test_superpixels_are_of_one_side_of_an_edge_and_know_their_neighbours() -> None:
    image, truth = disc_picture()
    graph = find_superpixels(to_lab(image), 300)
    assert 150 < graph.count < 450
    assert graph.areas.sum() == truth.size
    inside = np.bincount(graph.labels.ravel(), truth.ravel(), graph.count) / graph.areas
    assert (np.minimum(inside, 1 - inside) * graph.areas).sum() < 0.01 * truth.size
    assert (graph.one < graph.other).all()
    crosses = (inside[graph.one] > 0.5) != (inside[graph.other] > 0.5)
    assert graph.edge[crosses].min() > 3 * np.median(graph.edge[~crosses])


def test_what_stands_out_is_salient_and_the_ground_is_not() -> None:
    image, truth = disc_picture()
    graph = find_superpixels(to_lab(image), 300)
    saliency = find_saliency(graph)[graph.labels]
    assert saliency[truth].mean() > 0.8
    assert saliency[~truth].mean() < 0.1


def test_merging_down_to_two_leaves_the_thing_and_the_ground() -> None:
    image, truth = disc_picture()
    graph = find_superpixels(to_lab(image), 300)
    many, two = merge_regions(graph, find_cut_vectors(graph), (2, 9))
    assert many.max() + 1 == 9
    assert two.max() + 1 == 2
    regions = two[graph.labels]
    assert max((regions == 0)[truth].mean(), (regions == 1)[truth].mean()) > 0.95
    assert (regions[truth].mean() > 0.5) != (regions[~truth].mean() > 0.5)
