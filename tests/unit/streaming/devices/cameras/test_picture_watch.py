"""A camera whose frames come, but show nothing: frozen, or black."""

from __future__ import annotations

import numpy as np

from streaming.devices.cameras.picture_watch import AFTER_NS, PictureWatch

PERIOD_NS = 40_000_000
FRAMES = AFTER_NS // PERIOD_NS


def noisy(level: int, seed: int) -> np.ndarray:
    """A picture with the noise of a sensor."""
    noise = np.random.default_rng(seed).integers(0, 4, (48, 64, 3))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def test_a_picture_that_moves_or_has_noise_is_right() -> None:
    watch = PictureWatch()
    assert not any(watch.look(noisy(90, n), 10**12 + n * PERIOD_NS) for n in range(2 * FRAMES))


def test_a_frozen_picture_is_said_once_until_it_moves_again() -> None:
    watch = PictureWatch()
    said = [watch.look(noisy(90, 0), 10**12 + n * PERIOD_NS) for n in range(2 * FRAMES)]
    assert [line for line in said if line] == [said[FRAMES]]
    assert "may have frozen" in said[FRAMES]
    again = 10**12 + 3 * FRAMES * PERIOD_NS
    assert not watch.look(noisy(90, 1), again)
    assert any(watch.look(noisy(90, 1), again + n * PERIOD_NS) for n in range(2 * FRAMES))


def test_a_black_picture_is_said_once_also_with_the_noise_of_its_sensor() -> None:
    watch = PictureWatch()
    said = [watch.look(noisy(2, n), 10**12 + n * PERIOD_NS) for n in range(2 * FRAMES)]
    assert [line for line in said if line] == ["its picture is black: is the lens covered?"]


def test_a_camera_that_changes_its_size_has_not_frozen() -> None:
    watch = PictureWatch()
    for n in range(2 * FRAMES):
        size = (48, 64) if n // 100 % 2 else (60, 80)
        assert not watch.look(np.full((*size, 3), 128, np.uint8), 10**12 + n * PERIOD_NS)
