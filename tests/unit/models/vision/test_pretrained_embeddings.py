"""Pre-trained front-ends keep the shipped one's interface, come from safetensors only, and travel inside a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.contract import EngineError
from engines.registry import open_engine
from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import make_tick
from export.onnx import to_onnx
from export.parity import TOLERANCE, compare_runners
from models.vision.embedding import SIDE, soft_argmax
from models.vision.pretrained_embeddings import FRONT_ENDS, FrontEndConfig, PretrainedEmbedding, load_pretrained
from training.bundling import load_network, write_network

transformers = pytest.importorskip("transformers")

TINY = {
    "dinov2-small": {
        "model_type": "dinov2",
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 42,
        "patch_size": 14,
    },
    "vit-base": {
        "model_type": "vit",
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": 224,
        "patch_size": 56,
    },
    "resnet-18": {
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 12],
        "depths": [1, 1],
        "layer_type": "basic",
    },
}


def published(name: str, folder: Path) -> Path:
    """What a front-end's folder looks like when it was downloaded, with small random weights."""
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(**TINY[name]))
    model.save_pretrained(folder)
    return folder


def images(count: int = 2, side: int = 128) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", sorted(FRONT_ENDS))
def test_by_name_it_gives_what_the_shipped_network_gives(name: str, tmp_path: Path) -> None:
    network = load_pretrained(name, published(name, tmp_path)).eval()
    assert network.config.front_end == name
    with torch.no_grad():
        embedding = network(images())
    assert embedding.shape == (2, 128)
    assert torch.isfinite(embedding).all()
    assert float(embedding[:, :64].abs().max()) <= 1.0
    tick = make_tick("embedding", network)
    assert compare_runners(tick, OnnxRunner(to_onnx(tick)), ticks=5)["output"] <= TOLERANCE


def test_only_the_reading_learns(tmp_path: Path) -> None:
    network = load_pretrained("resnet-18", published("resnet-18", tmp_path)).train()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    network(images()).sum().backward()
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    assert all(value.equal(before[name]) for name, value in network.backbone.state_dict().items())
    assert network.heat.weight.grad is not None


def test_a_bundle_holds_all_of_it_and_says_its_name(tmp_path: Path) -> None:
    network = load_pretrained("dinov2-small", published("dinov2-small", tmp_path / "hub")).eval()
    write_network(tmp_path / "bundle", "embedding", network, {"command": "none"})
    again = load_network(tmp_path / "bundle", "embedding")
    assert isinstance(again, PretrainedEmbedding)
    assert again.config.front_end == "dinov2-small"
    with torch.no_grad():
        torch.testing.assert_close(again(images()), network(images()), atol=2e-2, rtol=2e-2)  # half precision on disk
    engine = open_engine("embedding", bundle=str(tmp_path / "bundle"), backend="torch")
    assert engine.step(image=images(1, SIDE)[0].numpy())["embedding"].shape == (128,)


def test_a_pickle_an_unknown_name_and_an_empty_folder_are_one_line(tmp_path: Path) -> None:
    folder = published("resnet-18", tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    for name, source in (("resnet-18", folder), ("resnet-18", tmp_path / "none"), ("resnet-19", folder)):
        with pytest.raises(ValueError, match="--front-end") as caught:
            load_pretrained(name, source)
        assert "\n" not in str(caught.value)


def test_a_translator_refuses_another_front_end_than_its_own(tmp_path: Path) -> None:
    from models.translation.translator import Translator, TranslatorConfig
    from models.vision.embedding import VisualEmbedding

    write_network(tmp_path, "embedding", VisualEmbedding(), {"command": "none"})
    write_network(tmp_path, "translator", Translator(TranslatorConfig(dim=8, heads=1, layers=1)), {"command": "none"})
    open_engine("translator", bundle=str(tmp_path), backend="torch")
    write_network(tmp_path, "embedding", VisualEmbedding(), {"command": "another"})
    with pytest.raises(EngineError, match="trained with another embedding"):
        open_engine("translator", bundle=str(tmp_path), backend="torch")


def test_places_are_where_the_heat_is() -> None:
    heat = torch.full((1, 2, 8, 8), -20.0)
    heat[0, 0, 0, 7] = heat[0, 1, 7, 0] = 20.0
    x0, x1, y0, y1 = soft_argmax(heat)[0].tolist()
    assert (x0, y0) == pytest.approx((0.875, -0.875))
    assert (x1, y1) == pytest.approx((-0.875, 0.875))


def test_its_configuration_survives_a_manifest() -> None:
    config = FrontEndConfig("vit-base", TINY["vit-base"], 224)
    assert FrontEndConfig.from_dict(config.as_dict()) == config
