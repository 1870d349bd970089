"""Trains a bundle's networks, one command each: `python -m training.train NETWORK --out BUNDLE`.

Each command goes on from its checkpoint in `--work` if there is one, ends after `--minutes` or `--steps`, or with
Ctrl-C, and writes the moving average of the weights into the bundle. The order is codec, embedding, latent, translator,
flow, pose, picture: each is trained on what the ones before it give. `accelerate launch -m training.train ...` uses
every GPU of a machine; `tensorboard --logdir WORK` shows the curves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from engines.contract import EngineError
from engines.network_row import Weights, resolve
from engines.networks import all_weights
from models.weights import WeightsError, load_average
from training.bundling import builder_of, copy_missing_networks, load_network, write_network
from training.footage.dataset import DatasetError
from training.loop.checkpoint import averages_of, config_of, step_of
from training.loop.device import PRECISIONS, Device
from training.trainer_spec import Trainer, TrainerOption, TrainingJob, TrainingResult

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def command_of(arguments: list[str]) -> str:
    """The command for a manifest, without this machine's folders: of a path only the name."""
    return " ".join(["python -m training.train", *(Path(one).name if "/" in one else one for one in arguments)])


def trainers() -> dict[str, tuple[Weights, Trainer]]:
    """Name on the command line -> the row's weights and their trainer."""
    return {weights.command_name: (weights, resolve(weights.trainer)) for weights in all_weights().values()}


def parser_of(known: dict[str, tuple[Weights, Trainer]]) -> argparse.ArgumentParser:
    """The command line: the options of all trainers, then each trainer's own in a group."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    renames = "; ".join(f"{name}: the {weights.name}" for name, (weights, _) in known.items() if name != weights.name)
    parser.add_argument("network", choices=tuple(known), help=renames)
    parser.add_argument("--out", type=Path, default=Path("models/bundles/default"), help="the bundle to write into")
    parser.add_argument("--data", type=Path, help="a prepared data set; without it, synthetic performers are recorded")
    parser.add_argument("--work", type=Path, default=Path("runs"), help="folder of data and checkpoints; default: runs")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many minutes; default: 60")
    parser.add_argument("--steps", type=int, default=0, help="0 for the network's default")
    parser.add_argument("--clips", type=int, default=0, help="size of the data set; 0 for the network's default")
    parser.add_argument("--from", dest="start", type=Path, help="a bundle to go on from where there is no checkpoint")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="",
        help="of matrix products; default: bf16 on a GPU that has it, else no",
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 for torch's default")
    for names, options in options_by_trainers(known).items():
        group = parser.add_argument_group(f"options of {' and '.join(names)}")
        for option in options:
            group.add_argument(option.flag, **option.settings)
    return parser


def options_by_trainers(known: dict[str, tuple[Weights, Trainer]]) -> dict[tuple[str, ...], list[TrainerOption]]:
    """The trainers' own options, by the names of the trainers that have them."""
    users: dict[str, list[str]] = {}
    found: dict[str, TrainerOption] = {}
    for name, (_, trainer) in known.items():
        for option in trainer.options:
            users.setdefault(option.flag, []).append(name)
            found[option.flag] = option
    groups: dict[tuple[str, ...], list[TrainerOption]] = {}
    for flag, names in users.items():
        groups.setdefault(tuple(names), []).append(found[flag])
    return groups


def check_options(
    known: dict[str, tuple[Weights, Trainer]], parser: argparse.ArgumentParser, options: argparse.Namespace
) -> None:
    """Refuse an option that only other networks' trainers have.

    Raises:
        ValueError: then.
    """
    for names, others in options_by_trainers(known).items():
        for option in others if options.network not in names else ():
            field = option.flag.removeprefix("--").replace("-", "_")
            if getattr(options, field) != parser.get_default(field):
                owners = " and ".join(names)
                raise ValueError(f"{option.flag} is an option of {owners}, not of {options.network}; leave it out")


def run_trainer(weights: Weights, trainer: Trainer, options: argparse.Namespace, device: Device) -> TrainingResult:
    """Train; with `--from`, go on from that bundle's network, and copy what the bundle lacks of it.

    Raises:
        EngineError: when a bundle cannot be used.
        WeightsError: when a file is not that network's.
        DatasetError: when the data set cannot be used.
        ValueError: for options that do not go together.
    """
    start = None
    if options.start:
        start = load_network(options.start, weights.name).requires_grad_(True)
        if device.main and options.start.resolve() != options.out.resolve():
            copy_missing_networks(options.start, options.out)
    job = TrainingJob(
        bundle=options.out,
        work=options.work,
        minutes=options.minutes,
        steps=options.steps,
        clips=options.clips,
        footage=options.data,
        start=start,
        device=device,
        options=options,
    )
    return trainer.run(job)


def write_result(weights: Weights, trainer: Trainer, result: TrainingResult, bundle: Path, command: str) -> None:
    """Put a checkpoint's averaged weights into a bundle."""
    path, prefix = result.checkpoint, trainer.shipped_prefix
    tensors = {name.removeprefix(prefix): value for name, value in averages_of(path).items() if name.startswith(prefix)}
    module = load_average(builder_of(weights.name)(config_of(path) or {}), tensors)
    write_network(bundle, weights.name, module, {"command": command, "steps": step_of(path), **result.notes})


def main(arguments: list[str] | None = None) -> int:
    """Train one network.

    Returns:
        The exit status: 0 when it was written, 2 for arguments or data that cannot be used, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    known = trainers()
    parser = parser_of(known)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    weights, trainer = known[options.network]
    device = Device(options.precision)
    try:
        check_options(known, parser, options)
        result = run_trainer(weights, trainer, options, device)
    except KeyboardInterrupt:
        print("\nstopped; the last checkpoint is kept and the same command goes on from it")
        return INTERRUPTED
    except (EngineError, DatasetError, WeightsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if device.main:
        write_result(weights, trainer, result, options.out, command_of(arguments))
        print(f"written: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
