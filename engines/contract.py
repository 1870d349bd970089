"""The engine contract: one network made runnable by one runtime, numpy arrays in and out, state kept inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class EngineError(Exception):
    """A runtime or an artifact that cannot be used; the message says what, where and the fix."""


@dataclass(frozen=True)
class EngineSpec:
    """An engine's description.

    Attributes:
        network: a row of `engines.networks.NETWORKS`.
        runtime: "torch", "onnxruntime", "tensorrt", "opencv", "nvidia" (hardware flow) or "diffusers".
        device: "cpu" or a GPU's name.
        precision: "fp32", "fp16", "bf16" or "int8".
        latency_samples: how many samples the output lags the input (0 for a causal network).
        config: the network's own configuration.
        why: why this runtime was chosen, in a few words.
    """

    network: str
    runtime: str
    device: str = "cpu"
    precision: str = "fp32"
    latency_samples: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    why: str = ""


class Engine(Protocol):
    """One network, ready to run."""

    spec: EngineSpec

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """Advance by one tick; names and shapes are those of the network's row in `engines.networks`."""

    def reset(self) -> None:
        """Return to the initial state."""


def peak(array: Array) -> float:
    """The largest absolute value; NaN where an element is NaN, 0 for an empty array."""
    if not array.size:
        return 0.0
    low, high = float(array.min()), float(array.max())
    return high if high != high else max(high, -low)
