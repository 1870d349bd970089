"""Follows the player's two hands from frame to frame; the palm detector looks only while one of them is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.conventions import HAND_POINTS
from streaming.vision.eyes.detectors import PalmDetector
from streaming.vision.eyes.person import (
    INDEX_KNUCKLE,
    INDEXES,
    LEFT,
    MIDDLE_KNUCKLE,
    PINKIES,
    RIGHT,
    WRIST,
    WRISTS,
)
from streaming.vision.eyes.regions import Region, cut, place, shifted, turned

SIDE = 224
LEAST_PRESENCE, NEW_PRESENCE = 0.5, 0.6
"""A hand that is followed is kept from the one on, one that is new is taken from the other on: the palm detector also
finds palms in textures, of which this network says 0.0 to 0.56."""
LEAST_PIXELS = 14.0
"""A region with a smaller side holds too few pixels for the points of a hand."""
SEARCH_NS, RARE_SEARCH_NS, RARE_AFTER_NS = 80_000_000, 240_000_000, 4_000_000_000
"""How often the palm detector looks; how often after it has found nothing new for so long, or while the body says where
the lost hands are."""
AGAIN_NS, RECENT_NS = 240_000_000, 1_500_000_000
"""So long a lost hand is looked for where it was last, and by the palm detector around that place."""
AROUND = 2.0
"""The window around a lost hand, in sides of its last region."""
WIDE, STRIP = 1.25, 2.5
"""A frame that is longer than the first is also searched in squares of its shorter side, one that is longer than the
second in larger ones: hands over a strip of a keyboard are larger than the strip is high."""
NEAR = 1.4
"""Hands that are near and cut by the frame's edge are found more often in a window that is larger than the frame by so
much: on a film of a hand with a stick at the edge in 27 % of the frames instead of 13."""
STEP = 0.8
"""Neighbouring windows are apart by so much of their side."""
BODY_VISIBLE = 0.5
HANDEDNESS_SHARE = 0.1
"""How much a new reading of left or right counts beside those before."""
_OUTLINE = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
_GROWTH, _SHIFT = 2.0, -0.1
_FROM_BODY_GROWTH = 2.7
"""Regions from a hand's own points, and from a body's (MediaPipe, hand_landmark and holistic_landmark modules)."""


@dataclass(frozen=True)
class TrackedHand:
    """A hand in a frame.

    Attributes:
        points: float32 [21, 2], x, y in pixels of the frame.
        presence: 0 to 1.
        region: where it will be looked for in the next frame.
        left: 0 to 1, how much it looks like a left hand, over the time that it is followed.
    """

    points: NDArray[np.float32]
    presence: float
    region: Region
    left: float


class HandTracker:
    """Follows two hands.

    Args:
        palms: the engine `palm_detector`.
        landmarks: the engine `hand_landmarks`.
    """

    def __init__(self, palms: Engine, landmarks: Engine) -> None:
        self._palms, self._landmarks = PalmDetector(palms), landmarks
        self.reset()

    def reset(self) -> None:
        """Forget both hands."""
        self._hands: list[TrackedHand | None] = [None, None]
        self._last: list[tuple[Region, int] | None] = [None, None]
        self._candidates: list[Region] = []
        self._searched_ns: int | None = None
        self._found_ns = 0
        self._turn = 0

    def look(
        self, frame: NDArray[np.uint8], now_ns: int, body: NDArray[np.float32] | None
    ) -> tuple[TrackedHand | None, TrackedHand | None]:
        """The hands in a frame, left and right.

        Args:
            frame: uint8 [H, W, 3] BGR.
            now_ns: when it was seen.
            body: [33, 3], x, y in pixels, visibility; None where none is seen.
        """
        self._follow(frame, now_ns)
        candidates, self._candidates = self._candidates, []
        at_wrists: list[Region] = []
        if body is not None:
            wrists = [slot for slot in self._lost() if body[WRISTS[slot], 2] > BODY_VISIBLE]
            at_wrists = [region_from_body(body, slot) for slot in wrists]
        known = at_wrists or [region for region, lost_ns in self._lost_at(now_ns) if lost_ns < AGAIN_NS]
        candidates = candidates + known
        self._take_new(frame, now_ns, body, candidates)
        self._tell_apart(body)
        if self._lost():
            self._search(frame, now_ns, len(at_wrists) > 0)
        return self._hands[LEFT], self._hands[RIGHT]

    def _follow(self, frame: NDArray[np.uint8], now_ns: int) -> None:
        """Find the hands where they were, as they moved on."""
        for slot, hand in enumerate(self._hands):
            if hand is None:
                continue
            now = self._read(frame, hand.region, hand.left)
            if now is not None and now.presence >= LEAST_PRESENCE and plausible(now, hand.region):
                self._hands[slot], self._last[slot] = now, (now.region, now_ns)
            else:
                self._hands[slot] = None
        first, second = self._hands
        if first is not None and second is not None and same_hand(first, second):
            self._hands[LEFT if first.presence < second.presence else RIGHT] = None

    def _take_new(
        self,
        frame: NDArray[np.uint8],
        now_ns: int,
        body: NDArray[np.float32] | None,
        candidates: Sequence[Region],
    ) -> None:
        """Look at where a hand may be; at most one network's run for each place that is free."""
        for region in candidates[: len(self._lost())]:
            hand = self._read(frame, region, None)
            if hand is None or hand.presence < NEW_PRESENCE or not plausible(hand, region):
                continue
            if any(other is not None and same_hand(hand, other) for other in self._hands):
                continue
            free, wanted = self._lost(), side_of(hand, body)
            slot = wanted if wanted in free else free[0]
            self._hands[slot], self._last[slot] = hand, (hand.region, now_ns)
            self._found_ns = now_ns

    def _lost(self) -> list[int]:
        """The slots in which no hand is followed."""
        return [slot for slot in (LEFT, RIGHT) if self._hands[slot] is None]

    def _read(self, frame: NDArray[np.uint8], region: Region, left: float | None) -> TrackedHand | None:
        """The hand in a region; None where it is too small or far outside the frame."""
        height, width = frame.shape[:2]
        inside = -region.size / 2 < region.x < width + region.size / 2
        inside = inside and -region.size / 2 < region.y < height + region.size / 2
        if region.size < LEAST_PIXELS or region.size > 3 * max(width, height) or not inside:
            return None
        found = self._landmarks.step(image=cut(frame, region, SIDE))
        reading = 1 - float(found["handedness"][0])
        left = reading if left is None else left + HANDEDNESS_SHARE * (reading - left)
        points = place(found["landmarks"], region, SIDE)
        return TrackedHand(points, float(found["presence"][0]), hand_region(points), left)

    def _tell_apart(self, body: NDArray[np.float32] | None) -> None:
        """Exchange left and right where the body, or without one what the hands look like, says so."""
        first, second = self._hands
        if body is not None and body[list(WRISTS), 2].min() > BODY_VISIBLE:
            straight, crossed = (
                sum(
                    float(np.hypot(*(hand.points[WRIST] - body[WRISTS[slot], :2])))
                    for slot, hand in zip(slots, (first, second), strict=True)
                    if hand is not None
                )
                for slots in ((LEFT, RIGHT), (RIGHT, LEFT))
            )
            exchange = crossed < 0.5 * straight
        else:
            lefts = [hand.left for hand in (first, second) if hand is not None]
            exchange = len(lefts) == 2 and lefts[LEFT] < 0.25 and lefts[RIGHT] > 0.75
        if exchange:
            self._hands.reverse()
            self._last.reverse()

    def _lost_at(self, now_ns: int) -> list[tuple[Region, int]]:
        """Where the hands that are lost were last, and how long ago in ns."""
        return [(last[0], now_ns - last[1]) for slot in self._lost() if (last := self._last[slot]) is not None]

    def _search(self, frame: NDArray[np.uint8], now_ns: int, known_places: bool) -> None:
        """Let the palm detector look, at times; where it finds a palm the next frame is looked at."""
        rare = known_places or now_ns - self._found_ns > RARE_AFTER_NS
        every_ns = RARE_SEARCH_NS if rare else SEARCH_NS
        if self._searched_ns is not None and now_ns - self._searched_ns < every_ns:
            return
        self._searched_ns = now_ns
        found = self._palms.find(frame, self._window(frame, now_ns))
        known = [hand.region for hand in self._hands if hand is not None]
        self._candidates = [one.region for one in found if not any(_near(one.region, other) for other in known)]

    def _window(self, frame: NDArray[np.uint8], now_ns: int) -> Region:
        """Where the palm detector looks next: the whole, and in between around what was lost and parts of the frame."""
        self._turn += 1
        whole_frame, *parts = windows(frame.shape[1], frame.shape[0])
        recent = [region for region, lost_ns in self._lost_at(now_ns) if lost_ns < RECENT_NS]
        parts = [Region(region.x, region.y, AROUND * region.size) for region in recent] + parts
        strip = max(frame.shape[:2]) > STRIP * min(frame.shape[:2])
        if not strip and (self._turn % 2 or not parts):
            return whole_frame
        return parts[(self._turn if strip else self._turn // 2) % len(parts)]


def windows(width: int, height: int) -> list[Region]:
    """Where hands are looked for, the square that holds a frame whole first.

    The others are a larger one, and for a long frame squares of its shorter side that cover it; for a strip, squares
    that are larger than its shorter side, and no larger whole.
    """
    long, short = max(width, height), min(width, height)
    parts = [Region(width / 2, height / 2, long)]
    if long <= STRIP * short:
        parts.append(Region(width / 2, height / 2, NEAR * long))
    if long > WIDE * short:
        side = short if long <= STRIP * short else STRIP * short
        count = math.ceil((long - side) / (STEP * side)) + 1
        places = np.linspace(side / 2, long - side / 2, count).tolist()
        parts += [Region(at, height / 2, side) if width > height else Region(width / 2, at, side) for at in places]
    return parts


def hand_region(points: NDArray[np.float32]) -> Region:
    """The region that holds a hand whole, by its points [21, 2] in pixels."""
    knuckles = (points[INDEX_KNUCKLE] + points[13]) / 2
    up = (knuckles + points[MIDDLE_KNUCKLE]) / 2 - points[WRIST]
    angle = turned(float(up[0]), float(up[1]))
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    outline = points[list(_OUTLINE)] @ turn.T
    low, high = outline.min(0), outline.max(0)
    x, y = turn.T @ ((low + high) / 2)
    tight = Region(float(x), float(y), float((high - low).max()), angle)
    middle = shifted(tight, 0, _SHIFT * float(high[1] - low[1]) / max(tight.size, 1e-6))
    return Region(middle.x, middle.y, _GROWTH * tight.size, angle)


def region_from_body(body: NDArray[np.float32], slot: int) -> Region:
    """Where a hand is by the body's points [33, 3]: its wrist and knuckles."""
    wrist, pinky, index = (body[row, :2] for row in (WRISTS[slot], PINKIES[slot], INDEXES[slot]))
    middle = (2 * index + pinky) / 3
    dx, dy = (float(value) for value in middle - wrist)
    around = Region(float(middle[0]), float(middle[1]), 2 * math.hypot(dx, dy), turned(dx, dy))
    centre = shifted(around, 0, _SHIFT)
    return Region(centre.x, centre.y, _FROM_BODY_GROWTH * around.size, around.angle)


def plausible(hand: TrackedHand, region: Region) -> bool:
    """Whether what was read in a region can be a hand: of about the size that was looked for, and with some extent."""
    sizes = 0.4 < hand.region.size / max(region.size, 1e-6) < 2.0
    return sizes and hand.points.shape == (HAND_POINTS, 2) and bool(np.isfinite(hand.points).all())


def same_hand(one: TrackedHand, other: TrackedHand) -> bool:
    """Whether two slots follow one hand: their points lie upon each other."""
    apart = float(np.hypot(*(one.points - other.points).T).mean())
    return apart < 0.2 * min(one.region.size, other.region.size)


def side_of(hand: TrackedHand, body: NDArray[np.float32] | None) -> int:
    """Whether a hand is the left or the right one: by the nearer wrist of the body, else by what it looks like."""
    if body is not None and body[list(WRISTS), 2].max() > BODY_VISIBLE:
        gaps = [float(np.hypot(*(hand.points[WRIST] - body[row, :2]))) for row in WRISTS]
        return int(np.argmin(gaps))
    return LEFT if hand.left > 0.5 else RIGHT


def _near(one: Region, other: Region) -> bool:
    return math.hypot(one.x - other.x, one.y - other.y) < 0.5 * max(one.size, other.size) * 0.7
