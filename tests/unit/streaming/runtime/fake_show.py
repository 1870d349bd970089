"""A runner that knows two tiny stages, a camera and a speaker, which misbehave as files in `$FAKE_MOODS` say."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from streaming.errors import UserError
from streaming.runtime import stage_process
from streaming.schema import messages
from streaming.schema.processes import PROCESSES
from streaming.stage import Context, Inputs


def mood_of(name: str) -> str:
    """What the test wants of a stage."""
    path = Path(os.environ.get("FAKE_MOODS", "/nonexistent")) / name
    return path.read_text() if path.exists() else ""


class Ticking:
    """Steps 25 times a second from the start on, and counts its steps over restarts."""

    def setup(self, context: Context) -> None:
        self.context = context
        context.info.update(device="fake", samplerate=32_000)
        self.tick = int(context.memo.get("tick", 0))
        self.next_ns: int | None = None

    def wake_ns(self) -> int | None:
        return self.next_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[messages.Message]:
        if not inputs.started:
            return []
        self.next_ns = max(now_ns, self.next_ns or now_ns) + 40_000_000
        self.tick += 1
        self.context.memo["tick"] = self.tick
        return self.make(now_ns)

    def make(self, now_ns: int) -> Sequence[messages.Message]:
        raise NotImplementedError

    def close(self) -> None:
        pass


class FakeSpeaker(Ticking):
    """Ends with the duration."""

    def make(self, now_ns: int) -> Sequence[messages.Message]:
        for name in ("expected", "played"):
            self.context.metrics.count(f"ticks.{name}")
        self.context.metrics.gauge("samples_played", self.tick * 1_280)
        self.context.metrics.observe("motion_to_sound_ms", 70.0)
        duration = self.context.show.duration_s
        if duration is not None and self.tick == round(25 * duration):
            self.context.finish("played")
        return [messages.Speaker(tick=self.tick, dac_ns=now_ns)]


class FakeCamera(Ticking):
    """Publishes black frames."""

    def setup(self, context: Context) -> None:
        if mood_of("camera") == "user":
            raise UserError("cannot be opened", "camera 7", "plug it in")
        if mood_of("camera") == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        super().setup(context)

    def make(self, now_ns: int) -> Sequence[messages.Message]:
        if mood_of("camera") == "hang" and not self.context.memo.get("hung"):
            self.context.memo["hung"] = True
            time.sleep(0.6)
            self.context.metrics.note("hangs")
        if mood_of("camera") == "ended" and self.tick in (5, 6):
            self.context.finish("the file ended")
        return [messages.Camera(image=np.zeros((4, 4, 3), np.uint8), capture_ns=now_ns)]

    def close(self) -> None:
        if mood_of("camera") == "stuck":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)


if __name__ == "__main__":
    for name, build in {"camera": FakeCamera, "speaker": FakeSpeaker}.items():
        sys.modules[f"fake_{name}"] = SimpleNamespace(build=build)  # type: ignore[assignment]
        PROCESSES[name] = replace(PROCESSES[name], module=f"fake_{name}", inputs=(), nice=0, realtime=0)
    sys.exit(stage_process.main())
