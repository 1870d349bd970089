"""The random look of a performance (person, clothes, place, camera, light, noise), and a frame of it at any time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.backdrop import Clutter, draw_backdrop
from performers.body import Body, BodyPose, WorldRanges
from performers.figure import Appearance, Figure
from performers.gestures import J
from performers.instruments import Kit, Project
from performers.kinds import KINDS
from performers.paint import Canvas, Image, Points2, Recording

_MARGIN = 0.03
"""Largest movement of a hand-held camera, as a share of the frame's height."""
_FRAMINGS: dict[str, tuple[tuple[float, ...], ...]] = {
    "drums": ((0.0, 0.37, 0.12, 1.04), (-0.02, 0.44, 0.15, 0.68), (-0.02, 0.42, 0.22, 0.54)),
    "keys": ((0.0, 0.41, 0.10, 0.90), (0.0, 0.46, 0.16, 0.70), (0.0, 0.46, 0.22, 0.56)),
    "violin": ((0.0, 0.62, 0.04, 0.95), (0.0, 0.76, 0.08, 0.62), (0.0, 0.80, 0.14, 0.46)),
    "cello": ((0.0, 0.40, 0.10, 0.96), (0.0, 0.45, 0.14, 0.74), (0.0, 0.42, 0.18, 0.62)),
    "air": ((0.0, 0.54, 0.06, 1.20), (0.0, 0.72, 0.12, 0.84), (0.0, 0.74, 0.18, 0.74)),
    "dance": ((0.0, 0.58, 0.0, 1.30), (0.0, 0.58, 0.0, 1.20), (0.0, 0.62, 0.0, 1.12)),
}
"""Centre x, y, z and height of what the camera sees: the whole player, half of it, hands and instrument only."""


@dataclass(frozen=True)
class CameraView:
    """A camera.

    Attributes:
        target: the point it looks at [3].
        turn: rotation into the camera's axes [3, 3].
        distance: from the camera to the target, in heights of the player.
        skew: roll, mirror and skew of the picture [2, 2].
        span: height of the picture at the target.
        shift: position of the target from the picture's centre, in heights of the picture [2].
    """

    target: NDArray[np.float64]
    turn: NDArray[np.float64]
    distance: float
    skew: NDArray[np.float64]
    span: float
    shift: NDArray[np.float64]

    @staticmethod
    def scale(size: tuple[int, int]) -> float:
        """Pixels per picture height: the height itself, or less for a frame that is higher than wide."""
        return min(float(size[1]), size[0] / 1.15)

    def project(self, points: NDArray[np.float64], size: tuple[int, int], moved: NDArray[np.float64]) -> Points2:
        """From the body's space [N, 3] to pixels [N, 2] of a picture of `size` (width, height) moved by [2] heights."""
        in_camera = (points - self.target) @ self.turn.T
        near = self.distance / np.maximum(0.2, self.distance - in_camera[:, 2])
        flat = (in_camera[:, :2] * near[:, None]) @ self.skew.T
        pixels = self.scale(size)
        flat *= pixels / self.span
        flat += np.array([0.5 * size[0], 0.5 * size[1]]) + pixels * (self.shift + moved)
        result: Points2 = flat
        return result


