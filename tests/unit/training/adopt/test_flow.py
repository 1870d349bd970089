"""Adopting a flow network: its file under its hash, its layout, and what it reads of a known movement."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.artifacts import why_rebuilt
from engines.bundles import learned_networks
from engines.flow.opencv import DisFlow
from engines.registry import open_engine
from tests.flows import Says, to_onnx
from training.adopt.__main__ import main
from training.adopt.flow import SHIFT, measure_flow
from training.bundling import copy_missing_networks


class Knows(nn.Module):
    """Says the movement of the texture that adoption shows, in 20ths of a pixel."""

    def forward(self, previous: Tensor, current: Tensor) -> Tensor:
        said = torch.tensor(SHIFT).reshape(1, 2, 1, 1) / 20.0
        return (previous - current)[:, :2] * 0.0 + said


class Grey(DisFlow):
    """DIS, shown colours."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, np.ndarray]:
        return super().step(**{name: np.ascontiguousarray(np.asarray(one)[..., 1]) for name, one in inputs.items()})


def network(folder: Path, module: nn.Module, **manifest: object) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "network.onnx"
    file.write_bytes(to_onnx(module, *[torch.rand(1, 3, 64, 64)] * 2))
    if manifest:
        file.with_suffix(".json").write_text(json.dumps(manifest))
    return file


def test_with_its_manifest_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = network(tmp_path / "theirs", Knows(), name="mine", scale=20.0), tmp_path / "bundle"
    (tmp_path / "theirs" / "README.md").write_text("---\nlicense: mit\n---\n")
    assert main(["flow", str(file), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "licence mit" in said
    assert "moved by (6.0, -4.0) pixels is read as (6.0, -4.0)" in said
    assert "far off" not in said
    entry = json.loads((out / "manifest.json").read_text())["networks"]["flow"]
    assert entry["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert entry["training"] == {"adopted": "network.onnx", "licence": "mit"}
    assert entry["config"]["scale"] == 20.0
    file.unlink()
    frame = np.zeros((64, 64, 3), np.uint8)
    flow = open_engine("flow", bundle=str(out)).step(previous=frame, current=frame)["flow"]
    assert flow[:, 5, 5].tolist() == pytest.approx(SHIFT)
    assert learned_networks(out) == list(why_rebuilt(out, "onnxruntime")) == [], "nothing is to be exported from it"


def test_a_layout_that_is_not_the_files_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = network(tmp_path, Knows())
    asked = ["flow", str(file), "--layout", "raft", "--out", str(tmp_path / "b")]
    assert main(asked) == 2
    assert "--accept-licence" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    assert main([*asked, "--accept-licence"]) == 0
    assert "layout 'raft' may not fit this file" in capsys.readouterr().out


def test_the_texture_moves_as_it_is_said_to() -> None:
    assert measure_flow(Grey()) == pytest.approx(SHIFT, abs=0.2)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("none", "no such ONNX file"),
        ("manifest", "there is no such manifest; name a layout (raft, "),
        ("json", "the manifest cannot be read"),
        ("field", "has no 'sclae'"),
        ("inputs", "it has 2 inputs"),
        ("cut", "ONNX Runtime does not accept it"),
    ],
)
def test_what_is_wrong_is_one_line(case: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = network(tmp_path, Says(0, 1, 1))
    layout = ["--layout", {"inputs": "fastflownet", "cut": "raft"}.get(case, "")]
    if case == "none":
        file.unlink()
    elif case == "json":
        file.with_suffix(".json").write_text("{")
    elif case == "field":
        file.with_suffix(".json").write_text('{"sclae": 1}')
    elif case == "cut":
        file.write_bytes(file.read_bytes()[:500])
    assert main(["flow", str(file), *layout, "--out", str(tmp_path / "b"), "--accept-licence"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_it_goes_along_into_another_bundle(tmp_path: Path) -> None:
    file, out = network(tmp_path, Knows(), scale=20.0), tmp_path / "bundle"
    assert main(["flow", str(file), "--out", str(out), "--accept-licence"]) == 0
    assert copy_missing_networks(out, tmp_path / "other") == ["flow"]
    assert open_engine("flow", bundle=str(tmp_path / "other")).spec.runtime == "onnxruntime"
