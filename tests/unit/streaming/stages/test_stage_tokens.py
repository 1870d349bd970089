"""The tokens stage: late latching, freshness, ages, anticipation, skipped ticks and live controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.conventions import TICK_NS
from streaming.errors import UserError
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Motion, Set, Speaker, Tokens
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages import tokens
from streaming.stages.tokens import Anticipation, TokensStage
from streaming.telemetry.metrics import Metrics
from streaming.timing.pacing import LatchLimits
from streaming.vision.gestures.gesture_names import GESTURE_INDEX
from streaming.vision.motion.feature_names import INDEX

S = 1_000_000_000
MS = 1_000_000


class FakeSight:
    """Its latent is the motion's embedding, so that a test can see which motion was looked at."""

    spec = EngineSpec("sight", "fake")

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        return {"latent": np.concatenate([inputs["embedding"], inputs["flow"].ravel()])}

    def reset(self) -> None:
        """Nothing to forget."""


class FakeTranslator:
    spec = EngineSpec("translator", "fake", config={"voice_names": ["drums", "strings"]})

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        latent = inputs["latent"]
        self.calls.append({**inputs, "embedding": latent[:128], "flow": latent[128:].reshape(2, 16, 16)})
        return {"frames": np.full((4, 2), len(self.calls), np.int16)}

    def reset(self) -> None:
        self.calls = []


class FakeKind:
    """Says that nobody is known where the embedding is negative."""

    spec = EngineSpec("kind", "fake", config={"kind_names": ["drums", "keys"]})

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        none = float(inputs["embedding"].mean() < 0)
        return {"odds": np.array([0.0, 1.0 - none, none], np.float32)}

    def reset(self) -> None:
        """Nothing to forget."""


def motion(capture_ns: int, value: float = 1.0) -> Motion:
    return Motion(
        flow=np.full((2, 16, 16), value, np.float32),
        speed=np.full((16, 16), value, np.float32),
        embedding=np.full(128, value, np.float32),
        capture_ns=capture_ns,
        stamps={"camera": capture_ns, "motion": capture_ns + MS},
    )


def made(duration_s: float | None = None, **controls: float | str) -> tuple[TokensStage, FakeTranslator, Context]:
    engine = FakeTranslator()
    engines: dict[str, Any] = {"sight": FakeSight(), "kind": FakeKind(), "translator": engine}
    stage = TokensStage(engine_opener=lambda network, **_: engines[network])
    context = Context(show=Show(duration_s=duration_s, controls=controls), metrics=Metrics())
    stage.setup(context)
    return stage, engine, context


def step(stage: TokensStage, now_ns: int, *messages: Any, controls: tuple[Set, ...] = ()) -> list[Tokens]:
    found: dict[str, list[Any]] = {}
    for message in messages:
        found.setdefault(type(message).__name__.lower(), []).append(message)
    return list(stage.step(Inputs(found, started=True, controls=list(controls)), now_ns))  # type: ignore[arg-type]


def test_nothing_is_made_before_the_device_speaks() -> None:
    stage, engine, _ = made()
    assert stage.wake_ns() is None
    assert step(stage, S, motion(S)) == []
    assert stage.wake_ns() is None
    assert engine.calls == []


def test_a_tick_waits_for_its_latch_and_reads_the_newest_motion() -> None:
    stage, engine, context = made(temperature=0.7, anticipation=80.0)
    assert step(stage, S, Speaker(tick=0, dac_ns=2 * S), motion(S)) == []
    latch = stage.wake_ns()
    assert latch == 2 * S - round(LatchLimits().initial * MS)
    newest = motion(latch - 13 * MS, 3.0)
    (tokens,) = step(stage, latch, newest)
    assert (tokens.tick, tokens.fresh, tokens.capture_ns) == (0, True, newest.capture_ns)
    assert tokens.stamps == newest.stamps
    assert tokens.stamps is not newest.stamps
    call = engine.calls[-1]
    assert call["age_s"] == pytest.approx(0.013)
    assert (call["time_s"], call["temperature"], call["anticipation_s"]) == (0.0, 0.7, 0.08)
    np.testing.assert_array_equal(call["flow"], newest.flow)
    assert stage.wake_ns() == latch + TICK_NS
    (again,) = step(stage, latch + TICK_NS)
    assert (again.tick, again.fresh, again.capture_ns) == (1, False, newest.capture_ns)
    assert engine.calls[-1]["time_s"] == pytest.approx(0.04)
    health = context.metrics.take()
    assert health.gauges["lead_ms"] == LatchLimits().initial
    assert health.gauges["anticipation_ms"] == 80.0
    assert context.memo["tick"] == 1


