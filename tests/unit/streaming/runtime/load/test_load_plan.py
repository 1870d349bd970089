"""The plan: pressure goes up step by step and in order, calm comes back step by step, a stall changes nothing."""

from __future__ import annotations

import itertools

import pytest

from streaming.runtime.load.load_plan import HOLD, MAX_HOLD, PRESSED, RELAPSE, SLICE_NS, WINDOW, LoadPlan
from streaming.schema.load_levels import LoadLevel


def feed(plan: LoadPlan, *late: int) -> list[int]:
    return [int(plan.update(each)) for each in late]


def press(plan: LoadPlan) -> LoadLevel:
    """As many pressed slices as one more level needs."""
    feed(plan, *[2] * PRESSED)
    return plan.level


def test_without_pressure_nothing_is_ever_given_up() -> None:
    assert set(feed(LoadPlan(), *[0] * 10_000)) == {0}


@pytest.mark.parametrize(
    "late",
    [(50,), (50, 50), (1,) + (0,) * 5, (1, 0, 0, 0, 1, 0, 0, 0), (1, 1, 1, 0, 0, 0)],
    ids=["one stall", "a stall over two slices", "one late tick now and then", "two of eight", "three single ticks"],
)
def test_what_passes_by_itself_gives_up_nothing(late: tuple[int, ...]) -> None:
    plan = LoadPlan()
    pause = (0,) * (WINDOW - 1)
    assert set(feed(plan, *(late + pause) * 20)) == {0}


def test_pressure_goes_up_one_level_at_a_time_in_order_and_stays_at_the_last() -> None:
    plan = LoadPlan()
    levels = feed(plan, *[2] * 60)
    assert [level for level, _ in itertools.groupby(levels)] == [0, 1, 2, 3, 4, 5]
    assert levels.index(1) == PRESSED - 1
    assert levels.index(5) == 5 * PRESSED - 1
    assert levels[-1] == max(LoadLevel)


def test_calm_takes_back_one_level_after_two_seconds_each() -> None:
    plan = LoadPlan()
    feed(plan, *[2] * 5 * PRESSED)
    assert plan.level == LoadLevel.PLAYER_KIND
    levels = feed(plan, *[0] * 5 * HOLD)
    assert [levels.index(level) for level in (4, 3, 2, 1, 0)] == [n * HOLD - 1 for n in (1, 2, 3, 4, 5)]
    assert HOLD * SLICE_NS == 2_000_000_000


def test_a_single_late_tick_delays_the_way_back_by_its_own_slice_only() -> None:
    plan = LoadPlan()
    press(plan)
    levels = feed(plan, 0, 0, 0, 1, *[0] * HOLD)
    assert levels.index(0) == HOLD


def test_pressure_begins_the_wait_anew() -> None:
    plan = LoadPlan()
    press(plan)
    feed(plan, *[0] * (HOLD - 2), 1, 1)
    assert feed(plan, *[0] * HOLD) == [1] * (HOLD - 1) + [0]


def test_a_level_that_is_needed_again_at_once_is_held_for_longer_each_time_up_to_a_bound() -> None:
    plan = LoadPlan()
    waits = []
    for _ in range(6):
        assert press(plan) == LoadLevel.PICTURE_QUALITY
        waits.append(next(n for n in itertools.count(1) if plan.update(0) == LoadLevel.FULL))
    assert waits == [HOLD, 2 * HOLD, 4 * HOLD, MAX_HOLD, MAX_HOLD, MAX_HOLD]


def test_a_level_that_was_not_needed_for_long_is_held_as_at_first() -> None:
    plan = LoadPlan()
    for _ in range(3):
        press(plan)
        feed(plan, *[0] * MAX_HOLD)
    feed(plan, *[0] * RELAPSE)
    press(plan)
    assert feed(plan, *[0] * HOLD)[-1] == LoadLevel.FULL


def test_levels_that_give_up_nothing_in_a_show_are_passed_over() -> None:
    plan = LoadPlan([LoadLevel.EYES_RATE, LoadLevel.PLAYER_KIND])
    assert [level for level, _ in itertools.groupby(feed(plan, *[2] * 20))] == [0, 3, 5]
    assert [level for level, _ in itertools.groupby(feed(plan, *[0] * 40))] == [5, 3, 0]


def test_a_show_that_can_give_up_nothing_gives_up_nothing() -> None:
    assert set(feed(LoadPlan([]), *[9] * 50, *[0] * 50)) == {0}


def test_what_is_forgotten_is_no_pressure() -> None:
    plan = LoadPlan()
    feed(plan, *[2] * (PRESSED - 1))
    plan.forget()
    assert plan.update(2) == LoadLevel.FULL
