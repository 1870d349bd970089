"""A picture unlike all known ones is "none of these", however sure a classifier would be."""

from __future__ import annotations

import torch
from torch import Tensor

from models.vision.kind_reader import KindReader, KindReaderConfig, KindTick


def embeddings(count: int, seed: int) -> Tensor:
    """Correlated embeddings of unequal spread."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(16, 16, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.2, 2.0, 16)
    return torch.randn(count, 16, generator=generator) @ mixing + 3.0


def reader() -> KindReader:
    torch.manual_seed(1)
    model = KindReader(KindReaderConfig(dim=16, hidden=8, kind_names=("a", "b"), odds=3))
    model.familiar(embeddings(4000, 1))
    return model.eval()


def test_distance_is_one_for_the_known_and_grows_with_strangeness() -> None:
    model, known = reader(), embeddings(500, 2)
    assert abs(float(model.distance(known).mean()) - 1.0) < 0.05
    far = model.mean + 3.0 * (known - model.mean)
    assert torch.allclose(model.distance(far), 3.0 * model.distance(known), rtol=1e-3)


def test_odds_sum_to_one_and_the_last_is_none_of_these() -> None:
    model = reader()
    model.limit.fill_(1.5)
    known, strange = embeddings(200, 3), model.mean + 4.0 * (embeddings(200, 4) - model.mean)
    with torch.no_grad():
        odds, far = model(known), model(strange)
    assert odds.shape == (200, 3)
    assert torch.allclose(odds.sum(-1), torch.ones(200))
    assert float((odds[:, -1] < 0.5).float().mean()) > 0.9
    assert float((far[:, -1] > 0.5).float().mean()) > 0.9


def test_a_tick_is_one_picture() -> None:
    model = reader()
    tick = KindTick(model)
    assert [(spec.name, spec.shape) for spec in tick.inputs] == [("embedding", (1, 16))]
    one = embeddings(1, 5)
    assert torch.equal(tick(one)[0], model(one))


def test_sizes_come_from_a_manifest() -> None:
    model = reader()
    again = KindReader.from_config(model.config.as_dict())
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(embeddings(3, 6)), model(embeddings(3, 6)))
