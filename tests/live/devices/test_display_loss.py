"""A display server that dies in a show and comes back: the window is opened again, and nothing else has noticed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming.conventions import TICKS_PER_SECOND
from streaming.timing.clock import now_ns
from tests.live.place import CHECKOUT, wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.faults,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed (apt install xvfb)"),
]
BACK_NS = 2_000_000_000


class DisplayServer:
    """A private X server without a monitor, of a number that nobody else uses."""

    def __init__(self) -> None:
        self.number = 200 + os.getpid() % 5_000
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["Xvfb", f":{self.number}", "-screen", "0", "640x480x24"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(Path(f"/tmp/.X11-unix/X{self.number}").exists, 20.0)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        # What a killed server leaves behind keeps the next one from starting.
        for path in (f"/tmp/.X{self.number}-lock", f"/tmp/.X11-unix/X{self.number}"):
            Path(path).unlink(missing_ok=True)


@pytest.fixture
def server() -> Iterator[DisplayServer]:
    server = DisplayServer()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.timeout(180)
def test_a_window_is_back_within_two_seconds_of_its_display(server: DisplayServer, tmp_path: Path) -> None:
    run_dir, report_path, output = tmp_path / "run", tmp_path / "r.json", tmp_path / "out"
    command = [sys.executable, str(CHECKOUT / "run_live.py"), "--speaker", "none", "--camera", "performer@1"]
    command += ["--screen", "window", "--record", "none", "--run-dir", str(run_dir), "--report", str(report_path)]
    environment = {**os.environ, "DISPLAY": f":{server.number}"}
    environment.pop("SDL_VIDEODRIVER", None)
    with output.open("w") as out:
        show = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=tmp_path)
        try:
            wait_for(lambda: " s | " in output.read_text())
            server.kill()
            wait_for(lambda: "the display has gone" in output.read_text(), 20.0)
            server.start()
            there_ns = now_ns()
            wait_for(lambda: "the display is back" in output.read_text(), 20.0)
            back_ns = now_ns() - there_ns
            signal.sigtimedwait([], 1.0)
            show.send_signal(signal.SIGINT)
            assert show.wait(timeout=60) == 0, output.read_text()
        finally:
            show.kill()
    # Until it is on the terminal: two heartbeats.
    assert back_ns < BACK_NS + 600_000_000
    report = json.loads(report_path.read_text())
    assert (report["devices_lost"]["screen"]["lost"], report["devices_lost"]["screen"]["back"]) == (1, 1)
    assert report["pictures"]["missed"] >= 1
    assert abs(report["ticks"]["expected"] / TICKS_PER_SECOND - report["duration_s"]) < 0.5
    assert report["ticks"]["concealed_after_first_second"] <= 2, "the music has not noticed"
