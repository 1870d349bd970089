"""Clips of hits: the same by seed, and a truth that the pixels show."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from performers.hits.camera import draw_camera
from performers.hits.hand_shapes import draw_hand, straighten
from performers.hits.performer import HitsMaterial, HitsPerformer
from performers.hits.timing import HIT

SEEDS = range(8)


def test_the_same_seed_gives_the_same_clip() -> None:
    first, second, other = HitsPerformer(3, 3.0), HitsPerformer(3, 3.0), HitsPerformer(4, 3.0)
    np.testing.assert_array_equal(first.truth.contact_s, second.truth.contact_s)
    frames = [next(performer.frames())[0] for performer in (first, second, other)]
    np.testing.assert_array_equal(frames[0], frames[1])
    assert frames[2].shape != frames[0].shape or (frames[2] != frames[0]).any()


def test_a_clip_shorter_than_two_seconds_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 s"):
        HitsPerformer(0, 1.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_truth_agrees_with_the_strokes(seed: int) -> None:
    performer = HitsPerformer(seed)
    truth = performer.truth
    assert (np.diff(truth.contact_s) >= 0).all()
    lead = truth.contact_s - truth.limb_stop_s
    assert lead.min() >= 0.0
    assert lead.max() <= 0.09
    assert 0.0 <= truth.sound_delay_s <= 0.1
    np.testing.assert_allclose(truth.onset_s - truth.contact_s, truth.sound_delay_s)
    assert all(stroke.kind != HIT for stroke in truth.silent)
    hits = sum(stroke.kind == HIT for limb in performer.limbs for stroke in limb.strokes)
    assert hits == truth.contact_s.size == truth.strength.size


def test_the_timing_given_is_played() -> None:
    timing = np.array([(0.8, 0.9), (1.6, 0.4), (2.4, 0.7)])
    truth = HitsPerformer(5, 4.0, HitsMaterial(timing)).truth
    np.testing.assert_allclose(truth.contact_s, timing[:, 0])
    np.testing.assert_allclose(truth.strength, timing[:, 1])


def test_without_a_hit_in_the_timing_given_one_is_drawn() -> None:
    assert HitsPerformer(5, 6.0, HitsMaterial(np.zeros((0, 2)))).truth.contact_s.size > 0


def test_frames_come_in_order_at_a_real_rate_and_size() -> None:
    rates = set()
    for seed in range(40):
        camera = draw_camera(np.random.default_rng(seed), np.array([1.0]), 2.0)
        step = np.diff(camera.times)
        assert (step > 0).all()
        assert -0.1 < camera.times[0] <= 0.01
        rates.add(round(1.0 / float(np.median(step))))
    assert min(rates) == pytest.approx(15, abs=1)
    assert max(rates) == pytest.approx(60, abs=3)


def test_repeated_frames_are_the_same_picture() -> None:
    performers = (HitsPerformer(seed, 2.0) for seed in range(100))
    performer = next(one for one in performers if one.camera.repeats[1:9].any())
    number = 1 + int(np.flatnonzero(performer.camera.repeats[1:])[0])
    frames = [image for (image, _), _ in zip(performer.frames(), range(number + 1), strict=False)]
    np.testing.assert_array_equal(frames[number], frames[number - 1])
    np.testing.assert_array_equal(performer.frame(number), frames[number])


ONE_HIT = HitsMaterial(np.array([(2.0, 1.0)]))


def _plain_hits(count: int) -> list[HitsPerformer]:
    """Clips of one limb with one visible hit, fast enough to be seen and slow enough for the flow to follow."""
    found: list[HitsPerformer] = []
    for seed in range(100):
        performer = HitsPerformer(seed, 4.0, ONE_HIT, undisturbed=True)
        travelled = float(np.hypot(*(performer.tips(2.0) - performer.tips(1.96))[0]))
        no_stick = performer.limbs[0].mover.sprite.kind in ("hand", "arm", "blob")
        if len(performer.limbs) == 1 and no_stick and performer.truth.visible.all() and 0.1 < travelled < 0.35:
            found.append(performer)
        if len(found) == count:
            break
    return found


def test_the_picture_stops_moving_when_the_truth_says_so() -> None:
    performers = _plain_hits(3)
    assert len(performers) == 3
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    for performer in performers:
        first, last = float(performer.truth.limb_stop_s[0]), float(performer.truth.contact_s[0])
        times = np.arange(1.9, 2.08, 0.01)
        grey = [cv2.cvtColor(performer.picture(float(time)), cv2.COLOR_BGR2GRAY) for time in times]
        speed = np.array([np.hypot(*np.moveaxis(dis.calc(a, b, None), 2, 0)).mean() for a, b in pairwise(grey)])
        stop = times[1 + int(np.argmax(speed[:-1] - speed[1:]))]
        assert first - 0.025 <= stop <= last + 0.025, performer.seed


def test_hands_and_tips_lie_where_they_are_drawn() -> None:
    seed = next(seed for seed in range(100) if HitsPerformer(seed, 2.0).limbs[0].mover.sprite.kind in ("hand", "arm"))
    performer = HitsPerformer(seed, 2.0, undisturbed=True)
    hands, tips = performer.hands(1.0), performer.tips(1.0)
    assert hands.shape == (len(performer.limbs), 21, 2)
    assert tips.shape == (len(performer.limbs), 2)
    assert np.isfinite(hands[0]).all()
    assert np.hypot(*(hands[0] - tips[0]).T).min() < 0.01


def test_recorded_hands_are_turned_to_the_frame_of_drawn_ones() -> None:
    shape = draw_hand(np.random.default_rng(0), 0.2)
    turned = 3.0 * shape @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 7.0
    back = straighten(np.stack([turned, np.zeros((21, 2))]))
    assert back.shape == (1, 21, 2)
    assert back[0, 9, 0] == pytest.approx(0.5)
    assert back[0, 9, 1] == pytest.approx(0.0, abs=1e-9)
    spans = [np.hypot(*(hand[8] - hand[9])) / np.hypot(*hand[9]) for hand in (shape, back[0])]
    assert spans[0] == pytest.approx(spans[1])