def test_without_motion_it_plays_stillness_and_old_motion_becomes_stillness() -> None:
    stage, engine, context = made()
    (tokens,) = step(stage, 2 * S, Speaker(tick=0, dac_ns=2 * S + 20 * MS))
    assert (tokens.fresh, tokens.capture_ns) == (False, 0)
    call = engine.calls[-1]
    assert call["age_s"] == 0.04
    assert not call["flow"].any()
    assert not call["embedding"].any()
    now = stage.wake_ns()
    assert now is not None
    step(stage, now, motion(now - 300 * MS))
    assert engine.calls[-1]["age_s"] == 0.2, "clipped to what the model knows"
    assert engine.calls[-1]["flow"].any()
    step(stage, now + 10 * TICK_NS)
    assert not engine.calls[-1]["flow"].any(), "a camera that has gone"
    assert engine.calls[-1]["embedding"].any()
    assert context.metrics.take().counters["stale"] == 1


def test_after_a_stall_ticks_are_skipped_and_none_is_made_twice() -> None:
    stage, engine, context = made()
    step(stage, S, Speaker(tick=0, dac_ns=S + 20 * MS))
    (tokens,) = step(stage, S + 10 * TICK_NS, Speaker(tick=9, dac_ns=S + 9 * TICK_NS + 20 * MS))
    assert tokens.tick == 10
    assert engine.calls[-1]["time_s"] == pytest.approx(0.4)
    assert context.metrics.take().counters["skipped"] == 9
    ticks = [tokens.tick]
    now = S + 10 * TICK_NS
    for _ in range(200):
        now += 7 * MS
        ticks += [message.tick for message in step(stage, now)]
    assert ticks == list(range(10, 10 + len(ticks)))


def test_the_wake_time_never_makes_it_spin() -> None:
    stage, _, _ = made()
    now = 100 * S
    step(stage, now, Speaker(tick=2000, dac_ns=now))
    for _ in range(50):
        wake = stage.wake_ns()
        assert wake is not None
        now = max(now, wake)
        assert step(stage, now), "every wake makes a tick"


def test_it_ends_with_the_performance() -> None:
    stage, _, _ = made(duration_s=0.08)
    now, ticks = S, []
    step(stage, now, Speaker(tick=0, dac_ns=S + 100 * MS))
    while (wake := stage.wake_ns()) is not None:
        ticks += [message.tick for message in step(stage, wake)]
    assert ticks == [0, 1]


@pytest.mark.parametrize("last", [40, 1_000 * 3_600 * 25], ids=["soon", "after 1,000 hours"])
def test_a_restart_goes_on_after_the_last_tick_it_remembers(last: int) -> None:
    engine = FakeTranslator()
    engines: dict[str, Any] = {"sight": FakeSight(), "kind": FakeKind(), "translator": engine}
    stage = TokensStage(engine_opener=lambda network, **_: engines[network])
    context = Context(show=Show(), metrics=Metrics(), memo={"tick": last, "lead_ms": 30.0})
    stage.setup(context)
    step(stage, S, Speaker(tick=last - 1, dac_ns=S))
    assert stage.wake_ns() == S + 2 * TICK_NS - 30 * MS
    (tokens,) = step(stage, S + 2 * TICK_NS - 30 * MS)
    assert (tokens.tick, tokens.dac_ns) == (last + 1, S + 2 * TICK_NS)
    # Nanoseconds of a thousand hours are whole in a double.
    assert engine.calls[-1]["time_s"] == (last + 1) * TICK_NS / 1e9


def test_controls() -> None:
    stage, engine, context = made()
    lines: list[str] = []
    context.note = lines.append
    controls = (Set(name="temperature", value=1.5), Set(name="anticipation", value=40), Set(name="unknown", value=1))
    step(stage, S, Speaker(tick=0, dac_ns=S + 20 * MS), controls=controls)
    assert engine.calls[-1]["temperature"] == 1.5
    assert engine.calls[-1]["anticipation_s"] == 0.04
    step(stage, S + TICK_NS, controls=(Set(name="temperature", value="hot"), Set(name="temperature", value=None)))
    assert engine.calls[-1]["temperature"] == 1.5
    assert len(lines) == 2
    assert "give 0 to 2" in lines[0]


