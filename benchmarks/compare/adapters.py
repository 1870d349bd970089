"""The table of what Antiphon is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.compare import steps


@dataclass(frozen=True)
class InstrumentAdapter:
    """An instrument between the bench's camera and audio device, in one process.

    Attributes:
        name: for the table.
        words: what it does.
        responder: module whose `build()` makes its responder, "" for the null instrument's own.
    """

    name: str
    words: str
    responder: str = ""


@dataclass(frozen=True)
class StepAdapter:
    """A step of some other program's, timed alone.

    Attributes:
        name: for the table.
        words: what a step does.
        opener: opens it and gives the function that does a step.
        wait_ms: what it waits for before a step, and looks ahead: latency that no computer takes away.
    """

    name: str
    words: str
    opener: Callable[[], Callable[[], object]]
    wait_ms: float = 0.0


INSTRUMENTS = (
    InstrumentAdapter("null instrument", "a click for each flash, no network"),
    InstrumentAdapter(
        "hands mapped to notes",
        "MediaPipe finds body and hands in each frame, then a rule decides, as in hands-to-MIDI instruments",
        "benchmarks.compare.hand_mapping",
    ),
)
STEPS = (
    StepAdapter("Antiphon's flow", "flow of two frames, 256 x 256", steps.open_own_flow),
    StepAdapter("DIS, ultrafast", "the same, OpenCV", lambda: steps.open_dis(0)),
    StepAdapter("DIS, fast", "the same, OpenCV", lambda: steps.open_dis(1)),
    StepAdapter("DIS, medium", "the same, OpenCV", lambda: steps.open_dis(2)),
    StepAdapter("Farnebäck", "the same, OpenCV", steps.open_farneback),
    StepAdapter("Antiphon's decoder", "40 ms of sound from tokens, causal", steps.open_own_decoder),
    StepAdapter(
        "EncodecModel in windows",
        "Transformers, 32 kHz: ten token frames decoded for two, which need four later ones",
        steps.open_encodec_window,
        wait_ms=80.0,
    ),
    StepAdapter("moshi's Mimi", "80 ms of sound from tokens, streaming", steps.open_mimi, wait_ms=40.0),
    StepAdapter("one-step diffusion", "sd-turbo, image to image, 512 x 512", steps.open_one_step_diffusion),
)
