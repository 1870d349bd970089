"""The engines of the learned networks, the same for every runtime: a `Runner` computes a tick and keeps its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from engines.contract import Array, EngineSpec
from engines.networks import NETWORKS


class Runner(Protocol):
    """One network's tick in some runtime; the state stays inside (on the device, if the runtime has one).

    Every runtime has the same state, tensor by tensor, so that one can continue from another's state.
    """

    def run(self, inputs: dict[str, Array]) -> Array:
        """Inputs by the names of `models.tick_modules` -> the output.

        Raises:
            EngineError: when the runtime cannot continue (a GPU whose memory is full).
        """

    def reset(self) -> None:
        """Back to the initial state."""

    def state(self) -> list[Array]:
        """The state as it is now, copied."""

    def load(self, state: Sequence[Array]) -> None:
        """Continue from another runner's state."""

    def state_sizes(self) -> Sequence[int]:
        """Bytes of each tensor of the state."""

    def state_peak(self, index: int) -> float:
        """The largest absolute value of one tensor of the state; NaN where an element is NaN."""

    def blank(self) -> dict[str, Array]:
        """Inputs of zeros, for the warm-up."""


class TickEngine:
    """The base class of the engines, and the engine of a network that needs nothing else.

    Args:
        runner: computes the tick.
        spec: the engine's description.
        seed: of the random numbers, for an engine that samples.
    """

    def __init__(self, runner: Runner, spec: EngineSpec, seed: int = 0) -> None:
        self.spec = spec
        self._runner = runner

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """Advance by one tick; names and shapes are those of the network's row in `engines.networks`.

        This suffices where the tick module takes and gives the row's arrays, each in a batch of one.
        """
        (output,) = NETWORKS[self.spec.network].gives
        batch = {name: np.asarray(value)[None] for name, value in inputs.items()}
        return {output.name: self._runner.run(batch)[0]}

    def reset(self) -> None:
        """Return to the initial state."""
        self._runner.reset()


class EmbeddingEngine(TickEngine):
    """The visual front-end; no state."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """image: uint8 [128, 128, 3] BGR -> embedding: float32 [128]."""
        return {"embedding": self._runner.run({"image": np.asarray(inputs["image"])[None]})[0]}


class EncoderEngine(TickEngine):
    """Sound to frames."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """pcm: float32 [1280] -> frames."""
        return {"frames": _frames_to_wire(self._runner.run({"pcm": np.asarray(inputs["pcm"], np.float32)[None, None]}))}


class DecoderEngine(TickEngine):
    """Frames to sound."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """Frames -> pcm: float32 [1280]."""
        return {"pcm": self._runner.run({"frames": _frames_from_wire(inputs["frames"])[None]})[0, 0]}


class SightEngine(TickEngine):
    """Motion features to a video latent."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One tick; inputs and output as in `engines.networks`."""
        names = ("flow", "speed", "embedding", "age_s")
        rows = {name: np.asarray(inputs[name], np.float32)[None, None] for name in names}
        return {"latent": self._runner.run(rows)[0, 0]}


class HearingEngine(TickEngine):
    """A tick's frames to an audio latent."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """Frames -> latent: float32 [D]."""
        return {"latent": self._runner.run({"heard": _frames_from_wire(inputs["frames"])[None, None]})[0, 0]}


class StillEngine(TickEngine):
    """Features of a prior image; no state."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """still: uint8 [128, 128, 3] BGR -> shown: float32 [C, 16, 16]."""
        return {"shown": self._runner.run({"still": np.asarray(inputs["still"], np.uint8)[None]})[0]}


class AnimatorEngine(TickEngine):
    """The audio latent to the prior image's velocity field; the caller gives the noise."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One tick; inputs and output as in `engines.networks`."""
        rows = {name: np.asarray(inputs[name], np.float32)[None] for name in ("shown", "where", "before", "noise")}
        rows["latent"] = np.asarray(inputs["latent"], np.float32)[None, None]
        rows["time_s"] = np.array([[inputs["time_s"]]], np.float64)
        return {"flow": self._runner.run(rows)[0]}


class PoseEngine(TickEngine):
    """Estimates a player's points."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One tick; inputs and output as in `engines.networks`."""
        rows = {"latent": np.asarray(inputs["latent"], np.float32)[None, None]}
        return {"said": self._runner.run(rows | {"seen": np.asarray(inputs["seen"], np.float32)[None]})[0]}


