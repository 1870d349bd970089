"""The readers of what comes from outside, each as a function of any bytes; only their own errors are caught."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from engines.bundles import InvalidBundleError, read_manifest
from streaming.devices.stills.metadata import strip_metadata
from streaming.devices.stills.prior import load_prior
from streaming.errors import UserError, WireError
from streaming.remote.console.access import AccessRules
from streaming.schema.messages import TOPICS
from streaming.settings.toml_file import read_config
from streaming.transport import wire

RULES = AccessRules("127.0.0.1", 8420, "a token that nobody has")


def read_message(data: bytes) -> None:
    """Frames of a topic: the first byte chooses it, then come frames of up to 255 bytes, each after its length."""
    names = sorted(TOPICS)
    topic = TOPICS[names[data[0] % len(names)]] if data else TOPICS[names[0]]
    frames, rest = [topic.name.encode()], data[1:]
    while rest:
        frames.append(rest[1 : 1 + rest[0]])
        rest = rest[1 + rest[0] :]
    with contextlib.suppress(WireError):
        wire.unpack(frames, topic)


def read_control(data: bytes) -> None:
    """A control, and a report."""
    for read in (wire.unpack_control, wire.unpack_report):
        with contextlib.suppress(WireError):
            read(data)


def read_settings(data: bytes) -> None:
    """The TOML file of a show."""
    with _file(data, ".toml") as path, contextlib.suppress(UserError):
        read_config(str(path))


def read_bundle(data: bytes) -> None:
    """A bundle's manifest."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InvalidBundleError):
        Path(folder, "manifest.json").write_bytes(data)
        read_manifest(Path(folder))


def read_image(data: bytes) -> None:
    """A prior image."""
    strip_metadata(data)
    with _file(data, ".png") as path, contextlib.suppress(UserError):
        load_prior(str(path))


def read_request(data: bytes) -> None:
    """The fields of a browser's request to the console."""
    lines = [line.partition(":") for line in data.decode("latin-1").split("\n")]
    RULES.refusal({name.lower(): value for name, _, value in lines}, len(lines), lines[0][0])


READERS: dict[str, Callable[[bytes], None]] = {
    "message": read_message,
    "control": read_control,
    "settings": read_settings,
    "bundle": read_bundle,
    "image": read_image,
    "request": read_request,
}


@contextlib.contextmanager
def _file(data: bytes, ending: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=ending, delete=False) as file:
        file.write(data)
    try:
        yield Path(file.name)
    finally:
        Path(file.name).unlink()
