"""A performance replayed without sockets and clocks: real stages, real networks, time as an argument."""

from __future__ import annotations

import numpy as np
import pytest

from performers.performer import SyntheticPerformer
from streaming.audio.levels import decibels
from streaming.audio.true_peak_limiter import DELAY_SAMPLES
from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES
from streaming.schema.messages import Camera, Message, Motion, Sound, Speaker, Tokens
from streaming.settings.config import Show
from streaming.stage import Context, Inputs, Stage
from streaming.stages import motion, sound, tokens
from streaming.telemetry.metrics import Metrics

FRAMES = 60
MS = 1_000_000
START_NS = 10_000 * MS


def started(stage: Stage, show: Show) -> Stage:
    stage.setup(Context(show=show, metrics=Metrics(), now_ns=START_NS))
    return stage


def given(*messages: Message) -> Inputs:
    inputs = Inputs(started=True)
    for message in messages:
        inputs.messages.setdefault(type(message).__name__.lower(), []).append(message)
    return inputs


def replay(
    seed: int, kind: str = "drums", begin_s: float = 2.0, frames: int = FRAMES
) -> tuple[list[Tokens], list[Sound]]:
    """A player, for 2.4 s: a frame every tick; each tick's sound leaves 55 ms after its frame was captured."""
    show = Show(seed=seed, controls={"anticipation": 0.0})
    performer = SyntheticPerformer(kind, 3, size=(320, 240), duration_s=30.0)
    eye, player, voice = (started(module.build(), show) for module in (motion, tokens, sound))
    made: list[Tokens] = []
    heard: list[Sound] = []
    for n in range(frames):
        capture_ns = START_NS + n * TICK_NS
        frame = Camera(image=performer.frame(begin_s + n * 0.04), index=n, rate_hz=25.0, capture_ns=capture_ns)
        seen = eye.step(given(frame), capture_ns + 10 * MS)
        clock = Speaker(tick=n, dac_ns=capture_ns + 55 * MS)
        player.step(given(*seen, clock), capture_ns + 12 * MS)
        latch_ns = player.wake_ns()
        assert latch_ns is not None
        for token in player.step(given(), max(latch_ns, capture_ns + 12 * MS)):
            assert isinstance(token, Tokens)
            made.append(token)
            heard += [out for out in voice.step(given(token), latch_ns + 5 * MS) if isinstance(out, Sound)]
    for stage in (eye, player, voice):
        stage.close()
    return made, heard


@pytest.fixture(scope="module")
def performance() -> tuple[list[Tokens], list[Sound]]:
    return replay(1)


def test_every_tick_is_made_once_in_order_and_carries_its_frame(performance: tuple[list[Tokens], list[Sound]]) -> None:
    made, heard = performance
    assert [token.tick for token in made] == list(range(made[0].tick, made[0].tick + len(made)))
    assert len(made) >= FRAMES - 3
    assert [s.tick for s in heard] == [t.tick for t in made]
    for token, out in zip(made, heard, strict=True):
        assert out.pcm.shape == (TICK_SAMPLES,)
        assert np.isfinite(out.pcm).all()
        assert out.capture_ns == token.capture_ns - round(DELAY_SAMPLES * 1e9 / SAMPLE_RATE) > 0
        assert START_NS <= token.capture_ns < token.latch_ns
    assert sum(token.fresh for token in made) >= len(made) - 2


def test_the_same_seed_is_the_same_performance_and_another_is_not(
    performance: tuple[list[Tokens], list[Sound]],
) -> None:
    made, heard = performance
    again, heard_again = replay(1)
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(made, again, strict=True))
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(heard, heard_again, strict=True))
    other, _ = replay(2)
    assert any(not np.array_equal(a.frames, b.frames) for a, b in zip(made, other, strict=False))


def test_motion_is_seen_when_the_player_moves_and_not_when_he_rests() -> None:
    performer = SyntheticPerformer("drums", 3, size=(320, 240), duration_s=30.0)
    rest = next((start, end) for start, end in performer.score.rests if start > 2.0 and end - start > 1.0)
    eye = started(motion.build(), Show())
    playing, resting = [], []
    for n, t in enumerate(np.arange(rest[0] - 2.0, rest[1] - 0.35, 0.04)):
        at_ns = START_NS + n * TICK_NS
        for out in eye.step(given(Camera(image=performer.frame(float(t)), index=n, capture_ns=at_ns)), at_ns):
            assert isinstance(out, Motion)
            if n and t < rest[0]:
                playing.append(float(out.speed.mean()))
            elif t > rest[0] + 0.3:
                resting.append(float(out.speed.mean()))
    assert np.mean(playing) > 0.001
    assert np.mean(resting) < 0.2 * np.mean(playing)


@pytest.mark.parametrize("kind", ["drums", "strings"])
def test_the_music_is_silent_a_second_after_the_player_stops_and_is_not_before(kind: str) -> None:
    score = SyntheticPerformer(kind, 3, size=(320, 240), duration_s=30.0).score
    stop_s = next(start for start, end in score.rests if start > 2.0 and end - start > 1.5)
    made, heard = replay(1, kind, begin_s=stop_s - 1.6, frames=75)
    # The frame of tick n is captured at n ticks, and its sound leaves 55 ms later.
    leaves_s = [0.04 * token.tick + 0.055 - 1.6 for token in made]
    levels = dict(zip(leaves_s, (decibels(sound.pcm) for sound in heard), strict=True))
    assert max(level for at_s, level in levels.items() if -1.0 < at_s < 0.0) > -35.0
    assert max(level for at_s, level in levels.items() if 1.0 <= at_s < 1.3) <= -60.0
    assert min(token.gain for token in made[len(made) // 2 :]) <= 1e-3
