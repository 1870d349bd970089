"""A JACK server of the bench's own, with the dummy driver: it needs no sound card and disturbs nothing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from streaming.errors import UserError

PARENT_DEATH_SIGNAL = 1
RATE_HZ, PERIOD_FRAMES = 48_000, 256
INSTALL = "sudo apt install jackd2 (Debian, Ubuntu)"
NAMES = 5
"""Names of private servers, one after the other. JACK's registry has 8 rows for all servers of a machine. The row of a
server that crashed is free again only for a server of the same name, so names must come back."""
REGISTRY_FULL = "Too many servers already active"


def is_installed() -> bool:
    """Whether a server can be started here."""
    return shutil.which("jackd") is not None and shutil.which("jack_wait") is not None


@contextlib.contextmanager
def server_name() -> Iterator[str]:
    """A name that no other private server of this machine has while the context lasts.

    Raises:
        UserError: when all are in use.
    """
    import fcntl

    for number in range(NAMES):
        name = f"antiphon-{os.getuid()}-{number}"
        with (Path(tempfile.gettempdir()) / f"{name}.jack.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield name
            return
    raise UserError(f"{NAMES} private JACK servers run already", "jackd", "wait until one has ended")


@contextlib.contextmanager
def private_jack(log: Path, rate_hz: int = RATE_HZ, period: int = PERIOD_FRAMES) -> Iterator[None]:
    """Run a server while the context lasts; clients that are started meanwhile find it by the environment.

    Args:
        log: file for what it prints.
        rate_hz: its sample rate.
        period: frames of a cycle.

    Raises:
        UserError: when it is not installed or does not start.
    """
    if not is_installed():
        raise UserError("jackd is not installed", "bench latency", INSTALL)
    with server_name() as name, _server(name, log, rate_hz, period):
        yield


@contextlib.contextmanager
def _server(name: str, log: Path, rate_hz: int, period: int) -> Iterator[None]:
    own = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1", "JACK_NO_AUDIO_RESERVATION": "1"}
    environment = dict(os.environ, **own)
    for real_time in (["-R", "-P60"], ["-r"]):
        command = ["jackd", *real_time, "-S", "--name", name, "-d", "dummy", "-r", str(rate_hz), "-p", str(period)]
        with log.open("wb") as out:
            # Ctrl-C ends the bench, which then ends its server: the show still closes its devices. It stays in the
            # session: where the kernel schedules by session, it would else be starved of its share.
            server = subprocess.Popen(
                command, env=environment, stdout=out, stderr=out, process_group=0, preexec_fn=_end_with_parent
            )
        try:
            waited = subprocess.run(["jack_wait", "-w", "-t", "5"], env=environment, capture_output=True, check=False)
            if waited.returncode == 0 and server.poll() is None:
                with _environment(own):
                    yield
                return
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    if REGISTRY_FULL in log.read_text(errors="replace"):
        remedy = "end every JACK server, then remove /dev/shm/jack-shm-registry"
        raise UserError("JACK's registry is full of servers that crashed", str(log), remedy)
    raise UserError("jackd does not start", str(log), "read that file")


def _end_with_parent() -> None:
    """In the server's process, before it begins: it gets SIGTERM when the bench dies, however that dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
