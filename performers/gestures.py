"""How each instrument is played: positions of hands, feet and moving parts at any time, exactly on the score.

Space is the body's own: x to the viewer's right when the player faces the viewer, y up from the floor, z towards the
viewer; 1 is the height of the standing player. The player's right hand is therefore at negative x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from performers.kinds import DRUM_PIECES, PITCH_RANGE
from performers.score import FOOT, LEFT, RIGHT, Note, Score
from performers.tracks import BOUNCE, BOW, SMOOTH, Key, Strike, Track, Vector, strike_track

JOINTS = (
    *("head", "neck", "pelvis", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_hand", "right_hand", "left_hip", "right_hip", "left_knee", "right_knee", "left_foot", "right_foot"),
    *("left_toe", "right_toe", "left_tip", "right_tip", "low_end", "high_end", "side", "frog", "beater"),
)
"""Names of a pose's points.

`tip`: end of the stick, of the bow (right) or of the fingers. `low_end`, `high_end` and `side`: axis and width
direction of an instrument that is held; otherwise the ends are where the lowest and the highest pitch are played, on a
drum kit snare and hi-hat, of a dancer pelvis and head. `frog`: the bow's end in the hand. `beater`: head of the kick
drum's beater. Points that an instrument lacks lie on a hand or foot.
"""
J = {name: index for index, name in enumerate(JOINTS)}

Points = NDArray[np.float64]

DRUM_PLACES: tuple[Vector, ...] = (
    (-0.05, 0.14, 0.34),
    (0.075, 0.36, 0.25),
    (-0.32, 0.43, 0.19),
    (0.255, 0.46, 0.27),
    (-0.125, 0.36, 0.28),
    (-0.29, 0.60, 0.34),
)
"""Where the stick's tip meets each of `DRUM_PIECES`; for the kick, the centre of the head that the beater meets."""
KEY_HEIGHT, KEY_DEPTH, KEYBOARD_WIDTH = 0.43, 0.24, 0.66
"""Height of the keys, their distance from the body, and the width over which `PITCH_RANGE` is spread."""
AIR_HEIGHT, AIR_REACH = 0.44, 0.54
"""Height of the right hand at the lowest pitch of the air, and the height over which the other pitches are spread."""
AIR_ROD = -0.37, 0.20
"""Position of the upright antenna, x and z; its balls are as high as the lowest and the highest pitch."""
STICK_LENGTH = 0.20
BEATER_LENGTH = 0.13


def place_of(note: Note, kind: str) -> float:
    """A note's pitch within its kind's range, 0 (lowest) to 1 (highest); 0 for drums."""
    if kind not in PITCH_RANGE:
        return 0.0
    low, high = PITCH_RANGE[kind]
    return min(1.0, max(0.0, (note.pitch - low) / (high - low)))


def unit(v: Points) -> Points:
    """A vector [3] scaled to length 1."""
    direction: Points = v / math.sqrt(float(v @ v) + 1e-12)
    return direction


def off(point: Points, x: float, y: float, z: float) -> Points:
    """A point [3] moved by x, y and z."""
    shifted_point: Points = point + np.array((x, y, z))
    return shifted_point


@dataclass
class Stance:
    """How a kind stands or sits, and how the whole body moves with the music.

    Attributes:
        pelvis: resting position of the pelvis [3].
        foot: resting position of the left foot [3]; the right one mirrors it.
        lean: forward lean of the trunk in radians.
        nod, sway: how strongly head and trunk follow the music, 0 to about 1.
    """

    pelvis: Vector
    foot: Vector
    lean: float = 0.05
    nod: float = 1.0
    sway: float = 1.0


@dataclass
class MovingParts:
    """What moves besides the points: pressed keys (left, right; 0..1) and the tilt of each drum piece in radians."""

    pressed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    tilt: list[float] = field(default_factory=lambda: [0.0] * len(DRUM_PIECES))


class Gesture(Protocol):
    """How one kind is played."""

    stance: Stance

    def shift(self, t_s: float) -> Vector:
        """Displacement of the whole body from its resting position."""

    def fill(self, t_s: float, points: Points, extras: MovingParts) -> None:
        """Set hands, tips, feet and instrument; the trunk's points are already there."""


