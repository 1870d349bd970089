"""Puts trained networks and their scores into a bundle, and takes networks out of one to train further."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from engines.bundles import (
    SCHEMA,
    identity,
    network_entry,
    read_file,
    read_manifest,
    verified_files,
    weights_of,
)
from engines.contract import EngineError
from engines.network_row import resolve
from engines.networks import all_weights
from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.weights import network_from, pack_weights


def _hash_of(*modules: nn.Module) -> str:
    return hashlib.sha256(b"".join(pack_weights(module) for module in modules)).hexdigest()


def _write(folder: Path, manifest: dict[str, Any]) -> None:
    part = folder / "manifest.json.part"
    part.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(folder / "manifest.json")


def builder_of(network: str) -> Callable[[dict[str, Any]], nn.Module]:
    """What makes a network's module from its configuration, as the table of networks says.

    Raises:
        EngineError: for weights that the table does not have.
    """
    weights = all_weights()
    if network not in weights:
        raise EngineError(f"unknown weights {network!r}; the table of networks has {', '.join(weights)}")
    build: Callable[[dict[str, Any]], nn.Module] = resolve(weights[network].build)
    return build


def load_network(folder: Path, network: str) -> nn.Module:
    """A network of a bundle ("codec", "embedding", "translator"), in evaluation mode, in fp32.

    Raises:
        EngineError: when the bundle cannot be trusted.
        WeightsError: when the file is not that network's.
    """
    entry = network_entry(folder, network)
    return network_from(network, builder_of(network), entry.get("config", {}), read_file(folder, entry))


def load_sound_network(bundle: Path) -> TokenCodec | Vocoder:
    """What gives a bundle's representation of sound and gives it a voice."""
    network = load_network(bundle, weights_of(bundle, "encoder"))
    if not isinstance(network, (TokenCodec, Vocoder)):
        raise TypeError("the bundle's codec or vocoder is of another class")
    return network


def write_network(
    folder: Path, network: str, module: nn.Module, training: dict[str, Any], *, exact: bool = False
) -> None:
    """Put a network into a bundle (made if need be): weights, hash, sizes; the scores of older weights are removed.

    Args:
        folder: the bundle.
        network: "codec", "embedding" or "translator".
        module: the network, with a `config`.
        training: what made it (command, steps, data), for the manifest.
        exact: keep its weights in single precision; see `pack_weights`.

    The manifest also says with which codec and front-end those were trained that are told what they hear and see.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _manifest_of(folder)
    data = pack_weights(module, exact=exact)
    file = f"{network}.safetensors"
    (folder / file).write_bytes(data)
    config: Any = module.config
    manifest["networks"][network] = {
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "config": config.as_dict(),
        "parameters": sum(v.numel() for v in module.parameters()),
        "training": training,
    }
    if isinstance(module, TokenCodec):
        # The decoder may be trained further: tokens stay what they are.
        manifest["networks"][network]["identity"] = _hash_of(module.encoder, module.quantizer)
    if isinstance(module, Vocoder):
        # A spectrogram is computed without weights: its sizes alone say what it is.
        sizes = json.dumps(module.config.as_dict(), sort_keys=True)
        manifest["networks"][network]["identity"] = hashlib.sha256(f"spectrogram {sizes}".encode()).hexdigest()
    if dependencies := all_weights()[network].trained_with:
        there = manifest["networks"]
        manifest["networks"][network]["trained_with"] = {
            one: identity(there[one]) for one in dependencies if one in there
        }
    manifest.pop("scores", None)
    _write(folder, manifest)


def write_ready(
    folder: Path, network: str, files: Mapping[str, bytes | Path], config: dict[str, Any], training: dict[str, Any]
) -> None:
    """Put a network into a bundle (made if need be) as its authors made it; the bundle's own networks stay as they are.

    Args:
        folder: the bundle.
        network: its name there.
        files: name in the bundle, maybe with folders -> what is in it, or where it is.
        config: what the engine must know of it.
        training: where it comes from and its licence, for the manifest.
    """
    manifest = _manifest_of(folder)
    entries = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)
        with path.open("rb") as file:
            entries.append({"file": name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()})
    file_fields: dict[str, Any] = entries[0] if len(entries) == 1 else {"files": entries}
    manifest["networks"][network] = {**file_fields, "config": config, "training": training}
    _write(folder, manifest)


def _manifest_of(folder: Path) -> dict[str, Any]:
    """A bundle's manifest, or a new one's."""
    if (folder / "manifest.json").exists():
        return read_manifest(folder)
    return {"schema": SCHEMA, "name": folder.name, "licence": "Apache-2.0", "networks": {}}


def copy_missing_networks(source: Path, folder: Path) -> list[str]:
    """Copy into a bundle (made if need be) what it lacks of another's networks; returns their names.

    Raises:
        EngineError: when the source cannot be trusted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source_manifest = read_manifest(source)
    manifest: dict[str, Any] = {key: source_manifest[key] for key in ("schema", "licence")} | {
        "name": folder.name,
        "networks": {},
    }
    if (folder / "manifest.json").exists():
        manifest = read_manifest(folder)
    names = [name for name in source_manifest["networks"] if name not in manifest["networks"]]
    for name in names:
        entry = source_manifest["networks"][name]
        if "files" in entry:
            for path in verified_files(source, entry):
                own = folder / path.relative_to(source)
                own.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, own)
        else:
            (folder / entry["file"]).write_bytes(read_file(source, entry))
        manifest["networks"][name] = entry
    _write(folder, manifest)
    return names


def take_networks(source: Path, folder: Path, names: Sequence[str]) -> list[str]:
    """Put networks of one bundle into another, which may have another representation of sound; returns lines.

    What they were trained with is written anew: the caller answers for it that they fit, as a drive fits a latent space
    that imitates the one it was trained with.

    Raises:
        EngineError: when the source cannot be trusted or has no such network.
    """
    lines = []
    for name in names:
        training = network_entry(source, name).get("training", {})
        write_network(folder, name, load_network(source, name), training)
        lines.append(f"{folder / name}.safetensors: {name} of {source.name}")
    return lines


def write_scores(folder: Path, evaluation: str, figures: dict[str, Any]) -> None:
    """Put an evaluation's figures into the manifest."""
    manifest = read_manifest(folder)
    manifest.setdefault("scores", {})[evaluation] = figures
    _write(folder, manifest)
