"""The animator's clips: what sound pushes, how fields are pooled, and that a mobile follows from its seed."""

from __future__ import annotations

import numpy as np

from training.datasets.animator import pool_field, push_of, record_mobile


def test_sound_pushes_where_it_lies_and_changes() -> None:
    t = np.arange(2 * 32_000) / 32_000
    low = (0.5 * np.sin(2 * np.pi * 80 * t) * (t > 1.0)).astype(np.float32)
    push = push_of(low)
    assert push.shape == (50, 4)
    assert not push[:24].any()
    assert push[27, 0] > 0.5 > push[27, 3] + 0.3
    assert push[49, 0] < 0.6 * push[27, 0], "what stays pushes less"


def test_a_wide_pictures_field_lies_in_the_middle_of_its_square() -> None:
    field = np.ones((2, 32, 64), np.float32)
    square = pool_field(field)
    assert square.shape == (2, 16, 16)
    assert not square[:, :4].any()
    assert (square[:, 4:12] == 1.0).all()


def test_a_mobile_is_recorded_with_the_sound_that_moves_it() -> None:
    clip = record_mobile(6_000_001)
    assert clip["sound"].shape == (200 * 1280,)
    assert clip["flow"].shape == (200, 2, 16, 16)
    assert np.isfinite(clip["flow"]).all()
    loud = np.abs(clip["sound"].astype(np.float32)).reshape(200, -1).mean(1)
    moving = np.abs(clip["flow"].astype(np.float32)).mean((1, 2, 3))
    assert moving[loud > np.median(loud)].mean() > 0.0
    again = record_mobile(6_000_001)
    assert all(np.array_equal(clip[name], again[name]) for name in clip)
