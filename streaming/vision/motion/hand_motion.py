"""The motion of each hand from frame to frame: causal, normalised to the player, the same live and in training.

It is made of points alone, so that a synthetic performer's points go through the same code as a person's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import HAND_FEATURES
from streaming.vision.eyes.person import SHOULDERS, TORSO_M, Person
from streaming.vision.motion.feature_names import LARGEST
from streaming.vision.motion.features import HOLD_S, MAX_INTERVAL_S, MIN_INTERVAL_S
from streaming.vision.motion.hand_rows import (
    LEAST_SCALE,
    HandPlace,
    LastPlace,
    assign_rows,
    find_hands,
)
from streaming.vision.motion.running_scale import RunningScale
from streaming.vision.motion.velocity_loss import WINDOW_S

HAND_NAMES = ("known", "x", "y", "height", "vx", "vy", "loss_down", "speed")
"""The columns of a hand's features; all are 0 for a hand that is not known.

known: 0 to 1, at most `hand_rows.STAND_IN` where the body's points stand in for the hand. x, y: -1 to 1 over the
square view, right and down, beyond it outside the view. height: 0 to 1, from the hips to above the head where the body
is seen, else over the hand's own usual range. vx, vy: velocity right and down in metres a second at the player's scale,
as sign(v) ln(1 + |v|). loss_down: the largest loss of downward velocity of the last `HOLD_S`, against the velocities of
up to `WINDOW_S` before; speed: of the hand; both as multiples of the running scale of the faster hand's speed, 0 to
`LARGEST`. A row is one hand as long as it is followed: see `hand_rows.assign_rows`.
"""
HAND_INDEX = {name: index for index, name in enumerate(HAND_NAMES)}
GUESSED_SPEED, LEAST_SPEED = 0.5, 0.04
"""Scale of a hand's speed before one has moved, and at least; metres a second. Soft strokes on a snare drum move the
hand by 0.1, a pianist's by 0.5."""
HAND_JITTER, BODY_JITTER = 0.01, 0.3
"""Speed in metres a second that the jitter of points gives to a hand at rest, seen itself or by the body's points;
velocities are lessened by so much."""
GAP_S = 0.12
"""A hand that was lost for no longer has a velocity at once: blurred hands are often lost just when they strike."""
ABOVE_SHOULDERS_M = 0.45
"""A hand so far above the shoulders, in metres, is above the head."""
SHOULDERS_VISIBLE = 0.5
BODY_MEMORY_S = 1.0
"""So long the place of a lost body's shoulders is remembered."""
RANGE_S, LEAST_RANGE_M = 20.0, 0.3
"""The usual range of a hand's height shrinks with this time constant, in seconds, and not below this, in metres."""


class HandRange:
    """The usual range of a hand's height, which grows at once and shrinks slowly."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget it."""
        self._low = self._high = math.nan

    def observe(self, up: float, least: float, interval_s: float) -> float:
        """Take in a height, and return it as a share of the range.

        Args:
            up: the height, in sides of the view.
            least: smallest range, in the same unit.
            interval_s: time since the one before in seconds.

        Returns:
            0 to 1; 0.5 for the first one.
        """
        if math.isnan(self._low):
            self._low = self._high = up
        share = 1.0 - math.exp(-interval_s / RANGE_S)
        self._low = min(self._low + share * (up - self._low), up)
        self._high = max(self._high + share * (up - self._high), up)
        if (missing := least - (self._high - self._low)) > 0.0:
            self._low, self._high = self._low - missing / 2, self._high + missing / 2
        return (up - self._low) / max(self._high - self._low, 1e-9)


class FollowedHand:
    """What is remembered of the hand of one row."""

    def __init__(self) -> None:
        self.range = HandRange()
        self.reset()

    def reset(self) -> None:
        """Forget the hand, and its range."""
        self.range.reset()
        self.break_off()

    def break_off(self) -> None:
        """Forget where the hand was and how it moved: what comes next is another movement."""
        self.last: LastPlace | None = None
        self._from_body = False
        self._down: tuple[tuple[float, float], ...] = ()
        self._losses: tuple[tuple[float, float], ...] = ()

    def follow(self, hand: HandPlace, scale: float, time_s: float) -> tuple[NDArray[np.float64] | None, float, float]:
        """Take in where the hand is now.

        Args:
            hand: of this frame.
            scale: view sides that a metre spans.
            time_s: when.

        Returns:
            Its velocity [2] in metres a second, None where it is not known yet; the largest loss of downward velocity
            of the last `HOLD_S` in the same unit; and the time since it was seen before, in seconds, 0 for never.
        """
        last, known_before = self.last, self.last is not None and self._from_body == hand.from_body
        self.last, self._from_body = LastPlace(hand.place, time_s), hand.from_body
        gap_s = 0.0 if last is None else time_s - last.time_s
        velocity = None
        if last is None or not known_before or not 0.0 < gap_s <= GAP_S:
            self._down = ()
        else:
            velocity = (hand.place - last.place) / (max(gap_s, MIN_INTERVAL_S) * max(scale, LEAST_SCALE))
            jitter = BODY_JITTER if hand.from_body else HAND_JITTER
            velocity *= max(0.0, 1.0 - jitter / max(float(np.hypot(*velocity)), 1e-6))
            down = max(0.0, float(velocity[1]))
            recent = [value for then_s, value in self._down if time_s - then_s <= WINDOW_S]
            recent += [value for _, value in self._down[-1:]]
            loss = max(0.0, max(recent, default=0.0) - down)
            self._down = (*self._down[-8:], (time_s, down))
            self._losses = (*self._losses[-8:], (time_s, loss))
        held = [loss for then_s, loss in self._losses if time_s - then_s < HOLD_S]
        return velocity, max(held, default=0.0), max(0.0, gap_s)


