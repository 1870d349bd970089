"""What a synthetic performer plays: notes and rests, drawn from a seed."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from performers.kinds import KINDS, PITCH_RANGE

LEFT, RIGHT, FOOT = 0, 1, 2

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10))


@dataclass(frozen=True)
class Note:
    """One sounding event.

    Attributes:
        onset_s: start in seconds from the start of the performance.
        duration_s: how long it is held (struck sounds ring on by themselves).
        pitch: MIDI number (69 = 440 Hz); for drums an index into `kinds.DRUM_PIECES`.
        velocity: strength, 0 (inaudible) to 1 (as hard as possible).
        effector: the limb that makes it: `LEFT`, `RIGHT` or `FOOT`.
    """

    onset_s: float
    duration_s: float
    pitch: float
    velocity: float
    effector: int

    @property
    def end_s(self) -> float:
        """End of the note in seconds."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True)
class Score:
    """A whole performance: what is played and when the player stands still.

    Attributes:
        kind: one of `KINDS`.
        seed: the seed it was drawn from; the same seed gives the same score.
        duration_s: length in seconds.
        beat_s: the pulse in seconds.
        notes: the notes, by onset.
        rests: intervals (start, end) in seconds with no note; the player stands still in them.
    """

    kind: str
    seed: int
    duration_s: float
    beat_s: float
    notes: tuple[Note, ...]
    rests: tuple[tuple[float, float], ...]

    @cached_property
    def onsets_s(self) -> NDArray[np.float64]:
        """Distinct onset times in seconds, sorted; notes less than 15 ms apart count as one."""
        times = np.array(sorted(note.onset_s for note in self.notes), dtype=np.float64)
        if times.size == 0:
            return times
        keep = np.concatenate([[True], np.diff(times) > 0.015])
        return np.asarray(times[keep])


def _rests(rng: np.random.Generator, duration_s: float) -> tuple[tuple[float, float], ...]:
    """Still moments: a short one at the start of most performances, then one every few seconds."""
    rests: list[tuple[float, float]] = []
    if rng.random() < 0.6:
        rests.append((0.0, float(rng.uniform(0.3, 1.0))))
    now = float(rng.uniform(2.5, 6.0))
    while now < duration_s - 1.0:
        length = float(rng.uniform(1.2, 2.6))
        rests.append((now, min(duration_s, now + length)))
        now += length + float(rng.uniform(3.0, 8.0))
    return tuple(rests)


def _resting(rests: tuple[tuple[float, float], ...], start: float, end: float) -> bool:
    """Whether an interval touches a rest; the rests are in order and apart, so one bisection finds the candidates."""
    place = bisect_right(rests, (end,))
    return any(start < stop and end > begin for begin, stop in rests[max(0, place - 2) : place + 1])


def _drums(rng: np.random.Generator, score_s: float, beat: float, rests: tuple[tuple[float, float], ...]) -> list[Note]:
    """A looped bar of eighth or sixteenth notes with accents and fills, both sticks and a foot."""
    division = int(rng.choice([2, 2, 3, 4])) if beat > 0.45 else 2
    step = beat / division
    steps = 4 * division
    probability = rng.uniform(0.08, 0.5, size=(3, steps))
    probability[RIGHT, ::division] += 0.4
    probability[FOOT, :: 2 * division] += 0.45
    probability[LEFT, division :: 2 * division] += 0.5
    pattern = rng.random((3, steps)) < probability
    pieces = {
        LEFT: int(rng.choice([1, 1, 1, 3])),
        RIGHT: int(rng.choice([2, 2, 5, 4])),
        FOOT: 0,
    }
    fill = {LEFT: 3, RIGHT: 4, FOOT: 0}
    notes: list[Note] = []
    last = {LEFT: -1.0, RIGHT: -1.0, FOOT: -1.0}
    for index in range(int(score_s / step)):
        onset = index * step + float(rng.normal(0.0, 0.004))
        is_fill = (index // steps) % 4 == 3 and index % steps >= steps - division
        for limb in (LEFT, RIGHT, FOOT):
            hit = pattern[limb, index % steps] or (is_fill and limb != FOOT and (index + limb) % 2 == 0)
            if not hit or rng.random() < 0.06 or onset < 0.05 or onset - last[limb] < 0.13:
                continue
            if _resting(rests, onset - 0.05, onset + 0.1):
                continue
            last[limb] = onset
            piece = fill[limb] if is_fill else pieces[limb]
            notes.append(Note(onset, 0.1, float(piece), float(np.clip(rng.normal(0.65, 0.18), 0.2, 1.0)), limb))
    return notes


def _melody(
    kind: str, rng: np.random.Generator, score_s: float, beat: float, rests: tuple[tuple[float, float], ...]
) -> list[Note]:
    """A random walk over a scale; legato for strings and air, detached or legato for keys."""
    low, high = PITCH_RANGE[kind]
    root = int(rng.integers(0, 12))
    scale = _SCALES[int(rng.integers(len(_SCALES)))]
    ladder = [p for p in range(int(low), int(high) + 1) if (p - root) % 12 in scale]
    place = int(rng.integers(len(ladder)))
    lengths = np.array([0.5, 1.0, 1.0, 2.0]) if kind != "keys" else np.array([0.5, 0.5, 1.0, 1.0])
    notes: list[Note] = []
    now = 0.05 + float(rng.uniform(0.0, beat))
    level = float(rng.uniform(0.4, 0.9))
    while now < score_s - 0.2:
        length = float(rng.choice(lengths)) * beat
        level = float(np.clip(level + rng.normal(0.0, 0.12), 0.25, 1.0))
        gate = 1.0 if kind in ("strings", "air") else float(rng.uniform(0.6, 1.0))
        sounding_s = length * gate
        place_ahead = bisect_right(rests, (now, float("inf")))
        if place_ahead < len(rests):
            sounding_s = min(sounding_s, rests[place_ahead][0] - now)
        if sounding_s > 0.1 and not _resting(rests, now, now + 0.1):
            effector = RIGHT
            if kind == "keys":
                effector = RIGHT if ladder[place] >= (low + high) / 2 else LEFT
            notes.append(Note(now, sounding_s, float(ladder[place]), level, effector))
        stride = int(rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3])) if rng.random() < 0.85 else int(rng.integers(-6, 7))
        place = int(np.clip(place + stride, 0, len(ladder) - 1))
        now += length
    return notes


