"""The faults of a tracker of hands in one clip: how often and for how long it loses them, and what it invents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import HAND_POINTS
from streaming.vision.eyes.person import Person, hand_scale
from streaming.vision.eyes.smoothing import UNIT_M

Points = NDArray[np.float64]

BLIND_SHARE = 0.2
"""Share of the clips in which no hand is ever found: on 5 of 12 films, of sticks, single fingers and puppets."""
CLEAR_SHARE = 0.3
"""Share of the other clips in which a hand in view is hardly ever lost, as on the films of a snare drum and a
bassoon."""
CLEAR_JITTER, HANDS_JITTER, BODY_JITTER = (0.0004, 0.0008), (0.0004, 0.003), (0.0017, 0.0039)
"""Standard deviations of tracked points before the filter, in sides of the view: of hands in a clear view, in any view,
and of bodies; measured on still pictures, and on films as the deviation from even motion."""
WRIST_JITTER = (0.0026, 0.01)
"""The same of a body's wrists and knuckles; errors come with heavy tails, of Student's t with 3 degrees of freedom."""
FIRST_S = (0.08, 0.3)
"""How long a hand is in view before it is found first."""
BODY_FIRST_S = 0.3
"""How long a body is followed before it is claimed."""
GAPS_S = (0.05, 0.4)
"""Mean length of the gaps in which a hand is lost: on films of blurred hands 1 to 10 frames."""
FAST, SMALL, OUTSIDE = 6.0, 0.06, 0.3
"""A hand is lost more often that moves by more of its lengths a second than the first, is shorter than the second in
sides of the view, or has more of its points outside the view than the third."""
MOST_OUTSIDE = 0.6
"""A hand is lost that has more of its points outside the view."""


@dataclass(frozen=True)
class HandFaults:
    """What a tracker does wrong in one clip.

    Attributes:
        blind: it finds no hand.
        hands_lost, body_lost: share of the time in view in which an easy hand, or the body, is lost.
        gap_s: mean length of such a gap.
        first_s: how long a hand is in view before it is found first.
        hands_jitter, body_jitter, wrist_jitter: standard deviations in sides of the view.
        presence: of a hand that is seen, about so much.
        exchanged_at_first: probability that left and right are exchanged from the start.
        exchanges_hz: how often they are exchanged later.
        false_hz: how often a hand is claimed where there is none.
        swollen: how much a blurred hand's points scatter, as a share of its motion since the frame before.
    """

    blind: bool = False
    hands_lost: float = 0.0
    body_lost: float = 0.0
    gap_s: float = 0.1
    first_s: float = 0.0
    hands_jitter: float = 0.0
    body_jitter: float = 0.0
    wrist_jitter: float = 0.0
    presence: float = 1.0
    exchanged_at_first: float = 0.0
    exchanges_hz: float = 0.0
    false_hz: float = 0.0
    swollen: float = 0.0


def draw_faults(rng: np.random.Generator) -> HandFaults:
    """The faults of a clip: from a clear view of resting hands to hands that are never found."""
    clear = rng.random() < CLEAR_SHARE
    return HandFaults(
        blind=bool(rng.random() < BLIND_SHARE),
        hands_lost=float(rng.uniform(0.0, 0.03) if clear else rng.uniform(0.05, 0.9)),
        body_lost=float(rng.uniform(0.0, 0.2)),
        gap_s=float(np.exp(rng.uniform(*np.log(GAPS_S)))),
        first_s=float(rng.uniform(*FIRST_S)),
        hands_jitter=float(np.exp(rng.uniform(*np.log(CLEAR_JITTER if clear else HANDS_JITTER)))),
        body_jitter=float(rng.uniform(*BODY_JITTER)),
        wrist_jitter=float(np.exp(rng.uniform(*np.log(WRIST_JITTER)))),
        presence=float(rng.uniform(0.95, 1.0) if clear else rng.uniform(0.75, 0.98)),
        exchanged_at_first=0.3,
        exchanges_hz=float(rng.choice([0.0, 0.0, 0.05, 0.3])),
        false_hz=float(rng.choice([0.0, 0.0, 0.0, 0.0, 0.05, 0.2])),
        swollen=float(rng.uniform(0.0, 0.08)),
    )


class SightModel:
    """Whether one hand, or a body, is seen in each frame; and what its points look like.

    Args:
        faults: of the clip.
        lost: share of the time in view in which it is lost while it is easy to see.
        rng: random generator.
    """

    def __init__(self, faults: HandFaults, lost: float, rng: np.random.Generator) -> None:
        self._faults, self._rng = faults, rng
        self._lose_hz = lost / max(1.0 - lost, 0.02) / faults.gap_s
        self._seen = False
        self._new = True
        self._waited_s = 0.0

    def sees(self, points: Points, shift: Points, gap_s: float) -> bool:
        """Whether it is seen in the next frame.

        Args:
            points: true points, float64 [P, 2]; 21 of them for a hand, others for a body; NaN where there is none.
            shift: by how much it has moved since the frame before, [2].
            gap_s: time since the frame before in seconds.
        """
        outside = float((np.abs(points - 0.5) > 0.5).any(1).mean()) if np.isfinite(points).all() else 1.0
        if self._faults.blind or outside > MOST_OUTSIDE:
            self._seen, self._new, self._waited_s = False, True, 0.0
            return False
        is_hand = len(points) == HAND_POINTS
        if self._seen:
            hazard = self._lose_hz * (self._difficulty(points, shift, gap_s, outside) if is_hand else 1.0)
            self._seen = bool(self._rng.random() >= 1.0 - np.exp(-hazard * gap_s))
            self._waited_s = 0.0
        elif self._new:
            self._waited_s += gap_s
            self._seen = self._waited_s >= (self._faults.first_s if is_hand else BODY_FIRST_S)
        else:
            self._seen = bool(self._rng.random() < 1.0 - np.exp(-gap_s / self._faults.gap_s))
        self._new = self._new and not self._seen
        return self._seen

    def _difficulty(self, points: Points, shift: Points, gap_s: float, outside: float) -> float:
        """How many times as often it is lost as when it is easy to see."""
        length = max(UNIT_M * hand_scale(points.astype(np.float32)), 1e-6)
        speed = float(np.hypot(*shift)) / length / max(gap_s, 1e-3)
        return (
            (1.0 + min((speed / FAST) ** 2, 9.0)) * (3.0 if length < SMALL else 1.0) * (1.0 + 9.0 * (outside > OUTSIDE))
        )

    def blurred(self, points: Points, shift: Points) -> Points:
        """A hand's points as the tracker has them: part of the error is the whole hand's, part each point's own."""
        error = self._faults.hands_jitter + self._faults.swollen * float(np.hypot(*shift))
        common, own = self._rng.standard_normal(2), self._rng.standard_normal(points.shape)
        moved: Points = points + error * np.sqrt(0.5) * (common + own)
        return moved

    def presence(self) -> float:
        """How sure the tracker is of the hand, 0.5 to 1."""
        return float(np.clip(self._faults.presence + 0.05 * self._rng.standard_normal(), 0.5, 1.0))