class HandMotion:
    """Makes the features of both hands, frame by frame."""

    def __init__(self) -> None:
        self.sensitivity = 1.0
        """By what speed and loss are multiplied."""
        self._tracks = (FollowedHand(), FollowedHand())
        self._speed_scale = RunningScale(GUESSED_SPEED, LEAST_SPEED)
        self.reset()

    def reset(self) -> None:
        """Forget everything, the scale too."""
        for track in self._tracks:
            track.reset()
        self._speed_scale.reset()
        self._time_s = -math.inf
        self._person: Person | None = None
        self._repeated = False
        self._shoulders: tuple[float, float] | None = None
        self._features = np.zeros((2, HAND_FEATURES), np.float32)

    @property
    def held_scale(self) -> float | None:
        """The scale of the hands' speed in metres a second, where it is held."""
        return self._speed_scale.held

    def forget_scale(self) -> None:
        """Let the scale begin anew, as at the first frame."""
        self._speed_scale.reset()

    def hold_scale(self, scale: float | None = None) -> None:
        """Keep a given or the present scale, until `release_scale`, `forget_scale` or `reset`."""
        self._speed_scale.hold(scale)

    def release_scale(self) -> None:
        """Let the scale adapt again."""
        self._speed_scale.release()

    def step(self, person: Person, time_s: float) -> NDArray[np.float32]:
        """The features of the next frame: float32 [2, HAND_FEATURES], see `HAND_NAMES`.

        A person whose points are exactly those of the frame before is of a frame that was sent twice: it has the same
        features, once. A second repetition means that nothing moves.

        Args:
            person: in the frame.
            time_s: when it was captured, in seconds; a jump of more than `MAX_INTERVAL_S` breaks every motion off.
        """
        if self._repeats(person) and not self._repeated and 0.0 < time_s - self._time_s <= MAX_INTERVAL_S:
            self._repeated = True
            return self._features.copy()
        self._repeated = False
        self._person, interval_s, self._time_s = person, time_s - self._time_s, time_s
        if not 0.0 < interval_s <= MAX_INTERVAL_S:
            for track in self._tracks:
                track.break_off()
            self._shoulders = None
        self._find_shoulders(person, time_s)
        hands = assign_rows(find_hands(person), [track.last for track in self._tracks], person.scale, time_s)
        out = np.zeros((2, HAND_FEATURES))
        velocities = []
        for row, (track, hand) in enumerate(zip(self._tracks, hands, strict=True)):
            if hand is None:
                continue
            velocity, loss, gap_s = track.follow(hand, person.scale, time_s)
            speed = 0.0
            if velocity is not None:
                speed = float(np.hypot(*velocity))
                velocities.append(speed)
                out[row, 4:6] = np.sign(velocity) * np.log1p(np.abs(velocity))
            out[row, :3] = (hand.known, *(2.0 * hand.place - 1.0))
            out[row, 3] = self._height(track, hand, person.scale, gap_s)
            out[row, 6:] = loss, speed
        if velocities:
            self._speed_scale.observe(max(velocities), min(max(interval_s, MIN_INTERVAL_S), MAX_INTERVAL_S))
        out[:, 6:] *= self.sensitivity / self._speed_scale.value
        self._features = np.clip(out, -LARGEST, LARGEST).astype(np.float32)
        return self._features.copy()

    def _repeats(self, person: Person) -> bool:
        """Whether somebody is seen, at exactly the points of the frame before."""
        before = self._person
        if before is None or not self._features[:, 0].any():
            return False
        return np.array_equal(before.hands, person.hands) and np.array_equal(before.body, person.body)

    def _find_shoulders(self, person: Person, time_s: float) -> None:
        """Remember where the shoulders are: their y, and when."""
        points = person.body[list(SHOULDERS)]
        if person.body_score > 0 and points[:, 2].min() > SHOULDERS_VISIBLE:
            self._shoulders = float(points[:, 1].mean()), time_s
        elif self._shoulders is not None and time_s - self._shoulders[1] > BODY_MEMORY_S:
            self._shoulders = None

    def _height(self, track: FollowedHand, hand: HandPlace, scale: float, gap_s: float) -> float:
        """A hand's height, 0 to 1, by the body or else by its own range."""
        scale = max(scale, LEAST_SCALE)
        up = -float(hand.place[1])
        by_range = track.range.observe(up, LEAST_RANGE_M * scale, gap_s)
        if self._shoulders is None:
            return by_range
        above_hips_m = (self._shoulders[0] + up) / scale + TORSO_M
        return min(1.0, max(0.0, above_hips_m / (TORSO_M + ABOVE_SHOULDERS_M)))
