"""What is measured of an hour: looks that change with the picture, the time to rest, and a piece of whole ticks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streaming.conventions import TICK_SAMPLES
from training.evaluation.endurance import appearance_of, music_of, psnr_to_prior, rests_after


def picture() -> np.ndarray:
    """A coloured picture with edges."""
    rng = np.random.default_rng(0)
    small = rng.integers(40, 200, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (160, 120), interpolation=cv2.INTER_NEAREST))


def test_looks_follow_light_colour_and_edges() -> None:
    image = picture()
    bright, vivid, sharp = appearance_of(image)
    assert appearance_of(cv2.add(image, 30))[0] == pytest.approx(bright + 30, abs=1)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert appearance_of(grey)[1] == 0 < vivid
    assert appearance_of(cv2.GaussianBlur(image, (0, 0), 3.0))[2] < 0.6 * sharp


def test_a_picture_is_nearest_to_itself() -> None:
    image = picture()
    assert psnr_to_prior(image, image) == 99.0
    assert 20.0 < psnr_to_prior(cv2.add(image, 10), image) < 35.0


@pytest.mark.parametrize(
    ("course", "seconds"),
    [([99.0] * 50, 0.0), ([20.0] * 25 + [40.0] * 25, 1.0), ([40.0, 20.0] * 25, None)],
)
def test_rest_counts_when_it_lasts(course: list[float], seconds: float | None) -> None:
    assert rests_after(np.array(course)) == seconds


def test_a_piece_has_whole_ticks_and_sounds() -> None:
    sound = music_of(0.25)
    assert sound.shape == (15 * 25 * TICK_SAMPLES,)
    assert 0.01 < np.abs(sound).max() <= 1.0
    assert np.array_equal(sound, music_of(0.25))
