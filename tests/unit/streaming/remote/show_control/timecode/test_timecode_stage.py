"""LTC on an input plays the console's cues at their times; without the input the show goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import TICK_NS
from streaming.devices.sound.inputs import Intake, PacedInput
from streaming.errors import SourceError
from streaming.remote.console.preset_book import FILE_NAME, Cue, PresetBook
from streaming.remote.show_control.timecode.ltc_encoder import encode_ltc
from streaming.remote.show_control.timecode.timecode import Timecode
from streaming.remote.show_control.timecode.timecode_stage import LOOK_NS, TimecodeStage, open_input
from streaming.schema.messages import Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.remote.test_osc_stage import FakeLink

RATE = 48_000
S = 1_000_000_000


class Line(PacedInput):
    """An input whose sound a test puts in."""

    def __init__(self) -> None:
        super().__init__()
        self.samplerate, self.waits, self.device, self.is_alive = RATE, False, "line 1", True
        self.intake: Intake | None = None

    def start(self, intake: Intake, skip_s: float = 0.0) -> None:
        self.intake = intake

    def alive(self) -> bool:
        return self.is_alive

    def put(self, pcm: NDArray[np.float32]) -> None:
        assert self.intake is not None
        self.intake(pcm, 0)


class Room:
    """A stage with its input and its cues."""

    def __init__(self, folder: Path) -> None:
        book = PresetBook(folder / FILE_NAME)
        book.save("quiet", {"volume": -20.0, "motion": 0.5})
        book.save("loud", {"volume": 0.0})
        book.set_cues([Cue("quiet", 0.0, "01:00:01:00"), Cue("loud"), Cue("loud", 0.2, "01:00:02:12")])
        self.line, self.link, self.notes = Line(), FakeLink(), list[str]()
        self.gone = False
        link: Any = lambda *_: self.link  # noqa: E731
        self.stage = TimecodeStage(lambda source, channel: (self.line, ""), self.again, link, folder / FILE_NAME)
        self.now_ns = S
        self.context = Context(Show(timecode="ltc:auto"), Metrics(), note=self.notes.append, now_ns=S)
        self.stage.setup(self.context)
        self.stage.step(Inputs(started=True), self.now_ns)
        self.set: list[tuple[float, str, float]] = []

    def again(self, device: str, channel: int) -> Line:
        assert (device, channel) == ("line 1", 0)
        if self.gone:
            raise SourceError("is not there", device, "plug it in")
        self.line = Line()
        return self.line

    def play(self, pcm: NDArray[np.float32]) -> None:
        """Let sound come tick by tick, and note what is set, in seconds from its begin."""
        begin_ns, size = self.now_ns, RATE // 25
        for tick in range(len(pcm) // size):
            self.now_ns = begin_ns + (tick + 1) * TICK_NS
            self.line.put(pcm[tick * size : (tick + 1) * size])
            before = len(self.link.requests)
            self.stage.step(Inputs(), self.now_ns)
            for one in self.link.requests[before:]:
                self.set.append(((self.now_ns - begin_ns) / S, one.name, float(one.value)))
                self.stage.step(Inputs(controls=[Set(name=one.name, value=float(one.value))]), self.now_ns)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def timeline(seconds: int) -> list[Timecode]:
    return [Timecode(1, 0, frame // 25, frame % 25) for frame in range(25 * seconds)]


def test_cues_go_at_their_times_with_their_fades(room: Room) -> None:
    room.play(encode_ltc(timeline(4), 25.0, RATE))
    quiet = room.set[:2]
    assert {(name, value) for _, name, value in quiet} == {("volume", -20.0), ("motion", 0.5)}
    assert all(at_s == pytest.approx(1.0, abs=0.05) for at_s, *_ in quiet)
    fade = [(at_s, value) for at_s, name, value in room.set if name == "volume"][1:]
    assert fade[0][0] == pytest.approx(2.5, abs=0.06), "12 frames of 25"
    assert fade[-1][0] == pytest.approx(2.7, abs=0.08)
    assert fade[-1][1] == 0.0
    assert sorted(value for _, value in fade) == [value for _, value in fade], "it rises"
    assert [note for note in room.notes if "cue" in note] == [
        "cue 1, quiet, by LTC 01:00:01:00",
        "cue 3, loud, by LTC 01:00:02:12",
    ]
    health = room.context.metrics.take("timecode")
    assert health.counters["timecode_frames"] >= 95
    assert (health.counters["cues"], health.gauges["cue"]) == (2, 3.0), "so that the console's next is the one after"


def test_an_input_that_goes_is_looked_for_until_it_is_back(room: Room) -> None:
    room.line.is_alive, room.gone = False, True
    room.stage.step(Inputs(), room.now_ns)
    room.stage.step(Inputs(), room.now_ns + 1)
    assert room.notes == ["the timecode's input has gone; it is looked for"]
    room.gone, room.now_ns = False, room.now_ns + LOOK_NS + 1
    room.stage.step(Inputs(), room.now_ns)
    room.stage.step(Inputs(), room.now_ns)
    room.play(encode_ltc(timeline(2), 25.0, RATE))
    assert room.notes[1:] == ["the timecode's input is back", "cue 1, quiet, by LTC 01:00:01:00"]


def test_without_an_input_the_show_goes_on() -> None:
    def refuse(source: str, channel: int) -> Any:
        raise SourceError("there is no such input", source, "plug it in")

    notes: list[str] = []
    stage = TimecodeStage(refuse, link=lambda *_: FakeLink())  # type: ignore[arg-type]
    context = Context(Show(timecode="ltc:x"), Metrics(), note=notes.append)
    stage.setup(context)
    assert stage.step(Inputs(started=True), S) == []
    stage.close()
    assert notes == ["no timecode: x: there is no such input; plug it in"]
    assert context.info["device"] == "none"


def test_a_sound_file_is_an_input(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        open_input(f"file:{tmp_path}/none.wav", 0)