def _limb(score: Score, limb: int) -> list[Note]:
    return [note for note in score.notes if note.effector == limb]


class Drums:
    """Two sticks and a foot on a kit whose pieces have fixed places.

    Args:
        score: what is played.
        rng: draws how it is played.
        lift: factor on the height of the strokes.
        lead_s: the hands are that much ahead of the sticks' tips, in seconds.
    """

    def __init__(self, score: Score, rng: np.random.Generator, lift: float = 1.0, lead_s: float = 0.0) -> None:
        self.stance = Stance((0.0, 0.29, -0.06), (0.16, 0.035, 0.27), lean=0.12)
        self.reach = lift * float(rng.uniform(0.8, 1.25))
        self.lead_s = lead_s
        starts: dict[int, Vector] = {LEFT: (0.09, 0.42, 0.24), RIGHT: (-0.2, 0.42, 0.23)}
        self.sticks = {limb: strike_track(self._strikes(score, limb), starts[limb]) for limb in (LEFT, RIGHT)}
        lifts = [
            Strike(n.onset_s, (0.0, 0.0, 0.0), (0.0, 0.045 + 0.06 * n.velocity, 0.0), 0.03) for n in _limb(score, FOOT)
        ]
        self.foot = strike_track(lifts, (0.0, 0.02, 0.0), rebound=0.3)
        self.hits = [[(n.onset_s, n.velocity) for n in score.notes if n.pitch == piece] for piece in range(6)]
        self.times = [np.array([t for t, _ in hits], dtype=np.float64) for hits in self.hits]

    def _strikes(self, score: Score, limb: int) -> list[Strike]:
        return [
            Strike(n.onset_s, DRUM_PLACES[int(n.pitch)], (0.0, (0.05 + 0.19 * n.velocity) * self.reach, -0.03))
            for n in _limb(score, limb)
        ]

    def shift(self, t_s: float) -> Vector:
        """A drummer stays on the stool."""
        return 0.0, 0.0, 0.0

    def fill(self, t_s: float, points: Points, extras: MovingParts) -> None:
        """Sticks, the foot at the pedal, its beater, and the cymbals that swing."""
        for side, limb in (("left", LEFT), ("right", RIGHT)):
            tip = np.array(self.sticks[limb].at(t_s))
            # The hand follows the tip at less than its height: the stick turns in it, as in a real stroke.
            ahead = np.array(self.sticks[limb].at(t_s + self.lead_s)) if self.lead_s else tip
            grip = 0.55 * ahead + 0.45 * np.array([ahead[0], 0.37, ahead[2]])
            grip_target = off(grip, 0.05 if limb == LEFT else -0.05, 0.045, -0.17)
            grip_target[0] = 0.75 * grip_target[0] + 0.25 * points[J[f"{side}_shoulder"], 0]
            points[J[f"{side}_tip"]] = tip
            points[J[f"{side}_hand"]] = tip + STICK_LENGTH * unit(grip_target - tip)
        points[J["low_end"]], points[J["high_end"]] = DRUM_PLACES[1], DRUM_PLACES[2]
        lift = self.foot.at(t_s)[1]
        points[J["right_foot"], 1] += lift
        points[J["right_toe"], 1] += 0.45 * lift
        head = np.array(DRUM_PLACES[0])
        angle = 7.0 * lift
        hinge = off(head, 0.0, 0.02 - BEATER_LENGTH, 0.0)
        points[J["beater"]] = off(hinge, 0.0, BEATER_LENGTH * math.cos(angle), -BEATER_LENGTH * math.sin(angle))
        for piece in (2, 5):
            index = int(np.searchsorted(self.times[piece], t_s, side="right")) - 1
            if index >= 0:
                since, velocity = t_s - self.hits[piece][index][0], self.hits[piece][index][1]
                swing = 0.12 if piece == 2 else 0.32
                extras.tilt[piece] = swing * velocity * math.exp(-since / 0.22) * math.sin(18.0 * since)


