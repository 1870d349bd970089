"""The engine contract: one network made runnable by one runtime, numpy arrays in and out, state kept inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NETWORKS = (
    *("flow", "embedding", "sight", "hearing", "translator", "encoder", "decoder"),
    *("still", "animator", "pose", "painter"),
)
"""The networks; a bundle need not have them all.

name        one step takes -> gives
flow        previous, current: uint8 [H, W] grey, or [H, W, 3] BGR where `config` has `colour`
            -> flow: float32 [2, H, W], displacement in pixels (x right, y down)
embedding   image: uint8 [128, 128, 3] BGR -> embedding: float32 [128]
sight       flow: float32 [2, 16, 16], speed: float32 [16, 16], embedding: float32 [128], age_s -> latent: float32 [D]
hearing     frames -> latent: float32 [D], comparable with what sight gives at the same tick
translator  latent: float32 [D] of what is seen, age_s: how old that is at the tick, time_s: the tick's time,
            temperature, anticipation_s, guidance (all float64 scalars), voice: int -> frames
encoder     pcm: float32 [1280] -> frames
decoder     frames -> pcm: float32 [1280]
still       still: uint8 [128, 128, 3] BGR, a prior image -> shown: float32 [C, 16, 16], what in it could move
animator    latent: float32 [D] of what is heard, time_s: the tick's time, shown, where: float32 [2, 16, 16], where each
            cell comes from in the prior image, before: the last tick's flow, noise: float32 [2, 16, 16]
            -> flow: float32 [2, 16, 16], velocities in longer sides of the picture per second
pose        latent: float32 [D] of what is heard, seen: float32 [128], a still's embedding
            -> said: float32 [P, 3], where the points are that the embedding begins with, x and y in -1..1, and how
            unsure that is
painter     warped, prior: uint8 [128, 128, 3] BGR, the moved picture and the still, where, flow: float32 [2, 16, 16],
            heard: float32 [D], the latent of what is heard, imagination, chance: 0 to 1, seen: float32 [128], the
            still's embedding, said: float32 [P, 3], as the pose says it of this still,
            noise: float32 [3, 128, 128] -> change: float32 [128, 128, 3], what is to be added to the moved picture;
            where `config` has another `side` of the squares, or shape of the `noise`, these

Frames are a tick's sound in the bundle's representation: the codec's tokens, int16 [4, 2], or the two columns of a
log-mel spectrogram, float32 [D, 2].
"""


class EngineError(Exception):
    """A runtime or an artifact that cannot be used; the message says what, where and the fix."""


@dataclass(frozen=True)
class EngineSpec:
    """What an engine is.

    Attributes:
        network: one of `NETWORKS`.
        runtime: "torch", "onnxruntime", "tensorrt", "opencv", "nvidia" (hardware flow) or "diffusers".
        device: "cpu" or a GPU's name.
        precision: "fp32", "fp16", "bf16" or "int8".
        latency_samples: how many samples the output lags the input (0 for a causal network).
        config: the network's own configuration.
        why: why this runtime was taken, in a few words.
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
        """Advance by one tick (or one frame, for networks without state). See `NETWORKS` for names and shapes."""

    def reset(self) -> None:
        """Forget everything heard and seen so far."""
