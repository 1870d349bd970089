"""Runs a latency bench: the floor of the machine, then a whole show, between the same camera and audio device."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.figures import forward_result, reverse_result
from benchmarks.latency.trials import DeviceRecording, forward_trials, reverse_trials, smooth_cycles
from benchmarks.rig.bench_stage import COMMAND
from benchmarks.rig.flash_camera import WORDS
from benchmarks.rig.private_jack import private_jack
from benchmarks.rig.probe import ProbeLog
from benchmarks.rig.stamp_listener import StampListener
from benchmarks.rig.stamp_screen import read_screen_log
from benchmarks.rig.trial_plan import (
    CAMERA_LOG,
    CYCLES,
    FORWARD_GAP_S,
    HEARD,
    NULL_GAP_S,
    PLAN,
    PLAN_VARIABLE,
    PROBE_LOG,
    REVERSE_GAP_S,
    SCREEN_LOG,
    Flash,
    TrialPlan,
    random_times,
    read_camera_log,
)
from streaming.errors import UserError
from streaming.runtime.children.child_process import CHECKOUT
from streaming.runtime.show import perform
from streaming.settings.config import Links, Show
from streaming.system.host_info import StolenTime, describe_host
from streaming.telemetry.report import version
from streaming.timing import clock

SCHEMA = 1
"""Of the result; fields are only ever added. `docs/latency-bench.md` describes them."""
JACK_DEVICE = "system JACK"
READY_S, ENDING_S = 20.0, 60.0
NULL_LEAD_S = 1.0


WITHIN = ("wait_ms", "frame_to_sound_ms", "frame_to_onset_ms", "stamps_ms", "external_minus_stamps_ms")
"""What is not known of a trial with an LED: which frame shows it."""


OWN_GROUP: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}
"""Ctrl-C in a terminal reaches the bench only, which then ends its processes."""
UNFINISHED_S = 1.0
"""A show that lasted this much less than planned was ended by the user."""


@dataclass(frozen=True)
class LatencySettings:
    """What a latency bench is to do.

    Attributes:
        trials: each way.
        camera_hz: of the virtual camera; 0 for one that the show keeps in step with its ticks.
        led: a real camera sees an LED at the sound card's left output.
        rate_hz, period_frames: of the bench's own JACK server.
        awake: keep the machine's cores from halting.
    """

    trials: int = 500
    camera_hz: float = 0.0
    led: bool = False
    rate_hz: int = 48_000
    period_frames: int = 256
    awake: bool = False


def measure(show: Show, settings: LatencySettings, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Measure, and give the result as the JSON object that `docs/latency-bench.md` describes.

    Args:
        show: the settings of the show; its devices are replaced by the bench's.
        settings: what to do.
        notes: lines for the user from before the start.

    Raises:
        UserError: when something is missing, or the show does not begin.
    """
    stolen = StolenTime()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-bench-")))
        if not settings.led:
            stack.enter_context(private_jack(folder / "jackd.log", settings.rate_hz, settings.period_frames))
        floor = None if settings.led else measure_instrument(folder / "floor", settings)
        found = measure_show(folder / "show", show, settings, notes)
    report = found.pop("report")
    return {
        "schema": SCHEMA,
        "bench": "latency",
        "at": clock.wall_text(),
        "version": version(),
        "host": describe_host(),
        "conditions": _conditions(settings, report, found.pop("probe"), stolen.percent()),
        "direction": show.direction,
        "bundle": show.bundle,
        "backend": report["backend"],
        "floor": floor,
        **found,
        "report": {
            name: report[name]
            for name in ("motion_to_sound_ms", "sound_to_picture_ms", "ticks", "audio", "pictures", "fps", "notes")
        },
    }


