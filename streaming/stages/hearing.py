"""The stage that hears: each tick of sound becomes a point of the coordinated latent space."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from engines.contract import Engine
from engines.registry import open_engine
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Hearing, Message, Microphone
from streaming.stage import Context, Inputs

_WARM_UP_STEPS = 3


class HearingStage:
    """Encodes ticks in order: the codec's encoder, then the latent space.

    A gap is counted and the networks go on from where they were.

    Args:
        engine_opener: opens them; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
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
        self._late_ns = round(spec.latency_samples * 1e9 / SAMPLE_RATE)
        context.add_engines(self._hearing, self._encoder)
        context.info["latency_samples"] = spec.latency_samples

    def wake_ns(self) -> int | None:
        """Only sound makes it step."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Hear every tick that came."""
        return [heard for tick in inputs.all(Microphone) if (heard := self._hear(tick)) is not None]

    def close(self) -> None:
        """Nothing to release."""

    def _hear(self, heard: Microphone) -> Hearing | None:
        metrics, last = self._context.metrics, self._last_tick
        pcm = heard.pcm
        if not isinstance(pcm, np.ndarray) or pcm.shape != (TICK_SAMPLES,) or pcm.dtype.kind != "f":
            metrics.count("bad")
            return None
        if last is not None and heard.tick > last + 1:
            metrics.count("gaps", heard.tick - last - 1)
        self._last_tick = heard.tick
        latent = self._latent_of(np.nan_to_num(pcm.astype(np.float32)))
        if not np.isfinite(latent).all():
            # A state that has gone bad would stay so: begin anew.
            metrics.count("nan")
            self._reset()
            latent = np.zeros_like(latent)
        return Hearing(
            tick=heard.tick,
            latent=latent,
            level_db=heard.level_db,
            # An encoder that looks ahead says late what it heard.
            capture_ns=max(0, heard.capture_ns - self._late_ns),
            stamps=dict(heard.stamps),
        )

    def _latent_of(self, pcm: np.ndarray) -> np.ndarray:
        frames = self._encoder.step(pcm=pcm)["frames"]
        return np.asarray(self._hearing.step(frames=frames)["latent"], np.float32).reshape(-1)

    def _reset(self) -> None:
        self._encoder.reset()
        self._hearing.reset()


def build() -> HearingStage:
    """The stage, for the runner."""
    return HearingStage()
