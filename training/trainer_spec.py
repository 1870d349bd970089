"""What a network's trainer declares beside itself: what trains it, and its own command-line options.

A row of `engines.networks` names a trainer ("training.networks.pictures.pose:TRAINER"); `training.train` runs it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from training.loop.device import Device


@dataclass(frozen=True)
class TrainingJob:
    """What the command line asks of a trainer.

    Attributes:
        bundle: folder of the bundle to write into; the other networks are taken from it.
        work: folder of data and checkpoints, one folder inside for each network.
        minutes: when to stop, whatever the step.
        steps: how many in all; 0 for the network's default.
        clips: size of the data set; 0 for the network's default.
        footage: a prepared data set; None for synthetic performers.
        start: a trained network to go on from where there is no checkpoint; None for a new one.
        device: where to train.
        options: the trainer's own options.
    """

    bundle: Path
    work: Path
    minutes: float
    steps: int
    clips: int
    footage: Path | None
    start: nn.Module | None
    device: Device
    options: argparse.Namespace


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        checkpoint: the last one, with averaged weights.
        notes: what the manifest says of the training besides command and steps.
    """

    checkpoint: Path
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainerOption:
    """One command-line option of this trainer, and of others that declare the very same.

    Attributes:
        flag: "--freeze-encoder".
        settings: the other arguments of `argparse.ArgumentParser.add_argument`.
    """

    flag: str
    settings: Mapping[str, Any]


SOUNDFONT = TrainerOption(
    "--soundfont",
    {"type": Path, "metavar": "FILE", "help": "sampled instruments to learn from, a General MIDI soundfont"},
)
MUSIC = TrainerOption(
    "--music", {"type": int, "default": 0, "metavar": "N", "help": "learn from N clips of music with gestures too"}
)
CORPUS = TrainerOption(
    "--corpus", {"type": Path, "metavar": "DIR", "help": "a folder with recordings and real scores to learn from"}
)


@dataclass(frozen=True)
class Trainer:
    """How a network is trained.

    Attributes:
        run: trains it.
        options: its own options.
        shipped_prefix: what the names of the shipped tensors begin with in a checkpoint, where a checkpoint also has
            what only training needs; "" where all of it is shipped.
    """

    run: Callable[[TrainingJob], TrainingResult]
    options: tuple[TrainerOption, ...] = ()
    shipped_prefix: str = ""


def given_sizes(**sizes: int) -> dict[str, Any]:
    """The sizes that the command line gives; 0 is the recipe's default."""
    return {name: size for name, size in sizes.items() if size}
