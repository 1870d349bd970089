"""A flow network of any layout says what its own code says, in the frame's pixels, wherever the frame lies in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.contract import EngineError
from engines.flow.layout import LAYOUTS, FlowLayout, fit_of, layout_from, prepare_frames, read_flow
from engines.flow.network import NetworkFlow
from engines.registry import open_engine
from tests.flows import PARAMETERS, RaftSmall, Says, Together, to_onnx
from training.bundling import write_ready


def frames(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    previous, current = (chance.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2))
    return previous, current


def as_tensor(frame: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()


@pytest.fixture(scope="module")
def raft() -> tuple[RaftSmall, bytes]:
    torch.manual_seed(0)
    network = RaftSmall(rounds=2).eval()
    example = torch.rand(1, 3, 128, 136) * 255
    return network, to_onnx(network, example, example, fixed=True)


@torch.no_grad()
def test_raft_small_in_full_size(raft: tuple[RaftSmall, bytes]) -> None:
    network, data = raft
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS
    previous, current = frames(125, 133)
    found = NetworkFlow(data, LAYOUTS["raft"]).step(previous=previous, current=current)["flow"]
    # As its authors' padder has it: the edges go on, half of what lacks before and the rest behind.
    given = [
        torch.nn.functional.pad(as_tensor(one[..., ::-1]), (1, 2, 1, 2), mode="replicate")
        for one in (previous, current)
    ]
    want = network(*given)[0, :, 1:126, 1:134].numpy()
    assert found.shape == (2, 125, 133)
    assert np.abs(found - want).max() / np.abs(want).max() < 1e-4


@torch.no_grad()
def test_fastflownets_inputs_and_outputs() -> None:
    """As its authors' demo has it: stretched to a multiple of 64, mean of the pair off, and twentieths at a quarter."""
    torch.manual_seed(0)
    network = Together().eval()
    data = to_onnx(network, torch.rand(1, 6, 64, 128))
    previous, current = frames(60, 100)
    found = NetworkFlow(data, LAYOUTS["fastflownet"]).step(previous=previous, current=current)["flow"]
    stretch: dict[str, Any] = {"mode": "bilinear", "align_corners": False}
    pair = [
        torch.nn.functional.interpolate(as_tensor(one) / 255.0, size=(64, 128), **stretch)
        for one in (previous, current)
    ]
    mean = torch.cat(pair, 2).mean((2, 3), keepdim=True)
    said = network(torch.cat([one - mean for one in pair], 1))
    enlarged = torch.nn.functional.interpolate(20.0 * said, size=(64, 128), **stretch)
    flow = torch.nn.functional.interpolate(enlarged, size=(60, 100), **stretch)[0].numpy()
    flow[0] *= 100 / 128
    flow[1] *= 60 / 64
    # OpenCV stretches bytes to bytes, and torch floats: half a step of 255.
    assert np.abs(found - flow).max() < 0.02 * np.abs(flow).max()


@pytest.mark.parametrize("unit", ["input", "output"])
@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_order_scale_and_place_of_an_exact_network(fit: str, unit: str) -> None:
    """Red of the frame before is the flow to the right, green of the present one that downwards, at a quarter."""
    data = to_onnx(Says(0, 1, 4), *[torch.rand(1, 3, 64, 64)] * 2)
    layout = FlowLayout(multiple=32, fit=fit, scale=0.5, unit=unit)
    previous, current = np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50, 3), np.uint8)
    previous[..., 2], current[..., 1] = 64, 32
    flow = NetworkFlow(data, layout).step(previous=previous, current=current)["flow"]
    across, down = 64 * 0.5, 32 * 0.5
    if unit == "output":
        across, down = across * 4, down * 4
    if fit == "stretch":  # to 64 x 64
        across, down = across * 50 / 64, down * 40 / 64
    assert flow.shape == (2, 40, 50)
    np.testing.assert_allclose(flow[0], across, rtol=1e-5)
    np.testing.assert_allclose(flow[1], down, rtol=1e-5)


