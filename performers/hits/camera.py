"""The camera of the world of "hits": how it is held, when it takes frames, and what spoils them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from performers.hits.movers import Affine, turn_about
from performers.hits.strokes import path_times, value_at, wander

RATES_HZ = (25.0, 25.0, 30.0, 30.0, 30.0, 29.97, 24.0, 23.976, 15.0, 15.0, 20.0, 60.0)
"""Frame rates that are drawn, each as likely."""
SIZES = ((256, 144), (256, 144), (256, 192), (256, 192), (256, 256), (144, 256))
MARGIN = 0.15
"""The background reaches that share of a side beyond the frame."""
NOISE_FIELDS = 4


@dataclass(frozen=True)
class HitsCamera:
    """One clip's camera.

    Attributes:
        size: width and height of the frames in pixels.
        times: of the frames that it sends, the middle of the exposure, in seconds.
        repeats: bool for each frame: it shows the frame before it once more.
        exposure_s: time over which moving things are blurred.
        shift: of the picture, float64 [N, 2] in pixels; turn: float64 [N] in radians; zoom: float64 [N]; sampled at
            `strokes.path_times`.
        gain: brightness, float64 [N].
        flicker_hz, flicker: frequency and depth of the light's flicker.
        unsteady: standard deviation of each frame's own brightness.
        noise: standard deviation in grey levels.
        quality: of JPEG, 0 for none.
        blur_px: standard deviation of the lens's blur; 0 for none.
        contrast: about mid grey.
    """

    size: tuple[int, int]
    times: NDArray[np.float64]
    repeats: NDArray[np.bool_]
    exposure_s: float
    shift: NDArray[np.float64]
    turn: NDArray[np.float64]
    zoom: NDArray[np.float64]
    gain: NDArray[np.float64]
    flicker_hz: float = 100.0
    flicker: float = 0.0
    unsteady: float = 0.0
    noise: float = 0.0
    quality: int = 0
    blur_px: float = 0.0
    contrast: float = 1.0

    def view(self, t_s: float) -> Affine:
        """Scene to picture at a time."""
        middle = np.array(self.size) / 2.0
        turn, zoom = float(value_at(self.turn, t_s)), float(value_at(self.zoom, t_s))
        return turn_about(turn, zoom, middle, middle + value_at(self.shift, t_s))

    def develop(self, image: NDArray[np.uint8], t_s: float, rng: np.random.Generator) -> NDArray[np.uint8]:
        """What light, lens, sensor and compression make of a clean picture: uint8 [H, W, 3]."""
        out = image.astype(np.float32)
        if self.blur_px:
            out = cv2.GaussianBlur(out, (0, 0), self.blur_px)
        light = float(value_at(self.gain, t_s)) * (1.0 + self.flicker * np.sin(2.0 * np.pi * self.flicker_hz * t_s))
        light *= 1.0 + self.unsteady * float(rng.standard_normal())
        out = (out - 127.0) * np.float32(self.contrast * light) + np.float32(127.0 * light)
        if self.noise:
            # Colour noise is weaker than that of brightness.
            grains = np.empty(image.shape[:2], np.float32)
            cv2.setRNGSeed(int(rng.integers(1 << 30)))
            cv2.randn(grains, 0.0, self.noise)
            out += grains[..., None]
        sharp = np.asarray(np.clip(out, 0, 255), np.uint8)
        if self.quality:
            _, data = cv2.imencode(".jpg", sharp, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
            sharp = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        return sharp


def draw_frame_times(rng: np.random.Generator, duration_s: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Times of the frames that a camera sends, and which of them repeat the one before.

    Args:
        rng: random generator.
        duration_s: length of the clip in seconds.

    Returns:
        float64 [F] in seconds, the first one within a frame before 0; bool [F].
    """
    rate = float(rng.choice(RATES_HZ))
    times = -float(rng.uniform(0.0, 1.0 / rate)) + np.arange(int((duration_s + 0.2) * rate)) / rate
    if rng.random() < 0.3:
        times = np.sort(times + np.clip(rng.normal(0.0, 0.0015, times.size), -0.004, 0.004))
    if rng.random() < 0.1:
        times = times[rng.random(times.size) > rng.uniform(0.01, 0.1)]
    repeats = np.zeros(times.size, np.bool_)
    if rng.random() < 0.12:
        repeats[int(rng.integers(1, 6)) :: int(rng.integers(2, 7))] = True
    return times, repeats


def draw_camera(rng: np.random.Generator, hits: NDArray[np.float64], duration_s: float) -> HitsCamera:
    """Draw a camera as people have them.

    Args:
        rng: random generator.
        hits: times of the hits in seconds; on a shaky stand they jolt it.
        duration_s: length of the clip in seconds.
    """
    size = SIZES[int(rng.integers(len(SIZES)))]
    side, path = float(max(size)), path_times(duration_s)
    times, repeats = draw_frame_times(rng, duration_s)
    shift, turn, zoom = np.zeros((path.size, 2)), np.zeros(path.size), np.ones(path.size)
    if rng.random() < 0.35:
        strength = float(np.exp(rng.uniform(np.log(0.2), np.log(6.0)))) * side / 256.0
        shift += wander(rng, path.size, float(rng.uniform(0.05, 0.6)), strength)
        turn += wander(rng, path.size, float(rng.uniform(0.1, 0.8)), 0.003 * strength, 1)[:, 0]
    if rng.random() < 0.15:
        shift += (0.5 - (path / duration_s))[:, None] * rng.normal(0.0, 0.08, 2) * side
    if rng.random() < 0.12:
        zoom = np.exp(rng.uniform(-0.1, 0.25) * np.clip(path / duration_s, 0.0, 1.0) ** 2)
    if rng.random() < 0.12:
        size_px = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
        for hit in hits:
            since = np.maximum(path - hit, 0.0)
            shift[:, 1] += size_px * np.exp(-since / 0.06) * np.sin(2.0 * np.pi * 9.0 * since)
    gain = np.ones(path.size)
    if rng.random() < 0.2:
        gain = np.exp(wander(rng, path.size, 1.0, float(rng.uniform(0.01, 0.12)), 1)[:, 0])
    return HitsCamera(
        size,
        times,
        repeats,
        exposure_s=float(rng.uniform(0.1, 1.0)) / max(25.0, 1.0 / float(np.median(np.diff(times)))),
        shift=shift,
        turn=turn,
        zoom=zoom,
        gain=gain,
        flicker_hz=float(rng.choice([100.0, 120.0])) * float(rng.uniform(0.998, 1.002)),
        flicker=float(rng.uniform(0.0, 0.04)) if rng.random() < 0.15 else 0.0,
        unsteady=float(rng.uniform(0.0, 0.02)) if rng.random() < 0.2 else 0.0,
        noise=float(np.exp(rng.uniform(np.log(0.5), np.log(7.0)))) if rng.random() < 0.55 else 0.0,
        quality=int(rng.uniform(20, 90)) if rng.random() < 0.45 else 0,
        blur_px=float(rng.uniform(0.5, 1.6)) if rng.random() < 0.3 else 0.0,
        contrast=float(rng.uniform(0.5, 1.1)),
    )


def steady_camera(size: tuple[int, int], rate_hz: float, duration_s: float) -> HitsCamera:
    """A camera on a stand in steady light, without noise and blur, for tests of what moves."""
    path = path_times(duration_s)
    times = np.arange(int(duration_s * rate_hz)) / rate_hz
    flat = np.ones(path.size)
    return HitsCamera(
        size, times, np.zeros(times.size, np.bool_), 0.0, np.zeros((path.size, 2)), np.zeros(path.size), flat, flat
    )
