"""A bundle on disk: a folder with a manifest, and files that are used only if their hash is the manifest's.

`manifest.json` names each network's weights (safetensors), each with its SHA-256. `engines.artifacts` handles the files
built from them on this machine. Nothing else is read, and nothing outside the folder.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from engines.contract import EngineError
from engines.networks import NETWORKS, all_weights

SCHEMA = 1
EXPORT_VERSION = 4
"""Raised whenever the networks' code computes something else from the same weights; older artifacts are stale."""
BUNDLES = Path(__file__).resolve().parents[1] / "models" / "bundles"
"""The folder of the shipped bundles, one subfolder each."""
SUFFIXES = (".safetensors", ".onnx", ".plan")
MAX_FILE_BYTES = 2_000_000_000
MAX_MANIFEST_BYTES = 16_000_000
_ENTRY_TYPES: dict[str, type] = {"file": str, "sha256": str, "config": dict, "trained_with": dict, "files": list}
"""The fields of a network's entry that are relied on, and their types where they are there."""


class InvalidBundleError(EngineError):
    """A bundle that cannot be trusted or loaded: what is wrong, where, and the fix."""

    def __init__(self, what: str, where: Path | str, fix: str) -> None:
        super().__init__(f"{where}: {what}; {fix}")


def shipped_bundles() -> list[str]:
    """The names of the bundles that the program comes with."""
    return sorted(path.parent.name for path in BUNDLES.glob("*/manifest.json"))


