"""What sees in 8-bit integers sees nearly what it sees in single precision, and says that it is in 8 bits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.artifacts import artifact_entry, why_rebuilt
from engines.bundles import find_bundle
from engines.registry import open_engine
from engines.runtimes.torch_runtime import make_tick
from export.__main__ import main
from export.int8 import TOLERANCE, calibration_pictures, int8_parity, to_int8
from export.onnx import to_onnx
from models.tick_modules import TickModule
from training.bundling import load_network


@pytest.fixture(scope="module")
def tick() -> TickModule:
    return make_tick("embedding", load_network(find_bundle("default"), "embedding"))


@pytest.fixture(scope="module")
def small(tick: TickModule) -> bytes:
    return to_int8(tick, to_onnx(tick))


def test_it_is_smaller_and_sees_nearly_the_same(tick: TickModule, small: bytes) -> None:
    assert len(small) < 0.6 * len(to_onnx(tick))
    measured = int8_parity(tick, small)
    assert 1e-4 < measured["output"] <= TOLERANCE  # measured 0.028 of the spread over pictures


def test_a_worse_one_would_be_seen(tick: TickModule, small: bytes) -> None:
    with torch.no_grad():
        weight = next(tick.parameters())
        before = weight.clone()
        weight.mul_(torch.linspace(0.0, 2.0, weight.numel()).view_as(weight))
    try:
        assert int8_parity(tick, small)["output"] > TOLERANCE
    finally:
        with torch.no_grad():
            weight.copy_(before)


def test_the_pictures_that_it_is_made_with_are_varied() -> None:
    pictures = np.concatenate(list(calibration_pictures(3, 10, 64)))
    assert pictures.shape == (10, 64, 64, 3)
    assert pictures.mean((1, 2, 3)).std() > 5.0


def test_a_bundle_is_exported_in_it_and_back(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(find_bundle("default"), folder, ignore=shutil.ignore_patterns("artifacts"))
    assert main([str(folder), "--precision", "int8"]) == 0
    assert why_rebuilt(folder, "onnxruntime") == {}
    assert why_rebuilt(folder, "onnxruntime", "int8") == {}
    assert list(why_rebuilt(folder, "onnxruntime", "fp32")) == ["embedding"]
    entry = artifact_entry(folder, "onnxruntime", "embedding")
    assert entry is not None
    assert entry["precision"] == "int8"
    assert open_engine("embedding", bundle=str(folder), backend="onnxruntime").spec.precision == "int8"
    assert open_engine("decoder", bundle=str(folder), backend="onnxruntime").spec.precision == "fp32"
    # What is there is kept unless another is asked for.
    assert main([str(folder), "--if-needed"]) == 0
    assert why_rebuilt(folder, "onnxruntime", "int8") == {}
    assert main([str(folder), "--if-needed", "--precision", "fp32"]) == 0
    assert why_rebuilt(folder, "onnxruntime", "fp32") == {}
