"""A world that fake eyes see: frames hold their own coordinates in colour, and the fakes answer with what lies there.

Each pixel of a frame says where it is (blue: x, green: y, red: inside). From a picture that was cut out, a fake network
finds out which part of the frame it shows, however it is turned and scaled, and gives the points that lie in it. So
everything but the networks is tested.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.contract import Array, EngineSpec
from streaming.vision.eyes.detectors import BODY_SIDE, BODY_STRIDES, PALM_SIDE, PALM_STRIDES, anchors

Floats = NDArray[np.float64]
LEAST_PALM = 12.0
"""Palms that are smaller in the detector's picture, in pixels, are not found."""
FINGERS = ((-0.22, -0.9), (0.0, -1.0), (0.2, -0.92), (0.36, -0.8))


def hand_shape() -> Floats:
    """A right hand seen from its back, fingers up: [21, 2] with the wrist at 0 and the middle knuckle 1 above it."""
    points = [(0.0, 0.0), (-0.3, -0.2), (-0.5, -0.45), (-0.6, -0.65), (-0.7, -0.85)]
    for x, y in FINGERS:
        points += [(x * (1 + 0.1 * joint), y - 0.25 * joint) for joint in range(4)]
    return np.asarray(points)


def hand_at(x: float, y: float, palm: float, angle: float = 0.0) -> Floats:
    """A hand's points in a frame: its wrist's place, its palm's length in pixels, turned clockwise."""
    cos, sin = np.cos(angle), np.sin(angle)
    points: Floats = hand_shape() * palm @ np.array([[cos, sin], [-sin, cos]]) + [x, y]
    return points


def body_at(x: float, y: float, torso: float) -> Floats:
    """A body's points [33, 3], all visible: middle of the hips, and the length of the torso in pixels."""
    points = np.zeros((33, 3))
    points[:, 2] = 1.0
    shape = {
        0: (0, -1.5),
        11: (0.36, -1),
        12: (-0.36, -1),
        13: (0.5, -0.5),
        14: (-0.5, -0.5),
        15: (0.5, 0),
        16: (-0.5, 0),
    }
    shape |= {17: (0.55, 0.12), 18: (-0.55, 0.12), 19: (0.45, 0.15), 20: (-0.45, 0.15), 23: (0.2, 0), 24: (-0.2, 0)}
    for row, place in shape.items():
        points[row, :2] = place
    points[:, :2] = points[:, :2] * torso + [x, y]
    return points


@dataclass
class SeenHand:
    """A hand of the world: points [21, 2] in pixels of the frame, its side and how clearly it is seen."""

    points: Floats
    left: bool = False
    presence: float = 0.98


@dataclass
class World:
    """What is before the camera.

    Attributes:
        width, height: of the frames.
        hands: in view.
        body: [33, 3] in pixels, visibility; None for none.
        body_presence: what the network says of it.
        calls: how often each network ran.
    """

    width: int = 240
    height: int = 240
    hands: list[SeenHand] = field(default_factory=list)
    body: Floats | None = None
    body_presence: float = 0.99
    calls: dict[str, int] = field(default_factory=dict)

    def frame(self) -> NDArray[np.uint8]:
        y, x = np.mgrid[0 : self.height, 0 : self.width]
        out = np.stack([x * 255 / self.width, y * 255 / self.height, np.full(x.shape, 255)], -1)
        return np.round(out).astype(np.uint8)

    def engines(self) -> dict[str, FakeEye]:
        kinds = (FakeBodyDetector, FakeBodyLandmarks, FakePalmDetector, FakeHandLandmarks)
        return {kind.name: kind(self) for kind in kinds}

    def to_picture(self, image: NDArray[np.uint8], points: Floats) -> Floats:
        """Points of the frame in a picture that was cut out of it; far outside where the picture shows nothing."""
        v, u = (4 * places for places in np.nonzero(image[::4, ::4, 2] >= 254))
        if u.size < 6:
            return np.full((len(points), 2), -1e6)
        places = image[v, u, :2].astype(np.float64) * [self.width / 255, self.height / 255]
        to_frame, *_ = np.linalg.lstsq(np.column_stack([u, v, np.ones(u.size)]), places, rcond=None)
        seen: Floats = (points[:, :2] - to_frame[2]) @ np.linalg.inv(to_frame[:2])
        return seen


