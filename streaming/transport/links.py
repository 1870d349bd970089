"""The addresses of a show's links, and the keys of links that cross a network.

A machine's keys are a folder: `antiphon.key_secret` (its own, private), `antiphon.key` (its own, to hand out) and
`allowed/*.key` (the public keys that may connect). A publisher accepts only the keys of `allowed/`. A reader expects a
publisher to have the key `allowed/<stage>.key`, else `allowed/<host>.key`, else `antiphon.key`, for machines that share
one folder. Only `tcp://` links are encrypted; `ipc://` sockets lie in a private folder. Without `ipc://` (Windows), a
local link is a port of 127.0.0.1 derived from its path.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from streaming.errors import UserError
from streaming.settings.config import Links
from streaming.settings.network_place import is_loopback

CONTROL = "control"
"""The name of the control link, beside the stages' names."""
RUN_DIR = "ANTIPHON_RUN_DIR"
"""The variable that holds the show's run folder in the process of every stage, for devices: they know no show."""
MAX_IPC_PATH = 107 if sys.platform == "linux" else 103
"""The longest socket path in bytes."""
_KEY = re.compile(r'^\s*(public|secret)-key\s*=\s*"([!-~]{40})"\s*$', re.MULTILINE)
"""A line of a CURVE certificate file; the key is 40 characters of Z85."""


@dataclass(frozen=True)
class Security:
    """The CURVE keys of this machine.

    Attributes:
        folder: the folder of the keys.
        public, secret: its own pair, Z85.
    """

    folder: Path
    public: bytes
    secret: bytes = field(repr=False)

    def key_of(self, stage: str, address: str) -> bytes:
        """The public key that the publisher of `stage` at `address` must prove to have."""
        for name in (stage, host_of(address)):
            path = self.folder / "allowed" / f"{name}.key"
            if path.is_file():
                return _certificate(path)[0]
        return self.public


def load_keys(folder: str | Path) -> Security:
    """Read a folder of keys.

    Raises:
        UserError: when a key is missing or broken, or the secret is open to others.
    """
    folder = Path(folder)
    path = folder / "antiphon.key_secret"
    public, secret = _certificate(path)
    if secret is None:
        raise UserError("it holds no secret key", str(path), "make keys in an empty folder: run_live.py keys FOLDER")
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        raise UserError("the secret key is open to other users", str(path), f"type: chmod 600 {path}")
    for key_file in sorted((folder / "allowed").glob("*.key")):
        _certificate(key_file)
    return Security(folder, public, secret)


def security_of(links: Links) -> Security | None:
    """The keys that a show's links name, or None."""
    return load_keys(links.keys) if links.keys else None


def address_of(links: Links, name: str, *, bind: bool = False) -> str:
    """The address of a stage's output, or of the control link.

    Args:
        links: the show's links.
        name: a stage's name or `CONTROL`.
        bind: whether the caller binds it; else it connects to it.

    Returns:
        `tcp://host:port` if `links.addresses` has one, else `ipc://<run dir>/<name>.sock`.

    Raises:
        UserError: for an address that is malformed, too long, or open to the network without permission or keys.
    """
    address = links.addresses.get(name)
    if address is None:
        return _local_address(Path(links.run_dir) if links.run_dir else default_run_dir(), name)
    where = f"links.addresses.{name}"
    if not re.fullmatch(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.*-]+):\d{1,5}", address):
        raise UserError(f"{address!r} is not an address", where, "write it as tcp://HOST:PORT")
    if host_of(address) == "*" and not bind:
        raise UserError("'*' is no host to connect to", where, "name the publisher's host")
    if not is_loopback(host_of(address)):
        if bind and not links.allow_remote:
            raise UserError(
                f"{address} is open to the network", where, "set links.allow_remote = true if this is meant"
            )
        if not links.keys:
            raise UserError(f"{address} needs CURVE keys", where, "set links.keys to a folder of keys")
    return address


def _local_address(run_dir: Path, name: str) -> str:
    path = run_dir.absolute() / f"{name}.sock"
    if sys.platform == "win32":
        return f"tcp://127.0.0.1:{20_000 + zlib.crc32(str(path).encode()) % 40_000}"
    if len(os.fsencode(path)) > MAX_IPC_PATH:
        raise UserError("the path is too long for a socket", str(path), "give --run-dir a shorter one")
    return f"ipc://{path}"


def host_of(address: str) -> str:
    """The host of a `tcp://` address."""
    return address.removeprefix("tcp://").rpartition(":")[0].strip("[]")


def _certificate(path: Path) -> tuple[bytes, bytes | None]:
    """The public key of a certificate file, and its secret key if it has one."""
    fix = "make keys (run_live.py keys FOLDER), or copy the other machine's .key file"
    try:
        keys = dict(_KEY.findall(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError("the key cannot be read", str(path), fix) from error
    if "public" not in keys:
        raise UserError("the key is broken", str(path), fix)
    return keys["public"].encode(), keys["secret"].encode() if "secret" in keys else None


def default_run_dir() -> Path:
    """`$XDG_RUNTIME_DIR/antiphon`, or a folder with the user's id in the temp folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK):
        return Path(runtime) / "antiphon"
    user = os.getuid() if sys.platform != "win32" else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"antiphon-{user}"
