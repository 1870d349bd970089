"""The stage that plays: as late as each tick allows, it translates the newest motion into the tick's token frames."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from engines.contract import Engine, EngineSpec
from engines.registry import has_network, open_engine
from streaming.audio.stillness_gate import StillnessGate
from streaming.audio.voice_levels import VoiceLevels
from streaming.conventions import EMBEDDING_DIM, FLOW_GRID, TICK_NS, TICKS_PER_SECOND
from streaming.errors import SettingError, UserError
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Message, Motion, Set, Speaker, Tokens
from streaming.settings.control_values import ControlValues
from streaming.settings.controls import CONTROLS
from streaming.stage import Context, Inputs
from streaming.timing.pacing import LatchController, LatchLimits, TickSchedule
from streaming.vision.gestures.gesture_reader import PlayerMotion
from streaming.vision.gestures.named_instrument import guidance_of_tick, kind_of_player, player_in_words, voice_of_tick
from streaming.vision.gestures.tick_gestures import TickGestures
from streaming.vision.motion.feature_names import INDEX

ANTICIPATIONS_S = CONTROLS["anticipation"].stops()
"""The look-aheads in seconds that can be chosen. The translator is trained with those from 0 on; with less than 0, a
strike is decided a tick after it."""
MAX_AGE_S = 0.2
"""Greatest age of a motion that the networks are given; they are trained with 0 to 0.1 s."""
STALE_S = 0.5
"""A motion older than this counts as stillness: a lost camera must not keep playing."""
_HYSTERESIS_S = 0.008
_AGE_WEIGHT = 0.02
_WARM_UP_STEPS = 3


class Anticipation:
    """Chooses the look-ahead from the age that motion has when it is heard, with hysteresis.

    Args:
        fixed_s: the look-ahead in seconds; None to follow the measured age.
    """

    def __init__(self, fixed_s: float | None = None) -> None:
        self._age_s: float | None = None
        self._auto = fixed_s is None
        self.seconds = fixed_s or 0.0

    def observe(self, age_s: float) -> float:
        """Take in a motion's age in seconds when its sound leaves the device; returns the look-ahead in seconds."""
        if not self._auto:
            return self.seconds
        if self._age_s is None:
            self.seconds = _nearest(age_s)
        mean = age_s if self._age_s is None else self._age_s + _AGE_WEIGHT * (age_s - self._age_s)
        self._age_s = mean
        half_way = (ANTICIPATIONS_S[1] - ANTICIPATIONS_S[0]) / 2.0
        if abs(mean - self.seconds) > half_way + _HYSTERESIS_S:
            self.seconds = _nearest(mean)
        return self.seconds


def _nearest(age_s: float) -> float:
    return min(ANTICIPATIONS_S, key=lambda step: abs(step - age_s))


