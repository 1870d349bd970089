"""The stage that decodes: the codes of each tick become its 1,280 samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engines.contract import Engine
from engines.registry import open_engine
from streaming.levels import decibels, limited
from streaming.messages import (
    CARDINALITY,
    NUM_CODEBOOKS,
    TICK_SAMPLES,
    TOKEN_FRAMES_PER_TICK,
    Message,
    Sound,
    Tokens,
)
from streaming.stage import Context, Inputs

_SHAPE = (NUM_CODEBOOKS, TOKEN_FRAMES_PER_TICK)
_REWOUND = 50
"""A tick this far behind the last one means that the device has begun to count anew; a nearer one is a repeat."""
_WARM_UP_STEPS = 3


class SoundStage:
    """Decodes ticks in order.

    A gap is counted and the decoder goes on from where it was. Codes that are no codes are counted and replaced by the
    last good ones.

    Args:
        engine_opener: opens the decoder; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
        self._last_tick: int | None = None
        self._codes = np.zeros(_SHAPE, np.int16)

    def setup(self, context: Context) -> None:
        """Open the decoder and run it warm.

        Raises:
            EngineError: when it cannot be opened.
        """
        show = context.show
        self._context = context
        self._engine = self._open_engine("decoder", bundle=show.bundle, backend=show.backend, seed=show.seed)
        for _ in range(_WARM_UP_STEPS):
            self._engine.step(codes=self._codes)
        self._engine.reset()
        spec = self._engine.spec
        context.info.update(
            backend=spec.runtime, device=spec.device, precision=spec.precision, latency_samples=spec.latency_samples
        )

    def wake_ns(self) -> int | None:
        """Only tokens make it step."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Decode every tick that came."""
        return [sound for tokens in inputs.all(Tokens) if (sound := self._decode(tokens)) is not None]

    def close(self) -> None:
        """Nothing to release."""

    def _decode(self, tokens: Tokens) -> Sound | None:
        metrics, last = self._context.metrics, self._last_tick
        if last is not None:
            if last - _REWOUND < tokens.tick <= last:
                metrics.count("repeats")
                return None
            if tokens.tick > last + 1:
                metrics.count("gaps", tokens.tick - last - 1)
        self._last_tick = tokens.tick
        codes = _checked(tokens.codes)
        if codes is None:
            metrics.count("bad")
            codes = self._codes
        self._codes = codes
        pcm = np.asarray(self._engine.step(codes=codes)["pcm"], dtype=np.float32).reshape(-1)
        if pcm.shape[0] != TICK_SAMPLES or not np.isfinite(pcm).all():
            # A state that has gone bad would stay so: begin anew with silence.
            metrics.count("nan")
            self._engine.reset()
            pcm = np.zeros(TICK_SAMPLES, np.float32)
        pcm = limited(pcm)
        metrics.gauge("level_db", decibels(pcm))
        return Sound(
            tick=tokens.tick, pcm=pcm, fresh=tokens.fresh, capture_ns=tokens.capture_ns, stamps=dict(tokens.stamps)
        )


def _checked(codes: Any) -> np.ndarray | None:
    """The codes as int16 [4, 2], None when they are not codes."""
    if not isinstance(codes, np.ndarray) or codes.shape != _SHAPE or codes.dtype.kind not in "iu":
        return None
    if codes.min() < 0 or codes.max() >= CARDINALITY:
        return None
    return codes.astype(np.int16)


def build() -> SoundStage:
    """The stage, for the runner."""
    return SoundStage()
