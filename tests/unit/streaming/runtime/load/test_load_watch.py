"""From heartbeats to levels: what counts as late, when it does not, and who is told."""

from __future__ import annotations

import pytest

from streaming.runtime.children.process_slot import ProcessSlot
from streaming.runtime.load.load_plan import SLICE_NS
from streaming.runtime.load.load_watch import BEGINNING_NS, LoadWatch, late_ticks, levels_of
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Control, Health, Load
from streaming.schema.processes import PROCESSES, processes_of
from streaming.settings.config import Show
from streaming.telemetry.metrics import Metrics
from streaming.telemetry.report import ShowRecord, StageRecord

S = 1_000_000_000


def health(stage: str, *steps_ms: float, **counters: int) -> Health:
    metrics = Metrics()
    for step_ms in steps_ms:
        metrics.observe("step_ms", step_ms)
    for name, by in counters.items():
        metrics.count(name.replace("__", "."), by)
    return metrics.take(stage)


class WatchedShow:
    """A show in virtual time; its stages send what they are told to."""

    def __init__(self, direction: str = "both", **show: str) -> None:
        self.record = ShowRecord(show=Show(direction=direction, **show))  # type: ignore[arg-type]
        self.slots: dict[str, ProcessSlot] = {}
        for process in processes_of(direction):
            stage = self.record.stages[process.name] = StageRecord(process, state="running")
            self.slots[process.name] = ProcessSlot(process, stage, identity=process.name.encode())
        self.sent: list[tuple[bytes, Control]] = []
        self.starved: set[str] = set()
        self.watch = LoadWatch(self.record, self.slots, send=lambda *sent: self.sent.append(sent))
        self.now_ns = self.record.start_ns = 100 * S
        self.run(BEGINNING_NS / S + 0.5)

    def run(self, seconds: float, *beats: Health) -> None:
        """Let time pass; each slice has these heartbeats."""
        for _ in range(round(seconds * S / SLICE_NS)):
            for beat in beats:
                self.watch.take(PROCESSES[beat.stage], beat)
            self.now_ns += SLICE_NS
            for name, slot in self.slots.items():
                if name not in self.starved:
                    slot.last_report_ns = self.now_ns
            self.watch.update(self.now_ns)

    @property
    def level(self) -> LoadLevel:
        return self.record.load.level

    def told(self, stage: str) -> list[int]:
        return [sent.level for name, sent in self.sent if name == stage.encode() and isinstance(sent, Load)]


SLOW = health("motion", 50.0, 60.0)


@pytest.mark.parametrize(
    ("beat", "late"),
    [
        (health("motion", 39.0, 1.0), 0),
        (health("motion", 41.0, 5.0, 200.0), 2),
        (health("picture", 45.0), 1),
        (health("scene", 3_000.0), 0),
        (health("screen", 200.0), 0),
        (health("camera", 200.0), 0),
        (health("tokens", 3.0, skipped=4), 4),
        (health("speaker", 90.0, ticks__concealed=2, late=1, ticks__played=4), 3),
        (health("picture", 3.0, given_up=12, painted_again=5), 0),
    ],
)
def test_a_tick_is_late_by_its_steps_time_or_by_the_stages_own_count(beat: Health, late: int) -> None:
    assert late_ticks(PROCESSES[beat.stage], beat) == late


def test_levels_go_up_in_order_every_stage_is_told_and_it_comes_back() -> None:
    show = WatchedShow()
    show.run(6.0, SLOW)
    assert show.level == max(LoadLevel)
    assert show.told("picture") == show.told("speaker") == [1, 2, 3, 4, 5]
    show.run(10.5)
    assert show.level == LoadLevel.FULL
    assert show.told("motion") == [1, 2, 3, 4, 5, 4, 3, 2, 1, 0]
    notes = list(show.record.notes)
    assert notes[0] == "the cores have no time for everything: the show gives up picture quality"
    assert notes[-1] == "the cores have time again: nothing is given up"
    assert len(notes) == 6


def test_without_late_ticks_nobody_is_told_anything() -> None:
    show = WatchedShow()
    show.run(60.0, *(health(name, 3.0) for name in show.slots))
    assert show.sent == []
    assert list(show.record.notes) == []


def test_what_is_late_while_a_stage_is_started_again_or_has_no_device_is_no_load() -> None:
    for disturb in (
        lambda show: setattr(show.slots["sound"].record, "state", "restarting"),
        lambda show: show.slots["speaker"].record.info.update(away=True),
    ):
        show = WatchedShow()
        disturb(show)
        show.run(10.0, health("speaker", ticks__concealed=6))
        assert show.level == LoadLevel.FULL
        show.slots["sound"].record.state = "running"
        show.slots["speaker"].record.info.update(away=False)
        show.run(1.5, SLOW)
        assert show.level == LoadLevel.FULL, "soon after it nothing counts either"
        show.run(2.5, SLOW)
        assert show.level > LoadLevel.FULL


@pytest.mark.parametrize(("stage", "level"), [("picture", LoadLevel.PICTURE_QUALITY), ("recorder", LoadLevel.FULL)])
def test_a_stage_that_gets_no_time_at_all_is_late(stage: str, level: LoadLevel) -> None:
    show = WatchedShow()
    show.starved = {stage}
    show.run(1.5)
    assert show.level == level


def test_where_the_supervisor_itself_was_late_what_was_late_is_spread_over_that_time() -> None:
    show = WatchedShow()
    for _ in range(2):
        show.watch.take(PROCESSES["motion"], health("motion", *[50.0] * 8))
        show.now_ns += 4 * SLICE_NS
        for slot in show.slots.values():
            slot.last_report_ns = show.now_ns
        show.watch.update(show.now_ns)
    assert [level for _, level in show.record.load.changes] == [1, 2], "level by level"


def test_the_beginning_of_a_show_is_no_load() -> None:
    show = WatchedShow()
    show.watch = LoadWatch(show.record, show.slots, send=lambda *sent: None)
    show.record.start_ns = show.now_ns
    show.run(BEGINNING_NS / S - 0.5, SLOW)
    assert show.level == LoadLevel.FULL


def test_a_stage_that_was_started_again_is_told_the_present_level() -> None:
    show = WatchedShow()
    show.watch.greet(b"picture")
    assert show.sent == []
    show.run(1.0, SLOW)
    show.watch.greet(b"new one")
    assert show.sent[-1] == (b"new one", Load(level=1))


def test_a_level_that_comes_and_goes_is_said_once_until_all_is_well() -> None:
    show = WatchedShow()
    for _ in range(3):
        show.run(1.75, SLOW)
        show.run(2.25)
    ups = [note for note in show.record.notes if "gives up picture quality" in note]
    assert len(ups) == 1


@pytest.mark.parametrize(
    ("direction", "eyes", "levels"),
    [
        ("both", "auto", [1, 2, 3, 4, 5]),
        ("both", "bundle", [1, 2, 5]),
        ("video-to-music", "auto", [3, 4, 5]),
        ("music-to-video", "auto", [1, 2]),
    ],
)
def test_only_what_a_show_has_can_be_given_up(direction: str, eyes: str, levels: list[int]) -> None:
    rows = {process.name: ProcessSlot(process, StageRecord(process)) for process in processes_of(direction)}
    assert levels_of(Show(direction=direction, eyes=eyes), rows) == levels


def test_every_stage_with_a_tick_has_a_budget_of_one_tick() -> None:
    budgets = {name: process.budget_ms for name, process in PROCESSES.items() if process.budget_ms}
    assert budgets == dict.fromkeys(("motion", "tokens", "sound", "hearing", "flow", "picture"), 40)
