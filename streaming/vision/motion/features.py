"""The motion features of each video frame: causal, with explicit state, the same live and in training.

Velocities are measured on a grid of 8-pixel cells of the 256-pixel view, after the camera's own motion and changes of
brightness are taken out, and divided by a running scale of the performer's motion. A performer who fills the frame and
one who is far away then give the same numbers, at every frame rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from streaming.conventions import MOTION_FEATURES
from streaming.vision.frame_features import VIEW_SIDE, content_size, small_change_weights
from streaming.vision.motion.camera_shake import (
    CameraShake,
    align_view,
    fit_camera_shake,
    measure_gain,
    measure_texture,
)
from streaming.vision.motion.feature_names import LARGEST
from streaming.vision.motion.running_scale import RunningScale
from streaming.vision.motion.velocity_loss import WINDOW_S, VelocityLoss, by_direction

Cells = NDArray[np.float32]

HELD = 12
"""So many of the first entries, the losses and gains, are the largest of the last `HOLD_S`."""
HOLD_S = 0.0399
"""Just under a tick: each loss is in the newest frame of exactly one tick or two, whatever the frame rate. Without it,
one of six frames at 30 fps, and with it one of six hits, would never be seen by a tick."""
CELLS = 32
MEASURED_SIDE = 128
"""Side in pixels at which the flow is corrected and weighted."""
TOP_CELLS = 4
"""The largest speed is the mean of so many fastest cells."""
GUESSED_SPEED, LEAST_SPEED = 0.5, 0.03
"""Scale of the largest speed before anything has moved, and at least; view sides per second."""
GUESSED_MEAN, LEAST_MEAN = 0.015, 0.0003
"""The same for the mean speed."""
MOVING_SHARE = 0.15
"""A cell moves when it is faster than this share of the scale."""
UNCERTAIN_SHARE = 0.25
"""Velocities are lessened by this share of the camera's speed: so much of it the correction may leave."""
REPEATED_LEVELS = 0.25
"""Two views that differ nowhere by more grey levels than this are one frame, delivered twice."""
LONG_STILL_S = 10.0
"""Seconds after which more stillness makes no difference."""
MAX_RECENT = 8
"""At most so many frames are held: 200 a second."""
MAX_INTERVAL_S = 0.5
MIN_INTERVAL_S = 0.005


class MotionFrame(NamedTuple):
    """What the features of a frame are made of.

    Attributes:
        flow: float32 [2, 256, 256], dense flow from the frame before in pixels, as the engine gives it; None for a
            frame that does not follow on one (the first, after a cut or a gap).
        previous, current: smoothed grey views float32 [128, 128] of both frames (see `frame_features.smooth`).
        shape: height and width of the frame, before it was fitted into the square.
        time_s: when it was captured, in seconds; increasing.
        weights: float32 [S, S], 0..1, weight of each part of the view; None for all.
    """

    flow: Cells | None
    previous: Cells | None
    current: Cells
    shape: tuple[int, int]
    time_s: float
    weights: Cells | None = None


@dataclass
class MotionFeatureState:
    """Everything that a `MotionFeatureExtractor` remembers between two frames."""

    features: Cells
    time_s: float
    repeated: bool
    still_s: float
    recent: tuple[tuple[float, Cells], ...]
    losses: tuple[Cells, Cells, Cells]
    speed_scale: NDArray[np.float64]
    mean_scale: NDArray[np.float64]


