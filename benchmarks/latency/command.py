"""The command `bench latency`: measure, write the files, compare with this machine's last runs, print a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.latency.measurement import LatencySettings, measure
from benchmarks.latency.result_page import NAME, make_page
from benchmarks.result_files import leave_page, remember, to_markdown
from benchmarks.rig.private_jack import INSTALL, is_installed
from benchmarks.rig.trial_plan import LEAD_IN_S, REVERSE_GAP_S, TAIL_S
from streaming.settings.options import Command

NO_JACK = f"bench latency: jackd is not installed, so only the show's own stamps are measured; {INSTALL}"


def can_measure(command: Command) -> bool:
    """Whether the external measure can run here: on JACK, or with an LED on the user's own server."""
    return command.bench.led or is_installed()


def bench_latency(command: Command, keep: Callable[[dict[str, Any]], None] = lambda line: None) -> int:
    """Measure, write, print.

    Args:
        command: the command line.
        keep: gets the result without its trials.

    Returns:
        0; 1 where a way was measured in which no trial was answered.
    """
    bench = command.bench
    settings = LatencySettings(
        trials=trials_of(command),
        camera_hz=bench.camera_hz,
        led=bench.led,
        period_frames=bench.period,
        awake=command.awake,
    )
    found = measure(command.show, settings, command.notes)
    found["history"] = remember("latency", _about(found, settings), figures_of(found))
    keep(without_trials(found))
    page = make_page(found)
    files = leave_page(page, Path(command.out), NAME)
    sys.stdout.write(to_markdown(page) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in found["history"])
    sys.stdout.write(f"written: {', '.join(str(file) for file in files)}\n")
    ways = [found[way] for way in ("forward", "reverse") if found[way]]
    return 0 if all(way["changed_ms"]["n"] or way.get("onset_ms", {}).get("n") for way in ways) else 1


def trials_of(command: Command) -> int:
    """How many trials each way: as asked for, or as many as fit into `--seconds`."""
    if command.bench.trials is None and command.seconds is not None:
        return max(1, int((command.seconds - LEAD_IN_S - TAIL_S) / max(REVERSE_GAP_S)))
    return command.bench.trial_count()


def without_trials(value: Any) -> Any:
    """A JSON value without any list of trials."""
    if not isinstance(value, dict):
        return value
    return {
        name: without_trials(part) for name, part in value.items() if name != "trials" or not isinstance(part, list)
    }


def _about(found: dict[str, Any], settings: LatencySettings) -> dict[str, Any]:
    """What must be the same for two runs to be compared."""
    host = found["host"]
    return {
        "cpu": host["cpu"],
        "cores": host["cores"],
        "gpu": host["gpu"],
        "direction": found["direction"],
        "bundle": found["bundle"],
        "backend": found["backend"],
        "camera_hz": settings.camera_hz,
        "period": settings.period_frames,
        "led": settings.led,
        "trials": settings.trials,
        "awake": settings.awake,
    }


def figures_of(found: dict[str, Any]) -> dict[str, float | None]:
    """What is compared from run to run: figures without the wait for a frame or a tick, which chance decides."""
    figures: dict[str, float | None] = {}
    keys = (("forward", "frame_to_sound_ms"), ("forward", "frame_to_onset_ms"), ("reverse", "tick_to_picture_ms"))
    for way, key in (("forward", "onset_ms"),) if found["conditions"]["led"] else keys:
        for share in ("p50", "p99"):
            if found[way]:
                figures[f"{way} {key} {share}"] = found[way][key][share]
    return figures
