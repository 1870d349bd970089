"""Finds the show's own screen in the camera's view, so that its pictures do not count as a performer's movement.

A camera that sees the projection closes a loop: what moves on the screen makes music, and the music moves the screen.
The pictures that were shown are known, so they can be searched for: SIFT features (Lowe 2004) of a shown picture are
matched with those of the view, and a homography (MAGSAC, Barath et al. 2019) maps the one onto the other. A poster of
the prior image would be found too; only a screen moves as the pictures did, some ticks later. That delay is measured.
The screen counts as visible only when the pictures of one delay explain the view clearly better than those of others.
From then on, movement that the pictures explain is masked, and whoever stands before the screen is not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.system.realtime import run_in_background

SIDE = 128
"""Side in pixels of the square view in which pictures are compared."""
PICTURE_SIDE = 256
"""Longer side in pixels of the pictures that are searched for."""
DELAYS = 12
"""Ticks from drawing a picture to seeing it, at most: through the screen, the air and the camera."""
FIRST_SEARCH_TICKS, MAX_SEARCH_TICKS = 50, 600
"""Ticks between two searches: first, and at most; doubled while nothing is found."""
SEARCH_DELAYS = (1, 4, 7, 10)
"""Delays of the pictures that are searched for."""
MIN_INLIERS = 12
"""Matched features that a homography needs."""
MIN_AREA = 0.02
"""Share of the view that a screen fills at least."""
DECAY = 0.98
"""Decay per tick of the errors that are summed for each delay: about two seconds."""
MIN_CONTRAST = 2.0
"""Mean difference in grey levels below which pictures of different delays say nothing about the delay."""
MIN_EVIDENCE = 12.0
"""Ticks (decayed) of such differences that are needed before a delay is believed."""
VISIBLE_BELOW, HIDDEN_ABOVE = 0.8, 0.95
"""Error of the best delay as a share of the mean error: the screen becomes visible below the first, and stops being
visible above the second."""
VISIBLE_SHARE = 0.7
"""Share of the screen that is assumed not to be hidden by a person when brightness and delay are fitted."""
SAMPLES = 600
"""Points of the screen at which brightness and delay are fitted."""
FOREGROUND_FACTOR = 3.0
"""A pixel is foreground when its error is above this multiple of the usual error."""
MIN_THRESHOLD, MAX_THRESHOLD = 8.0, 30.0
"""Bounds of that threshold in grey levels."""
BLUR = 1.0
"""Standard deviation in pixels by which the view is smoothed."""

Grey = NDArray[np.uint8]
View = NDArray[np.float32]
Homography = NDArray[np.float64]
Search = Callable[[Grey, Sequence[Grey]], tuple[Homography, int] | None]


def find_screen(view: Grey, pictures: Sequence[Grey]) -> tuple[Homography, int] | None:
    """Find one of several pictures in a view.

    Args:
        view: uint8 [S, S].
        pictures: uint8 [H, W] each.

    Returns:
        The homography, float64 [3, 3], from pixels of the picture to those of the view, and the index of the picture
        with most inliers. None where none is found.
    """
    sift = cv2.SIFT.create(500)
    view_points, view_features = sift.detectAndCompute(view, None)
    if view_features is None or len(view_points) < MIN_INLIERS:
        return None
    best: tuple[Homography, int] | None = None
    most = MIN_INLIERS - 1
    for index, picture in enumerate(pictures):
        points, features = sift.detectAndCompute(picture, None)
        if features is None or len(points) < MIN_INLIERS:
            continue
        pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(features, view_features, k=2)
        good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance]
        if len(good) <= most:
            continue
        source = np.array([points[match.queryIdx].pt for match in good], np.float32)
        target = np.array([view_points[match.trainIdx].pt for match in good], np.float32)
        found, inliers = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 1.5)
        if found is not None and int(inliers.sum()) > most and _is_plausible(found, picture.shape, view.shape):
            best, most = (np.asarray(found, np.float64), index), int(inliers.sum())
    return best


def _is_plausible(homography: Homography, picture: tuple[int, ...], view: tuple[int, ...]) -> bool:
    """Whether a picture of this shape becomes a screen seen from its front: convex, not mirrored, not tiny."""
    height, width = picture
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    quad = cv2.perspectiveTransform(corners, homography)[0]
    if not np.isfinite(quad).all() or not cv2.isContourConvex(quad.astype(np.float32)):
        return False
    return float(cv2.contourArea(quad.astype(np.float32), oriented=True)) > MIN_AREA * view[0] * view[1]


class _ScreenPose:
    """Where the screen may be in the view, and the evidence for it.

    Args:
        homography: from a picture to a view.
        view_side: of that view, in pixels.
        shape: height and width of the picture.
        searched_delay: the delay of the picture by which it was found.
    """

    def __init__(self, homography: Homography, view_side: int, shape: tuple[int, int], searched_delay: int) -> None:
        self.searched_delay = searched_delay
        height, width = shape
        back = np.linalg.inv(np.diag([SIDE / view_side, SIDE / view_side, 1.0]) @ homography)
        rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
        points = cv2.perspectiveTransform(np.stack([columns, rows], -1), back).astype(np.float32)
        inside = ((points >= 0) & (points <= np.array([width - 1, height - 1], np.float32))).all(-1)
        # Pixels on the screen's edge belong to neither side.
        self._inside = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        self._edge = (cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~self._inside
        ys, xs = np.nonzero(inside)
        self._box = slice(int(ys.min()), int(ys.max()) + 1), slice(int(xs.min()), int(xs.max()) + 1)
        self._box_points = np.ascontiguousarray(points[self._box])
        sample_y, sample_x = np.nonzero(self._inside)
        step = max(1, sample_y.size // SAMPLES)
        self._samples = sample_y[::step], sample_x[::step]
        self._sample_points = np.ascontiguousarray(points[self._samples][None])
        # Pixels of the picture for one of the view: it must not be sharper than the view can show it.
        self._reduction = float(np.sqrt(height * width / max(1, inside.sum())))
        self._errors = np.zeros(DELAYS)
        """For each delay the mean error of its pictures, summed with `DECAY`."""
        self.evidence = 0.0
        """Over how many ticks (decayed) the errors are summed."""
        self.age_ticks = 0
        self.is_visible = False

    @property
    def delay(self) -> int:
        """The delay whose pictures explain the view best, in ticks."""
        return int(self._errors.argmin())

    def blur(self, picture: Grey) -> View:
        """A picture as soft as the view shows it."""
        sigma = self._reduction * float(np.hypot(0.4, BLUR))
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)

    def update(self, view: View, pictures: list[View]) -> None:
        """Compare the view with the pictures of every delay, newest first, and decide whether the screen is visible."""
        self.age_ticks += 1
        self._errors *= DECAY
        self.evidence *= DECAY
        wanted = view[self._samples]
        values = np.concatenate([_sample(picture, self._sample_points) for picture in pictures])
        if float(values.std(0).mean()) > MIN_CONTRAST:
            count = int(VISIBLE_SHARE * wanted.size)
            self._errors += [np.sort(np.abs(_match_brightness(row, wanted) - wanted))[:count].mean() for row in values]
            self.evidence += 1.0
        if self.evidence >= MIN_EVIDENCE:
            share = float(self._errors.min() / max(self._errors.mean(), 1e-9))
            self.is_visible = share < (HIDDEN_ABOVE if self.is_visible else VISIBLE_BELOW)

    def foreground(self, view: View, pictures: list[View]) -> View:
        """The part of a view that the pictures do not explain: float32 [SIDE, SIDE], 0 to 1."""
        part, inside = view[self._box], self._inside[self._box]
        error = np.full(part.shape, 255.0, np.float32)
        for picture in pictures[max(0, self.delay - 1) : self.delay + 2]:
            gain, offset = _fit_brightness(_sample(picture, self._sample_points)[0], view[self._samples])
            error = np.minimum(error, np.abs(gain * _sample(picture, self._box_points) + offset - part))
        usual = float(np.quantile(error[inside], 0.5 * VISIBLE_SHARE))
        threshold = np.clip(FOREGROUND_FACTOR * usual, MIN_THRESHOLD, MAX_THRESHOLD)
        mask = ((error > threshold) & inside).astype(np.uint8)
        # Thin errors are edges of a picture seen a moment early or late; a person is broader.
        mask = cv2.dilate(cv2.erode(mask, np.ones((3, 3), np.uint8)), np.ones((7, 7), np.uint8))
        out = 1.0 - (self._inside | self._edge).astype(np.float32)
        out[self._box] = np.maximum(out[self._box], mask)
        return np.asarray(out, np.float32)


class ScreenDetector:
    """Finds the screen in the camera's view, and masks what it shows.

    Args:
        search: finds a picture in a view; see `find_screen`, which takes some 20 ms.
        executor: runs the search; None for a background thread.
    """

    def __init__(self, search: Search = find_screen, executor: Executor | None = None) -> None:
        self._search = search
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="screen", initializer=run_in_background)
        self._running: Future[tuple[Homography, int] | None] | None = None
        self._searched_delays: Sequence[int] = ()
        self._pictures: deque[Grey] = deque(maxlen=DELAYS)
        self._blurred: deque[View] = deque(maxlen=DELAYS)
        self._pose: _ScreenPose | None = None
        self._tick, self._interval, self._next_tick = 0, FIRST_SEARCH_TICKS, FIRST_SEARCH_TICKS

    @property
    def is_visible(self) -> bool:
        """Whether the camera sees the screen."""
        return self._pose is not None and self._pose.is_visible

    @property
    def delay(self) -> int | None:
        """Ticks from drawing a picture to seeing it; None while the screen is not visible."""
        return self._pose.delay if self._pose is not None and self._pose.is_visible else None

    def add_picture(self, picture: NDArray[np.uint8]) -> None:
        """Remember a picture that was drawn, uint8 [H, W, 3]; one for each tick."""
        scale = PICTURE_SIDE / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        if self._pictures and self._pictures[0].shape != grey.shape:
            self._pictures.clear()
            self._pose = None
        self._pictures.appendleft(grey)
        if self._pose is not None:
            self._blurred.appendleft(self._pose.blur(grey))

    def foreground(self, grey: Grey) -> View | None:
        """The part of a view that is not the show's own pictures.

        Args:
            grey: uint8 [S, S], the square view of the camera.

        Returns:
            float32 [SIDE, SIDE], 0 to 1, 0 where the screen shows what was drawn; None while it is not visible.
        """
        self._tick += 1
        self._take_search(grey)
        self._start_search(grey)
        pose = self._pose
        if pose is None or len(self._blurred) < DELAYS:
            return None
        small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        view = np.asarray(cv2.GaussianBlur(small, (0, 0), BLUR), np.float32)
        pictures = list(self._blurred)
        pose.update(view, pictures)
        return pose.foreground(view, pictures) if pose.is_visible else None

    def close(self) -> None:
        """End, without waiting for a search."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _take_search(self, grey: Grey) -> None:
        """Use the result of a finished search."""
        if self._running is None or not self._running.done():
            return
        finished, self._running = self._running, None
        found = finished.result()
        if found is not None and self._pictures:
            height, width = self._pictures[0].shape
            self._pose = _ScreenPose(found[0], grey.shape[0], (height, width), self._searched_delays[found[1]])
            self._blurred.clear()
            self._blurred.extend(self._pose.blur(picture) for picture in self._pictures)

    def _start_search(self, grey: Grey) -> None:
        """Start a search where one is due."""
        if self._running is not None or len(self._pictures) < DELAYS:
            return
        pose = self._pose
        if pose is None or (not pose.is_visible and pose.age_ticks > 2 * FIRST_SEARCH_TICKS):
            if self._tick >= self._next_tick:
                doubled = min(2 * self._interval, MAX_SEARCH_TICKS)
                self._interval = FIRST_SEARCH_TICKS if pose is not None else doubled
                self._pose, self._next_tick = None, self._tick + self._interval
                self._submit(grey, SEARCH_DELAYS)
        elif pose.evidence >= MIN_EVIDENCE and abs(pose.delay - pose.searched_delay) > 1:
            # It was found by a picture of another moment, so its place is a little wrong.
            pose.searched_delay = pose.delay
            self._submit(grey, (pose.delay,))

    def _submit(self, grey: Grey, delays: Sequence[int]) -> None:
        self._searched_delays = delays
        pictures = [self._pictures[delay] for delay in delays]
        self._running = self._executor.submit(self._search, grey.copy(), pictures)


def _sample(picture: View, points: NDArray[np.float32]) -> View:
    """The values of a picture at points [..., 2]: [...]."""
    return np.asarray(cv2.remap(picture, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _fit_brightness(values: View, view: View) -> tuple[float, float]:
    """Gain and offset with which a picture's values fit the view; the worst of them are left out."""
    trusted: NDArray[np.bool_] | slice = slice(None)
    gain, offset = 1.0, 0.0
    for _ in range(2):
        mean, view_mean = float(values[trusted].mean()), float(view[trusted].mean())
        spread = values[trusted] - mean
        gain = float((spread * (view[trusted] - view_mean)).sum()) / max(float((spread**2).sum()), 1e-6)
        gain = min(max(gain, 0.1), 4.0)
        offset = view_mean - gain * mean
        error = np.abs(gain * values + offset - view)
        trusted = error <= np.quantile(error, VISIBLE_SHARE)
    return gain, offset


def _match_brightness(values: View, view: View) -> View:
    gain, offset = _fit_brightness(values, view)
    return np.asarray(gain * values + offset, np.float32)
