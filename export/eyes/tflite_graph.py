"""Reads a TFLite file into plain values: tensors with their constants in single precision, operations with options."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from engines.contract import EngineError

Constant = NDArray[Any]

OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": (
        "Conv2DOptions",
        ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "MAX_POOL_2D": (
        "Pool2DOptions",
        ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "AVERAGE_POOL_2D": (
        "Pool2DOptions",
        ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", ("AlignCorners", "HalfPixelCenters")),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "KeepNumDims")),
}
"""Operation -> its table of options in TFLite's schema, and the fields of it that are read."""

CUSTOM_OPTIONS: dict[str, tuple[str, ...]] = {"Convolution2DTransposeBias": ("Padding", "StrideW", "StrideH")}
"""MediaPipe's own operations -> their options, 32-bit integers in this order."""

_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.INT64: np.int64,
    tflite.TensorType.UINT8: np.uint8,
    tflite.TensorType.INT8: np.int8,
}
_INDEX_TABLES = {
    tflite.SparseIndexVector.Int32Vector: "Int32Vector",
    tflite.SparseIndexVector.Uint16Vector: "Uint16Vector",
    tflite.SparseIndexVector.Uint8Vector: "Uint8Vector",
}


@dataclass(frozen=True)
class Operation:
    """One operation of a graph.

    Attributes:
        kind: TFLite's name of it, as "CONV_2D", or that of one which is no part of TFLite.
        inputs: numbers of the tensors it reads; -1 for an optional one that is left out.
        output: number of the tensor it writes.
        options: its options by their names in TFLite's schema.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: dict[str, Any]


@dataclass(frozen=True)
class TfliteGraph:
    """A graph of operations over numbered tensors.

    Attributes:
        shapes: of the tensors; images are [N, H, W, C].
        constants: tensor number -> value; half precision is widened to float32 and sparse tensors are dense.
        operations: in the order of computation, without those that only unpack constants.
        inputs: tensor numbers.
        outputs: tensor numbers.
    """

    shapes: tuple[tuple[int, ...], ...]
    constants: dict[int, Constant]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(data: bytes) -> TfliteGraph:
    """Read the first graph of a TFLite file.

    Raises:
        EngineError: when it is no TFLite file, or holds a type of tensor that is not known here.
    """
    if not tflite.Model.ModelBufferHasIdentifier(data, 0):
        raise EngineError("not a TFLite file (its identifier is not TFL3); fetch it again")
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    shapes = tuple(tuple(int(side) for side in _vector(tensor.ShapeAsNumpy())) for tensor in tensors)
    constants: dict[int, Constant] = {}
    for index, tensor in enumerate(tensors):
        stored = _stored(model, tensor)
        if stored is not None:
            constants[index] = stored if tensor.Sparsity() is not None else stored.reshape(shapes[index])
    operations = []
    for index in range(graph.OperatorsLength()):
        operation = _operation(model, graph.Operators(index))
        source = operation.inputs[0]
        if operation.kind == "DENSIFY" and source in constants:
            constants[operation.output] = densify(sparse_layout(tensors[source]), constants[source])
        elif operation.kind == "DEQUANTIZE" and source in constants:
            constants[operation.output] = _widened(tensors[source], constants[source])
        else:
            operations.append(operation)
    inputs, outputs = (tuple(int(i) for i in ends) for ends in (graph.InputsAsNumpy(), graph.OutputsAsNumpy()))
    return TfliteGraph(shapes, constants, tuple(operations), inputs, outputs)


def _vector(found: Any) -> Constant:
    """A vector of the file; TFLite's reader gives 0 for one that is not there."""
    return found if isinstance(found, np.ndarray) else np.zeros(0, np.int32)


def _stored(model: Any, tensor: Any) -> Constant | None:
    """What the file holds of a tensor, flat; None where it is computed."""
    data = _vector(model.Buffers(tensor.Buffer()).DataAsNumpy())
    if data.size == 0:
        return None
    if tensor.Type() not in _TYPES:
        raise EngineError(f"tensor {tensor.Name()!r} has type {tensor.Type()}, which is not known here")
    return np.frombuffer(data.tobytes(), _TYPES[tensor.Type()])


