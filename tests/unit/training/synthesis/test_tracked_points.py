"""True points as the live eyes would have them, and the motion of hands that is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from performers.performer import SyntheticPerformer
from streaming.conventions import BODY_POINTS, HAND_FEATURES, HAND_POINTS, MOTION_FEATURES
from streaming.vision.eyes.person import SHOULDERS, Person
from streaming.vision.motion.hand_motion import HAND_INDEX
from tests.eye_world import hand_at
from training.datasets.hits import HitsClips
from training.synthesis import tracked_points
from training.synthesis.hand_faults import HandFaults
from training.synthesis.tracked_points import (
    TruePoints,
    hand_motion_of_clip,
    hand_motion_of_hits,
    hand_motion_of_performance,
    points_of_performer,
    track,
)

TICKS = 100
PALM = 0.1
KNOWN, X, HEIGHT, LOSS, SPEED = (HAND_INDEX[name] for name in ("known", "x", "height", "loss_down", "speed"))


def strokes(times_s: np.ndarray) -> np.ndarray:
    """Two hands that strike once a second, one after the other: float64 [N, 2, 21, 2]."""
    out = np.zeros((len(times_s), 2, HAND_POINTS, 2))
    for number, time_s in enumerate(times_s):
        for limb, x in enumerate((0.3, 0.7)):
            phase = (time_s + 0.5 * limb) % 1.0
            down = phase / 0.2 if phase < 0.2 else (1.0 - phase) / 0.8
            out[number, limb] = hand_at(x, 0.5 + 0.2 * down, PALM)
    return out


def truth(frames: int = TICKS, rate_hz: float = 25.0) -> TruePoints:
    times = np.arange(frames) / rate_hz
    return TruePoints(times, strokes(times), np.full((frames, BODY_POINTS, 2), np.nan))


def clips(age_s: np.ndarray | None = None) -> HitsClips:
    """One clip of hits."""
    age = np.full((1, TICKS), 0.01, np.float32) if age_s is None else age_s[None].astype(np.float32)
    captured = np.arange(TICKS) / 25.0 - age[0]
    empty = np.full((1, 8), np.nan, np.float32)
    return HitsClips(
        seed=np.array([1]),
        flow=np.zeros((1, TICKS, 2, 16, 16), np.float16),
        speed=np.zeros((1, TICKS, 16, 16), np.float16),
        features=np.zeros((1, TICKS, MOTION_FEATURES), np.float16),
        age_s=age,
        contact_s=empty,
        limb_stop_s=empty,
        strength=empty,
        visible=np.zeros((1, 8), np.bool_),
        sound_delay_s=np.zeros(1, np.float32),
        tips=np.zeros((1, TICKS, 2, 2), np.float16),
        hands=strokes(captured)[None].astype(np.float16),
    )


@pytest.fixture
def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """No faults but the jitter of points, and no bodies."""
    monkeypatch.setattr(tracked_points, "draw_faults", lambda rng: HandFaults(hands_jitter=0.0005))
    monkeypatch.setattr(tracked_points, "BODY_SHARE", 0.0)


def test_a_faultless_tracker_sees_where_the_hands_are() -> None:
    points = truth()
    people = track(points, np.random.default_rng(0), HandFaults())
    found = np.stack([person.hands for person in people])
    assert (found[..., 2] > 0.8).all()
    late = np.abs(found[..., :2] - points.hands).max((1, 2, 3))
    assert np.median(late) < 0.01, "the live filter alone holds them back"
    assert people[-1].scale == pytest.approx(PALM / 0.095, rel=0.3)
    assert all(person.body_score == 0.0 for person in people)


def test_exchanged_hands_keep_their_rows() -> None:
    points = truth()
    faults = HandFaults(exchanges_hz=3.0)
    people = track(points, np.random.default_rng(0), faults)
    slots = np.stack([person.hands[:, 0, 0] for person in people])
    assert len(np.unique(slots[:, 0] > 0.5)) == 2, "the tracker exchanges them"
    rows = hand_motion_of_clip(people, points.times_s, range(TICKS))
    assert (rows[:, 0, X] < 0).all()
    assert (rows[:, 1, X] > 0).all()


def test_ticks_without_a_frame_have_no_hands() -> None:
    points = truth(5)
    people = track(points, np.random.default_rng(0), HandFaults())
    rows = hand_motion_of_clip(people, points.times_s, [-1, 0, 0, 4])
    assert not rows[0].any()
    assert np.array_equal(rows[1], rows[2])
    assert rows[3, :, KNOWN].all()


def test_a_clip_of_hits_has_losses_where_hands_stop(clear: None) -> None:
    rows = hand_motion_of_hits(clips(), 0, np.random.default_rng(0))
    assert (rows.shape, str(rows.dtype)) == ((TICKS, 2, HAND_FEATURES), "float32")
    times = np.arange(TICKS) / 25.0
    for row, offset in ((0, 0.2), (1, 0.7)):
        strongest = times[rows[:, row, LOSS] > 0.5 * rows[25:, row, LOSS].max()]
        assert len(strongest) >= 3
        assert ((strongest - offset) % 1.0 < 0.13).all(), "within three ticks after the stop"


def test_frames_that_no_tick_takes_anew_change_nothing(clear: None) -> None:
    """A camera of 12.5 frames a second: each frame is of two ticks."""
    age = 0.01 + 0.04 * (np.arange(TICKS) % 2)
    rows = hand_motion_of_hits(clips(age), 0, np.random.default_rng(0))
    assert np.array_equal(rows[0::2], rows[1::2])
    assert rows[25:, 0, SPEED].max() > 0.5


def test_faults_are_drawn_from_the_generator_alone() -> None:
    one, again, other = (hand_motion_of_hits(clips(), 0, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_some_players_of_hits_have_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TruePoints] = []
    real = tracked_points.track

    def spy(points: TruePoints, rng: np.random.Generator) -> list[Person]:
        seen.append(points)
        return real(points, rng, HandFaults(blind=True))

    monkeypatch.setattr(tracked_points, "track", spy)
    rows = [hand_motion_of_hits(clips(), 0, np.random.default_rng(seed)) for seed in range(24)]
    bodies = [bool(np.isfinite(points.body).any()) for points in seen]
    assert 0 < sum(bodies) < 18
    for body, row in zip(bodies, rows, strict=True):
        known = row[:, :, KNOWN]
        assert known.any() == body, "the body's wrists stand in for hands that are not found"
        assert known.max() <= 0.5


@pytest.mark.parametrize("kind", ["drums", "air", "keys"])
def test_a_rendered_performer_has_the_points_of_a_person(kind: str) -> None:
    performer = SyntheticPerformer(kind, 5, size=(320, 240), duration_s=4.0)
    times = np.arange(TICKS) / 25.0
    points = points_of_performer(performer, times)
    joints = np.stack([performer.places(time, ["left_shoulder", "right_hand"]) for time in times])
    assert points.body[:, SHOULDERS[0]] == pytest.approx(joints[:, 0])
    assert np.hypot(*(points.hands[:, 1, 9] - joints[:, 1]).T).max() < 0.1
    people = track(points, np.random.default_rng(0), HandFaults())
    assert people[-1].body_score > 0.5
    rows = hand_motion_of_performance(performer, np.zeros(TICKS, np.float32), np.random.default_rng(1))
    assert rows.shape == (TICKS, 2, HAND_FEATURES)
    assert np.isfinite(rows).all()
