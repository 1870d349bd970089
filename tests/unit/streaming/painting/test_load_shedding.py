"""Load shedding: what is left out follows from how long a painting takes, what is lost, and the time that is left."""

from __future__ import annotations

from streaming.conventions import TICK_NS
from streaming.painting.load_shedding import (
    CAREFUL_TICKS,
    CHECK_TICKS,
    LITTLE_LEFT,
    MAX_REST,
    MIN_REST,
    MUCH_LEFT,
    LoadShedding,
)


class Painter:
    """A painter at 25 pictures a second."""

    def __init__(self) -> None:
        self.left, self.took_ns, self.now_ns = 1.0, 0, 0
        self.shedding = LoadShedding(lambda: self.left)

    def paint(self, pictures: int, *, lost: bool = False) -> list[bool]:
        """Which of so many pictures were painted anew."""
        anew = []
        for _ in range(pictures):
            self.now_ns += TICK_NS
            self.shedding.update(lost=lost)
            anew.append(not self.shedding.skips(self.now_ns))
            if anew[-1]:
                self.shedding.record(self.took_ns, self.now_ns + self.took_ns)
        return anew


def test_a_painting_that_takes_nearly_all_of_a_tick_leaves_the_next_one_to_others() -> None:
    show = Painter()
    show.paint(4 * CHECK_TICKS)
    show.took_ns = round(0.99 * TICK_NS / (1.0 + MIN_REST))
    assert sum(show.paint(20)) == 20
    show.took_ns = round(1.01 * TICK_NS / (1.0 + MIN_REST))
    assert sum(show.paint(20)) == 10
    show.took_ns = 3 * TICK_NS
    assert sum(show.paint(20)) == 5, "also where it takes three ticks"


def test_it_is_painted_less_often_where_time_is_short_and_again_where_there_is_some() -> None:
    show = Painter()
    show.took_ns = TICK_NS // 2 + 1
    assert sum(show.paint(10)) == 5, "it begins without haste"
    show.left = 0.02
    show.paint(6 * CHECK_TICKS)
    assert show.shedding.rest == MAX_REST
    show.took_ns = TICK_NS // 2
    show.paint(4)
    assert sum(show.paint(24)) == 12, "half a tick and three times that"
    show.took_ns = TICK_NS
    show.paint(4)
    assert sum(show.paint(24)) == 6
    show.left = (LITTLE_LEFT + MUCH_LEFT) / 2.0
    show.paint(5 * CHECK_TICKS)
    assert show.shedding.rest == MAX_REST, "neither short nor plenty"
    show.took_ns, show.left = TICK_NS // 2, 0.5
    show.paint(15 * CHECK_TICKS)
    assert sum(show.paint(20)) == 20


def test_a_picture_that_was_lost_counts_as_short_time_and_for_a_while() -> None:
    show = Painter()
    show.paint(4 * CHECK_TICKS)
    show.took_ns = TICK_NS // 3
    assert sum(show.paint(5)) == 5
    show.paint(8, lost=True)
    assert show.shedding.rest == MAX_REST
    assert sum(show.paint(CAREFUL_TICKS - CHECK_TICKS)) <= CAREFUL_TICKS // 2
    show.paint(15 * CHECK_TICKS)
    assert sum(show.paint(8)) == 8