def _dance(rng: np.random.Generator, score_s: float, beat: float, rests: tuple[tuple[float, float], ...]) -> list[Note]:
    """Steps on the beat (foot), claps and thrown arms between."""
    low, high = PITCH_RANGE["dance"]
    notes: list[Note] = []
    claps = rng.random(8) < 0.4
    throws = rng.random(8) < 0.35
    for index in range(int(score_s / (beat / 2))):
        onset = 0.05 + index * beat / 2
        if _resting(rests, onset - 0.05, onset + 0.15):
            continue
        strength = float(np.clip(rng.normal(0.65, 0.15), 0.25, 1.0))
        if index % 2 == 0:
            notes.append(Note(onset, 0.2, low, strength, FOOT))
        if claps[index % 8]:
            notes.append(Note(onset, 0.1, low + 12.0, strength, LEFT))
        elif throws[index % 8]:
            notes.append(Note(onset, 0.3, float(rng.choice([high - 7.0, high - 4.0, high])), strength, RIGHT))
    return notes


def _periodic(kind: str, rng: np.random.Generator, score_s: float, beat: float) -> list[Note]:
    """The same gesture at every beat: two pitches or two sides in turn, always as strong."""
    strength = float(rng.uniform(0.5, 0.9))
    low, high = PITCH_RANGE.get(kind, (1.0, 1.0))
    first = float(rng.integers(int(low), max(int(low), int(high) - 7) + 1))
    notes = []
    for index in range(int((score_s - 0.3) / beat)):
        onset = 0.5 * beat + index * beat
        if kind == "dance":
            notes.append(Note(onset, 0.2, low, strength, FOOT))
        elif kind == "drums":
            notes.append(Note(onset, 0.1, first, strength, (LEFT, RIGHT)[index % 2]))
        else:
            notes.append(Note(onset, beat, first + 7.0 * (index % 2), strength, RIGHT))
    return notes


def draw_score(kind: str, seed: int, duration_s: float, *, periodic: bool = False) -> Score:
    """Draw a performance.

    Args:
        kind: one of `kinds.KINDS`.
        seed: any non-negative integer.
        duration_s: length in seconds, positive.
        periodic: the same gesture at every beat and no rests, so that each note can be predicted.

    Returns:
        The score; the same arguments always give the same one.

    Raises:
        ValueError: for an unknown kind or a duration that is not positive.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown performer kind {kind!r}: use one of {', '.join(KINDS)}")
    if not duration_s > 0:
        raise ValueError(f"duration must be positive, not {duration_s}")
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    beat = float(rng.uniform(0.42, 0.75))
    rests = () if periodic else _rests(rng, duration_s)
    if periodic:
        notes = _periodic(kind, rng, duration_s, beat)
    elif kind == "drums":
        notes = _drums(rng, duration_s, beat, rests)
    elif kind == "dance":
        notes = _dance(rng, duration_s, beat, rests)
    else:
        notes = _melody(kind, rng, duration_s, beat, rests)
    return Score(kind, seed, duration_s, beat, tuple(sorted(notes, key=lambda n: n.onset_s)), rests)
