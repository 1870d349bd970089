"""A feed-forward ONNX graph as a torch module: the operators of visual backbones, none of which can run code.

The graph is plain values (operator, inputs, outputs, attributes); its tensors are the module's buffers. So a backbone
that is only published as an ONNX file is trained, bundled and exported like every other network. Shapes and indices
are computed in numpy on the CPU and never reach the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Value = Any
"""A tensor on the device, an integer array of numpy's (shapes, indices), or None for an input that is left out."""


class OnnxGraph(nn.Module):
    """Runs a graph from one input to one of its values.

    Args:
        graph: `nodes`: [operator, inputs, outputs, attributes] each, in order; `tensors`: [name, shape] of the weights;
            `integers`: name -> values; `input` and `output`: names; `rows`: to which number of rows it is fixed, 0 for
            any.

    Raises:
        ValueError: for an operator that is not in `OPERATORS`.
    """

    def __init__(self, graph: dict[str, Any]) -> None:
        super().__init__()
        self.graph = graph
        if unknown := sorted({node[0] for node in graph["nodes"]} - OPERATORS.keys()):
            raise ValueError(f"operator {', '.join(unknown)} is not known here")
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.zeros(tuple(shape)), requires_grad=False) for _, shape in graph["tensors"]]
        )
        self._integers = {name: np.array(values, np.int64) for name, values in graph["integers"].items()}

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [B, C, H, W] -> the value that `output` names, the same number of rows."""
        rows = int(self.graph["rows"])
        if not rows or x.shape[0] == rows:
            return self._run(x)
        if rows != 1:
            raise ValueError(f"the graph is fixed to {rows} pictures at once")
        return torch.cat([self._run(row) for row in x.split(1)])

    def _run(self, x: Tensor) -> Tensor:
        names = [name for name, _ in self.graph["tensors"]]
        values: dict[str, Value] = {"": None, self.graph["input"]: x, **self._integers}
        values.update(zip(names, self.weights, strict=True))
        for operator, inputs, outputs, attributes in self.graph["nodes"]:
            operands = [values[name] for name in inputs]
            results = OPERATORS[operator](operands, attributes)
            values.update(zip(outputs, results if isinstance(results, list) else [results], strict=False))
            if self.graph["output"] in outputs:
                break
        output: Tensor = values[self.graph["output"]]
        return output


def _ints(value: Value) -> list[int]:
    return [int(one) for one in np.asarray(value).reshape(-1)]


def _host(values: list[Value]) -> bool:
    return all(value is None or isinstance(value, np.ndarray) for value in values)


def _beside(value: Value, like: Tensor) -> Value:
    """An operand for use with a tensor on a device: a plain number if it has one element."""
    if not isinstance(value, np.ndarray):
        return value
    return value.reshape(-1)[0].item() if value.size == 1 else torch.from_numpy(value).to(like.device)


def _pair(on_host: Callable[..., Any], on_device: Callable[..., Any]) -> Callable[[list[Value], dict[str, Any]], Value]:
    """An operator on two operands, each of them a tensor or a numpy array."""

    def run(operands: list[Value], attributes: dict[str, Any]) -> Value:
        if _host(operands):
            return np.asarray(on_host(*operands))
        like = next(value for value in operands if isinstance(value, Tensor))
        return on_device(*(_beside(value, like) for value in operands))

    return run


def _each(function: Callable[[Tensor], Tensor]) -> Callable[[list[Value], dict[str, Any]], Value]:
    return lambda operands, attributes: function(operands[0])


def _pad_input(x: Tensor, attributes: dict[str, Any], kernel: list[int], fill: float = 0.0) -> tuple[Tensor, list[int]]:
    """Pad the input here if its padding is asymmetric; gives it and the padding that is left to the operator."""
    count = len(kernel)
    strides = attributes.get("strides", [1] * count)
    dilations = attributes.get("dilations", [1] * count)
    pads = list(attributes.get("pads", [0] * 2 * count))
    auto = attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        for axis, length in enumerate(x.shape[2:]):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            lack = max((math.ceil(int(length) / strides[axis]) - 1) * strides[axis] + reach - int(length), 0)
            small, large = lack // 2, lack - lack // 2
            pads[axis], pads[axis + count] = (small, large) if auto == "SAME_UPPER" else (large, small)
    if pads[:count] == pads[count:]:
        return x, pads[:count]
    around = [pads[axis + side * count] for axis in reversed(range(count)) for side in (0, 1)]
    return F.pad(x, around, value=fill), [0] * count


def _conv(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, weight, bias = operands[0], operands[1], operands[2] if len(operands) > 2 else None
    count = weight.ndim - 2
    x, pads = _pad_input(x, attributes, list(weight.shape[2:]))
    convolve: Any = {1: F.conv1d, 2: F.conv2d}[count]
    strides, dilations = attributes.get("strides", [1] * count), attributes.get("dilations", [1] * count)
    return convolve(x, weight, bias, strides, pads, dilations, attributes.get("group", 1))


def _pool(most: bool) -> Callable[[list[Value], dict[str, Any]], Value]:
    def run(operands: list[Value], attributes: dict[str, Any]) -> Value:
        kernel = attributes["kernel_shape"]
        strides, whole = attributes.get("strides", [1] * len(kernel)), bool(attributes.get("ceil_mode", 0))
        x, pads = _pad_input(operands[0], attributes, kernel, -math.inf if most else 0.0)
        if most:
            return F.max_pool2d(x, kernel, strides, pads, attributes.get("dilations", 1), whole)
        count_padding = bool(attributes.get("count_include_pad", 0))
        return F.avg_pool2d(x, kernel, strides, pads, whole, count_padding)

    return run


def _gemm(operands: list[Value], attributes: dict[str, Any]) -> Value:
    a = operands[0].T if attributes.get("transA") else operands[0]
    b = operands[1].T if attributes.get("transB") else operands[1]
    out = attributes.get("alpha", 1.0) * (a @ b)
    return out if len(operands) < 3 or operands[2] is None else out + attributes.get("beta", 1.0) * operands[2]


def _batch_norm(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, scale, bias, mean, var = operands[:5]
    return F.batch_norm(x, mean, var, scale, bias, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, scale = operands[0], operands[1]
    axis = attributes.get("axis", -1) % x.ndim
    return F.layer_norm(
        x, x.shape[axis:], scale, operands[2] if len(operands) > 2 else None, attributes.get("epsilon", 1e-5)
    )


def _clip(operands: list[Value], attributes: dict[str, Any]) -> Value:
    bounds = [*operands[1:], None, None][:2]
    low, high = (
        attributes.get(name) if bound is None else bound for name, bound in zip(("min", "max"), bounds, strict=True)
    )
    x = operands[0]
    x = x if low is None else torch.maximum(x, torch.as_tensor(_beside(low, x), dtype=x.dtype, device=x.device))
    return x if high is None else torch.minimum(x, torch.as_tensor(_beside(high, x), dtype=x.dtype, device=x.device))


def _axes(operands: list[Value], attributes: dict[str, Any]) -> list[int] | None:
    if "axes" in attributes:
        return _ints(attributes["axes"])
    return _ints(operands[1]) if len(operands) > 1 and operands[1] is not None else None


def _reduce(function: Callable[..., Tensor]) -> Callable[[list[Value], dict[str, Any]], Value]:
    def run(operands: list[Value], attributes: dict[str, Any]) -> Value:
        axes = _axes(operands, attributes) or list(range(operands[0].ndim))
        return function(operands[0], axes, keepdim=bool(attributes.get("keepdims", 1)))

    return run


def _reshape(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, lengths = operands[0], _ints(operands[1])
    shape = [
        x.shape[axis] if length == 0 and not attributes.get("allowzero") else length
        for axis, length in enumerate(lengths)
    ]
    return x.reshape(shape)


def _transpose(operands: list[Value], attributes: dict[str, Any]) -> Value:
    order = attributes.get("perm", list(range(operands[0].ndim))[::-1])
    return operands[0].transpose(order) if isinstance(operands[0], np.ndarray) else operands[0].permute(order)


def _flatten(operands: list[Value], attributes: dict[str, Any]) -> Value:
    axis, shape = attributes.get("axis", 1), operands[0].shape
    return operands[0].reshape(math.prod(shape[:axis]), -1)


def _concat(operands: list[Value], attributes: dict[str, Any]) -> Value:
    if _host(operands):
        return np.concatenate([np.atleast_1d(one) for one in operands], attributes["axis"])
    return torch.cat(operands, attributes["axis"])


def _split(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, axis = operands[0], attributes.get("axis", 0)
    if "split" in attributes or len(operands) > 1:
        sizes = _ints(attributes.get("split", operands[1] if len(operands) > 1 else None))
    else:
        count = attributes["num_outputs"]
        most = math.ceil(x.shape[axis] / count)
        sizes = [most] * (count - 1) + [x.shape[axis] - most * (count - 1)]
    if isinstance(x, np.ndarray):
        return list(np.split(x, np.cumsum(sizes)[:-1], axis))
    return list(x.split(sizes, axis))


def _slice(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x = operands[0]
    if "starts" in attributes:
        starts, ends, axes, steps = attributes["starts"], attributes["ends"], attributes.get("axes"), None
    else:
        starts, ends = _ints(operands[1]), _ints(operands[2])
        axes, steps = ([None if one is None else _ints(one) for one in operands[3:]] + [None, None])[:2]
    places = [slice(None)] * x.ndim
    for place, axis in enumerate(axes or range(len(starts))):
        step = 1 if steps is None else steps[place]
        if step < 0 and isinstance(x, Tensor):
            raise ValueError("slices that go backwards are not known here")
        places[axis] = slice(starts[place], ends[place], step)
    return x[tuple(places)]


def _gather(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, where, axis = operands[0], np.asarray(operands[1]), attributes.get("axis", 0)
    if isinstance(x, np.ndarray):
        return np.asarray(np.take(x, where, axis))
    parts = [x.select(axis, int(place)) for place in where.reshape(-1)]
    if where.ndim == 0:
        return parts[0]
    axis %= x.ndim
    return torch.stack(parts, axis).reshape(*x.shape[:axis], *where.shape, *x.shape[axis + 1 :])


def _unsqueeze(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, axes = operands[0], _axes(operands, attributes) or []
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = np.expand_dims(x, axis) if isinstance(x, np.ndarray) else x.unsqueeze(axis)
    return x


def _squeeze(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, axes = operands[0], _axes(operands, attributes)
    if axes is None:
        axes = [axis for axis, length in enumerate(x.shape) if length == 1]
    return x.squeeze(tuple(axis % x.ndim for axis in axes))


def _expand(operands: list[Value], attributes: dict[str, Any]) -> Value:
    shape = np.broadcast_shapes(tuple(operands[0].shape), tuple(_ints(operands[1])))
    return np.broadcast_to(operands[0], shape) if isinstance(operands[0], np.ndarray) else operands[0].expand(shape)


def _constant_of_shape(operands: list[Value], attributes: dict[str, Any]) -> Value:
    return np.full(_ints(operands[0]), int(attributes.get("value", 0)), np.int64)


def _pad(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, mode = operands[0], attributes.get("mode", "constant")
    pads = _ints(operands[1]) if len(operands) > 1 else attributes["pads"]
    fill = operands[2] if len(operands) > 2 and operands[2] is not None else attributes.get("value", 0.0)
    axes = _ints(operands[3]) if len(operands) > 3 and operands[3] is not None else list(range(x.ndim))
    around = [0] * 2 * x.ndim
    for place, axis in enumerate(axes):
        around[2 * (x.ndim - 1 - axis % x.ndim)] = pads[place]
        around[2 * (x.ndim - 1 - axis % x.ndim) + 1] = pads[place + len(axes)]
    if mode != "constant":
        torch_mode = {"edge": "replicate", "reflect": "reflect"}[mode]
        return F.pad(x, around[: 2 * (x.ndim - 2)], mode=torch_mode)
    return F.pad(x, around, value=float(fill))


def _resize(operands: list[Value], attributes: dict[str, Any]) -> Value:
    x, sizes = operands[0], operands[3] if len(operands) > 3 else None
    if sizes is None:
        sizes = [math.floor(int(n) * scale) for n, scale in zip(x.shape, attributes["scales"], strict=True)]
    mode = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[attributes.get("mode", "nearest")]
    corners = attributes.get("coordinate_transformation_mode") == "align_corners"
    smooth = bool(attributes.get("antialias", 0))
    align_corners = None if mode == "nearest" else corners
    return F.interpolate(x, _ints(sizes)[2:], mode=mode, align_corners=align_corners, antialias=smooth)


def _cast(operands: list[Value], attributes: dict[str, Any]) -> Value:
    """Does nothing: all floats have one type here, and integer tensors do not occur in such graphs."""
    return operands[0]


def _shape(operands: list[Value], attributes: dict[str, Any]) -> Value:
    shape = np.array([int(length) for length in operands[0].shape], np.int64)
    return shape[attributes.get("start", 0) : attributes.get("end", len(shape))]


def _softmax(operands: list[Value], attributes: dict[str, Any]) -> Value:
    return operands[0].softmax(attributes.get("axis", -1))


def _gelu(operands: list[Value], attributes: dict[str, Any]) -> Value:
    return F.gelu(operands[0], approximate=attributes.get("approximate", "none"))


def _constant(operands: list[Value], attributes: dict[str, Any]) -> Value:
    return np.array(attributes["value"], np.int64)


def _divide(a: Any, b: Any) -> Any:
    """Integer division, rounded towards zero."""
    return np.trunc(np.asarray(a) / np.asarray(b)).astype(np.int64)


OPERATORS: dict[str, Callable[[list[Value], dict[str, Any]], Value]] = {
    "Add": _pair(np.add, torch.add),
    "Sub": _pair(np.subtract, lambda a, b: a - b),
    "Mul": _pair(np.multiply, torch.mul),
    "Div": _pair(_divide, lambda a, b: a / b),
    "Pow": _pair(np.power, torch.pow),
    "Equal": _pair(np.equal, torch.eq),
    "Where": lambda given, attributes: np.where(*given) if _host(given) else torch.where(*given),
    "Sqrt": _each(torch.sqrt),
    "Reciprocal": _each(torch.reciprocal),
    "Exp": _each(torch.exp),
    "Erf": _each(torch.erf),
    "Tanh": _each(torch.tanh),
    "Neg": _each(torch.neg),
    "Abs": _each(torch.abs),
    "Relu": _each(F.relu),
    "Sigmoid": _each(torch.sigmoid),
    "HardSwish": _each(F.hardswish),
    "HardSigmoid": lambda given, a: (given[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0.0, 1.0),
    "LeakyRelu": lambda given, a: F.leaky_relu(given[0], a.get("alpha", 0.01)),
    "PRelu": lambda given, a: torch.where(given[0] < 0, given[0] * given[1], given[0]),
    "Elu": lambda given, a: F.elu(given[0], a.get("alpha", 1.0)),
    "Gelu": _gelu,
    "Clip": _clip,
    "Softmax": _softmax,
    "Conv": _conv,
    "MaxPool": _pool(most=True),
    "AveragePool": _pool(most=False),
    "GlobalAveragePool": lambda given, a: given[0].mean(tuple(range(2, given[0].ndim)), keepdim=True),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "MatMul": lambda given, a: given[0] @ given[1],
    "Gemm": _gemm,
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Flatten": _flatten,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Expand": _expand,
    "ConstantOfShape": _constant_of_shape,
    "Constant": _constant,
    "Shape": _shape,
    "Pad": _pad,
    "Resize": _resize,
    "Cast": _cast,
    "Identity": lambda given, attributes: given[0],
    "Dropout": lambda given, attributes: given[0],
}
"""The operators that occur in the published visual backbones."""
