"""Builds tiny TFLite files, so that the converter is tested without a published network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

from export.eyes.tflite_graph import CUSTOM_OPTIONS, OPTIONS, SparseLayout

TYPES = {"float32": tflite.TensorType.FLOAT32, "float16": tflite.TensorType.FLOAT16, "int32": tflite.TensorType.INT32}


@dataclass
class TfliteFile:
    """A graph that is put together tensor by tensor; tensor 0 is its input.

    Attributes:
        shape: of the input.
    """

    shape: tuple[int, ...]
    tensors: list[tuple[tuple[int, ...], NDArray[Any] | None, str, SparseLayout | None]] = field(default_factory=list)
    operations: list[tuple[str, tuple[int, ...], int, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensors.append((self.shape, None, "float32", None))

    def constant(self, value: NDArray[Any], layout: SparseLayout | None = None) -> int:
        shape = value.shape if layout is None else layout.shape
        self.tensors.append((shape, value, value.dtype.name, layout))
        return len(self.tensors) - 1

    def operation(self, kind: str, inputs: tuple[int, ...], shape: tuple[int, ...], **options: Any) -> int:
        self.tensors.append((shape, None, "float32", None))
        self.operations.append((kind, inputs, len(self.tensors) - 1, options))
        return len(self.tensors) - 1

    def data(self, *outputs: int) -> bytes:
        """The file, with the tensors that it gives."""
        builder = flatbuffers.Builder(0)
        buffers, tensors = [_buffer(builder, None)], []
        for number, (shape, value, kind, layout) in enumerate(self.tensors):
            place = 0
            if value is not None:
                place = len(buffers)
                buffers.append(_buffer(builder, value))
            tensors.append(_tensor(builder, f"t{number}", shape, kind, place, layout))
        kinds = sorted({operation[0] for operation in self.operations})
        operators = [_operator(builder, kinds.index(operation[0]), operation) for operation in self.operations]
        codes = [_code(builder, kind) for kind in kinds]
        graph = _table(
            builder,
            "SubGraph",
            Tensors=_vector(builder, tensors),
            Inputs=_numbers(builder, [0]),
            Outputs=_numbers(builder, outputs),
            Operators=_vector(builder, operators),
        )
        parts = {"OperatorCodes": codes, "Subgraphs": [graph], "Buffers": buffers}
        vectors = {name: _vector(builder, part) for name, part in parts.items()}
        builder.Finish(_table(builder, "Model", Version=3, **vectors), b"TFL3")
        return bytes(builder.Output())


def _table(builder: Any, name: str, **fields: Any) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for field_name, value in fields.items():
        getattr(tflite, f"{name}Add{field_name}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def _vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _numbers(builder: Any, numbers: Any) -> int:
    return int(builder.CreateNumpyVector(np.asarray(numbers, np.int32)))


def _buffer(builder: Any, value: NDArray[Any] | None) -> int:
    if value is None:
        return _table(builder, "Buffer")
    return _table(builder, "Buffer", Data=builder.CreateNumpyVector(np.frombuffer(value.tobytes(), np.uint8)))


def _tensor(
    builder: Any, name: str, shape: tuple[int, ...], kind: str, buffer: int, layout: SparseLayout | None
) -> int:
    fields = {"Shape": _numbers(builder, shape), "Name": builder.CreateString(name)}
    if layout is not None:
        fields["Sparsity"] = _sparsity(builder, layout)
    return _table(builder, "Tensor", Type=TYPES[kind], Buffer=buffer, **fields)


def _sparsity(builder: Any, layout: SparseLayout) -> int:
    levels = []
    for level in layout.levels:
        if isinstance(level, int):
            levels.append(_table(builder, "DimensionMetadata", Format=tflite.DimensionType.DENSE, DenseSize=level))
            continue
        parts = {}
        for name, numbers in zip(("ArraySegments", "ArrayIndices"), level, strict=True):
            values = builder.CreateNumpyVector(numbers.astype(np.uint8))
            parts[name] = _table(builder, "Uint8Vector", Values=values)
            parts[f"{name}Type"] = tflite.SparseIndexVector.Uint8Vector
        levels.append(_table(builder, "DimensionMetadata", Format=tflite.DimensionType.SPARSE_CSR, **parts))
    return _table(
        builder,
        "SparsityParameters",
        TraversalOrder=_numbers(builder, layout.order),
        BlockMap=_numbers(builder, layout.blocks),
        DimMetadata=_vector(builder, levels),
    )


def _code(builder: Any, kind: str) -> int:
    if kind in CUSTOM_OPTIONS:
        name, custom = builder.CreateString(kind), tflite.BuiltinOperator.CUSTOM
        return _table(builder, "OperatorCode", BuiltinCode=custom, DeprecatedBuiltinCode=custom, CustomCode=name)
    number = getattr(tflite.BuiltinOperator, kind)
    return _table(builder, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=min(number, 127))


def _operator(builder: Any, code: int, operation: tuple[str, tuple[int, ...], int, dict[str, Any]]) -> int:
    kind, inputs, output, options = operation
    fields = {"Inputs": _numbers(builder, inputs), "Outputs": _numbers(builder, [output])}
    if kind in CUSTOM_OPTIONS:
        values = np.array([options[name] for name in CUSTOM_OPTIONS[kind]], np.int32)
        fields["CustomOptions"] = builder.CreateNumpyVector(np.frombuffer(values.tobytes(), np.uint8))
    elif options:
        table = OPTIONS[kind][0]
        fields["BuiltinOptions"] = _table(builder, table, **options)
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, table)
    return _table(builder, "Operator", OpcodeIndex=code, **fields)
