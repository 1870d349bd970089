"""Tells for how long nothing has moved before the camera, more finely than the motion features do.

A view is compared with the view a quarter of a second before, so that slow motion adds up and noise does not. The
camera's own motion, changes of brightness and noise are taken out first: a handheld camera in flickering light counts
as still, a bow that is drawn slowly does not.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.vision.frame_features import VIEW_SIDE, content_size
from streaming.vision.motion.camera_shake import CameraShake, align_view, measure_gain, refine_shake

Cells = NDArray[np.float32]

SPAN_S = 0.24
"""Age of the view that is compared with, in seconds."""
KEPT_S = 0.6
"""A view that is older is not compared with; a camera slower than two frames a second has no stillness."""
MAX_VIEWS = 80
"""At most so many views are held: 5 MB."""
LEAST_STEP_S = 0.015
"""Frames that follow sooner are not measured: at 60 frames a second each one is, at 120 each second one."""
SIDE, SMOOTH_PX = 128, 2.0
LEAST_GRADIENT = 4.0
"""Grey levels per pixel: a change of brightness counts as motion by its size over the view's gradient and this."""
TOP_CELLS = 4
"""The largest motion is the mean of so many of the 1,024 cells."""
LEAST_PX, SHAKE_PX, SHAKE_SHARE, MEDIAN_SHARE, GAIN_PX = 0.06, 0.15, 0.03, 4.0, 2.0
"""Motion, in pixels of the 128-pixel view within `SPAN_S`, is what exceeds the first number, plus where the camera
moves the second and the third for each pixel that it moves, plus the fourth times the median over the view (noise, and
what the correction of the camera leaves), plus the fifth for each doubling of brightness."""
MOST_PX, SHAKEN_MOST_PX = 0.5, 1.2
"""Never more than this is needed, where the camera stands and where it moves."""
CLIPPED = 230.0
"""Where light is brighter, in grey levels, a change of all brightness does not show, and nothing is compared."""
LONG_STILL_S = 10.0
"""Seconds after which more stillness makes no difference."""


class StillnessDetector:
    """Measures stillness frame by frame.

    Attributes:
        motion_px: the largest motion within `SPAN_S`, in pixels of the 128-pixel view.
        threshold_px: motion above this counts.
    """

    def __init__(self) -> None:
        self._mask: tuple[tuple[int, ...], NDArray[np.uint8]] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget all views; nothing has moved so far."""
        self.motion_px, self.threshold_px = 0.0, LEAST_PX
        self._moved_s = -math.inf
        self.forget_views()

    def forget_views(self) -> None:
        """Begin to compare anew, after a cut or a gap; when something moved last stays known."""
        # (time in s, smoothed view, the camera's motion since the measured view before)
        self._views: deque[tuple[float, Cells, CameraShake]] = deque(maxlen=MAX_VIEWS)
        self._shake = CameraShake()

    def still_s(self, time_s: float) -> float:
        """For how many seconds nothing has moved at a time, at most `LONG_STILL_S`."""
        return min(max(time_s - self._moved_s, 0.0), LONG_STILL_S)

    def step(
        self, view: Cells, time_s: float, shape: tuple[int, int], shake: CameraShake, weights: Cells | None = None
    ) -> float:
        """Take in the next frame.

        Args:
            view: its smoothed grey view, float32 [128, 128].
            time_s: when it was captured, increasing.
            shape: height and width of the frame, before it was fitted into the square.
            shake: the camera's motion since the frame before.
            weights: float32 [S, S], 0..1, weight of each part of the view; None for all.

        Returns:
            For how many seconds nothing has moved; 0 while something does.
        """
        self._shake = self._shake.plus(shake)
        if self._views and 0.0 <= time_s - self._views[-1][0] < LEAST_STEP_S:
            return self.still_s(time_s)
        while self._views and not 0.0 < time_s - self._views[0][0] <= KEPT_S:
            self._views.popleft()
        self._views.append((time_s, view, self._shake))
        self._shake = CameraShake()
        before = self._view_before(time_s)
        if before is not None:
            since_s, reference, moved = before
            self._measure(reference, view, shape, moved, weights)
            self._moved_s = time_s if self.motion_px > self.threshold_px else min(self._moved_s, since_s)
        return self.still_s(time_s)

    def _view_before(self, time_s: float) -> tuple[float, Cells, CameraShake] | None:
        """The newest view that is at least `SPAN_S` old, or the oldest, and the camera's motion since it."""
        moved = CameraShake()
        views = list(self._views)
        for index in range(len(views) - 1, 0, -1):
            moved = moved.plus(views[index][2])
            at_s, view, _ = views[index - 1]
            if time_s - at_s >= SPAN_S - 1e-6 or index == 1:
                return at_s, view, moved
        return None

    def _measure(
        self, reference: Cells, view: Cells, shape: tuple[int, int], shake: CameraShake, weights: Cells | None
    ) -> None:
        shown = self._shown(shape)
        gain = measure_gain(reference, view, shown.astype(np.bool_)[2::4, 2::4])
        if shake.moves:
            shake = refine_shake(reference, view, shake, gain, shown.astype(np.bool_))
        # What the camera's motion brings in from outside is not compared.
        width = 2 * math.ceil(0.75 * shake.size_px + 3.0) + 1
        inner = cv2.erode(shown, np.ones((width, width), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        kept = inner.astype(np.bool_)
        if int(kept[2::4, 2::4].sum()) < 2 * TOP_CELLS:
            self.motion_px, self.threshold_px = math.inf, LEAST_PX
            return
        aligned = align_view(reference, shake, gain)
        change = view - aligned
        change = np.abs(change - np.float32(np.median(change[kept]))) * inner
        if gain != 1.0:
            change *= cv2.erode((np.maximum(view, aligned) < CLIPPED).astype(np.float32), np.ones((7, 7), np.uint8))
        if weights is not None:
            change *= cv2.resize(weights, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        slope = np.hypot(*(cv2.Sobel(view, cv2.CV_32F, *axis, scale=0.125) for axis in ((1, 0), (0, 1))))
        change, slope = (cv2.GaussianBlur(plane, (0, 0), SMOOTH_PX)[2::4, 2::4] for plane in (change, slope))
        motion = np.sort((change / (slope + LEAST_GRADIENT))[kept[2::4, 2::4]])
        self.motion_px = float(motion[-TOP_CELLS:].mean())
        noise = MEDIAN_SHARE * float(motion[motion.size // 2]) + GAIN_PX * abs(math.log2(max(gain, 1e-3)))
        if shake.moves:
            noise += SHAKE_PX + SHAKE_SHARE * shake.size_px * SIDE / VIEW_SIDE
        self.threshold_px = min(LEAST_PX + noise, SHAKEN_MOST_PX if shake.moves else MOST_PX)

    def _shown(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """1 where the square view shows the picture, else 0: uint8 [128, 128]."""
        if self._mask is None or self._mask[0] != shape:
            height, width = content_size(shape, SIDE)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            top, left = (SIDE - height) // 2, (SIDE - width) // 2
            mask[top : top + height, left : left + width] = 1
            self._mask = (shape, mask)
        return self._mask[1]
