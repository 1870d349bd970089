"""The random times of a bench's trials, and the log files through which its processes hand over what they saw."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

PLAN_VARIABLE = "ANTIPHON_BENCH_PLAN"
"""The environment variable with the path of the plan."""
PLAN, CAMERA_LOG, SCREEN_LOG = "plan.json", "camera.jsonl", "screen.i64"
HEARD, CYCLES, PROBE_LOG = "heard.f32", "cycles.i64", "probe.json"
FLASH_S = 0.1
"""How long a flash lasts: two frames or more, so that the second one shows that nothing moves any more."""
FORWARD_GAP_S, REVERSE_GAP_S, NULL_GAP_S = (1.7, 2.1), (3.0, 3.6), (0.3, 0.5)
"""Shortest and longest time between trials: the gate of the music closes 1.3 s after a flash, and a picture that was
moved comes to rest within 2 s, and now and then within 3."""
LEAD_IN_S = 4.0
"""No trial before: the latch has settled then."""
TAIL_S = 1.5


class CameraStart(msgspec.Struct, kw_only=True, tag="start"):
    """The first line of the camera's log. `origin_ns`: the monotonic time from which the plan's times count."""

    origin_ns: int


class Flash(msgspec.Struct, kw_only=True, tag="flash"):
    """A flash as the camera saw it. `event_ns`: when it began; `frame_ns`: capture of the first frame that shows it."""

    event_ns: int
    frame_ns: int


@dataclass(frozen=True)
class TickStamps:
    """What the show's stamps say of a tick of sound.

    Attributes:
        capture_ns: when the frame that it answers was captured.
        leaves_ns: when the first sample that this frame influenced leaves the device.
    """

    capture_ns: int
    leaves_ns: int


@dataclass(frozen=True)
class PictureStamps:
    """What the show's stamps say of a picture: its tick's sound began to arrive at `capture_ns`."""

    tick: int
    shown_ns: int
    capture_ns: int


class TrialPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the bench's processes are to do.

    Attributes:
        folder: where they leave their logs.
        flashes_s: when each flash begins, in seconds after the camera's start.
        impulses_s: when each impulse arrives, in seconds after the probe's start.
        camera_hz: frames per second of a camera that runs on its own clock; 0 for one that the show keeps in step.
        led: the flash is a burst on the sound card's output, and a real camera sees it.
    """

    folder: str
    flashes_s: list[float]
    impulses_s: list[float]
    camera_hz: float = 0.0
    led: bool = False

    @property
    def duration_s(self) -> float:
        """How long a show must last for all of it."""
        return max([*self.flashes_s, *self.impulses_s, 0.0]) + TAIL_S

    def path(self, name: str) -> Path:
        """One of the log files."""
        return Path(self.folder) / name

    def write(self) -> None:
        """Write the plan into its folder."""
        self.path(PLAN).write_bytes(msgspec.json.encode(self))


def random_times(trials: int, gap_s: tuple[float, float], seed: int, begin_s: float = LEAD_IN_S) -> list[float]:
    """Times with independent, evenly spread gaps, so that no phase and no beat can be foreseen.

    Args:
        trials: how many.
        gap_s: shortest and longest gap.
        seed: where chance starts.
        begin_s: the first time is a gap after this.
    """
    gaps = np.random.default_rng(seed).uniform(*gap_s, trials)
    return [float(time) for time in begin_s + np.cumsum(gaps)]


def read_plan() -> TrialPlan:
    """The plan that the environment names."""
    return msgspec.json.decode(Path(os.environ[PLAN_VARIABLE]).read_bytes(), type=TrialPlan)


def read_camera_log(path: Path) -> list[CameraStart | Flash]:
    """Every complete line of a camera's log; empty where there is none yet."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    return [msgspec.json.decode(line, type=CameraStart | Flash) for line in lines]
