"""The stage that makes the sound: decodes the token frames of each tick, then gate, width and room, volume, limiter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engines.contract import Engine, EngineSpec
from engines.registry import open_engine
from streaming.audio.levels import decibels
from streaming.audio.master.master_bus import MasterBus
from streaming.audio.true_peak_limiter import DELAY_SAMPLES
from streaming.conventions import CARDINALITY, NUM_CODEBOOKS, SAMPLE_RATE, TICK_SAMPLES, TOKEN_FRAMES_PER_TICK
from streaming.schema.messages import Message, Set, Sound, Tokens
from streaming.settings.control_values import ControlValues
from streaming.stage import Context, Inputs

_SHAPE = (NUM_CODEBOOKS, TOKEN_FRAMES_PER_TICK)
_REWOUND = 50
"""A tick that is this far behind the last one: the device counts anew. A nearer one is a repeat."""
_WARM_UP_STEPS = 3
SILENT = -1.4
"""Value of a silent band of a log-mel frame."""


class SoundStage:
    """Decodes ticks in order.

    A gap in the ticks is counted, and the decoder continues from its present state. Frames that are not of the bundle's
    kind are counted and replaced by the last good ones. Volume, mute, panic, width and room are obeyed here, so that
    the speaker, the recording and a show that listens to itself have the same sound.

    Args:
        engine_opener: opens the decoder; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
        self._last_tick: int | None = None
        self._frames = np.zeros(_SHAPE, np.int16)
        self._reset_due = False

    def setup(self, context: Context) -> None:
        """Open the decoder and run it warm.

        Raises:
            UserError: for a control that is out of its range.
            EngineError: when it cannot be opened.
        """
        self._context = context
        self._controls = ControlValues("sound", context.show, lambda error: context.note(str(error)))
        self._master = MasterBus(self._controls)
        self._engine = self._open_engine("decoder", **context.engine_options())
        self._frames = silent_frames(self._engine.spec)
        for _ in range(_WARM_UP_STEPS):
            self._engine.step(frames=self._frames)
        self._engine.reset()
        spec = self._engine.spec
        latency = spec.latency_samples + DELAY_SAMPLES
        self._delay_ns = round(latency * 1e9 / SAMPLE_RATE)
        context.add_engines(self._engine)
        context.info["latency_samples"] = latency

    def wake_ns(self) -> int | None:
        """Never by time: tokens wake it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Obey the controls, and decode every tick that has arrived."""
        self._obey(inputs.controls)
        return [sound for tokens in inputs.all(Tokens) if (sound := self._decode(tokens)) is not None]

    def close(self) -> None:
        """Nothing to release."""

    def _obey(self, changes: Sequence[Set]) -> None:
        """Take in live controls: what they change begins to move at the next tick, panic ends all sound in it."""
        names = self._controls.update(changes)
        if names:
            self._master.obey(self._controls)
        if "panic" in names and self._controls.is_on("panic"):
            self._master.panic()
            self._reset_due = True

    def _decode(self, tokens: Tokens) -> Sound | None:
        metrics, last = self._context.metrics, self._last_tick
        if last is not None:
            if last - _REWOUND < tokens.tick <= last:
                metrics.count("repeats")
                return None
            if tokens.tick > last + 1:
                metrics.count("gaps", tokens.tick - last - 1)
        self._last_tick = tokens.tick
        frames = _checked(tokens.frames, self._frames)
        if frames is None:
            metrics.count("bad")
            frames = self._frames
        self._frames = frames
        pcm = np.asarray(self._engine.step(frames=frames)["pcm"], dtype=np.float32).reshape(-1)
        if pcm.shape[0] != TICK_SAMPLES or not np.isfinite(pcm).all():
            # A recurrent state that is not finite stays so: begin anew with silence.
            metrics.count("nan")
            self._engine.reset()
            pcm = np.zeros(TICK_SAMPLES, np.float32)
        sound = self._master.step(pcm, _gain(tokens.gain), tokens.level_db)
        if self._reset_due and self._master.fader == 0.0:
            # In silence, so that nobody hears the jump.
            self._engine.reset()
            self._reset_due = False
        metrics.gauge("level_db", decibels(sound.middle))
        metrics.gauge("limited_db", self._master.reduction_db, peak=True)
        # Limiter and decoder look ahead and give their output late: this tick's sound comes from an earlier frame.
        captured_ns = max(0, tokens.capture_ns - self._delay_ns)
        return Sound(
            tick=tokens.tick,
            pcm=sound.middle,
            side=sound.side,
            fresh=tokens.fresh,
            limited_db=self._master.reduction_db,
            fader=self._master.fader,
            capture_ns=captured_ns,
            stamps=dict(tokens.stamps),
        )


def _gain(gain: float) -> float:
    """A tick's gain from another process: 0..1, and 1 for what is no number."""
    return min(max(gain, 0.0), 1.0) if math.isfinite(gain) else 1.0


def silent_frames(spec: EngineSpec) -> np.ndarray:
    """Frames of silence, as a decoder takes them: codes int16 [4, 2], or log-mel float32 [D, 2]."""
    bands = int(spec.config.get("mel_dim", 0))
    return np.full((bands, TOKEN_FRAMES_PER_TICK), SILENT, np.float32) if bands else np.zeros(_SHAPE, np.int16)


def _checked(frames: Any, like: np.ndarray) -> np.ndarray | None:
    """The frames, of the shape and type of others; None when they are not."""
    if not isinstance(frames, np.ndarray) or frames.shape != like.shape:
        return None
    if like.dtype.kind == "f":
        good = frames.dtype.kind == "f" and bool(np.isfinite(frames).all())
        return frames.astype(np.float32) if good else None
    if frames.dtype.kind not in "iu" or frames.min() < 0 or frames.max() >= CARDINALITY:
        return None
    return frames.astype(np.int16)


def build() -> SoundStage:
    """The stage, for the process table."""
    return SoundStage()