def test_a_player_nobody_knows_is_played_by_the_gesture() -> None:
    stage, engine, context = made(sensitivity=2.0)
    now = S
    for tick in range(60):
        # Something falls, and stops at every eighth tick.
        seen = motion(now - 10 * MS, -1.0)
        seen.flow[:] = 0.0
        seen.flow[1, 4, 4] = 0.0 if tick % 8 == 7 else 0.1 * (tick % 8)
        seen.features[INDEX["activity"]] = 1.0
        step(stage, now, seen, *([Speaker(tick=0, dac_ns=S + 20 * MS)] if not tick else []))
        wake = stage.wake_ns()
        assert wake is not None
        now = wake
    gestures = np.stack([call["gesture"] for call in engine.calls])
    assert (gestures[:, GESTURE_INDEX["by_gesture"]] == 1.0).all()
    strikes = np.flatnonzero(gestures[16:, GESTURE_INDEX["strike_first"]])
    assert np.diff(strikes).tolist() == [8] * (strikes.size - 1)
    assert strikes.size >= 5
    health = context.metrics.take()
    assert health.gauges["known_player"] == 0.0


def test_a_known_player_is_played_by_the_latent() -> None:
    stage, engine, _ = made(guidance=1.5)
    step(stage, S, motion(S - 10 * MS, 1.0), Speaker(tick=0, dac_ns=S + 20 * MS))
    assert not engine.calls[-1]["gesture"].any()
    assert engine.calls[-1]["guidance"] == 1.5


def test_a_gesture_is_followed_more_firmly() -> None:
    stage, engine, _ = made(guidance=1.5)
    step(stage, S, motion(S - 10 * MS, -1.0), Speaker(tick=0, dac_ns=S + 20 * MS))
    assert engine.calls[-1]["guidance"] > 1.5


def test_a_named_instrument_gives_the_voice_of_a_player_nobody_knows() -> None:
    stage, engine, context = made()

    def play(tick: int, value: float, instrument: str, *messages: Any) -> int:
        seen = motion(S + tick * TICK_NS - 10 * MS, value)
        seen.instrument = instrument
        step(stage, S + tick * TICK_NS, seen, *messages)
        return int(engine.calls[-1]["voice"])

    assert play(0, -1.0, "none", Speaker(tick=0, dac_ns=S + 20 * MS)) == 0
    assert context.info["playing"] == "none of its kinds"
    assert play(1, -1.0, "air") == 0, "the bundle has no such voice"
    assert play(2, -1.0, "strings") == 2
    assert context.info["playing"] == "strings (seen by the eyes)"
    counters = context.metrics.take().counters
    assert (counters["playing.none"], counters["playing.strings"], counters["playing.air"]) == (1, 1, 1)
    step(stage, S + 60 * TICK_NS)
    assert engine.calls[-1]["voice"] == 2, "a camera that has gone leaves what it saw last"


def test_a_known_player_keeps_the_voice_of_its_picture() -> None:
    stage, engine, context = made()
    seen = motion(S - 10 * MS, 1.0)
    seen.instrument = "strings"
    step(stage, S, seen, Speaker(tick=0, dac_ns=S + 20 * MS))
    assert engine.calls[-1]["voice"] == 0
    assert context.info["playing"] == "keys (known to the bundle)"


def test_a_bundle_that_cannot_tell_kinds_says_nothing_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "has_network", lambda network, bundle: False)
    stage, engine, context = made()
    seen = motion(S - 10 * MS, -1.0)
    seen.instrument = "strings"
    step(stage, S, seen, Speaker(tick=0, dac_ns=S + 20 * MS))
    assert engine.calls[-1]["voice"] == 0
    assert "playing" not in context.info


def test_less_anticipation_than_none_waits_a_tick_to_be_surer_of_a_strike() -> None:
    stage, engine, _ = made(anticipation=-40.0)
    now, falls = S, [0.0, 0.0, 0.4, 0.9, 0.0, 0.0, 0.0]
    for tick, speed in enumerate(falls):
        seen = motion(now - 10 * MS, -1.0)
        seen.flow[:] = 0.0
        seen.flow[1, 4, 4] = speed
        step(stage, now, seen, *([Speaker(tick=0, dac_ns=S + 20 * MS)] if not tick else []))
        now = stage.wake_ns() or now
    struck = [tick for tick, call in enumerate(engine.calls) if call["gesture"][0] > 0]
    assert struck == [falls.index(0.9) + 2], "the stop is one tick after, and it is told one tick later"
    assert all(call["anticipation_s"] == 0.0 for call in engine.calls)


def test_panic_makes_the_networks_forget() -> None:
    stage, engine, _ = made()
    for tick in range(3):
        now = stage.wake_ns() or 2 * S
        step(stage, now, Speaker(tick=tick, dac_ns=2 * S + 20 * MS + tick * TICK_NS))
    before = len(engine.calls)
    step(stage, 2 * S, controls=(Set(name="panic", value=1.0),))
    assert before > 1
    assert engine.calls == []