class Keys:
    """Two hands over a keyboard; high notes at the player's right."""

    def __init__(self, score: Score, rng: np.random.Generator) -> None:
        self.stance = Stance((0.0, 0.29, -0.06), (0.09, 0.035, 0.22), lean=0.16)
        self.lift = float(rng.uniform(0.8, 1.3))
        starts: dict[int, Vector] = {
            LEFT: (0.16, KEY_HEIGHT + 0.03, KEY_DEPTH),
            RIGHT: (-0.16, KEY_HEIGHT + 0.03, KEY_DEPTH),
        }
        self.hands = {}
        for limb in (LEFT, RIGHT):
            strikes = [
                Strike(
                    n.onset_s,
                    (self.x_of(n), KEY_HEIGHT, KEY_DEPTH),
                    (0.0, (0.04 + 0.10 * n.velocity) * self.lift, -0.012),
                    n.duration_s,
                )
                for n in _limb(score, limb)
            ]
            self.hands[limb] = strike_track(strikes, starts[limb], rebound=0.28)

    @staticmethod
    def x_of(note: Note) -> float:
        """Where a note's key is."""
        return (0.5 - place_of(note, "keys")) * KEYBOARD_WIDTH

    def shift(self, t_s: float) -> Vector:
        """The trunk follows the hands along the keyboard a little."""
        middle = 0.5 * (self.hands[LEFT].at(t_s)[0] + self.hands[RIGHT].at(t_s)[0])
        return 0.12 * middle, 0.0, 0.0

    def fill(self, t_s: float, points: Points, extras: MovingParts) -> None:
        """Finger tips on or above their keys, and how far those are pressed."""
        points[J["low_end"]] = 0.5 * KEYBOARD_WIDTH, KEY_HEIGHT, KEY_DEPTH
        points[J["high_end"]] = -0.5 * KEYBOARD_WIDTH, KEY_HEIGHT, KEY_DEPTH
        for side, limb in (("left", LEFT), ("right", RIGHT)):
            tip = np.array(self.hands[limb].at(t_s))
            above = tip[1] - KEY_HEIGHT
            points[J[f"{side}_tip"]] = tip
            points[J[f"{side}_hand"]] = off(tip, 0.0, 0.026 + 0.25 * above, -0.055 + 0.1 * above)
            extras.pressed[limb] = max(0.0, 1.0 - above / 0.012)


OPEN_STRING, STRING_STEP, STRINGS = 55.0, 7.0, 4
"""MIDI pitch of the lowest string, the fifth to the next, and how many there are."""
STRING_ANGLE = 0.26
"""Radians by which the bow turns from one string to the next."""


