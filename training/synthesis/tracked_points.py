"""What the live eyes would make of true points: jitter, delays, dropouts, exchanged hands, false claims.

Where the eyes have code of their own for it (the filter, the scale, the motion of hands) that code runs here too. What
they lose and invent is drawn, by what was measured on films (`docs/eyes.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from performers.performer import SyntheticPerformer
from streaming.conventions import BODY_POINTS, HAND_FEATURES, HAND_POINTS, TICKS_PER_SECOND
from streaming.vision.eyes.person import HIPS, INDEXES, NOSE, PINKIES, SHOULDERS, WRIST, WRISTS, Person, hand_scale
from streaming.vision.eyes.player_scale import PlayerScale
from streaming.vision.eyes.smoothing import UNIT_M, PersonFilter
from streaming.vision.motion.hand_motion import HandMotion
from training.datasets.hits import HitsClips
from training.synthesis.hand_faults import FalseHand, HandFaults, SightModel, draw_faults

Points = NDArray[np.float64]

ORIGIN_S = 10.0
"""Time of a clip's start on the eyes' clock."""
JOINTS = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hand", "right_hand", "left_hip")
BODY_ROWS = (*SHOULDERS, 13, 14, *WRISTS, HIPS[0], HIPS[1], NOSE)
BODY_SHARE = 0.25
"""Share of the clips of hits in which a body is seen, mostly of a player whose hands are near."""
PALM_SHARE = 0.5
"""A palm's length as a share of a hand's, of the hands that are put at the ends of a rendered performer's arms."""


@dataclass(frozen=True)
class TruePoints:
    """Where a player's points are in each of N frames; NaN for what there is not.

    Attributes:
        times_s: float64 [N], increasing.
        hands: float64 [N, 2, 21, 2], in sides of the square view; which is the left one does not matter.
        body: float64 [N, 33, 2], in the same unit.
    """

    times_s: Points
    hands: Points
    body: Points


def track(truth: TruePoints, rng: np.random.Generator, faults: HandFaults | None = None) -> list[Person]:
    """The people that the eyes would see, one a frame.

    Args:
        truth: of the frames.
        rng: random generator.
        faults: of the tracker in this clip; None to draw them.
    """
    faults = faults or draw_faults(rng)
    sights = [SightModel(faults, faults.hands_lost, rng) for _ in (0, 1)]
    body_sight = SightModel(replace(faults, blind=False), faults.body_lost, rng)
    false_hand, smoother, scale = FalseHand(faults, rng), PersonFilter(), PlayerScale()
    slots = [1, 0] if rng.random() < faults.exchanged_at_first else [0, 1]
    people: list[Person] = []
    before: Points | None = None
    for number, time_s in enumerate(truth.times_s.tolist()):
        gap_s = 0.0 if number == 0 else max(0.0, time_s - float(truth.times_s[number - 1]))
        if rng.random() < 1.0 - np.exp(-faults.exchanges_hz * gap_s):
            slots.reverse()
        person, hands = Person(), truth.hands[number]
        for limb, (sight, slot) in enumerate(zip(sights, slots, strict=True)):
            shift = np.zeros(2) if before is None else np.nan_to_num(hands[limb, 9] - before[limb, 9])
            if sight.sees(hands[limb], shift, gap_s):
                seen = sight.blurred(hands[limb], shift)
                person.hands[slot, :, :2], person.hands[slot, :, 2] = seen, sight.presence()
        false_hand.appear(person, gap_s)
        if body_sight.sees(truth.body[number, list(SHOULDERS)], np.zeros(2), gap_s):
            person = _with_body(person, truth.body[number], faults, rng)
        now_ns = round((ORIGIN_S + time_s) * 1e9)
        person = replace(person, scale=scale.follow(person, now_ns))
        people.append(smoother.smooth(person, now_ns))
        before = hands
    return people


def _with_body(person: Person, body: Points, faults: HandFaults, rng: np.random.Generator) -> Person:
    """A person whose body is claimed, with the jitter of body points; points that are not there are not visible."""
    known = np.isfinite(body[:, 0])
    error = faults.body_jitter * rng.standard_normal(body.shape)
    for rows in zip(WRISTS, PINKIES, INDEXES, strict=True):
        # Three points of one hand, which err together; a t with 3 degrees of freedom has a variance of 3.
        error[list(rows)] = faults.wrist_jitter * rng.standard_t(3, 2) / np.sqrt(3)
    points = np.where(known[:, None], body + error, 0.0)
    inside = (np.abs(points - 0.5) < 0.55).all(1)
    person.body[:, :2] = points
    person.body[:, 2] = np.where(known & inside, rng.uniform(0.7, 1.0), 0.1)
    return replace(person, body_score=0.99)


def hand_motion_of_clip(people: Sequence[Person], times_s: Points, tick_frames: Sequence[int]) -> NDArray[np.float32]:
    """The motion of the hands at each tick: that of its newest frame.

    Args:
        people: one a frame, as `track` gives them.
        times_s: of the frames, float64 [N], increasing.
        tick_frames: the number of each tick's newest frame; -1 for none.

    Returns:
        float32 [T, 2, HAND_FEATURES], see `streaming.vision.motion.hand_motion.HAND_NAMES`.
    """
    motion = HandMotion()
    rows = np.stack([motion.step(person, ORIGIN_S + time) for person, time in zip(people, times_s, strict=True)])
    none = np.zeros((1, 2, HAND_FEATURES), np.float32)
    chosen: NDArray[np.float32] = np.concatenate([rows, none])[list(tick_frames)]
    return chosen


