"""A private JACK server with the dummy driver, its clients, and how they are wired, for the tests beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rig.private_jack import server_name

MARKS = [
    pytest.mark.live,
    pytest.mark.jack,
    pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd is not installed (apt install jackd2)"),
]
PERIOD = int(os.environ.get("ANTIPHON_JACK_PERIOD", "256"))
"""Frames of the server's period. A machine that is held up for longer than this by its host has an xrun."""

RECORDER = """
import sys
import numpy as np
import sounddevice as sd
rate, seconds, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
taken = np.zeros(int(rate * seconds) + 65536, np.float32)
state = {"at": 0, "overflows": 0}
def callback(data, frames, times, status):
    if status and status.input_overflow:
        state["overflows"] += 1
    at = state["at"]
    count = min(frames, taken.shape[0] - at)
    taken[at:at + count] = data[:count, 0]
    state["at"] = at + count
with sd.InputStream(samplerate=rate, channels=1, dtype="float32", latency="low", callback=callback):
    print("recording", flush=True)
    sys.stdin.readline()
np.save(path, taken[:state["at"]])
print(state["overflows"], flush=True)
"""


class JackServer:
    """A private JACK server with the dummy driver, which can go and come back with another rate and period.

    Attributes:
        environment: of its clients.
        process: the server; None while there is none.
    """

    def __init__(self, log: Path) -> None:
        self._names = contextlib.ExitStack()
        self._name, self._log = self._names.enter_context(server_name()), log
        self.environment = dict(
            os.environ, JACK_DEFAULT_SERVER=self._name, JACK_NO_START_SERVER="1", JACK_NO_AUDIO_RESERVATION="1"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, rate: int, period: int = PERIOD) -> None:
        """Start it and wait until it serves."""
        for real_time in (["-R", "-P60"], ["-r"]):
            driver = ["-d", "dummy", "-r", str(rate), "-p", str(period)]
            with self._log.open("a") as out:
                command = ["jackd", *real_time, "-S", "--name", self._name, *driver]
                self.process = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out)
            up = subprocess.run(["jack_wait", "-w", "-t", "20"], env=self.environment, capture_output=True, check=False)
            if up.returncode == 0 and self.process.poll() is None:
                return
            self.stop()
        pytest.fail(f"jackd did not start: {self._log.read_text()}")

    def stop(self) -> None:
        """End it politely."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)
            self.process = None

    def close(self) -> None:
        """End it, for good."""
        self.stop()
        self._names.close()

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None


@contextlib.contextmanager
def jack(rate: int, log: Path) -> Iterator[dict[str, str]]:
    """A private JACK server with the dummy driver; gives the environment of its clients."""
    server = JackServer(log)
    try:
        server.start(rate)
        yield server.environment
    finally:
        server.close()


def client(code: str, environment: dict[str, str], *args: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    environment = dict(environment, PYTHONPATH=str(root), OPENBLAS_NUM_THREADS="1")
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env=environment,
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str], seconds: float = 60.0) -> str:
    """The next line that a client prints; a client that hangs is ended and reported."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        text = process.stdout.readline()
    finally:
        timer.cancel()
    if not text:
        assert process.stderr is not None
        process.kill()
        process.wait()
        pytest.fail(f"a client ended early: {process.stderr.read()[-2000:]}")
    return text.strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def connect(environment: dict[str, str]) -> None:
    """Wire the player's first output to the recorder's input, and nothing else to it."""

    def run(*command: str) -> str:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    ports = run("jack_lsp").split("\n")
    source = next(port for port in ports if port.endswith(":out_0"))
    sink = next(port for port in ports if port.endswith(":in_0"))
    for capture in [port for port in ports if port.startswith("system:capture")]:
        run("jack_disconnect", capture, sink)
    run("jack_connect", source, sink)
    wired = run("jack_lsp", "-c", sink)
    assert source in wired, wired
    assert "system:" not in wired.replace(sink, ""), wired


def place_of(needle: np.ndarray, haystack: np.ndarray) -> int:
    """Where the first second of a signal lies in a recording, by correlation."""
    size = 1 << (haystack.shape[0] + needle.shape[0]).bit_length()
    match = np.fft.irfft(np.fft.rfft(haystack, size) * np.conj(np.fft.rfft(needle, size)), size)
    return int(np.argmax(match[: haystack.shape[0]]))
