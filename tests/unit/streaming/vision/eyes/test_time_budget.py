"""The time budget: hands are left out where looking takes too long, and come back when there is time again."""

from __future__ import annotations

from streaming.vision.eyes.time_budget import LOOKS, TimeBudget


def measure(budget: TimeBudget, body_ms: float, hands_ms: float, looks: int = LOOKS) -> bool:
    for _ in range(looks):
        budget.measure(body_ms, hands_ms if budget.hands else 0.0)
    return budget.hands


def test_within_the_budget_the_hands_stay() -> None:
    assert measure(TimeBudget(16), 6, 8, 5 * LOOKS)


def test_over_the_budget_the_hands_go_and_do_not_flutter() -> None:
    budget = TimeBudget(16)
    assert measure(budget, 10, 12, LOOKS - 1)
    assert not measure(budget, 10, 12, 1)
    for _ in range(10 * LOOKS):
        assert not measure(budget, 10, 12, 1)


def test_a_few_slow_looks_change_nothing() -> None:
    budget = TimeBudget(16)
    for look in range(5 * LOOKS):
        budget.measure(*((30, 30) if look % 3 == 0 else (6, 8)))
    assert budget.hands


def test_when_the_machine_is_free_again_the_hands_come_back() -> None:
    budget = TimeBudget(16)
    measure(budget, 12, 14)
    assert not budget.hands
    assert measure(budget, 5, 6)


def test_reset_brings_the_hands_back() -> None:
    budget = TimeBudget(16)
    measure(budget, 12, 14)
    budget.reset()
    assert budget.hands