def hand_motion_of_hits(clips: HitsClips, row: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What the show would have of the hands of a recorded clip of hits: float32 [T, 2, HAND_FEATURES].

    The clip has true points only at its ticks, so at most 25 frames a second are seen. Some players have a body.

    Args:
        clips: the data set.
        row: of the clip.
        rng: draws the tracker's faults, others at every call.
    """
    times_s, tick_frames = _frames_of(clips.age_s[row])
    fresh = np.searchsorted(tick_frames, np.arange(len(times_s)))
    hands = clips.hands[row, fresh].astype(np.float64)
    body = np.full((len(hands), BODY_POINTS, 2), np.nan)
    if rng.random() < BODY_SHARE:
        body = _body_behind(hands, rng)
    people = track(TruePoints(times_s, hands, body), rng)
    return hand_motion_of_clip(people, times_s, tick_frames.tolist())


def hand_motion_of_performance(
    performer: SyntheticPerformer, age_s: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """What the show would have of the hands of a rendered performer: float32 [T, 2, HAND_FEATURES].

    Args:
        performer: of a clip; nothing is rendered.
        age_s: of the newest frame at each tick, float32 [T], as in `training.synthesis.recordings.Clip`.
        rng: draws the tracker's faults, others at every call.
    """
    times_s, tick_frames = _frames_of(age_s)
    people = track(points_of_performer(performer, times_s), rng)
    return hand_motion_of_clip(people, times_s, tick_frames.tolist())


def _frames_of(age_s: NDArray[np.float32]) -> tuple[Points, NDArray[np.int64]]:
    """Times in seconds of the frames that some tick takes, float64 [N], and the number of each tick's frame [T]."""
    captured = np.arange(age_s.size) / TICKS_PER_SECOND - age_s.astype(np.float64)
    # Ages are rounded: frames that are nearer than this are one.
    fresh = np.append(True, np.diff(captured) > 1e-3)
    return captured[fresh], np.cumsum(fresh) - 1


def _body_behind(hands: Points, rng: np.random.Generator) -> Points:
    """A body for hands: shoulders at rest above them, wrists that follow them; float64 [N, 33, 2]."""
    body = np.full((len(hands), BODY_POINTS, 2), np.nan)
    known = [slot for slot in (0, 1) if np.isfinite(hands[:, slot]).any()]
    if not known:
        return body
    sizes = [hand_scale(frame[slot].astype(np.float32)) for slot in known for frame in hands[:: len(hands) // 8 + 1]]
    scale = float(np.nanmedian(sizes)) / float(rng.uniform(1.0, 1.5))
    middle = np.nanmean(hands[:, known], (0, 1, 2)) - [0.0, scale * rng.uniform(0.05, 0.55)]
    half = scale * float(rng.uniform(0.08, 0.18))
    for side, slot in ((-1.0, 0), (1.0, 1)):
        body[:, SHOULDERS[slot]] = middle + np.array([side * half, 0.0])
        body[:, HIPS[slot]] = middle + np.array([0.6 * side * half, 0.5 * scale])
        for rows, point in ((WRISTS, WRIST), (PINKIES, 17), (INDEXES, 5)):
            body[:, rows[slot]] = hands[:, slot, point]
    body[:, NOSE] = middle - [0.0, 0.25 * scale]
    return body


def points_of_performer(performer: SyntheticPerformer, times_s: Points) -> TruePoints:
    """The points of a rendered performer: its joints, and a hand of 21 points at the end of each forearm.

    Args:
        performer: that is watched.
        times_s: of the frames, float64 [N].
    """
    names = [*JOINTS, "right_hip", "head"]
    joints = np.stack([performer.places(max(0.0, time), names) for time in times_s.tolist()])
    body = np.full((len(joints), BODY_POINTS, 2), np.nan)
    body[:, list(BODY_ROWS)] = joints
    hands = np.full((len(joints), 2, HAND_POINTS, 2), np.nan)
    middle = (joints[:, 0] + joints[:, 1] - joints[:, 6] - joints[:, 7]) / 2
    # The torso is 0.5 m long; a player who sits or bends is drawn shorter, hardly ever by half.
    scale = float(np.median(np.hypot(*middle.T))) / 0.5
    for slot in (0, 1):
        forearm = joints[:, 4 + slot] - joints[:, 2 + slot]
        along = forearm / np.maximum(np.hypot(*forearm.T), 1e-6)[:, None]
        across = np.stack([-along[:, 1], along[:, 0]], 1)
        for point, (reach, aside) in enumerate(_HAND):
            offset = UNIT_M * scale * (reach * along + aside * across)
            hands[:, slot, point] = joints[:, 4 + slot] + offset
        for rows, point in ((PINKIES, 17), (INDEXES, 5)):
            body[:, rows[slot]] = hands[:, slot, point]
    return TruePoints(np.asarray(times_s, np.float64), hands, body)


def _hand_shape() -> list[tuple[float, float]]:
    """A flat hand of length 1 whose palm's middle is 0, fingers along x: 21 places."""
    places = [(-0.5 * PALM_SHARE, 0.0)]
    for aside, reach in ((-0.25, 0.5), (-0.18, 0.9), (-0.06, 1.0), (0.06, 0.95), (0.18, 0.8)):
        places += [(reach * share - 0.5 * PALM_SHARE, aside) for share in (0.5, 0.7, 0.85, 1.0)]
    return places


_HAND = _hand_shape()