def _operation(model: Any, operator: Any) -> Operation:
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = _NAMES.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
    options: dict[str, Any] = {}
    if kind == "CUSTOM":
        kind = (code.CustomCode() or b"").decode("utf-8", "replace")
        names, values = CUSTOM_OPTIONS.get(kind, ()), _vector(operator.CustomOptionsAsNumpy()).tobytes()
        if len(values) >= 4 * len(names):
            options = dict(zip(names, struct.unpack_from(f"<{len(names)}i", values), strict=True))
    if kind in OPTIONS:
        table, fields = OPTIONS[kind]
        reader = getattr(tflite, table)()
        union = operator.BuiltinOptions()
        if union is not None:
            reader.Init(union.Bytes, union.Pos)
            options = {field: getattr(reader, field)() for field in fields}
    inputs = tuple(int(index) for index in _vector(operator.InputsAsNumpy()))
    return Operation(kind, inputs, int(operator.OutputsAsNumpy()[0]), options)


def _widened(tensor: Any, value: Constant) -> Constant:
    """A constant in single precision.

    Raises:
        EngineError: for integers, whose scale would be needed.
    """
    if value.dtype != np.float16:
        raise EngineError(f"tensor {tensor.Name()!r} is quantized to {value.dtype}; only half precision is read")
    return value.astype(np.float32)


@dataclass(frozen=True)
class SparseLayout:
    """How the values of a sparse tensor lie in the file: TFLite's tree of levels, the outermost first.

    Attributes:
        shape: of the dense tensor.
        order: for each level the dimension that it goes through; from `len(shape)` on, a block's inner dimensions.
        blocks: for each of a block's inner dimensions the dimension of the tensor that it divides.
        levels: for each level its size where it is dense, else its (segments, indices).
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    blocks: tuple[int, ...]
    levels: tuple[int | tuple[Constant, Constant], ...]


def sparse_layout(tensor: Any) -> SparseLayout:
    """The layout of a sparse tensor."""
    sparsity = tensor.Sparsity()
    levels: list[int | tuple[Constant, Constant]] = []
    for index in range(sparsity.DimMetadataLength()):
        level = sparsity.DimMetadata(index)
        if level.Format() == tflite.DimensionType.DENSE:
            levels.append(int(level.DenseSize()))
        else:
            segments = _indices(level.ArraySegmentsType(), level.ArraySegments())
            levels.append((segments, _indices(level.ArrayIndicesType(), level.ArrayIndices())))
    return SparseLayout(
        tuple(int(side) for side in tensor.ShapeAsNumpy()),
        tuple(int(dim) for dim in sparsity.TraversalOrderAsNumpy()),
        tuple(int(dim) for dim in _vector(sparsity.BlockMapAsNumpy())),
        tuple(levels),
    )


def _indices(kind: int, union: Any) -> Constant:
    reader = getattr(tflite, _INDEX_TABLES[kind])()
    reader.Init(union.Bytes, union.Pos)
    return _vector(reader.ValuesAsNumpy()).astype(np.int64)


def densify(layout: SparseLayout, values: Constant) -> Constant:
    """The dense tensor of a sparse one's values.

    Args:
        layout: how they lie.
        values: those that the file holds, flat.

    Returns:
        The tensor in `layout.shape`, with zeros where the file holds nothing.
    """
    place = np.zeros(1, np.int64)  # of each entry so far, among the entries of its level
    coordinates: list[Constant] = []
    for level in layout.levels:
        if isinstance(level, int):
            counts = np.full(place.size, level)
            first = place * level
        else:
            segments = level[0]
            counts = segments[place + 1] - segments[place]
            first = segments[place]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        place = np.repeat(first, counts) + within
        coordinates = [np.repeat(axis, counts) for axis in coordinates]
        coordinates.append(within if isinstance(level, int) else level[1][place])
    rank = len(layout.shape)
    along = dict(zip(layout.order, coordinates, strict=True))
    sizes = dict(zip(layout.order, layout.levels, strict=True))
    target = [along[dim] for dim in range(rank)]
    for inner, dim in enumerate(layout.blocks):
        size = sizes[rank + inner]
        assert isinstance(size, int)
        target[dim] = target[dim] * size + along[rank + inner]
    dense = np.zeros(layout.shape, values.dtype)
    dense[tuple(target)] = values[place]
    return dense
