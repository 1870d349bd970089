"""Converts a TFLite graph to ONNX: images in [N, C, H, W], batch of one, single precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

from engines.contract import EngineError
from export.eyes.tflite_graph import Constant, Operation, TfliteGraph, read_graph

OPSET, IR_VERSION = 18, 9
INPUT = "image"
_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
_AXIS = (0, 2, 3, 1)
"""Axis of an image in TFLite -> in ONNX."""
_IS_IMAGE = 4
"""Tensors of this rank are images."""


def convert(data: bytes, outputs: Mapping[str, int]) -> bytes:
    """Convert a TFLite file to ONNX; what the wanted outputs do not need is left out.

    Args:
        data: the TFLite file; one image in, float32 [1, H, W, 3].
        outputs: name in the ONNX file -> number among the file's outputs.

    Returns:
        The ONNX file. Its input is `image`, float32 [1, 3, H, W]; outputs have TFLite's shapes and order of axes.

    Raises:
        EngineError: for an operation that is not known here.
    """
    return bytes(_Converter(read_graph(data)).model(outputs).SerializeToString())


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TFLite's SAME padding along one axis: (before, after)."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class _Converter:
    def __init__(self, graph: TfliteGraph) -> None:
        self._graph = graph
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._handlers: dict[str, Callable[[Operation], None]] = {
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._conv,
            "Convolution2DTransposeBias": self._transposed_conv,
            "MAX_POOL_2D": self._pool("MaxPool"),
            "AVERAGE_POOL_2D": self._pool("AveragePool"),
            "ADD": self._elementwise("Add"),
            "MUL": self._elementwise("Mul"),
            "PRELU": self._prelu,
            "RELU": self._unary("Relu"),
            "LOGISTIC": self._unary("Sigmoid"),
            "HARD_SWISH": self._unary("HardSwish"),
            "PAD": self._pad,
            "RESIZE_BILINEAR": self._resize,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "RESHAPE": self._reshape,
            "CONCATENATION": self._concatenate,
            "MEAN": self._mean,
            "FULLY_CONNECTED": self._fully_connected,
        }

    def model(self, outputs: Mapping[str, int]) -> Any:
        """The ONNX model with some of the graph's outputs."""
        graph = self._graph
        for operation in graph.operations:
            if operation.kind not in self._handlers:
                raise EngineError(f"the TFLite operation {operation.kind} is not known to the converter")
            self._handlers[operation.kind](operation)
        ends = []
        for name, number in outputs.items():
            tensor = graph.outputs[number]
            shape = graph.shapes[tensor]
            if len(shape) == _IS_IMAGE:
                self._node("Transpose", [_name(tensor)], name, perm=_TO_NHWC)
            else:
                self._node("Identity", [_name(tensor)], name)
            ends.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        batch, height, width, channels = graph.shapes[graph.inputs[0]]
        begin = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, channels, height, width])
        nodes, initializers = self._needed(set(outputs))
        made = helper.make_graph(nodes, "eyes", [begin], ends, initializers)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION, producer_name="antiphon")
        onnx.checker.check_model(model, full_check=True)
        return model

    def _needed(self, names: set[str]) -> tuple[list[Any], list[Any]]:
        """The nodes and constants that some outputs depend on."""
        nodes = []
        for node in reversed(self._nodes):
            if names & set(node.output):
                nodes.append(node)
                names |= set(node.input)
        return nodes[::-1], [constant for constant in self._initializers if constant.name in names]

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, value: Any) -> str:
        name = f"constant{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _value(self, tensor: int) -> str:
        """The name of an operand: a computed tensor's, or that of a constant in ONNX's order of axes."""
        constant = self._graph.constants.get(tensor)
        if constant is None:
            return INPUT if tensor == self._graph.inputs[0] else _name(tensor)
        return self._constant(constant.transpose(_TO_NCHW) if constant.ndim == _IS_IMAGE else constant)

    def _need(self, tensor: int) -> Constant:
        """A constant operand.

        Raises:
            EngineError: when it is computed.
        """
        if tensor not in self._graph.constants:
            raise EngineError(f"tensor {tensor} is computed, where the converter needs a constant")
        return self._graph.constants[tensor]

    def _activated(self, operation: Operation, kind: str, inputs: list[str], **attributes: Any) -> None:
        """A node, and after it the activation that the operation is fused with."""
        output = _name(operation.output)
        code = operation.options.get("FusedActivationFunction", tflite.ActivationFunctionType.NONE)
        if code == tflite.ActivationFunctionType.NONE:
            self._node(kind, inputs, output, **attributes)
            return
        before = self._node(kind, inputs, f"{output}.linear", **attributes)
        if code == tflite.ActivationFunctionType.RELU:
            self._node("Relu", [before], output)
        elif code == tflite.ActivationFunctionType.RELU6:
            limits = [self._constant(np.float32(limit)) for limit in (0, 6)]
            self._node("Clip", [before, *limits], output)
        else:
            raise EngineError(f"{operation.kind} is fused with activation {code}, which is not known here")

    def _unary(self, kind: str) -> Callable[[Operation], None]:
        return lambda operation: self._activated(operation, kind, [self._value(operation.inputs[0])])

    def _padding(self, operation: Operation, kernel: tuple[int, int]) -> list[int]:
        options = operation.options
        if options["Padding"] == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        _, height, width, _ = self._graph.shapes[operation.inputs[0]]
        top, bottom = same_padding(height, kernel[0], options["StrideH"], options.get("DilationHFactor", 1))
        left, right = same_padding(width, kernel[1], options["StrideW"], options.get("DilationWFactor", 1))
        return [top, left, bottom, right]

    def _conv(self, operation: Operation) -> None:
        weight = self._need(operation.inputs[1])
        channels = self._graph.shapes[operation.inputs[0]][3]
        if operation.kind == "CONV_2D":  # [out, H, W, in]
            weight, group = weight.transpose(0, 3, 1, 2), channels // weight.shape[3]
        else:  # [1, H, W, out]
            weight, group = weight.transpose(3, 0, 1, 2), channels
        kernel = (weight.shape[2], weight.shape[3])
        inputs = [self._value(operation.inputs[0]), self._constant(weight)]
        if len(operation.inputs) > 2 and operation.inputs[2] >= 0:
            inputs.append(self._constant(self._need(operation.inputs[2])))
        options = operation.options
        self._activated(
            operation,
            "Conv",
            inputs,
            kernel_shape=kernel,
            group=group,
            strides=[options["StrideH"], options["StrideW"]],
            dilations=[options["DilationHFactor"], options["DilationWFactor"]],
            pads=self._padding(operation, kernel),
        )

    def _transposed_conv(self, operation: Operation) -> None:
        """MediaPipe's transposed convolution with a bias; its weights are [out, H, W, in]."""
        weight, options = self._need(operation.inputs[1]).transpose(3, 0, 1, 2), operation.options
        kernel = (weight.shape[2], weight.shape[3])
        if kernel != (options["StrideH"], options["StrideW"]):
            raise EngineError("a transposed convolution is converted where its pixels do not overlap, stride as kernel")
        inputs = [self._value(operation.inputs[0]), self._constant(weight)]
        inputs.append(self._constant(self._need(operation.inputs[2])))
        self._activated(operation, "ConvTranspose", inputs, kernel_shape=kernel, strides=kernel)

    def _pool(self, kind: str) -> Callable[[Operation], None]:
        def pool(operation: Operation) -> None:
            options = operation.options
            kernel = (options["FilterHeight"], options["FilterWidth"])
            strides, pads = [options["StrideH"], options["StrideW"]], self._padding(operation, kernel)
            inputs = [self._value(operation.inputs[0])]
            self._activated(operation, kind, inputs, kernel_shape=kernel, strides=strides, pads=pads)

        return pool

    def _elementwise(self, kind: str) -> Callable[[Operation], None]:
        return lambda operation: self._activated(operation, kind, [self._value(tensor) for tensor in operation.inputs])

    def _prelu(self, operation: Operation) -> None:
        """A * x + (1 - a) * relu(x), as two depthwise convolutions.

        ONNX Runtime has no kernel for PRelu on its blocked layout and reorders around each: the palm detector takes
        8.3 ms with PRelu on one thread, 4.9 with elementwise nodes, 3.6 with these (they differ by rounding, 1e-6).
        """
        slope = self._need(operation.inputs[1]).reshape(-1, 1, 1, 1)
        source, output = self._value(operation.inputs[0]), _name(operation.output)
        positive = self._node("Relu", [source], f"{output}.positive")
        parts = []
        for part, tensor, weight in (("all", source, slope), ("rest", positive, np.float32(1) - slope)):
            inputs = [tensor, self._constant(weight)]
            parts.append(self._node("Conv", inputs, f"{output}.{part}", kernel_shape=[1, 1], group=slope.shape[0]))
        self._node("Add", parts, output)

    def _pad(self, operation: Operation) -> None:
        pairs = self._need(operation.inputs[1]).reshape(-1, 2)
        if len(pairs) == _IS_IMAGE:
            pairs = pairs[list(_TO_NCHW)]
        pads = self._constant(pairs.T.reshape(-1).astype(np.int64))
        self._node("Pad", [self._value(operation.inputs[0]), pads], _name(operation.output))

    def _resize(self, operation: Operation) -> None:
        batch, height, width, channels = self._graph.shapes[operation.output]
        size = self._constant(np.array([batch, channels, height, width], np.int64))
        options = operation.options
        half = "half_pixel" if options["HalfPixelCenters"] else "asymmetric"
        grid = "align_corners" if options["AlignCorners"] else half
        inputs = [self._value(operation.inputs[0]), "", "", size]
        self._node("Resize", inputs, _name(operation.output), mode="linear", coordinate_transformation_mode=grid)

    def _depth_to_space(self, operation: Operation) -> None:
        inputs, size = [self._value(operation.inputs[0])], operation.options["BlockSize"]
        self._node("DepthToSpace", inputs, _name(operation.output), blocksize=size, mode="DCR")

    def _reshape(self, operation: Operation) -> None:
        source, output = self._value(operation.inputs[0]), _name(operation.output)
        shape = self._graph.shapes[operation.output]
        if len(self._graph.shapes[operation.inputs[0]]) == _IS_IMAGE:
            source = self._node("Transpose", [source], f"{output}.nhwc", perm=_TO_NHWC)
        flat = f"{output}.flat" if len(shape) == _IS_IMAGE else output
        self._node("Reshape", [source, self._constant(np.array(shape, np.int64))], flat)
        if len(shape) == _IS_IMAGE:
            self._node("Transpose", [flat], output, perm=_TO_NCHW)

    def _concatenate(self, operation: Operation) -> None:
        rank = len(self._graph.shapes[operation.output])
        axis = operation.options["Axis"] % rank
        inputs = [self._value(tensor) for tensor in operation.inputs]
        self._activated(operation, "Concat", inputs, axis=_AXIS[axis] if rank == _IS_IMAGE else axis)

    def _mean(self, operation: Operation) -> None:
        rank = len(self._graph.shapes[operation.inputs[0]])
        axes = [int(axis) % rank for axis in self._need(operation.inputs[1]).reshape(-1)]
        if rank == _IS_IMAGE:
            axes = sorted(_AXIS[axis] for axis in axes)
        if rank == _IS_IMAGE and not operation.options["KeepDims"] and axes != [2, 3]:
            raise EngineError("MEAN is converted over height and width only, or with its dimensions kept")
        inputs = [self._value(operation.inputs[0]), self._constant(np.array(axes, np.int64))]
        keep = int(operation.options["KeepDims"])
        self._node("ReduceMean", inputs, _name(operation.output), keepdims=keep)

    def _fully_connected(self, operation: Operation) -> None:
        weight = self._need(operation.inputs[1])
        source = self._value(operation.inputs[0])
        if len(self._graph.shapes[operation.inputs[0]]) == _IS_IMAGE:
            source = self._node("Transpose", [source], f"{_name(operation.output)}.nhwc", perm=_TO_NHWC)
        flat = self._constant(np.array([-1, weight.shape[1]], np.int64))
        rows = self._node("Reshape", [source, flat], f"{_name(operation.output)}.rows")
        inputs = [rows, self._constant(weight)]
        if len(operation.inputs) > 2 and operation.inputs[2] >= 0:
            inputs.append(self._constant(self._need(operation.inputs[2])))
        self._activated(operation, "Gemm", inputs, transB=1)


def _name(tensor: int) -> str:
    return f"tensor{tensor}"