def measure_instrument(folder: Path, settings: LatencySettings, responder: str = "") -> dict[str, Any]:
    """Measure the null instrument: light to click, impulse to picture.

    Args:
        folder: for its logs; it is made.
        settings: what to do.
        responder: the module of another instrument's responder.

    Raises:
        UserError: when its process ends early.
    """
    folder.mkdir()
    times = [random_times(settings.trials, NULL_GAP_S, seed, NULL_LEAD_S) for seed in (11, 12)]
    camera_hz = settings.camera_hz or 25.0
    plan = TrialPlan(folder=str(folder), flashes_s=times[0], impulses_s=times[1], camera_hz=camera_hz)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_planned(plan))
        if settings.awake:
            stack.enter_context(clock.keep_awake())
        stack.enter_context(_child("benchmarks.rig.probe", ready=True))
        stack.enter_context(_child("benchmarks.rig.null_instrument", *filter(None, [responder])))
        clock.sleep_until(clock.now_ns() + round((plan.duration_s + 1.0) * 1e9))
    probe = msgspec.json.decode(plan.path(PROBE_LOG).read_bytes(), type=ProbeLog)
    recording = _recording(plan, probe)
    forward = forward_trials(_flashes(plan), recording, [])
    reverse = reverse_trials(_impulses(plan, probe, recording), read_screen_log(plan.path(SCREEN_LOG)), [])
    return {"forward": forward_result(forward, settings.trials), "reverse": reverse_result(reverse, settings.trials)}


