"""The screen stage: pictures at their moment, passed over when they are late, and a person who closes the window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streaming.errors import UserError
from streaming.schema.messages import Message, Microphone, Picture, Scene, Screen
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.screen import APART_NS, MAX_WAITING, PASSED_NS, WAKE_NS, ScreenStage
from streaming.telemetry.metrics import Metrics

MS = 1_000_000


class FakeScreen:
    name = "fake"

    def __init__(self, display: str = "") -> None:
        self.display = display
        self.shown: list[int] = []
        self.heard: list[int] = []
        self.sizes: list[tuple[int, int]] = []
        self.wanted: list[str] = []
        self.closed = False

    def set_size(self, size: tuple[int, int]) -> None:
        self.sizes.append(size)

    def show(self, tick: int, picture: np.ndarray) -> None:
        self.shown.append(tick)

    def hear(self, tick: int, pcm: np.ndarray) -> None:
        self.heard.append(tick)

    def requests(self) -> list[str]:
        found, self.wanted = self.wanted, []
        return found

    def close(self) -> None:
        self.closed = True


class ScreenBench:
    """A stage with a fake screen on virtual time."""

    def __init__(self, display: str = "", memo: dict[str, Any] | None = None, there: bool = True) -> None:
        self.screen, self.metrics, self.now = FakeScreen(display), Metrics(), 1_000 * MS
        self.there = there
        self.notes: list[str] = []
        self.opened: list[str] = []
        self.finished: list[str] = []
        self.stage = ScreenStage(self._open, lambda: self.now)
        self.context = Context(
            Show(screen="web"),
            self.metrics,
            memo={} if memo is None else memo,
            now_ns=self.now,
            finish=self.finished.append,
            note=self.notes.append,
        )
        self.stage.setup(self.context)

    def _open(self, spec: str, *_: Any) -> FakeScreen:
        self.opened.append(spec)
        if not self.there:
            raise UserError("there is no display", "--screen window", "use another")
        return self.screen

    def step(self, *messages: Message) -> list[Screen]:
        topics: dict[str, list[Message]] = {}
        for message in messages:
            topics.setdefault(type(message).__name__.lower(), []).append(message)
        found = self.stage.step(Inputs(topics), self.now)
        assert all(isinstance(message, Screen) for message in found)
        return list(found)  # type: ignore[arg-type]


def picture(tick: int, capture_ns: int) -> Picture:
    return Picture(tick=tick, image=np.zeros((6, 8, 3), np.uint8), capture_ns=capture_ns)


def test_what_was_heard_is_shown_at_once() -> None:
    show = ScreenBench()
    assert show.step() == []
    heard_ns = show.now - 50 * MS
    (shown,) = show.step(picture(3, heard_ns), Microphone(tick=3, pcm=np.zeros(1280, np.float32)))
    assert show.screen.sizes == [(8, 6)]
    assert (shown.tick, shown.shown_ns, shown.capture_ns) == (3, show.now, heard_ns)
    assert (show.screen.shown, show.screen.heard) == ([3], [3])
    show.now += 40 * MS
    show.step(picture(4, heard_ns))
    assert len(show.screen.sizes) == 1
    health = show.metrics.take()
    assert health.counters == {"pictures_shown": 2, "pictures_shown_start": 2}
    show.stage.close()
    assert show.screen.closed


def test_it_is_opened_before_the_show_and_gets_the_size_of_the_scene() -> None:
    show = ScreenBench()
    assert show.opened == ["web"]
    assert show.context.info == {"device": "fake"}
    show.step(Scene(identity="x", image=np.zeros((6, 12, 3), np.uint8), still=np.zeros((4, 4, 3), np.uint8)))
    assert show.screen.sizes == [(12, 6)]
    assert show.context.info == {"device": "fake", "size": [12, 6]}
    show.step(picture(0, show.now))
    assert len(show.screen.sizes) == 1


def test_a_screen_that_cannot_be_opened_is_said_before_the_show() -> None:
    def refuse(*_: Any) -> FakeScreen:
        raise UserError("has no such monitor", "--screen window:9", "choose another")

    with pytest.raises(UserError, match="no such monitor"):
        ScreenStage(refuse).setup(Context(Show(screen="window:9"), Metrics()))


def test_what_is_yet_to_be_heard_waits_for_its_moment() -> None:
    show = ScreenBench()
    due = [show.now + 30 * MS, show.now + 70 * MS]
    assert show.step(picture(0, due[0]), picture(1, due[1])) == []
    assert show.stage.wake_ns() == show.now + WAKE_NS
    show.now += 15 * MS
    show.step()
    assert show.stage.wake_ns() == due[0]
    show.now = due[0]
    assert [message.tick for message in show.step()] == [0]
    show.now = due[1] + 1 * MS
    (shown,) = show.step()
    assert (shown.tick, shown.missed) == (1, 0)


def test_pictures_that_come_together_are_each_seen() -> None:
    show = ScreenBench()
    (shown,) = show.step(*(picture(tick, show.now - (5 - tick) * 40 * MS) for tick in (0, 1)))
    assert shown.tick == 0
    assert show.stage.wake_ns() == show.now + APART_NS
    show.now += APART_NS - 1
    assert show.step() == []
    show.now += 1
    (shown,) = show.step()
    assert (shown.tick, shown.shown, shown.missed) == (1, 2, 0)
    assert show.metrics.take().counters == {"pictures_shown": 2, "pictures_shown_start": 2}


def test_one_whose_next_has_been_due_for_a_tick_is_passed_over_and_counted() -> None:
    show = ScreenBench()
    show.step(picture(0, show.now))
    start = show.now
    assert show.step(*(picture(tick, start + tick * 40 * MS) for tick in (1, 2, 3))) == []
    show.now = start + 2 * 40 * MS + PASSED_NS
    (shown,) = show.step()
    assert (shown.tick, shown.shown, shown.missed) == (2, 2, 1)
    show.now += APART_NS
    (shown,) = show.step()
    assert (shown.tick, shown.shown, shown.missed) == (3, 3, 1)
    assert show.metrics.take().counters == {
        "drops": 1,
        "pictures_shown": 3,
        "pictures_missed": 1,
        "pictures_shown_start": 3,
    }


def test_what_waits_is_bounded_and_a_mad_stamp_is_not_believed() -> None:
    show = ScreenBench()
    for tick in range(MAX_WAITING + 3):
        show.step(picture(tick, show.now + 100 * MS))
    assert show.metrics.take().counters == {"drops": 3}
    other = ScreenBench()
    (shown,) = other.step(picture(0, other.now + 3_600_000 * MS))
    assert shown.tick == 0


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), "no picture"])
def test_what_is_no_picture_is_counted(image: Any) -> None:
    show = ScreenBench()
    assert show.step(Picture(tick=0, image=image)) == []
    assert show.metrics.take().counters == {"bad": 1}


def test_closing_the_window_ends_the_show() -> None:
    show = ScreenBench()
    show.step(picture(0, show.now))
    show.screen.wanted = ["quit"]
    show.step()
    assert show.finished == ["the window was closed"]


def test_a_window_whose_display_has_gone_is_opened_again_when_it_is_back() -> None:
    first = ScreenBench("window:1")
    first.step(picture(0, first.now))
    second = ScreenBench("window:1", first.context.memo, there=False)
    assert second.opened == ["window:1"], "not what --screen says: auto would show nothing without a display"
    for tick in range(1, 51):
        second.now += 40 * MS
        second.step(picture(tick, second.now))
    assert second.notes == ["the display has gone (there is no display); the show goes on, and it is looked for"]
    assert second.context.info["away"] is True
    assert len(second.opened) <= 6, "twice a second"
    second.there = True
    for tick in range(51, 101):
        second.now += 40 * MS
        second.step(picture(tick, second.now))
    assert second.notes[1:] == ["the display is back: fake"]
    assert second.screen.sizes == [(8, 6)]
    assert second.screen.shown[-1] == 100
    counters = second.metrics.take().counters
    assert (counters["device_lost"], counters["device_back"]) == (1, 1)
    assert counters["away_ms"] == pytest.approx(2_200, abs=400)
    assert counters["pictures_shown"] == len(second.screen.shown) < 51


def test_a_screen_that_needs_no_display_is_not_looked_for() -> None:
    show = ScreenBench()
    assert "display" not in show.context.memo