def test_the_order_of_the_colours_and_the_range() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[..., 0], frame[..., 2] = 255, 51  # blue, red
    for name, red, blue in (("raft", 51.0, 255.0), ("raft-torchvision", -0.6, 1.0)):
        (first, _), _ = prepare_frames(LAYOUTS[name], frame, frame)
        assert (float(first[0, 0, 0, 0]), float(first[0, 2, 0, 0])) == pytest.approx((red, blue))
    (first, _), _ = prepare_frames(LAYOUTS["neuflow-unit"], frame, frame)
    assert (float(first[0, 0, 0, 0]), float(first[0, 2, 0, 0])) == pytest.approx((1.0, 0.2))
    (first, _), _ = prepare_frames(FlowLayout(divide=255.0, mean=(0.2, 0, 0), spread=(0.5, 1, 1)), frame, frame)
    assert float(first[0, 0, 0, 0]) == pytest.approx(0.0)
    (both,), _ = prepare_frames(LAYOUTS["fastflownet"], frame, frame)
    assert both.shape == (1, 6, 64, 64)
    assert np.abs(both).max() == pytest.approx(0.0, abs=1e-4)
    (grey, _), _ = prepare_frames(FlowLayout(colour="grey"), frame, frame[..., 0])
    assert grey.shape == (1, 1, 8, 8)


def test_edges_go_on_where_it_is_padded() -> None:
    frame = np.arange(25, dtype=np.uint8).reshape(5, 5)
    (first, _), fit = prepare_frames(FlowLayout(), frame, frame)
    assert fit.corner == (1, 1)
    assert first.shape == (1, 3, 8, 8)
    np.testing.assert_array_equal(first[0, 0, 1:6, 1:6], frame)
    assert first[0, 0, 0, 0] == frame[0, 0]
    assert first[0, 0, 7, 7] == frame[4, 4]
    assert fit_of(FlowLayout(size=(4 * 8, 16)), (20, 20)).corner is None, "what is larger than the size is stretched"


def test_a_file_fixed_to_a_size_says_so(raft: tuple[RaftSmall, bytes]) -> None:
    assert NetworkFlow(raft[1], LAYOUTS["raft"]).layout.size == (128, 136)
    assert NetworkFlow(to_onnx(Says(0, 1, 1), *[torch.rand(1, 3, 8, 8)] * 2), LAYOUTS["raft"]).layout.size is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "JSON object"),
        ({"color": "rgb"}, "has no 'color'"),
        ({"colour": "rbg"}, "colour is one of rgb, bgr, grey"),
        ({"mean": [0.5]}, "mean has a number for each channel"),
        ({"spread": [1, 0, 1]}, "are not 0"),
        ({"multiple": 0}, "at least 1"),
        ({"size": [100, 100]}, "multiples of multiple"),
        ({"scale": "much"}, "not right"),
        ({"divide": float("nan")}, "finite"),
    ],
)
def test_a_manifest_that_is_wrong_is_one_line(values: object, words: str) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        layout_from(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_layouts_survive_json(name: str) -> None:
    assert layout_from(json.loads(json.dumps(LAYOUTS[name].as_dict()))) == LAYOUTS[name]


def test_another_network_is_refused() -> None:
    two = to_onnx(Says(0, 1, 1), *[torch.rand(1, 3, 8, 8)] * 2)
    for data, layout, words in (
        (b"no onnx", LAYOUTS["raft"], "ONNX Runtime does not accept it"),
        (two, LAYOUTS["fastflownet"], "it has 2 inputs"),
        (two, FlowLayout(colour="grey"), r"\[1, 1, H, W\]"),
        (two, FlowLayout(output=3), "no output number 3"),
    ):
        with pytest.raises(EngineError, match=words) as caught:
            NetworkFlow(data, layout)
        assert "\n" not in str(caught.value)
    with pytest.raises(EngineError, match="not \\[1, 2, H, W\\]"):
        read_flow(FlowLayout(), np.zeros((1, 3, 8, 8), np.float32), fit_of(FlowLayout(), (8, 8)))


def test_a_bundle_with_one_opens_it_and_one_without_has_the_cpus(tmp_path: Path) -> None:
    write_ready(tmp_path, "flow", {"flow.onnx": to_onnx(Says(0, 1, 1), *[torch.rand(1, 3, 8, 8)] * 2)}, {}, {})
    opened = open_engine("flow", bundle=str(tmp_path))
    assert (opened.spec.runtime, opened.spec.config["colour"]) == ("onnxruntime", True)
    assert open_engine("flow", bundle=str(tmp_path), backend="opencv").spec.runtime == "opencv"
    assert open_engine("flow", backend="onnxruntime").spec.runtime == "opencv"
    file = tmp_path / "flow.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(EngineError, match="hash does not match"):
        open_engine("flow", bundle=str(tmp_path))