def _rotation(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Into the axes of a camera that stands `yaw` to the side and `pitch` above (radians)."""
    about_y = np.array([[math.cos(yaw), 0.0, math.sin(yaw)], [0.0, 1.0, 0.0], [-math.sin(yaw), 0.0, math.cos(yaw)]])
    cos, sin = math.cos(pitch), math.sin(pitch)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    both: NDArray[np.float64] = about_x @ about_y
    return both


class PerformerScene:
    """The look of one performance; all of it is drawn from a seed.

    Args:
        seed: any non-negative integer.
        kind: one of `score.KINDS`.
        undisturbed: the camera, the light and what drifts behind the player stay as they were at the beginning.
        world: what a world changes about the camera; None for nothing.

    Attributes:
        kind: as above.
        behind: the player is filmed from behind (keyboards only).
        mirror: the picture is mirrored.
        yaw: how far the camera stands to the side, in radians.
        noise: standard deviation of the sensor's noise, in levels of 0..255.
    """

    def __init__(self, seed: int, kind: str, *, undisturbed: bool = False, world: WorldRanges | None = None) -> None:
        self._undisturbed = undisturbed
        self._world = world or WorldRanges()
        rng = np.random.default_rng([seed, 202, KINDS.index(kind)])
        self.kind = kind
        self._seed = seed
        # A keyboard is sometimes filmed from behind its player, where its high notes are at the right.
        self.behind = kind == "keys" and bool(rng.random() < 0.35)
        self.figure = Figure(Appearance(rng), self.behind)
        self.kit = Kit(rng)
        # Whoever plays pitches puts the camera nearer: a semitone is a hundredth of the player's height.
        nearness = [0.5, 0.37, 0.13] if kind in ("drums", "dance") else [0.25, 0.4, 0.35]
        self._framing = (int(rng.choice(3, p=nearness)), rng.uniform(-1.0, 1.0, 4))
        # Mirroring would make "which side is high" unlearnable for a keyboard.
        self.mirror = kind != "keys" and bool(rng.random() < 0.5)
        self.yaw = float(np.clip(rng.normal(0.0, 0.3), -0.7, 0.7)) * (0.7 if kind == "keys" else 1.0)
        low, high = {"drums": (0.15, 0.5), "keys": (0.5, 0.95)}.get(kind, (-0.02, 0.3))
        if self.behind:
            self.yaw, low, high = self.yaw * 0.5 + math.pi, 0.95, 1.3
        self._pitch = float(rng.uniform(low, high))
        self._distance = float(rng.uniform(1.8, 5.0))
        roll, skew = rng.normal(0.0, 0.035), rng.normal(0.0, 0.03)
        flip = -1.0 if self.mirror else 1.0
        spin = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
        self._skew = spin @ np.array([[flip, skew], [0.0, -1.0]])
        self._views: dict[bool, CameraView] = {}
        self._draw_sensor(rng)
        self._backdrop_seed = int(rng.integers(1 << 31))
        self._clutter = Clutter(rng) if rng.random() < 0.2 else None
        self._recordings: dict[str, Recording] = {}
        self._recordings_of: tuple[tuple[int, int], int] | None = None
        self._cache: dict[tuple[int, int], Image] = {}

    def _draw_sensor(self, rng: np.random.Generator) -> None:
        """Light, exposure, noise and the camera's own movement."""
        gain = rng.uniform(0.8, 1.2) * rng.uniform(0.9, 1.1, 3)
        gamma, lift = float(rng.uniform(0.75, 1.35)), float(rng.uniform(0.0, 18.0))
        ramp = np.linspace(0.0, 1.0, 256)[:, None] ** gamma
        self._tone: NDArray[np.uint8] = np.clip(ramp * gain * (255.0 - lift) + lift, 0.0, 255.0).astype(np.uint8)
        self._flicker = (float(rng.uniform(0.01, 0.05)) if rng.random() < 0.2 else 0.0, float(rng.uniform(0.1, 2.5)))
        self.noise = float(rng.choice([0.0, 1.5, 3.0, 6.0, 10.0], p=[0.2, 0.25, 0.25, 0.2, 0.1]))
        self._exposure_s = float(rng.uniform(0.002, 0.02))
        self._soft = float(rng.uniform(0.5, 1.2)) if rng.random() < 0.2 else 0.0
        mount = str(rng.choice(["tripod", "hand", "drift"], p=[0.6, 0.25, 0.15]))
        amplitude = {"tripod": 0.0, "hand": float(rng.uniform(0.001, 0.005)), "drift": float(rng.uniform(0.005, 0.02))}
        self._shake = min(amplitude[mount] + self._world.shake, 0.8 * _MARGIN)
        base = (0.7, 2.3) if mount == "hand" else (0.03, 0.08)
        self._shake_rates = rng.uniform(*base, (2, 2)) * 2.0 * math.pi
        self._shake_phases = rng.uniform(0.0, 2.0 * math.pi, (2, 2))

    def recordings_for(self, size: tuple[int, int], view: CameraView) -> dict[str, Recording]:
        """The recorded drawings of things that stand still, for one picture size and one camera."""
        if self._recordings_of != (size, id(view)):
            self._recordings_of, self._recordings = (size, id(view)), {}
        return self._recordings

    @property
    def calm(self) -> bool:
        """Whether the camera and the light are steady and nothing drifts behind the player."""
        return self._undisturbed or not (self._shake or self._flicker[0] or self._clutter)

    def view(self, body: Body) -> CameraView:
        """The camera; what it looks at depends on whether the player holds a violin or a cello."""
        cello = self.kind == "strings" and bool(getattr(body.gesture, "cello", False))
        if cello not in self._views:
            name = ("cello" if cello else "violin") if self.kind == "strings" else self.kind
            index, jitter = self._framing
            x, y, z, span = _FRAMINGS[name][index]
            turn = _rotation(self.yaw, self._pitch)
            span *= self._world.span * (1.0 + 0.1 * (float(jitter[0]) + 0.6))
            shift = np.array([0.09, 0.035]) * jitter[1:3]
            self._views[cello] = CameraView(np.array([x, y, z]), turn, self._distance, self._skew, span, shift)
        return self._views[cello]

    def _around(self, t_s: float) -> float:
        """The time for everything but the player."""
        return 0.0 if self._undisturbed else t_s

    def moved(self, t_s: float) -> NDArray[np.float64]:
        """Displacement of the picture by the camera's own movement, in picture heights [2]."""
        if self._shake == 0.0:
            return np.zeros(2)
        waves = np.sin(self._shake_rates * self._around(t_s) + self._shake_phases)
        offset: NDArray[np.float64] = self._shake * (0.65 * waves[0] + 0.35 * waves[1])
        return offset

    def background(self, size: tuple[int, int], moved: NDArray[np.float64]) -> Image:
        """A fresh copy of the background under the scene's light, moved with the camera."""
        width, height = size
        margin = math.ceil(_MARGIN * CameraView.scale(size)) + 1 if self._shake else 0
        if size not in self._cache:
            rng = np.random.default_rng(self._backdrop_seed)
            backdrop = draw_backdrop(rng, height + 2 * margin, width + 2 * margin)
            self._cache = {size: np.asarray(cv2.LUT(backdrop, self._tone[None]), np.uint8)}
        image = self._cache[size]
        if not self._shake:
            return image.copy()
        # A shift by a fraction of a pixel as two blends of neighbours: 0.35 ms at 640 x 480; warpAffine takes 2.4 ms.
        x, y = (margin - moved * CameraView.scale(size)).tolist()
        left, top = math.floor(x), math.floor(y)
        rows = image[top : top + height + 1]
        across = cv2.addWeighted(
            rows[:, left : left + width], 1 - x + left, rows[:, left + 1 : left + 1 + width], x - left, 0
        )
        result: Image = cv2.addWeighted(across[:-1], 1 - y + top, across[1:], y - top, 0)
        return result

    def render(self, body: Body, t_s: float, size: tuple[int, int]) -> Image:
        """The frame at a time, which is the middle of its exposure.

        Args:
            body: the player.
            t_s: seconds from the start of the performance.
            size: width and height in pixels.

        Returns:
            uint8 [H, W, 3], BGR.
        """
        moved = self.moved(t_s)
        canvas = Canvas(self.background(size, moved), self._tone)
        if self._clutter is not None:
            self._clutter.draw(canvas, self._around(t_s))
        brush = _FramePainter(self, self.view(body), size, moved)
        pose = body.pose(t_s)
        px = brush.project(pose.points)
        brush.still(canvas, pose, px)
        spread = self._exposure_s / 3.0
        poses = [body.pose(t_s - spread), pose, body.pose(t_s + spread)]
        places = [brush.project(poses[0].points), px, brush.project(poses[2].points)]
        travel = float(max(np.abs(places[2] - px).max(), np.abs(px - places[0]).max()))
        if travel < 0.6:
            brush.moving(canvas, pose, px)
        elif travel < 2.5:
            self._draw_blurred(canvas, brush, poses[::2], places[::2])
        else:
            self._draw_blurred(canvas, brush, poses, places)
        return self._sensor(canvas.image, t_s)

    @staticmethod
    def _draw_blurred(canvas: Canvas, brush: _FramePainter, poses: list[BodyPose], places: list[Points2]) -> None:
        """Draw the moving parts as the mean of two or three moments, within the region they touch."""
        spots = np.concatenate(places)
        height, width = canvas.image.shape[:2]
        reach = 0.13 * brush.unit + 3.0
        x0, y0 = (max(0, int(v)) for v in (spots.min(0) - reach).tolist())
        x1, y1 = (math.ceil(v) for v in (spots.max(0) + reach).tolist())
        x1, y1 = min(width, x1), min(height, y1)
        if x0 >= x1 or y0 >= y1:
            return
        clean = canvas.image[y0:y1, x0:x1]
        layers = []
        for pose, px in zip(poses, places, strict=True):
            layer = Canvas(clean.copy(), canvas.tone)
            brush.moving(layer, pose, px - np.array([x0, y0]), (x0, y0))
            layers.append(layer.image)
        mean = cv2.addWeighted(layers[0], 0.5, layers[-1], 0.5, 0.0)
        if len(layers) == 3:
            cv2.addWeighted(mean, 2.0 / 3.0, layers[1], 1.0 / 3.0, 0.0, dst=mean)
        clean[:] = mean

    def _sensor(self, image: Image, t_s: float) -> Image:
        """Add softness, flicker and noise."""
        if self._soft:
            image = cv2.GaussianBlur(image, (3, 3), self._soft)
        depth, rate = self._flicker
        if depth:
            image = cv2.convertScaleAbs(image, alpha=1.0 + depth * math.sin(2.0 * math.pi * rate * self._around(t_s)))
        if self.noise:
            height, width = image.shape[:2]
            bright, dark = _noise(height, width, self.noise)
            # A cheap hash of the time and the seed: each frame has its own noise, the same at each asking.
            mark = (round(t_s * 1e4) * 2654435761 + self._seed * 40503) & 0xFFFFFFFF
            y, x = (mark >> 8) % 61, (mark >> 16) % 67
            cv2.add(image, bright[y : y + height, x : x + width], dst=image)
            cv2.subtract(image, dark[y : y + height, x : x + width], dst=image)
        return image


@lru_cache(maxsize=8)
def _noise(height: int, width: int, sigma: float) -> tuple[Image, Image]:
    """What noise adds and what it takes away, as two unsigned pictures somewhat larger than a frame."""
    rng = np.random.default_rng(7)
    tile = np.rint(rng.standard_normal((height + 61, width + 67, 3), dtype=np.float32) * sigma)
    return np.clip(tile, 0, 255).astype(np.uint8), np.clip(-tile, 0, 255).astype(np.uint8)


class _FramePainter:
    """Draws the player of one frame: first what hardly moves, then what is blurred by its motion."""

    def __init__(
        self, scene: PerformerScene, view: CameraView, size: tuple[int, int], moved: NDArray[np.float64]
    ) -> None:
        self.scene, self.view, self.size, self.offset = scene, view, size, moved
        self.unit = CameraView.scale(size) / view.span
        self._recordings = scene.recordings_for(size, view)
        self.turn = float(np.clip(-2.0 * math.sin(scene.yaw), -1.0, 1.0))

    def project(self, points: NDArray[np.float64]) -> Points2:
        return self.view.project(points, self.size, self.offset)

    def stand(self, canvas: Canvas, name: str, draw: Callable[[Canvas, Project], None]) -> None:
        """Draw what never moves in the body's space: it is projected once, then moved with the camera."""
        recording = self._recordings.get(name)
        if recording is None:
            recording = self._recordings[name] = Recording(canvas)
            draw(recording, lambda points: self.view.project(points, self.size, np.zeros(2)))
        recording.replay(canvas, CameraView.scale(self.size) * self.offset)

    def still(self, canvas: Canvas, pose: BodyPose, px: Points2) -> None:
        """Seat, legs, trunk, head and an instrument that stands."""
        kind, figure, kit, unit, behind = (
            self.scene.kind,
            self.scene.figure,
            self.scene.kit,
            self.unit,
            self.scene.behind,
        )
        if kind == "dance":
            return
        seated = pose["pelvis"][1] < 0.4
        if seated:
            self.stand(canvas, "seat", lambda c, p: kit.seat(c, p, unit))
        for side in ("left", "right"):
            figure.leg(canvas, px, unit, side)
        if behind:
            self._keyboard(canvas, pose)
            return
        figure.trunk(canvas, px, unit)
        figure.face(canvas, px, unit, self.turn)
        if kind == "drums":
            kit.beater(canvas, self.project, unit, pose)
            self.stand(canvas, "drums", lambda c, p: kit.drums(c, p, unit))
            kit.cymbals(canvas, self.project, unit, pose)
        elif kind == "keys":
            self._keyboard(canvas, pose)
        elif kind == "air":
            self.stand(canvas, "air", lambda c, p: kit.air(c, p, unit))
        elif kind == "strings" and seated:
            kit.strings(canvas, self.project, unit, pose)

    def _keyboard(self, canvas: Canvas, pose: BodyPose) -> None:
        kit, unit, behind = self.scene.kit, self.unit, self.scene.behind
        self.stand(canvas, "white", lambda c, p: kit.white_keys(c, p, unit, behind))
        kit.pressed_keys(canvas, self.project, pose)
        self.stand(canvas, "black", lambda c, p: kit.black_keys(c, p, unit, behind))

    def moving(self, canvas: Canvas, pose: BodyPose, px: Points2, corner: tuple[int, int] = (0, 0)) -> None:
        """Arms and what they hold; for a dancer, all of it."""
        kind, figure, kit = self.scene.kind, self.scene.figure, self.scene.kit
        if kind == "dance":
            self._dancer(canvas, pose, px)
            return
        if kind == "strings":
            figure.arm(canvas, px, self.unit, "left", "spread")
            if pose["pelvis"][1] > 0.4:
                kit.strings(canvas, lambda p: self.project(p) - np.array(corner), self.unit, pose)
            kit.bow(canvas, px, self.unit)
            figure.arm(canvas, px, self.unit, "right")
            return
        fingers = {"drums": "fist", "keys": "flat", "air": "spread"}[kind]
        for side in ("left", "right"):
            figure.arm(canvas, px, self.unit, side, fingers)
        if kind == "drums":
            kit.sticks(canvas, px, self.unit)
        if self.scene.behind:
            figure.trunk(canvas, px, self.unit)
            figure.face(canvas, px, self.unit, self.turn)

    def _dancer(self, canvas: Canvas, pose: BodyPose, px: Points2) -> None:
        """A dancer from back to front: an arm that is farther away than the chest is drawn before it."""
        figure = self.scene.figure
        depth = pose.points @ self.view.turn[2]
        arms = sorted(("left", "right"), key=lambda side: float(depth[J[f"{side}_elbow"]] + depth[J[f"{side}_hand"]]))
        behind = [s for s in arms if depth[J[f"{s}_elbow"]] + depth[J[f"{s}_hand"]] < 2.0 * depth[J["neck"]] - 0.02]
        for side in behind:
            figure.arm(canvas, px, self.unit, side, "spread")
        legs = sorted(("left", "right"), key=lambda side: float(depth[J[f"{side}_knee"]]))
        for side in legs:
            figure.leg(canvas, px, self.unit, side)
        figure.trunk(canvas, px, self.unit)
        figure.face(canvas, px, self.unit, self.turn)
        for side in arms:
            if side not in behind:
                figure.arm(canvas, px, self.unit, side, "spread")
