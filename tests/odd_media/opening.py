"""Opens odd files, one after the other, in a process of its own: `python -m tests.odd_media.opening FOLDER < names`.

A line of JSON before each file and one after it, so that a file that crashes the process is known by its name.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from streaming.devices.cameras.video_file import VideoFile
from streaming.devices.sound.inputs import FileInput
from streaming.devices.stills.prior import load_prior
from streaming.errors import UserError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock

MOST_S = 20
"""Seconds of sound that are read, and for which a video may take."""
MOST_PICTURES = 2_000


def hear(path: Path) -> dict[str, Any]:
    """How much sound a file has, in seconds."""
    source = FileInput(path)
    samples = source.samples(MOST_S * source.samplerate)
    return {"amount": samples.size / source.samplerate, "loss": source.loss, "peak": float(abs(samples).max())}


def see(path: Path) -> dict[str, Any]:
    """How many pictures a file has."""
    metrics = Metrics()
    source = VideoFile(str(path))
    try:
        source.open(Context(Show(), metrics))
        source.start(0, 0)
        now_ns, seen = 0, 0
        end_ns = clock.now_ns() + round(1e9 * MOST_S)
        while not source.finished and clock.now_ns() < end_ns and seen < MOST_PICTURES:
            now_ns += 10_000_000_000
            if source.poll(now_ns) is not None:
                seen += 1
            else:
                time.sleep(0.001)
        counted = metrics.take()
        seen += counted.counters.get("drops", 0)
        notes = [line for line in counted.notes if str(path) in line]
        return {"amount": seen, "loss": " ".join(notes), "ended": bool(source.finished)}
    finally:
        source.close()


def look(path: Path) -> dict[str, Any]:
    """How many pixels an image has."""
    image = load_prior(str(path))
    return {"amount": image.shape[0] * image.shape[1], "loss": "", "mean": float(image.mean())}


OPENERS = {"sound": hear, "video": see, "image": look}


def main() -> int:
    """Open what stdin names: use and path, a line each."""
    for line in sys.stdin:
        use, path = line.rstrip("\n").split(" ", 1)
        print(json.dumps({"begins": path}), flush=True)  # noqa: T201
        try:
            result = OPENERS[use](Path(path))
        except UserError as error:
            result = {"refused": str(error)}
        print(json.dumps({"path": path, **result}), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
