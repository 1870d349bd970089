"""How hands move: the same for every size, distance and frame rate; strikes show when they happen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import HAND_FEATURES
from streaming.vision.eyes.person import Person
from streaming.vision.motion.feature_names import LARGEST
from streaming.vision.motion.hand_motion import GAP_S, HAND_INDEX, HAND_NAMES, HandMotion, HandRange
from streaming.vision.motion.velocity_loss import WINDOW_S
from tests.people import SCALE, person_with

LOSS, SPEED, HEIGHT, VY = (HAND_INDEX[name] for name in ("loss_down", "speed", "height", "vy"))
DOWN_S, PERIOD_S = 0.2, 0.8


def stroke(time_s: float) -> float:
    """A strike each `PERIOD_S`: it falls 0.3 m in `DOWN_S`, stops dead, and rises slowly; metres below its top."""
    phase = time_s % PERIOD_S
    return 0.3 * phase / DOWN_S if phase < DOWN_S else 0.3 * (PERIOD_S - phase) / (PERIOD_S - DOWN_S)


def play(
    rate_hz: float, *, scale: float = SCALE, seconds: float = 4.0, motion: HandMotion | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Frame times, and the features of one hand that strikes."""
    motion = motion or HandMotion()
    times = 10.0 + np.arange(int(seconds * rate_hz)) / rate_hz
    rows = []
    for time_s in times.tolist():
        person = person_with(left=(0.3, 0.3 + scale * stroke(time_s - 10.0)))
        rows.append(motion.step(Person(hands=person.hands, scale=scale), time_s))
    return times - 10.0, np.stack(rows)[:, 0]


def run(people: list[Person], motion: HandMotion | None = None, rate_hz: float = 25.0) -> NDArray[np.float32]:
    motion = motion or HandMotion()
    return np.stack([motion.step(person, index / rate_hz) for index, person in enumerate(people)])


def test_names_and_shape() -> None:
    assert len(HAND_NAMES) == HAND_FEATURES
    out = HandMotion().step(Person(), 1.0)
    assert out.shape == (2, HAND_FEATURES)
    assert out.dtype == np.float32
    assert not out.any()


@pytest.mark.parametrize("rate_hz", [15.0, 25.0, 30.0, 60.0])
def test_a_strike_loses_its_downward_velocity_when_it_stops(rate_hz: float) -> None:
    times, rows = play(rate_hz)
    strikes = np.arange(1, 5) * PERIOD_S + DOWN_S
    peaks = [times[k] for k in range(1, len(times) - 1) if rows[k, LOSS] > 0.5 and rows[k, LOSS] > rows[k - 1, LOSS]]
    for strike in strikes:
        late = [peak - strike for peak in peaks if -1e-6 < peak - strike < 2.1 / rate_hz]
        assert len(late) >= 1, f"no loss at {strike}"
    assert all(np.abs(strikes - peak).min() < 2.1 / rate_hz + WINDOW_S or peak < PERIOD_S for peak in peaks)


def test_features_do_not_depend_on_distance_or_frame_rate() -> None:
    largest = [play(rate)[1][:, LOSS].max() for rate in (25.0, 50.0)]
    assert largest[0] == pytest.approx(largest[1], rel=0.35)
    near, far = (play(25.0, scale=scale)[1] for scale in (0.8, 0.2))
    columns = [HEIGHT, HAND_INDEX["vx"], VY, LOSS, SPEED]
    assert near[:, columns] == pytest.approx(far[:, columns], abs=1e-4)
    assert np.abs(near[:, VY]).max() == pytest.approx(np.log1p(1.5), rel=0.05), "metres a second, compressed"


def test_losses_and_speeds_are_over_the_performers_scale_and_multiplied_by_the_sensitivity() -> None:
    usual = play(25.0)[1]
    motion = HandMotion()
    motion.sensitivity = 2.0
    assert play(25.0, motion=motion)[1][:, SPEED].max() == pytest.approx(2 * usual[:, SPEED].max(), rel=1e-4)
    motion = HandMotion()
    motion.hold_scale(0.75)
    held = play(25.0, motion=motion)[1]
    assert held[:, SPEED].max() == pytest.approx(1.5 / 0.75, rel=0.05)
    assert motion.held_scale == 0.75
    motion.release_scale()
    assert motion.held_scale is None


def test_points_that_tremble_do_not_move() -> None:
    rng = np.random.default_rng(0)
    hands = [person_with(left=(0.3 + x, 0.3 + y)) for x, y in 0.00008 * rng.standard_normal((200, 2))]
    bodies = [person_with(body=(0.5 + x, 0.5 + y)) for x, y in 0.0008 * rng.standard_normal((200, 2))]
    for people in (hands, bodies):
        assert run(people)[:, :, SPEED].mean() < 0.05


