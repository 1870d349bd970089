"""A backbone's ONNX file is a front-end: read as ONNX Runtime reads it, and bundled and exported as any other."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from engines.contract import EngineError
from engines.registry import open_engine
from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import make_tick
from export.onnx import to_onnx
from export.parity import TOLERANCE, compare_runners
from models.vision.embedding import SIDE
from models.vision.pretrained_embeddings import PretrainedEmbedding
from training.adopt.onnx_front_end import from_onnx
from training.bundling import load_network, write_network
from training.train import main

TINY: dict[str, dict[str, Any]] = {
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1], "layer_type": "basic"},
    "mobilenet_v2": {"depth_multiplier": 0.25, "finegrained_output": False},
    "convnext": {"num_stages": 2, "hidden_sizes": [8, 12], "depths": [1, 1]},
    "vit": {
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": 64,
        "patch_size": 16,
    },
    "dinov2": {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 56, "patch_size": 14},
}
"""The architectures that are published as ONNX files most, small."""
SIDES = {"dinov2": 56}


class Features(nn.Module):
    """A Transformers backbone, as it is exported."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.backbone(pixel_values=pixels).last_hidden_state
        return found


def backbone(kind: str) -> nn.Module:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **TINY[kind])
    model = AutoModel.from_config(config, attn_implementation="eager").eval()
    for name, value in model.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
    return Features(model)


def published(folder: Path, kind: str, *, free: bool = False, **manifest: Any) -> Path:
    """A backbone's ONNX file, with its manifest beside it."""
    file, side = folder / "backbone.onnx", SIDES.get(kind, 64)
    data: Any = io.BytesIO()
    axes = {"pixels": {0: "batch"}, "features": {0: "batch"}} if free else {}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            backbone(kind),
            (torch.rand(1, 3, side, side),),
            data,
            input_names=["pixels"],
            output_names=["features"],
            opset_version=17,
            dynamic_axes=axes,
            dynamo=False,
        )
    file.write_bytes(data.getvalue())
    if manifest:
        file.with_suffix(".json").write_text(json.dumps(manifest))
    return file


def images(count: int, side: int = SIDE) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


@torch.no_grad()
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("kind", sorted(TINY))
def test_it_sees_what_the_original_sees(kind: str, free: bool, tmp_path: Path) -> None:
    network = from_onnx(published(tmp_path, kind, free=free)).eval()
    assert (network.config.front_end, network.config.side) == ("onnx", SIDES.get(kind, 64))
    pictures = torch.randn(3, 3, network.config.side, network.config.side)
    want = backbone(kind)(pictures)
    assert float((network.backbone(pictures) - want).abs().max() / want.abs().max()) < 1e-4
    embedding = network(images(2))
    assert embedding.shape == (2, 128)
    assert float(embedding[:, :64].abs().max()) <= 1.0
    tick = make_tick("embedding", network)
    assert compare_runners(tick, OnnxRunner(to_onnx(tick)), ticks=3)["output"] <= TOLERANCE


@torch.no_grad()
def test_the_range_and_the_order_of_its_manifest(tmp_path: Path) -> None:
    file = published(tmp_path, "resnet", mean=[0.5, 0.4, 0.3], spread=[0.2, 0.3, 0.4], bgr=True)
    network = from_onnx(file).eval()
    told: list[torch.Tensor] = []
    network.backbone.register_forward_pre_hook(lambda module, given: told.append(given[0]))
    image = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    image[..., 0], image[..., 2] = 255, 51  # blue, red
    network(image)
    blue, green, red = told[0][0, :, 0, 0].tolist()
    assert (blue, green, red) == pytest.approx(((1 - 0.3) / 0.4, -0.4 / 0.3, (0.2 - 0.5) / 0.2))


def test_a_bundle_holds_all_of_it(tmp_path: Path) -> None:
    file = published(tmp_path, "resnet")
    network = from_onnx(file).eval()
    write_network(tmp_path / "bundle", "embedding", network, {"command": "none"}, exact=True)
    file.unlink()
    again = load_network(tmp_path / "bundle", "embedding")
    assert isinstance(again, PretrainedEmbedding)
    with torch.no_grad():
        torch.testing.assert_close(again(images(2)), network(images(2)))
    engine = open_engine("embedding", bundle=str(tmp_path / "bundle"), backend="torch")
    assert engine.step(image=images(1)[0].numpy())["embedding"].shape == (128,)


def test_its_reading_is_trained_by_the_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = published(tmp_path, "resnet"), tmp_path / "bundle"
    asked = ["embedding", "--front-end", "onnx", "--front-end-weights", str(file), "--out", str(out)]
    assert main([*asked, "--work", str(tmp_path / "runs"), "--steps", "2", "--clips", "10"]) == 0
    before, after = from_onnx(file), load_network(out, "embedding")
    assert isinstance(after, PretrainedEmbedding)
    kept = after.backbone.state_dict()
    assert all(torch.allclose(kept[name], value, atol=2e-3) for name, value in before.backbone.state_dict().items())
    assert not after.heat.weight.equal(before.heat.weight)
    entry = json.loads((out / "manifest.json").read_text())["networks"]["embedding"]
    assert entry["config"]["front_end"] == "onnx"
    assert "errors" in entry["training"]
    assert main([*asked[:4], str(tmp_path / "none.onnx"), *asked[5:]]) == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("cut", "it is no ONNX file"),
        ("field", "see docs/bundles.md"),
        ("spread", "spread none of 0"),
        ("output", "has no value 'nothing'; the last ones are"),
        ("pooled", "no map; name another in the manifest"),
        ("side", "not square, or of no known size"),
        ("operator", "operator LSTM is not known here"),
    ],
)
def test_what_is_wrong_is_one_line(case: str, words: str, tmp_path: Path) -> None:
    file = published(tmp_path, "resnet")
    manifests: dict[str, dict[str, Any]] = {
        "field": {"widht": 3},
        "spread": {"spread": [0, 1, 1]},
        "output": {"output": "nothing"},
        "side": {"side": 100},
    }
    manifest = manifests.get(case, {})
    file.with_suffix(".json").write_text(json.dumps(manifest))
    import onnx

    if case == "cut":
        file.write_bytes(file.read_bytes()[:200])
    elif case == "pooled":
        model = onnx.load(str(file))
        model.graph.node.append(onnx.helper.make_node("Flatten", ["features"], ["flat"]))
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info("flat", onnx.TensorProto.FLOAT, None))
        onnx.save(model, str(file))
    elif case == "operator":
        model = onnx.load(str(file))
        model.graph.node[-1].op_type = "LSTM"
        onnx.save(model, str(file))
    with pytest.raises(ValueError, match="--front-end-weights") as caught:
        from_onnx(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bundle_with_an_unknown_operator_is_refused(tmp_path: Path) -> None:
    network = from_onnx(published(tmp_path, "resnet"))
    write_network(tmp_path, "embedding", network, {"command": "none"})
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["networks"]["embedding"]["config"]["backbone"]["nodes"][0][0] = "Loop"
    path.write_text(json.dumps(manifest))
    with pytest.raises(EngineError, match="operator Loop is not known here"):
        open_engine("embedding", bundle=str(tmp_path), backend="torch")
