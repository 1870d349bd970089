"""The visual network learns where things are, and an interruption changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.embedding import EmbeddingConfig, VisualEmbedding
from training.embedding import KIND_COLUMNS, EmbeddingTraining, Facts, errors_of

SMALL = EmbeddingConfig(points=4, dim=16, widths=(4, 4, 8, 8, 8))


def scenes(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A bright square somewhere: pictures and facts, all of whose positions are the square's."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (count, 128, 128, 3), dtype=np.uint8)
    from training.embedding import LABEL_NAMES

    facts = np.zeros((count, len(LABEL_NAMES)), np.float32)
    for row in range(count):
        x, y = rng.integers(10, 110, 2)
        images[row, y : y + 10, x : x + 10] = 255
        facts[row] = (x + y) / 256
        facts[row, KIND_COLUMNS] = 0
        facts[row, KIND_COLUMNS[0]] = 1
    return images, facts


def test_an_interrupted_training_goes_on_to_the_same_loss(tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = EmbeddingTraining(50, Facts(VisualEmbedding(SMALL)), *scenes())
    for _ in range(2):
        one.advance()
    one.save(tmp_path / "e.safetensors")
    straight = [one.advance() for _ in range(2)]
    two = EmbeddingTraining(50, Facts(VisualEmbedding(SMALL)), *scenes())
    two.load(tmp_path / "e.safetensors")
    assert [two.advance() for _ in range(2)] == straight


def test_errors_stand_beside_the_simplest_answers() -> None:
    torch.manual_seed(2)
    training = EmbeddingTraining(50, Facts(VisualEmbedding(SMALL)), *scenes())
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

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(facts[: image.shape[0]])

    assert errors_of(Knows(), images[:60], facts)["position_error_sides"] == 0.0
