"""The visual front-end: its points are the performer's, and what it tells of the instrument no camera changes."""

from __future__ import annotations

import math

import pytest
import torch

from models.vision.embedding import (
    PLAYING_POINTS,
    POINTS,
    REFINED_POINTS,
    RELATIONS,
    EmbeddingConfig,
    VisualEmbedding,
    instrument_coordinates,
    soft_argmax,
)
from models.vision.point_refiner import crop_windows
from performers.performer import LABEL_NAMES
from streaming.conventions import EMBEDDING_DIM

COUNT = 16


def places(generator: torch.Generator) -> torch.Tensor:
    """Random points of a picture [1, COUNT, 2], the instrument not too short."""
    points = torch.rand(1, COUNT, 2, generator=generator) * 1.6 - 0.8
    points[:, POINTS.index("low_end")] = torch.tensor([-0.4, 0.2])
    points[:, POINTS.index("high_end")] = torch.tensor([0.5, 0.1])
    return points


def told(points: torch.Tensor) -> torch.Tensor:
    return instrument_coordinates(torch.cat([points[..., 0], points[..., 1]], -1))


def test_its_points_are_those_that_a_performer_labels() -> None:
    assert [f"{name}_{axis}" for name in POINTS for axis in "xy"] == list(LABEL_NAMES[: 2 * len(POINTS)])


def test_an_embedding_is_places_what_and_relations() -> None:
    torch.manual_seed(0)
    network = VisualEmbedding().eval()
    image = torch.randint(0, 255, (2, 256, 256, 3), dtype=torch.uint8)
    seen, heat, begun, near = network.look(image)
    assert begun is None
    assert near is None
    assert seen.shape == (2, EMBEDDING_DIM)
    found = soft_argmax(heat)
    assert seen[:, : found.shape[1]].equal(found)
    assert seen[:, -RELATIONS:].equal(instrument_coordinates(found))
    assert EmbeddingConfig().dim == EMBEDDING_DIM


@pytest.mark.parametrize(("turn", "scale", "away"), [(0.5, 1.0, (0, 0)), (0, 0.4, (0, 0)), (-1.2, 0.7, (0.1, -0.2))])
def test_no_camera_changes_what_is_told_of_the_instrument(turn: float, scale: float, away: tuple[float, float]) -> None:
    points = places(torch.Generator().manual_seed(1))
    cos, sin = scale * math.cos(turn), scale * math.sin(turn)
    moved = points @ torch.tensor([[cos, sin], [-sin, cos]]) + torch.tensor(away)
    torch.testing.assert_close(told(moved), told(points), rtol=1e-4, atol=1e-4)


def test_a_hand_half_way_along_is_half_way_along() -> None:
    points = places(torch.Generator().manual_seed(2))
    low, high = points[:, POINTS.index("low_end")], points[:, POINTS.index("high_end")]
    points[:, POINTS.index("left_tip")] = 0.5 * (low + high)
    points[:, POINTS.index("right_tip")] = high
    points[:, POINTS.index("frog")] = low
    said = told(points)[0]
    assert said.shape == (RELATIONS,)
    along = {name: said[2 * index : 2 * index + 2].tolist() for index, name in enumerate(PLAYING_POINTS)}
    assert along["left_tip"] == pytest.approx([0.5, 0.0], abs=1e-6)
    assert along["right_tip"] == pytest.approx([1.0, 0.0], abs=1e-6)
    assert said[-2:].tolist() == pytest.approx([1.0, 0.0], abs=1e-6), "the bow lies along it"


def test_an_instrument_of_no_length_gives_numbers() -> None:
    said = instrument_coordinates(torch.zeros(1, 2 * COUNT))
    assert bool(torch.isfinite(said).all())
    assert float(said.abs().max()) <= 3.0


def test_a_second_look_moves_only_its_points_and_at_first_none() -> None:
    torch.manual_seed(1)
    config = EmbeddingConfig(points=16, dim=64, widths=(4, 4, 8, 8, 8), window=32)
    network = VisualEmbedding(config).eval()
    image = torch.randint(0, 255, (2, 256, 256, 3), dtype=torch.uint8)
    first = soft_argmax(network.look(image).heat)
    # As long as it sees nothing it answers with the middle of a window, which lies where a cell of the first does.
    assert float((network(image)[:, :32] - first).abs().max().detach()) <= 4 / 256 + 1e-6
    assert network.closer is not None
    torch.nn.init.normal_(network.closer.heat, std=3.0)
    looks = network.look(image)
    away = (looks.embedding[:, :32] - first).view(2, 2, 16)
    closer = [POINTS.index(name) for name in REFINED_POINTS]
    others = [index for index in range(16) if index not in closer]
    assert not away[..., others].any()
    assert bool((away[..., closer].abs() > 1e-6).all())
    assert float(away.detach().abs().max()) < 32 / 256
    assert looks.begun is not None
    assert looks.begun.shape == (2, len(REFINED_POINTS), 2)
    assert looks.near is not None
    assert looks.near.shape == (2, len(REFINED_POINTS), 16, 16)


def test_a_window_shows_what_is_there() -> None:
    pictures = torch.arange(2 * 3 * 64 * 64).view(2, 3, 64, 64)
    found = crop_windows(pictures, torch.tensor([[[40, 12], [55, -3]], [[0, 0], [30, 30]]]), 16)
    assert found.shape == (4, 3, 16, 16)
    assert found[0].equal(pictures[0, :, 12:28, 40:56])
    assert found[3].equal(pictures[1, :, 30:46, 30:46])
    assert found[1, :, 3:, :9].equal(pictures[0, :, :13, 55:64])
    assert bool((found[1, :, 5, 9:] == pictures[0, :, 2, 63:]).all()), "beyond the edge the edge goes on"
