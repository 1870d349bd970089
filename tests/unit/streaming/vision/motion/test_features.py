"""Motion features: what they say of known motion, and that they keep to the law of streaming networks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import MOTION_FEATURES
from streaming.vision.motion.feature_names import INDEX, LARGEST, NAMES
from streaming.vision.motion.features import MotionFeatureExtractor
from streaming.vision.motion.onset_rule import onset_strength
from tests.unit.streaming.vision.motion.scenes import Scene, features_of, frames_of, strokes, times_at

SECONDS = 4.2
PERIOD_S = 0.6
SETTLED_S = 1.8
GENTLE = strokes(PERIOD_S, depth=0.14, swing_s=0.3)


def shaken(time_s: float) -> tuple[float, float]:
    """A hand-held camera: 1 % of the view, two to three times a second."""
    return 0.01 * float(np.sin(2 * np.pi * 2.3 * time_s)), 0.008 * float(np.sin(2 * np.pi * 3.1 * time_s + 1.0))


def peaks(features: NDArray[np.float32], times: list[float]) -> dict[str, float]:
    """The mean over strokes of each feature's largest value in a stroke, once the scale has settled."""
    stroke = np.floor((np.array(times) - 0.5 * PERIOD_S) / PERIOD_S)
    chosen = [stroke == n for n in range(int(SETTLED_S / PERIOD_S), int(SECONDS / PERIOD_S) - 1)]
    return {name: float(np.mean([features[one, INDEX[name]].max() for one in chosen])) for name in NAMES}


def test_every_entry_has_a_name_and_keeps_to_its_range() -> None:
    assert len(NAMES) == len(INDEX) == MOTION_FEATURES
    features = features_of(Scene(strokes(), camera=shaken, noise=2.0), times_at(30.0, 2.0))
    assert features.shape == (60, MOTION_FEATURES)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    signed = INDEX["scale"]
    assert (np.delete(features, signed, 1) >= 0.0).all()
    assert (features <= LARGEST).all()
    assert (np.abs(features[:, signed]) <= 1.5).all()
    assert (features[:, INDEX["activity"]] <= 1.0).all()


def test_a_square_that_stops_loses_downward_speed_when_it_stops() -> None:
    times = times_at(30.0, SECONDS)
    strength = onset_strength(features_of(Scene(GENTLE), times))
    for hit in np.arange(2, 7) * PERIOD_S:
        near = [i for i, time in enumerate(times) if hit - 0.25 < time < hit + 0.3]
        peak = times[near[int(np.argmax(strength[near]))]]
        assert 0.0 <= peak - hit <= 0.04 + 1.0 / 30.0
        assert strength[near].max() > 0.5
        assert max(strength[i] for i in near if abs(times[i] - peak) > 0.1) < 0.4 * strength[near].max()


@pytest.mark.parametrize(("noise", "most"), [(0.0, 0.0), (3.0, 0.02)])
def test_stillness_gives_zeros(noise: float, most: float) -> None:
    features = features_of(Scene(noise=noise), times_at(25.0, 1.2))
    assert features[:, : INDEX["scale"]].max() <= most
    assert (features[:, INDEX["activity"]] < 0.001).all()


@pytest.mark.parametrize("rate_hz", [15.0, 25.0, 50.0, 60.0])
def test_frame_rates_give_the_same(rate_hz: float) -> None:
    expected = peaks(features_of(Scene(GENTLE), times_at(30.0, SECONDS)), times_at(30.0, SECONDS))
    found = peaks(features_of(Scene(GENTLE), times_at(rate_hz, SECONDS)), times_at(rate_hz, SECONDS))
    for name in ("loss_max_down", "speed_max_down", "speed_max", "speed_sum", "moving"):
        assert found[name] == pytest.approx(expected[name], rel=0.35), name


@pytest.mark.parametrize("rate_hz", [30.0, 60.0])
def test_every_loss_is_in_the_newest_frame_of_a_tick(rate_hz: float) -> None:
    times = times_at(rate_hz, 3.0, 0.001)
    loss = features_of(Scene(strokes(0.37, depth=0.1, swing_s=0.15)), times)[:, INDEX["loss_max_down"]]
    for first in np.arange(1.0, 2.4, 0.37) - 0.1:
        frames = [index for index, time in enumerate(times) if first <= time < first + 0.37]
        ticks = [int(np.searchsorted(times, tick / 25.0 + 1e-6)) - 1 for tick in range(75)]
        assert max(loss[frames]) == max(loss[index] for index in ticks if first <= times[index] < first + 0.41)


def test_a_performer_of_half_the_size_gives_the_same_once_the_scale_has_adapted() -> None:
    times = times_at(30.0, SECONDS)
    near = peaks(features_of(Scene(GENTLE), times), times)
    far_stroke = strokes(PERIOD_S, depth=0.07, swing_s=0.3)
    far = peaks(features_of(Scene(far_stroke, size=0.125), times), times)
    assert far["scale"] < near["scale"] - 0.15
    for name in ("loss_max_down", "speed_max_down", "speed_max", "speed_sum", "moving"):
        assert far[name] == pytest.approx(near[name], rel=0.35), name


def test_camera_shake_is_taken_out() -> None:
    times = times_at(25.0, SECONDS)
    still = features_of(Scene(camera=shaken), times)
    assert still[:, : INDEX["moving"] + 1].max() < 0.1
    assert still[:, INDEX["camera_speed"]].max() > 0.1
    steady, held = (
        peaks(features_of(Scene(GENTLE, camera=camera), times), times) for camera in (lambda t: (0.0, 0.0), shaken)
    )
    for name in ("loss_max_down", "speed_max_down", "speed_sum", "moving"):
        assert held[name] == pytest.approx(steady[name], rel=0.3), name
    left_in = peaks(features_of(Scene(GENTLE, camera=shaken), times, MotionFeatureExtractor(stabilize=False)), times)
    assert left_in["moving"] > 2.0 * held["moving"]


