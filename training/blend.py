"""Blends a network with its further trained self: `python -m training.blend NETWORK BEFORE AFTER --out BUNDLE`.

The mean of two networks' weights, one of which was trained on from the other, often does better than both: the further
one knows its examples better, the earlier one more that is not among them (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engines.bundles import find_bundle, network_entry
from engines.contract import EngineError
from engines.networks import all_weights
from models.weights import WeightsError
from training.bundling import builder_of, copy_missing_networks, load_network, write_network

DEFAULT_SHARE = 0.5


def blend(before: nn.Module, after: nn.Module, share: float) -> dict[str, torch.Tensor]:
    """The weights of a blend of two networks of one shape: `share` of the second one's and the rest of the first one's.

    Raises:
        ValueError: for networks of different shapes.
    """
    first, second = before.state_dict(), after.state_dict()
    shapes = [{name: tensor.shape for name, tensor in one.items()} for one in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError("the two networks have different shapes; blend a network with its further trained self")
    return {
        name: torch.lerp(tensor, second[name], share) if tensor.is_floating_point() else second[name]
        for name, tensor in first.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """Write a bundle with the blend; returns the exit status: 0, or 2 for what cannot be blended."""
    parser = argparse.ArgumentParser(
        prog="python -m training.blend", description="Blends a network with its further trained self."
    )
    parser.add_argument("network", choices=list(all_weights()), metavar="NETWORK", help="such as translator")
    parser.add_argument("before", metavar="BEFORE", help="bundle with the network as it was")
    parser.add_argument("after", metavar="AFTER", help="bundle with the network trained further")
    words = "of the further trained one, 0 to 1 (default %(default)s)"
    parser.add_argument("--share", type=float, default=DEFAULT_SHARE, help=words)
    parser.add_argument("--out", type=Path, required=True, help="bundle to write it to; what it lacks is BEFORE's")
    options = parser.parse_args(arguments)
    try:
        if not 0.0 <= options.share <= 1.0:
            raise ValueError(f"--share {options.share} is not between 0 and 1")
        before, after = find_bundle(options.before), find_bundle(options.after)
        entries = [network_entry(folder, options.network) for folder in (before, after)]
        weights = blend(load_network(before, options.network), load_network(after, options.network), options.share)
        module = builder_of(options.network)(entries[0]["config"])
        module.load_state_dict(weights)
        share = "" if options.share == DEFAULT_SHARE else f" --share {options.share:g}"
        command = f"python -m training.blend {options.network} {before.name} {after.name}{share}"
        parts = [entry.get("training", {}) for entry in entries]
        copy_missing_networks(before, options.out)
        sources = [source for part in parts for source in part.get("trained_on", [])]
        training: dict[str, Any] = {"command": command, "blend_of": parts}
        if sources:
            training["trained_on"] = [source for place, source in enumerate(sources) if source not in sources[:place]]
        write_network(options.out, options.network, module, training)
    except (EngineError, WeightsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"written: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
