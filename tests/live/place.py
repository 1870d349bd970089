"""A place to perform in by the real command: its folder, its processes, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

CHECKOUT = Path(__file__).resolve().parents[2]
STAGE_PROCESS_MARK = "streaming.runtime.stage_process"


@dataclass
class ShowFolder:
    """A place to perform in, and what is left of it."""

    folder: Path
    direction: str = "video-to-music"
    prefix: tuple[str, ...] = ()
    """Words before the command, of a program that becomes it."""

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def command(self, *argv: str) -> list[str]:
        common = ["--run-dir", str(self.run_dir), "--record", str(self.folder / "films")]
        # Shows beside each other cannot share a port.
        for option in ("--osc", "--console"):
            common += [] if option in argv else [option, "off"]
        run_live = [*self.prefix, sys.executable, str(CHECKOUT / "run_live.py")]
        return [*run_live, "--direction", self.direction, *common, *argv]

    def perform(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*argv), capture_output=True, text=True, timeout=200, cwd=self.folder, check=False
        )

    @contextlib.contextmanager
    def begin(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """Begin a show; a test that fails in it ends it."""
        with subprocess.Popen(
            self.command(*argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        ) as show:
            try:
                yield show
            except BaseException:
                # It ends its own processes; killed, they would still be there when the place is looked at.
                show.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    show.communicate(timeout=20)
                show.kill()
                raise

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "r.json").read_text())
        return found

    def pid_of(self, stage: str) -> int:
        """The process of a stage.

        Raises:
            OSError, ValueError: when there is none; 0 and less are this test's own group and every process.
        """
        pid = int((self.run_dir / f"{stage}.pid").read_text())
        if pid < 1:
            raise ValueError(f"{stage} has no process: {pid}")
        return pid

    def sounding(self) -> bool:
        """Whether the performance has begun: its file of sound grows."""
        path = self.folder / "out.wav"
        return path.exists() and path.stat().st_size > 64_000

    def processes(self) -> list[psutil.Process]:
        """Every process that was begun in it: those with its mark in their environment."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "environ"])
            if (process.info["environ"] or {}).get("ANTIPHON_TEST") == str(self.folder)
        ]

    def left_over(self) -> list[str]:
        """Files of the run folder and stage processes that are left."""
        entries = self.run_dir.iterdir() if self.run_dir.exists() else ()
        files = [path.name for path in entries if path.is_socket() or path.suffix == ".pid"]
        stages = [each for each in self.processes() if STAGE_PROCESS_MARK in (each.info["cmdline"] or [])]
        return files + [f"process {stage.pid}" for stage in stages]


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    for _ in range(round(seconds / 0.05)):
        if condition():
            return
        signal.sigtimedwait([], 0.05)
    raise AssertionError("it never happened")


def output_of(stage: ShowFolder) -> list[str]:
    return ["--speaker", f"file:{stage.folder / 'out.wav'}", "--report", str(stage.folder / "r.json")]
