"""Trains a bundle's networks, one command each: `python -m training.train NETWORK --out BUNDLE`.

Each command goes on from its checkpoint in `--work` if there is one, ends after `--minutes` or `--steps`, or with
Ctrl-C, and writes the moving average of the weights into the bundle. The order is codec, embedding, latent, translator,
flow, pose, picture: the later ones listen through the first and look through the second, and the painter is told where
the pose says that points are. `accelerate launch -m training.train …` uses every GPU of a machine, `tensorboard
--logdir WORK` shows the curves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from engines.contract import EngineError
from models.vision.pretrained_embeddings import FRONT_ENDS, PretrainedEmbedding, pretrained
from models.weights import NETWORKS, WeightsError, averaged
from training.bundling import copy_missing_networks, load_network, write_network
from training.footage.dataset import DatasetError
from training.loop.checkpoint import averages_of, config_of, step_of
from training.loop.device import PRECISIONS, Device

REVERSE = {"flow": "animator", "picture": "painter"}
"""What is trained by the name of its stage -> the network."""


def command_of(arguments: list[str]) -> str:
    """The command for a manifest, which goes where no one has this machine's folders: of a path only the name."""
    return " ".join(["python -m training.train", *(Path(one).name if "/" in one else one for one in arguments)])


def export(network: str, path: Path, bundle: Path, command: str, notes: dict[str, Any]) -> None:
    """Put a checkpoint's averaged weights into a bundle."""
    tensors = averages_of(path)
    if network in ("embedding", "pose"):
        # What was trained is the network and what asks it, of which only the network is shipped.
        own = "network."
        tensors = {name.removeprefix(own): value for name, value in tensors.items() if name.startswith(own)}
    module = averaged(NETWORKS[network](config_of(path) or {}), tensors)
    write_network(bundle, network, module, {"command": command, "steps": step_of(path), **notes})


def front_end_of(name: str, weights: Path | None) -> PretrainedEmbedding:
    """A pre-trained front-end by name, or of an ONNX file.

    Raises:
        ValueError: when it cannot be had.
    """
    if name != "onnx":
        return pretrained(name, weights)
    from training.adopt.onnx_front_end import from_onnx

    return from_onnx(weights)


def scenes_of(steps: int, clips: int, mobiles: int) -> dict[str, int]:
    """What the command line says of the recipes that learn from performers (clips) and mobiles."""
    given = {"steps": steps, "performers": clips, "mobiles": mobiles}
    return {name: value for name, value in given.items() if value}


def main(arguments: list[str] | None = None) -> int:
    """Train one network; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    names = ("codec", "vocoder", "embedding", "latent", "translator", "pose", *REVERSE)
    parser.add_argument("network", choices=names, help="flow: the animator; picture: the painter, which a pose tells")
    parser.add_argument("--out", type=Path, default=Path("models/bundles/default"), help="the bundle to write into")
    parser.add_argument("--data", type=Path, help="a prepared data set; without it, synthetic performers are watched")
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where data and checkpoints are kept")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=0, help="0 for the network's default")
    parser.add_argument("--clips", type=int, default=0, help="size of the data set; 0 for the network's default")
    parser.add_argument(
        "--freeze-encoder", action="store_true", help="codec: train the decoder only, tokens stay valid"
    )
    parser.add_argument(
        "--front-end",
        choices=("small", *FRONT_ENDS, "onnx"),
        default="small",
        help="embedding: the shipped kind of network, or a pre-trained one (extra frontends), of which the reading is "
        "trained",
    )
    parser.add_argument(
        "--front-end-weights",
        type=Path,
        help="a folder with its config.json and model.safetensors; onnx: any backbone's ONNX file, see docs/bundles.md",
    )
    parser.add_argument("--from", dest="start", type=Path, help="a bundle to go on from where there is no checkpoint")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="", help="of matrix products; bf16 on a GPU that has it, else no"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 for torch's default")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    network = REVERSE.get(options.network, options.network)
    work = options.work / network
    command = command_of(arguments if arguments is not None else sys.argv[1:])
    notes: dict[str, Any] = {}
    device = Device(options.precision)
    start = None
    try:
        if options.start:
            start = load_network(options.start, network).requires_grad_(True)
            if device.main and options.start.resolve() != options.out.resolve():
                copy_missing_networks(options.start, options.out)
        if options.network == "codec":
            from training.networks.codec import CodecRecipe, train_codec

            given = {"steps": options.steps, "clips": options.clips, "freeze_encoder": options.freeze_encoder}
            recipe = CodecRecipe(**{name: value for name, value in given.items() if value})
            path = train_codec(work, recipe, minutes=options.minutes, start=start, device=device, footage=options.data)
        elif options.network == "vocoder":
            from training.networks.decoder_training import DecoderRecipe
            from training.networks.vocoder import train_vocoder

            given = {"steps": options.steps, "clips": options.clips}
            how = DecoderRecipe(**{name: value for name, value in given.items() if value})
            path = train_vocoder(work, how, minutes=options.minutes, start=start, device=device)
        elif network == "animator":
            from training.networks.animator import AnimatorRecipe, train_animator

            moving = AnimatorRecipe(**scenes_of(options.steps, options.clips, options.clips // 2))
            path = train_animator(
                options.work, options.out, moving, minutes=options.minutes, start=start, device=device
            )
        elif network == "pose":
            from training.networks.pose import PoseRecipe, train_pose

            given = {"steps": options.steps, "players": options.clips}
            knows_bows = {"bowing": 0} if start else {}
            posing = PoseRecipe(**{name: value for name, value in given.items() if value}, **knows_bows)
            path = train_pose(options.work, options.out, posing, minutes=options.minutes, start=start, device=device)
        elif network == "painter":
            from training.networks.painter import PainterRecipe, train_painter

            painting = PainterRecipe(**scenes_of(options.steps, options.clips, 2 * options.clips))
            path = train_painter(
                options.work, options.out, painting, minutes=options.minutes, start=start, device=device
            )
        elif options.network == "latent":
            from training.networks.latent import LatentRecipe, train_latent

            given = {"steps": options.steps, "clips": options.clips}
            path = train_latent(
                work,
                options.work / "translator",
                options.out,
                LatentRecipe(**{name: value for name, value in given.items() if value}),
                minutes=options.minutes,
                start=start,
                device=device,
                footage=options.data,
            )
        elif options.network == "embedding":
            from training.networks.embedding import train_embedding

            if options.front_end != "small":
                start = start or front_end_of(options.front_end, options.front_end_weights)
                work = work.with_name(f"embedding-{options.front_end}")
            path, errors = train_embedding(
                work,
                steps=options.steps or 2500,
                scenes=options.clips or 2500,
                minutes=options.minutes,
                start=start,
                device=device,
            )
            notes = {"errors": {k: round(v, 5) for k, v in errors.items()}}
            print(notes)
        else:
            from training.networks.translator import TranslatorRecipe, train_translator

            given = {"steps": options.steps, "clips": options.clips}
            translation = TranslatorRecipe(**{name: value for name, value in given.items() if value})
            path = train_translator(
                work,
                options.out,
                translation,
                minutes=options.minutes,
                start=start,
                device=device,
                footage=options.data,
            )
    except KeyboardInterrupt:
        print("\nstopped; the last checkpoint is kept and the same command goes on from it")
        return 130
    except (EngineError, DatasetError, WeightsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if device.main:
        export(network, path, options.out, command, notes)
        print(f"written: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