class FalseHand:
    """Claims hands at times where there are none: they lie somewhere and tremble.

    Args:
        faults: of the clip.
        rng: random generator.
    """

    def __init__(self, faults: HandFaults, rng: np.random.Generator) -> None:
        self._faults, self._rng = faults, rng
        self._left_s = 0.0
        self._points = np.zeros((HAND_POINTS, 2))

    def appear(self, person: Person, gap_s: float) -> None:
        """Put the false hand of the next frame, if there is one, into a free slot of a person.

        Args:
            person: whose `hands` are changed.
            gap_s: time since the frame before in seconds.
        """
        rng = self._rng
        self._left_s -= gap_s
        if self._left_s <= 0.0:
            if rng.random() >= 1.0 - np.exp(-self._faults.false_hz * gap_s):
                return
            self._left_s = float(rng.uniform(0.1, 2.0))
            middle, size = rng.uniform(0.05, 0.95, 2), float(np.exp(rng.uniform(np.log(0.03), np.log(0.3))))
            self._points = middle + size * rng.uniform(-0.5, 0.5, (HAND_POINTS, 2))
        free = [slot for slot in (0, 1) if person.hands[slot, 0, 2] == 0.0]
        if free:
            trembling = 4.0 * self._faults.hands_jitter * rng.standard_normal((HAND_POINTS, 2))
            person.hands[free[0], :, :2] = self._points + trembling
            person.hands[free[0], :, 2] = rng.uniform(0.5, 0.8)
