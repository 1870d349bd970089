"""What a player does to the finished pictures: held while frozen, faded to black and back, else the very array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streaming.painting.picture_desk import SHORTEST_S, THAW_TICKS, PictureDesk
from streaming.settings.controls import CONTROLS


def picture(level: int) -> np.ndarray:
    return np.full((6, 8, 3), level, np.uint8)


def step(desk: PictureDesk, level: int, **switches: Any) -> np.ndarray:
    options = {"frozen": False, "dark": False, "fade_s": 0.05, **switches}
    return desk.step(picture(level), **options)


def test_without_a_switch_the_very_picture_is_shown() -> None:
    image = picture(7)
    assert PictureDesk().step(image, frozen=False, dark=False, fade_s=0.05) is image


def test_frozen_the_last_picture_is_shown_and_afterwards_it_fades_into_the_present_one() -> None:
    desk = PictureDesk()
    step(desk, 10)
    assert [int(step(desk, level, frozen=True).max()) for level in (60, 110, 160)] == [10, 10, 10]
    thawed = [int(step(desk, 210).max()) for _ in range(THAW_TICKS + 1)]
    assert thawed == sorted(thawed)
    assert thawed[0] == 30, "a tenth of the way"
    assert thawed[-2:] == [210, 210]


def test_frozen_again_while_it_thaws_holds_what_is_seen() -> None:
    desk = PictureDesk()
    step(desk, 10)
    step(desk, 10, frozen=True)
    seen = int(step(desk, 210).max())
    assert [int(step(desk, 210, frozen=True).max()) for _ in range(3)] == [seen] * 3


def test_a_show_that_begins_frozen_holds_its_first_picture() -> None:
    desk = PictureDesk()
    assert [int(step(desk, level, frozen=True).max()) for level in (40, 90)] == [40, 40]


def test_a_picture_of_another_size_is_not_mixed_with_the_held_one() -> None:
    desk = PictureDesk()
    step(desk, 10, frozen=True)
    other = np.full((4, 4, 3), 80, np.uint8)
    assert desk.step(other, frozen=False, dark=False, fade_s=0.05) is other


@pytest.mark.parametrize(("fade_s", "ticks"), [(0.005, round(25 * SHORTEST_S)), (2.0, 50)])
def test_a_blackout_takes_its_time_and_ends_in_black(fade_s: float, ticks: int) -> None:
    desk = PictureDesk()
    levels = [int(step(desk, 200, dark=True, fade_s=fade_s).max()) for _ in range(ticks + 2)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 100
    assert levels[ticks // 2] > 0
    assert levels[-2:] == [0, 0]
    back = [int(step(desk, 200, fade_s=fade_s).max()) for _ in range(ticks + 1)]
    assert back == sorted(back)
    assert back[-1] == 200


def test_the_words_of_the_controls_say_the_shortest_time() -> None:
    assert f"at least {SHORTEST_S:g} s" in CONTROLS["blackout"].words


def test_lost_ticks_count_for_the_time() -> None:
    desk = PictureDesk()
    desk.step(picture(200), frozen=False, dark=True, fade_s=1.0, ticks=24)
    assert desk.light == pytest.approx(0.04)