def test_a_large_mover_before_a_plain_wall_is_not_taken_for_the_camera() -> None:
    times = times_at(25.0, 2.0)
    features = features_of(Scene(GENTLE, size=0.6, wall=0.0), times)
    assert features[:, INDEX["camera_speed"]].max() < 0.05
    assert features[:, INDEX["loss_max_down"]].max() > 0.5


def test_flicker_is_taken_out() -> None:
    times = times_at(25.0, 2.0)
    flickering = Scene(light=lambda t: 1.0 + 0.08 * float(np.sin(2 * np.pi * 7 * t)))
    assert features_of(flickering, times)[:, : INDEX["moving"] + 1].max() < 0.05
    assert features_of(flickering, times, MotionFeatureExtractor(stabilize=False)).max() > 0.5


def test_a_repeated_frame_is_no_stop() -> None:
    times = times_at(25.0, 1.0)
    steady = Scene(lambda t: (0.5, 0.2 + 0.5 * t))
    frames = list(frames_of(steady, times))
    extractor = MotionFeatureExtractor()
    once = np.stack([extractor.step(frame) for frame in frames])
    extractor.reset()
    twice = []
    for index, frame in enumerate(frames):
        twice.append(extractor.step(frame))
        if index % 3 == 2:
            again = frame._replace(previous=frame.current, time_s=frame.time_s + 0.02)
            assert np.array_equal(extractor.step(again), twice[-1])
    loss = INDEX["loss_max_down"]
    assert np.stack(twice)[3:, loss].max() < once[3:, loss].max() + 0.2 < 0.7
    assert np.allclose(np.stack(twice)[3:, INDEX["speed_max"]], once[3:, INDEX["speed_max"]], atol=0.3)


def test_going_on_from_a_state_equals_the_whole_sequence() -> None:
    frames = list(frames_of(Scene(strokes(), camera=shaken, noise=1.0), times_at(30.0, 2.0)))
    whole = MotionFeatureExtractor()
    expected = np.stack([whole.step(frame) for frame in frames])
    for size in (1, 7, 25):
        state, found = MotionFeatureExtractor().state(), []
        for first in range(0, len(frames), size):
            block = MotionFeatureExtractor()
            block.restore(state)
            found += [block.step(frame) for frame in frames[first : first + size]]
            state = block.state()
        assert np.array_equal(np.stack(found), expected)
    whole.reset()
    assert np.array_equal(np.stack([whole.step(frame) for frame in frames]), expected)


def test_what_is_to_come_changes_nothing() -> None:
    frames = list(frames_of(Scene(strokes()), times_at(30.0, 1.0)))
    extractor = MotionFeatureExtractor()
    before = np.stack([extractor.step(frame) for frame in frames[:15]])
    spoilt = [frame._replace(flow=np.full((2, 256, 256), np.nan, np.float32)) for frame in frames[15:]]
    extractor.reset()
    assert np.array_equal(np.stack([extractor.step(frame) for frame in frames[:15] + spoilt])[:15], before)


def test_a_flow_that_is_no_number_leaves_no_trace() -> None:
    frames = list(frames_of(Scene(strokes()), times_at(30.0, 1.0)))
    extractor = MotionFeatureExtractor()
    for index, frame in enumerate(frames):
        flow = np.full((2, 256, 256), np.nan, np.float32) if index == 12 else frame.flow
        assert np.isfinite(extractor.step(frame._replace(flow=flow))).all()


def test_a_cut_is_no_motion_and_the_scale_stays() -> None:
    frames = list(frames_of(Scene(strokes()), times_at(30.0, 2.0)))
    extractor = MotionFeatureExtractor()
    for frame in frames[:40]:
        extractor.step(frame)
    scale = extractor.scale
    features = extractor.step(frames[40]._replace(flow=None))
    assert not features[: INDEX["scale"]].any()
    assert extractor.scale == scale


def test_sensitivity_multiplies_what_is_scaled() -> None:
    frames = list(frames_of(Scene(GENTLE), times_at(30.0, 1.5)))
    usual, twice = MotionFeatureExtractor(), MotionFeatureExtractor()
    twice.sensitivity = 2.0
    one, two = (np.stack([extractor.step(frame) for frame in frames]) for extractor in (usual, twice))
    for name in ("loss_max_down", "loss_sum_down", "gain_max_up", "speed_max", "speed_sum"):
        assert np.allclose(two[:, INDEX[name]], np.minimum(2.0 * one[:, INDEX[name]], LARGEST), atol=1e-5), name
    for name in ("scale", "activity", "camera_speed"):
        assert np.array_equal(one[:, INDEX[name]], two[:, INDEX[name]]), name


def test_a_held_scale_stays_until_it_is_released() -> None:
    times = times_at(25.0, 2.0)
    extractor = MotionFeatureExtractor()
    features_of(Scene(GENTLE), times, extractor)
    extractor.hold_scale()
    scale = extractor.scale
    later = [time + 3.0 for time in times]
    features_of(Scene(strokes(PERIOD_S, depth=0.05, swing_s=0.3)), later, extractor)
    assert extractor.scale == scale
    extractor.release_scale()
    features_of(Scene(strokes(PERIOD_S, depth=0.05, swing_s=0.3)), [time + 6.0 for time in times], extractor)
    assert extractor.scale < 0.8 * scale
