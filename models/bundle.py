"""A bundle: a folder with the weights, configuration, licence and scores of everything a performance needs.

`manifest.json` names each network's file, its SHA-256 and its sizes. Weights are safetensors and nothing else; a file
whose hash is not the manifest's, or that is no safetensors file, is refused before a tensor is read.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from models.codec import Codec, CodecConfig
from models.embedding import EmbeddingConfig, VisualEmbedding
from models.translator import Translator, TranslatorConfig

SCHEMA = 1
BUNDLES = Path(__file__).parent / "bundles"
"""Where the shipped bundles are, a folder each."""
MAX_WEIGHTS_BYTES = 2_000_000_000

NETWORKS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "codec": (Codec, CodecConfig),
    "embedding": (VisualEmbedding, EmbeddingConfig),
    "translator": (Translator, TranslatorConfig),
}
"""Network name -> its class and its configuration's class."""


class InvalidBundleError(Exception):
    """A bundle that cannot be trusted or loaded: `what`, `where`, and the `fix`."""

    def __init__(self, what: str, where: Path, fix: str) -> None:
        super().__init__(f"{where}: {what}; {fix}")
        self.what, self.where, self.fix = what, str(where), fix


def find_bundle(name: str) -> Path:
    """The folder of a shipped bundle's name, or of a path.

    Raises:
        InvalidBundleError: when there is none.
    """
    for folder in (Path(name), BUNDLES / name):
        if (folder / "manifest.json").is_file():
            return folder
    shipped = ", ".join(sorted(p.parent.name for p in BUNDLES.glob("*/manifest.json"))) or "none"
    raise InvalidBundleError(
        "no bundle here (no manifest.json)", Path(name), f"name a folder or a shipped bundle: {shipped}"
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        InvalidBundleError: when it is missing, malformed or of another schema.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidBundleError(f"the manifest cannot be read ({error})", path, "restore the bundle") from error
    if (
        not isinstance(manifest, dict)
        or manifest.get("schema") != SCHEMA
        or not isinstance(manifest.get("networks"), dict)
    ):
        raise InvalidBundleError(f"not a manifest of schema {SCHEMA}", path, "use a bundle made for this version")
    return manifest


def read_tensors(folder: Path, network: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A network's manifest entry and its tensors, after checking the file's hash.

    Raises:
        InvalidBundleError: for a network the bundle lacks, a path outside it, a wrong hash, or a file of another kind.
    """
    entry = read_manifest(folder)["networks"].get(network)
    if not isinstance(entry, dict):
        raise InvalidBundleError(f"the bundle has no {network}", folder, "use a complete bundle")
    name = str(entry.get("file", ""))
    path = folder / name
    if not name.endswith(".safetensors") or path.resolve().parent != folder.resolve():
        raise InvalidBundleError(
            f"{name!r} is not a safetensors file of the bundle", folder, "weights are safetensors only"
        )
    try:
        if path.stat().st_size > MAX_WEIGHTS_BYTES:
            raise InvalidBundleError("the weights are implausibly large", path, "restore the bundle")
        data = path.read_bytes()
    except OSError as error:
        raise InvalidBundleError(
            f"the weights cannot be read ({error.strerror})", path, "restore the bundle"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.get("sha256"):
        raise InvalidBundleError(
            f"the hash does not match the manifest ({digest[:12]}... is not {str(entry.get('sha256'))[:12]}...)",
            path,
            "the file was changed or damaged: restore the bundle",
        )
    try:
        return entry, load(data)
    except (SafetensorError, ValueError) as error:
        raise InvalidBundleError(
            "not a safetensors file", path, "weights are safetensors only; restore the bundle"
        ) from error


def load_network(folder: Path, network: str) -> nn.Module:
    """A network of a bundle, in evaluation mode, in fp32.

    Raises:
        InvalidBundleError: as `read_tensors`, and when a tensor is missing, unexpected or of another shape.
    """
    entry, tensors = read_tensors(folder, network)
    kind, config_kind = NETWORKS[network]
    try:
        module = kind(config_kind.from_dict(entry.get("config", {})))
    except (TypeError, ValueError) as error:
        raise InvalidBundleError(
            f"the configuration of {network} is not understood ({error})", folder, "restore the bundle"
        ) from error
    wanted = module.state_dict()
    missing = sorted(wanted.keys() - tensors.keys())
    extra = sorted(tensors.keys() - wanted.keys())
    wrong = sorted(k for k in wanted.keys() & tensors.keys() if wanted[k].shape != tensors[k].shape)
    for words, names in (("is missing", missing), ("is unexpected", extra), ("has another shape", wrong)):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise InvalidBundleError(f"tensor {names[0]}{more} {words}", folder / entry["file"], "restore the bundle")
    module.load_state_dict({k: v.to(wanted[k].dtype) for k, v in tensors.items()})
    return module.eval().requires_grad_(False)


def write_network(folder: Path, network: str, module: nn.Module, training: dict[str, Any]) -> None:
    """Put a network into a bundle (made if need be): weights, hash, sizes.

    Args:
        folder: the bundle.
        network: a key of `NETWORKS`.
        module: the network, with a `config`.
        training: what made it (command, steps, data), for the manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    manifest: dict[str, Any] = {"schema": SCHEMA, "name": folder.name, "licence": "Apache-2.0"}
    if path.exists():
        manifest = read_manifest(folder)
    tensors = {k: v.detach().contiguous().clone() for k, v in module.state_dict().items()}
    file = f"{network}.safetensors"
    save_file(tensors, folder / file)
    config: Any = module.config
    manifest.setdefault("networks", {})[network] = {
        "file": file,
        "sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest(),
        "config": config.as_dict(),
        "parameters": sum(v.numel() for v in module.parameters()),
        "training": training,
    }
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def averaged(module: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """The module with other tensors (a moving average) put in."""
    module.load_state_dict({k: v.to(torch.float32) if v.is_floating_point() else v for k, v in tensors.items()})
    return module.eval()
