"""Nobody, somebody, a fly: the show becomes calm and comes back, and a hand's changes stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streaming.remote.installation.attract_mode import CALM, COME_FADE_S, LEAVE_FADE_S, AttractMode, PresenceWatch
from streaming.settings.controls import CONTROLS, Value

S = 1_000_000_000
STEP_NS = S // 10


class Night:
    """A mode on a virtual clock, whose wishes are obeyed at once."""

    def __init__(self, mode: AttractMode | None = None) -> None:
        self.mode = mode or AttractMode(60.0)
        self.values: dict[str, Value] = {name: row.default for name, row in CONTROLS.items()}
        self.now_ns, self.lines = 0, list[str]()
        self.asked = 0

    def live(self, seconds: float, moves: Callable[[float], bool | None] | bool | None) -> None:
        for index in range(round(seconds * 10)):
            self.now_ns += STEP_NS
            seen = moves(index / 10) if callable(moves) else moves
            line, wishes = self.mode.step(seen, self.values, self.now_ns)
            self.lines += [line] if line else []
            for wish in wishes:
                self.asked += 1
                self.values[wish.name] = wish.value
                self.mode.changed(wish.name, wish.value)

    def calm(self) -> dict[str, float]:
        return {name: CALM[name].of(name, float(CONTROLS[name].default)) for name in CALM}


def test_it_becomes_calm_after_a_minute_and_comes_back_at_once() -> None:
    night = Night()
    before = dict(night.values)
    night.live(30.0, True)
    night.live(59.5, False)
    assert (night.lines, night.asked) == ([], 0)
    night.live(1.0, False)
    assert night.lines == ["nobody moves: the show is calm"]
    night.live(LEAVE_FADE_S / 2, False)
    assert night.calm()["volume"] < float(night.values["volume"]) < 0.0, "it fades"
    night.live(LEAVE_FADE_S, False)
    assert {name: night.values[name] for name in CALM} == night.calm()
    asked = night.asked
    night.live(3_600.0, False)
    assert night.asked == asked, "nothing is asked for while nothing happens"
    night.live(0.3 + COME_FADE_S + 0.4, True)
    assert night.lines[1:] == ["somebody moves: the show is as before"]
    assert night.values == before
    assert night.mode.kept == {}


def test_a_fly_and_a_flicker_wake_nobody() -> None:
    night = Night()
    night.live(80.0, False)
    night.live(600.0, lambda at_s: int(at_s * 10) % 20 == 0)
    assert night.lines == ["nobody moves: the show is calm"]


def test_a_camera_that_knows_nothing_changes_nothing() -> None:
    night = Night()
    night.live(3_600.0, None)
    assert night.lines == []
    night.live(59.0, False)
    night.live(1_000.0, None)
    assert night.lines == []
    night.live(2.0, False)
    assert len(night.lines) == 1
    night.live(100.0, None)
    assert len(night.lines) == 1


def test_what_a_hand_sets_meanwhile_stays() -> None:
    night = Night()
    night.live(63.0, False)
    night.values["volume"] = -3.0
    night.mode.changed("volume", -3.0)
    night.live(20.0, False)
    assert night.values["volume"] == -3.0, "it is not faded on"
    night.live(3.0, True)
    assert night.values["volume"] == -3.0, "nor set back"
    assert night.values["motion"] == CONTROLS["motion"].default


def test_what_a_hand_sets_while_it_comes_back_stays() -> None:
    night = Night()
    night.live(80.0, False)
    night.live(0.6, True)
    assert night.mode.busy
    night.values["volume"] = -3.0
    night.mode.changed("volume", -3.0)
    night.live(3.0, True)
    assert night.values["volume"] == -3.0
    assert night.values["motion"] == CONTROLS["motion"].default


def test_who_comes_while_it_fades_finds_it_as_it_was() -> None:
    night = Night()
    before = dict(night.values)
    for _ in range(5):
        night.live(63.0, False)
        night.live(3.0, True)
    assert night.values == before
    assert len(night.lines) == 10


def test_a_stage_that_is_started_again_knows_what_was_before() -> None:
    night = Night()
    before = dict(night.values)
    night.live(80.0, False)
    again = Night(AttractMode(60.0, night.mode.kept))
    again.values, again.now_ns = night.values, night.now_ns
    assert not again.mode.is_there
    again.live(5.0, False)
    assert again.lines == []
    again.live(3.0, True)
    assert again.values == before


@pytest.mark.parametrize("leave_s", [1.0, 60.0])
def test_presence_changes_once_each_way(leave_s: float) -> None:
    watch, turns = PresenceWatch(leave_s), []
    for tenth in range(round(leave_s * 10) + 30):
        turns += [watch.is_there] if watch.take(False, tenth * STEP_NS) else []
    assert turns == [False]


def test_calm_values_are_within_their_range() -> None:
    for name, calm in CALM.items():
        row = CONTROLS[name]
        for value in (row.low, float(row.default), row.high):
            assert row.low <= calm.of(name, value) <= row.high