def measure_show(folder: Path, show: Show, settings: LatencySettings, notes: Sequence[str]) -> dict[str, Any]:
    """Measure a whole show: `forward` and `reverse` (null where its direction has none), `report` and `probe`."""
    folder.mkdir()
    run_dir = folder / "run"
    run_dir.mkdir(mode=0o700)
    ways = (show.direction != "music-to-video", show.direction != "video-to-music" and not settings.led)
    plan = TrialPlan(
        folder=str(folder),
        flashes_s=random_times(settings.trials, FORWARD_GAP_S, show.seed + 1) if ways[0] else [],
        impulses_s=random_times(settings.trials, REVERSE_GAP_S, show.seed + 2) if ways[1] else [],
        camera_hz=settings.camera_hz,
        led=settings.led,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(_planned(plan))
        stack.enter_context(_child("benchmarks.rig.probe", ready=True))
        listener = StampListener(run_dir, plan)
        stack.callback(listener.close)
        done = perform(bench_show(show, plan, run_dir), awake=settings.awake, notes=notes, command=COMMAND)
    if done.report["duration_s"] is None:
        raise UserError(done.ending.line or "the show did not begin", "bench latency", "run it again")
    probe = msgspec.json.decode(plan.path(PROBE_LOG).read_bytes(), type=ProbeLog)
    recording = _recording(plan, probe)
    impulses_ns = _impulses(plan, probe, recording)
    flashes = [Flash(event_ns=time, frame_ns=time) for time in impulses_ns] if plan.led else _flashes(plan)
    forward = forward_trials(flashes, recording, [] if plan.led else listener.ticks(probe.rate_hz))
    if plan.led:
        forward = [{**trial, **dict.fromkeys(WITHIN)} for trial in forward]
    reverse = (
        [] if plan.led else reverse_trials(impulses_ns, read_screen_log(plan.path(SCREEN_LOG)), listener.pictures())
    )
    # What a show that the user has ended did not come to is not missed.
    finished = done.report["duration_s"] >= plan.duration_s - UNFINISHED_S
    wanted = settings.trials if finished else 0
    return {
        "forward": forward_result(forward, wanted) if ways[0] else None,
        "reverse": reverse_result(reverse, wanted) if ways[1] else None,
        "finished": finished,
        "report": done.report,
        "probe": probe,
    }


def bench_show(show: Show, plan: TrialPlan, run_dir: Path) -> Show:
    """The show that is measured: its edges are the bench's, all else is as it was asked for."""
    devices = {"camera": show.camera if plan.led else "performer", "screen": "none"}
    speaker, microphone = show.speaker, show.microphone
    if not plan.led:
        speaker = microphone = JACK_DEVICE
    return msgspec.structs.replace(
        show,
        **devices,
        speaker=speaker,
        microphone=microphone,
        duration_s=plan.duration_s,
        record="",
        quiet=True,
        links=Links(run_dir=str(run_dir)),
    )


def _conditions(
    settings: LatencySettings, report: dict[str, Any], probe: ProbeLog, stolen: float | None
) -> dict[str, Any]:
    """What the figures depend on; null where it is not known."""
    camera = report["camera_clock"]
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {
        "led": settings.led,
        "trials": settings.trials,
        "camera": report["camera"],
        "camera_hz": report["fps"]["camera"],
        "camera_in_step": not settings.led and settings.camera_hz == 0.0,
        "exposure": None if settings.led else WORDS,
        "kernel_stamps": camera["stamps"] if settings.led else "exact: frames are drawn from the clock",
        "audio_device": report["audio"]["device"],
        "audio_rate_hz": probe.rate_hz,
        "audio_period_frames": probe.period_frames,
        "audio_device_ms": round(1e3 * probe.playback_frames / probe.rate_hz, 3),
        "recorder_lost_samples": probe.lost_samples,
        "stolen_percent": None if stolen is None else round(stolen, 2),
        "load_1_5_15": None if load is None else [round(value, 2) for value in load],
        "kept_awake": settings.awake,
    }


def _flashes(plan: TrialPlan) -> list[Flash]:
    return [line for line in read_camera_log(plan.path(CAMERA_LOG)) if isinstance(line, Flash)]


def _impulses(plan: TrialPlan, probe: ProbeLog, recording: DeviceRecording) -> list[int]:
    """When each impulse was at the device: one for an LED when it left it, one for a microphone before its cycle."""
    frames = probe.playback_frames if plan.led else -probe.capture_frames
    late_ns = round(frames * 1e9 / probe.rate_hz) - recording.device_ns
    return [recording.time_of(position) + late_ns for position in probe.impulse_positions]


def _recording(plan: TrialPlan, probe: ProbeLog) -> DeviceRecording:
    """What was recorded; with a sound card a sample was at its input before the cycle that carries it."""
    cycles = np.fromfile(plan.path(CYCLES), np.int64).reshape(-1, 3)
    cycles = smooth_cycles(cycles, float(probe.rate_hz))
    # Half an hour is a third of a gigabyte, of which the moments after each trial are read.
    path = plan.path(HEARD)
    samples: NDArray[np.float32] = np.memmap(path, np.float32, "r") if path.stat().st_size else np.zeros(0, np.float32)
    frames = -probe.capture_frames if plan.led else probe.playback_frames
    return DeviceRecording(samples, cycles, float(probe.rate_hz), round(frames * 1e9 / probe.rate_hz))


@contextlib.contextmanager
def _planned(plan: TrialPlan) -> Iterator[None]:
    """Write a plan, and name it to the processes that are started meanwhile."""
    plan.write()
    os.environ[PLAN_VARIABLE] = str(plan.path(PLAN))
    try:
        yield
    finally:
        os.environ.pop(PLAN_VARIABLE, None)


@contextlib.contextmanager
def _child(module: str, *arguments: str, ready: bool = False) -> Iterator[None]:
    """A process of the bench; its stdin ends with the context, and then it leaves its logs.

    Raises:
        UserError: when it ends early.
    """
    paths = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))))
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **OWN_GROUP,
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"),
    )
    try:
        assert process.stdout is not None
        if ready and not process.stdout.readline():
            _, errors = process.communicate(timeout=READY_S)
            line = (errors.strip().splitlines() or ["it says nothing"])[-1]
            raise UserError(f"{module.rpartition('.')[2]} ended early ({line})", "bench latency", "is JACK running?")
        yield
        _, errors = process.communicate(timeout=ENDING_S)
        if process.returncode:
            line = (errors.strip().splitlines() or ["it says nothing"])[-1]
            raise UserError(f"{module.rpartition('.')[2]} failed ({line})", "bench latency", "try again")
    finally:
        process.kill()
        process.wait()
