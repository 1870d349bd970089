"""The stage that hears: it encodes each tick of sound to a point of the coordinated latent space, and to bands."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from engines.contract import Engine
from engines.registry import open_engine
from streaming.audio.sound_bands import SoundBands
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Hearing, Message, Microphone
from streaming.stage import Context, Inputs

_WARM_UP_STEPS = 3


class HearingStage:
    """Encodes ticks in order: the codec's encoder, then the latent space; beside them, levels and attacks in bands.

    A gap in the ticks is counted, and the networks continue from their present state.

    Args:
        engine_opener: opens them; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
        self._bands = SoundBands()
        self._last_tick: int | None = None

    def setup(self, context: Context) -> None:
        """Open both networks and run them warm.

        Raises:
            EngineError: when one cannot be opened.
        """
        self._context = context
        opener = functools.partial(self._open_engine, **context.engine_options())
        self._encoder = opener("encoder")
        self._hearing = opener("hearing")
        for _ in range(_WARM_UP_STEPS):
            self._latent_of(np.zeros(TICK_SAMPLES, np.float32))
        self._reset()
        spec = self._encoder.spec
        self._look_ahead_ns = round(spec.latency_samples * 1e9 / SAMPLE_RATE)
        context.add_engines(self._hearing, self._encoder)
        context.info["latency_samples"] = spec.latency_samples

    def wake_ns(self) -> int | None:
        """Never by time: sound wakes it."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Encode every tick that has arrived."""
        return [hearing for sound in inputs.all(Microphone) if (hearing := self._encode(sound)) is not None]

    def close(self) -> None:
        """Nothing to release."""

    def _encode(self, sound: Microphone) -> Hearing | None:
        metrics, last = self._context.metrics, self._last_tick
        pcm = sound.pcm
        if not isinstance(pcm, np.ndarray) or pcm.shape != (TICK_SAMPLES,) or pcm.dtype.kind != "f":
            metrics.count("bad")
            return None
        if last is not None and sound.tick > last + 1:
            metrics.count("gaps", sound.tick - last - 1)
        self._last_tick = sound.tick
        pcm = np.nan_to_num(pcm.astype(np.float32), posinf=0.0, neginf=0.0)
        latent = self._latent_of(pcm)
        if not np.isfinite(latent).all():
            # A recurrent state that is not finite stays so: begin anew.
            metrics.count("nan")
            self._reset()
            latent = np.zeros_like(latent)
        return Hearing(
            tick=sound.tick,
            latent=latent,
            level_db=sound.level_db,
            bands=self._bands.hear(pcm),
            # An encoder with look-ahead gives its output late.
            capture_ns=max(0, sound.capture_ns - self._look_ahead_ns),
            stamps=dict(sound.stamps),
        )

    def _latent_of(self, pcm: np.ndarray) -> np.ndarray:
        frames = self._encoder.step(pcm=pcm)["frames"]
        return np.asarray(self._hearing.step(frames=frames)["latent"], np.float32).reshape(-1)

    def _reset(self) -> None:
        self._encoder.reset()
        self._hearing.reset()


def build() -> HearingStage:
    """The stage, for the process table."""
    return HearingStage()
