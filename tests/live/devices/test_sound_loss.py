"""A sound server that dies in a show and comes back with another rate and period: show and sound go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming.conventions import TICKS_PER_SECOND
from streaming.timing.clock import now_ns
from tests.live.jack_server import MARKS, JackServer
from tests.live.place import CHECKOUT, wait_for

pytestmark = MARKS

DEVICES = ("speaker", "microphone")
BACK_S = 2.0
"""A device is in use again within this time of being there."""
SLACK_S = 1.5
"""Between the count of ticks and the duration, on a machine with other work; less than the device is away."""
NOTED_S = 0.6
"""Until what a stage notes is on the terminal: two heartbeats."""


class JackShow:
    """A show with a microphone and a speaker of a JACK server, and when it said what."""

    def __init__(self, folder: Path, server: JackServer, *options: str) -> None:
        self.folder, self.server = folder, server
        self.lines: list[tuple[int, str]] = []
        command = [sys.executable, str(CHECKOUT / "run_live.py"), "--record", "none"]
        command += ["--run-dir", str(folder / "run"), "--report", str(folder / "r.json"), *options]
        self.process = subprocess.Popen(
            command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((now_ns(), line.rstrip()))

    def said(self, words: str) -> int | None:
        """When it said something first, in ns; None for not yet."""
        return next((at for at, line in list(self.lines) if words in line), None)

    def said_back(self, device: str) -> int | None:
        """When it said that a device is back."""
        lines = list(self.lines)
        return next((at for at, line in lines if line.startswith(f"{device}: ") and "is back after" in line), None)

    def performs(self) -> bool:
        """Whether the performance has begun: the first status line is there."""
        return self.said(" s | ") is not None

    def end(self) -> dict[str, Any]:
        """End it, for its report."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=120) == 0, self.lines
        self._thread.join(10.0)
        report: dict[str, Any] = json.loads((self.folder / "r.json").read_text())
        return report


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JackServer]:
    server = JackServer(tmp_path / "jackd.log")
    try:
        server.start(48_000, 256)
        yield server
    finally:
        server.close()


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


@pytest.mark.timeout(180)
def test_a_sound_server_that_dies_and_returns_otherwise_costs_the_time_it_was_away(
    server: JackServer, tmp_path: Path
) -> None:
    """From 48,000 Hz and 256 frames to 44,100 Hz and 512: both devices are back within two seconds of the server."""
    devices = ["--speaker", "auto", "--microphone", "system", "--camera", "performer:drums@1", "--screen", "none"]
    show = JackShow(tmp_path, server, "--direction", "both", *devices)
    try:
        wait_for(show.performs)
        pause(1.0)
        server.kill()
        killed_ns = now_ns()
        pause(2.0)
        server.start(44_100, 512)
        served_ns = now_ns()
        wait_for(lambda: all(show.said_back(name) for name in DEVICES), 10.0)
        back_ns = max(show.said_back(name) or 0 for name in DEVICES)
        pause(1.0)
        report = show.end()
    finally:
        show.process.kill()
    sys.stderr.write(f"\nback {(back_ns - served_ns) / 1e9:.2f} s after the server: {report['devices_lost']}\n")
    assert (back_ns - served_ns) / 1e9 < BACK_S + NOTED_S
    away_s = (served_ns - killed_ns) / 1e9
    ticks = report["ticks"]
    assert ticks["expected"] == ticks["played"] + ticks["concealed"]
    assert abs(ticks["expected"] / TICKS_PER_SECOND - report["duration_s"]) < SLACK_S, "the show's time has gone on"
    # The machine's load conceals others. The show may have found the server before `start` returned.
    assert ticks["concealed"] / TICKS_PER_SECOND > report["devices_lost"]["speaker"]["away_s"] - 0.1
    assert report["audio"]["samplerate"] == 44_100
    heard = report["stages"]["microphone"]["counters"]["published"]
    assert abs(heard / TICKS_PER_SECOND - report["duration_s"]) < SLACK_S, "so has the microphone's"
    for device in DEVICES:
        lost = report["devices_lost"][device]
        assert (lost["lost"], lost["back"]) == (1, 1)
        assert away_s - 1.5 < lost["away_s"] < away_s + BACK_S + 1.0
        notes = [note for note in report["notes"] if note.startswith(f"{device}: system (JACK")]
        assert [("has gone" in note, "is back after" in note) for note in notes] == [(True, False), (False, True)]
        assert "44100 Hz" in notes[1]


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_a_sound_server_that_hangs_is_lost_too_until_it_goes_on(server: JackServer, tmp_path: Path) -> None:
    show = JackShow(tmp_path, server, "--direction", "video-to-music", "--speaker", "system", "--camera", "performer@1")
    assert server.process is not None
    try:
        wait_for(show.performs)
        pause(1.0)
        server.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: show.said("has gone"), 10.0)
        pause(1.0)
        server.process.send_signal(signal.SIGCONT)
        wait_for(lambda: show.said_back("speaker"), 10.0)
        pause(1.0)
        report = show.end()
    finally:
        server.process.send_signal(signal.SIGCONT)
        show.process.kill()
    assert report["devices_lost"]["speaker"]["back"] == 1
    assert abs(report["ticks"]["expected"] / TICKS_PER_SECOND - report["duration_s"]) < SLACK_S
    assert report["ticks"]["concealed"] > TICKS_PER_SECOND