class TokensStage:
    """Late latching: it waits until a tick's work must begin, then reads the newest motion.

    Every tick runs sight, which encodes the motion to a latent, and the translator. Where the bundle can tell that a
    player is of no kind it knows, the translator plays by the gesture in place of the latent, and with the voice "auto"
    in that of the instrument which the eyes name. While the performer stands still the stage closes the gate of the
    music, as a gain in the message.

    Args:
        engine_opener: opens them; see `engines.registry.open_engine`.
    """

    def __init__(self, engine_opener: Callable[..., Engine] = open_engine) -> None:
        self._open_engine = engine_opener
        self._motion: Motion | None = None
        self._unused = False
        self._step_ns = 0
        self._gate = StillnessGate()

    def setup(self, context: Context) -> None:
        """Open the networks and run them warm.

        Raises:
            UserError: for a control that is out of its range, or a voice that the bundle has not.
            EngineError: when a network cannot be opened.
        """
        show, memo = context.show, context.memo
        self._context = context
        self._controls = ControlValues("tokens", show, self._refuse)
        self._anticipation = self._new_anticipation()
        self._end_tick = None if show.duration_s is None else round(show.duration_s * TICKS_PER_SECOND)
        limits = LatchLimits()
        self._latch = LatchController(replace(limits, initial=float(memo.get("lead_ms", limits.initial))))
        self._schedule = TickSchedule(int(memo.get("tick", -1)))
        self._still = Motion(
            flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32),
            speed=np.zeros((FLOW_GRID, FLOW_GRID), np.float32),
            embedding=np.zeros(EMBEDDING_DIM, np.float32),
            still_s=math.inf,
        )
        opener = functools.partial(self._open_engine, **context.engine_options())
        self._sight = opener("sight")
        self._engine = opener("translator", seed=show.seed)
        kind = opener("kind") if has_network("kind", show.bundle) else None
        self._gestures, self._tells_kinds = TickGestures(kind), kind is not None
        self._voice = self._tick_voice = voice_number(self._controls.word("voice"), self._engine.spec)
        self._voice_names = voice_names_of(self._engine.spec)
        self._levels = VoiceLevels(self._engine.spec.config)
        for index in range(_WARM_UP_STEPS):
            self._run(self._still, age_s=0.04, time_s=index * TICK_NS / 1e9)
        self._forget()
        context.add_engines(self._sight, self._engine, *([] if kind is None else [kind]))

    def wake_ns(self) -> int | None:
        """When the next tick's work begins; None before the device's time is known and after the last tick."""
        planned = self._schedule.next(self._step_ns, self._latch.lead_ms, self._latch.needed_ms)
        if planned is None or self._is_over(planned[0]):
            return None
        return planned[1]

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take in the device's clock and the newest motion; make the next tick when it is due."""
        self._step_ns = now_ns
        self._obey(inputs.controls)
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
        age_s, used = 0.04, self._still
        if motion is not None:
            age_s = (now_ns - motion.capture_ns) / 1e9
            if age_s <= STALE_S:
                used = motion
                self._anticipation.observe((self._schedule.dac_ns(tick) - motion.capture_ns) / 1e9)
            else:
                used = _stillness(self._still, motion)
                metrics.count("stale")
        frames = self._run(used, age_s=min(max(age_s, 0.0), MAX_AGE_S), time_s=tick * TICK_NS / 1e9)
        fresh, self._unused = self._unused, False
        gain, dac_ns = self._gate.step(used.still_s), self._schedule.dac_ns(tick)
        if gain == 0.0:
            metrics.count("still")
        metrics.gauge("lead_ms", self._latch.lead_ms)
        metrics.gauge("anticipation_ms", 1e3 * self._anticipation.seconds)
        metrics.gauge("known_player", float(self._gestures.player.is_known))
        self._context.memo.update(tick=tick, lead_ms=self._latch.lead_ms)
        self._say_player(used.instrument)
        level_db = self._levels.gain_db(self._gestures.player.kind, self._tick_voice)
        if motion is None:
            return Tokens(tick=tick, frames=frames, latch_ns=now_ns, gain=gain, level_db=level_db, dac_ns=dac_ns)
        return Tokens(
            tick=tick,
            frames=frames,
            fresh=fresh,
            latch_ns=now_ns,
            gain=gain,
            level_db=level_db,
            dac_ns=dac_ns,
            capture_ns=motion.capture_ns,
            stamps=dict(motion.stamps),
        )

    def _run(self, motion: Motion, age_s: float, time_s: float) -> np.ndarray:
        seconds = self._anticipation.seconds
        self._gestures.asks_kind = self._context.load_level < LoadLevel.PLAYER_KIND
        sight = self._sight.step(flow=motion.flow, speed=motion.speed, embedding=motion.embedding, age_s=age_s)
        moved = PlayerMotion(motion.flow, motion.features, motion.hands_motion, motion.still_s)
        gesture = self._gestures.step(moved, motion.embedding, patient=seconds < 0.0)
        self._tick_voice = voice_of_tick(self._voice, gesture, motion.instrument, self._voice_names)
        outputs = self._engine.step(
            latent=sight["latent"],
            age_s=age_s,
            time_s=time_s,
            temperature=self._controls["temperature"],
            anticipation_s=max(0.0, seconds),
            voice=self._tick_voice,
            guidance=guidance_of_tick(self._controls["guidance"], gesture),
            gesture=gesture,
        )
        frames: np.ndarray = np.asarray(outputs["frames"])
        return frames

    def _say_player(self, instrument: str) -> None:
        """Show which kind of player is played, and count its ticks, where the bundle can tell kinds."""
        if not self._tells_kinds:
            return
        known = self._gestures.player.kind
        self._context.info["playing"] = player_in_words(known, instrument)
        self._context.metrics.count(f"playing.{kind_of_player(known, instrument)}")

    def _is_over(self, tick: int) -> bool:
        return self._end_tick is not None and tick >= self._end_tick

    def _obey(self, changes: Sequence[Set]) -> None:
        """Take in live controls; a note says which cannot be used, and its present value stays."""
        for name in (name for change in changes for name in self._controls.update([change])):
            if name == "anticipation":
                self._anticipation = self._new_anticipation()
            elif name == "sensitivity":
                self._gestures.reader.sensitivity = self._controls["sensitivity"]
            elif name == "panic" and self._controls.is_on("panic"):
                self._forget()
            elif name == "voice":
                try:
                    self._voice = voice_number(self._controls.word("voice"), self._engine.spec)
                except UserError as error:
                    self._refuse(error)

    def _new_anticipation(self) -> Anticipation:
        auto = self._controls.word("anticipation") == "auto"
        return Anticipation(None if auto else self._controls["anticipation"])

    def _forget(self) -> None:
        """Begin anew: the networks forget what was seen and played."""
        self._sight.reset()
        self._engine.reset()
        self._gestures.reset()
        self._gestures.reader.sensitivity = self._controls["sensitivity"]

    def _refuse(self, error: UserError) -> None:
        self._context.note(str(error))


def _stillness(still: Motion, motion: Motion) -> Motion:
    """A motion without its flow, long still: only its embedding, its instrument and the scale of its motion."""
    features = still.features.copy()
    features[INDEX["scale"]] = motion.features[INDEX["scale"]]
    return Motion(
        flow=still.flow,
        speed=still.speed,
        embedding=motion.embedding,
        features=features,
        still_s=math.inf,
        instrument=motion.instrument,
    )


def voice_names_of(spec: EngineSpec) -> list[str]:
    """The voices of a translator, numbered from 1."""
    return [str(name) for name in spec.config.get("voice_names", ())]


def voice_number(name: str, spec: EngineSpec) -> int:
    """The number of a bundle's voice; 0 for "auto".

    Raises:
        SettingError: for a voice that the bundle does not have.
    """
    names = voice_names_of(spec)
    if name == "auto":
        return 0
    if name not in names:
        raise SettingError("voice", name, "is no voice of the bundle", f"use one of {', '.join(['auto', *names])}")
    return 1 + names.index(name)


def build() -> TokensStage:
    """The stage, for the process table."""
    return TokensStage()
