"""The visual network learns where things are, and an interruption changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.vision.embedding import POINTS, REFINED_POINTS, EmbeddingConfig, VisualEmbedding
from performers.kinds import KINDS
from performers.performer import LABEL_NAMES
from training.networks.embedding import (
    KIND_COLUMNS,
    PITCH_COLUMN,
    PITCHES,
    PLACE_COLUMNS,
    EmbeddingTraining,
    EmbeddingWithHeads,
    FramePredictions,
    add_point_refiner,
    errors_of,
    heatmap_loss,
    label_loss,
    pitch_of,
    vary_camera,
)

SMALL = EmbeddingConfig(points=16, dim=48, widths=(4, 4, 8, 8, 8, 8))


def scenes(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A bright square somewhere: pictures and facts, all of whose positions are the square's."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (count, 96, 128, 3), dtype=np.uint8)
    facts = np.zeros((count, len(LABEL_NAMES)), np.float32)
    for row in range(count):
        x, y = rng.integers(10, 80, 2)
        images[row, y : y + 10, x : x + 10] = 255
        facts[row] = (x + y) / 256
        facts[row, KIND_COLUMNS] = 0
        facts[row, KIND_COLUMNS[0]] = 1
    return images, facts


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = EmbeddingTraining(50, EmbeddingWithHeads(VisualEmbedding(SMALL)), *scenes())
    for _ in range(2):
        one.advance()
    one.save(tmp_path / "e.safetensors")
    straight = [one.advance() for _ in range(2)]
    two = EmbeddingTraining(50, EmbeddingWithHeads(VisualEmbedding(SMALL)), *scenes())
    two.load(tmp_path / "e.safetensors")
    assert [two.advance() for _ in range(2)] == straight


def test_errors_stand_beside_the_simplest_answers() -> None:
    torch.manual_seed(2)
    training = EmbeddingTraining(50, EmbeddingWithHeads(VisualEmbedding(SMALL)), *scenes())
    before = {name: value.clone() for name, value in training.module.state_dict().items()}
    figures = training.test()
    assert figures["position_error_sides_of_mean"] > 0
    assert figures["n_images"] == 6
    assert all(value.equal(before[name]) for name, value in training.module.state_dict().items()), "it trains on"
    images, facts = scenes()

    class Knows(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, image: torch.Tensor) -> FramePredictions:
            rows = torch.from_numpy(facts[: image.shape[0]])
            pitch = torch.zeros(len(rows), PITCHES)
            pitch[torch.arange(len(rows)), pitch_of(rows)] = 1.0
            return FramePredictions(rows[:, PLACE_COLUMNS], rows[:, KIND_COLUMNS], pitch)

    figures = errors_of(Knows(), images[:30], facts[:30])
    assert figures["position_error_sides"] == 0.0
    assert figures["kind_accuracy"] == 1.0
    assert figures["strings_pitch_right"] == 1.0 > figures["strings_pitch_right_commonest"]


def test_pitch_classes_are_those_of_the_notes() -> None:
    facts = torch.zeros(3, len(LABEL_NAMES))
    for row, (kind, place) in enumerate((("strings", 0.5), ("drums", 0.0), ("air", 1.0))):
        facts[row, LABEL_NAMES.index(f"is_{kind}")] = 1.0
        facts[row, LABEL_NAMES.index("pitch")] = place
    assert pitch_of(facts).tolist() == [round(55 + 14.5) - 36, -1, 81 - 36]


def test_points_are_read_as_places_from_the_start() -> None:
    network = VisualEmbedding(SMALL)
    reading = EmbeddingWithHeads(network)
    image = torch.randint(0, 255, (2, 256, 256, 3), dtype=torch.uint8)
    points = network.eval()(image)[:, : 2 * SMALL.points].view(2, 2, SMALL.points)
    wanted = 0.5 + 0.5 * points[:, :, : len(PLACE_COLUMNS) // 2].transpose(1, 2).flatten(1)
    assert reading(image).places.allclose(wanted, atol=1e-6)


def test_a_map_is_best_where_its_place_is_and_what_is_outside_counts_not() -> None:
    row, column = torch.arange(16)[:, None], torch.arange(16)
    heat = (-0.8 * ((row - 4) ** 2 + (column - 10) ** 2)).float().expand(1, 2, 16, 16)
    at = torch.tensor([[10.5 / 16, 4.5 / 16, 1.0, 0.3]])
    aside = torch.tensor([[4.5 / 16, 10.5 / 16, 1.0, 0.3]])
    assert heatmap_loss(heat, at) < 3.0 < 30.0 < heatmap_loss(heat, aside)
    assert heatmap_loss(heat, at) == heatmap_loss(torch.cat([heat[:, :1], torch.randn(1, 1, 16, 16)], 1), at)


def test_a_moved_picture_takes_its_places_with_it() -> None:
    """A bright square's middle is where its facts say, before and after; what was outside stays at the edge."""
    rng = np.random.default_rng(5)
    images = np.zeros((20, 192, 256, 3), np.uint8)
    facts = np.zeros((20, len(LABEL_NAMES)), np.float32)
    for index in range(20):
        x, y = rng.integers(90, 160), rng.integers(70, 120)
        images[index, y - 3 : y + 4, x - 3 : x + 4] = 255
        facts[index, PLACE_COLUMNS] = np.tile([(x + 0.5) / 256, (y + 0.5 + 32) / 256], len(PLACE_COLUMNS) // 2)
    facts[:, PLACE_COLUMNS[2]] = 1.0
    pictures, rows = vary_camera(rng, images, facts)
    assert (rows[:, PLACE_COLUMNS[2]] == 1.0).all()
    assert (rows[:, PLACE_COLUMNS[3]] == facts[:, PLACE_COLUMNS[3]]).all(), "with both of its coordinates"
    assert np.abs(rows[:, PLACE_COLUMNS[0]] - facts[:, PLACE_COLUMNS[0]]).max() > 0.02, "the camera is another"
    for picture, row in zip(pictures, rows, strict=True):
        y, x = (axis.mean() for axis in np.nonzero(picture[:, :, 0] > 127))
        assert abs((x + 0.5) / 256 - row[PLACE_COLUMNS[0]]) < 0.003
        assert abs((y + 0.5 + 32) / 256 - row[PLACE_COLUMNS[1]]) < 0.003


def test_blocks_that_were_put_in_change_nothing_before_they_are_trained() -> None:
    torch.manual_seed(3)
    network = VisualEmbedding(SMALL)
    image = torch.randint(0, 255, (2, 256, 256, 3), dtype=torch.uint8)
    before = network.eval()(image)
    for block in (*network.deeper, *network.again):
        for parameter in getattr(block, "block", torch.nn.Identity()).parameters():
            torch.nn.init.normal_(parameter)
    assert network(image).equal(before)


def test_a_second_look_is_put_into_a_trained_network_and_only_it_learns() -> None:
    torch.manual_seed(4)
    once = VisualEmbedding(SMALL).eval()
    image = torch.randint(0, 255, (2, 256, 256, 3), dtype=torch.uint8)
    twice = add_point_refiner(once)
    assert float((twice.eval()(image) - once(image))[:, :32].abs().max().detach()) < 4 / 256 + 1e-6
    before = {name: value.clone() for name, value in twice.state_dict().items()}
    training = EmbeddingTraining(50, EmbeddingWithHeads(twice), *scenes())
    for _ in range(2):
        training.advance()
    changed = {name for name, value in twice.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert all(name.startswith("closer.") for name in changed)


def test_a_map_of_a_window_is_best_where_the_point_is_in_it() -> None:
    count = len(POINTS)
    want = torch.zeros(1, len(LABEL_NAMES))
    want[:, PLACE_COLUMNS] = 0.5
    want[:, PLACE_COLUMNS[2 * POINTS.index("frog")]] = 0.51
    want[:, KIND_COLUMNS] = torch.eye(len(KIND_COLUMNS))[KINDS.index("keys")]
    want[:, PITCH_COLUMN] = 0.5
    begun = torch.zeros(1, len(REFINED_POINTS), 2)
    places, kind, pitch = want[:, PLACE_COLUMNS], torch.zeros(1, len(KIND_COLUMNS)), torch.zeros(1, PITCHES)
    heat = torch.zeros(1, count, 64, 64)
    losses = []
    for column in range(16):
        near = torch.zeros(1, len(REFINED_POINTS), 16, 16)
        near[0, REFINED_POINTS.index("frog"), 8, column] = 9.0
        losses.append(float(label_loss(FramePredictions(places, kind, pitch, heat, begun, near), want)))
    # 2.56 pixels to the right of the window's middle, in cells of two pixels.
    assert int(np.argmin(losses)) == 9
