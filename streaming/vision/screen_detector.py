"""Finds the show's own screen in what its camera sees, so that its pictures are not taken for a performer's movement.

A camera before which the pictures are projected closes a loop: what moves on the screen makes music, and the music
moves the screen. What was shown is known, so it can be looked for: features of a shown picture and a homography that
carries them into the view (SIFT, Lowe 2004; MAGSAC, Barath et al. 2019). A poster of the prior would be found as well;
only a screen moves as the pictures did, some ticks later. That delay is measured, and until the pictures of one delay
explain the view better than those of others nothing is believed. From then on, what the pictures explain does not
count as movement, and who stands before the screen does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.system.realtime import run_in_background

SIDE = 128
"""Side of the square view that is explained."""
SHOWN_SIDE = 256
"""Longer side of the pictures that are looked for."""
DELAYS = 12
"""A picture is seen at most so many ticks after it was drawn: the screen's, the light's and the camera's way."""
SEARCH_TICKS, SELDOM_TICKS = 50, 600
"""So often it is searched for, and ever more seldom while nothing is found."""
TRIED = (1, 4, 7, 10)
"""Delays of the pictures that are searched for."""
INLIERS = 12
SMALLEST = 0.02
"""Part of the view that a screen fills at least."""
DECAY = 0.98
"""How much of what the delays explained counts a tick later: some two seconds."""
LIVELY = 2.0
"""Pictures of different delays that differ by less than so many grey levels tell nothing of the delay."""
MATTERS = 12.0
"""So many ticks' worth of such differences must have been seen."""
CLEARLY, HARDLY = 0.8, 0.95
"""A delay is believed when it leaves less than this of what delays leave on average, and no longer above the second."""
RELIABLE = 0.7
"""Part of the screen that is thought not to be hidden when light and delay are judged."""
SAMPLES = 600
"""So many points of the screen tell of the light and the delay."""
SURELY = 3.0
"""What differs by more than so many times the usual difference is no picture of ours; never less than `LEAST`."""
LEAST, MOST = 8.0, 30.0
SOFT = 1.0
"""Pixels of the view by which it is smoothed."""

Grey = NDArray[np.uint8]
View = NDArray[np.float32]
Homography = NDArray[np.float64]
Search = Callable[[Grey, Sequence[Grey]], tuple[Homography, int] | None]


def find_screen(view: Grey, shown: Sequence[Grey]) -> tuple[Homography, int] | None:
    """Where one of some shown pictures is in a view.

    Args:
        view: uint8 [S, S].
        shown: uint8 [H, W] each.

    Returns:
        float64 [3, 3], from pixels of the picture to those of the view, and which picture it is: that of which most is
        found again. None where none is seen.
    """
    sift = cv2.SIFT.create(500)
    points, described = sift.detectAndCompute(view, None)
    if described is None or len(points) < INLIERS:
        return None
    best: tuple[Homography, int] | None = None
    most = INLIERS - 1
    for index, picture in enumerate(shown):
        own, own_described = sift.detectAndCompute(picture, None)
        if own_described is None or len(own) < INLIERS:
            continue
        pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(own_described, described, k=2)
        good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance]
        if len(good) <= most:
            continue
        source = np.array([own[match.queryIdx].pt for match in good], np.float32)
        target = np.array([points[match.trainIdx].pt for match in good], np.float32)
        found, inliers = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 1.5)
        if found is not None and int(inliers.sum()) > most and _plausible(found, picture.shape, view.shape):
            best, most = (np.asarray(found, np.float64), index), int(inliers.sum())
    return best


def _plausible(homography: Homography, shown: tuple[int, ...], view: tuple[int, ...]) -> bool:
    """A screen seen from its front: convex, not mirrored, and not tiny."""
    height, width = shown
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    quad = cv2.perspectiveTransform(corners, homography)[0]
    if not np.isfinite(quad).all() or not cv2.isContourConvex(quad.astype(np.float32)):
        return False
    return float(cv2.contourArea(quad.astype(np.float32), oriented=True)) > SMALLEST * view[0] * view[1]


