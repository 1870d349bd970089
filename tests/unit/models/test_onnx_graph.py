"""Every operator says what ONNX Runtime says, in the forms that published backbones use."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from models.onnx_graph import OnnxGraph
from training.adopt.onnx_front_end import graph_of

X = np.random.default_rng(0).standard_normal((2, 4, 9, 7)).astype(np.float32)
INTS = {"two": [2, 4, 63], "zero": [0, 0, -1], "minus": -1, "cut": [1], "end": [1 << 40], "axis": [3], "step": [2]}
FLOATS = {"weight": (6, 4, 3, 3), "deep": (4, 1, 3, 3), "bias": (6,), "row": (7,), "gemm": (5, 7), "slope": (4, 1, 1)}


def node(name: str, *inputs: str, **attributes: Any) -> Any:
    return helper.make_node(name, ["x", *inputs], ["y"], **attributes)


CASES = [
    *(
        node(name)
        for name in ("Relu", "Sigmoid", "Tanh", "Exp", "Erf", "Neg", "Abs", "HardSwish", "Identity", "Dropout")
    ),
    *(node("Conv", "weight", "bias", auto_pad=auto, strides=[2, 2]) for auto in ("SAME_UPPER", "SAME_LOWER")),
    node("Conv", "weight", pads=[0, 1, 2, 1], dilations=[2, 1]),
    node("Conv", "deep", group=4, pads=[1, 1, 1, 1]),
    node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    *(node(name) for name in ("GlobalAveragePool", "Flatten", "Shape", "Transpose")),
    node("Transpose", perm=[0, 2, 3, 1]),
    node("LayerNormalization", "row", epsilon=1e-6),
    node("Clip", "low", "high"),
    node("Clip", "", "high"),
    *(node(name, alpha=0.3) for name in ("LeakyRelu", "Elu", "HardSigmoid")),
    node("PRelu", "slope"),
    node("Softmax", axis=1),
    node("ReduceMean", axes=[1, 3], keepdims=0),
    node("ReduceSum", "axis"),
    node("Reshape", "two"),
    node("Reshape", "zero"),
    node("Slice", "cut", "end", "axis", "step"),
    node("Gather", "minus", axis=1),
    node("Gather", "cut", axis=2),
    node("Unsqueeze", "axis"),
    node("Pad", "pads", "low"),
    node("Pad", "pads", mode="reflect"),
    node("Pad", "pads", mode="edge"),
    node("Pow", "twice"),
    *(node(name, "row") for name in ("Add", "Sub", "Mul", "Div")),
    node("Concat", "x", axis=2),
    node("Resize", "", "larger", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    node("Resize", "", "", "sizes", mode="linear", coordinate_transformation_mode="align_corners"),
    node("Resize", "", "", "sizes", mode="cubic", cubic_coeff_a=-0.75),
    node("Cast", to=TensorProto.FLOAT),
]


def model_of(last: Any, *before: Any) -> Any:
    chance = np.random.default_rng(1)
    tensors: dict[str, Any] = {name: chance.standard_normal(shape).astype(np.float32) for name, shape in FLOATS.items()}
    tensors |= {name: np.array(values, np.int64) for name, values in INTS.items()}
    tensors |= {"low": np.float32(-0.5), "high": np.float32(0.7), "twice": np.float32(2.0)}
    tensors |= {"larger": np.array([1, 1, 2, 3], np.float32), "sizes": np.array([2, 4, 5, 12], np.int64)}
    tensors["pads"] = np.array([0, 0, 1, 2, 0, 0, 3, 0], np.int64)
    used = {name for one in (*before, last) for name in one.input}
    graph = helper.make_graph(
        [*before, last],
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4, 9, 7])],
        [helper.make_empty_tensor_value_info(last.output[0])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items() if name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def assert_the_same(model: Any) -> None:
    want = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": X})[0]
    described, tensors = graph_of(model)
    network = OnnxGraph(described)
    for own, values in zip(network.weights, tensors, strict=True):
        own.copy_(torch.from_numpy(values))
    found = np.asarray(network(torch.from_numpy(X)))
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("last", CASES, ids=lambda one: one.op_type)
def test_an_operator(last: Any) -> None:
    assert_the_same(model_of(last))


def test_a_shape_that_is_computed() -> None:
    """As torch exports `flatten(2)` with a batch that is not fixed."""
    before = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "nought"], ["one"]),
        helper.make_node("Concat", ["one", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["flat"]),
    ]
    model = model_of(helper.make_node("Identity", ["flat"], ["y"]), *before)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in (("first", 0), ("nought", [0]), ("rest", [4, -1]))
    )
    assert_the_same(model)


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="operator Loop is not known"):
        OnnxGraph({"nodes": [["Loop", [], [], {}]], "tensors": [], "integers": {}})


def test_a_graph_for_one_picture_is_run_for_each() -> None:
    model = model_of(node("Reshape", "two"))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([1, 4, 63]), "two"))
    network = OnnxGraph(graph_of(model)[0])
    np.testing.assert_array_equal(network(torch.from_numpy(X)).numpy(), X.reshape(2, 4, 63))
