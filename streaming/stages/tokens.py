"""The stage that plays the instrument: at the latch of each tick it turns the newest motion into the tick's frames."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engines.contract import Engine, EngineSpec
from engines.registry import open_engine
from streaming.conventions import EMBEDDING_DIM, FLOW_GRID, TICK_NS, TICKS_PER_SECOND
from streaming.errors import UserError
from streaming.schema.messages import Message, Motion, Set, Speaker, Tokens
from streaming.stage import Context, Inputs
from streaming.timing.pacing import LatchController, LatchLimits, TickSchedule

ANTICIPATIONS_MS = (0.0, 40.0, 80.0, 120.0)
"""The look-ahead conditions that the translator is trained with."""
MAX_AGE_S = 0.2
"""The oldest a motion is said to be; the networks are trained with 0 to 0.1 s."""
STALE_S = 0.5
"""A motion older than this counts as stillness: a camera that has gone must not play on for ever."""
_HYSTERESIS_MS = 8.0
_AGE_WEIGHT = 0.02
_WARM_UP_STEPS = 3


class Anticipation:
    """Chooses the look-ahead from the age that motion has when it is heard, with hysteresis.

    Args:
        setting: "auto", or milliseconds.

    Raises:
        UserError: when it is neither.
    """

    def __init__(self, setting: str) -> None:
        self._age_ms: float | None = None
        self._auto = setting == "auto"
        self.ms = 0.0
        if self._auto:
            return
        try:
            self.ms = float(setting)
        except ValueError:
            self.ms = -1.0
        if not 0.0 <= self.ms <= 1000.0:
            raise UserError(
                f"{setting!r} is not a look-ahead",
                "--anticipation",
                "use auto, or milliseconds such as 0, 40, 80 or 120",
            )

    def observe(self, age_ms: float) -> float:
        """Take in the age of a motion at the time its sound leaves the device; returns the look-ahead in ms."""
        if not self._auto:
            return self.ms
        if self._age_ms is None:
            self.ms = _nearest(age_ms)
        mean = age_ms if self._age_ms is None else self._age_ms + _AGE_WEIGHT * (age_ms - self._age_ms)
        self._age_ms = mean
        # Half-way between two steps is 20 ms from both.
        if abs(mean - self.ms) > 20.0 + _HYSTERESIS_MS:
            self.ms = _nearest(mean)
        return self.ms


def _nearest(age_ms: float) -> float:
    return min(ANTICIPATIONS_MS, key=lambda step: abs(step - age_ms))


class TokensStage:
    """Late latching: waits until a tick's work must begin, then reads the newest motion.

    Every tick runs two networks: sight, whose latent says what is seen, and the translator.

    Args:
        engine_opener: opens them; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
        self._motion: Motion | None = None
        self._unused = False
        self._seen_ns = 0

    def setup(self, context: Context) -> None:
        """Open the networks and run them warm.

        Raises:
            UserError: for an anticipation that is not one, or a voice that the bundle has not.
            EngineError: when a network cannot be opened.
        """
        show, memo = context.show, context.memo
        self._context = context
        self._anticipation = Anticipation(show.anticipation)
        self._temperature = show.temperature
        self._end_tick = None if show.duration_s is None else round(show.duration_s * TICKS_PER_SECOND)
        limits = LatchLimits()
        self._latch = LatchController(replace(limits, initial=float(memo.get("lead_ms", limits.initial))))
        self._schedule = TickSchedule(int(memo.get("tick", -1)))
        self._still = Motion(
            flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32),
            speed=np.zeros((FLOW_GRID, FLOW_GRID), np.float32),
            embedding=np.zeros(EMBEDDING_DIM, np.float32),
        )
        opener = functools.partial(self._open_engine, **context.engine_options())
        self._sight = opener("sight")
        self._engine = opener("translator", seed=show.seed)
        self._voice = _voice(show.voice, self._engine.spec)
        self._guidance = show.guidance
        for index in range(_WARM_UP_STEPS):
            self._run(self._still, age_s=0.04, time_s=index * TICK_NS / 1e9)
        self._sight.reset()
        self._engine.reset()
        context.add_engines(self._sight, self._engine)

    def wake_ns(self) -> int | None:
        """When the next tick's work begins; None before the device's time is known and after the last tick."""
        planned = self._schedule.next(self._seen_ns, self._latch.lead_ms, self._latch.needed_ms)
        if planned is None or self._is_over(planned[0]):
            return None
        return planned[1]

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take the device's time and the newest motion; make a tick when its time has come."""
        self._seen_ns = now_ns
        for control in inputs.controls:
            self._set(control)
        motion = inputs.latest(Motion)
        if motion is not None:
            self._motion, self._unused = motion, True
        for speaker in inputs.all(Speaker):
            self._schedule.observe(speaker.tick, speaker.dac_ns, speaker.rate_hz)
            self._latch.update(speaker.slack_ms, now_ns)
        planned = self._schedule.next(now_ns, self._latch.lead_ms, self._latch.needed_ms)
        if planned is None or planned[1] > now_ns or self._is_over(planned[0]):
            return []
        return [self._make(planned[0], now_ns)]

    def close(self) -> None:
        """Nothing to release."""

    def _make(self, tick: int, now_ns: int) -> Tokens:
        metrics, motion = self._context.metrics, self._motion
        if skipped := self._schedule.take(tick):
            metrics.count("skipped", skipped)
        age_s = 0.04
        seen = self._still
        if motion is not None:
            age_s = (now_ns - motion.capture_ns) / 1e9
            heard_ms = (self._schedule.dac_ns(tick) - motion.capture_ns) / 1e6
            if age_s <= STALE_S:
                seen = motion
                self._anticipation.observe(heard_ms)
            else:
                seen = _stillness(self._still, motion)
                metrics.count("stale")
        frames = self._run(seen, age_s=min(max(age_s, 0.0), MAX_AGE_S), time_s=tick * TICK_NS / 1e9)
        fresh, self._unused = self._unused, False
        metrics.gauge("lead_ms", self._latch.lead_ms)
        metrics.gauge("anticipation_ms", self._anticipation.ms)
        self._context.memo.update(tick=tick, lead_ms=self._latch.lead_ms)
        if motion is None:
            return Tokens(tick=tick, frames=frames, latch_ns=now_ns)
        return Tokens(
            tick=tick,
            frames=frames,
            fresh=fresh,
            latch_ns=now_ns,
            capture_ns=motion.capture_ns,
            stamps=dict(motion.stamps),
        )

    def _run(self, motion: Motion, age_s: float, time_s: float) -> np.ndarray:
        seen = self._sight.step(flow=motion.flow, speed=motion.speed, embedding=motion.embedding, age_s=age_s)
        found = self._engine.step(
            latent=seen["latent"],
            age_s=age_s,
            time_s=time_s,
            temperature=self._temperature,
            anticipation_s=self._anticipation.ms / 1e3,
            voice=self._voice,
            guidance=self._guidance,
        )
        frames: np.ndarray = np.asarray(found["frames"])
        return frames

    def _is_over(self, tick: int) -> bool:
        return self._end_tick is not None and tick >= self._end_tick

    def _set(self, control: Set) -> None:
        """A live control; one that makes no sense is said and ignored."""
        try:
            if control.name == "temperature":
                self._temperature = _number("temperature", control.value)
            elif control.name == "guidance":
                self._guidance = _number("guidance", control.value)
            elif control.name == "voice":
                self._voice = _voice(str(control.value), self._engine.spec)
            elif control.name == "anticipation":
                self._anticipation = Anticipation(str(control.value))
        except UserError as error:
            self._context.note(str(error))


def _stillness(still: Motion, motion: Motion) -> Motion:
    """Stillness before the eyes of a motion: its embedding, no flow."""
    return Motion(flow=still.flow, speed=still.speed, embedding=motion.embedding)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0.0 <= number <= 4.0:
        raise UserError(f"{value!r} is not a {name}", name, "use a number from 0 to 4")
    return number


def _voice(name: str, spec: EngineSpec) -> int:
    """The number of a bundle's voice; 0 for "auto"."""
    names = [str(known) for known in spec.config.get("voice_names", ())]
    if name == "auto":
        return 0
    if name not in names:
        raise UserError(
            f"the bundle has no voice {name!r}", "--voice", f"use auto, {', '.join(names) or 'nothing else'}"
        )
    return 1 + names.index(name)


def build() -> TokensStage:
    """The stage, for the runner."""
    return TokensStage()