class _Place:
    """Where the screen seems to be, and what speaks for it.

    Args:
        homography: from a shown picture to a view.
        view_side: of that view.
        shown: height and width of the picture.
        searched: the delay of the picture by which it was found.
    """

    def __init__(self, homography: Homography, view_side: int, shown: tuple[int, int], searched: int) -> None:
        self.searched = searched
        height, width = shown
        back = np.linalg.inv(np.diag([SIDE / view_side, SIDE / view_side, 1.0]) @ homography)
        rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
        points = cv2.perspectiveTransform(np.stack([columns, rows], -1), back).astype(np.float32)
        inside = ((points >= 0) & (points <= np.array([width - 1, height - 1], np.float32))).all(-1)
        # Its edge is neither here nor there.
        self.inside = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        self.edge = (cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~self.inside
        ys, xs = np.nonzero(inside)
        self.box = slice(int(ys.min()), int(ys.max()) + 1), slice(int(xs.min()), int(xs.max()) + 1)
        self.points = np.ascontiguousarray(points[self.box])
        at_y, at_x = np.nonzero(self.inside)
        step = max(1, at_y.size // SAMPLES)
        self.samples = at_y[::step], at_x[::step]
        self.sampled = np.ascontiguousarray(points[self.samples][None])
        # Pixels of the picture in one of the view: it must not be sharper than it can be seen.
        self.coarser = float(np.sqrt(height * width / max(1, inside.sum())))
        self.left = np.zeros(DELAYS)
        """What the pictures of each delay left unexplained, summed over the last seconds."""
        self.weight = 0.0
        """Over how many ticks."""
        self.age = 0
        self.believed = False

    @property
    def delay(self) -> int:
        """The delay that explains most."""
        return int(self.left.argmin())

    def blurred(self, shown: Grey) -> View:
        """A picture as softly as it is seen."""
        sigma = self.coarser * float(np.hypot(0.4, SOFT))
        return np.asarray(cv2.GaussianBlur(shown, (0, 0), sigma), np.float32)

    def weigh(self, seen: View, shown: list[View]) -> None:
        """Which delay explains the view, and whether clearly so."""
        self.age += 1
        self.left *= DECAY
        self.weight *= DECAY
        wanted = seen[self.samples]
        own = np.concatenate([_at(picture, self.sampled) for picture in shown])
        if float(own.std(0).mean()) > LIVELY:
            kept = int(RELIABLE * wanted.size)
            rests = [np.sort(np.abs(_lit(row, wanted) - wanted))[:kept].mean() for row in own]
            self.left += np.array(rests)
            self.weight += 1.0
        if self.weight >= MATTERS:
            share = float(self.left.min() / max(self.left.mean(), 1e-9))
            self.believed = share < (HARDLY if self.believed else CLEARLY)

    def foreign(self, seen: View, shown: list[View]) -> View:
        """What the pictures do not explain, float32 [SIDE, SIDE]."""
        view, inside = seen[self.box], self.inside[self.box]
        near = np.full(view.shape, 255.0, np.float32)
        for picture in shown[max(0, self.delay - 1) : self.delay + 2]:
            gain, offset = _light(_at(picture, self.sampled)[0], seen[self.samples])
            near = np.minimum(near, np.abs(gain * _at(picture, self.points) + offset - view))
        usual = float(np.quantile(near[inside], 0.5 * RELIABLE))
        strange = ((near > np.clip(SURELY * usual, LEAST, MOST)) & inside).astype(np.uint8)
        # What is as thin as an edge is a picture seen a moment early or late; who stands there is broader.
        strange = cv2.dilate(cv2.erode(strange, np.ones((3, 3), np.uint8)), np.ones((7, 7), np.uint8))
        out = 1.0 - (self.inside | self.edge).astype(np.float32)
        out[self.box] = np.maximum(out[self.box], strange)
        return np.asarray(out, np.float32)


class ScreenDetector:
    """Tells what in a view is not the show's own pictures.

    Args:
        search: finds a picture in a view; takes some 20 ms, and runs aside.
    """

    def __init__(self, search: Search = find_screen) -> None:
        self._search = search
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="screen", initializer=run_in_background)
        self._coming: Future[tuple[Homography, int] | None] | None = None
        self._searched: Sequence[int] = ()
        self._shown: deque[Grey] = deque(maxlen=DELAYS)
        self._soft: deque[View] = deque(maxlen=DELAYS)
        self._place: _Place | None = None
        self._ticks, self._wait, self._next = 0, SEARCH_TICKS, SEARCH_TICKS

    @property
    def found(self) -> bool:
        """Whether the screen is in sight."""
        return self._place is not None and self._place.believed

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Remember a picture that was drawn, uint8 [H, W, 3]; one for each tick."""
        scale = SHOWN_SIDE / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        if self._shown and self._shown[0].shape != grey.shape:
            self._shown.clear()
            self._place = None
        self._shown.appendleft(grey)
        if self._place is not None:
            self._soft.appendleft(self._place.blurred(grey))

    def foreign(self, grey: Grey) -> View | None:
        """What of a view is not the show's own.

        Args:
            grey: uint8 [S, S], the square view of the camera.

        Returns:
            float32 [SIDE, SIDE] in 0..1, 0 where the screen shows what it was told to; None while none is in sight.
        """
        self._ticks += 1
        self._look(grey)
        place = self._place
        if place is None or len(self._soft) < DELAYS:
            return None
        small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        seen = np.asarray(cv2.GaussianBlur(small, (0, 0), SOFT), np.float32)
        soft = list(self._soft)
        place.weigh(seen, soft)
        return place.foreign(seen, soft) if place.believed else None

    def close(self) -> None:
        """Wait for no search."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, grey: Grey) -> None:
        """Search now and then, aside, and take up what was found."""
        if self._coming is not None and self._coming.done():
            coming, self._coming = self._coming, None
            found = coming.result()
            if found is not None and self._shown:
                height, width = self._shown[0].shape
                self._place = _Place(found[0], grey.shape[0], (height, width), self._searched[found[1]])
                self._soft.clear()
                self._soft.extend(self._place.blurred(shown) for shown in self._shown)
        if self._coming is not None or len(self._shown) < DELAYS:
            return
        place = self._place
        if place is None or (not place.believed and place.age > 2 * SEARCH_TICKS):
            if self._ticks >= self._next:
                self._wait = SEARCH_TICKS if place is not None else min(2 * self._wait, SELDOM_TICKS)
                self._place, self._next = None, self._ticks + self._wait
                self._begin(grey, TRIED)
        elif place.weight >= MATTERS and abs(place.delay - place.searched) > 1:
            # It was found by a picture of another moment, and lies a little beside where it is.
            place.searched = place.delay
            self._begin(grey, (place.delay,))

    def _begin(self, grey: Grey, delays: Sequence[int]) -> None:
        self._searched = delays
        self._coming = self._pool.submit(self._search, grey.copy(), [self._shown[delay] for delay in delays])


def _at(picture: View, points: NDArray[np.float32]) -> View:
    """A picture at points [..., 2]: [...]."""
    return np.asarray(cv2.remap(picture, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _light(own: View, seen: View) -> tuple[float, float]:
    """How bright and how strong a picture is seen: gain and offset, what does not fit left out of account."""
    trusted: NDArray[np.bool_] | slice = slice(None)
    gain, offset = 1.0, 0.0
    for _ in range(2):
        mean, mean_seen = float(own[trusted].mean()), float(seen[trusted].mean())
        spread = own[trusted] - mean
        gain = float((spread * (seen[trusted] - mean_seen)).sum()) / max(float((spread**2).sum()), 1e-6)
        gain = min(max(gain, 0.1), 4.0)
        offset = mean_seen - gain * mean
        away = np.abs(gain * own + offset - seen)
        trusted = away <= np.quantile(away, RELIABLE)
    return gain, offset


def _lit(own: View, seen: View) -> View:
    gain, offset = _light(own, seen)
    return np.asarray(gain * own + offset, np.float32)
