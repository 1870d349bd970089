"""The player's body: where every joint and every moving part of the instrument is, at any time of a score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from performers.gestures import GESTURES, Drums, Gesture, J, MovingParts, off
from performers.score import Score
from performers.tracks import BOUNCE, SMOOTH, Key, Track

SPINE, NECK, HEAD_UP = 0.30, 0.02, 0.085
UPPER_ARM, FOREARM = 0.185, 0.185
THIGH, SHIN = 0.245, 0.245
SHOULDER, HIP = 0.105, 0.06
"""Lengths in units of the player's height; a seed varies them by a few percent."""
BREATH = 0.0012
"""Amplitude of breathing, the only motion in a rest."""

_IK = np.array(
    [
        [J["left_shoulder"], J["left_elbow"], J["left_hand"]],
        [J["right_shoulder"], J["right_elbow"], J["right_hand"]],
        [J["left_hip"], J["left_knee"], J["left_foot"]],
        [J["right_hip"], J["right_knee"], J["right_foot"]],
    ]
)


@dataclass(frozen=True)
class BodyPose:
    """A body at one moment.

    Attributes:
        points: float64 [24, 3], rows named by `gestures.JOINTS`; x to the viewer's right, y up from the floor, z
            towards the
            viewer; 1 is the height of the standing player.
        pressed: how far the left and right hand press a key, 0..1 (keys only).
        tilt: swing of each drum piece in radians (drums only).
    """

    points: NDArray[np.float64]
    pressed: tuple[float, float]
    tilt: tuple[float, ...]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """One joint [3] by its name."""
        point: NDArray[np.float64] = self.points[J[name]]
        return point


WORLDS = ("rendered", "real")
"""The ranges that players and cameras are drawn from: those of the shipped networks' training, or those of films."""


@dataclass(frozen=True)
class WorldRanges:
    """What a world changes about one performance; the defaults change nothing.

    Attributes:
        span: factor on the height of what the camera sees; below 1 it is nearer, and players are cut by the frame.
        lift: factor on the height of a drummer's strokes.
        lead_s: a drummer's hands stop that long before the sticks' tips, in seconds.
        shake: a camera that is held by hand moves by that more, in picture heights.
    """

    span: float = 1.0
    lift: float = 1.0
    lead_s: float = 0.0
    shake: float = 0.0


def draw_world(name: str, seed: int) -> WorldRanges:
    """Draw a world's values for the performance of a seed; nothing else that the seed draws depends on them.

    Args:
        name: of `WORLDS`.
        seed: of the performance.

    Raises:
        ValueError: for another name.
    """
    if name not in WORLDS:
        raise ValueError(f"unknown world {name!r}: use one of {', '.join(WORLDS)}")
    if name == "rendered":
        return WorldRanges()
    rng = np.random.default_rng([seed, 404])
    return WorldRanges(
        span=float(np.exp(rng.uniform(math.log(0.4), 0.0))),
        lift=float(np.exp(rng.uniform(math.log(0.5), math.log(2.2)))),
        lead_s=float(rng.uniform(0.0, 0.09)),
        shake=float(rng.uniform(0.0, 0.015)) if rng.random() < 0.3 else 0.0,
    )


def _activity(score: Score) -> Track:
    """0 in rests and 1 while playing; sway returns to zero before a rest begins."""
    keys: list[Key] = [(-1.0, (1.0,), SMOOTH)]
    for start, stop in score.rests:
        keys += [(max(keys[-1][0], start - 0.5), (1.0,), SMOOTH), (start, (0.0,), SMOOTH)]
        keys += [(max(start, stop - 0.05), (0.0,), SMOOTH), (stop + 0.5, (1.0,), SMOOTH)]
    ending = max(keys[-1][0], score.duration_s)
    keys += [(max(keys[-1][0], ending - 0.5), keys[-1][1], SMOOTH), (ending, (0.0,), SMOOTH)]
    return Track(keys)


def _accent(score: Score) -> Track:
    """A small dip of head and trunk at each onset, in proportion to its strength."""
    strength: dict[float, float] = {}
    for note in score.notes:
        strength[note.onset_s] = max(strength.get(note.onset_s, 0.0), note.velocity)
    keys: list[Key] = [(-1.0, (0.0,), SMOOTH)]
    last = -1.0
    for onset, velocity in sorted(strength.items()):
        gap = onset - last
        if gap < 0.2:
            continue
        keys += [(onset - min(0.15, 0.4 * gap), (0.0,), SMOOTH), (onset + 0.03, (velocity,), SMOOTH)]
        keys += [(onset + 0.03 + min(0.2, 0.4 * gap), (0.0,), BOUNCE)]
        last = onset
    return Track(keys)


