"""Builds a network's tick into a TensorRT plan with torch-tensorrt: bound to this GPU and this TensorRT."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import make_fx

from engines.contract import EngineError
from engines.runtimes.torch_runtime import LOWER_PRECISIONS
from models.tick_modules import TickModule

Compiler = Callable[[ExportedProgram, tuple[torch.Tensor, ...]], bytes]
"""Turns an exported program and example inputs into a plan."""


def trace_tick(
    tick: TickModule, precision: str = "fp32", device: str = "cpu"
) -> tuple[ExportedProgram, tuple[torch.Tensor, ...]]:
    """A tick in the compiler's format: `aten` operations only, no double precision, casts to lower precisions explicit.

    TensorRT computes each tensor in the program's type. So the program contains the casts that torch's autocast would
    make; inputs, outputs and the state stay in single precision.

    Returns:
        The program and its example inputs.
    """
    single = tick.single().to(device)
    zeros = tuple(torch.zeros(spec.shape, dtype=spec.dtype, device=device) for spec in single.inputs)
    example = zeros + tuple(tensor.to(device) for tensor in single.init_state())
    lower = LOWER_PRECISIONS.get(precision)
    with torch.no_grad(), torch.autocast(device, lower) if lower is not None else contextlib.nullcontext():
        graph = make_fx(_single_precision(single, lower is not None))(*example)
    with torch.no_grad():
        return torch.export.export(graph, example, strict=False), example


def _single_precision(tick: TickModule, is_lower: bool) -> Callable[..., tuple[torch.Tensor, ...]]:
    """A tick as a function whose outputs are in single precision, and none of which is an input tensor."""

    def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = tick(*tensors)
        input_ids = {id(tensor) for tensor in tensors}
        plain = [x.float() if is_lower and x.is_floating_point() else x for x in outputs]
        return tuple(x.clone() if id(x) in input_ids else x for x in plain)

    return run


def bindings(program: ExportedProgram) -> dict[str, list[str]]:
    """The names of the plan's inputs and outputs, in the order of the tick's inputs and state, output and state."""
    signature = program.graph_signature
    names = {
        "inputs": list(signature.user_inputs),
        "outputs": [f"output{n}" for n in range(len(signature.user_outputs))],
    }
    return {key: [str(name) for name in value] for key, value in names.items()}


def doubles(program: ExportedProgram) -> list[str]:
    """The operations of a program in double precision, which TensorRT does not support."""
    return [node.name for node in program.graph.nodes if getattr(node.meta.get("val"), "dtype", None) == torch.float64]


def compile_plan(program: ExportedProgram, example: tuple[torch.Tensor, ...]) -> bytes:
    """The plan of a program, by torch-tensorrt.

    Raises:
        EngineError: when it is not installed, or cannot build it.
    """
    try:
        from torch_tensorrt.dynamo import convert_exported_program_to_serialized_trt_engine
    except (ImportError, OSError) as error:
        raise EngineError(f"torch-tensorrt cannot be used ({error}); run: pip install torch-tensorrt") from error
    try:
        plan: Any = convert_exported_program_to_serialized_trt_engine(
            program, inputs=list(example), disable_tf32=True, require_full_compilation=True
        )
    except Exception as error:  # its errors, and those of its converters, share no base class but Exception
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise EngineError(f"torch-tensorrt cannot build it ({reason}); use another --backend") from error
    return bytes(plan)


def to_plan(
    tick: TickModule, precision: str = "fp32", *, compiler: Compiler = compile_plan, device: str = "cuda"
) -> tuple[bytes, dict[str, list[str]]]:
    """A tick's plan, and the names of its inputs and outputs.

    Args:
        tick: the network's tick.
        precision: "fp32", "fp16" or "bf16".
        compiler: builds the plan.
        device: where the program is traced.

    Raises:
        EngineError: when it cannot be built.
    """
    program, example = trace_tick(tick, precision, device)
    if double_operations := doubles(program):
        more = len(double_operations) - 1
        raise EngineError(
            f"TensorRT has no double precision ({double_operations[0]} and {more} more); use another --backend"
        )
    return compiler(program, example), bindings(program)
