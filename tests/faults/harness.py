"""Begins a show with both directions on real processes, injects one fault, and judges what was played and reported."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from tests.live.place import ShowFolder, output_of, wait_for

CONCEALMENT_S, RECOVERY_S = 0.2, 2.0
"""The sound goes on this long without its source; a stage that died is back within this time."""
CLICK_RATIO = 6.0
"""A jump from one sample to the next over the largest of the 20 ms before it, or the level there: a click is more."""
CLICK_FLOOR = 0.05
"""Jumps below this part of full scale are no clicks."""
REST_S = 2.5
"""The performer itself rests for this long at most."""
SECONDS = 9


@dataclass
class Fault:
    """One fault.

    Attributes:
        name: in words.
        inject: brings it about, in a show that plays.
        seconds: duration of the show.
        direction: of the show.
        status: the exit status that is documented for it.
        silence_s: the longest gap in the sound that it may cause.
        recovers: whether each restart must succeed in time; not where the stage is killed for ever.
        restarted: the stages that must have been started again, and no others.
        argv: more words of the command line.
        notes: a part of a line that the show must say.
        checks: more that must hold of the report.
    """

    name: str
    inject: Callable[[FaultyShow], object]
    seconds: int = SECONDS
    direction: str = "video-to-music"
    status: int = 0
    silence_s: float = CONCEALMENT_S + RECOVERY_S
    recovers: bool = True
    restarted: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    notes: str = ""
    checks: Callable[[dict[str, Any]], object] = lambda report: None


@dataclass
class FaultyShow:
    """A show that plays, and the means to disturb it."""

    folder: ShowFolder
    command: subprocess.Popen[str]

    @property
    def run_dir(self) -> Path:
        return self.folder.run_dir

    @property
    def supervisor(self) -> int:
        return self.command.pid

    def pid(self, stage: str) -> int:
        return self.folder.pid_of(stage)

    def signal(self, number: int, *stages: str) -> None:
        """Send a signal to several stages at once."""
        for pid in [self.pid(stage) for stage in stages]:
            os.kill(pid, number)

    def seconds_played(self) -> float:
        path = self.folder.folder / "out.wav"
        return max(0, path.stat().st_size - 44) / 2 / SAMPLE_RATE

    def play_on(self, seconds: float) -> None:
        """Let the show go on for a while, by its own clock."""
        until_s = self.seconds_played() + seconds
        wait_for(lambda: self.command.poll() is not None or self.seconds_played() >= until_s, 30.0)

    def limit(self, pid: int, kind: int, most: int) -> None:
        """Limit a resource of a running process."""
        resource.prlimit(pid, kind, (most, resource.prlimit(pid, kind)[1]))


def perform_with(fault: Fault, folder: ShowFolder) -> dict[str, Any]:
    """Perform, inject the fault, and judge. Gives the report."""
    folder.direction = fault.direction
    words = ["--camera", "performer:strings@1", *output_of(folder), "--duration", str(fault.seconds), *fault.argv]
    with folder.begin(*words) as command:
        wait_for(lambda: folder.sounding() or command.poll() is not None)
        fault.inject(FaultyShow(folder, command))
        _, errors = command.communicate(timeout=120)
    assert command.returncode == fault.status, errors
    assert "Traceback" not in errors, errors
    report = json.loads((folder.folder / "r.json").read_text())
    judge(fault, report, sound_of(folder.folder / "out.wav"))
    assert left_of(folder) == []
    return dict(report)


def judge(fault: Fault, report: dict[str, Any], sound: NDArray[np.float32]) -> None:
    """Compare what was played and reported with what the fault may cause."""
    ticks = report["ticks"]
    assert ticks["expected"] == 25 * fault.seconds, ticks
    assert ticks["played"] + ticks["concealed"] == ticks["expected"]
    # Gaps in the file itself cannot be heard: its length is the show's, and what was not played is counted.
    assert ticks["concealed"] <= 25 * fault.silence_s + 5, ticks
    assert abs(len(sound) - fault.seconds * SAMPLE_RATE) <= (ticks["concealed"] + 12) * TICK_SAMPLES
    assert longest_silence_s(sound) <= fault.silence_s + REST_S
    assert clicks_in(sound) == []
    restarted = {name: stage["restarts"] for name, stage in report["stages"].items() if stage["restarts"]}
    assert set(restarted) == set(fault.restarted), restarted
    for name in restarted if fault.recovers else ():
        for recovery_ms in report["stages"][name]["recovery_ms"]:
            assert recovery_ms <= 1e3 * RECOVERY_S, (name, report["stages"][name]["recovery_ms"])
    assert fault.notes in " ".join(report["notes"]), report["notes"]
    fault.checks(report)


def sound_of(path: Path) -> NDArray[np.float32]:
    """A sound file's samples; also of one whose header was never finished."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
    data = path.read_bytes()[44:]
    return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32_768.0


def longest_silence_s(sound: NDArray[np.float32]) -> float:
    """The longest stretch below -80 dBFS after the first sound."""
    loud = np.flatnonzero(np.abs(sound) > 1e-4)
    if len(loud) == 0:
        return len(sound) / SAMPLE_RATE
    gaps = np.diff(np.append(loud, len(sound)))
    return float(gaps.max()) / SAMPLE_RATE


def clicks_in(sound: NDArray[np.float32]) -> list[float]:
    """The times in seconds at which a sample jumps by more than the sound around it explains."""
    jumps = np.abs(np.diff(sound))
    window = SAMPLE_RATE // 50
    count = len(jumps) // window
    if count < 3:
        return []
    blocks = jumps[: count * window].reshape(count, window)
    typical = np.sort(blocks, axis=1)[:, -window // 20]
    around = np.maximum(np.maximum(np.roll(typical, 1), typical), np.roll(typical, -1))
    level = np.abs(sound[: count * window]).reshape(count, window).max(axis=1)
    allowed = np.maximum(np.maximum(CLICK_RATIO * around, level * 0.5), CLICK_FLOOR)
    found = np.flatnonzero(blocks.max(axis=1) > allowed)
    return [round(float(block) / 50, 2) for block in found]


def left_of(folder: ShowFolder) -> list[str]:
    """Processes and files of a show that has ended."""
    return folder.left_over() if folder.run_dir.exists() else []


@contextlib.contextmanager
def hogs(count: int, *, realtime: int = 0) -> Iterator[None]:
    """Processes that use all of a core each, if wanted with a real-time priority."""
    prefix = ["chrt", "-f", str(realtime)] if realtime else []
    running = [subprocess.Popen([*prefix, "sh", "-c", "while :; do :; done"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def processes_of(folder: ShowFolder) -> list[int]:
    """Every process that belongs to a show: those with its mark in their environment."""
    return [
        process.pid
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("ANTIPHON_TEST") == str(folder.folder)
    ]