class FakeEye:
    """One fake network."""

    name = ""
    side = 0

    def __init__(self, world: World) -> None:
        self.world = world
        self.spec = EngineSpec(self.name, "fake")

    def step(self, **inputs: np.ndarray | float) -> dict[str, Array]:
        image = np.asarray(inputs["image"])
        assert image.shape == (self.side, self.side, 3)
        self.world.calls[self.name] = self.world.calls.get(self.name, 0) + 1
        return self.see(image)

    def see(self, image: NDArray[np.uint8]) -> dict[str, Array]:
        raise NotImplementedError

    def reset(self) -> None:
        """Nothing to forget."""

    def inside(self, points: Floats, share: float = 0.5) -> bool:
        """Whether the middle of some points lies in the middle part of the picture."""
        return bool((np.abs(points.mean(0) / self.side - 0.5) < share / 2).all())


class FakeBodyDetector(FakeEye):
    name, side = "body_detector", BODY_SIDE

    def see(self, image: NDArray[np.uint8]) -> dict[str, Array]:
        places = anchors(BODY_SIDE, BODY_STRIDES)
        boxes, scores = np.zeros((len(places), 12), np.float32), np.full(len(places), -9, np.float32)
        if self.world.body is not None:
            ends = self.world.to_picture(image, circle(self.world.body))
            best = int(np.argmin(np.hypot(*(places - ends[0]).T)))
            scores[best] = 5 if self.inside(ends, 1.0) else -9
            boxes[best, 4:8] = (ends - places[best]).reshape(-1)
        return {"boxes": boxes, "scores": scores}


class FakeBodyLandmarks(FakeEye):
    name, side = "body_landmarks", 256

    def see(self, image: NDArray[np.uint8]) -> dict[str, Array]:
        rows, presence = np.zeros((39, 5), np.float32), 0.01
        body = self.world.body
        if body is not None:
            points = self.world.to_picture(image, np.concatenate([body[:, :2], circle(body)]))
            if self.inside(points[[11, 12, 23, 24]]):
                presence = self.world.body_presence
                rows[:35, :2] = points
                rows[:33, 3] = np.where(body[:, 2] > 0.5, 6, -6)
        return {"landmarks": rows, "presence": np.array([presence], np.float32)}


class FakePalmDetector(FakeEye):
    name, side = "palm_detector", PALM_SIDE

    def see(self, image: NDArray[np.uint8]) -> dict[str, Array]:
        places = anchors(PALM_SIDE, PALM_STRIDES)
        boxes, scores = np.zeros((len(places), 18), np.float32), np.full(len(places), -9, np.float32)
        for hand in self.world.hands:
            points = self.world.to_picture(image, hand.points)
            palm = points[[0, 5, 17]]
            middle, size = palm.mean(0), float(np.hypot(*(points[9] - points[0])))
            if size < LEAST_PALM or not self.inside(palm, 1.0):
                continue
            best = int(np.argmin(np.hypot(*(places - middle).T)))
            scores[best] = 4 * hand.presence
            keys = points[[0, 5, 9, 13, 17, 1, 2]] - places[best]
            boxes[best] = np.concatenate([middle - places[best], [size, size], keys.reshape(-1)])
        return {"boxes": boxes, "scores": scores}


class FakeHandLandmarks(FakeEye):
    name, side = "hand_landmarks", 224

    def see(self, image: NDArray[np.uint8]) -> dict[str, Array]:
        rows, presence, right = np.zeros((21, 3), np.float32), 0.01, 0.5
        for hand in self.world.hands:
            points = self.world.to_picture(image, hand.points)
            if self.inside(points) and 0.15 < np.hypot(*np.ptp(points, 0)) / self.side < 1.6:
                rows[:, :2], presence, right = points, hand.presence, float(not hand.left)
        return {
            "landmarks": rows,
            "presence": np.array([presence], np.float32),
            "handedness": np.array([right], np.float32),
        }


def circle(body: Floats) -> Floats:
    """Middle of the hips, and the top of the circle that holds a body: [2, 2]."""
    hips, shoulders = body[[23, 24], :2].mean(0), body[[11, 12], :2].mean(0)
    return np.stack([hips, hips + 2 * (shoulders - hips)])