def string_and_stop(pitch: float) -> tuple[int, float]:
    """On which string (0 is the lowest) a pitch is played, and how many semitones above the open string."""
    string = min(STRINGS - 1, max(0, int((pitch - OPEN_STRING) // STRING_STEP)))
    return string, pitch - OPEN_STRING - STRING_STEP * string


class Strings:
    """A bow that changes direction at each onset; the string and where it is stopped give the pitch.

    After a rest the bow is lifted and laid on the string at the onset, as players breathe before they enter.
    """

    def __init__(self, score: Score, rng: np.random.Generator) -> None:
        self.cello = bool(rng.random() < 0.45)
        if self.cello:
            self.stance = Stance((0.0, 0.29, -0.06), (0.17, 0.035, 0.20), lean=0.04, nod=0.6, sway=1.0)
        else:
            self.stance = Stance((0.0, 0.52, 0.0), (0.07, 0.035, 0.02), lean=0.03, nod=0.5, sway=1.3)
        self.bow_length = float(rng.uniform(0.34, 0.40)) if not self.cello else float(rng.uniform(0.38, 0.44))
        self.bow_position = self._bow(score, float(rng.uniform(1.1, 1.45)))
        keys: list[Key] = []
        before = (1.5, 2.0)
        last, last_end_s = -1.0, -1.0
        entries: list[Strike] = []
        for note in score.notes:
            string_position = string_and_stop(note.pitch)
            lead = min(0.15, 0.45 * (note.onset_s - last))
            keys += [(note.onset_s - lead, before, SMOOTH), (note.onset_s - 0.25 * lead, string_position, SMOOTH)]
            if note.onset_s - last_end_s > 0.2:
                entries.append(Strike(note.onset_s, (0.0, 0.0, 0.0), (0.0, 0.03 + 0.03 * note.velocity, 0.0)))
            before, last, last_end_s = string_position, note.onset_s, note.end_s
        self.stop = Track(keys or [(0.0, before, SMOOTH)])
        self.entry = strike_track(entries, (0.0, 0.0, 0.0), rebound=0.0)
        trembling: list[Key] = [(0.0, (0.0,), SMOOTH)]
        for note in score.notes:
            trembling += [(note.onset_s, trembling[-1][1], SMOOTH), (note.onset_s + 0.1, (1.0,), SMOOTH)]
            trembling += [(note.end_s - 0.05, (1.0,), SMOOTH), (note.end_s, (0.0,), SMOOTH)]
        self.vibrato = Track(trembling)

    @staticmethod
    def _bow(score: Score, pace: float) -> Track:
        """How much of the bow is drawn (0 at the frog, 1 at the tip): speed is proportional to velocity.

        A stroke away from the middle is shortened and one towards it lengthened (at most by half), which keeps an
        endless alternation on the bow; a player of long notes draws more slowly throughout.
        """
        where, way = 0.25, 1.0
        long = np.quantile([note.velocity * note.duration_s for note in score.notes] or [1.0], 0.9)
        pace = min(pace, 0.7 / float(long))
        keys: list[Key] = [(0.0, (where,), SMOOTH)]
        last_end_s = -1.0
        for index, note in enumerate(score.notes):
            if note.onset_s - last_end_s > 0.5:
                way = 1.0 if where < 0.5 else -1.0
            elif index:
                way = -way
            grip_target = min(0.8, pace * note.velocity * note.duration_s)
            outward = (where + 0.5 * way * grip_target - 0.5) * way
            travel = grip_target * (1.0 - 0.7 * max(-0.7, min(0.7, outward)))
            room = (0.97 - where) if way > 0 else (where - 0.03)
            travel = min(travel, room)
            keys.append((note.onset_s, (where,), SMOOTH))
            where += way * travel
            keys.append((note.end_s, (where,), BOW))
            last_end_s = note.end_s
        return Track(keys)

    def shift(self, t_s: float) -> Vector:
        """The trunk gives way to the bow a little."""
        lean = self.bow_position.at(t_s)[0] - 0.5
        return -0.015 * lean, 0.0, 0.0

    def _axes(self, points: Points) -> tuple[Points, Points, Points, float]:
        """Low end, unit axis, unit bow direction (towards the frog) and length of the instrument."""
        neck = points[J["neck"]]
        if self.cello:
            low = np.array([-0.01, 0.13, 0.30])
            high = np.array([0.10, 0.76, 0.09]) + 0.25 * (neck - (0.0, 0.61, 0.0)) * (1.0, 0.0, 1.0)
            bow = unit(np.array([-1.0, -0.12, 0.1]))
        else:
            low = off(neck, 0.035, 0.012, 0.045)
            high = low + 0.36 * unit(np.array([0.72, -0.02, 0.69]))
            bow = unit(np.array([-0.72, -0.28, 0.64]))
        axis = high - low
        length = math.sqrt(float(axis @ axis))
        axis = axis / length
        return low, axis, unit(bow - axis * float(bow @ axis)), length

    def fill(self, t_s: float, points: Points, extras: MovingParts) -> None:
        """The instrument, the bow across it and the finger on it."""
        low, axis, bow, length = self._axes(points)
        string, stop = self.stop.at(t_s)
        stop += 0.25 * self.vibrato.at(t_s)[0] * math.sin(2.0 * math.pi * 5.6 * t_s)
        across = bow
        # The bow changes to the string of the pitch: a turn about the instrument's axis.
        lift = unit(axis[[1, 2, 0]] * bow[[2, 0, 1]] - axis[[2, 0, 1]] * bow[[1, 2, 0]])
        if lift[2 if self.cello else 1] < 0:
            lift = -lift
        angle = STRING_ANGLE * (0.5 * (STRINGS - 1) - string)
        bow = bow * math.cos(angle) + lift * math.sin(angle)
        touch = low + axis * (0.27 * length) + lift * (0.03 + self.entry.at(t_s)[1])
        position = self.bow_position.at(t_s)[0]
        frog = touch + bow * (self.bow_length * (0.04 + 0.92 * position))
        points[J["low_end"]], points[J["high_end"]], points[J["side"]] = low, low + axis * length, low + across
        points[J["frog"]], points[J["right_tip"]] = frog, frog - bow * self.bow_length
        points[J["right_hand"]] = frog + bow * 0.02 + lift * 0.012
        # From the nut towards the bridge, where a string's length is halved for each octave.
        stop_share = 0.55 * (1.0 - 2.0 ** (-stop / 12.0))
        finger = low + axis * (length * (0.88 - stop_share)) + across * (0.006 * (1.5 - string)) + lift * 0.015
        points[J["left_tip"]] = finger
        points[J["left_hand"]] = off(finger, 0.022, -0.012, -0.01) if self.cello else off(finger, 0.012, -0.03, 0.0)


class Air:
    """Two hands in the air before a box with antennas: height is pitch, size and speed of the sweeps are strength.

    The right hand keeps its height while it sweeps, over nearly the whole reach of an arm, beside an antenna of that
    height, so that the pitch can be read.

    A note begins as a conductor's beat does: the hands lift, fall, and stop at its onset, the right one already at the
    new pitch. A gesture that began only with the sound could not be answered in time.
    """

    def __init__(self, score: Score, rng: np.random.Generator) -> None:
        self.stance = Stance((0.0, 0.52, 0.0), (0.08, 0.035, 0.02), lean=0.02, nod=0.6, sway=1.2)
        self.spread = float(rng.uniform(0.85, 1.15))
        base: list[Key] = [(0.0, (0.35, 0.04), SMOOTH)]
        angle: list[Key] = [(0.0, (0.6,), SMOOTH)]
        last = -1.0
        for note in score.notes:
            t, d = note.onset_s, note.duration_s
            lead = min(0.2, 0.45 * (t - last))
            base += [(t - lead, base[-1][1], SMOOTH)]
            base += [(t + 0.03, (place_of(note, "air"), 0.03 + 0.085 * note.velocity), SMOOTH)]
            turn = 2.0 * math.pi * d * (0.6 + 1.3 * note.velocity)
            angle += [(t, angle[-1][1], SMOOTH), (t + d, (angle[-1][1][0] + turn,), BOW)]
            last = t
        beats = [Strike(n.onset_s, (0.0, 0.0, 0.0), (0.0, 0.035 + 0.085 * n.velocity, 0.0)) for n in score.notes]
        self.base, self.angle = Track(base), Track(angle)
        self.beat = strike_track(beats, (0.0, 0.0, 0.0), rebound=0.25)

    def shift(self, t_s: float) -> Vector:
        """The trunk swings with the sweep."""
        return 0.12 * self.base.at(t_s)[1] * math.sin(self.angle.at(t_s)[0]), 0.0, 0.0

    def fill(self, t_s: float, points: Points, extras: MovingParts) -> None:
        """Both hands in their sweeps."""
        place, radius = self.base.at(t_s)
        angle, lift = self.angle.at(t_s)[0], self.beat.at(t_s)[1]
        height = AIR_HEIGHT + AIR_REACH * place
        across, up = radius * math.cos(angle), radius * math.sin(angle)
        right = (-0.21 * self.spread - across, height + 0.03 * up + lift, 0.20 + 0.3 * up)
        left = (0.20 * self.spread + 0.8 * across, 0.60 + 0.22 * place - 0.9 * up + 0.8 * lift, 0.20 + 0.3 * across)
        points[J["right_hand"]], points[J["left_hand"]] = right, left
        points[J["low_end"]] = AIR_ROD[0], AIR_HEIGHT, AIR_ROD[1]
        points[J["high_end"]] = AIR_ROD[0], AIR_HEIGHT + AIR_REACH, AIR_ROD[1]
        points[J["right_tip"]] = off(points[J["right_hand"]], 0.012, 0.018, 0.04)
        points[J["left_tip"]] = off(points[J["left_hand"]], 0.0, -0.008, 0.045)


class Dance:
    """Steps that land, hands that clap and an arm thrown to its full length, each exactly on its note."""

    def __init__(self, score: Score, rng: np.random.Generator) -> None:
        self.stance = Stance((0.0, 0.505, 0.0), (0.085, 0.035, 0.0), lean=0.03, nod=0.8, sway=0.7)
        steps = _limb(score, FOOT)
        wide = float(rng.uniform(0.0, 0.07))
        self.feet = []
        for parity, sign in ((0, 1.0), (1, -1.0)):
            lift = float(rng.uniform(0.09, 0.13))
            strikes = [
                Strike(
                    n.onset_s,
                    (sign * wide * ((index // 2) % 2), 0.0, 0.0),
                    (sign * 0.02, 0.05 + lift * n.velocity, 0.05),
                )
                for index, n in enumerate(steps)
                if index % 2 == parity
            ]
            self.feet.append(strike_track(strikes, (0.0, 0.0, 0.0), rebound=0.0))
        bounce: list[Key] = [(0.0, (0.0, 0.0), SMOOTH)]
        for index, n in enumerate(steps):
            weight = 0.035 if index % 2 == 0 else -0.035
            x = bounce[-1][1][0]
            bounce += [(n.onset_s - 0.22, (x, 0.0), SMOOTH), (n.onset_s - 0.02, (0.6 * weight, 0.012), SMOOTH)]
            bounce += [(n.onset_s + 0.09, (weight, -0.02 - 0.045 * n.velocity), BOUNCE)]
            bounce += [(n.onset_s + 0.2, (weight, 0.0), SMOOTH)]
        self.bounce = Track(bounce)
        home: Vector = (-0.20, 0.50, 0.10)
        claps = [Strike(n.onset_s, (-0.02, 0.73, 0.22), self._open(n), 0.02) for n in _limb(score, LEFT)]
        throws = [self._throw(n) for n in _limb(score, RIGHT)]
        right_claps = [Strike(c.t_s, (0.02, *c.point[1:]), (-c.lift[0], *c.lift[1:]), c.hold_s) for c in claps]
        self.right = strike_track(sorted(claps + throws, key=lambda s: s.t_s), home, home=home)
        self.left = strike_track(right_claps, (0.20, 0.50, 0.10), home=(0.20, 0.50, 0.10))

    @staticmethod
    def _open(note: Note) -> Vector:
        return -(0.10 + 0.16 * note.velocity), -0.02, -0.02

    @staticmethod
    def _throw(note: Note) -> Strike:
        """Full reach from the shoulder; a higher pitch is thrown higher."""
        angle = math.radians(-150.0 + 232.0 * place_of(note, "dance"))
        way = np.array([-math.cos(angle) * 0.95, math.sin(angle), 0.3 * math.cos(angle)])
        point = np.array([-0.105, 0.815, 0.0]) + 0.365 * unit(way)
        back = (np.array([-0.16, 0.70, 0.12]) - point) * (0.45 + 0.5 * note.velocity)
        x, y, z = point.tolist()
        return Strike(note.onset_s, (x, y, z), (float(back[0]), float(back[1]), float(back[2])), 0.08)

    def shift(self, t_s: float) -> Vector:
        """The weight moves to the foot that steps, sinks as it lands and comes back up."""
        x, y = self.bounce.at(t_s)
        return x, y, 0.0

    def fill(self, t_s: float, points: Points, extras: MovingParts) -> None:
        """Hands and feet, carried by the body."""
        points[J["low_end"]], points[J["high_end"]] = points[J["pelvis"]], points[J["head"]]
        x, y = self.bounce.at(t_s)
        for side, track, outward in (("left", self.left, 1.0), ("right", self.right, -1.0)):
            hand = off(np.array(track.at(t_s)), x, y, 0.0)
            points[J[f"{side}_hand"]] = hand
            # Fingers point up while the hands are together and along the arm when it is thrown.
            throw_share = min(1.0, max(0.0, (outward * (hand[0] - x) - 0.08) / 0.12))
            arm = unit(hand - points[J[f"{side}_shoulder"]])
            points[J[f"{side}_tip"]] = hand + 0.045 * (
                throw_share * arm + (1.0 - throw_share) * np.array([0.0, 0.9, 0.4])
            )
        for side, foot in (("left", self.feet[0]), ("right", self.feet[1])):
            move = foot.at(t_s)
            points[J[f"{side}_foot"]] += move
            points[J[f"{side}_toe"]] += (move[0], 0.75 * move[1], move[2])


GESTURES: dict[str, type[Drums] | type[Keys] | type[Strings] | type[Air] | type[Dance]] = {
    "drums": Drums,
    "keys": Keys,
    "strings": Strings,
    "air": Air,
    "dance": Dance,
}
"""How each kind is played."""
