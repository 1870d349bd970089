"""The types of a row of the table of networks: ports with shapes, weights with builder and trainer, cost, direction."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

Size = int | str
"""A length along one dimension: a number, or the name of a size in the network's own configuration, see `sizes_of`."""


@dataclass(frozen=True)
class Port:
    """One named array that an engine's step takes or gives.

    Attributes:
        name: its keyword in `Engine.step`.
        shape: its dimensions; () for a number.
        dtype: numpy's name of its element type; "frames" for int16 codes or float32 log-mel, see `frame_dtype`.
        meaning: a description with unit and range.
    """

    name: str
    shape: tuple[Size, ...]
    dtype: str
    meaning: str

    def shape_in(self, config: Mapping[str, Any]) -> tuple[int, ...]:
        """The dimensions as numbers, for a network with a configuration.

        Raises:
            KeyError: when the configuration lacks a size.
        """
        sizes = sizes_of(config)
        return tuple(size if isinstance(size, int) else int(sizes[size]) for size in self.shape)

    def dtype_in(self, config: Mapping[str, Any]) -> str:
        """The element type, for a network with a configuration."""
        return frame_dtype(config) if self.dtype == "frames" else self.dtype


@dataclass(frozen=True)
class Weights:
    """A trained module in a bundle: one key of the manifest's `networks`, and one file.

    Attributes:
        name: the key, and the name of the safetensors file.
        build: makes the module from its configuration in the manifest.
        trainer: its `training.trainer_spec.Trainer`.
        command: its name on the command line of `python -m training.train`; "" for `name`.
        trained_with: the other weights that it is only valid with; their hashes are recorded, and verified on opening.
    """

    name: str
    build: str
    trainer: str
    command: str = ""
    trained_with: tuple[str, ...] = ()

    @property
    def command_name(self) -> str:
        """Its name on the command line of `training.train`."""
        return self.command or self.name


@dataclass(frozen=True)
class ReadyMade:
    """A published network that a bundle holds in its authors' own format: nothing is exported from it.

    Attributes:
        name: its key in the manifest's `networks`.
        open: opens its engine: (bundle, backend) -> `Engine`.
    """

    name: str
    open: str


class Cost(IntEnum):
    """How much of a tick's time a network takes on a CPU; the expensive ones are built first."""

    HEAVY = 0
    MEDIUM = 1
    LIGHT = 2


@dataclass(frozen=True)
class Network:
    """One row: a network as the show runs it, one step a tick.

    Attributes:
        name: its name for `open_engine` and for the artifacts.
        direction: "video-to-music", "music-to-video" or "both": the shows that run it.
        takes: the inputs of one step.
        gives: the outputs of one step.
        weights: the weights it runs; of several, the first that the bundle has.
        tick: the module of one step, built around the weights' module.
        engine: the class that turns named arrays into the tick module's tensors and back.
        cost: how expensive a step is.
        optional: whether a show can go on without it.
        int8: whether an 8-bit file is accurate enough; see `export.int8`.
        ready_made: the published network that may replace it.
    """

    name: str
    direction: str
    takes: tuple[Port, ...]
    gives: tuple[Port, ...]
    weights: tuple[Weights, ...] = ()
    tick: str = ""
    engine: str = "engines.tick_engines:TickEngine"
    cost: Cost = Cost.LIGHT
    optional: bool = False
    int8: bool = False
    ready_made: ReadyMade | None = None

    @property
    def learned(self) -> bool:
        """Whether it can be trained and exported here."""
        return bool(self.weights)


def sizes_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes that a row may name: those of the configuration, and some that follow from them.

    `frame_rows`: rows of a tick's frames, codebooks or mel bands; `cells`: side of the grid of a picture's flow.
    """
    sizes = dict(config)
    sizes["frame_rows"] = config.get("mel_dim") or config.get("num_codebooks")
    sizes.setdefault("gesture_dim", 0)
    sizes["cells"] = config.get("grid") or int(config.get("side", 0)) // 8
    return sizes


def frame_dtype(config: Mapping[str, Any]) -> str:
    """The element type of a tick's frames: float32 for log-mel, else int16 for codes."""
    return "float32" if config.get("mel_dim") else "int16"


def resolve(name_path: str) -> Any:
    """Import the target of a dotted name: "package.module:attribute" or "package.module:Class.attribute".

    Raises:
        ImportError: when there is no such module or attribute; the text names both.
    """
    module, _, path = name_path.partition(":")
    target: Any = importlib.import_module(module)
    for name in path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError as error:
            raise ImportError(f"{module} has no {path}, which the table of networks names") from error
    return target