def find_bundle(name: str) -> Path:
    """The folder of a shipped bundle's name, or of a path.

    Raises:
        InvalidBundleError: when there is no such bundle.
    """
    for folder in (Path(name), BUNDLES / name):
        if (folder / "manifest.json").is_file():
            return folder
    bundle_names = ", ".join(shipped_bundles()) or "none"
    raise InvalidBundleError(
        "no bundle here (no manifest.json)", name, f"name a folder or a shipped bundle: {bundle_names}"
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        InvalidBundleError: when it is missing, malformed or of another schema.
    """
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = read_json(path)
    except (OSError, ValueError) as error:
        raise InvalidBundleError(f"the manifest cannot be read ({error})", path, "restore the bundle") from error
    is_valid = isinstance(manifest, dict) and manifest.get("schema") == SCHEMA
    if not is_valid or not isinstance(manifest.get("networks"), dict):
        raise InvalidBundleError(f"not a manifest of schema {SCHEMA}", path, "use a bundle made for this version")
    for name, entry in manifest["networks"].items():
        if wrong := _wrong_field(entry):
            raise InvalidBundleError(f"{wrong} of {name} is of a wrong type", path, "restore the bundle")
    return manifest


def _wrong_field(entry: Any) -> str:
    """The first field of a network's entry whose type is wrong; "" for none, and for what is no entry at all."""
    if not isinstance(entry, dict):
        return ""
    for field, kind in _ENTRY_TYPES.items():
        if not isinstance(entry.get(field, kind()), kind):
            return field
    return "" if all(isinstance(item, dict) for item in entry.get("files", ())) else "files"


def read_regular(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a regular file; a FIFO or a device is not waited for.

    Raises:
        OSError: when it is none, cannot be read, or has more than `most` bytes.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if status.st_size > most:
            raise OSError(errno.EFBIG, "the file is implausibly large")
        return file.read(most)


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: when it is no regular file, cannot be read, or is larger than a manifest.
        ValueError: when it is not JSON, or nested too deep.
    """
    try:
        return json.loads(read_regular(path, MAX_MANIFEST_BYTES).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_file(folder: Path, entry: Any, fix: str = "restore the bundle") -> bytes:
    """A file of the bundle, after checking its name, size and hash.

    Args:
        folder: the bundle.
        entry: a manifest's entry with `file` and `sha256`.
        fix: the remedy to name in an error.

    Raises:
        InvalidBundleError: for a path outside the bundle, another kind of file, one that cannot be read, a wrong hash.
    """
    name = str(entry.get("file", "")) if isinstance(entry, dict) else ""
    path = folder / name
    if not name.endswith(SUFFIXES) or path.resolve().parent != folder.resolve():
        raise InvalidBundleError(f"{name!r} is no safetensors, ONNX or plan file of the bundle", folder, fix)
    try:
        data = read_regular(path)
    except OSError as error:
        raise InvalidBundleError(f"the file cannot be read ({error.strerror})", path, fix) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.get("sha256"):
        raise InvalidBundleError(
            f"the hash does not match the manifest ({digest[:12]} is not {str(entry.get('sha256'))[:12]})",
            path,
            f"the file was changed or damaged: {fix}",
        )
    return data


def verified_files(folder: Path, entry: dict[str, Any], fix: str = "restore the bundle") -> list[Path]:
    """The files of a network that has several, in folders of their own, after checking their names and hashes.

    Args:
        folder: the bundle.
        entry: a manifest's entry with `files`, each with `file` and `sha256`.
        fix: the remedy to name in an error.

    Raises:
        InvalidBundleError: for a path outside the bundle, another kind of file, one that cannot be read, a wrong hash.
    """
    paths = []
    for item in entry.get("files", ()):
        path = folder / str(item.get("file", ""))
        if path.suffix not in (*SUFFIXES, ".json") or not path.resolve().is_relative_to(folder.resolve()):
            raise InvalidBundleError(f"{item.get('file')!r} is no file that a bundle may have", folder, fix)
        try:
            digest = hashlib.sha256(read_regular(path)).hexdigest()
        except OSError as error:
            raise InvalidBundleError(f"the file cannot be read ({error.strerror})", path, fix) from error
        if digest != item.get("sha256"):
            raise InvalidBundleError(
                "the hash does not match the manifest", path, f"the file was changed or damaged: {fix}"
            )
        paths.append(path)
    if not paths:
        raise InvalidBundleError("the manifest names no files of it", folder, fix)
    return paths


def network_entry(folder: Path, network: str) -> dict[str, Any]:
    """The manifest's entry of a network's weights.

    Raises:
        InvalidBundleError: when the bundle has none.
    """
    entry = read_manifest(folder)["networks"].get(network)
    if not isinstance(entry, dict):
        raise InvalidBundleError(f"the bundle has no {network}", folder, "use a complete bundle")
    return entry


def identity(entry: dict[str, Any]) -> str:
    """The hash that networks trained with this one record: its own, or that of the part they use."""
    return str(entry.get("identity", entry.get("sha256", "")))


def verify_together(folder: Path, network: str) -> None:
    """Refuse a network that was trained with another codec or front-end than the bundle has.

    Raises:
        InvalidBundleError: when a recorded hash differs; a network without recorded hashes passes.
    """
    own = weights_of(folder, network)
    for other, expected in network_entry(folder, own).get("trained_with", {}).items():
        actual = identity(network_entry(folder, other))
        if actual != expected:
            raise InvalidBundleError(
                f"its {own} was trained with another {other} ({expected[:12]} is not {actual[:12]})",
                folder,
                f"restore the {other}, or train the {own} again: "
                f"python -m training.train {all_weights()[own].command_name} --out {folder}",
            )


def learned_networks(folder: Path) -> list[str]:
    """The rows of `engines.networks.NETWORKS` whose weights a bundle has, without ready-made ones.

    Raises:
        InvalidBundleError: when its manifest cannot be read.
    """
    there = read_manifest(folder)["networks"]
    return [name for name, row in NETWORKS.items() if row.learned and weights_of(folder, name) in there]


def weights_of(folder: Path, network: str) -> str:
    """The name of a learned network's weights in a bundle: of several names, the first that the bundle has.

    Raises:
        InvalidBundleError: when its manifest cannot be read, or this network has no weights.
    """
    names = [weights.name for weights in NETWORKS[network].weights] if network in NETWORKS else []
    if not names:
        raise InvalidBundleError(f"{network} is no network that has weights", folder, "see engines/networks.py")
    there = read_manifest(folder)["networks"] if len(names) > 1 else {}
    return next((name for name in names if name in there), names[0])


def artifacts_of(folder: Path) -> Path:
    """The folder of the files built from a bundle's weights; they can be rebuilt at any time."""
    return folder / "artifacts"
