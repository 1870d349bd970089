"""The converter, operation by operation, on tiny TFLite files against plain numpy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import tflite
from numpy.typing import NDArray

from engines.contract import EngineError
from export.eyes.converter import convert, same_padding
from export.eyes.tflite_graph import SparseLayout, densify, read_graph
from tests.tflite_files import TfliteFile

Floats = NDArray[np.float32]
NONE, RELU, RELU6 = (getattr(tflite.ActivationFunctionType, name) for name in ("NONE", "RELU", "RELU6"))
ONCE = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}


def random(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(data: bytes, image: Floats, output: int = 0) -> Floats:
    """What the converted file gives for an image [1, H, W, C]."""
    session = ort.InferenceSession(convert(data, {"out": output}), providers=["CPUExecutionProvider"])
    found: Floats = session.run(["out"], {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0]
    return found


def convolve(image: Floats, weight: Floats, stride: int, pads: tuple[tuple[int, int], tuple[int, int]]) -> Floats:
    """Plain convolution of [1, H, W, C] with [out, H, W, in]."""
    padded = np.pad(image[0], (*pads, (0, 0)))
    _, height, width, _ = weight.shape
    rows = range(0, padded.shape[0] - height + 1, stride)
    columns = range(0, padded.shape[1] - width + 1, stride)
    out = [[np.tensordot(weight, padded[y : y + height, x : x + width], 3) for x in columns] for y in rows]
    return np.asarray(out, np.float32)[None]


@pytest.mark.parametrize(
    ("padding", "stride", "side"), [("SAME", 1, 5), ("SAME", 2, 6), ("SAME", 2, 5), ("VALID", 2, 7)]
)
def test_a_convolution_is_padded_as_tflite_pads(padding: str, stride: int, side: int) -> None:
    image, weight, bias = random(1, side, side, 2), random(4, 3, 3, 2, seed=1), random(4, seed=2)
    pads = same_padding(side, 3, stride, 1) if padding == "SAME" else (0, 0)
    wanted = convolve(image, weight, stride, (pads, pads)) + bias
    file = TfliteFile(image.shape)
    options = ONCE | {"Padding": getattr(tflite.Padding, padding), "StrideH": stride, "StrideW": stride}
    constants = file.constant(weight), file.constant(bias)
    made = file.operation("CONV_2D", (0, *constants), wanted.shape, **options, FusedActivationFunction=RELU)
    np.testing.assert_allclose(run(file.data(made), image), np.maximum(wanted, 0), atol=1e-5)


def test_a_stride_of_two_leaves_the_odd_pixel_of_the_padding_to_the_end() -> None:
    assert same_padding(224, 3, 2, 1) == (0, 1)
    assert same_padding(5, 3, 2, 1) == (1, 1)
    assert same_padding(5, 3, 1, 2) == (2, 2)


def test_a_depthwise_convolution_keeps_its_channels_apart() -> None:
    image, weight = random(1, 4, 4, 3), random(1, 3, 3, 3, seed=1)
    single = [convolve(image[..., c : c + 1], weight[..., c : c + 1], 1, ((1, 1), (1, 1))) for c in range(3)]
    wanted = np.clip(np.concatenate(single, -1), 0, 6)
    file = TfliteFile(image.shape)
    options = ONCE | {"Padding": tflite.Padding.SAME, "FusedActivationFunction": RELU6}
    made = file.operation("DEPTHWISE_CONV_2D", (0, file.constant(weight)), wanted.shape, **options)
    np.testing.assert_allclose(run(file.data(made), image), wanted, atol=1e-5)


def test_prelu_has_a_slope_for_each_channel_also_above_one() -> None:
    image, slope = random(1, 3, 3, 4), np.array([0.0, 0.25, -0.5, 3.5], np.float32)
    file = TfliteFile(image.shape)
    made = file.operation("PRELU", (0, file.constant(slope.reshape(1, 1, 4))), image.shape)
    np.testing.assert_allclose(run(file.data(made), image), np.where(image > 0, image, image * slope), atol=1e-6)


def test_padding_and_pooling_and_adding() -> None:
    image = random(1, 4, 6, 2)
    file = TfliteFile(image.shape)
    padded = file.operation(
        "PAD", (0, file.constant(np.array([[0, 0], [1, 0], [0, 2], [0, 1]], np.int32))), (1, 5, 8, 3)
    )
    size = {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 2, "StrideW": 2, "Padding": tflite.Padding.SAME}
    pooled = file.operation("MAX_POOL_2D", (padded,), (1, 3, 4, 3), **size, FusedActivationFunction=NONE)
    made = file.operation("ADD", (pooled, pooled), (1, 3, 4, 3), FusedActivationFunction=NONE)
    full = np.pad(image, ((0, 0), (1, 0), (0, 2), (0, 1)))
    full = np.pad(full, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=-np.inf)
    wanted = full.reshape(1, 3, 2, 4, 2, 3).max((2, 4))
    np.testing.assert_allclose(run(file.data(made), image), 2 * wanted, atol=1e-6)


def test_channels_are_weighed_by_their_mean() -> None:
    """Squeeze and excite: pool the whole picture, multiply."""
    image = random(1, 4, 6, 2)
    file = TfliteFile(image.shape)
    size = {"FilterHeight": 4, "FilterWidth": 6, "StrideH": 4, "StrideW": 6, "Padding": tflite.Padding.VALID}
    mean = file.operation("AVERAGE_POOL_2D", (0,), (1, 1, 1, 2), **size, FusedActivationFunction=NONE)
    weight = file.operation("HARD_SWISH", (mean,), (1, 1, 1, 2))
    made = file.operation("MUL", (0, weight), image.shape, FusedActivationFunction=NONE)
    means = image.mean((1, 2), keepdims=True)
    wanted = image * means * np.clip(means + 3, 0, 6) / 6
    np.testing.assert_allclose(run(file.data(made), image), wanted, atol=1e-6)


def test_a_transposed_convolution_spreads_each_pixel_and_adds_its_bias() -> None:
    image, weight, bias = random(1, 3, 4, 5), random(2, 2, 2, 5, seed=1), random(2, seed=2)
    file = TfliteFile(image.shape)
    inputs = (0, file.constant(weight), file.constant(bias))
    made = file.operation("Convolution2DTransposeBias", inputs, (1, 6, 8, 2), Padding=1, StrideH=2, StrideW=2)
    spread = np.einsum("hwc,oyxc->hywxo", image[0], weight)
    np.testing.assert_allclose(run(file.data(made), image)[0], spread.reshape(6, 8, 2) + bias, atol=1e-5)


def test_a_transposed_convolution_whose_pixels_overlap_is_refused() -> None:
    file = TfliteFile((1, 3, 3, 1))
    inputs = (0, file.constant(random(1, 3, 3, 1)), file.constant(random(1)))
    made = file.operation("Convolution2DTransposeBias", inputs, (1, 6, 6, 1), Padding=1, StrideH=2, StrideW=2)
    with pytest.raises(EngineError, match="do not overlap"):
        convert(file.data(made), {"out": 0})


@pytest.mark.parametrize("half", [True, False])
def test_bilinear_resizing_puts_the_samples_where_tflite_does(half: bool) -> None:
    image = random(1, 4, 4, 2)
    file = TfliteFile(image.shape)
    size = file.constant(np.array([8, 8], np.int32))
    options = {"AlignCorners": False, "HalfPixelCenters": half}
    made = file.operation("RESIZE_BILINEAR", (0, size), (1, 8, 8, 2), **options)
    at = (np.arange(8) + 0.5) / 2 - 0.5 if half else np.arange(8) / 2
    rows = np.stack([np.stack([np.interp(at, np.arange(4), image[0, :, x, c]) for x in range(4)]) for c in range(2)])
    wanted = np.stack([np.stack([np.interp(at, np.arange(4), rows[c, :, y]) for y in range(8)]) for c in range(2)], -1)
    np.testing.assert_allclose(run(file.data(made), image)[0], wanted, atol=1e-5)


def test_depth_goes_to_space_row_by_row() -> None:
    image = random(1, 2, 3, 8)
    file = TfliteFile(image.shape)
    made = file.operation("DEPTH_TO_SPACE", (0,), (1, 4, 6, 2), BlockSize=2)
    wanted = image.reshape(2, 3, 2, 2, 2).transpose(0, 2, 1, 3, 4).reshape(1, 4, 6, 2)
    np.testing.assert_array_equal(run(file.data(made), image), wanted)


def test_reshapes_read_images_in_tflites_order() -> None:
    image = random(1, 2, 3, 4)
    file = TfliteFile(image.shape)
    flat = file.operation("RESHAPE", (0, file.constant(np.array([1, 12, 2], np.int32))), (1, 12, 2))
    twice = file.operation("CONCATENATION", (flat, flat), (1, 24, 2), Axis=1, FusedActivationFunction=NONE)
    back = file.operation("RESHAPE", (twice, file.constant(np.array([1, 4, 6, 2], np.int32))), (1, 4, 6, 2))
    made = file.operation("CONCATENATION", (back, back), (1, 4, 6, 4), Axis=-1, FusedActivationFunction=NONE)
    rows = image.reshape(1, 12, 2)
    wanted = np.concatenate([rows, rows], 1).reshape(1, 4, 6, 2)
    np.testing.assert_array_equal(run(file.data(made), image), np.concatenate([wanted, wanted], -1))


@pytest.mark.parametrize("keep", [True, False])
def test_a_head_of_mean_and_dense_layer_and_logistic(keep: bool) -> None:
    image, weight, bias = random(1, 4, 5, 3), random(2, 3, seed=1), random(2, seed=2)
    file = TfliteFile(image.shape)
    axes = file.constant(np.array([1, 2], np.int32))
    mean = file.operation("MEAN", (0, axes), (1, 1, 1, 3) if keep else (1, 3), KeepDims=keep)
    layer = (mean, file.constant(weight), file.constant(bias))
    dense = file.operation("FULLY_CONNECTED", layer, (1, 2), FusedActivationFunction=NONE)
    made = file.operation("LOGISTIC", (dense,), (1, 2))
    wanted = 1 / (1 + np.exp(-(image.mean((1, 2)) @ weight.T + bias)))
    np.testing.assert_allclose(run(file.data(made), image), wanted, atol=1e-6)


BLOCKS = SparseLayout((4, 1, 1, 4), (0, 1, 2, 3, 4), (0,), (2, 1, 1, (np.array([0, 2, 3]), np.array([0, 3, 1])), 2))
"""Of a matrix of 4 x 4 weights blocks of two rows: columns 0 and 3 of the upper ones, column 1 of the lower."""
DENSE = np.array([[1, 0, 0, 3], [2, 0, 0, 4], [0, 5, 0, 0], [0, 6, 0, 0]], np.float16)


def test_sparse_weights_of_half_precision_are_unpacked() -> None:
    image = random(1, 2, 2, 4)
    file = TfliteFile(image.shape)
    stored = file.constant(np.arange(1, 7, dtype=np.float16), BLOCKS)
    dense = file.operation("DENSIFY", (stored,), BLOCKS.shape)
    file.tensors[dense] = (BLOCKS.shape, None, "float16", None)
    weight = file.operation("DEQUANTIZE", (dense,), BLOCKS.shape)
    options = ONCE | {"Padding": tflite.Padding.SAME, "FusedActivationFunction": NONE}
    made = file.operation("CONV_2D", (0, weight), image.shape, **options)
    np.testing.assert_allclose(run(file.data(made), image), image @ DENSE.astype(np.float32).T, atol=1e-5)


def test_a_dense_layout_is_the_values_in_order() -> None:
    values = np.arange(6, dtype=np.float32)
    assert np.array_equal(densify(SparseLayout((2, 3), (1, 0), (), (3, 2)), values), values.reshape(3, 2).T)


def test_a_sparse_layout_finds_every_value_whatever_the_order() -> None:
    wanted = np.zeros((2, 3), np.float32)
    wanted[1, 0], wanted[0, 2], wanted[1, 2] = 1, 2, 3
    columns = SparseLayout((2, 3), (1, 0), (), (3, (np.array([0, 1, 1, 3]), np.array([1, 0, 1]))))
    assert np.array_equal(densify(columns, np.array([1, 2, 3], np.float32)), wanted)


def test_only_what_the_outputs_need_is_kept() -> None:
    file = TfliteFile((1, 2, 2, 1))
    first = file.operation("RELU", (0,), (1, 2, 2, 1))
    second = file.operation("LOGISTIC", (0,), (1, 2, 2, 1))
    data = file.data(first, second)
    kinds = {node.op_type for node in onnx.load_from_string(convert(data, {"out": 1})).graph.node}
    assert "Sigmoid" in kinds
    assert "Relu" not in kinds
    image = random(1, 2, 2, 1)
    np.testing.assert_allclose(run(data, image, 1), 1 / (1 + np.exp(-image)), atol=1e-6)


def test_converting_twice_gives_the_same_bytes() -> None:
    file = TfliteFile((1, 2, 2, 1))
    data = file.data(file.operation("RELU", (0,), (1, 2, 2, 1)))
    assert len({convert(data, {"out": 0}) for _ in range(2)}) == 1


def test_an_unknown_operation_is_named() -> None:
    file = TfliteFile((1, 2, 2, 1))
    data = file.data(file.operation("SOFTMAX", (0,), (1, 2, 2, 1)))
    with pytest.raises(EngineError, match="SOFTMAX"):
        convert(data, {"out": 0})


def test_weights_that_are_computed_are_refused() -> None:
    file = TfliteFile((1, 2, 2, 1))
    options: dict[str, Any] = ONCE | {"Padding": tflite.Padding.SAME, "FusedActivationFunction": NONE}
    data = file.data(file.operation("CONV_2D", (0, 0), (1, 2, 2, 1), **options))
    with pytest.raises(EngineError, match="needs a constant"):
        convert(data, {"out": 0})


@pytest.mark.parametrize("data", [b"", b"neither TFLite nor anything else"])
def test_what_is_no_tflite_file_is_refused(data: bytes) -> None:
    with pytest.raises(EngineError, match="not a TFLite file"):
        read_graph(data)


def test_integers_are_not_taken_for_weights() -> None:
    file = TfliteFile((1, 2, 2, 1))
    stored = file.constant(np.arange(4, dtype=np.int32).reshape(2, 2))
    data = file.data(file.operation("DEQUANTIZE", (stored,), (2, 2)))
    with pytest.raises(EngineError, match="quantized"):
        read_graph(data)


def test_every_level_order_of_a_dense_tensor_is_a_transposition() -> None:
    values = np.arange(24, dtype=np.float32)
    for order in itertools.permutations(range(3)):
        sizes = [(2, 3, 4)[dim] for dim in order]
        wanted = values.reshape(sizes).transpose(np.argsort(order))
        assert np.array_equal(densify(SparseLayout((2, 3, 4), order, (), tuple(sizes)), values), wanted)