def test_soft_strokes_count_like_large_ones_after_a_while() -> None:
    """A snare drum may be played with strokes of a tenth of the usual speed."""
    losses = []
    for size in (1.0, 0.1):
        people = [
            Person(hands=person_with(left=(0.3, 0.3 + SCALE * size * stroke(index / 25.0))).hands, scale=SCALE)
            for index in range(200)
        ]
        losses.append(run(people)[150:, 0, LOSS].max())
    assert losses[1] > 0.4 * losses[0]


def test_it_is_causal() -> None:
    """A change of what comes later changes nothing before."""
    rng = np.random.default_rng(0)
    people = [person_with(*rng.uniform(0.2, 0.8, (2, 2)).tolist()) for _ in range(20)]
    other = people[:12] + [person_with(left=(0.9, 0.9))] * 8
    assert np.array_equal(run(people)[:12], run(other)[:12])


def test_a_repeated_frame_has_its_features_once_and_then_nothing_moves() -> None:
    falling = [person_with(left=(0.3, 0.3 + 0.02 * index)) for index in range(6)]
    out = run([*falling, falling[-1], falling[-1]])
    assert out[5, 0, SPEED] > 0.5
    assert np.array_equal(out[6], out[5])
    assert out[7, 0, SPEED] == 0.0
    assert out[7, 0, LOSS] > 0.5, "it has stopped"
    motion = HandMotion()
    doubled = [person for person in falling for _ in (0, 1)]
    slow = run(doubled, motion, 50.0)
    assert slow[-1, 0, VY] == pytest.approx(out[5, 0, VY], rel=1e-4), "a repeated frame's time counts"


@pytest.mark.parametrize(("lost", "known"), [(1, True), (round(25 * GAP_S) + 2, False)])
def test_a_hand_that_was_lost_for_a_moment_has_a_velocity_at_once(lost: int, known: bool) -> None:
    people = [person_with(left=(0.3, 0.3 + 0.01 * index)) for index in range(20)]
    people[8 : 8 + lost] = [Person(scale=SCALE)] * lost
    out = run(people)
    assert not out[8 : 8 + lost].any()
    assert (out[8 + lost, 0, SPEED] > 0) == known
    assert out[9 + lost, 0, SPEED] > 0


def test_the_change_from_hand_to_wrist_is_no_movement() -> None:
    person = person_with(left=(0.62, 0.6), body=(0.5, 0.5))
    wrist = person_with(body=(0.5, 0.5))
    wrist.body[16, 2] = 0.0  # only one wrist is shown
    person.body[16, 2] = 0.0
    out = run([*[person] * 2, *[wrist] * 2, *[person] * 2])
    assert (out[:, 1, 0] > 0).all()
    assert not out[:, :, SPEED].any()


@pytest.mark.parametrize(("y", "expected"), [(0.5, 0.0), (0.2, 0.75 / 0.95), (0.05, 1.0), (0.7, 0.0)])
def test_height_is_from_the_hips_to_above_the_head(y: float, expected: float) -> None:
    person = person_with(left=(0.7, y), body=(0.5, 0.5))
    (left,) = (row for row in run([person])[0] if row[0] == 1.0)
    assert left[HEIGHT] == pytest.approx(expected, abs=1e-3)


def test_height_without_a_body_is_over_the_hands_own_range() -> None:
    ups = [0.0, 0.4, 0.0, 0.4, 0.0, 0.2]
    out = run([person_with(left=(0.3, 0.6 - up)) for up in ups])[:, 0, HEIGHT]
    assert out[1:5] == pytest.approx([1.0, 0.0, 1.0, 0.0], abs=0.15)
    assert 0.3 < out[5] < 0.7


def test_the_range_grows_at_once_and_shrinks_slowly_but_not_below_its_least() -> None:
    span = HandRange()
    assert span.observe(0.5, 0.1, 0.0) == pytest.approx(0.5)
    assert span.observe(0.9, 0.1, 0.04) == 1.0
    assert span.observe(0.5, 0.1, 0.04) < 0.15
    for _ in range(2000):
        rest = span.observe(0.7, 0.1, 0.04)
    assert 0.4 < rest < 0.6
    assert span.observe(0.72, 0.1, 0.04) == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("spoil", [lambda person: person.hands.__setitem__((0, 9), 1e6)])
def test_absurd_points_give_finite_features(spoil: Callable[[Person], None]) -> None:
    people = [person_with(left=(0.3, 0.3)), person_with(left=(0.3, 0.4))]
    spoil(people[1])
    out = run(people)
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 1e6
    assert np.abs(out[:, :, 4:]).max() <= LARGEST


def test_a_jump_in_time_breaks_the_motion_off() -> None:
    motion = HandMotion()
    motion.step(person_with(left=(0.3, 0.3)), 1.0)
    assert motion.step(person_with(left=(0.3, 0.5)), 2.0)[0, SPEED] == 0.0
    assert motion.step(person_with(left=(0.3, 0.6)), 2.04)[0, SPEED] > 0.0