def test_voice_and_guidance_are_live_controls() -> None:
    stage, engine, context = made(voice="strings", guidance=1.5)
    lines: list[str] = []
    context.note = lines.append
    step(stage, 2 * S, Speaker(tick=0, dac_ns=2 * S + 20 * MS))
    assert (engine.calls[-1]["voice"], engine.calls[-1]["guidance"]) == (2, 1.5)
    controls = (Set(name="voice", value="auto"), Set(name="guidance", value=3), Set(name="voice", value="kazoo"))
    now = stage.wake_ns()
    assert now is not None
    step(stage, now, controls=controls)
    assert (engine.calls[-1]["voice"], engine.calls[-1]["guidance"]) == (0, 3.0)
    assert len(lines) == 1
    assert "kazoo" in lines[0]
    assert "auto, drums, strings" in lines[0]
    with pytest.raises(UserError, match="kazoo"):
        made(voice="kazoo")


def test_anticipation_follows_the_measured_age_with_hysteresis() -> None:
    auto = Anticipation()
    assert auto.observe(0.072) == 0.08
    for _ in range(500):
        assert auto.observe(0.062) == 0.08
    for age in np.tile([0.055, 0.065], 300):
        assert auto.observe(age) == 0.08, "it does not flutter at the border"
    for _ in range(500):
        auto.observe(0.045)
    assert auto.seconds == 0.04
    for _ in range(500):
        auto.observe(0.4)
    assert auto.seconds == 0.12
    fixed = Anticipation(0.055)
    assert fixed.observe(0.3) == 0.055


@pytest.mark.parametrize("value", ["soon", -41.0, float("nan"), 121.0, 1000.0])
def test_an_anticipation_out_of_range_does_not_begin(value: float | str) -> None:
    with pytest.raises(UserError, match="anticipation"):
        made(anticipation=value)


def test_the_music_falls_silent_with_the_performer_and_is_there_with_the_first_motion() -> None:
    stage, _, context = made()
    gains: list[float] = []
    for tick, still_s in enumerate([10.0, 0.0, *(0.04 * index for index in range(1, 30)), 0.0]):
        at_ns = 2 * S + tick * TICK_NS
        newest = motion(at_ns - 60 * MS)
        newest.still_s = still_s
        (tokens,) = step(stage, at_ns - 30 * MS, Speaker(tick=tick, dac_ns=at_ns), newest)
        assert tokens.dac_ns == at_ns
        gains.append(tokens.gain)
    assert gains[:2] == [0.0, 1.0]
    assert gains[2:10] == [1.0] * 8
    assert gains[10:26] == sorted(gains[10:26], reverse=True)
    assert max(gains[25:31]) <= 1e-3
    assert gains[31] == 1.0
    assert context.metrics.take().counters["still"] >= 1


def test_without_a_motion_or_with_a_lost_camera_nothing_is_heard_and_without_knowledge_everything() -> None:
    stage, _, _ = made()
    (before,) = step(stage, 2 * S - 30 * MS, Speaker(tick=0, dac_ns=2 * S))
    assert before.gain == 0.0
    (unknown,) = step(stage, 2 * S + 10 * MS, Speaker(tick=1, dac_ns=2 * S + TICK_NS), motion(2 * S))
    assert unknown.gain == 1.0
    last = unknown.gain
    for tick in range(2, 60):
        at_ns = 2 * S + tick * TICK_NS
        (late,) = step(stage, at_ns - 30 * MS, Speaker(tick=tick, dac_ns=at_ns))
        assert late.gain <= last
        last = late.gain
    assert last == 0.0


def test_a_voice_is_made_as_loud_for_every_player(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["drums", "keys"]
    table = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    spec = EngineSpec("translator", "fake", config={"voice_names": names, "level_db": table})
    monkeypatch.setattr(FakeTranslator, "spec", spec)
    cases = (
        (1.0, "auto", "none", 4.0),
        (1.0, "keys", "none", 6.0),
        (-1.0, "drums", "none", 8.0),
        (-1.0, "auto", "none", 7.0),
        (-1.0, "auto", "keys", 9.0),
    )
    for value, voice, instrument, wanted in cases:
        stage, _, _ = made(voice=voice)
        seen = motion(S - 10 * MS, value)
        seen.instrument = instrument
        (made_tokens,) = step(stage, S, seen, Speaker(tick=0, dac_ns=S + 20 * MS))
        assert made_tokens.level_db == wanted


def test_at_the_highest_load_the_players_kind_is_kept() -> None:
    stage, engine, context = made()
    step(stage, S, motion(S - 10 * MS, 1.0), Speaker(tick=0, dac_ns=S + 20 * MS))
    context.load_level = max(LoadLevel)
    for _ in range(40):
        wake = stage.wake_ns()
        assert wake is not None
        assert step(stage, wake, motion(wake - 10 * MS, -1.0)), "every tick has its tokens"
    assert context.metrics.take().gauges["known_player"] == 1.0
    assert not engine.calls[-1]["gesture"].any()