class Body:
    """A player of a score.

    Args:
        score: what is played.
        seed: how this player is built and moves; the same score and seed give the same body.
        world: what a world changes about it; None for nothing.
    """

    def __init__(self, score: Score, seed: int, world: WorldRanges | None = None) -> None:
        rng = np.random.default_rng([seed, 101])
        ranges = world or WorldRanges()
        self.kind = score.kind
        self.gesture: Gesture = (
            Drums(score, rng, ranges.lift, ranges.lead_s) if score.kind == "drums" else GESTURES[score.kind](score, rng)
        )
        self._activity, self._accent = _activity(score), _accent(score)
        arm, leg = float(rng.uniform(0.94, 1.06)), float(rng.uniform(0.97, 1.03))
        self._wide = float(rng.uniform(0.9, 1.12))
        self._lengths = np.array(
            [[UPPER_ARM * arm, FOREARM * arm]] * 2 + [[THIGH * leg, SHIN * leg]] * 2, dtype=np.float64
        )
        self._sway = float(rng.uniform(0.004, 0.02)) * self.gesture.stance.sway
        self._nod = float(rng.uniform(0.25, 1.0)) * self.gesture.stance.nod
        self._period = score.beat_s * float(rng.choice([2.0, 4.0, 4.0]))
        self._phase, self._breath_phase = rng.uniform(0.0, 2.0 * math.pi, 2).tolist()
        self._turn = float(rng.uniform(-0.25, 0.25))
        poles = [[0.8, -0.6, -0.25], [-0.8, -0.6, -0.25], [0.3, 0.4, 1.0], [-0.3, 0.4, 1.0]]
        if score.kind == "strings":
            poles[0], poles[1] = [0.5, -0.9, 0.0], [-0.9, -0.5, 0.0]
        self._poles = np.array(poles)

    def _trunk(self, t_s: float, points: NDArray[np.float64]) -> None:
        """Pelvis, neck, head, shoulders and hips."""
        stance = self.gesture.stance
        activity, accent = self._activity.at(t_s)[0], self._accent.at(t_s)[0]
        sway = self._sway * activity * math.sin(2.0 * math.pi * t_s / self._period + self._phase)
        breath = BREATH * math.sin(2.0 * math.pi * 0.27 * t_s + self._breath_phase)
        pelvis = np.array(stance.pelvis) + self.gesture.shift(t_s)
        forward = stance.lean + 0.03 * self._nod * accent
        side = 2.2 * sway
        up = np.array([math.sin(side), math.cos(side) * math.cos(forward), math.sin(forward)])
        neck = pelvis + up * (SPINE + NECK + breath)
        across = np.array([math.cos(side), -math.sin(side), 0.0])
        nod = 0.35 * forward + 0.22 * self._nod * accent
        points[J["pelvis"]], points[J["neck"]] = pelvis, neck
        points[J["head"]] = neck + HEAD_UP * np.array([0.6 * side + 0.1 * self._turn, math.cos(nod), math.sin(nod)])
        chest = neck - up * 0.025
        points[J["left_shoulder"]] = chest + across * (SHOULDER * self._wide)
        points[J["right_shoulder"]] = chest - across * (SHOULDER * self._wide)
        points[J["left_hip"]] = off(pelvis, HIP * self._wide, 0.0, 0.0)
        points[J["right_hip"]] = off(pelvis, -HIP * self._wide, 0.0, 0.0)
        x, y, z = stance.foot
        points[J["left_foot"]], points[J["right_foot"]] = (x, y, z), (-x, y, z)
        points[J["left_toe"]], points[J["right_toe"]] = (1.25 * x, y - 0.02, z + 0.07), (-1.25 * x, y - 0.02, z + 0.07)

    def _bend(self, points: NDArray[np.float64]) -> None:
        """Elbows and knees by two-bone inverse kinematics; a limb that is too short is stretched to its target."""
        root, end = points[_IK[:, 0]], points[_IK[:, 2]]
        line = end - root
        reach = np.sqrt((line * line).sum(1))
        first, second = self._lengths[:, 0], self._lengths[:, 1]
        stretch = np.maximum(1.0, reach / (0.998 * (first + second)))
        first, second = first * stretch, second * stretch
        line /= reach[:, None] + 1e-9
        along = (first**2 - second**2 + reach**2) / (2.0 * reach + 1e-9)
        out = np.sqrt(np.maximum(first**2 - along**2, 0.0))
        pole = self._poles - line * (self._poles * line).sum(1)[:, None]
        pole /= np.sqrt((pole * pole).sum(1))[:, None] + 1e-9
        points[_IK[:, 1]] = root + line * along[:, None] + pole * out[:, None]

    def pose(self, t_s: float) -> BodyPose:
        """The exact pose at a time; times may be asked for in any order.

        Args:
            t_s: seconds from the start of the performance.

        Returns:
            The pose. Before the first note and after the last the player stands still.
        """
        points = np.zeros((len(J), 3), dtype=np.float64)
        extras = MovingParts()
        self._trunk(t_s, points)
        self.gesture.fill(t_s, points, extras)
        if self.kind != "strings":
            points[J["frog"]] = points[J["right_hand"]]
            points[J["side"]] = points[J["left_hand"]]
        if self.kind != "drums":
            points[J["beater"]] = points[J["right_foot"]]
        self._bend(points)
        return BodyPose(points, (extras.pressed[0], extras.pressed[1]), tuple(extras.tilt))
