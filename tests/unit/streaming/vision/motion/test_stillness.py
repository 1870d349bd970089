"""Stillness: a shaking camera, noise and flicker are still; slow motion is not; both are told in time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.audio.stillness_gate import GainRamp, StillnessGate
from streaming.vision.motion.camera_shake import CameraShake, align_view, refine_shake
from streaming.vision.motion.features import MotionFeatureExtractor
from streaming.vision.motion.stillness import KEPT_S, LONG_STILL_S, SPAN_S, StillnessDetector
from tests.unit.streaming.vision.motion.scenes import Place, Scene, frames_of, texture, times_at

SETTLED_S = 0.7


def hand(size: float) -> Place:
    """The shake of a camera in a hand: a few tenths of a hertz to 8 Hz, less with the frequency; sides of the view."""

    def place(time_s: float) -> tuple[float, float]:
        waves = [(0.4, 0.3), (0.9, 1.9), (1.7, 4.1), (3.1, 0.8), (5.3, 5.5), (8.2, 2.7)]
        x, y = (
            sum(size / f * math.sin(2 * math.pi * f * time_s + phase * more) for f, phase in waves)
            for more in (1.0, 2.3)
        )
        return x, y

    return place


def stillness_of(scene: Scene, times: list[float], detector: StillnessDetector | None = None) -> NDArray[np.float64]:
    """For how long nothing has moved, at each frame: [T], seconds."""
    detector, extractor = detector or StillnessDetector(), MotionFeatureExtractor()
    found = []
    for frame in frames_of(scene, times):
        extractor.step(frame)
        found.append(detector.step(frame.current, frame.time_s, frame.shape, extractor.camera_shake))
    return np.array(found)


STILL = {
    "clean": Scene(),
    "noise": Scene(noise=4.0),
    "much noise, plain wall": Scene(noise=5.0, wall=0.0),
    "flicker": Scene(noise=2.0, light=lambda t: 1.0 + 0.02 * math.sin(2 * math.pi * 9.7 * t)),
    "flicker, plain wall": Scene(noise=2.0, wall=0.0, light=lambda t: 1.0 + 0.02 * math.sin(2 * math.pi * 9.7 * t)),
    "flicker, light that is clipped": Scene(noise=2.0, light=lambda t: 1.7 + 0.06 * math.sin(2 * math.pi * 9.7 * t)),
    "a hand": Scene(camera=hand(0.0025), noise=2.0),
    "a hand, noise and flicker": Scene(
        camera=hand(0.005), noise=4.0, light=lambda t: 1.0 + 0.01 * math.sin(2 * math.pi * 9.7 * t), height=0.75
    ),
    "an unsteady hand": Scene(camera=hand(0.01), noise=2.0),
}


@pytest.mark.parametrize("rate_hz", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("name", STILL)
def test_what_stands_still_is_still_however_the_camera_is_held(name: str, rate_hz: float) -> None:
    times = times_at(rate_hz, 2.2)
    found = stillness_of(STILL[name], times)
    settled = np.array(times) > SETTLED_S
    moving = float((found[settled] == 0.0).mean())
    assert moving == 0.0, f"{moving:.0%} of the frames move"
    assert found[-1] >= 1.5


@pytest.mark.parametrize("camera", [hand(0.0), hand(0.0025)], ids=["tripod", "hand"])
@pytest.mark.parametrize("sides_per_s", [0.03, 0.3])
def test_a_bow_that_is_drawn_slowly_is_never_still(sides_per_s: float, camera: Place) -> None:
    stroke_s = 0.3 / sides_per_s

    def place(time_s: float) -> tuple[float, float]:
        phase = time_s / stroke_s % 2.0
        return 0.35 + 0.3 * (phase if phase < 1.0 else 2.0 - phase), 0.5

    times = times_at(30.0, 4.0)
    found = stillness_of(Scene(square=place, noise=2.0, camera=camera), times)
    assert found[np.array(times) > SETTLED_S].max() <= 0.3, "even where the bow turns"


@pytest.mark.parametrize("rate_hz", [15.0, 30.0, 60.0])
def test_stillness_is_counted_from_the_stop_and_ends_with_the_first_motion(rate_hz: float) -> None:
    stop_s, go_s = 1.5, 3.0

    def place(time_s: float) -> tuple[float, float]:
        moved = min(time_s, stop_s) + max(0.0, time_s - go_s)
        return 0.5 + 0.15 * math.sin(2.0 * math.pi * moved), 0.5

    times = times_at(rate_hz, 3.6)
    found = stillness_of(Scene(square=place, noise=3.0), times)
    for time_s, still_s in zip(times, found, strict=True):
        if SETTLED_S < time_s < stop_s:
            assert still_s == 0.0
        elif stop_s + SPAN_S + 1.0 / rate_hz < time_s < go_s:
            assert still_s == pytest.approx(time_s - stop_s, abs=1.5 / rate_hz + 0.02)
        elif time_s > go_s + 0.02 + 1.0 / rate_hz:
            assert still_s == 0.0, f"{time_s - go_s:.3f} s after the first motion"


def test_before_the_first_motion_it_has_long_been_still_and_a_cut_keeps_what_is_known() -> None:
    detector = StillnessDetector()
    assert stillness_of(Scene(), times_at(25.0, 0.6), detector)[0] == LONG_STILL_S
    detector.reset()
    moving = Scene(square=lambda t: (0.4 + 0.2 * t, 0.5))
    assert stillness_of(moving, times_at(25.0, 1.0), detector)[-1] == 0.0
    detector.forget_views()
    later = detector.step(texture(128, 5), 1.2, (256, 256), CameraShake())
    assert later == pytest.approx(1.2 - times_at(25.0, 1.0)[-1])
    assert detector.step(texture(128, 5), 1.3 + KEPT_S, (256, 256), CameraShake()) > later, "after a gap too"


def test_what_a_mask_hides_does_not_move() -> None:
    detector = StillnessDetector()
    weights = np.ones((64, 64), np.float32)
    weights[:, :32] = 0.0
    moving = Scene(square=lambda t: (0.2 + 0.1 * math.sin(6.0 * t), 0.5), size=0.2, wall=0.0)
    for frame in frames_of(moving, times_at(25.0, 1.0)):
        still_s = detector.step(frame.current, frame.time_s, frame.shape, CameraShake(), weights)
    assert still_s == LONG_STILL_S


def test_a_camera_motion_is_refined_to_a_tenth_of_a_pixel_beside_a_performer() -> None:
    true = CameraShake(right=3.0, down=-2.0, zoom=0.8, turn=-1.1)
    before = texture(128, 7)
    now = align_view(before, true, 1.0)
    now[40:80, 50:90] = texture(128, 8)[40:80, 50:90]
    content = np.ones((128, 128), np.bool_)
    rough = CameraShake(right=2.0, down=-1.2, zoom=0.3, turn=-0.6)
    fine = refine_shake(before, now, rough, 1.0, content)
    for name in ("right", "down", "zoom", "turn"):
        assert getattr(fine, name) == pytest.approx(getattr(true, name), abs=0.1)


def test_full_scale_music_is_silent_a_second_after_a_player_before_a_handheld_camera_stops() -> None:
    """The whole way: frames of a shaking camera in flickering light, stillness, the gain of each tick, the sound."""
    stop_s, way_s, rate_hz = 2.0, 0.1, 30.0

    def place(time_s: float) -> tuple[float, float]:
        return 0.5 + 0.15 * math.sin(5.0 * min(time_s, stop_s)), 0.5

    scene = Scene(
        square=place, camera=hand(0.005), noise=4.0, light=lambda t: 1.0 + 0.01 * math.sin(2 * math.pi * 9.7 * t)
    )
    times = times_at(rate_hz, 4.0)
    found = stillness_of(scene, times)
    gate, ramp = StillnessGate(), GainRamp()
    tone = np.ones(1280, np.float32)
    level = {}
    for tick in range(round(4.0 * 25)):
        newest = np.searchsorted(times, tick / 25.0, side="right") - 1
        gain = gate.step(float(found[newest]) if newest >= 0 else None)
        level[tick / 25.0 + way_s] = float(np.abs(ramp.step(tone, gain)).max())
    playing = [value for time_s, value in level.items() if SETTLED_S + way_s < time_s < stop_s]
    silent = [value for time_s, value in level.items() if time_s >= stop_s + 1.0]
    assert min(playing) == 1.0
    assert max(silent) <= 1e-3
    assert len(silent) > 20
