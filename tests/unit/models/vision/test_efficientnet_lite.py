"""EfficientNet-Lite0 with folded batch norms answers as its published form does."""

from __future__ import annotations

import pytest
import torch

from models.vision.efficientnet_lite import LITE0, EfficientNetLite, fold_batch_norm, load_published, same_padding
from tests.parity.eye_checkpoints import TINY, checkpoint, reference_odds


def test_the_odd_pixel_of_a_stride_is_padded_after_the_picture() -> None:
    assert same_padding(224, 3, 2) == (0, 1)
    assert same_padding(112, 5, 2) == (1, 2)
    assert same_padding(7, 3, 1) == (1, 1)
    assert same_padding(7, 3, 2) == (1, 1)
    assert same_padding(9, 1, 2) == (0, 0)


@pytest.mark.parametrize("side", [32, 37])
def test_a_folded_network_answers_as_the_published_form(side: int) -> None:
    published = checkpoint(TINY, 1)
    network = EfficientNetLite(TINY).eval()
    load_published(network, published)
    image = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(2)) * 2 - 1
    image[1] = 0.3 + 0.1 * image[1]
    with torch.no_grad():
        odds = network(image)
    torch.testing.assert_close(odds, reference_odds(published, TINY, image), atol=1e-5, rtol=1e-4)
    assert odds.shape == (2, 10)
    assert float((odds[0] - odds[1]).abs().max()) > 1e-3, "it looks at the picture"


def test_lite0_has_the_published_shape() -> None:
    network = EfficientNetLite()
    load_published(network, checkpoint(LITE0))
    assert len(network.blocks) == 16
    published = sum(value.numel() for name, value in checkpoint(LITE0).items() if name.endswith((".weight", ".bias")))
    assert published == 4_652_008, "Lite0's number of trained parameters"
    with torch.no_grad():
        odds = network.eval()(torch.zeros(1, 3, 224, 224))
    assert odds.shape == (1, 1000)
    assert float(odds.sum()) == pytest.approx(1.0, abs=1e-5)


def test_weights_that_do_not_fit_are_refused() -> None:
    published = checkpoint(TINY)
    with pytest.raises(KeyError, match="_fc"):
        load_published(EfficientNetLite(TINY), {name: value for name, value in published.items() if "_fc" not in name})
    with pytest.raises(ValueError, match="has no place for: _other"):
        load_published(EfficientNetLite(TINY), published | {"_other.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="_fc is"):
        load_published(EfficientNetLite(TINY), published | {"_fc.weight": torch.zeros(3, 8)})


def test_a_batch_norm_is_folded_with_its_own_epsilon() -> None:
    ones = torch.ones(1)
    norm = {"weight": 2 * ones, "bias": 3 * ones, "running_mean": 0.5 * ones, "running_var": 0 * ones}
    weight, bias = fold_batch_norm(torch.ones(1, 1, 1, 1), norm)
    assert float(weight) == pytest.approx(2 / 1e-3**0.5, rel=1e-5)
    assert float(bias) == pytest.approx(3 - 0.5 * 2 / 1e-3**0.5, rel=1e-5)