class MotionFeatureExtractor:
    """Makes the features of frames, one after another.

    Args:
        cells: cells along each side of the view.
        window_s: how long velocity is followed; see `VelocityLoss`.
        stabilize: take out the camera's motion and changes of brightness.

    Attributes:
        camera_shake: the camera's motion that was found in the newest frame.
    """

    def __init__(self, *, cells: int = CELLS, window_s: float = WINDOW_S, stabilize: bool = True) -> None:
        self.sensitivity = 1.0
        """By what the scaled features are multiplied."""
        self._cells, self._stabilize = cells, stabilize
        self._losses = VelocityLoss(cells, window_s)
        self._speed_scale = RunningScale(GUESSED_SPEED, LEAST_SPEED)
        self._mean_scale = RunningScale(GUESSED_MEAN, LEAST_MEAN)
        self._contents: dict[tuple[int, int], NDArray[np.bool_]] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, the scale too; a held scale is released."""
        self._losses.reset()
        self._speed_scale.reset()
        self._mean_scale.reset()
        self._time_s = -math.inf
        self._repeated = False
        self.camera_shake = CameraShake()
        self._still_s = LONG_STILL_S
        self._recent: tuple[tuple[float, Cells], ...] = ()
        self._features = self._assemble_rest()

    @property
    def scale(self) -> float:
        """The scale of the largest speed, in view sides per second, before the sensitivity."""
        return self._speed_scale.value

    def forget_scale(self) -> None:
        """Let the scale begin anew, as at the first frame."""
        self._speed_scale.reset()
        self._mean_scale.reset()

    def hold_scale(self, scales: tuple[float, float] | None = None) -> None:
        """Keep given or the present scales, until `release_scale`, `forget_scale` or `reset`; see `held_scales`."""
        speed, mean = scales or (None, None)
        self._speed_scale.hold(speed)
        self._mean_scale.hold(mean)

    @property
    def held_scales(self) -> tuple[float, float] | None:
        """The scales of the largest and of the mean speed, in view sides per second, where they are held."""
        speed, mean = self._speed_scale.held, self._mean_scale.held
        return None if speed is None or mean is None else (speed, mean)

    def release_scale(self) -> None:
        """Let the scale adapt again."""
        self._speed_scale.release()
        self._mean_scale.release()

    def state(self) -> MotionFeatureState:
        """A copy of everything that is remembered."""
        return MotionFeatureState(
            self._features.copy(),
            self._time_s,
            self._repeated,
            self._still_s,
            self._recent,
            self._losses.state(),
            self._speed_scale.state(),
            self._mean_scale.state(),
        )

    def restore(self, state: MotionFeatureState) -> None:
        """Go on from a `state`."""
        self._features, self._time_s = state.features.copy(), state.time_s
        self._repeated, self._still_s, self._recent = state.repeated, state.still_s, state.recent
        self._losses.restore(state.losses)
        self._speed_scale.restore(state.speed_scale)
        self._mean_scale.restore(state.mean_scale)

    def step(self, frame: MotionFrame) -> Cells:
        """The features of the next frame: float32 [MOTION_FEATURES]; see `feature_names.NAMES`.

        A frame that repeats the one before has its features, once; its time is added to the next interval. A second
        repetition means that nothing moves.
        """
        interval_s = frame.time_s - self._time_s
        self.camera_shake = CameraShake()
        if frame.flow is None or frame.previous is None or not 0.0 < interval_s <= MAX_INTERVAL_S:
            self._losses.reset()
            self._time_s, self._repeated, self._recent = frame.time_s, False, ()
            self._features = self._assemble_rest()
            return self._features.copy()
        same = float(cv2.absdiff(frame.previous, frame.current).max()) <= REPEATED_LEVELS
        if same and not self._repeated and self._still_s == 0.0:
            self._repeated = True
            return self._features.copy()
        interval_s = max(interval_s, MIN_INTERVAL_S)
        self._time_s, self._repeated = frame.time_s, False
        velocity, camera_speed = self._velocities(frame, interval_s, same)
        self._features = self._hold(self._assemble(velocity, interval_s, camera_speed), frame.time_s)
        return self._features.copy()

    def _hold(self, features: Cells, time_s: float) -> Cells:
        """Replace the losses and gains by the largest of the last `HOLD_S`."""
        recent = (*(one for one in self._recent if time_s - one[0] < HOLD_S), (time_s, features[:HELD].copy()))
        self._recent = recent[-MAX_RECENT:]
        features[:HELD] = np.max([values for _, values in self._recent], axis=0)
        return features

    def _velocities(self, frame: MotionFrame, interval_s: float, same: bool) -> tuple[Cells, float]:
        """Velocity of each cell [2, N, N] in sides per second, and the camera's speed."""
        if same or frame.flow is None or frame.previous is None:
            return np.zeros((2, self._cells, self._cells), np.float32), 0.0
        flow = np.stack([_pool(plane, MEASURED_SIDE) for plane in frame.flow])
        shake, previous = CameraShake(), frame.previous
        weights = None if frame.weights is None else _pool(frame.weights, MEASURED_SIDE)
        if self._stabilize:
            content = self._content(frame.shape, 32)
            cells = np.stack([_pool(plane, 32) for plane in flow])
            shake = self.camera_shake = fit_camera_shake(cells, measure_texture(frame.previous, 32), content)
            gain = measure_gain(frame.previous, frame.current, content)
            previous = align_view(frame.previous, shake, gain)
            if shake.moves:
                flow -= shake.flow(MEASURED_SIDE)
                shown = self._content(frame.shape, MEASURED_SIDE).astype(np.float32)
                weights = shown if weights is None else weights * shown
        change = small_change_weights(previous, frame.current)
        flow *= change if weights is None else change * weights
        if not np.isfinite(flow.sum()):
            flow = np.nan_to_num(flow, nan=0.0, posinf=0.0, neginf=0.0)
        scale = np.float32(1.0 / (VIEW_SIDE * interval_s))
        velocity = np.stack([_pool(plane, self._cells) for plane in flow]) * scale
        camera_speed = shake.size_px / (VIEW_SIDE * interval_s)
        if shake.moves:
            uncertain = np.float32(UNCERTAIN_SHARE * camera_speed)
            velocity *= np.maximum(0.0, 1.0 - uncertain / np.maximum(np.hypot(*velocity), 1e-6))
        return velocity, camera_speed

    def _assemble(self, velocity: Cells, interval_s: float, camera_speed: float) -> Cells:
        loss, gain = self._losses.step(velocity, interval_s)
        speed = np.hypot(*velocity)
        fastest = float(np.partition(speed.ravel(), -TOP_CELLS)[-TOP_CELLS:].mean())
        mean = float(speed.mean())
        top_scale = self._speed_scale.observe(fastest, interval_s)
        mean_scale = self._mean_scale.observe(mean, interval_s)
        quiet = fastest < max(LEAST_SPEED, MOVING_SHARE * top_scale)
        self._still_s = min(self._still_s + interval_s, LONG_STILL_S) if quiet else 0.0
        usual = mean_scale / top_scale
        parts = by_direction(velocity)
        by_max = self.sensitivity / top_scale
        by_mean = self.sensitivity / mean_scale
        followed = loss.shape[1] > 0
        features = np.concatenate(
            [
                (loss.max((1, 2, 3)) if followed else np.zeros(4)) * by_max,
                (loss.mean((2, 3)).max(1) if followed else np.zeros(4)) * by_mean,
                (gain.max((1, 2, 3)) if followed else np.zeros(4)) * by_max,
                parts.max((1, 2)) * by_max,
                parts.mean((1, 2)) * by_mean,
                [fastest * by_max, mean * by_mean],
                [float((speed > MOVING_SHARE * top_scale).mean()) / usual, camera_speed],
                self._standing(),
            ]
        )
        return np.asarray(np.clip(features, -LARGEST, LARGEST), np.float32)

    def _assemble_rest(self) -> Cells:
        return np.concatenate([np.zeros(MOTION_FEATURES - 2), self._standing()]).astype(np.float32)

    def _standing(self) -> list[float]:
        """Scale and activity, as features."""
        scale = min(max(math.log2(self._speed_scale.value) / 4.0, -1.5), 1.5)
        return [scale, math.exp(-self._still_s) if self._still_s < LONG_STILL_S else 0.0]

    def _content(self, shape: tuple[int, int], side: int) -> NDArray[np.bool_]:
        """Which cells of the square view show the picture: bool [side, side]."""
        height, width = content_size(shape, side)
        key = (side * height, width)
        if key not in self._contents:
            shown = np.zeros((side, side), np.bool_)
            top, left = (side - height) // 2, (side - width) // 2
            shown[top : top + height, left : left + width] = True
            self._contents = {**self._contents, key: shown} if len(self._contents) < 8 else {key: shown}
        return self._contents[key]


def _pool(plane: Cells, side: int) -> Cells:
    """Mean of each cell of a square plane: float32 [side, side]."""
    return np.asarray(cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA), np.float32)
