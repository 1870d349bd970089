"""Sees the person in a frame: follows body and hands, decides what is claimed, smooths it, keeps within its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.eyes.network import open_eye
from streaming.timing.clock import now_ns as read_clock
from streaming.vision.eyes.body_tracker import BodyTracker, TrackedBody
from streaming.vision.eyes.claims import BodyClaim
from streaming.vision.eyes.hand_tracker import HandTracker, TrackedHand
from streaming.vision.eyes.person import Person
from streaming.vision.eyes.player_scale import PlayerScale
from streaming.vision.eyes.smoothing import PersonFilter
from streaming.vision.eyes.time_budget import TimeBudget

Mode = Literal["auto", "full", "body"]
BODY_NETWORKS, HAND_NETWORKS = ("body_detector", "body_landmarks"), ("palm_detector", "hand_landmarks")
BUDGET_MS = 16.0
"""What a look may take in mode "auto" before the hands are left out."""


class Eyes:
    """Follows the person before the camera, frame by frame.

    Args:
        engines: by name, `BODY_NETWORKS` and, for the hands, `HAND_NETWORKS`.
        mode: "full" for body and hands, "body" for the body alone, "auto" for hands while the time allows.
        budget_ms: what a look may take in mode "auto".
        smooth: whether the points are filtered.
        clock: gives the time in ns, by which a look's cost is measured.

    Attributes:
        body_alone: True while the hands are not looked for, whatever the mode.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        mode: Mode = "auto",
        *,
        budget_ms: float = BUDGET_MS,
        smooth: bool = True,
        clock: Callable[[], int] = read_clock,
    ) -> None:
        self._body = BodyTracker(*(engines[name] for name in BODY_NETWORKS))
        self._hands = None if mode == "body" else HandTracker(*(engines[name] for name in HAND_NETWORKS))
        self._claim = BodyClaim()
        self._budget = TimeBudget(budget_ms) if mode == "auto" else None
        self._filter = PersonFilter() if smooth else None
        self._clock = clock
        self._scale = PlayerScale()
        self.body_alone = self._had_hands = False
        self.reset()

    def reset(self) -> None:
        """Forget the person, and what looking has cost."""
        self._body.reset()
        self._claim.reset()
        if self._hands is not None:
            self._hands.reset()
        if self._budget is not None:
            self._budget.reset()
        if self._filter is not None:
            self._filter.reset()
        self._scale.reset()

    @property
    def sees_hands(self) -> bool:
        """Whether hands are looked for now."""
        may = self._hands is not None and not self.body_alone
        return may and (self._budget is None or self._budget.hands)

    def look(self, frame: NDArray[np.uint8], now_ns: int) -> Person:
        """The person in a frame.

        Args:
            frame: uint8 [H, W, 3] BGR, at the camera's own resolution.
            now_ns: when it was taken.

        Raises:
            EngineError: when a runtime cannot go on.
        """
        begun = self._clock()
        body = self._body.look(frame, now_ns)
        between = self._clock()
        hands: tuple[TrackedHand | None, TrackedHand | None] = (None, None)
        if self._hands is not None and self.sees_hands:
            hands = self._hands.look(frame, now_ns, None if body is None else body.points)
        if self._budget is not None and not self.body_alone:
            self._budget.measure((between - begun) / 1e6, (self._clock() - between) / 1e6)
        if self._hands is not None and self._had_hands and not self.sees_hands:
            self._hands.reset()
        self._had_hands = self.sees_hands
        claimed, contradicted = self._claim.judge(body, hands, now_ns)
        if contradicted:
            self._body.drop(now_ns)
        person = person_of(frame, body if claimed else None, hands)
        person = replace(person, scale=self._scale.follow(person, now_ns))
        return person if self._filter is None else self._filter.smooth(person, now_ns)


def person_of(frame: NDArray[np.uint8], body: TrackedBody | None, hands: Sequence[TrackedHand | None]) -> Person:
    """What was found in a frame, in sides of the square that holds the frame whole; without its scale."""
    height, width = frame.shape[:2]
    side = max(height, width)
    corner = np.array([(side - width) / 2, (side - height) / 2], np.float32)
    person = Person(body_score=0.0 if body is None else body.presence)
    if body is not None:
        person.body[:, :2] = (body.points[:, :2] + corner) / side
        person.body[:, 2] = body.points[:, 2]
    for slot, hand in enumerate(hands):
        if hand is not None:
            person.hands[slot, :, :2] = (hand.points + corner) / side
            person.hands[slot, :, 2] = hand.presence
    return person


def open_eyes(mode: Mode = "auto") -> Eyes:
    """Eyes with the networks of the user's cache.

    Raises:
        EngineError: when they are not there, or cannot be run; the text says the fix.
    """
    names = BODY_NETWORKS if mode == "body" else (*BODY_NETWORKS, *HAND_NETWORKS)
    return Eyes({name: open_eye(name) for name in names}, mode)