class DriveEngine(TickEngine):
    """Forces on the modes of a scene; the caller gives the noise."""

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One tick; inputs and output as in `engines.networks`."""
        rows = {name: np.asarray(inputs[name], np.float32)[None, None] for name in ("latent", "bands")}
        rows |= {name: np.asarray(inputs[name], np.float32)[None] for name in ("modes", "noise")}
        return {"forces": self._runner.run(rows)[0]}


class PainterEngine(TickEngine):
    """The change to add to a warped picture; no state, and the caller gives the noise."""

    def __init__(self, runner: Runner, spec: EngineSpec, seed: int = 0) -> None:
        super().__init__(runner, spec)
        # The points' input if the caller gives none; empty for a painter without points.
        self._no_points = runner.blank().get("said", np.zeros((1, 0), np.float32))[0]

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One picture; inputs and output as in `engines.networks`."""
        inputs = {"said": self._no_points} | inputs
        rows: dict[str, Array] = {name: np.asarray(inputs[name], np.uint8)[None] for name in ("warped", "prior")}
        floats = ("where", "flow", "heard", "seen", "said", "noise")
        rows |= {name: np.asarray(inputs[name], np.float32)[None] for name in floats}
        rows |= {name: np.array([inputs[name]], np.float32) for name in ("imagination", "chance")}
        return {"change": self._runner.run(rows)[0]}


def _frames_to_wire(frames: Array) -> Array:
    """A runner's frames [1, ...] in the wire format: int16 or float32."""
    converted: Array = frames[0].astype(np.float32 if frames.dtype.kind == "f" else np.int16)
    return converted


def _frames_from_wire(frames: np.ndarray | float) -> Array:
    """Frames in the wire format as a runner's input: int64 or float32."""
    array = np.asarray(frames)
    converted: Array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
    return converted


class TranslatorEngine(TickEngine):
    """The translator with its last frames and its random numbers.

    Args:
        runner: computes the tick.
        spec: the engine's description; its `config` gives the frames' shape.
        seed: of the random numbers.
    """

    def __init__(self, runner: Runner, spec: EngineSpec, seed: int = 0) -> None:
        super().__init__(runner, spec)
        self._seed = seed
        bands = int(spec.config.get("mel_dim", 0))
        self._shape = (bands or int(spec.config["num_codebooks"]), int(spec.config["frames"]))
        self._kind = np.float32 if bands else np.int64
        self._memory = float(spec.config.get("memory", 1.0))
        self._gesture_dim = int(spec.config.get("gesture_dim", 0))
        self._begin()

    def _begin(self) -> None:
        self._previous = np.zeros((1, 1, *self._shape), self._kind)
        self._known = np.zeros((1, 1), np.float32)
        self._rng = np.random.default_rng(self._seed)

    def reset(self) -> None:
        """Forget the past; random numbers start again at the seed."""
        super().reset()
        self._begin()

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        """One tick; inputs and output as in `engines.networks`."""

        def row(name: str, kind: Any = np.float32) -> Array:
            return np.asarray(inputs[name], kind)[None, None]

        count = self._shape[0] * self._shape[1]
        known = self._known if self._rng.random() < self._memory else np.zeros_like(self._known)
        gesture = {}
        if self._gesture_dim:
            none = np.zeros(self._gesture_dim, np.float32)
            gesture = {"gesture": np.asarray(inputs.get("gesture", none), np.float32)[None, None]}
        frames = self._runner.run(
            gesture
            | {
                "previous": self._previous,
                "known": known,
                "latent": row("latent"),
                "age_s": row("age_s"),
                "time_s": row("time_s", np.float64),
                "anticipation_s": row("anticipation_s"),
                "voice": np.array([[int(inputs.get("voice", 0))]], np.int64),
                "uniforms": self._rng.random((1, count), dtype=np.float32),
                "temperature": np.array([[max(1e-3, float(inputs["temperature"]))]], np.float32),
                "guidance": np.array([[float(inputs.get("guidance", 1.0))]], np.float32),
            }
        )
        self._previous = frames[:, None]
        self._known = np.ones((1, 1), np.float32)
        return {"frames": _frames_to_wire(frames)}
