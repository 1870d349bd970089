"""Light is due when its sound is heard: levels, flashes that fade, and the picture's colours."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import TICK_NS
from streaming.remote.show_control.lights.light_looks import FLASH_NS, LightLooks
from streaming.remote.sound_events import SoundEvents

S = 1_000_000_000


def test_a_level_counts_from_when_it_is_heard() -> None:
    looks = LightLooks()
    looks.hear(SoundEvents(-30.0, 63.5), 2 * S)
    assert looks.at(2 * S - 1)["level"] == 0.0
    assert looks.at(2 * S)["level"] == pytest.approx(0.5)
    assert looks.at(2 * S)["pitch"] == pytest.approx(0.5)
    looks.hear(SoundEvents(-200.0), 3 * S)
    assert looks.at(3 * S)["level"] == 0.0


def test_an_onset_flashes_at_its_place_and_fades() -> None:
    looks = LightLooks()
    looks.hear(SoundEvents(-6.0, None, 0.02, 0.8), S)
    due_ns = S + 20_000_000
    assert looks.next_ns(S) == due_ns, "not with the next tick"
    assert looks.at(due_ns - 1)["onset"] == 0.0
    assert looks.at(due_ns)["onset"] == pytest.approx(0.8)
    assert looks.at(due_ns + FLASH_NS // 2)["onset"] == pytest.approx(0.4, abs=0.01)
    assert looks.at(due_ns + FLASH_NS)["onset"] == 0.0
    assert looks.next_ns(due_ns) == due_ns + TICK_NS


def test_colours_are_those_of_the_picture() -> None:
    looks, image = LightLooks(), np.zeros((90, 160, 3), np.uint8)
    image[..., 2], image[:, :80, 0] = 255, 255
    looks.see(image)
    values = looks.at(0)
    assert (values["red"], values["green"]) == (1.0, 0.0)
    assert values["blue"] == pytest.approx(0.5, abs=0.05)


def test_what_waits_is_bounded() -> None:
    looks = LightLooks()
    for number in range(1_000):
        looks.hear(SoundEvents(-6.0, 60.0, 0.0, 1.0), 10**15 + number)
    assert looks.dropped > 0
    assert looks.at(0)["level"] == 0.0
