"""Networks from safetensors and back; `engines.bundles` finds and verifies the files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn


class WeightsError(ValueError):
    """Bytes that are not the weights of the network they are opened for."""


def unpack_weights(data: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        WeightsError: when it is no safetensors file; nothing in it was run.
    """
    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, ValueError) as error:
        raise WeightsError("not a safetensors file; weights are safetensors only") from error
    return tensors


def network_from(
    network: str, build: Callable[[dict[str, Any]], nn.Module], config: dict[str, Any], data: bytes
) -> nn.Module:
    """A network in evaluation mode, in fp32.

    Args:
        network: its name, for errors.
        build: makes it from its configuration.
        config: its configuration, as in a manifest.
        data: a safetensors file.

    Raises:
        WeightsError: for another kind of file, a configuration that is not understood, or a tensor that is missing,
            unexpected or of another shape.
    """
    tensors = unpack_weights(data)
    try:
        module = build(config)
    except Exception as error:  # what a wrong number or word leads to in a network's constructor
        raise WeightsError(
            f"the configuration of {network} is not understood ({' '.join(str(error).split())[:200]})"
        ) from error
    expected = module.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    extra = sorted(tensors.keys() - expected.keys())
    wrong = sorted(k for k in expected.keys() & tensors.keys() if expected[k].shape != tensors[k].shape)
    for words, names in (("is missing", missing), ("is unexpected", extra), ("has another shape", wrong)):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise WeightsError(f"tensor {names[0]}{more} {words}")
    module.load_state_dict({k: v.to(expected[k].dtype) for k, v in tensors.items()})
    return module.eval().requires_grad_(False)


def pack_weights(module: nn.Module, *, exact: bool = False) -> bytes:
    """A network as a safetensors file, floating-point tensors in half precision (they are trained to no more).

    Args:
        module: the network.
        exact: keep single precision, for weights that were trained elsewhere.
    """
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in module.state_dict().items()}
    dtype = torch.float32 if exact else torch.float16
    data: bytes = save({k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()})
    return data


def load_average(module: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Load other tensors (a moving average) into the module; gives it in evaluation mode."""
    module.load_state_dict({k: v.to(torch.float32) if v.is_floating_point() else v for k, v in tensors.items()})
    return module.eval()
